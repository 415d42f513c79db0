//! Drills on a schedule, as they are written.

use super::place::Place;
use super::{ConfigError, File};
use inferlog_record::SystemName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use toml::Spanned;

/// Decisions that a drill draws unless the file says otherwise.
const SAMPLE: u32 = 50;
/// Decisions that a drill draws at most.
const SAMPLE_MAX: u32 = 10_000;
/// How much two numbers of an answer may differ unless the file says otherwise.
const TOLERANCE: f64 = 1e-6;

/// Drills on a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct DrillConfig {
    /// Time between two drills of a system.
    pub every: Duration,
    /// Decisions that one draws.
    pub sample: usize,
    /// The systems; all that have a log, if none is named.
    pub systems: Vec<SystemName>,
    /// Whether the files of models are read and hashed.
    pub check_artefacts: bool,
    /// Whether a record that lacks what the profile requires, and does not say why, fails.
    pub strict: bool,
    /// By route: the model server that recorded inputs are sent to again. Empty: they are not.
    pub replay: BTreeMap<String, String>,
    /// Headers to send with them, by name: `env:NAME` or `file:PATH` that holds the value.
    pub replay_headers: BTreeMap<String, String>,
    /// How much two numbers of the answers may differ, relative to the larger one.
    pub tolerance: f64,
    /// How similar prose in the answers must be, 0 to 1.
    pub similarity: f64,
    /// JSON pointers of members of the answers that are passed over.
    pub ignore: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DrillFile {
    every: Spanned<String>,
    sample: Option<Spanned<u32>>,
    #[serde(default)]
    systems: Vec<Spanned<String>>,
    #[serde(default)]
    check_artefacts: bool,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    replay: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    replay_headers: BTreeMap<String, String>,
    tolerance: Option<Spanned<f64>>,
    similarity: Option<Spanned<f64>>,
    #[serde(default)]
    ignore: Vec<String>,
}

/// Reads from TOML what is drilled and when; `None` without `[drill]`.
pub fn drill(text: &str) -> Result<Option<DrillConfig>, ConfigError> {
    let at = Place { text: Some(text), env: &|_| None };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let Some(drill) = file.drill else { return Ok(None) };
    let sample = drill.sample.unwrap_or_else(|| Spanned::new(0..0, SAMPLE));
    if !(1..=SAMPLE_MAX).contains(sample.as_ref()) {
        return Err(at.error(&sample, "sample", format!("write a number from 1 to {SAMPLE_MAX}")));
    }
    for name in &drill.systems {
        if !file.route.iter().any(|route| route.system.as_ref() == name.as_ref()) {
            return Err(at.error(name, "systems", format!("no route has a system {:?}", name.as_ref())));
        }
    }
    for name in drill.replay.keys() {
        if !file.route.iter().any(|route| route.name.as_ref() == name.as_ref()) {
            return Err(at.error(name, "replay", format!("there is no route {:?}", name.as_ref())));
        }
    }
    let share = |share: &Option<Spanned<f64>>, key: &str, otherwise: f64| match share {
        Some(share) if !(0.0..=1.0).contains(share.as_ref()) => {
            Err(at.error(share, key, "write a number from 0 to 1"))
        }
        share => Ok(share.as_ref().map_or(otherwise, |share| *share.as_ref())),
    };
    Ok(Some(DrillConfig {
        every: at.period(&drill.every, "every")?,
        sample: *sample.as_ref() as usize,
        systems: drill.systems.iter().map(|name| at.system(name)).collect::<Result<_, _>>()?,
        check_artefacts: drill.check_artefacts,
        strict: drill.strict,
        tolerance: share(&drill.tolerance, "tolerance", TOLERANCE)?,
        similarity: share(&drill.similarity, "similarity", 1.0)?,
        replay: drill.replay.into_iter().map(|(name, url)| (name.into_inner(), url)).collect(),
        replay_headers: drill.replay_headers,
        ignore: drill.ignore,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str =
        "[[route]]\nname = \"r\"\nsystem = \"s\"\nupstream = \"http://127.0.0.1:9\"\n[drill]\n";

    fn read(table: &str) -> Result<DrillConfig, String> {
        drill(&format!("{ROUTE}{table}")).map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn drills_are_read() {
        assert_eq!(drill(""), Ok(None));
        let expected = DrillConfig {
            every: Duration::from_secs(7 * 86_400),
            sample: 50,
            systems: Vec::new(),
            check_artefacts: false,
            strict: false,
            replay: BTreeMap::new(),
            replay_headers: BTreeMap::new(),
            tolerance: 1e-6,
            similarity: 1.0,
            ignore: Vec::new(),
        };
        assert_eq!(read("every = \"7d\""), Ok(expected));
        let found = read(
            "every = \"1h\"\nsample = 9\nsystems = [\"s\"]\ncheck_artefacts = true\nreplay = { r = \"http://127.0.0.1:1\" }\n\
             replay_headers = { authorization = \"env:KEY\" }\ntolerance = 0.5\nsimilarity = 0.25\nignore = [\"/x\"]",
        )
        .unwrap();
        assert_eq!((found.sample, found.check_artefacts, found.systems.len()), (9, true, 1));
        assert_eq!((found.tolerance, found.similarity), (0.5, 0.25));
        assert_eq!(
            (&*found.replay["r"], &*found.replay_headers["authorization"]),
            ("http://127.0.0.1:1", "env:KEY")
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_key() {
        for (table, says) in [
            ("sample = 5", "missing field `every`"),
            ("every = \"weekly\"", "line 6: `every`: \"weekly\" is no length of time"),
            ("every = \"1d\"\nsample = 0", "line 7: `sample`: write a number from 1 to 10000"),
            ("every = \"1d\"\nsystems = [\"t\"]", "line 7: `systems`: no route has a system \"t\""),
            ("every = \"1d\"\nreplay = { q = \"http://127.0.0.1:1\" }", "`replay`: there is no route \"q\""),
            ("every = \"1d\"\ntolerance = 2.0", "`tolerance`: write a number from 0 to 1"),
            ("every = \"1d\"\nsimilarity = -0.1", "`similarity`: write a number from 0 to 1"),
            ("every = \"1d\"\nat = \"noon\"", "unknown field `at`"),
        ] {
            let error = read(table).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
