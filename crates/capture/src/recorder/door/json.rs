//! JSON text walked without building it: where its keys, texts and numbers stand, and what pointers lead to.
//!
//! The text was found valid before. The walk does not recurse, and keeps one frame per open bracket, so that neither depth nor size
//! of a hostile text costs more than one pass.

use std::borrow::Cow;
use std::ops::Range;

/// Brackets deep that an object's own number is looked for ([`Walk::with_places`]).
const PLACES_DEPTH_MAX: usize = 12;

/// A JSON pointer (RFC 6901); `*` is every member and item.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    pub(super) fn new(text: &str) -> Self {
        let tokens = text.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~"));
        Self { tokens: tokens.collect() }
    }

    fn takes(&self, depth: usize, token: &str) -> bool {
        self.tokens.get(depth).is_some_and(|wanted| wanted == "*" || wanted == token)
    }
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// A member's name; its span has no quotes.
    Key,
    /// A text; its span has no quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Bare,
    /// What this pointer leads to.
    Pointed(usize),
    /// A member's value, of any sort; asked for by [`Visit::wants`].
    Member,
}

/// One place in the text.
pub(super) struct Place<'a> {
    pub(super) what: What,
    pub(super) span: Range<usize>,
    /// The name of the member that it is in, as it is written.
    pub(super) field: &'a str,
    /// Where it stands, with the numbers that objects give themselves in place of their position; empty unless asked for.
    pub(super) path: &'a str,
    /// Whether a pointer led to what it is in and its visitor said [`Next::Spare`].
    pub(super) is_spared: bool,
}

/// What the walk does after a place.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Goes on, into it.
    Into,
    /// Goes on behind it.
    Over,
    /// Goes on, into it, and says of all that is in it that it is spared.
    Spare,
}

/// Who is told of places.
pub(super) trait Visit {
    fn visit(&mut self, place: Place<'_>) -> Next;

    /// Whether a member of this name is told of as a whole.
    fn wants(&self, _name: &str) -> bool {
        false
    }
}

/// A walk over one valid JSON text.
pub(super) struct Walk<'a> {
    text: &'a str,
    pointers: &'a [Pointer],
    path: Option<String>,
    frames: Vec<Frame>,
    at: usize,
}

