//! A file of prices.

use std::path::Path;

use inferlog_index::stats::Price;
use serde::Deserialize;
use toml::value::Datetime;

use crate::output::Failure;
use crate::when;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    price: Vec<PriceFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    model: String,
    from: Option<Datetime>,
    currency: String,
    input: f64,
    output: f64,
    cached: Option<f64>,
}

/// Reads the prices of a TOML file.
pub(super) fn read(path: &Path) -> Result<Vec<Price>, Failure> {
    let wrong = |what: String| Failure::new(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
    file.price.into_iter().map(|price| price.checked().map_err(wrong)).collect()
}

impl PriceFile {
    fn checked(self) -> Result<Price, String> {
        let Self { model, from, currency, input, output, cached } = self;
        let wrong = |what: &str| format!("the price of {model}: {what}");
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong("`currency` is three capital letters (ISO 4217)"));
        }
        if [Some(input), Some(output), cached]
            .into_iter()
            .flatten()
            .any(|price| !price.is_finite() || price < 0.0)
        {
            return Err(wrong("`input`, `output` and `cached` are numbers, not below zero"));
        }
        let from_ns = match from {
            None => 0,
            Some(from) => {
                let time = when::parse(&from.to_string()).map_err(|_| {
                    wrong("`from` is a day, 2026-01-31, or a time in UTC, 2026-01-31T09:30:00Z")
                })?;
                i64::try_from(time.nanos()).unwrap_or(i64::MAX)
            }
        };
        Ok(Price { model, from_ns, currency, input, output, cached })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Price>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn prices_are_read_and_what_is_wrong_is_named() {
        let good =
            "[[price]]\nmodel = \"a*\"\nfrom = 2026-01-01\ncurrency = \"EUR\"\ninput = 2\noutput = 10.5";
        let price = &read_text(good).unwrap()[0];
        assert_eq!((price.from_ns, price.output, price.cached), (1_767_225_600_000_000_000, 10.5, None));
        for (change, says) in [
            (("EUR", "euro"), "three capital letters"),
            (("10.5", "-1"), "not below zero"),
            (("2026-01-01", "2026-01-01T09:30:00+01:00"), "a time in UTC"),
            (("input", "inputs"), "unknown field `inputs`"),
        ] {
            let error = read_text(&good.replace(change.0, change.1)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
