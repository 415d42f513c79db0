//! What tokens cost: a file of prices, or those of a policy.

use std::io::Write;
use std::path::Path;

use inferlog_index::stats::Price;
use inferlog_policy::Policy;
use inferlog_record::SystemName;
use serde::Deserialize;
use toml::value::Datetime;

use crate::commands::registered;
use crate::output::{self, Failure};
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

/// The prices of the policy in force of this system, or of the only system that has some; `None` if there are none.
pub(super) fn of_policy(data: &Path, system: Option<&SystemName>) -> Result<Option<Vec<Price>>, Failure> {
    let snapshot = registered::load(data)?;
    let systems = match system {
        Some(system) => vec![system.as_str()],
        None => snapshot.systems_with_policy(),
    };
    let mut found = Vec::new();
    for policy in systems.into_iter().filter_map(|system| snapshot.policy(system)) {
        let read = Policy::parse(&snapshot.text(policy.sha256)?)?;
        let prices: Vec<Price> = read.prices.into_iter().filter_map(of_tokens).collect();
        found.extend((!prices.is_empty()).then_some(prices));
    }
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => {
            let what = "Several policies have prices: say --system, or --prices, to see what tokens cost.";
            writeln!(output::stderr(), "{what}")?;
            Ok(None)
        }
    }
}

fn of_tokens(price: inferlog_policy::Price) -> Option<Price> {
    match price {
        inferlog_policy::Price::Tokens { model, from_ns, currency, input, output, cached } => {
            let from_ns = i64::try_from(from_ns).unwrap_or(i64::MAX);
            Some(Price { model, from_ns, currency, input, output, cached })
        }
        inferlog_policy::Price::Storage { .. } => None,
    }
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
