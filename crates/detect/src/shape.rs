//! Shapes of numbers: which characters, in which groups.

use crate::edge;
use crate::tokens::Compact;

/// A shape, written as text: `9` is a digit, `A` a letter, `N` either; a space is a gap, and gaps are all there, of one sort, or
/// none is; every other character stands for itself.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    text: &'static str,
}

impl Shape {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text }
    }

    /// How long the first run of letters and digits is: with gaps, and without any.
    pub(crate) fn first_runs(&self) -> [usize; 2] {
        let is_cell = |byte: &u8| matches!(byte, b'9' | b'A' | b'N');
        let run = self.text.bytes().take_while(is_cell).count();
        let whole = self.text.bytes().take_while(|byte| is_cell(byte) || *byte == b' ');
        [run, whole.filter(is_cell).count()]
    }

    /// Where the shape ends if it stands at `at`, and what it holds; what is around it is not looked at.
    pub(crate) fn stands(&self, text: &str, at: usize) -> Option<(usize, Compact)> {
        let bytes = text.as_bytes();
        let (mut at, mut compact) = (at, Compact::new());
        let mut sort: Option<Option<u8>> = None;
        for cell in self.text.bytes() {
            let byte = bytes.get(at).copied();
            match cell {
                b' ' => {
                    let found = edge::gap(bytes, at);
                    match sort {
                        None => sort = Some(found.map(|(_, sort)| sort)),
                        Some(sort) if sort == found.map(|(_, sort)| sort) => {}
                        Some(_) => return None,
                    }
                    at += found.map_or(0, |(len, _)| len);
                    continue;
                }
                b'9' if byte?.is_ascii_digit() => {}
                b'A' if byte?.is_ascii_alphabetic() => {}
                b'N' if byte?.is_ascii_alphanumeric() => {}
                b'9' | b'A' | b'N' => return None,
                literal if literal == byte? => {
                    at += 1;
                    continue;
                }
                _ => return None,
            }
            if !compact.push(byte?) {
                return None;
            }
            at += 1;
        }
        Some((at, compact))
    }
}
