//! Where a PostgreSQL database is, and how it is spoken to.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::connection::ANSWER_SECONDS_MAX;

/// How much of the server TLS proves: libpq's `sslmode`, in PostgreSQL's manual section 34.19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// `disable`: no TLS.
    Disable,
    /// `prefer`: TLS if the server offers it, whoever the server is.
    Prefer,
    /// `require`: TLS, whoever the server is; with `sslrootcert` the same as `verify-ca`, as libpq has it.
    Require,
    /// `verify-ca`: TLS with a certificate that a known authority signed, for whatever name.
    VerifyCa,
    /// `verify-full`: the same, for the host's own name.
    VerifyFull,
}

/// A PostgreSQL database. Neither its text nor its `Debug` shows the password.
#[derive(Clone)]
pub struct Place {
    pub(super) config: Config,
    pub(super) trust: Trust,
    pub(super) roots: Option<PathBuf>,
    pub(super) answer: Duration,
    shown: String,
    named: String,
}

/// Why a text names no database. Never quotes it, for it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No such form.
    #[error(
        "an index in PostgreSQL is named by a URL (`postgres://USER@HOST/DATABASE`), or by `env:NAME` or `file:PATH` that holds one"
    )]
    Form,
    /// A password where others see it.
    #[error(
        "the URL holds a password, which everyone sees in the list of processes: put the URL into a file or an environment \
         variable, and write `file:PATH` or `env:NAME`"
    )]
    Password,
    /// No such variable.
    #[error("the environment variable {0}, which should hold the URL of the database, is not set")]
    Variable(String),
    /// No such file.
    #[error("{path}, which should hold the URL of the database: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The URL does not parse.
    #[error(
        "the URL of the database: {0}; `@`, `/` and `%` in a user or password are written %40, %2F and %25"
    )]
    Url(String),
}

impl Place {
    /// Reads `postgres://…` without a password, `env:NAME` or `file:PATH`.
    ///
    /// # Errors
    /// If the text, or what it points to, is no URL of a PostgreSQL database.
    pub fn parse(text: &str) -> Result<Place, PlaceError> {
        if let Some(name) = text.strip_prefix("env:") {
            let url = std::env::var(name).map_err(|_| PlaceError::Variable(name.to_owned()))?;
            return Ok(Place::of_url(url.trim())?.named_as(text));
        }
        if let Some(path) = text.strip_prefix("file:") {
            let path = PathBuf::from(path);
            let read = std::fs::read_to_string(&path);
            let url = read.map_err(|source| PlaceError::File { path, source })?;
            return Ok(Place::of_url(url.trim())?.named_as(text));
        }
        let place = Place::of_url(text)?;
        if place.config.get_password().is_some() {
            return Err(PlaceError::Password);
        }
        Ok(place.named_as(text))
    }

    fn named_as(self, text: &str) -> Place {
        Place { named: text.to_owned(), ..self }
    }

    /// What [`Place::parse`] made it of, for another process to do the same; empty for one that was made of a URL otherwise.
    pub fn named(&self) -> &str {
        &self.named
    }

    /// Whether a text means a database and no file of SQLite.
    pub fn is_meant(text: &str) -> bool {
        ["postgres://", "postgresql://", "env:", "file:"].iter().any(|prefix| text.starts_with(prefix))
    }

    /// Reads a URL that may hold a password.
    ///
    /// # Errors
    /// If it is none.
    pub fn of_url(url: &str) -> Result<Place, PlaceError> {
        if !["postgres://", "postgresql://"].iter().any(|prefix| url.starts_with(prefix)) {
            return Err(PlaceError::Form);
        }
        let (url, ours) = part(url);
        let mut config: Config = url.parse().map_err(|error| PlaceError::Url(super::told(&error)))?;
        let (mut trust, mut roots) = (None, None);
        for (name, value) in ours {
            match name {
                "sslmode" => trust = Some(trust_of(&value)?),
                _ => roots = Some(PathBuf::from(value)),
            }
        }
        if config.get_hosts().is_empty() {
            return Err(PlaceError::Url("it names no host".to_owned()));
        }
        if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
            return Err(PlaceError::Url("the host's name holds an `@`".to_owned()));
        }
        let trust = trust.unwrap_or_else(|| default_trust(&config));
        config.ssl_mode(match trust {
            Trust::Disable => SslMode::Disable,
            Trust::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        let shown = shown(&config);
        let answer = Duration::from_secs(ANSWER_SECONDS_MAX);
        Ok(Place { config, trust, roots, answer, shown, named: String::new() })
    }

    /// The same with another deadline for each answer than [`ANSWER_SECONDS_MAX`].
    pub fn answering_within(mut self, limit: Duration) -> Place {
        self.answer = limit;
        self
    }
}

/// Takes out of a URL what the client library does not know: `sslmode` with all its words, and `sslrootcert`.
fn part(url: &str) -> (String, Vec<(&str, String)>) {
    let from = url.find('@').unwrap_or(0);
    let Some(query) = url[from..].find('?').map(|mark| from + mark) else {
        return (url.to_owned(), Vec::new());
    };
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for pair in url[query + 1..].split('&') {
        match pair.split_once('=') {
            Some((name @ ("sslmode" | "sslrootcert"), value)) => {
                ours.push((name, percent_decode_str(value).decode_utf8_lossy().into_owned()));
            }
            _ => theirs.push(pair),
        }
    }
    let url = match theirs.as_slice() {
        [] => url[..query].to_owned(),
        theirs => format!("{}?{}", &url[..query], theirs.join("&")),
    };
    (url, ours)
}

fn trust_of(word: &str) -> Result<Trust, PlaceError> {
    Ok(match word {
        "disable" => Trust::Disable,
        "prefer" => Trust::Prefer,
        "require" => Trust::Require,
        "verify-ca" => Trust::VerifyCa,
        "verify-full" => Trust::VerifyFull,
        _ => {
            let what = "`sslmode` is disable, prefer, require, verify-ca or verify-full";
            return Err(PlaceError::Url(what.to_owned()));
        }
    })
}

/// Over a network the server is verified unless the URL says otherwise; on this machine there is nobody in between.
fn default_trust(config: &Config) -> Trust {
    let is_here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
        }
    };
    if config.get_hosts().iter().all(is_here) { Trust::Prefer } else { Trust::VerifyFull }
}

fn shown(config: &Config) -> String {
    let host = |host: &Host| match host {
        Host::Unix(folder) => folder.display().to_string(),
        Host::Tcp(name) => name.clone(),
    };
    let hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let port = if ports.is_empty() { "5432".to_owned() } else { ports.join(",") };
    format!("postgres://{user}{}:{port}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}
