//! The bank's lending policy, and a search in it by the words that question and paragraph have in common.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tools::Ran;
use crate::model::chat::{SCORE, words};

/// The index, and its version: both stand in the record.
pub(in crate::demo) const INDEX: &str = "lending-policy";
pub(in crate::demo) const INDEX_VERSION: &str = "2026-10";

/// Paragraphs that a search finds at most.
const FOUND_MAX: usize = 3;
/// Words that weigh in a query for paragraphs on what spoke against a loan.
const REASONS_MAX: usize = 2;

const PARAGRAPHS: [(&str, &str); 9] = [
    ("P1", "A loan is granted where the probability that it is repaid is 50 % or more."),
    ("P2", "An income below 25 thousand euros a year counts against a loan."),
    (
        "P3",
        "The debt ratio is the share of the income that goes to loans already running; above 0.4 it counts against.",
    ),
    (
        "P4",
        "Years employed count from the first day with the present employer; a gap below three months is no gap.",
    ),
    (
        "P5",
        "Late payments count for three years from the day on which they were paid, and not at all if below 20 euros.",
    ),
    ("P6", "A loan for more than three times the yearly income needs a second signature."),
    (
        "P7",
        "Whoever was declined may ask for a review by a person within thirty days, and is told the reasons.",
    ),
    ("P8", "Account numbers are not repeated in conversations. No answer may promise a loan."),
    ("P9", "Interest is fixed on the day of signature and holds for the whole term."),
];

/// A paragraph.
pub(super) struct Paragraph {
    pub(super) id: &'static str,
    pub(super) text: &'static str,
    words: BTreeSet<String>,
}

/// A paragraph that fits, and how well.
pub(super) struct Found<'a> {
    pub(super) paragraph: &'a Paragraph,
    pub(super) score: f64,
}

/// The paragraphs, ready to be searched.
pub(super) struct Index {
    paragraphs: Vec<Paragraph>,
}

impl Index {
    pub(super) fn new() -> Self {
        let paragraph = |(id, text)| Paragraph { id, text, words: words(text).into_iter().collect() };
        Self { paragraphs: PARAGRAPHS.into_iter().map(paragraph).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.paragraphs.len()
    }

    /// SHA-256 of all paragraphs with their ids.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for Paragraph { id, text, .. } in &self.paragraphs {
            hash.update(format!("{id}\n{text}\n"));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The paragraphs that fit best. A word that both have counts the more, the fewer paragraphs have it; a long paragraph
    /// has words by chance, and counts less.
    pub(super) fn search(&self, query: &str) -> Vec<Found<'_>> {
        let asked: BTreeSet<String> = words(query).into_iter().collect();
        let all = self.paragraphs.len() as f64;
        let weight = |word: &&String| {
            let having = self.paragraphs.iter().filter(|one| one.words.contains(*word)).count();
            (1.0 + all / having.max(1) as f64).ln()
        };
        let score = |one: &Paragraph| {
            let common: f64 = one.words.intersection(&asked).map(|word| weight(&word)).sum();
            common / (one.words.len() as f64).sqrt()
        };
        let mut found: Vec<_> =
            self.paragraphs.iter().map(|paragraph| Found { paragraph, score: score(paragraph) }).collect();
        found.retain(|found| found.score > 0.0);
        found.sort_by(|one, other| other.score.total_cmp(&one.score));
        found.truncate(FOUND_MAX);
        found
    }
}

/// What to look for: the question, and what weighed against the loan if that is known.
pub(super) fn query(question: &str, results: &[Ran]) -> String {
    let score =
        results.iter().find(|ran| ran.name == SCORE).and_then(|ran| ran.result["contributions"].as_object());
    let mut weights: Vec<(&String, f64)> = score
        .into_iter()
        .flatten()
        .filter_map(|(name, weight): (_, &Value)| Some((name, weight.as_f64()?)))
        .collect();
    weights.sort_by(|one, other| one.1.total_cmp(&other.1));
    let against = weights.iter().filter(|(_, weight)| *weight < 0.0).take(REASONS_MAX);
    let against: Vec<String> = against.map(|(name, _)| name.replace('_', " ")).collect();
    format!("{question} {}", against.join(" ")).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> Vec<&'static str> {
        Index::new().search(query).iter().map(|found| found.paragraph.id).collect()
    }

    #[test]
    fn a_search_finds_what_fits_and_nothing_else() {
        assert_eq!(ids("late payments")[0], "P5");
        assert_eq!(ids("Why was I declined? May a person review it?")[0], "P7");
        assert_eq!(ids("which debt ratio counts")[0], "P3");
        assert!(ids("xylophone").is_empty());
        assert!(ids("a loan with income").len() <= FOUND_MAX);
    }

    #[test]
    fn the_query_names_what_weighed_against_the_loan() {
        let result = serde_json::json!({"contributions": {"income_keur": -1.0, "debt_ratio": -2.0, "late_payments": 0.5}});
        let ran = Ran { id: "1".into(), name: SCORE.into(), result };
        assert_eq!(query("Why?", &[ran]), "Why? debt ratio income keur");
        assert_eq!(query("Why?", &[]), "Why?");
    }
}
