//! Which indices follow the log, as it is written.

use super::place::Place;
use super::{ConfigError, File};
use serde::Deserialize;
use toml::Spanned;

/// Which indices follow the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexConfig {
    /// Whether one in SQLite does, in the data directory.
    pub sqlite: bool,
    /// PostgreSQL databases: a URL without a password, `env:NAME` or `file:PATH` that holds one.
    pub postgres: Vec<String>,
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self { sqlite: true, postgres: Vec::new() }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexFile {
    sqlite: Option<bool>,
    postgres: Option<Spanned<OneOrMore>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Reads from TOML which indices follow the log: one in SQLite, unless `[index]` says otherwise.
pub fn index(text: &str) -> Result<IndexConfig, ConfigError> {
    let at = Place { text: Some(text), env: &|_| None };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let IndexFile { sqlite, postgres } = file.index;
    let places = match &postgres {
        None => Vec::new(),
        Some(postgres) => match postgres.as_ref() {
            OneOrMore::One(place) => vec![place.clone()],
            OneOrMore::More(places) => places.clone(),
        },
    };
    Ok(IndexConfig { sqlite: sqlite.unwrap_or(true), postgres: places })
}
