//! Sweden, Denmark, Norway, Finland, Estonia, Latvia, Lithuania.

use super::{SURE, Sort};
use crate::check::{day_month, digits, luhn, number, two, weigh};
use crate::shape::Shape;

pub(super) const SORTS: &[Sort] = &[
    Sort {
        country: "SE",
        shapes: &[
            Shape::new("999999-9999"),
            Shape::new("999999+9999"),
            Shape::new("99999999-9999"),
            Shape::new("999999999999"),
            Shape::new("9999999999"),
            Shape::new("999999 9999"),
        ],
        check: personnummer,
        sure: SURE,
        cues: &["personn", "samordningsn", "pnr"],
    },
    Sort {
        country: "DK",
        shapes: &[Shape::new("999999-9999"), Shape::new("999999 9999")],
        check: cpr,
        sure: 1,
        cues: &["cpr", "personnummer"],
    },
    Sort {
        country: "NO",
        shapes: &[Shape::new("999999 99999")],
        check: fodselsnummer,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "FI",
        shapes: &[Shape::new("999999-999N"), Shape::new("999999+999N"), Shape::new("999999A999N")],
        check: hetu,
        sure: SURE,
        cues: &[],
    },
    Sort { country: "EE", shapes: &[Shape::new("99999999999")], check: isikukood, sure: SURE, cues: &[] },
    Sort { country: "LT", shapes: &[Shape::new("99999999999")], check: isikukood, sure: SURE, cues: &[] },
    Sort {
        country: "LV",
        shapes: &[Shape::new("999999-99999"), Shape::new("99999999999")],
        check: personas_kods,
        sure: 1,
        cues: &["personas kod", "pers. kod"],
    },
];

/// Personnummer and samordningsnummer (day + 60): Luhn over the last ten digits.
fn personnummer(text: &[u8]) -> bool {
    let Some(last) = text.len().checked_sub(10).map(|from| &text[from..]) else { return false };
    let Some(digits) = digits::<10>(last) else { return false };
    let is_century = text.len() == 10 || matches!(&text[..2], b"18" | b"19" | b"20");
    let day = two(&digits, 4);
    is_century && day_month(if day > 60 { day - 60 } else { day }, two(&digits, 2)) && luhn(last)
}

/// CPR-nummer: numbers given since 2007 have no check digit; the date is what there is.
fn cpr(text: &[u8]) -> bool {
    let Some(digits) = digits::<10>(text) else { return false };
    day_month(two(&digits, 0) % 60, two(&digits, 2))
}

/// Fødselsnummer, D-nummer (day + 40), and the test numbers of the tax administration (month + 80) and of health (month + 40): two
/// check digits mod 11.
fn fodselsnummer(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let one = weigh(&digits[..10], &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11;
    let two_ = weigh(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11;
    day_month(two(&digits, 0) % 40, two(&digits, 2) % 40) && one == 0 && two_ == 0
}

/// Henkilötunnus (laki 661/2009, asetus 128/2010): the character of a table of 31. Between date and number stands a sign or letter of
/// the century, which is among the characters only where it is a letter.
fn hetu(text: &[u8]) -> bool {
    let (date, rest) = match text.split_at_checked(6) {
        Some((date, [b'A'..=b'F' | b'U'..=b'Y', rest @ ..])) if text.len() == 11 => (date, rest),
        Some((date, rest)) if text.len() == 10 => (date, rest),
        _ => return false,
    };
    let (Some(digits), Some(day), Some(serial)) =
        (digits::<6>(date), number(date), rest.get(..3).and_then(number))
    else {
        return false;
    };
    let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(((day * 1000 + serial) % 31) as usize);
    day_month(two(&digits, 0), two(&digits, 2)) && serial > 1 && rest.get(3) == check
}

/// Isikukood, asmens kodas: weights 1…9 1, or 3…9 1 2 3 where that gives ten.
fn isikukood(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let check = match weigh(&digits[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weigh(&digits[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        check => check,
    };
    (1..=8).contains(&digits[0]) && day_month(two(&digits, 5), two(&digits, 3)) && check == digits[10]
}

/// Personas kods: a date and a check digit; since 2017 it begins with 32 and says nothing of itself.
fn personas_kods(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    if text.starts_with(b"32") {
        return true;
    }
    let sum = weigh(&digits[..10], &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]) + 1;
    day_month(two(&digits, 0), two(&digits, 2)) && sum % 11 % 10 == digits[10]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_hold() {
        for (check, text) in [
            (personnummer as fn(&[u8]) -> bool, "8803200016"),
            (personnummer, "198803200016"),
            (cpr, "2110625629"),
            (fodselsnummer, "15108695088"),
            (hetu, "131052308T"),
            (hetu, "131052A308T"),
            (isikukood, "36805280109"),
            (isikukood, "33309240064"),
            (personas_kods, "16117519997"),
            (personas_kods, "32867300679"),
        ] {
            assert!(check(text.as_bytes()), "{text}");
        }
    }
}
