//! Where the root key lives. It seals the table, and nothing else; it should live outside the data directory, so that a copy
//! of the one is nothing without the other.
//!
//! The root key is one line, `inferlog-root-v1 <epoch> <64 hex>`, in a file, in an environment variable, or behind a command
//! that asks a key service for it. An erasure replaces it and destroys the old one, where its home allows that.

mod command;
mod env;
mod file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{DiskError, Fs};
use zeroize::Zeroizing;

use crate::KeystoreId;
use crate::aead::Key;

pub use command::CommandRoot;
pub use env::EnvRoot;
pub use file::FileRoot;

const MAGIC: &str = "inferlog-root-v1";

/// The key that seals the table, and its epoch: one more at every erasure. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RootKey {
    /// 1 at first.
    pub epoch: u32,
    pub(crate) key: Key,
}

impl RootKey {
    /// A root key made elsewhere.
    pub fn new(epoch: u32, key: [u8; 32]) -> Self {
        Self { epoch, key: Key::new(key) }
    }

    /// `inferlog-root-v1 <epoch> <64 hex>`, with or without the newline.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let mut parts = line.split(' ');
        let (magic, epoch, hex_key) = (parts.next()?, parts.next()?, parts.next()?);
        let mut key = Key::new([0; 32]);
        hex::decode_to_slice(hex_key, key.bytes_mut()).ok()?;
        let root = Self { epoch: epoch.parse().ok()?, key };
        (magic == MAGIC && parts.next().is_none()).then_some(root)
    }

    /// The line, newline included.
    pub fn to_line(&self) -> Zeroizing<String> {
        let hex_key = Zeroizing::new(hex::encode(self.key.bytes()));
        Zeroizing::new(format!("{MAGIC} {} {}\n", self.epoch, *hex_key))
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey {{ epoch: {}, .. }}", self.epoch)
    }
}

/// What the root key's home could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// There is no root key.
    #[error("no root key at {home}")]
    Missing {
        /// Where it was looked for.
        home: String,
    },
    /// There is one already, and it may guard another keystore.
    #[error("{home} holds a root key already: choose another place, or move it away if nothing needs it")]
    Exists {
        /// Where it is.
        home: String,
    },
    /// What is there is no root key.
    #[error("{home} holds no line of the form `inferlog-root-v1 <epoch> <64 hex>`")]
    Malformed {
        /// Where it is.
        home: String,
    },
    /// Others than its owner can read it.
    #[error("others can read the root key: chmod 600 {}", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// The home does not let the old key be replaced. An erasure then goes on without, and says so.
    #[error("the root key was not replaced: {reason}")]
    NotReplaced {
        /// Why.
        reason: String,
    },
    /// The command could not be run.
    #[error("cannot run the root key's command: {0}")]
    Command(std::io::Error),
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A home of the root key.
pub trait RootStore: Send + Sync + fmt::Debug {
    /// The root key that is there.
    fn get(&self) -> Result<RootKey, RootError>;

    /// Puts a first root key there, durably, and says which one it is: a home that cannot be written gives the one it has.
    fn create(&self, new: &RootKey) -> Result<RootKey, RootError>;

    /// Puts `new` in the place of the old one, durably, and destroys the old one as well as the home can.
    /// [`RootError::NotReplaced`]: the old one is still there and stays. After any other error either may be there.
    fn replace(&self, new: &RootKey) -> Result<(), RootError>;

    /// Makes what [`RootStore::get`] gave durable, where an interrupted `replace` may have left it readable only.
    fn confirm(&self, _current: &RootKey) -> Result<(), RootError> {
        Ok(())
    }
}

/// A root key's home as configuration names it: `file:PATH`, `env:NAME` or `command:CMD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootSource {
    /// A file that its owner alone can read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A command that `sh -c` runs.
    Command(String),
}

/// The text names no home of a root key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place for a root key: write file:PATH, env:NAME or command:CMD")]
pub struct RootSourceError(String);

impl RootSource {
    /// `file:PATH`, `env:NAME` or `command:CMD`.
    pub fn parse(text: &str) -> Result<Self, RootSourceError> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.into())),
            Some(("command", command)) if !command.is_empty() => Ok(Self::Command(command.into())),
            _ => Err(RootSourceError(text.to_owned())),
        }
    }

    /// The home itself. `fs` is the file system that a root file is on.
    pub fn store(&self, fs: Arc<dyn Fs>) -> Box<dyn RootStore> {
        match self {
            Self::File(path) => Box::new(FileRoot::new(fs, path.clone())),
            Self::Env(name) => Box::new(EnvRoot::new(name.clone())),
            Self::Command(command) => Box::new(CommandRoot::new(command.clone())),
        }
    }
}

impl fmt::Display for RootSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Command(command) => write!(f, "command:{command}"),
        }
    }
}

/// Where the root key of a keystore lives unless configured: `~/.config/inferlog/<keystore id>.root`
/// (`$XDG_CONFIG_HOME/inferlog/…` where set). `None` if this process has no home directory.
pub fn default_root_path(keystore: KeystoreId) -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("inferlog").join(format!("{keystore}.root")))
}

fn home(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_round_trips_and_nothing_else_parses() {
        let root = RootKey::new(7, [0xab; 32]);
        let line = root.to_line();
        assert_eq!(*line, format!("inferlog-root-v1 7 {}\n", "ab".repeat(32)));
        assert_eq!(RootKey::parse(&line), Some(root.clone()));
        assert_eq!(RootKey::parse(line.trim_end()), Some(root));
        for bad in [
            "",
            "inferlog-root-v1",
            "inferlog-root-v2 7 abab",
            &line[..40],
            &format!("{} x", line.trim_end()),
        ] {
            assert_eq!(RootKey::parse(bad), None, "{bad}");
        }
        assert_eq!(format!("{:?}", RootKey::new(7, [0xab; 32])), "RootKey { epoch: 7, .. }");
    }

    #[test]
    fn a_source_is_what_configuration_says() {
        for text in ["file:/etc/inferlog.root", "env:INFERLOG_ROOT", "command:kms get root:1"] {
            assert_eq!(RootSource::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "file:", "vault:x", "/etc/inferlog.root"] {
            assert!(RootSource::parse(text).unwrap_err().to_string().contains("file:PATH"), "{text}");
        }
    }
}
