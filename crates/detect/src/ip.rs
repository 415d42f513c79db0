//! IPv4 addresses (RFC 791, dotted decimal) and IPv6 addresses (RFC 4291, section 2.2; RFC 5952). Those that say nothing of anybody
//! are left alone: unspecified, loopback, broadcast. So are versions of four numbers behind a `v` or a word for them.

use crate::cue;
use crate::edge;
use crate::hit::{Certainty, Hit};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest text of an IPv6 address, bytes.
const V6_BYTES_MAX: usize = 45;

const VERSION: &[&str] = &[
    "version", "release", "ver", "rev", "build", "revision", "firmware", "driver", "section", "§", "oid",
    "sdk", "kernel", "v",
];

/// The IPv4 address whose first number is the token `start..end`.
pub(crate) fn v4(text: &str, (start, end): (usize, usize), field: &str, rule: usize) -> Option<Hit> {
    let bytes = text.as_bytes();
    if end - start > 3 || bytes.get(end) != Some(&b'.') || !is_left_of_address(text, start) {
        return None;
    }
    let len =
        bytes[start..].iter().take(16).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let mut run = text.get(start..start + len)?;
    run = run.trim_end_matches('.');
    let address: Ipv4Addr = run.parse().ok()?;
    let end = start + run.len();
    let goes_on = bytes.get(end).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_'))
        || (matches!(bytes.get(end), Some(b'-' | b'.'))
            && bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric));
    let says_nothing = address.is_unspecified() || address.is_loopback() || address.is_broadcast();
    if goes_on || says_nothing || cue::is_before(text, start, field, VERSION) {
        return None;
    }
    Some(Hit::new(rule, start, end, Certainty::Shape))
}

fn is_left_of_address(text: &str, start: usize) -> bool {
    let bytes = text.as_bytes();
    let Some(&before) = start.checked_sub(1).and_then(|at| bytes.get(at)) else { return true };
    let further = start.checked_sub(2).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
    match before {
        b'.' => !further.is_ascii_alphanumeric(),
        // `::ffff:192.0.2.1` is found as IPv6.
        b':' => further != b':' && !further.is_ascii_digit(),
        b'/' => !further.is_ascii_digit(),
        _ => edge::is_left(text, start),
    }
}

/// The IPv6 addresses of a text: the colon is their anchor.
pub(crate) fn v6(text: &str, rule: usize, hits: &mut Vec<Hit>) {
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let mut from = 0;
    for colon in memchr::memchr_iter(b':', bytes) {
        if colon < from || !bytes.get(colon + 1).is_some_and(is_part) {
            continue;
        }
        let start = colon - bytes[from..colon].iter().rev().take_while(|byte| is_part(byte)).count();
        let mut end =
            colon + bytes[colon..].iter().take_while(|byte| is_part(byte) || **byte == b'.').count();
        from = end;
        while end > start
            && (bytes[end - 1] == b'.' || (bytes[end - 1] == b':' && !text[start..end].ends_with("::")))
        {
            end -= 1;
        }
        if end - start <= V6_BYTES_MAX && is_v6(text, start, end) {
            hits.push(Hit::new(rule, start, end, Certainty::Shape));
        }
    }
}

fn is_v6(text: &str, start: usize, end: usize) -> bool {
    let Some(Ok(address)) = text.get(start..end).map(str::parse::<Ipv6Addr>) else { return false };
    let found = &text.as_bytes()[start..end];
    // Paths of programming languages are `abc::def`.
    let is_path =
        !found.iter().any(u8::is_ascii_digit) && found.iter().filter(|byte| **byte == b':').count() < 4;
    let says_nothing = address.is_unspecified() || address.is_loopback();
    !is_path && !says_nothing && edge::is_left(text, start) && edge::is_right(text, end)
}
