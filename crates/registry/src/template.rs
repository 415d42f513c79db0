//! Templates: text with places for values.
//!
//! `{{name}}` is a placeholder: a letter or `_`, then letters, digits, `_`, `-` and `.`, 64 characters at most; blanks
//! beside the name mean nothing. It stands for any text, none included, and for the same text wherever it returns. `\{{`
//! stands for the characters `{{`, `\\` before `{{` for one backslash. Two placeholders need words between them, or nobody
//! could tell where one value ends. Nothing else has a meaning: `}}` alone, single braces and backslashes are themselves.

use std::ops::Range;

use memchr::memmem::{self, Finder};

use crate::Refusal;

/// Most placeholders of one template.
const PLACEHOLDERS_MAX: usize = 256;
/// Longest name of a placeholder, bytes.
const NAME_BYTES_MAX: usize = 64;
/// Where a placeholder returns, a search may have to try several values for it: it gives up after so many bytes looked at.
const SEARCH_BYTES_MAX: usize = 4 << 20;

/// A text with places for values; one without places matches itself.
#[derive(Debug)]
pub(crate) struct Template {
    /// The words around the placeholders, one more than these; none between two is empty.
    literals: Vec<Finder<'static>>,
    /// Which name stands at each place.
    places: Vec<usize>,
    names: Vec<String>,
}

impl Template {
    /// Reads a text.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let (mut literals, mut literal) = (Vec::new(), String::new());
        let (mut places, mut names) = (Vec::new(), Vec::<String>::new());
        let mut rest = text;
        while let Some(at) = memmem::find(rest.as_bytes(), b"{{") {
            let fault = |what| fault(text, text.len() - rest.len() + at, what);
            let words = rest[..at].trim_end_matches('\\');
            let backslashes = at - words.len();
            literal.push_str(words);
            literal.extend(std::iter::repeat_n('\\', backslashes / 2));
            if backslashes % 2 == 1 {
                literal.push_str("{{");
                rest = &rest[at + 2..];
                continue;
            }
            let (name, after) =
                placeholder(&rest[at + 2..]).ok_or_else(|| fault("`{{` begins no placeholder"))?;
            if literal.is_empty() && !places.is_empty() {
                return Err(fault("two placeholders need words between them"));
            }
            if places.len() == PLACEHOLDERS_MAX {
                return Err(fault("there are more than 256 placeholders"));
            }
            literals.push(std::mem::take(&mut literal));
            places.push(names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            }));
            rest = after;
        }
        literal.push_str(rest);
        literals.push(literal);
        if literals.iter().all(|literal| literal.trim().is_empty()) {
            return Err(if places.is_empty() { Refusal::Empty } else { Refusal::NoWords });
        }
        let literals = literals.iter().map(|literal| Finder::new(literal).into_owned()).collect();
        Ok(Self { literals, places, names })
    }

    /// A text that means itself, whatever braces it has.
    pub(crate) fn literal(text: &str) -> Self {
        Self { literals: vec![Finder::new(text).into_owned()], places: Vec::new(), names: Vec::new() }
    }

    /// The names of the placeholders, in the order of their first place.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// What every text begins with that it matches.
    pub(crate) fn prefix(&self) -> &[u8] {
        self.literals[0].needle()
    }

    /// How much of a text it gives itself, bytes: the more, the more specific it is.
    pub(crate) fn words_len(&self) -> usize {
        self.literals.iter().map(|literal| literal.needle().len()).sum()
    }

    /// The value of each name, if the text is this template with values: of several ways the one in which the first values are
    /// the shortest.
    pub(crate) fn values<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let (first, last) = (self.prefix(), self.literals[self.places.len()].needle());
        if self.places.is_empty() {
            return (text.as_bytes() == first).then(Vec::new);
        }
        let end = text.len().checked_sub(last.len()).filter(|end| *end >= first.len())?;
        if !text.as_bytes().starts_with(first) || !text.as_bytes().ends_with(last) {
            return None;
        }
        let mut search = Search {
            template: self,
            text: text.as_bytes(),
            end,
            values: vec![None; self.names.len()],
            // One way through the text is free; where names return, others are tried.
            budget: text.len().saturating_add(SEARCH_BYTES_MAX),
        };
        if !search.place(0, first.len()) {
            return None;
        }
        search.values.into_iter().map(|value| text.get(value?)).collect()
    }

    /// Whether a name stands at several places: only then can one way fail and another succeed.
    fn returns(&self) -> bool {
        self.places.len() > self.names.len()
    }
}

/// The name in a placeholder that begins here, and what follows it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.split_once("}}")?;
    let name = inside.trim_matches([' ', '\t']);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let holds = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (begins && holds && name.len() <= NAME_BYTES_MAX).then_some((name, after))
}

fn fault(text: &str, at: usize, what: &'static str) -> Refusal {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Refusal::Template {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what,
    }
}

/// One search for values.
struct Search<'s> {
    template: &'s Template,
    text: &'s [u8],
    /// Where the last literal begins.
    end: usize,
    values: Vec<Option<Range<usize>>>,
    budget: usize,
}

