//! Which indices follow the log, as it is written.

use super::place::Place;
use super::{ConfigError, File};
use inferlog_record::SystemName;
use serde::Deserialize;
use toml::Spanned;

/// Which indices follow the log, and what may stand in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexConfig {
    /// Whether one in SQLite does, in the data directory.
    pub sqlite: bool,
    /// PostgreSQL databases: a URL without a password, `env:NAME` or `file:PATH` that holds one.
    pub postgres: Vec<String>,
    /// Systems whose inputs and outputs may stand in an index in clear.
    pub clear_content: Vec<SystemName>,
}

impl Default for IndexConfig {
    fn default() -> Self {
        Self { sqlite: true, postgres: Vec::new(), clear_content: Vec::new() }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexFile {
    sqlite: Option<bool>,
    postgres: Option<Spanned<OneOrMore>>,
    #[serde(default)]
    clear_content: Vec<Spanned<String>>,
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
    let IndexFile { sqlite, postgres, clear_content } = file.index;
    let places = match &postgres {
        None => Vec::new(),
        Some(postgres) => match postgres.as_ref() {
            OneOrMore::One(place) => vec![place.clone()],
            OneOrMore::More(places) => places.clone(),
        },
    };
    let systems: Vec<_> = file.route.iter().map(|route| route.system.as_ref().as_str()).collect();
    let clear = |name: &Spanned<String>| match systems.contains(&name.as_ref().as_str()) {
        true => at.system(name),
        false => Err(at.error(name, "clear_content", format!("no route has a system {:?}", name.as_ref()))),
    };
    let clear_content = clear_content.iter().map(clear).collect::<Result<_, _>>()?;
    Ok(IndexConfig { sqlite: sqlite.unwrap_or(true), postgres: places, clear_content })
}
