//! Amounts on a command line.

use std::time::Duration;

/// Reads `500ms`, `30s`, `5m`, `1h`.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    parse(text, &units)
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is no length of time: write 500ms, 30s, 5m or 1h"))
}

/// Reads `1048576`, `512KiB`, `256MiB`, `2GiB`.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    parse(text, &units)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("`{text}` is no number of bytes: write 1048576, 512KiB, 256MiB or 2GiB"))
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, worth)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*worth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_units() {
        assert_eq!(parse_time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_secs(120)));
        assert!(parse_time("30").is_err() && parse_time("0s").is_err() && parse_time("-1s").is_err());
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("1000"), Ok(1000));
        assert!(parse_bytes("1 GiB").is_err() && parse_bytes("99999999999999999999").is_err());
        assert!(parse_bytes("18446744073709551615GiB").is_err());
    }
}
