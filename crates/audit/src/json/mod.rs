//! A scanner of canonical JSON (RFC 8785), for bytes that need no tree of values: it checks the form and gives the members
//! that are asked for as slices of the input.
//!
//! An entry holds no floating-point numbers (format.md, section 4), so a number is canonical if it is the shortest decimal
//! of an integer within ±2^53. Keys stand in the order of their UTF-16 code units, each once (RFC 8785, section 3.2.3).

mod entry;
#[cfg(test)]
mod tests;

pub(crate) use entry::{EntryScan, EventScan, ReferenceScan, State};

/// Objects and arrays nested deeper than this are refused.
const DEPTH_MAX: u32 = 64;
/// Digits of 2^53.
const NUMBER_DIGITS_MAX: usize = 16;

/// Where and why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub(crate) struct Malformed {
    /// Offset in the entry.
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

/// Reads from the start of the input to its end. What is read is an `Option`, which fits two registers, and the cursor keeps
/// what was wrong: this is the innermost loop of verification.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether the last string was printable ASCII without escapes: what it says is what stands there.
    is_plain: bool,
    malformed: Option<Malformed>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, is_plain: true, malformed: None }
    }

    /// Fails here.
    pub(crate) fn fail<T>(&mut self, what: &'static str) -> Option<T> {
        self.fail_at(self.at, what)
    }

    /// Fails at a place before.
    #[cold]
    pub(crate) fn fail_at<T>(&mut self, at: usize, what: &'static str) -> Option<T> {
        self.malformed.get_or_insert(Malformed { at, what });
        None
    }

    /// What was wrong, after something was not read.
    pub(crate) fn malformed(self) -> Malformed {
        self.malformed.unwrap_or(Malformed { at: self.at, what: "malformed" })
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What was read since `from`.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..self.at).unwrap_or_default()
    }

    pub(crate) fn end(&mut self) -> Option<()> {
        if self.at == self.bytes.len() { Some(()) } else { self.fail("something follows the object") }
    }

    /// Whether this byte comes next.
    pub(crate) fn is_at(&self, byte: u8) -> bool {
        self.peek() == byte
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn expect(&mut self, byte: u8, what: &'static str) -> Option<()> {
        if self.peek() != byte {
            return self.fail(what);
        }
        self.at += 1;
        Some(())
    }

    /// Reads an object; `member` reads each value. The keys' order is checked here.
    #[inline]
    pub(crate) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.expect(b'{', "expected an object")?;
        if self.peek() == b'}' {
            self.at += 1;
            return Some(());
        }
        let mut last: &[u8] = b"";
        let (mut is_first, mut is_plain) = (true, true);
        loop {
            let start = self.at;
            let key = self.text()?;
            is_plain &= self.is_plain;
            if !is_first && !precedes(last, key, is_plain) {
                return self.fail_at(start, "keys are not in RFC 8785's order, or one stands twice");
            }
            (last, is_first) = (key, false);
            self.expect(b':', "expected a colon")?;
            member(self, key)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return self.fail("expected a comma or the object's end"),
            }
        }
    }

    /// Reads an array; `item` reads each value.
    #[inline]
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[', "expected an array")?;
        if self.peek() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            item(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return self.fail("expected a comma or the array's end"),
            }
        }
    }

    /// Reads a string of printable ASCII without escapes.
    #[inline]
    pub(crate) fn plain(&mut self) -> Option<&'a [u8]> {
        let start = self.at;
        let text = self.text()?;
        if self.is_plain { Some(text) } else { self.fail_at(start, "expected plain ASCII") }
    }

    /// Reads a string of `LENGTH` bytes if one stands here that `is_right` accepts: no byte of it is looked at twice. What is
    /// accepted must be plain.
    #[inline]
    pub(crate) fn fixed<const LENGTH: usize, T>(
        &mut self,
        is_right: impl FnOnce(&[u8; LENGTH]) -> Option<T>,
    ) -> Option<(&'a [u8], T)> {
        let rest = self.bytes.get(self.at..)?.strip_prefix(b"\"")?;
        let (text, rest) = rest.split_first_chunk::<LENGTH>()?;
        if rest.first() != Some(&b'"') {
            return None;
        }
        let right = is_right(text)?;
        self.at += LENGTH + 2;
        Some((text, right))
    }

    /// Reads a string.
    #[inline]
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        let (mut is_ascii, mut is_plain) = (true, true);
        loop {
            self.at = self.bytes.len().min(skip_ordinary(self.bytes, self.at));
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.escape()?;
                }
                Some(byte) if *byte >= 0x80 => {
                    is_ascii = false;
                    self.at += 1;
                }
                Some(0x7f) => {
                    is_plain = false;
                    self.at += 1;
                }
                Some(_) => return self.fail("a control character in a string"),
                None => return self.fail("the input ends within a string"),
            }
        }
        let raw = self.since(start);
        self.at += 1;
        if !is_ascii && std::str::from_utf8(raw).is_err() {
            return self.fail_at(start, "a string is not UTF-8");
        }
        self.is_plain = is_plain && is_ascii;
        Some(raw)
    }

    /// The escapes that RFC 8785, section 3.2.2.2, writes; every other spelling of a character is another's.
    #[cold]
    fn escape(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at + 1..).unwrap_or_default();
        let length = match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..] => 6,
            [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return self.fail("an escape that RFC 8785 does not write"),
        };
        self.at += length;
        Some(())
    }

    /// Reads any value and checks its form.
    pub(crate) fn skip(&mut self) -> Option<()> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: u32) -> Option<()> {
        let Some(below) = depth.checked_sub(1) else { return self.fail("nested too deeply") };
        match self.peek() {
            b'"' => self.text().map(|_| ()),
            b'{' => self.object(|cursor, _| cursor.skip_within(below)),
            b'[' => self.array(|cursor| cursor.skip_within(below)),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.integer().map(|_| ()),
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return self.fail("expected a value");
        }
        self.at += literal.len();
        Some(())
    }

    /// Reads an integer in its one spelling.
    pub(crate) fn integer(&mut self) -> Option<i64> {
        let start = self.at;
        let is_negative = self.peek() == b'-';
        self.at += usize::from(is_negative);
        let first = self.at;
        let mut magnitude = 0_i64;
        while self.peek().is_ascii_digit() && self.at - first < NUMBER_DIGITS_MAX {
            magnitude = magnitude * 10 + i64::from(self.peek() - b'0');
            self.at += 1;
        }
        let digits = self.since(first);
        let is_canonical = match digits {
            [] => false,
            [b'0'] => !is_negative,
            [first, ..] => *first != b'0' && magnitude <= 1 << 53,
        };
        if !is_canonical || matches!(self.peek(), b'0'..=b'9' | b'.' | b'e' | b'E') {
            return self.fail_at(start, "expected a value, or an integer in its shortest form within ±2^53");
        }
        Some(if is_negative { -magnitude } else { magnitude })
    }
}

