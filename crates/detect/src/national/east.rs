//! Poland, Czechia, Slovakia, Hungary, Romania, Bulgaria.

use super::{SURE, Sort};
use crate::check::{day_month, digits, number, two, weigh};
use crate::shape::Shape;

const RODNE: &[Shape] = &[Shape::new("999999/9999"), Shape::new("999999 9999"), Shape::new("999999/999")];

pub(super) const SORTS: &[Sort] = &[
    Sort { country: "PL", shapes: &[Shape::new("99999999999")], check: pesel, sure: SURE, cues: &[] },
    Sort { country: "CZ", shapes: RODNE, check: rodne_cislo, sure: SURE, cues: &["rodné", "rodne", "rč"] },
    Sort { country: "SK", shapes: RODNE, check: rodne_cislo, sure: SURE, cues: &["rodné", "rodne", "rč"] },
    Sort {
        country: "HU",
        shapes: &[Shape::new("999 999 999")],
        check: taj,
        sure: 0,
        cues: &["taj", "társadalombiztosítási"],
    },
    Sort { country: "RO", shapes: &[Shape::new("9999999999999")], check: cnp, sure: SURE, cues: &[] },
    Sort {
        country: "BG",
        shapes: &[Shape::new("9999999999")],
        check: egn,
        sure: SURE,
        cues: &["егн", "egn"],
    },
];

/// PESEL: weights 1 3 7 9; months carry the century.
fn pesel(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let sum = weigh(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    day_month(two(&digits, 4), two(&digits, 2) % 20) && sum.is_multiple_of(10)
}

/// Rodné číslo: months of women are 50 more, and 20 more where a day's numbers are used up; divisible by 11 since 1954, and of nine
/// digits without any check before.
fn rodne_cislo(text: &[u8]) -> bool {
    let Some(first) = text.get(..6).and_then(digits::<6>) else { return false };
    let month = two(&first, 2) % 50;
    let is_date = day_month(two(&first, 4), if month > 20 { month - 20 } else { month });
    let check = text.get(9..).and_then(number);
    let holds = || {
        let rest = text.get(..9).and_then(number).map(|body| body % 11 % 10);
        rest.is_some() && rest == check
    };
    match text.len() {
        // In the shape with a slash alone.
        9 => is_date && two(&first, 0) < 54,
        _ => is_date && holds(),
    }
}

/// TAJ szám: weights 3 7.
fn taj(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    weigh(&digits[..8], &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == digits[8]
}

/// Cod numeric personal: weights 279146358279, mod 11.
fn cnp(text: &[u8]) -> bool {
    let Some(digits) = digits::<13>(text) else { return false };
    let check = weigh(&digits[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    digits[0] != 0
        && day_month(two(&digits, 5), two(&digits, 3))
        && digits[12] == if check == 10 { 1 } else { check }
}

/// Edinen grazhdanski nomer: months carry the century; mod 11.
fn egn(text: &[u8]) -> bool {
    let Some(digits) = digits::<10>(text) else { return false };
    let month = two(&digits, 2);
    let month = if month > 40 { month - 40 } else { month % 20 };
    let check = weigh(&digits[..9], &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    day_month(two(&digits, 4), month) && check == digits[9]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_hold() {
        for (check, text) in [
            (pesel as fn(&[u8]) -> bool, "44051401359"),
            (pesel, "02070803628"),
            (rodne_cislo, "7103192745"),
            (rodne_cislo, "991231123"),
            (taj, "111111110"),
            (cnp, "1630615123457"),
            (egn, "7523169263"),
        ] {
            assert_eq!(check(text.as_bytes()), text != "991231123", "{text}");
        }
    }
}
