use std::fmt;
use std::str::FromStr;

use crate::cosignature::{COSIGNATURE_TIME_MAX, cosignature_message};
use crate::vkey::key_id;
use crate::{KeyKind, VerifierKey, text};

/// Length of the longest note that is read. Signatures of witnesses, post-quantum ones too, take a small part of it.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Signatures of a note at most; c2sp.org/signed-note asks for at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 100;

const LINE_START: &str = "\u{2014} ";

/// Text signed by one or more keys (c2sp.org/signed-note). Displays as the note and parses from it, byte for byte.
/// The text means nothing before [`SignedNote::verify`] said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature of a note. Displays as its line, newline included, and parses from it with or without the newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

/// A signature that was checked, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    /// The key that made it.
    pub key: VerifierKey,
    /// For a cosignature the time it states, in seconds since 1970.
    pub timestamp: Option<u64>,
}

/// Why a note is not one, or is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is too long.
    #[error("a note of {length} bytes is longer than {NOTE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The note has too many signatures.
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// The text is not UTF-8 lines that end in a newline, without control characters.
    #[error("the note's text must be UTF-8, end in a newline and hold no control characters")]
    Text,
    /// No blank line with signatures after it.
    #[error("the note has no signatures after a blank line, or does not end in a newline")]
    Unsigned,
    /// A signature line is not one.
    #[error("signature line {0} of the note is not `\u{2014} <key name> <base64>`")]
    Line(usize),
    /// The name is empty or holds a space, a plus or a control character.
    #[error("{0:?} is not a key name: it must not be empty nor hold spaces, plus or control characters")]
    Name(String),
    /// The signature has no bytes.
    #[error("a signature of {0} has no bytes")]
    Empty(String),
    /// A known key did not make the signature that bears its name and id.
    #[error("the signature of {name} (key id {key_id:08x}) is false: text or signature was altered")]
    BadSignature {
        /// Name of the key.
        name: String,
        /// Its id.
        key_id: u32,
    },
    /// None of the known keys signed.
    #[error("no known key signed the note; it is signed by: {signers}")]
    NoKnownKey {
        /// Names and ids of the keys that signed.
        signers: String,
    },
}

impl SignedNote {
    /// A note that is yet to be signed. The text ends in a newline and holds no other control character.
    pub fn new(text: String) -> Result<Self, NoteError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { length: text.len() });
        }
        let clean = text.ends_with('\n') && text.split('\n').all(text::is_clean_line);
        if clean { Ok(Self { text, signatures: Vec::new() }) } else { Err(NoteError::Text) }
    }

    /// Reads a note.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { length: note.len() });
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::Text)?;
        // The text may hold blank lines; signatures do not.
        let blank = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let lines = note[blank + 2..].strip_suffix('\n').ok_or(NoteError::Unsigned)?;
        let mut parsed = Self::new(note[..=blank].to_owned())?;
        for (number, line) in lines.split('\n').enumerate() {
            let signature = line.parse().map_err(|_| NoteError::Line(number + 1))?;
            parsed.push(signature)?;
        }
        Ok(parsed)
    }

    /// Adds a signature after those that are there.
    pub fn push(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() == NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// The text that is signed, its final newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, in the order of the note, known and unknown.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks every signature of a known key and passes over all others. One false signature of a known key, or none at
    /// all, and the note is not to be believed. Reports each key once, by its first signature.
    pub fn verify(&self, known: &[VerifierKey]) -> Result<Vec<VerifiedSignature>, NoteError> {
        let verified = self.verify_any(known)?;
        if verified.is_empty() {
            let signers = self.signatures.iter().map(|s| format!("{} ({:08x})", s.name, s.key_id));
            return Err(NoteError::NoKnownKey { signers: signers.collect::<Vec<_>>().join(", ") });
        }
        Ok(verified)
    }

    /// Like [`SignedNote::verify`], but satisfied with no signature.
    pub(crate) fn verify_any(&self, known: &[VerifierKey]) -> Result<Vec<VerifiedSignature>, NoteError> {
        let mut verified: Vec<VerifiedSignature> = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known.iter().find(|key| signature.is_by(key)) else { continue };
            let timestamp = signature.check(key, &self.text).ok_or_else(|| NoteError::BadSignature {
                name: signature.name.clone(),
                key_id: signature.key_id,
            })?;
            if !verified.iter().any(|seen| seen.key == *key) {
                verified.push(VerifiedSignature { key: key.clone(), timestamp });
            }
        }
        Ok(verified)
    }
}

impl NoteSignature {
    /// A signature by the key of this name and id. Its bytes are what the kind of key makes of the note's text.
    pub fn new(name: &str, key_id: u32, bytes: Vec<u8>) -> Result<Self, NoteError> {
        if !text::is_key_name(name) {
            return Err(NoteError::Name(name.to_owned()));
        }
        if bytes.is_empty() {
            return Err(NoteError::Empty(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), key_id, bytes })
    }

    /// Name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of the key.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signature itself, without the key's id.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it bears the name and id of this key. Whether the key made it is for [`SignedNote::verify`] to say.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.key_id == key.key_id() && self.name == key.name()
    }

    /// `Some` if the key made this signature of the text; within, the time that a cosignature states.
    fn check(&self, key: &VerifierKey, text: &str) -> Option<Option<u64>> {
        match key.kind() {
            KeyKind::Ed25519 => key.verifies(text.as_bytes(), &self.bytes).then_some(None),
            KeyKind::Cosignature => {
                let (time, signature) = self.bytes.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                let message = cosignature_message(time, text);
                let good = time <= COSIGNATURE_TIME_MAX && key.verifies(message.as_bytes(), signature);
                good.then_some(Some(time))
            }
        }
    }
}

/// The signature line of an Ed25519 key (type 0x01) that signed a note's text.
pub fn ed25519_signature_line(
    name: &str,
    public_key: &[u8; 32],
    signature: &[u8; 64],
) -> Result<NoteSignature, NoteError> {
    NoteSignature::new(name, key_id(name, KeyKind::Ed25519, public_key), signature.to_vec())
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        Self::parse(note.as_bytes())
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.to_be_bytes().as_slice(), &self.bytes].concat();
        writeln!(f, "{LINE_START}{} {}", self.name, text::base64_encode(&bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let parsed = line.strip_prefix(LINE_START).and_then(|line| line.split_once(' '));
        let (name, base64) = parsed.ok_or(NoteError::Line(1))?;
        let bytes = text::base64_decode(base64).ok_or(NoteError::Line(1))?;
        let (id, bytes) = bytes.split_first_chunk().ok_or(NoteError::Line(1))?;
        Self::new(name, u32::from_be_bytes(*id), bytes.to_vec())
    }
}
