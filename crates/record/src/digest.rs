//! Digests and addresses of keys.

use std::str::FromStr;

use crate::member::{FieldType, Member};
use crate::text::{TextError, text_form};

/// A 256-bit digest: SHA-256 or HMAC-SHA256; 64 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        write(ascii(&text))
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }
}

impl FromStr for Digest {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Digest, TextError> {
        parse_hex(text).map(Digest).ok_or_else(|| TextError::new("digest", DIGEST_FORM, text))
    }
}

const DIGEST_FORM: &str = "64 lower-case hexadecimal digits";
text_form!(Digest, DIGEST_FORM);
impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
impl Member for Digest {
    const TYPE: FieldType = FieldType::Digest;
}

/// Text that was just put together from ASCII bytes.
#[expect(clippy::expect_used, reason = "the callers write ASCII digits and punctuation only")]
pub(crate) fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("ASCII")
}

/// `N` bytes from exactly `2N` lower-case hexadecimal digits.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// Where the keystore holds a key: `<page>.<slot>`, both decimal without leading zeros (format.md, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// The page.
    pub page: u32,
    /// The slot in the page.
    pub slot: u16,
}

impl KeyId {
    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        write(&format!("{}.{}", self.page, self.slot))
    }
}

impl FromStr for KeyId {
    type Err = TextError;
    fn from_str(text: &str) -> Result<KeyId, TextError> {
        let parse = || {
            let (page, slot) = text.split_once('.')?;
            Some(KeyId { page: parse_decimal(page)?, slot: parse_decimal(slot)? })
        };
        parse().ok_or_else(|| TextError::new("key id", KEY_ID_FORM, text))
    }
}

/// Digits without sign or leading zero.
fn parse_decimal<T: FromStr>(text: &str) -> Option<T> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

const KEY_ID_FORM: &str = "<page>.<slot> in decimal";
text_form!(KeyId, KEY_ID_FORM);
impl Member for KeyId {
    const TYPE: FieldType = FieldType::KeyId;
}
