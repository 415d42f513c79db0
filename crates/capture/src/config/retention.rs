//! When what is due is removed, as it is written.

use super::place::Place;
use super::{ConfigError, File};
use crate::recorder::AHEAD_MAX;
use serde::Deserialize;
use std::time::Duration;
use toml::Spanned;

/// Time of day unless the file says otherwise: at night, in most of Europe.
const AT: Duration = Duration::from_secs(3 * 3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// When what is due is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Whether it is removed without anybody asking.
    pub automatic: bool,
    /// Time of day (UTC) of a run.
    pub at: Duration,
    /// Time between two runs.
    pub every: Duration,
    /// How far ahead of the log a start may find a clock that no time service vouches for.
    pub clock_ahead_max: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { automatic: true, at: AT, every: DAY, clock_ahead_max: AHEAD_MAX }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionFile {
    automatic: Option<bool>,
    at: Option<Spanned<String>>,
    every: Option<Spanned<String>>,
    clock_ahead_max: Option<Spanned<String>>,
}

/// Reads from TOML when what is due is removed; each day at three without `[retention]`, in systems that have a policy.
pub fn retention(text: &str) -> Result<RetentionConfig, ConfigError> {
    let at = Place { text: Some(text), env: &|_| None };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    let otherwise = RetentionConfig::default();
    let Some(retention) = file.retention else { return Ok(otherwise) };
    let time = |text: &Spanned<String>| {
        let (hours, minutes) = text.as_ref().split_once(':')?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|_| text.len() == 2);
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (hours < 24 && minutes < 60).then(|| Duration::from_secs(hours * 3_600 + minutes * 60))
    };
    let of_day = match &retention.at {
        None => otherwise.at,
        Some(text) => time(text)
            .ok_or_else(|| at.error(text, "at", "write a time of day in UTC, as in 03:00".to_owned()))?,
    };
    let period = |text: &Option<Spanned<String>>, key: &str, otherwise: Duration| {
        text.as_ref().map_or(Ok(otherwise), |text| at.period(text, key))
    };
    Ok(RetentionConfig {
        automatic: retention.automatic.unwrap_or(true),
        at: of_day,
        every: period(&retention.every, "every", otherwise.every)?,
        clock_ahead_max: period(&retention.clock_ahead_max, "clock_ahead_max", otherwise.clock_ahead_max)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str) -> Result<RetentionConfig, String> {
        retention(&format!("[retention]\n{table}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_time_of_day_and_a_period_are_read() {
        assert_eq!(retention(""), Ok(RetentionConfig::default()));
        let found =
            read("at = \"23:45\"\nevery = \"6h\"\nclock_ahead_max = \"2d\"\nautomatic = false").unwrap();
        let (at, every) = (Duration::from_secs(23 * 3_600 + 45 * 60), Duration::from_secs(6 * 3_600));
        assert_eq!(found, RetentionConfig { automatic: false, at, every, clock_ahead_max: 2 * DAY });
        for (table, says) in [
            ("at = \"3\"", "line 2: `at`: write a time of day"),
            ("at = \"24:00\"", "line 2: `at`: write a time of day"),
            ("every = \"daily\"", "line 2: `every`: \"daily\" is no length of time"),
            ("often = true", "unknown field `often`"),
        ] {
            let error = read(table).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
