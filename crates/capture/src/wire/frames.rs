//! Where a stream may be cut while it passes: after each of its events or lines, and not into its terminator.
//!
//! An error is withheld, too, until something else than the end follows it: clients leave when they read one, and its record
//! would tell of a client that left, not of the error.
//!
//! Only this is decided while a stream passes. What its events say is read from all of its bytes at its end, so that how they
//! were chopped on the way cannot change the record.

use memchr::memmem;

/// How a stream is made of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events (WHATWG HTML, section 9.2.6): lines that end with LF, CR or CRLF; an empty one ends an event.
    Events,
    /// A JSON value a line.
    Lines,
}

/// What ends a stream, in a piece of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// An event whose data is this.
    Data(&'static str),
    /// An event whose `event` field, or the member `type` of its data, is one of these.
    Type(&'static [&'static str]),
    /// An object whose member of this name is true.
    Flag(&'static str),
    /// Nothing but the end of the body.
    Unmarked,
}

/// Follows a stream as it comes.
#[derive(Clone, Debug)]
pub struct Frames {
    framing: Framing,
    ending: Ending,
    /// Bytes of the piece under way.
    piece: Vec<u8>,
    /// Bytes before the piece under way.
    whole: usize,
    /// Those of them that may leave.
    free: usize,
    /// Whether the line under way is empty so far.
    at_line_start: bool,
    /// Whether the byte before was a carriage return that ended a line.
    after_cr: bool,
    is_over: bool,
}

impl Framing {
    /// The framing that a `content-type` says.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Self::Events),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Some(Self::Lines),
            _ => None,
        }
    }
}

impl Frames {
    /// At the beginning of a stream.
    pub fn new(framing: Framing, ending: Ending) -> Self {
        let (whole, free, at_line_start, after_cr, is_over) = (0, 0, true, false, false);
        Self { framing, ending, piece: Vec::new(), whole, free, at_line_start, after_cr, is_over }
    }

    /// Takes what came next, free of content codings.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.is_over {
            return;
        }
        let mut rest = bytes;
        while let Some(end) = self.piece_end(rest) {
            self.piece.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            if self.ends_stream() {
                self.is_over = true;
                self.piece = Vec::new();
                return;
            }
            // More followed: even an error before it may leave now.
            self.free = self.whole;
            self.whole += self.piece.len();
            if !self.is_error() {
                self.free = self.whole;
            }
            self.piece.clear();
        }
        self.piece.extend_from_slice(rest);
    }

    /// How many bytes, from the stream's first, belong to pieces that are whole, do not end it, and are not an error that
    /// nothing followed yet.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Whether the terminator came. All that follows is withheld with it.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Where the piece under way ends in these bytes, which it goes on with; remembers how far it got if it does not.
    fn piece_end(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.framing == Framing::Lines {
            return memchr::memchr(b'\n', bytes).map(|at| at + 1);
        }
        let mut from = 0;
        while from < bytes.len() {
            if std::mem::take(&mut self.after_cr) && bytes[from] == b'\n' {
                from += 1;
                continue;
            }
            let Some(at) = memchr::memchr2(b'\n', b'\r', &bytes[from..]) else {
                self.at_line_start = false;
                return None;
            };
            let was_empty = at == 0 && self.at_line_start;
            let end = from + at + 1;
            self.after_cr = bytes[end - 1] == b'\r';
            self.at_line_start = true;
            if was_empty {
                return Some(end);
            }
            from = end;
        }
        None
    }

    /// Whether the piece says an error, in the words that the wires with a terminator have for it.
    fn is_error(&self) -> bool {
        if self.ending == Ending::Unmarked || memmem::find(&self.piece, b"error").is_none() {
            return false;
        }
        match self.framing {
            Framing::Events => super::sse::event(&self.piece).is_error(),
            Framing::Lines => super::sse::has_error(&self.piece),
        }
    }

    fn ends_stream(&self) -> bool {
        match self.ending {
            Ending::Unmarked => false,
            Ending::Data(wanted) => {
                memmem::find(&self.piece, wanted.as_bytes()).is_some()
                    && super::sse::event(&self.piece).data.trim() == wanted
            }
            Ending::Type(types) => {
                types.iter().any(|wanted| self.may_hold(wanted))
                    && super::sse::event(&self.piece).is_any(types)
            }
            Ending::Flag(name) => self.may_hold(name) && super::sse::flag(&self.piece, name),
        }
    }

    /// Whether a word of ASCII may be in the piece, be it with letters that JSON has escaped.
    fn may_hold(&self, word: &str) -> bool {
        memmem::find(&self.piece, word.as_bytes()).is_some() || memmem::find(&self.piece, b"\\u00").is_some()
    }
}
