//! Who cosigns checkpoints, as it is written.

use super::place::Place;
use super::{ConfigError, File};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use toml::{Spanned, Value};

/// How often witnesses are asked unless the file says otherwise.
const PERIOD: Duration = Duration::from_secs(60);

/// Who cosigns checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessesConfig {
    /// The file that names witnesses and quorum (c2sp.org/tlog-policy).
    pub policy: PathBuf,
    /// Time between two rounds.
    pub period: Duration,
    /// Whether a start asks them first what they have seen.
    pub twin: TwinMode,
}

/// What a start does with what witnesses have seen of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TwinMode {
    /// They are not asked.
    #[default]
    Off,
    /// It is refused if one of them has seen more, or another history. Who does not answer is passed over.
    Ask,
    /// It is refused, too, if those that answer are no quorum.
    Required,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WitnessesFile {
    policy: Spanned<PathBuf>,
    period: Option<Spanned<String>>,
    twin: Option<Spanned<Value>>,
}

/// Reads from TOML who cosigns checkpoints; `None` without `[witnesses]`.
pub fn witnesses(text: &str) -> Result<Option<WitnessesConfig>, ConfigError> {
    let at = Place { text: Some(text), env: &|_| None };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let Some(WitnessesFile { policy, period, twin }) = file.witnesses else { return Ok(None) };
    if policy.as_ref().as_os_str().is_empty() {
        return Err(at.error(&policy, "policy", "name the file that lists witnesses and their quorum"));
    }
    let period = period.map_or(Ok(PERIOD), |period| at.period(&period, "period"))?;
    let mode = |twin: &Spanned<Value>| match twin.as_ref() {
        Value::Boolean(true) => Ok(TwinMode::Ask),
        Value::Boolean(false) => Ok(TwinMode::Off),
        Value::String(word) if word == "required" => Ok(TwinMode::Required),
        _ => Err(at.error(twin, "twin", "write true, false or \"required\"")),
    };
    let twin = twin.as_ref().map_or(Ok(TwinMode::Off), mode)?;
    Ok(Some(WitnessesConfig { policy: policy.into_inner(), period, twin }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str) -> Result<Option<WitnessesConfig>, String> {
        witnesses(&format!("[witnesses]\n{table}")).map_err(|error| error.to_string())
    }

    #[test]
    fn witnesses_are_read() {
        assert_eq!(witnesses(""), Ok(None));
        let expected = WitnessesConfig { policy: "w.policy".into(), period: PERIOD, twin: TwinMode::Off };
        assert_eq!(read("policy = \"w.policy\""), Ok(Some(expected)));
        for (twin, mode) in
            [("true", TwinMode::Ask), ("false", TwinMode::Off), ("\"required\"", TwinMode::Required)]
        {
            let found = read(&format!("policy = \"w\"\nperiod = \"250ms\"\ntwin = {twin}")).unwrap().unwrap();
            assert_eq!((found.period, found.twin), (Duration::from_millis(250), mode));
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_key() {
        for (table, says) in [
            ("period = \"1h\"", "missing field `policy`"),
            ("policy = \"\"", "line 2: `policy`: name the file"),
            ("policy = \"w\"\nperiod = \"60\"", "line 3: `period`: \"60\" is no length of time"),
            ("policy = \"w\"\nperiod = \"0s\"", "is no length of time"),
            ("policy = \"w\"\nperiod = \"999999999999999999d\"", "is no length of time"),
            ("policy = \"w\"\ntwin = \"maybe\"", "line 3: `twin`: write true"),
            ("policy = \"w\"\nurl = \"x\"", "unknown field `url`"),
        ] {
            let error = read(table).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
