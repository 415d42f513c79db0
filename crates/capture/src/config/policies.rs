//! Which policies are to be in force, as it is written: a system, and the file of its policy.

use super::place::Place;
use super::{ConfigError, File};
use inferlog_record::SystemName;
use std::path::PathBuf;

/// Reads from TOML which files hold the policies of which systems: paths as they are written there.
pub fn policies(text: &str) -> Result<Vec<(SystemName, PathBuf)>, ConfigError> {
    let at = Place { text: Some(text), env: &|_| None };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let policy = |(system, path)| Ok((at.system(system)?, PathBuf::from(AsRef::<String>::as_ref(path))));
    file.policies.iter().map(policy).collect()
}
