//! Lengths of time as they are written: `30s`, `5m`, `1h`, `7d`.

use super::ConfigError;
use super::place::Place;
use std::time::Duration;
use toml::Spanned;

const SECOND_MS: u64 = 1_000;

impl Place<'_> {
    /// Reads a length of time that is longer than nothing and at most a year.
    pub(super) fn period(&self, text: &Spanned<String>, key: &str) -> Result<Duration, ConfigError> {
        let units = [("ms", 1), ("s", SECOND_MS), ("m", 60 * SECOND_MS), ("h", 3_600 * SECOND_MS)];
        let units = units.into_iter().chain([("d", 86_400 * SECOND_MS)]);
        let read = |(unit, worth): (&str, u64)| {
            text.as_ref().strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(worth)
        };
        let millis = units.into_iter().find_map(read);
        let millis = millis.filter(|millis| (1..=366 * 86_400 * SECOND_MS).contains(millis));
        millis.map(Duration::from_millis).ok_or_else(|| {
            let what = format!(
                "{:?} is no length of time up to a year: write it as in 30s, 5m, 1h, 7d",
                text.as_ref()
            );
            self.error(text, key, what)
        })
    }
}
