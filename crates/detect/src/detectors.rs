//! The detectors of a policy, made once and used for every text.

use crate::email::Email;
use crate::hit::{Hit, settle};
use crate::names::Names;
use crate::national::National;
use crate::pattern::Pattern;
use crate::phone::Phone;
use crate::tokens::Tokens;
use crate::{DetectError, Kind, Span, card, iban, ip};

/// Detectors. Finding takes time in proportion to the text, and never fails.
#[derive(Debug, Default)]
pub struct Detectors {
    emails: Vec<(usize, Email)>,
    ips: Vec<usize>,
    names: Vec<(usize, Names)>,
    patterns: Vec<(usize, Pattern)>,
    numbers: Numbers,
}

/// What begins with a run of letters and digits that has a digit.
#[derive(Debug, Default)]
struct Numbers {
    ibans: Vec<usize>,
    cards: Vec<usize>,
    v4: Vec<usize>,
    phones: Vec<(usize, Phone)>,
    nationals: Vec<(usize, National)>,
}

impl Detectors {
    /// Makes detectors from names, which errors alone tell, and kinds. A span tells its detector by the place in this list.
    ///
    /// # Errors
    /// The first detector that cannot be made, and why.
    pub fn new(rules: &[(&str, Kind)]) -> Result<Self, DetectError> {
        let mut made = Self::default();
        for (rule, (name, kind)) in rules.iter().enumerate() {
            match kind {
                Kind::Email => made.emails.extend(Email::new().map(|email| (rule, email))),
                Kind::Phone(countries) => made.numbers.phones.push((rule, Phone::new(name, countries)?)),
                Kind::Iban => made.numbers.ibans.push(rule),
                Kind::Card => made.numbers.cards.push(rule),
                Kind::Ip => {
                    made.ips.push(rule);
                    made.numbers.v4.push(rule);
                }
                Kind::Names(list) => made.names.push((rule, Names::new(name, list)?)),
                Kind::National(countries) => {
                    made.numbers.nationals.push((rule, National::new(name, countries)?));
                }
                Kind::Pattern(text) => made.patterns.push((rule, Pattern::new(name, text)?)),
            }
        }
        Ok(made)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        let Self { emails, ips, names, patterns, numbers } = self;
        emails.is_empty() && ips.is_empty() && names.is_empty() && patterns.is_empty() && numbers.is_empty()
    }

    /// What is found in a text: without overlaps, in its order. Of what overlaps the longest counts, of equally long ones the
    /// most certain, then the detector that stands first in the list; its span covers all of them.
    pub fn find(&self, text: &str) -> Vec<Span> {
        self.find_in(text, "")
    }

    /// [`Detectors::find`] in the text of a field whose name may say what it holds.
    pub fn find_in(&self, text: &str, field: &str) -> Vec<Span> {
        let mut hits = Vec::new();
        for (rule, email) in &self.emails {
            email.find(text, *rule, &mut hits);
        }
        for rule in &self.ips {
            ip::v6(text, *rule, &mut hits);
        }
        if !self.numbers.is_empty() {
            self.numbers.find(text, field, &mut hits);
        }
        for (rule, names) in &self.names {
            names.find(text, *rule, &mut hits);
        }
        for (rule, pattern) in &self.patterns {
            pattern.find(text, *rule, &mut hits);
        }
        if hits.is_empty() { Vec::new() } else { settle(hits) }
    }
}

impl Numbers {
    fn is_empty(&self) -> bool {
        let Self { ibans, cards, v4, phones, nationals } = self;
        ibans.is_empty() && cards.is_empty() && v4.is_empty() && phones.is_empty() && nationals.is_empty()
    }

    fn find(&self, text: &str, field: &str, hits: &mut Vec<Hit>) {
        // Tokens before this are groups of what was found.
        let mut done = 0;
        for token @ (start, end) in Tokens::new(text) {
            if start < done {
                continue;
            }
            let before = hits.len();
            hits.extend(self.ibans.iter().filter_map(|rule| iban::at(text, start, *rule)));
            hits.extend(self.nationals.iter().filter_map(|(rule, of)| of.at(text, token, field, *rule)));
            if text.as_bytes()[start..end].iter().all(u8::is_ascii_digit) {
                hits.extend(self.cards.iter().filter_map(|rule| card::at(text, token, *rule)));
                hits.extend(self.v4.iter().filter_map(|rule| ip::v4(text, token, field, *rule)));
                hits.extend(self.phones.iter().filter_map(|(rule, of)| of.at(text, token, field, *rule)));
            }
            done = hits[before..].iter().map(|hit| hit.span.end).max().unwrap_or(done);
        }
    }
}
