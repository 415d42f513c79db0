//! Prices.

use inferlog_record::Timestamp;
use serde::Deserialize;
use toml::Spanned;
use toml::value::{Datetime, Offset};

use super::text::Text;
use crate::{PolicyError, Price};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceFile {
    currency: Spanned<String>,
    gigabyte_month: Option<Spanned<f64>>,
    model: Option<Spanned<String>>,
    from: Option<Spanned<Datetime>>,
    input: Option<Spanned<f64>>,
    output: Option<Spanned<f64>>,
    cached: Option<Spanned<f64>>,
}

impl Text<'_> {
    pub(super) fn price(&self, file: Spanned<PriceFile>) -> Result<Price, PolicyError> {
        let missing =
            |key: &str| self.error(&file, key, "a price of tokens needs `model`, `input` and `output`");
        let PriceFile { currency, gigabyte_month, model, from, input, output, cached } = file.get_ref();
        let money = |price: &Option<Spanned<f64>>, key: &str| {
            price.as_ref().map(|price| self.money(price, key)).transpose()
        };
        let currency = self.currency(currency)?;
        let (input, output) = (money(input, "input")?, money(output, "output")?);
        let cached = money(cached, "cached")?;
        if let Some(gigabyte_month) = money(gigabyte_month, "gigabyte_month")? {
            if model.is_some() || from.is_some() || input.is_some() || output.is_some() || cached.is_some() {
                let what = "a price of storage has a `currency` and nothing else beside it";
                return Err(self.error(&file, "gigabyte_month", what));
            }
            return Ok(Price::Storage { currency, gigabyte_month });
        }
        let model = model.as_ref().filter(|model| !model.as_ref().is_empty());
        Ok(Price::Tokens {
            model: model.ok_or_else(|| missing("model"))?.as_ref().clone(),
            from_ns: from.as_ref().map_or(Ok(0), |from| self.time(from))?,
            currency,
            input: input.ok_or_else(|| missing("input"))?,
            output: output.ok_or_else(|| missing("output"))?,
            cached,
        })
    }

    fn currency(&self, currency: &Spanned<String>) -> Result<String, PolicyError> {
        let text = currency.as_ref();
        match text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            true => Ok(text.clone()),
            false => {
                Err(self.error(currency, "currency", "is three capital letters (ISO 4217), as in \"EUR\""))
            }
        }
    }

    fn money(&self, price: &Spanned<f64>, key: &str) -> Result<f64, PolicyError> {
        let amount = *price.as_ref();
        match amount.is_finite() && amount >= 0.0 {
            true => Ok(amount),
            false => Err(self.error(price, key, "is a number, not below zero")),
        }
    }

    fn time(&self, from: &Spanned<Datetime>) -> Result<u64, PolicyError> {
        let is_utc =
            |offset: Option<Offset>| matches!(offset, Some(Offset::Z) | Some(Offset::Custom { minutes: 0 }));
        let read = |time: &Datetime| {
            let Datetime { date, time, offset } = time;
            let date = (*date)?;
            let day = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day);
            let time = match (time, offset) {
                (None, _) => "00:00:00.000000000".to_owned(),
                (Some(time), offset) if is_utc(*offset) => {
                    format!("{:02}:{:02}:{:02}.{:09}", time.hour, time.minute, time.second, time.nanosecond)
                }
                _ => return None,
            };
            format!("{day}T{time}Z").parse::<Timestamp>().ok()
        };
        let time = read(from.as_ref());
        let what = "is a day, 2026-01-31, or a time in UTC, 2026-01-31T09:30:00Z";
        time.map(Timestamp::nanos).ok_or_else(|| self.error(from, "from", what))
    }
}
