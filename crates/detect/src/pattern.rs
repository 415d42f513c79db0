//! Regular expressions of a policy: RE2 syntax, finite automata, no backtracking.
//!
//! An automaton is linear in the text for one match; to find all of them is not, for each may have to be looked for to the text's
//! end. So a match is at most [`MATCH_BYTES_MAX`] long and is looked for in windows; what stands around a window is seen by `^`, `$`
//! and `\b` all the same.

use crate::DetectError;
use crate::hit::{Certainty, Hit};
use regex_automata::meta::Regex;
use regex_automata::{Input, util::syntax};

/// Length of a pattern, bytes.
pub const PATTERN_BYTES_MAX: usize = 4096;
/// Memory that a pattern's automaton may take, and its cache, bytes each.
pub const PATTERN_MEMORY_BYTES_MAX: usize = 1 << 20;
/// Longest match that is found whole, bytes.
pub const MATCH_BYTES_MAX: usize = 1024;
/// Bytes in which a match may begin before the next window does.
const STEP_BYTES: usize = 4096;

#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
}

impl Pattern {
    pub(crate) fn new(name: &str, text: &str) -> Result<Self, DetectError> {
        if text.len() > PATTERN_BYTES_MAX {
            let (name, found) = (name.to_owned(), text.len());
            return Err(DetectError::TooMuch {
                name,
                what: "a pattern's length in bytes",
                found,
                max: PATTERN_BYTES_MAX,
            });
        }
        let unfit = |problem: String| DetectError::Pattern { name: name.to_owned(), problem };
        let parsed = syntax::parse_with(text, &syntax::Config::new().nest_limit(64))
            .map_err(|error| unfit(error.to_string()))?;
        if parsed.properties().minimum_len().is_none_or(|len| len == 0) {
            return Err(unfit("the pattern finds an empty text, or nothing at all".to_owned()));
        }
        let config = Regex::config()
            .nfa_size_limit(Some(PATTERN_MEMORY_BYTES_MAX))
            .onepass_size_limit(Some(PATTERN_MEMORY_BYTES_MAX))
            .dfa_size_limit(Some(PATTERN_MEMORY_BYTES_MAX))
            .hybrid_cache_capacity(PATTERN_MEMORY_BYTES_MAX);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&parsed)
            .map_err(|error| unfit(format!("the pattern cannot be made an automaton: {error}")))?;
        Ok(Self { regex })
    }

    pub(crate) fn find(&self, text: &str, rule: usize, hits: &mut Vec<Hit>) {
        let (mut at, mut window) = (0, 0);
        while at < text.len() {
            let step = floor(text, (window + STEP_BYTES).min(text.len()));
            let end = floor(text, (step + MATCH_BYTES_MAX).min(text.len()));
            match self.regex.find(Input::new(text).range(at.max(window)..end)) {
                Some(found) if found.start() < step || step == text.len() => {
                    hits.push(Hit::new(rule, found.start(), found.end(), Certainty::Listed));
                    at = found.end();
                    window = window.max(at.min(step));
                }
                _ => {
                    window = step;
                    at = at.max(step);
                }
            }
        }
    }
}

/// The first character boundary at or after a byte.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
