//! What a sample says about what is not in it.

/// How sure a bound is.
pub const CONFIDENCE: f64 = 0.95;

/// What was drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// How many there were.
    pub population: u64,
    /// How many were selected, each set of so many with the same probability.
    pub selected: u64,
}

/// Decisions that are taken one by one; of more, as many at once as keep the sum short.
const ONE_BY_ONE_MAX: u64 = 1_000_000;

/// The most decisions of one kind that there can have been without one of them being selected, with a confidence of 95 %: the largest K
/// for which drawing none of K is at least as likely as 5 % (the hypergeometric distribution at zero, in every stratum; over strata the
/// worst way to spread K is taken). Of more than a million decisions it may be too large by some millionths, never too small.
pub fn unseen_max(strata: &[Drawn]) -> u64 {
    let mut taken = vec![0; strata.len()];
    let (mut missed, mut total) = (1.0, 0);
    loop {
        // That one more goes unselected is likeliest where the sample is thinnest; in each stratum it gets less likely with each.
        let next = strata.iter().zip(&taken).map(|(stratum, taken)| another(*stratum, *taken));
        let Some((place, likely)) = next.enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other))
        else {
            return total;
        };
        let left = strata[place].population.saturating_sub(taken[place]);
        let unselected = left.saturating_sub(strata[place].selected);
        let step = (left / ONE_BY_ONE_MAX).clamp(1, unselected.max(1));
        // Each further one is less likely to be missed than the first: so the product is not too small.
        missed *= likely.powf(step as f64);
        if likely <= 0.0 || missed < 1.0 - CONFIDENCE {
            return total;
        }
        taken[place] += step;
        total += step;
    }
}

/// The probability that one more of a kind goes unselected, where `taken` of it did.
fn another(stratum: Drawn, taken: u64) -> f64 {
    let Drawn { population, selected } = stratum;
    match population.saturating_sub(taken) {
        0 => 0.0,
        left => left.saturating_sub(selected) as f64 / left as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(population: u64, selected: u64) -> u64 {
        unseen_max(&[Drawn { population, selected }])
    }

    /// The probability that none of `kind` is among `selected` of `population`, by counting.
    fn none_of(population: u64, selected: u64, kind: u64) -> f64 {
        let ways = |from: u64| (0..selected).map(|at| (from as f64 - at as f64).max(0.0)).product::<f64>();
        ways(population - kind) / ways(population)
    }

    #[test]
    fn the_bound_is_where_missing_the_kind_gets_unlikely() {
        for population in 1..40 {
            for selected in 0..=population {
                let bound = of(population, selected);
                assert!(none_of(population, selected, bound) >= 0.05 - 1e-12, "{population} {selected}");
                let beyond = bound + 1;
                assert!(
                    beyond > population || none_of(population, selected, beyond) < 0.05 + 1e-12,
                    "{population} {selected}"
                );
            }
        }
    }

    #[test]
    fn known_bounds() {
        assert_eq!((of(100, 0), of(100, 100), of(0, 0)), (100, 0, 0));
        // The rule of three: some 3 of n.
        let rate = of(1_000_000, 3_000) as f64 / 1e6;
        assert!((rate - 3.0 / 3_000.0).abs() < 1e-5, "{rate}");
        assert_eq!(of(10_000, 100), 293, "ln 0.05 / ln 0.99 is 298 of an endless population");
    }

    #[test]
    fn the_thinnest_stratum_decides() {
        let thin = Drawn { population: 1_000, selected: 10 };
        let dense = Drawn { population: 1_000, selected: 900 };
        let whole = Drawn { population: 1_000, selected: 1_000 };
        assert_eq!(unseen_max(&[whole]), 0);
        assert_eq!(unseen_max(&[dense, whole, thin]), unseen_max(&[thin, dense]));
        assert!(unseen_max(&[thin, dense]) >= unseen_max(&[thin]));
        // No way to spread a kind over both is missed more often: all ways, by counting.
        let (one, other) = (Drawn { population: 12, selected: 3 }, Drawn { population: 9, selected: 4 });
        let mut worst = 0;
        for first in 0..=12 {
            for second in 0..=9 {
                if none_of(12, 3, first) * none_of(9, 4, second) >= 0.05 {
                    worst = worst.max(first + second);
                }
            }
        }
        assert_eq!(unseen_max(&[one, other]), worst);
    }
}
