//! Country codes with the lengths of their numbers, and how national numbers are written (ITU-T E.164 and the national numbering
//! plans it lists).

use std::ops::RangeInclusive;

/// How numbers of a country are written without its code.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) country: &'static str,
    pub(super) national: National,
}

#[derive(Debug)]
pub(super) enum National {
    /// A trunk prefix, an area or network, a subscriber: of varying lengths.
    Trunk {
        /// What every number begins with.
        prefix: &'static str,
        /// Digits of the first group.
        first: RangeInclusive<usize>,
        /// Digits in all.
        total: RangeInclusive<usize>,
        /// What numbers begin with that are written without gaps; others need a cue for that.
        whole: &'static [&'static str],
        /// Digits in all of those.
        whole_total: RangeInclusive<usize>,
    },
    /// No trunk prefix: groups of digits. One or two groups need a cue.
    Shapes {
        /// What a number may begin with.
        begins: &'static [&'static str],
        /// Digits by group.
        shapes: &'static [&'static [usize]],
    },
    /// The North American plan.
    America,
}

const fn trunk(
    country: &'static str,
    first: RangeInclusive<usize>,
    total: RangeInclusive<usize>,
    whole: &'static [&'static str],
    whole_total: RangeInclusive<usize>,
) -> Plan {
    Plan { country, national: National::Trunk { prefix: "0", first, total, whole, whole_total } }
}

const fn shapes(
    country: &'static str,
    begins: &'static [&'static str],
    shapes: &'static [&'static [usize]],
) -> Plan {
    Plan { country, national: National::Shapes { begins, shapes } }
}

const NINE: &[&[usize]] = &[&[3, 3, 3], &[3, 2, 2, 2], &[2, 3, 2, 2], &[2, 3, 4], &[9]];
const EIGHT: &[&[usize]] = &[&[2, 2, 2, 2], &[3, 2, 3], &[4, 4], &[3, 3, 2], &[8]];
const ANY: &[&str] = &["2", "3", "4", "5", "6", "7", "8", "9"];

pub(super) const PLANS: &[Plan] = &[
    trunk("AT", 2..=5, 8..=13, &["065", "066", "067", "068", "069"], 10..=13),
    trunk("BE", 2..=4, 9..=10, &["047", "048", "049", "046"], 10..=10),
    trunk("BG", 2..=4, 9..=10, &["087", "088", "089"], 10..=10),
    trunk("CH", 3..=3, 10..=10, &["074", "075", "076", "077", "078", "079"], 10..=10),
    shapes("CZ", &["2", "3", "4", "5", "6", "7"], NINE),
    trunk("DE", 3..=6, 8..=12, &["015", "016", "017"], 11..=12),
    shapes("DK", ANY, EIGHT),
    shapes("EE", &["3", "4", "5", "6", "7", "8"], &[&[3, 4], &[4, 4], &[4, 3], &[7], &[8]]),
    shapes("ES", &["6", "7", "8", "9"], NINE),
    trunk("FI", 2..=4, 8..=11, &["040", "041", "044", "045", "046", "050"], 9..=11),
    trunk("FR", 2..=2, 10..=10, &["01", "02", "03", "04", "05", "06", "07", "09"], 10..=10),
    trunk("GB", 3..=6, 10..=11, &["01", "02", "03", "07", "08"], 11..=11),
    shapes("GR", &["2", "69"], &[&[3, 3, 4], &[3, 7], &[2, 4, 4], &[4, 6], &[4, 3, 3], &[10]]),
    trunk("HR", 2..=3, 8..=10, &["091", "092", "095", "097", "098", "099"], 9..=10),
    Plan {
        country: "HU",
        national: National::Trunk {
            prefix: "06",
            first: 2..=2,
            total: 10..=11,
            whole: &["0620", "0630", "0670"],
            whole_total: 11..=11,
        },
    },
    trunk("IE", 2..=4, 9..=10, &["083", "085", "086", "087", "089"], 10..=10),
    Plan {
        country: "IT",
        national: National::Trunk {
            prefix: "0",
            first: 2..=4,
            total: 8..=11,
            whole: &[],
            whole_total: 9..=11,
        },
    },
    shapes(
        "IT",
        &["32", "33", "34", "35", "36", "37", "38", "39"],
        &[&[3, 3, 4], &[3, 7], &[3, 6], &[3, 3, 2, 2], &[3, 2, 2, 3], &[10]],
    ),
    trunk("LT", 4..=4, 9..=9, &[], 9..=9),
    shapes("LU", &["2", "4", "6"], &[&[3, 3, 3], &[2, 2, 2, 2], &[2, 2, 2], &[9], &[6]]),
    shapes("LV", &["2", "6"], &[&[2, 3, 3], &[4, 4], &[2, 2, 2, 2], &[8]]),
    trunk("NL", 2..=4, 10..=10, &["06"], 10..=10),
    shapes("NO", ANY, EIGHT),
    shapes("PL", &["1", "2", "3", "4", "5", "6", "7", "8"], NINE),
    shapes("PT", &["2", "3", "9"], NINE),
    trunk("RO", 3..=4, 10..=10, &["07"], 10..=10),
    trunk("SE", 2..=4, 8..=10, &["070", "072", "073", "076", "079"], 10..=10),
    trunk("SI", 2..=3, 9..=9, &["030", "031", "040", "041", "051", "070"], 9..=9),
    trunk("SK", 2..=4, 10..=10, &["090", "091", "094", "095"], 10..=10),
    Plan { country: "CA", national: National::America },
    Plan { country: "US", national: National::America },
];

