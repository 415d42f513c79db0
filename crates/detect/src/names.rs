//! Names from a list: whole words, in any case, in any normal form.
//!
//! Words are runs of letters, digits, marks and `_`. Two words of a name may have spaces, a hyphen, an apostrophe or a comma between
//! them in the text. What is compared is the word in its compatibility form (NFKC), put into upper and then into lower case, so that
//! `STRASSER` is `Straßer`.

use crate::DetectError;
use crate::hit::{Certainty, Hit};
use std::collections::{HashMap, HashSet};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Names in a list.
pub const NAMES_MAX: usize = 100_000;
/// Words of a name.
pub const NAME_WORDS_MAX: usize = 8;
/// Length of a name, bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// A word that is longer is part of no name, bytes: a name's word, three times as long when it is decomposed.
const WORD_BYTES_MAX: usize = 3 * NAME_BYTES_MAX;
/// The most that may stand between two words of a name, bytes.
const BETWEEN_BYTES_MAX: usize = 4;

#[derive(Debug)]
pub(crate) struct Names {
    /// Every name: its folded words, with a space between them.
    names: HashSet<Box<str>>,
    /// The first words, and how many the longest name has that begins so.
    firsts: HashMap<Box<str>, usize>,
    /// First bytes of first words.
    begins: HashSet<u8>,
}

impl Names {
    pub(crate) fn new(name: &str, list: &[String]) -> Result<Self, DetectError> {
        let too_much = |what, found, max| DetectError::TooMuch { name: name.to_owned(), what, found, max };
        let empty = |what| DetectError::Empty { name: name.to_owned(), what };
        if list.is_empty() {
            return Err(empty("no names are listed"));
        }
        if list.len() > NAMES_MAX {
            return Err(too_much("a number of names", list.len(), NAMES_MAX));
        }
        let (mut names, mut firsts) = (HashSet::new(), HashMap::<Box<str>, usize>::new());
        for text in list {
            if text.len() > NAME_BYTES_MAX {
                return Err(too_much("a name's length in bytes", text.len(), NAME_BYTES_MAX));
            }
            let words: Vec<String> = Words::new(text).map(|(start, end)| fold(&text[start..end])).collect();
            let first = words.first().ok_or_else(|| empty("a name has no letter or digit"))?;
            if words.len() > NAME_WORDS_MAX {
                return Err(too_much("a name's number of words", words.len(), NAME_WORDS_MAX));
            }
            let longest = firsts.entry(first.as_str().into()).or_default();
            *longest = words.len().max(*longest);
            names.insert(words.join(" ").into());
        }
        let begins = firsts.keys().filter_map(|word| word.bytes().next()).collect();
        Ok(Self { names, firsts, begins })
    }

    pub(crate) fn find(&self, text: &str, rule: usize, hits: &mut Vec<Hit>) {
        let mut words = Words::new(text);
        let mut buffer = String::new();
        while let Some((start, end)) = words.next() {
            let word = &text.as_bytes()[start..end];
            let cannot = !self.begins.contains(&word[0].to_ascii_lowercase()) && word.is_ascii();
            if cannot || word.len() > WORD_BYTES_MAX {
                continue;
            }
            let Some(longest) = self.firsts.get(fold_into(&text[start..end], &mut buffer)) else { continue };
            if let Some(end) = self.longest(text, &words, end, *longest, &buffer) {
                hits.push(Hit::new(rule, start, end, Certainty::Listed));
            }
        }
    }

    /// Where the longest name ends that begins with this word.
    fn longest(
        &self,
        text: &str,
        words: &Words<'_>,
        end: usize,
        longest: usize,
        first: &str,
    ) -> Option<usize> {
        let (mut words, mut end, mut name) = (words.clone(), end, first.to_owned());
        let mut found = self.names.contains(first).then_some(end);
        for _ in 1..longest {
            let Some((start, next)) = words.next().filter(|(start, next)| is_near(text, end, *start, *next))
            else {
                break;
            };
            name.push(' ');
            name.push_str(&fold(&text[start..next]));
            end = next;
            if self.names.contains(name.as_str()) {
                found = Some(end);
            }
        }
        found
    }
}

/// Whether a word from `start` to `next` may be of the same name as one that ends at `end`.
fn is_near(text: &str, end: usize, start: usize, next: usize) -> bool {
    let joins =
        |c: char| c.is_whitespace() || matches!(c, '-' | '\'' | '’' | ',' | '.' | '\u{2010}' | '\u{2011}');
    let between = text.get(end..start).unwrap_or_default();
    between.len() <= BETWEEN_BYTES_MAX && between.chars().all(joins) && next - start <= WORD_BYTES_MAX
}

fn fold(word: &str) -> String {
    let mut folded = String::new();
    fold_into(word, &mut folded);
    folded
}

fn fold_into<'a>(word: &str, buffer: &'a mut String) -> &'a str {
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(word);
        buffer.make_ascii_lowercase();
    } else {
        let upper: String = word.nfkc().flat_map(char::to_uppercase).collect();
        buffer.extend(upper.chars().flat_map(char::to_lowercase).nfkc());
    }
    buffer
}

/// Words: where each begins and ends.
#[derive(Clone)]
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The length of the character at `at`, and whether words hold it.
    fn look(&self, at: usize) -> Option<(usize, bool)> {
        let byte = *self.text.as_bytes().get(at)?;
        if byte.is_ascii() {
            return Some((1, byte.is_ascii_alphanumeric() || byte == b'_'));
        }
        let c = self.text.get(at..)?.chars().next()?;
        Some((c.len_utf8(), c.is_alphanumeric() || is_combining_mark(c)))
    }
}

impl Iterator for Words<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while let (len, false) = self.look(self.at)? {
            self.at += len;
        }
        let start = self.at;
        while let Some((len, true)) = self.look(self.at) {
            self.at += len;
        }
        Some((start, self.at))
    }
}