/// Whether a key stands before another in the order of UTF-16 code units.
#[inline]
fn precedes(key: &[u8], other: &[u8], is_plain: bool) -> bool {
    // Most pairs of keys differ in their first letters.
    match (key, other) {
        _ if !is_plain => precedes_decoded(key, other),
        ([a, b, ..], [c, d, ..]) if (a, b) != (c, d) => (a, b) < (c, d),
        (key, other) => key < other,
    }
}

#[cold]
fn precedes_decoded(key: &[u8], other: &[u8]) -> bool {
    let decode = |raw: &[u8]| -> Vec<u16> {
        let quoted = [b"\"", raw, b"\""].concat();
        serde_json::from_slice::<String>(&quoted).unwrap_or_default().encode_utf16().collect()
    };
    decode(key) < decode(other)
}

/// The place of the next byte that is a quote, a backslash, a control character, DEL or not ASCII; or the end. Eight bytes at
/// a time: the lowest byte that a mask marks is one, for borrows run upwards only.
#[inline]
fn skip_ordinary(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let below_space = word.wrapping_sub(ONES * 0x20) & !word;
        let marked = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | zero(word ^ (ONES * 0x7f));
        let marked = (marked | below_space | word) & HIGH;
        if marked != 0 {
            return at + (marked.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at)
        && (0x20..0x7f).contains(byte)
        && !matches!(byte, b'"' | b'\\')
    {
        at += 1;
    }
    at
}
