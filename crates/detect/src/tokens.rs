//! Runs of ASCII letters and digits that have a digit.

/// The runs, one after the other: each a pair of start and end.
pub(crate) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }
}

impl Iterator for Tokens<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let rest = self.bytes.get(self.at..)?;
        let digit = self.at + rest.iter().position(u8::is_ascii_digit)?;
        // No run is walked twice: what is walked back begins after the run before.
        let before = self.bytes.get(self.at..digit)?.iter().rev();
        let start = digit - before.take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let after = self.bytes.get(digit..)?.iter();
        self.at = digit + after.take_while(|byte| byte.is_ascii_alphanumeric()).count();
        Some((start, self.at))
    }
}

/// A number as it is without the gaps between its groups; letters in upper case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compact {
    bytes: [u8; COMPACT_BYTES_MAX],
    len: usize,
}

/// The longest number that is looked for, an IBAN, has 34.
const COMPACT_BYTES_MAX: usize = 40;

impl Compact {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; COMPACT_BYTES_MAX], len: 0 }
    }

    /// Whether there was room for it.
    pub(crate) fn push(&mut self, byte: u8) -> bool {
        let Some(place) = self.bytes.get_mut(self.len) else { return false };
        *place = byte.to_ascii_uppercase();
        self.len += 1;
        true
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
