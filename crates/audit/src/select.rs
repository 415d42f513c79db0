//! Which logs of a data directory are meant.

use std::path::Path;

use inferlog_disk::Fs;
use inferlog_log::{LogDir, list_logs};

use crate::error::{AuditError, Result};

/// Logs by name; all of them, if nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// The system.
    pub system: Option<String>,
    /// The shard.
    pub shard: Option<String>,
    /// The epoch.
    pub epoch: Option<String>,
}

impl Select {
    /// The logs of one system.
    pub fn system(name: &str) -> Self {
        Self { system: Some(name.to_owned()), ..Self::default() }
    }

    /// Whether this log is meant.
    pub fn has(&self, log: &LogDir) -> bool {
        let fits =
            |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        fits(&self.system, log.system()) && fits(&self.shard, log.shard()) && fits(&self.epoch, log.epoch())
    }

    /// The logs that are meant, by system, shard and epoch. [`AuditError::NoLog`] if something is named that is not there.
    pub(crate) fn logs(&self, fs: &dyn Fs, dir: &Path) -> Result<Vec<LogDir>> {
        if !fs.exists(&dir.join("logs"))? && !fs.exists(&dir.join("node"))? {
            return Err(AuditError::NoData(dir.display().to_string()));
        }
        let all = list_logs(fs, dir)?;
        let chosen: Vec<LogDir> = all.iter().filter(|log| self.has(log)).cloned().collect();
        if chosen.is_empty() && *self != Self::default() {
            let there: Vec<String> = all.iter().map(name).collect();
            return Err(AuditError::NoLog(self.to_string(), there.join(", ")));
        }
        Ok(chosen)
    }
}

fn name(log: &LogDir) -> String {
    format!("{}/{}/{}", log.system(), log.shard(), log.epoch())
}

impl std::fmt::Display for Select {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
        write!(f, "{}/{}/{}", part(&self.system), part(&self.shard), part(&self.epoch))
    }
}
