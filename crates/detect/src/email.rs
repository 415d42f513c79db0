//! E-mail addresses: RFC 5321, section 4.1.2, RFC 6531 for letters beyond ASCII, and as people write them.
//!
//! The at sign is the anchor: `@`, the full-width one, `%40` of URLs, `&#64;` of HTML, `(at)` and `[at]`. The local part is letters,
//! digits and `.` `_` `+` `-` `'` `&` `~`, or a quoted string; of the rarer characters that RFC 5322 also allows what follows the
//! last is taken. The domain has at least two labels, the last of letters and not a file's ending.

use crate::edge;
use crate::hit::{Certainty, Hit};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};

/// Longest local part (RFC 5321, section 4.5.3.1.1), bytes; a quoted one with its quotes.
const LOCAL_BYTES_MAX: usize = 66;
/// Longest domain (RFC 5321, section 4.5.3.1.2), bytes.
const DOMAIN_BYTES_MAX: usize = 255;

const SIGNS: [&str; 6] = ["@", "\u{FF20}", "%40", "&#64;", "(at)", "[at]"];
const DOTS: [&str; 3] = [".", "(dot)", "[dot]"];
/// What stands after the last dot of files that are often named with an at sign: pictures in two sizes, packages.
const ENDINGS: [&str; 20] = [
    "png", "jpg", "jpeg", "gif", "webp", "svg", "ico", "js", "mjs", "cjs", "ts", "tsx", "jsx", "css", "scss",
    "html", "json", "tgz", "whl", "jar",
];

/// The finder of at signs.
#[derive(Debug)]
pub(crate) struct Email {
    signs: AhoCorasick,
}

impl Email {
    /// `None` never in practice: six fixed texts make an automaton.
    pub(crate) fn new() -> Option<Self> {
        let signs = AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostFirst).build(SIGNS).ok()?;
        Some(Self { signs })
    }

    pub(crate) fn find(&self, text: &str, rule: usize, hits: &mut Vec<Hit>) {
        let mut from = 0;
        for sign in self.signs.find_iter(text) {
            let is_written = sign.pattern().as_usize() >= 4;
            let Some(end) = domain(text, sign.end(), is_written) else { continue };
            let Some(start) = local(text, sign.start(), from, is_written) else { continue };
            hits.push(Hit::new(rule, start, end, Certainty::Shape));
            from = end;
        }
    }
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '\'' | '&' | '~')
}

/// Where the local part that ends at `end` begins.
fn local(text: &str, end: usize, from: usize, is_written: bool) -> Option<usize> {
    let before = text.get(from..end)?;
    let end = if is_written { from + before.trim_end_matches(' ').len() } else { end };
    let before = text.get(from..end)?;
    if before.ends_with('"') {
        return quoted(before).map(|len| end - len);
    }
    let mut start = end;
    let is_spaced = before.chars().next_back().is_some_and(edge::is_spaced);
    // Scripts without spaces stand right before an address in another one.
    for c in before.chars().rev().take_while(|c| is_local(*c) && edge::is_spaced(*c) == is_spaced) {
        start -= c.len_utf8();
        if end - start > LOCAL_BYTES_MAX {
            return None;
        }
    }
    let found = text.get(start..end)?;
    let trimmed = found.trim_start_matches(['.', '\'', '&', '~', '-', '+']);
    (!trimmed.is_empty() && !trimmed.ends_with('.') && !trimmed.contains(".."))
        .then_some(start + found.len() - trimmed.len())
}

/// The length of the quoted local part that a text ends with.
fn quoted(before: &str) -> Option<usize> {
    let bytes = before.as_bytes();
    let inner = bytes.get(..bytes.len() - 1)?;
    let open = inner.iter().rev().take(LOCAL_BYTES_MAX).position(|byte| *byte == b'"' || *byte == b'\n')?;
    let is_quote = inner.get(inner.len() - 1 - open) == Some(&b'"');
    (is_quote && open > 0).then_some(open + 2)
}

/// Where the domain that begins at `start` ends.
fn domain(text: &str, start: usize, is_written: bool) -> Option<usize> {
    let rest = text.get(start..)?;
    let rest = if is_written { rest.trim_start_matches(' ') } else { rest };
    let first = text.len() - rest.len();
    let (mut at, mut labels, mut end, mut last) = (first, 0, None, "");
    loop {
        let label_end = label(text, at)?;
        if label_end == at || label_end - first > DOMAIN_BYTES_MAX {
            break;
        }
        labels += 1;
        last = text.get(at..label_end)?;
        end = Some(label_end);
        let Some(dot) = dot(text, label_end, is_written) else { break };
        at = dot;
    }
    let is_top = last.starts_with("xn--")
        || (last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) && last.len() <= 63);
    let is_file = ENDINGS.iter().any(|ending| last.eq_ignore_ascii_case(ending));
    end.filter(|_| labels >= 2 && is_top && !is_file)
}

/// Where a label ends that begins at `at`; `at` if none does.
fn label(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let is_label = |c: char| c.is_alphanumeric() || c == '-';
    let is_spaced = rest.chars().next().is_some_and(edge::is_spaced);
    let label = rest.chars().take(64).take_while(|c| is_label(*c) && edge::is_spaced(*c) == is_spaced);
    let len: usize = label.map(char::len_utf8).sum();
    let label = rest.get(..len)?.trim_end_matches('-');
    Some(if label.starts_with('-') { at } else { at + label.len() })
}

/// Where a dot ends that stands at `at` with a label after it.
fn dot(text: &str, at: usize, is_written: bool) -> Option<usize> {
    let dots = if is_written { &DOTS[..] } else { &DOTS[..1] };
    let rest = text.get(at..)?;
    let open = if is_written { rest.trim_start_matches(' ') } else { rest };
    let after = dots.iter().find_map(|dot| open.strip_prefix(dot).map(|after| (after, *dot)));
    let (after, dot) = after?;
    // A sentence that ends with the address.
    let after = if dot == "." && open.len() == rest.len() { after } else { after.trim_start_matches(' ') };
    after.chars().next().filter(|c| c.is_alphanumeric()).map(|_| text.len() - after.len())
}
