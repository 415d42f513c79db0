//! IBANs: ISO 13616 (the registry's lengths, release 99), check digits of ISO 7064 mod 97-10. Written whole, or in groups of four
//! with gaps of one sort.

use crate::check;
use crate::edge;
use crate::hit::{Certainty, Hit};
use crate::tokens::Compact;

/// Country and length.
const LENGTHS: [(&[u8; 2], usize); 88] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

/// The IBAN that begins at `start`.
pub(crate) fn at(text: &str, start: usize, rule: usize) -> Option<Hit> {
    let bytes = text.as_bytes();
    let head = bytes.get(start..start + 2)?;
    if !head.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let country = [head[0].to_ascii_uppercase(), head[1].to_ascii_uppercase()];
    let (_, len) = LENGTHS.iter().find(|(known, _)| **known == country)?;
    let (end, compact) = gather(bytes, start, *len)?;
    let number = compact.bytes();
    let turned = number[4..].iter().chain(&number[..4]).copied();
    let holds = number[2..4].iter().all(u8::is_ascii_digit) && check::mod_97(turned) == Some(1);
    (holds && edge::is_left(text, start) && edge::is_right(text, end))
        .then(|| Hit::new(rule, start, end, Certainty::Checked))
}

/// Letters and digits, with gaps of one sort after every fourth, or none; where they end.
fn gather(bytes: &[u8], start: usize, len: usize) -> Option<(usize, Compact)> {
    let (mut at, mut compact, mut sort) = (start, Compact::new(), None);
    for count in 0..len {
        if count > 0 && count % 4 == 0 {
            let gap = edge::gap(bytes, at);
            let found = gap.map(|(_, sort)| sort);
            if *sort.get_or_insert(found) != found {
                return None;
            }
            at += gap.map_or(0, |(len, _)| len);
        }
        let byte = *bytes.get(at)?;
        if !byte.is_ascii_alphanumeric() || !compact.push(byte) {
            return None;
        }
        at += 1;
    }
    Some((at, compact))
}