struct Frame {
    is_object: bool,
    /// Items that began.
    count: usize,
    /// Pointers that may lead further.
    alive: Vec<usize>,
    /// The name of the member that the walk is in.
    key: Range<usize>,
    /// How long the path is without the present item.
    path: usize,
    is_spared: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str, pointers: &'a [Pointer]) -> Self {
        Self { text, pointers, path: None, frames: Vec::new(), at: 0 }
    }

    /// Says of each place where it stands.
    pub(super) fn with_places(mut self) -> Self {
        self.path = Some(String::new());
        self
    }

    pub(super) fn run(mut self, visit: &mut impl Visit) {
        let all = (0..self.pointers.len()).collect();
        self.value(visit, all, false);
        while let Some(frame) = self.frames.last_mut() {
            self.at = space(self.text, self.at);
            match self.text.as_bytes().get(self.at) {
                None => return,
                Some(b'}' | b']') => {
                    self.at += 1;
                    self.frames.pop();
                }
                Some(b',') => self.at += 1,
                Some(_) => {
                    frame.count += 1;
                    if frame.is_object { self.member(visit) } else { self.item(visit) }
                }
            }
        }
    }

    fn item(&mut self, visit: &mut impl Visit) {
        let Some(frame) = self.frames.last() else { return };
        let (depth, is_spared) = (self.frames.len() - 1, frame.is_spared);
        let token = if frame.alive.is_empty() { String::new() } else { (frame.count - 1).to_string() };
        let alive = self.follow(&frame.alive, depth, &token);
        if let Some(path) = &mut self.path {
            path.truncate(frame.path);
            let is_numbered = depth < PLACES_DEPTH_MAX && number(self.text, self.at).is_some();
            path.push_str(if is_numbered { "/" } else { "/#" });
            if !is_numbered {
                path.push_str(&(frame.count - 1).to_string());
            }
        }
        self.value(visit, alive, is_spared);
    }

    fn member(&mut self, visit: &mut impl Visit) {
        let end = text_end(self.text, self.at);
        let key = self.at + 1..end.saturating_sub(1).max(self.at + 1);
        let name = self.text.get(key.clone()).unwrap_or_default();
        let Some(frame) = self.frames.last() else { return };
        let (depth, is_spared) = (self.frames.len() - 1, frame.is_spared);
        let alive = match frame.alive.is_empty() {
            true => Vec::new(),
            false => self.follow(&frame.alive, depth, &Decoded::new(name).text),
        };
        if let Some(path) = &mut self.path {
            path.truncate(frame.path);
            path.push('/');
            path.push_str(name);
        }
        let place = Place { what: What::Key, span: key.clone(), field: name, path: "", is_spared };
        visit.visit(place);
        self.at = space(self.text, end);
        // The colon.
        self.at = space(self.text, self.at + 1);
        if let Some(frame) = self.frames.last_mut() {
            frame.key = key.clone();
        }
        if visit.wants(name) {
            let end = value_end(self.text, self.at);
            let place = Place { what: What::Member, span: self.at..end, field: name, path: "", is_spared };
            if visit.visit(place) == Next::Over {
                self.at = end;
                return;
            }
        }
        self.value(visit, alive, is_spared);
    }

    fn follow(&self, alive: &[usize], depth: usize, token: &str) -> Vec<usize> {
        alive.iter().copied().filter(|at| self.pointers[*at].takes(depth, token)).collect()
    }

    /// The value that begins here, of which these pointers are left.
    fn value(&mut self, visit: &mut impl Visit, mut alive: Vec<usize>, mut is_spared: bool) {
        self.at = space(self.text, self.at);
        let depth = self.frames.len();
        let text = self.text;
        let field = self.frames.iter().rev().find(|frame| frame.is_object);
        let field = field.and_then(|frame| text.get(frame.key.clone())).unwrap_or_default();
        let here = alive.iter().copied().find(|at| self.pointers[*at].tokens.len() == depth);
        if let Some(pointer) = here {
            let span = self.at..value_end(text, self.at);
            let place =
                Place { what: What::Pointed(pointer), span: span.clone(), field, path: "", is_spared };
            match visit.visit(place) {
                Next::Over => {
                    self.at = span.end;
                    return;
                }
                Next::Spare => is_spared = true,
                Next::Into => {}
            }
        }
        let Some(&first) = text.as_bytes().get(self.at) else { return };
        if matches!(first, b'{' | b'[') {
            alive.retain(|at| self.pointers[*at].tokens.len() > depth);
            self.open(first == b'{', alive, is_spared);
            return;
        }
        let (what, span, end) = match first {
            b'"' => {
                let end = text_end(text, self.at);
                (What::Text, self.at + 1..end.saturating_sub(1).max(self.at + 1), end)
            }
            _ => {
                let end = value_end(text, self.at);
                (What::Bare, self.at..end, end)
            }
        };
        self.at = end;
        let path = self.path.as_deref().unwrap_or_default();
        visit.visit(Place { what, span, field, path, is_spared });
    }

    fn open(&mut self, is_object: bool, alive: Vec<usize>, is_spared: bool) {
        let depth = self.frames.len();
        if let Some(path) = &mut self.path
            && is_object
            && depth < PLACES_DEPTH_MAX
            && let Some(number) = number(self.text, self.at)
        {
            path.push('#');
            path.push_str(number);
        }
        let path = self.path.as_ref().map_or(0, String::len);
        self.at += 1;
        self.frames.push(Frame { is_object, count: 0, alive, key: 0..0, path, is_spared });
    }
}

