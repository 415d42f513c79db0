//! The certificate of an erasure, as whoever was handed it reads it: its lines, its signature, and whether the log holds it.
//!
//! A certificate is a signed note (c2sp.org/signed-note) by the log's own key. Its text is a first line that says what it is, then
//! lines `key: value`; a key may stand several times. It names keys and pseudonyms, never a person. docs/erasure.md has the keys.

mod held;
mod html;

use inferlog_merkle::{NoteError, SignedNote, VerifierKey};
use inferlog_record::Id;
use serde::{Serialize, Serializer};

pub use held::{CertificateHeld, held_by_log};

/// The first line of a certificate's text.
pub const CERTIFICATE_TITLE: &str = "inferlog erasure certificate v1";

/// A certificate that was read. What it says means nothing before [`Certificate::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    note: SignedNote,
    /// As it came: what the log's digest is of.
    bytes: Vec<u8>,
    lines: Vec<(String, String)>,
    intent: Id,
}

/// Why bytes are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// They are no signed note.
    #[error("this is no certificate: {0}")]
    Note(#[from] NoteError),
    /// They are another note.
    #[error("this is a signed note, but no certificate: its first line is not {CERTIFICATE_TITLE:?}")]
    Title,
    /// A line is not `key: value`.
    #[error("line {0} of the certificate is not `key: value`")]
    Line(usize),
    /// A line that every certificate has is not there, or says nothing that can be read.
    #[error("the certificate has no line `{0}` that can be read")]
    Missing(&'static str),
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let note = SignedNote::parse(bytes)?;
        let mut text = note.text().lines();
        if text.next() != Some(CERTIFICATE_TITLE) {
            return Err(CertificateError::Title);
        }
        let mut lines = Vec::new();
        for (number, line) in (2..).zip(text) {
            let (key, value) = line.split_once(": ").ok_or(CertificateError::Line(number))?;
            lines.push((key.to_owned(), value.to_owned()));
        }
        let intent = lines.iter().find(|(key, _)| key == "intent").and_then(|(_, id)| id.parse().ok());
        let intent = intent.ok_or(CertificateError::Missing("intent"))?;
        if !lines.iter().any(|(key, _)| key == "origin") {
            return Err(CertificateError::Missing("origin"));
        }
        Ok(Self { note, bytes: bytes.to_vec(), lines, intent })
    }

    /// Its lines, in their order.
    pub fn lines(&self) -> &[(String, String)] {
        &self.lines
    }

    /// The event that announced the erasure.
    pub fn intent(&self) -> Id {
        self.intent
    }

    /// The origin of the log whose key signs it.
    pub fn origin(&self) -> &str {
        self.first("origin").unwrap_or_default()
    }

    /// The keys among these that signed it.
    ///
    /// # Errors
    /// A signature that bears the name of one of them and is false; none by any of them. A key of another log than it names
    /// does not count.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Vec<VerifierKey>, NoteError> {
        let known: Vec<VerifierKey> =
            known.iter().filter(|key| key.name() == self.origin()).cloned().collect();
        Ok(self.note.verify(&known)?.into_iter().map(|signature| signature.key).collect())
    }

    /// The first value of a key.
    fn first(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The values of a key.
    fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.lines.iter())
    }
}
