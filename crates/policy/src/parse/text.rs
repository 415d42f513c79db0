//! Values of a policy's text, with errors that name line and key.

use std::fmt::Display;

use inferlog_record::ClearName;
use toml::Spanned;

use crate::PolicyError;
use crate::words::Words;

/// Longest of an organisation's own words: a legal basis, a rationale, who answers; bytes.
const WORDS_BYTES_MAX: usize = 4096;

/// The text that errors are reported against.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl<'a> Text<'a> {
    pub(super) fn error<T>(&self, at: &Spanned<T>, key: &str, what: impl Into<String>) -> PolicyError {
        PolicyError { line: self.line(at.span().start), key: key.to_owned(), what: what.into() }
    }

    fn line(&self, offset: usize) -> Option<usize> {
        let before = self.0.as_bytes().get(..offset)?;
        Some(before.iter().filter(|byte| **byte == b'\n').count() + 1)
    }

    /// Errors of TOML itself, and of keys that are unknown, missing or of the wrong type.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> PolicyError {
        let message = error.message().replace('\n', " ");
        let line = error.span().and_then(|span| self.line(span.start));
        let source = line.and_then(|line| self.0.lines().nth(line - 1)).unwrap_or_default();
        // Serde quotes the name of a field; of any other fault the key is what the line assigns to.
        let key = match message.split('`').nth(1) {
            Some(field) if message.contains(" field `") => field,
            _ => source.split_once('=').map_or("toml", |(key, _)| key.trim()),
        };
        let advice = match message.starts_with("missing field") {
            true => ": `inferlog policy presets` has examples of all",
            false => "",
        };
        PolicyError { line, key: key.to_owned(), what: format!("{message}{advice}") }
    }

    pub(super) fn at_most<T>(&self, list: &[Spanned<T>], max: usize, key: &str) -> Result<(), PolicyError> {
        match list.get(max) {
            Some(first) => {
                Err(self.error(first, key, format!("there are {} of it, {max} at most", list.len())))
            }
            None => Ok(()),
        }
    }

    pub(super) fn each<F, T>(
        &self,
        files: Vec<Spanned<F>>,
        read: fn(&Self, Spanned<F>) -> Result<T, PolicyError>,
    ) -> Result<Vec<T>, PolicyError> {
        files.into_iter().map(|file| read(self, file)).collect()
    }

    pub(super) fn read<T, E: Display>(
        &self,
        text: &Spanned<String>,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, PolicyError> {
        read(text.as_ref()).map_err(|error| self.error(text, key, error.to_string()))
    }

    /// A name that stands in records in clear.
    pub(super) fn name(&self, text: &Spanned<String>, key: &str) -> Result<ClearName, PolicyError> {
        let name = self.read(text, key, ClearName::new)?;
        match name.is_unlisted() {
            true => {
                Err(self.error(text, key, "`unlisted` stands for names that are not listed: take another"))
            }
            false => Ok(name),
        }
    }

    pub(super) fn word<W: Words>(
        &self,
        key: &str,
        text: Option<&Spanned<String>>,
    ) -> Result<Option<W>, PolicyError> {
        let Some(text) = text else { return Ok(None) };
        self.one_of(text, key, W::WORDS).map(Some)
    }

    pub(super) fn one_of<T: Copy>(
        &self,
        text: &Spanned<String>,
        key: &str,
        words: &[(&str, T)],
    ) -> Result<T, PolicyError> {
        let found = words.iter().find(|(word, _)| word == text.as_ref());
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            self.error(text, key, format!("{:?} is none of {}", text.as_ref(), words.join(", ")))
        })
    }

    /// The organisation's own words.
    pub(super) fn words(&self, text: &Spanned<String>, key: &str, ask: &str) -> Result<String, PolicyError> {
        let words = text.as_ref().trim();
        match words.len() {
            0 => Err(self.error(text, key, format!("is empty: {ask}"))),
            1..=WORDS_BYTES_MAX => Ok(words.to_owned()),
            len => Err(self.error(text, key, format!("has {len} bytes, {WORDS_BYTES_MAX} at most"))),
        }
    }
}
