//! The words of an order or a report, on their way to be sealed.

use std::io::Read;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::output::Failure;

/// Longest text of an order or a report, bytes.
pub(crate) const WORDS_BYTES_MAX: usize = 4 << 20;

/// Words of others: they may name persons, and are never shown but where they are asked for.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Words(Vec<u8>);

impl Words {
    /// Takes bytes.
    ///
    /// # Errors
    /// Longer than [`WORDS_BYTES_MAX`].
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self, String> {
        match bytes.len() {
            0..=WORDS_BYTES_MAX => Ok(Self(bytes)),
            length => Err(format!("{length} bytes: a text has {} MiB at most", WORDS_BYTES_MAX >> 20)),
        }
    }

    /// Reads them from a file; `-` is standard input.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let failed =
            |what: &dyn std::fmt::Display| Failure::new(format!("cannot read {}: {what}", path.display()));
        let mut bytes = Vec::new();
        let mut read = || -> std::io::Result<()> {
            let input: Box<dyn Read> = match path.to_str() {
                Some("-") => Box::new(std::io::stdin()),
                _ => Box::new(std::fs::File::open(path)?),
            };
            input.take(WORDS_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map(drop)
        };
        read().map_err(|error| failed(&error))?;
        Self::new(bytes).map_err(|error| failed(&error))
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Self::new(bytes).map_err(serde::de::Error::custom)
    }
}
