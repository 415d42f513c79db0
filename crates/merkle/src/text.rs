//! The spellings that all texts here share. Each value has exactly one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Standard base64 with padding (RFC 4648 §4).
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Standard base64; padding must be there and unused bits zero, so that one value has one spelling.
pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// An ASCII decimal without sign, space or leading zero.
pub(crate) fn decimal_decode(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // An empty text fails here.
    canonical.then(|| text.parse().ok()).flatten()
}

/// Whether a line may stand in a note: no control character (those below U+0020), hence no newline either.
pub(crate) fn is_clean_line(line: &str) -> bool {
    line.bytes().all(|b| b >= 0x20)
}

/// Whether a key may bear this name (c2sp.org/signed-note, Format): not empty, no Unicode space, no plus.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && is_clean_line(name) && !name.chars().any(|c| c.is_whitespace() || c == '+')
}
