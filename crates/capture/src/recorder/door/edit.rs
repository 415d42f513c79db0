//! A text with some of its pieces replaced; all other bytes stay as they are.

use std::cmp::Reverse;
use std::ops::Range;

/// Replacements, in any order. One may stand in another: then it goes with that.
#[derive(Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub(super) fn replace(&mut self, span: Range<usize>, with: String) {
        self.0.push((span, with));
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text as it is then.
    pub(super) fn apply(mut self, text: &str) -> Vec<u8> {
        // What holds others first.
        self.0.sort_by_key(|(span, _)| (span.start, Reverse(span.end)));
        let bytes = text.as_bytes();
        let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
        for (span, with) in self.0 {
            if span.start < at && span.end <= at {
                // It went with what it stood in.
                continue;
            }
            // Of what overlaps something that is gone already the rest goes too, and a mark says so.
            out.extend_from_slice(bytes.get(at..span.start.max(at)).unwrap_or_default());
            out.extend_from_slice(with.as_bytes());
            at = at.max(span.end);
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        out
    }
}
