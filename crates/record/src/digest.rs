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
        write(write_hex(&self.0, &mut [0; 64]))
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

/// The value of each lower-case hexadecimal digit; 255 for every other byte.
///
/// The `hex` crate also takes upper case, and a verifier reads two digests a payload: with this it reads entries in two
/// thirds of the time.
const DIGIT_VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut digit = 0;
    while digit < 16 {
        values[DIGITS[digit] as usize] = digit as u8;
        digit += 1;
    }
    values
};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// `N` bytes from exactly `2N` lower-case hexadecimal digits.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    let mut wrong = 0;
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (high, low) = (DIGIT_VALUES[usize::from(digits[0])], DIGIT_VALUES[usize::from(digits[1])]);
        wrong |= high | low;
        *byte = high << 4 | low & 15;
    }
    (wrong < 16).then_some(bytes)
}

/// Writes the lower-case hexadecimal digits of the bytes; `text` is twice as long.
pub(crate) fn write_hex<'a>(bytes: &[u8], text: &'a mut [u8]) -> &'a str {
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    ascii(text)
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
