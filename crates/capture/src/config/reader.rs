//! Where records are read over HTTP, and by whom, as it is written.

use super::place::Place;
use super::{ConfigError, File};
use crate::api::Token;
use serde::Deserialize;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// Where records are read over HTTP, and by whom.
#[derive(Clone, Debug)]
pub struct ReaderConfig {
    /// Where it listens.
    pub listen: ReaderAddress,
    /// What a request must bring.
    pub token: Token,
    /// What a request for an erasure, a hold or an incident must bring; without, there are none over HTTP.
    pub compliance: Option<Token>,
    /// Whether it gives out content; without, decisions are told and payloads stay sealed.
    pub content: bool,
}

/// An address of this machine alone: records are read in clear, and the listener speaks no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderAddress {
    /// An address of the loopback interface.
    Loopback(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReaderFile {
    listen: Spanned<String>,
    token_env: Option<Spanned<String>>,
    token_file: Option<Spanned<PathBuf>>,
    compliance_token_env: Option<Spanned<String>>,
    compliance_token_file: Option<Spanned<PathBuf>>,
    content: Option<bool>,
}

impl ReaderAddress {
    /// Reads `127.0.0.1:9001`, `[::1]:9001` or `unix:PATH`.
    ///
    /// # Errors
    /// Why it is no address to read records at.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => return Err("write the socket's path after `unix:`".into()),
            Some(path) => return Ok(Self::Unix(path.into())),
            None => {}
        }
        let address: SocketAddr = text
            .parse()
            .map_err(|_| format!("{text:?} is no address: write 127.0.0.1:PORT, [::1]:PORT or unix:PATH"))?;
        if address.ip().to_canonical().is_loopback() {
            return Ok(Self::Loopback(address));
        }
        Err(format!(
            "{address} can be reached from other machines, and records are read there without TLS: listen on 127.0.0.1:PORT or \
             unix:PATH, and put in front what authenticates and encrypts"
        ))
    }
}

impl fmt::Display for ReaderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads a token from a file that its owner alone can read.
///
/// # Errors
/// Why not.
pub fn token_from_file(path: &Path) -> Result<Token, String> {
    let file =
        std::fs::metadata(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if file.mode() & 0o077 != 0 {
        return Err(format!(
            "{} can be read by others than its owner (mode {:o}): chmod 600 it",
            path.display(),
            file.mode() & 0o777
        ));
    }
    let text = std::fs::read_to_string(path);
    Token::new(text.map_err(|error| format!("{} cannot be read: {error}", path.display()))?.trim())
}

/// Reads from TOML where records are read over HTTP, and by whom; `None` without `[reader]`.
pub fn reader(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<ReaderConfig>, ConfigError> {
    let at = Place { text: Some(text), env };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let Some(ReaderFile {
        listen,
        token_env,
        token_file,
        compliance_token_env,
        compliance_token_file,
        content,
    }) = file.reader
    else {
        return Ok(None);
    };
    let token = token(&at, ["token_env", "token_file"], token_env.as_ref(), token_file.as_ref())?;
    let Some(token) = token else {
        let what = "needs `token_env` or `token_file`: a token of at least 32 letters and digits";
        return Err(at.error(&listen, "reader", what));
    };
    let names = ["compliance_token_env", "compliance_token_file"];
    let compliance = self::token(&at, names, compliance_token_env.as_ref(), compliance_token_file.as_ref())?;
    if compliance.as_ref() == Some(&token) {
        let what = "whoever reads may not erase: give erasures, holds and incidents a token of their own";
        return Err(at.error(&listen, "reader", what));
    }
    let address = ReaderAddress::parse(listen.as_ref()).map_err(|what| at.error(&listen, "listen", what))?;
    Ok(Some(ReaderConfig { listen: address, token, compliance, content: content.unwrap_or(true) }))
}

/// The token that one of two keys leads to, if either stands there.
fn token(
    at: &Place<'_>,
    [in_env, in_file]: [&str; 2],
    name: Option<&Spanned<String>>,
    path: Option<&Spanned<PathBuf>>,
) -> Result<Option<Token>, ConfigError> {
    match (name, path) {
        (Some(name), None) => {
            let text = (at.env)(name.as_ref());
            let unset =
                || at.error(name, in_env, format!("the environment has no `{}`: set it", name.as_ref()));
            let token = Token::new(text.ok_or_else(unset)?.trim());
            token.map(Some).map_err(|what| at.error(name, in_env, what))
        }
        (None, Some(path)) => {
            token_from_file(path.as_ref()).map(Some).map_err(|what| at.error(path, in_file, what))
        }
        (Some(_), Some(path)) => Err(at.error(path, in_file, format!("write this or `{in_env}`, not both"))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn read(reader: &str) -> Result<Option<ReaderConfig>, String> {
        let env = |name: &str| (name == "READER").then(|| TOKEN.to_owned());
        super::reader(reader, &env).map_err(|error| error.to_string())
    }

    #[test]
    fn a_reader_listens_on_this_machine_and_has_a_token() {
        assert!(read("").unwrap().is_none());
        let found = read("[reader]\nlisten = \"127.0.0.1:9001\"\ntoken_env = \"READER\"").unwrap().unwrap();
        assert_eq!((found.listen.to_string(), found.content), ("http://127.0.0.1:9001".to_owned(), true));
        let unix = "[reader]\nlisten = \"unix:/run/i.sock\"\ntoken_env = \"READER\"\ncontent = false";
        assert!(!read(unix).unwrap().unwrap().content);
        for (text, says) in [
            (
                "listen = \"0.0.0.0:9001\"\ntoken_env = \"READER\"",
                "line 2: `listen`: 0.0.0.0:9001 can be reached",
            ),
            ("listen = \"localhost\"\ntoken_env = \"READER\"", "is no address"),
            ("listen = \"unix:\"\ntoken_env = \"READER\"", "the socket's path"),
            ("listen = \"127.0.0.1:1\"", "`token_env` or `token_file`"),
            ("listen = \"127.0.0.1:1\"\ntoken_env = \"NONE\"", "has no `NONE`"),
            (
                "listen = \"127.0.0.1:1\"\ntoken_env = \"READER\"\ncompliance_token_env = \"READER\"",
                "a token of their own",
            ),
            ("token_env = \"READER\"", "missing field `listen`"),
            ("listen = \"127.0.0.1:1\"\ntoken_env = \"READER\"\ntoken = \"a\"", "unknown field `token`"),
        ] {
            let error = read(&format!("[reader]\n{text}")).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{TOKEN}\n")).unwrap();
        assert!(token_from_file(file.path()).is_ok());
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(token_from_file(file.path()).unwrap_err().contains("chmod 600"));
        assert!(token_from_file(Path::new("/nowhere")).is_err());
    }
}