impl Search<'_> {
    /// Finds values for the places from `place` on, whose value begins at `at`.
    fn place(&mut self, place: usize, at: usize) -> bool {
        let name = self.template.places[place];
        let is_last = place + 1 == self.template.places.len();
        if let Some(known) = self.values[name].clone() {
            let value_end = at + known.len();
            let is_there = self.may_look_at(known.len())
                && value_end <= self.end
                && self.text[at..value_end] == self.text[known];
            return match is_last {
                true => is_there && value_end == self.end,
                false => is_there && self.literal_at(place, value_end),
            };
        }
        if is_last {
            self.values[name] = Some(at..self.end);
            return true;
        }
        let literal = &self.template.literals[place + 1];
        let mut from = at;
        loop {
            let found = literal.find(&self.text[from..self.end]);
            let Some(found) = found.filter(|found| self.may_look_at(found + literal.needle().len())) else {
                // It has looked to the end, which counts as well.
                self.may_look_at(self.end - from);
                return false;
            };
            let value_end = from + found;
            self.values[name] = Some(at..value_end);
            if self.place(place + 1, value_end + literal.needle().len()) {
                return true;
            }
            self.values[name] = None;
            // Where no name returns, a later place for these words leaves less for the rest, which did not suffice.
            if !self.template.returns() {
                return false;
            }
            from = value_end + 1;
        }
    }

    /// Counts bytes that are looked at; whether there may be more.
    fn may_look_at(&mut self, bytes: usize) -> bool {
        self.budget = self.budget.saturating_sub(bytes);
        self.budget > 0
    }

    /// Goes on behind a value that was known, if the words after it are there.
    fn literal_at(&mut self, place: usize, at: usize) -> bool {
        let literal = self.template.literals[place + 1].needle();
        self.text[at..self.end].starts_with(literal) && self.place(place + 1, at + literal.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, text: &str, expected: Option<&[(&str, &str)]>) {
        let template = Template::parse(template).unwrap();
        let values = template.values(text);
        let found: Option<Vec<_>> =
            values.map(|values| template.names().iter().map(String::as_str).zip(values).collect());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn values_are_found() {
        check("Hello {{name}}!", "Hello Ada!", Some(&[("name", "Ada")]));
        check("Hello {{ name }}!", "Hello !", Some(&[("name", "")]));
        check("Hello {{name}}!", "Hello Ada", None);
        check("Hello {{name}}!", "Hello", None);
        check("{{a}}, {{b}}", "x, y, z", Some(&[("a", "x"), ("b", "y, z")]));
        check("{{a}}.\n", "Zeile – eins\nzwei.\n", Some(&[("a", "Zeile – eins\nzwei")]));
        check("ab{{x}}ba", "aba", None);
        check("no places }} { {", "no places }} { {", Some(&[]));
        check("Name: {{n}}", "Name: {{n}}", Some(&[("n", "{{n}}")]));
    }

    #[test]
    fn a_name_that_returns_has_one_value() {
        check("{{a}}-{{a}}", "x-x", Some(&[("a", "x")]));
        check("{{a}}-{{a}}", "x-y", None);
        check("{{a}}-{{a}}", "x-y-x-y", Some(&[("a", "x-y")]));
        check(
            "Sum up {{doc}} in {{lang}}. Answer in {{lang}}.",
            "Sum up cats in hats in French. Answer in French.",
            Some(&[("doc", "cats in hats"), ("lang", "French")]),
        );
    }

    #[test]
    fn braces_are_escaped_by_a_backslash() {
        check(r"write \{{x}} as {{x}}", "write {{x}} as 1", Some(&[("x", "1")]));
        check(r"path \\{{x}}", r"path \1", Some(&[("x", "1")]));
        check(r"a \ b \\ c", r"a \ b \\ c", Some(&[]));
    }

    #[test]
    fn what_is_no_template_is_told_where() {
        let refused = |text| Template::parse(text).unwrap_err().to_string();
        assert!(refused("one\ntwö {{#if x}}").starts_with("line 2, column 5: `{{` begins no placeholder"));
        assert!(refused("{{a}}{{b}}").starts_with("line 1, column 6: two placeholders"));
        assert!(refused("x {{a b}}").contains(r"write `\{{`"));
        assert!(refused("x {{9}}").contains("begins no"));
        assert!(refused("x {{open").contains("begins no"));
        assert_eq!(Template::parse(" {{a}}\n{{b}}").unwrap_err(), Refusal::NoWords);
        assert_eq!(Template::parse("").unwrap_err(), Refusal::Empty);
    }

    #[test]
    fn a_search_that_could_take_for_ever_ends() {
        let template: String = (0..8).map(|n| format!("{{{{v{n}}}}}a")).collect::<String>() + "{{v7}}b{{v0}}";
        let template = Template::parse(&template).unwrap();
        assert!(template.values(&("a".repeat(4000) + "c")).is_none());
    }

    /// A template of words and names between them, with a value for each name.
    fn filled(words: &[String], names: &[usize], value: impl Fn(usize) -> String) -> String {
        let rest = names.iter().zip(&words[1..]).map(|(name, word)| value(*name) + word);
        words[0].clone() + &rest.collect::<String>()
    }

    proptest::proptest! {
        /// A filled template is found, and what is found fills it to the same text.
        #[test]
        fn what_is_found_fills_the_template(
            words in proptest::collection::vec("[ab(]{1,3}", 2..6),
            names in proptest::collection::vec(0..4_usize, 5),
            values in proptest::collection::vec("[ab(ü]{0,4}", 4),
            other in "[ab(]{0,9}",
        ) {
            let names = &names[..words.len() - 1];
            let template = Template::parse(&filled(&words, names, |name| format!("{{{{v{name}}}}}"))).unwrap();
            let text = filled(&words, names, |name| values[name].clone());
            proptest::prop_assert!(template.values(&text).is_some());
            for text in [text, other] {
                let Some(found) = template.values(&text) else { continue };
                let value = |name: usize| {
                    let place = template.names().iter().position(|known| *known == format!("v{name}"));
                    found[place.unwrap()].to_owned()
                };
                proptest::prop_assert_eq!(filled(&words, names, value), text);
            }
        }
    }
}
