//! National identification numbers: shapes by country, and what the numbers say of themselves.
//!
//! What anything may hold, such as nine digits, needs a cue before it: also ten digits that are a time in seconds as well.

mod east;
mod north;
mod south;
mod west;

use crate::DetectError;
use crate::check;
use crate::cue;
use crate::edge;
use crate::hit::{Certainty, Hit};
use crate::shape::Shape;
use std::collections::HashMap;

/// A sort of number.
#[derive(Debug)]
pub(crate) struct Sort {
    /// ISO 3166-1.
    country: &'static str,
    shapes: &'static [Shape],
    /// Whether characters without their gaps, in upper case, are such a number.
    check: fn(&[u8]) -> bool,
    /// The shapes from this one on need a cue.
    sure: usize,
    /// Words that people write before it, in lower case, beside [`CUES`].
    cues: &'static [&'static str],
}

/// No shape needs a cue.
const SURE: usize = usize::MAX;

const CUES: &[&str] = &[
    "national id",
    "national insurance",
    "identity number",
    "id number",
    "id card",
    "identification number",
    "personal id",
    "tax id",
    "tin",
    "tax number",
    "social security",
    "ssn",
    "vat number",
    "passport",
    "citizen",
    "national number",
    "national_id",
];

/// Longest first group, letters and digits.
const FIRST_MAX: usize = 16;

/// What is looked for in a system's text.
#[derive(Debug)]
pub(crate) struct National {
    /// By the length of the run that a shape begins with.
    by_run: Vec<Vec<(&'static Sort, usize)>>,
}

fn sorts() -> impl Iterator<Item = &'static Sort> {
    west::SORTS.iter().chain(south::SORTS).chain(north::SORTS).chain(east::SORTS)
}

/// The countries whose national numbers are known (ISO 3166-1), in their order.
pub fn countries() -> impl Iterator<Item = &'static str> {
    let mut countries: Vec<&str> = sorts().map(|sort| sort.country).collect();
    countries.sort_unstable();
    countries.dedup();
    countries.into_iter()
}

impl National {
    pub(crate) fn new(name: &str, wanted: &[String]) -> Result<Self, DetectError> {
        if wanted.is_empty() {
            return Err(DetectError::Empty { name: name.to_owned(), what: "no countries are listed" });
        }
        let by_country: HashMap<&str, Vec<&'static Sort>> = sorts().fold(HashMap::new(), |mut map, sort| {
            map.entry(sort.country).or_insert_with(Vec::new).push(sort);
            map
        });
        let mut by_run = vec![Vec::new(); FIRST_MAX + 1];
        for country in wanted {
            let upper = country.to_ascii_uppercase();
            let sorts = by_country.get(upper.as_str()).ok_or_else(|| DetectError::Country {
                name: name.to_owned(),
                what: "national numbers",
                country: country.clone(),
                known: countries().collect::<Vec<_>>().join(" "),
            })?;
            for sort in sorts {
                for (at, shape) in sort.shapes.iter().enumerate() {
                    let [grouped, whole] = shape.first_runs();
                    by_run[grouped].push((*sort, at));
                    if whole != grouped {
                        by_run[whole].push((*sort, at));
                    }
                }
            }
        }
        Ok(Self { by_run })
    }

    /// The number whose first digit is in the token `start..end`: letters before it may be a group of their own.
    pub(crate) fn at(&self, text: &str, token: (usize, usize), field: &str, rule: usize) -> Option<Hit> {
        let mut hit = self.from(text, token, field, rule);
        let mut start = token.0;
        for _ in 0..2 {
            let Some(group) = letters_before(text, start).filter(|_| hit.is_none()) else { break };
            hit = self.from(text, group, field, rule).filter(|hit| hit.span.end >= token.1);
            start = group.0;
        }
        hit
    }

    fn from(&self, text: &str, (start, end): (usize, usize), field: &str, rule: usize) -> Option<Hit> {
        let sorts = self.by_run.get(end - start).filter(|sorts| !sorts.is_empty())?;
        if !edge::is_left(text, start) {
            return None;
        }
        let ends = sorts.iter().filter_map(|(sort, at)| sort.stands(text, start, field, *at));
        ends.max().map(|(end, certainty)| Hit::new(rule, start, end, certainty))
    }
}

impl Sort {
    fn stands(&self, text: &str, start: usize, field: &str, at: usize) -> Option<(usize, Certainty)> {
        let (end, compact) = self.shapes[at].stands(text, start)?;
        let found = text.get(start..end)?;
        if check::is_fraction(found) || !edge::is_right(text, end) || !(self.check)(compact.bytes()) {
            return None;
        }
        let has_cue = || {
            let is_cue = |cues| cue::is_before(text, start, field, cues);
            is_cue(self.cues) || is_cue(CUES)
        };
        let is_sure = at < self.sure && !check::is_time(found.as_bytes());
        (is_sure || has_cue()).then_some((end, Certainty::Checked))
    }
}

/// A group of two or three letters that ends one gap before `at`.
fn letters_before(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let end = at.checked_sub(1)?;
    edge::gap(bytes, end)?;
    let len = bytes[..end].iter().rev().take(4).take_while(|byte| byte.is_ascii_alphabetic()).count();
    matches!(len, 2 | 3).then(|| (end - len, end))
}
