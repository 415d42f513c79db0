//! Where the reader listens.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_capture::api::Token;
use inferlog_capture::config::{ReaderAddress, ReaderConfig, token_from_file};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

use super::Reader;
use crate::current::Current;
use crate::http_server::serve;
use crate::output::Failure;

/// Where the token is that reading needs.
#[derive(Clone, Debug)]
pub(crate) enum TokenPlace {
    Env(String),
    File(PathBuf),
}

impl Default for TokenPlace {
    fn default() -> Self {
        Self::Env("INFERLOG_READER_TOKEN".into())
    }
}

impl TokenPlace {
    /// Reads `env:NAME` or `file:PATH`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) => Ok(Self::Env(name.into())),
            Some(("file", path)) => Ok(Self::File(path.into())),
            _ => Err("write env:NAME or file:PATH: a token on a command line is seen by all".into()),
        }
    }

    /// The token.
    pub(crate) fn read(&self) -> Result<Token, String> {
        match self {
            Self::Env(name) => {
                let text = std::env::var(name).map_err(|_| {
                    format!("--reader needs a token: the environment has no `{name}`; set it, or give --reader-token file:PATH")
                })?;
                Token::new(text.trim()).map_err(|what| format!("`{name}`: {what}"))
            }
            Self::File(path) => token_from_file(path),
        }
    }
}

/// Serves the reader's routes until dropped.
pub(crate) struct ReaderServer {
    task: JoinHandle<()>,
    socket: Option<PathBuf>,
    address: String,
}

/// An address that is bound: before anything else is opened, so that one that is taken is told at once.
pub(crate) enum ReaderListener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl ReaderListener {
    /// Binds the address. Of a Unix socket its owner alone may connect; a socket that nobody answers at is replaced.
    pub(crate) async fn bind(address: &ReaderAddress) -> Result<Self, Failure> {
        let failed =
            |error: io::Error| Failure::new(format!("the reader cannot listen on {address}: {error}"));
        match address {
            ReaderAddress::Loopback(address) => {
                TcpListener::bind(address).await.map(Self::Tcp).map_err(failed)
            }
            ReaderAddress::Unix(path) => {
                remove_dead(path).await.map_err(failed)?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                // Whoever connects before this has no token all the same.
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }
}

/// Removes a socket that nobody answers at; anything else that is there stays.
async fn remove_dead(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("a file is there that is no socket"));
    }
    match tokio::net::UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::other("another process listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

impl ReaderServer {
    /// Begins to serve.
    pub(crate) fn start(
        listener: ReaderListener,
        config: ReaderConfig,
        current: Current,
    ) -> io::Result<Self> {
        let reader = Arc::new(Reader::new(config, current));
        let answer = move |request| reader.clone().answer(request);
        Ok(match listener {
            ReaderListener::Tcp(listener) => {
                let address = format!("http://{}", listener.local_addr()?);
                Self { task: tokio::spawn(serve(listener, answer)), socket: None, address }
            }
            ReaderListener::Unix(listener, path) => {
                let address = format!("unix:{}", path.display());
                Self { task: tokio::spawn(serve(listener, answer)), socket: Some(path), address }
            }
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for ReaderServer {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(path) = &self.socket {
            // One that is left behind refuses connections, which says the same.
            let _ = fs::remove_file(path);
        }
    }
}
