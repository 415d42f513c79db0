//! Who a node is and which logs it has (docs/format.md, section 2).

use std::path::Path;

use inferlog_disk::{Fs, Rng, read_optional, replace_file};
use serde::{Deserialize, Serialize};

use crate::error::{LogError, Result};
use crate::{LogDir, LogId};

const FORMAT: u32 = 1;

/// The file `node`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeIdentity {
    format: u32,
    #[serde(with = "hex::serde")]
    node: [u8; 16],
    org: String,
}

impl NodeIdentity {
    /// Reads the identity of a data directory; `None` if it has none yet.
    pub fn load(fs: &dyn Fs, dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("node");
        let Some(bytes) = read_optional(fs, &path)? else { return Ok(None) };
        let node: Self = parse(&path, &bytes)?;
        (node.format == FORMAT).then_some(Some(node)).ok_or_else(|| wrong_version(&path))
    }

    /// Reads the identity, or gives the directory one. The org defaults to the node's id.
    pub fn load_or_create(fs: &dyn Fs, rng: &dyn Rng, dir: &Path, org: Option<&str>) -> Result<Self> {
        if let Some(node) = Self::load(fs, dir)? {
            // Written again: what is read may be a change whose sync failed in the last life, gone at the next crash.
            node.store(fs, dir)?;
            return Ok(node);
        }
        let mut id = [0; 16];
        rng.fill(&mut id)?;
        let org = org.map_or_else(|| hex::encode(id), str::to_owned);
        if !is_org(&org) {
            return Err(LogError::Name { what: "org ([A-Za-z0-9][A-Za-z0-9._-]{0,62})", name: org });
        }
        let node = Self { format: FORMAT, node: id, org };
        node.store(fs, dir)?;
        Ok(node)
    }

    fn store(&self, fs: &dyn Fs, dir: &Path) -> Result<()> {
        let path = dir.join("node");
        Ok(replace_file(fs, &path, &to_json(&path, self)?)?)
    }

    /// The node's random id.
    pub fn id(&self) -> [u8; 16] {
        self.node
    }

    /// The org in the origins of its logs.
    pub fn org(&self) -> &str {
        &self.org
    }
}

/// The file `log`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogIdentity {
    /// When the log was created, RFC 3339.
    pub created: String,
    format: u32,
    /// `<org>/<system>/<shard>/<epoch>`.
    pub origin: String,
    /// Every verifier key the log signed with, oldest first (c2sp.org/signed-note).
    pub vkeys: Vec<String>,
}

impl LogIdentity {
    pub(crate) fn new(origin: String, created: String, vkeys: Vec<String>) -> Self {
        Self { created, format: FORMAT, origin, vkeys }
    }

    /// Reads the identity of a log.
    pub fn load(fs: &dyn Fs, log: &LogDir) -> Result<Self> {
        let path = log.path().join("log");
        let identity: Self = parse(&path, &fs.read(&path)?)?;
        (identity.format == FORMAT).then_some(identity).ok_or_else(|| wrong_version(&path))
    }

    /// Writes it durably.
    pub(crate) fn store(&self, fs: &dyn Fs, log: &LogDir) -> Result<()> {
        let path = log.path().join("log");
        Ok(replace_file(fs, &path, &to_json(&path, self)?)?)
    }

    /// The log's id.
    pub fn id(&self) -> LogId {
        LogId::of(&self.origin)
    }
}

/// Every log of a data directory, by system, shard and epoch. A directory without a `log` file was never used: a crash
/// came before the log was whole.
pub fn list_logs(fs: &dyn Fs, dir: &Path) -> Result<Vec<LogDir>> {
    let mut logs = Vec::new();
    let mut level = vec![dir.join("logs")];
    if !fs.exists(&level[0])? {
        return Ok(logs);
    }
    for _ in 0..3 {
        let mut below = Vec::new();
        for dir in level {
            below.extend(fs.read_dir(&dir)?.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.path));
        }
        level = below;
    }
    for path in level {
        if fs.exists(&path.join("log"))? {
            logs.extend(LogDir::at(path));
        }
    }
    Ok(logs)
}

/// The rule of system names serves orgs as well: both become path components and parts of an origin.
pub(crate) fn is_org(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 63
        && bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| LogError::damaged(path, 0, &error.to_string()))
}

fn wrong_version(path: &Path) -> LogError {
    LogError::damaged(path, 0, "written in another format version; use the inferlog that wrote it")
}

fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec(value).map_err(|error| LogError::damaged(path, 0, &error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
