//! What tokens cost.

use crate::rows::Facet;

/// A price of a model's tokens, from a time on.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// The model's name; with a `*` at its end, every name that begins so.
    pub model: String,
    /// It holds for decisions that began then or later, nanoseconds since 1970.
    pub from_ns: i64,
    /// ISO 4217.
    pub currency: String,
    /// Of a million tokens read.
    pub input: f64,
    /// Of a million tokens written, those of reasoning among them.
    pub output: f64,
    /// Of a million tokens read from a cache, which are part of those read; as `input`, if `None`.
    pub cached: Option<f64>,
}

/// Parts of a unit of currency that prices are taken to.
const NANO: f64 = 1e9;
/// What sums are told in parts of: of a token, whose price is per million, in [`NANO`].
const SUM_PARTS: f64 = 1e15;

/// The price of the facet's model at a time: of the name that fits best, the newest.
pub(super) fn at<'a>(prices: &'a [Price], facet: &Facet, at_ns: i64) -> Option<&'a Price> {
    let model = facet.model.as_deref()?;
    let in_force = prices.iter().filter(|price| price.from_ns <= at_ns && price.is_of(model));
    in_force.max_by_key(|price| (!price.model.ends_with('*'), price.model.len(), price.from_ns))
}

impl Price {
    /// What so many tokens cost, in parts of its currency: whole numbers, whose sum is the same in any order.
    pub(super) fn of(&self, input: i64, output: i64, cached: i64) -> i128 {
        let cost = |tokens: i64, price: f64| i128::from(tokens) * (price * NANO).round() as i128;
        let fresh = cost((input - cached).max(0), self.input);
        fresh + cost(cached, self.cached.unwrap_or(self.input)) + cost(output, self.output)
    }

    fn is_of(&self, model: &str) -> bool {
        match self.model.strip_suffix('*') {
            Some(begin) => model.starts_with(begin),
            None => self.model == model,
        }
    }
}

/// A sum of costs in whole units of currency.
pub(super) fn amount(parts: i128) -> f64 {
    parts as f64 / SUM_PARTS
}