/// The number that an object gives itself in its member `index`: `choices` of a stream come in any order.
fn number(text: &str, at: usize) -> Option<&str> {
    let bytes = text.as_bytes();
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    let (mut at, mut found) = (space(text, at + 1), None);
    while bytes.get(at) == Some(&b'"') {
        let end = text_end(text, at);
        let name = text.get(at + 1..end.saturating_sub(1)).unwrap_or_default();
        let value = space(text, space(text, end) + 1);
        let value_end = value_end(text, value);
        if name == "index" || name.ends_with("_index") {
            found =
                text.get(value..value_end).filter(|value| value.bytes().all(|byte| byte.is_ascii_digit()));
        }
        at = space(text, value_end);
        if bytes.get(at) == Some(&b',') {
            at = space(text, at + 1);
        }
    }
    found
}

/// Where the space that begins at `at` ends.
pub(super) fn space(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The byte after the text whose opening quote stands at `at`.
fn text_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut from = at + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(from..).unwrap_or_default()) {
        match bytes[from + found] {
            b'"' => return from + found + 1,
            _ => from += found + 2,
        }
    }
    bytes.len()
}

/// The byte after the value that begins at `at`.
fn value_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (at, 0_usize);
    loop {
        match bytes.get(at) {
            None => return bytes.len(),
            Some(b'"') => at = text_end(text, at),
            Some(b'{' | b'[') => {
                (at, depth) = (at + 1, depth + 1);
                continue;
            }
            Some(b'}' | b']') => (at, depth) = (at + 1, depth.saturating_sub(1)),
            Some(b',' | b':' | b' ' | b'\t' | b'\n' | b'\r') => {
                at += 1;
                continue;
            }
            Some(_) => {
                let is_bare = |byte: &&u8| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                at += bytes[at..].iter().take_while(is_bare).count();
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

/// A JSON text without its escapes, and where each piece of it stood.
pub(super) struct Decoded<'a> {
    pub(super) text: Cow<'a, str>,
    /// Decoded and written offset where either an escape begins or what follows one does.
    steps: Vec<(usize, usize)>,
}

impl<'a> Decoded<'a> {
    /// From what stands between the quotes.
    pub(super) fn new(written: &'a str) -> Self {
        let bytes = written.as_bytes();
        let Some(mut next) = memchr::memchr(b'\\', bytes) else {
            return Self { text: Cow::Borrowed(written), steps: Vec::new() };
        };
        let (mut text, mut steps, mut at) = (String::with_capacity(written.len()), Vec::new(), 0);
        loop {
            text.push_str(written.get(at..next).unwrap_or_default());
            steps.push((text.len(), next));
            let (c, len) = escape(&bytes[next..]);
            text.push(c);
            at = (next + len).min(bytes.len());
            steps.push((text.len(), at));
            match memchr::memchr(b'\\', &bytes[at..]) {
                Some(found) => next = at + found,
                None => break,
            }
        }
        text.push_str(written.get(at..).unwrap_or_default());
        Self { text: Cow::Owned(text), steps }
    }

    /// Where a character boundary of the decoded text stands in the written one.
    pub(super) fn written(&self, at: usize) -> usize {
        let step = self.steps.partition_point(|(decoded, _)| *decoded <= at);
        match step.checked_sub(1).and_then(|step| self.steps.get(step)) {
            Some((decoded, written)) => written + (at - decoded),
            None => at,
        }
    }
}

/// The character that an escape stands for, and the escape's length.
fn escape(bytes: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 4).and_then(|digits| std::str::from_utf8(digits).ok())?;
        u32::from_str_radix(digits, 16).ok()
    };
    match bytes.get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'u') => {
            let first = unit(2).unwrap_or(0xFFFD);
            let second = unit(8).filter(|_| bytes.get(6..8) == Some(b"\\u"));
            match (first, second) {
                (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                    let c = 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00);
                    (char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                }
                _ => (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            }
        }
        Some(byte) => (char::from(*byte), 2),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}
