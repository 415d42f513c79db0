//! How likely a decision is selected, by the policy's method.

use inferlog_policy::{Method, Sample};
use inferlog_record::body::SamplingMethod;
use inferlog_record::{ClearName, Millionths};

/// How likely a decision is selected.
pub(super) enum Chance {
    Certain,
    Every(u32),
    Of(Millionths),
}

/// The stratum and the chance of a decision that came by this route.
pub(super) fn chance(sample: &Sample, route: Option<&ClearName>) -> (Option<ClearName>, Chance) {
    match &sample.method {
        Method::Systematic { every } => (None, Chance::Every(*every)),
        Method::Bernoulli { probability } => (None, Chance::Of(*probability)),
        Method::Stratified { strata } => match strata.iter().find(|stratum| Some(&stratum.route) == route) {
            Some(stratum) => (Some(stratum.route.clone()), Chance::Of(stratum.probability)),
            None => (None, Chance::Certain),
        },
    }
}

/// Whether the first 8 bytes of a digest, as a fraction of 2^64, are below a probability.
pub(super) fn is_below(digest: u64, probability: Millionths) -> bool {
    let parts = u128::try_from(probability.0.max(0)).unwrap_or(0);
    u128::from(digest) * 1_000_000 < parts << 64
}

/// A method as the record names it, and its probability in a stratum.
pub(super) fn method(sample: &Sample, stratum: Option<&ClearName>) -> (SamplingMethod, Option<Millionths>) {
    match &sample.method {
        Method::Systematic { every } => {
            (SamplingMethod::Systematic, Some(Millionths(1_000_000 / i64::from((*every).max(1)))))
        }
        Method::Bernoulli { probability } => (SamplingMethod::Bernoulli, Some(*probability)),
        Method::Stratified { strata } => {
            let own = strata.iter().find(|one| Some(&one.route) == stratum);
            (SamplingMethod::Stratified, Some(own.map_or(Millionths(1_000_000), |one| one.probability)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_below_a_probability_as_often_as_it_says() {
        assert!(!is_below(0, Millionths(0)) && is_below(u64::MAX, Millionths(1_000_000)));
        let mut rng = fastrand::Rng::with_seed(7);
        for millionths in [1_000, 10_000, 250_000, 999_000] {
            let hits = (0..200_000).filter(|_| is_below(rng.u64(..), Millionths(millionths))).count();
            let expected = 0.2 * millionths as f64;
            assert!((hits as f64 - expected).abs() < 5.0 * expected.sqrt() + 5.0, "{millionths}: {hits}");
        }
    }
}
