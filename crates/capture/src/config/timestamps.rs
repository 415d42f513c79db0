//! Who stamps checkpoints with the time, as it is written.

use super::place::Place;
use super::{ConfigError, File};
use http::Uri;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// Time between two timestamps of a log at least, unless the file says otherwise.
const PERIOD: Duration = Duration::from_secs(3_600);

/// Who stamps checkpoints with the time (RFC 3161).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampsConfig {
    /// Where the authority is asked.
    pub url: Uri,
    /// Certificates (PEM) that vouch for it.
    pub roots: PathBuf,
    /// Time between two timestamps of a log at least.
    pub period: Duration,
    /// The policy to ask for, an object identifier; the authority's own choice without.
    pub policy: Option<String>,
    /// Certificates (PEM) to trust besides the system's, for https.
    pub ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimestampsFile {
    url: Spanned<String>,
    roots: Spanned<PathBuf>,
    period: Option<Spanned<String>>,
    policy: Option<Spanned<String>>,
    ca_file: Option<PathBuf>,
}

/// Reads from TOML who stamps checkpoints with the time; `None` without `[timestamps]`.
pub fn timestamps(text: &str) -> Result<Option<TimestampsConfig>, ConfigError> {
    let at = Place { text: Some(text), env: &|_| None };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let Some(TimestampsFile { url, roots, period, policy, ca_file }) = file.timestamps else {
        return Ok(None);
    };
    let uri: Option<Uri> = url.as_ref().parse().ok();
    let uri = uri.filter(|uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    let uri = uri.ok_or_else(|| {
        at.error(
            &url,
            "url",
            "write where the authority is asked, http://HOST:PORT/PATH or https://HOST/PATH",
        )
    })?;
    if roots.as_ref().as_os_str().is_empty() {
        return Err(at.error(
            &roots,
            "roots",
            "name the file with the certificates that vouch for the authority",
        ));
    }
    let is_oid = |text: &str| text.contains('.') && text.split('.').all(|part| part.parse::<u64>().is_ok());
    if let Some(policy) = policy.as_ref().filter(|policy| !is_oid(policy.as_ref())) {
        return Err(at.error(policy, "policy", "write an object identifier, such as \"1.2.3.4.1\""));
    }
    let period = period.map_or(Ok(PERIOD), |period| at.period(&period, "period"))?;
    let policy = policy.map(Spanned::into_inner);
    Ok(Some(TimestampsConfig { url: uri, roots: roots.into_inner(), period, policy, ca_file }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str) -> Result<Option<TimestampsConfig>, String> {
        timestamps(&format!("[timestamps]\n{table}")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_authority_is_read() {
        assert_eq!(timestamps(""), Ok(None));
        let found = read("url = \"http://127.0.0.1:3180/tsa\"\nroots = \"roots.pem\"").unwrap().unwrap();
        assert_eq!((found.url.path(), found.period, found.policy), ("/tsa", PERIOD, None));
        assert_eq!(found.roots, PathBuf::from("roots.pem"));
        let more = "url = \"https://tsa.example\"\nroots = \"r\"\nperiod = \"10m\"\npolicy = \"1.2.3\"\nca_file = \"ca\"";
        let found = read(more).unwrap().unwrap();
        assert_eq!((found.period, found.policy.as_deref()), (Duration::from_secs(600), Some("1.2.3")));
        assert_eq!(found.ca_file, Some("ca".into()));
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_key() {
        for (table, says) in [
            ("roots = \"r\"", "missing field `url`"),
            ("url = \"http://h\"", "missing field `roots`"),
            ("url = \"ftp://h\"\nroots = \"r\"", "line 2: `url`: write where"),
            ("url = \"http://me@h\"\nroots = \"r\"", "line 2: `url`: write where"),
            ("url = \"nowhere\"\nroots = \"r\"", "line 2: `url`: write where"),
            ("url = \"http://h\"\nroots = \"\"", "line 3: `roots`: name the file"),
            ("url = \"http://h\"\nroots = \"r\"\nperiod = \"1\"", "is no length of time"),
            ("url = \"http://h\"\nroots = \"r\"\npolicy = \"mine\"", "line 4: `policy`: write an object"),
            ("url = \"http://h\"\nroots = \"r\"\nnonce = 1", "unknown field `nonce`"),
        ] {
            let error = read(table).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