/// National digits of countries whose numbers are of a known length, trunk prefix not counted: by country code.
const LENGTHS: [(&str, usize, usize); 44] = [
    ("1", 10, 10),
    ("7", 10, 10),
    ("20", 8, 10),
    ("27", 9, 9),
    ("30", 10, 10),
    ("31", 9, 9),
    ("32", 8, 9),
    ("33", 9, 9),
    ("34", 9, 9),
    ("351", 9, 9),
    ("352", 4, 11),
    ("353", 7, 9),
    ("354", 7, 9),
    ("355", 8, 9),
    ("356", 8, 8),
    ("357", 8, 8),
    ("358", 6, 11),
    ("359", 7, 9),
    ("36", 8, 9),
    ("370", 8, 8),
    ("371", 8, 8),
    ("372", 7, 8),
    ("380", 9, 9),
    ("381", 7, 10),
    ("385", 8, 9),
    ("386", 8, 8),
    ("39", 6, 11),
    ("40", 9, 9),
    ("41", 9, 9),
    ("420", 9, 9),
    ("421", 9, 9),
    ("43", 6, 13),
    ("44", 9, 10),
    ("45", 8, 8),
    ("46", 7, 10),
    ("47", 8, 8),
    ("48", 9, 9),
    ("49", 6, 12),
    ("52", 10, 10),
    ("55", 10, 11),
    ("61", 9, 9),
    ("86", 10, 11),
    ("90", 10, 10),
    ("91", 10, 10),
];

/// Two-digit codes that are assigned beside those above; every other three-digit number that begins with 2, 3, 4, 5, 6, 8 or 9 is
/// or may be assigned to a country of its own.
const TWO: [&str; 15] =
    ["51", "53", "54", "56", "57", "58", "60", "62", "63", "64", "65", "66", "81", "82", "84"];

/// How long the country code is that a number begins with, and how few and many digits may follow.
pub(super) fn codes(number: &[u8]) -> Option<(usize, (usize, usize))> {
    let known = LENGTHS.iter().find(|(code, ..)| number.starts_with(code.as_bytes()));
    if let Some((code, min, max)) = known {
        return Some((code.len(), (*min, *max)));
    }
    let is_two =
        TWO.iter().chain(&["92", "93", "94", "95", "98"]).any(|code| number.starts_with(code.as_bytes()));
    let first = number.first()?;
    match (is_two, first) {
        (true, _) => Some((2, (7, 12))),
        (false, b'2' | b'3' | b'4' | b'5' | b'6' | b'8' | b'9') => Some((3, (5, 11))),
        _ => None,
    }
}
