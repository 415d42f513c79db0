//! What was probably meant by a name that is not there.

/// How alike two names must be to be taken for each other, from 0 to 1.
const ALIKE_MIN: f64 = 0.6;
/// How many names are proposed.
const NAMES_MAX: usize = 3;

/// The names most like the one that is missing, best first; without a table's name before it.
pub(super) fn nearest(missing: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let missing = missing.rsplit('.').next().unwrap_or(missing).trim_matches('"').to_lowercase();
    let mut rated: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (alike(&missing, &name), name))
        .filter(|(rate, _)| *rate >= ALIKE_MIN)
        .collect();
    rated.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    rated.dedup_by(|one, other| one.1 == other.1);
    rated.into_iter().map(|(_, name)| name).take(NAMES_MAX).collect()
}

fn alike(missing: &str, name: &str) -> f64 {
    let rate = strsim::normalized_damerau_levenshtein(missing, &name.to_lowercase());
    // `latency` is meant by `latency_sum_ns`, however long the rest is.
    let part = missing.len() >= 4 && (name.contains(missing) || missing.contains(name));
    if part { rate.max(ALIKE_MIN) } else { rate }
}

/// The hint.
pub(super) fn did_you_mean(names: &[String]) -> String {
    match names {
        [] => "`inferlog query --schema` lists views and columns".to_owned(),
        names => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("did you mean {}? `inferlog query --schema` lists views and columns", names.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_mistyped_is_found_and_what_is_not_there_is_not() {
        let names = || ["started_at", "started_ns", "ended_at", "model", "outcome"].map(str::to_owned);
        assert_eq!(nearest("startet_at", names()), ["started_at", "started_ns"]);
        assert_eq!(nearest("d.modell", names()), ["model"]);
        assert_eq!(nearest("weather", names()), [""; 0]);
        assert!(did_you_mean(&[]).contains("--schema"));
    }
}
