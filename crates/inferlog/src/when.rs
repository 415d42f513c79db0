//! Points in time on a command line.

use std::time::{SystemTime, UNIX_EPOCH};

use inferlog_record::Timestamp;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Reads `2026-01-31`, `2026-01-31T09:30:00Z` with or without fractions, or a time ago: `90s`, `15m`, `2h`, `7d`.
pub(crate) fn parse(text: &str) -> Result<Timestamp, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    parse_at(text, now).ok_or_else(|| {
        format!(
            "`{text}` is no time: write 2026-01-31, 2026-01-31T09:30:00Z, or a time ago as in 15m, 2h, 7d"
        )
    })
}

fn parse_at(text: &str, now_ns: u64) -> Option<Timestamp> {
    if let Some(ago) = ago_seconds(text) {
        return now_ns.checked_sub(ago.checked_mul(NANOS_PER_SECOND)?).map(Timestamp);
    }
    point(text)
}

/// Reads `2026-01-31` or `2026-01-31T09:30:00Z`, which may be to come.
pub(crate) fn point_or_error(text: &str) -> Result<Timestamp, String> {
    point(text).ok_or_else(|| format!("`{text}` is no time: write 2026-01-31 or 2026-01-31T09:30:00Z"))
}

/// Reads a day or a time of day, in UTC.
pub(crate) fn point(text: &str) -> Option<Timestamp> {
    // A record's time has nine fractional digits: fill up what is not written.
    let text = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let (seconds, fraction) = match text.strip_suffix('Z')?.split_once('.') {
        Some((seconds, fraction)) => (seconds, fraction),
        None => (text.strip_suffix('Z')?, ""),
    };
    format!("{seconds}.{fraction:0<9}Z").parse().ok()
}

fn ago_seconds(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    text[..text.len() - 1].parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_times_ago() {
        let now: Timestamp = "2026-03-01T12:00:00.000000000Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-31", "2026-01-31T00:00:00.000000000Z"),
            ("2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000000000Z"),
            ("2026-01-31T09:30:00.25Z", "2026-01-31T09:30:00.250000000Z"),
            ("90s", "2026-03-01T11:58:30.000000000Z"),
            ("15m", "2026-03-01T11:45:00.000000000Z"),
            ("2h", "2026-03-01T10:00:00.000000000Z"),
            ("7d", "2026-02-22T12:00:00.000000000Z"),
        ] {
            assert_eq!(parse_at(text, now.nanos()).unwrap().to_string(), expected, "{text}");
        }
        for text in
            ["", "d", "-1d", "yesterday", "2026-13-01", "2026-01-31T09:30:00", "99999999999999999999d", "é"]
        {
            assert_eq!(parse_at(text, now.nanos()), None, "{text}");
        }
    }
}
