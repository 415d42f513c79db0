//! Germany, Austria, Switzerland, France, Belgium, the Netherlands, Luxembourg, Ireland, the United Kingdom, the United States.

use super::{SURE, Sort};
use crate::check::{day_month, digits, luhn, mod_11_10, number, two, verhoeff, weigh};
use crate::shape::Shape;

pub(super) const SORTS: &[Sort] = &[
    Sort {
        country: "DE",
        shapes: &[Shape::new("99 999 999 999"), Shape::new("99999999999")],
        check: steuer_id,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "DE",
        shapes: &[Shape::new("99 999999 A 999"), Shape::new("99 99 99 99 A 99 9")],
        check: rentenversicherung,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "AT",
        shapes: &[Shape::new("9999 999999"), Shape::new("9999 99 99 99")],
        check: sozialversicherung,
        sure: SURE,
        cues: &["svnr", "sv-nr", "sozialversicherung", "versicherungsn"],
    },
    Sort { country: "CH", shapes: &[Shape::new("999 9999 9999 99")], check: ahv, sure: SURE, cues: &[] },
    Sort {
        country: "FR",
        shapes: &[
            Shape::new("9 99 99 9N 999 999 99"),
            Shape::new("9 99 99 9N 999 999"),
            Shape::new("9999999N999999 99"),
        ],
        check: nir,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "BE",
        shapes: &[Shape::new("99.99.99-999.99"), Shape::new("999999 999 99"), Shape::new("99 99 99 999 99")],
        check: rijksregister,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "NL",
        shapes: &[Shape::new("999999999"), Shape::new("9999 99 999"), Shape::new("999 999 999")],
        check: bsn,
        sure: 0,
        cues: &["bsn", "burgerservicenummer", "burger service nummer", "sofi", "citizen service"],
    },
    Sort {
        country: "LU",
        shapes: &[Shape::new("9999 99 99 999 99"), Shape::new("99999999 99999")],
        check: matricule,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "IE",
        shapes: &[Shape::new("9999999A"), Shape::new("9999999AA")],
        check: pps,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "GB",
        shapes: &[Shape::new("AA 99 99 99 A"), Shape::new("AA 999999 A"), Shape::new("AA 999 999 A")],
        check: nino,
        sure: SURE,
        cues: &[],
    },
    Sort { country: "GB", shapes: &[Shape::new("999 999 9999")], check: nhs, sure: 0, cues: &["nhs"] },
    Sort {
        country: "US",
        shapes: &[Shape::new("999-99-9999"), Shape::new("999 99 9999")],
        check: ssn,
        sure: 1,
        cues: &["ssn", "social", "itin", "taxpayer"],
    },
];

/// Identifikationsnummer, § 139b AO: one digit two or three times among the first ten; ISO 7064 mod 11,10.
fn steuer_id(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    let mut counts = [0; 10];
    digits[..10].iter().for_each(|digit| counts[*digit as usize] += 1);
    let repeated: Vec<u32> = counts.into_iter().filter(|count| *count > 1).collect();
    digits[0] != 0 && matches!(repeated[..], [2 | 3]) && mod_11_10(&digits)
}

/// Versicherungsnummer, § 2 VKVV: area, date of birth, letter, serial number, check digit.
fn rentenversicherung(text: &[u8]) -> bool {
    let (Some(first), Some(letter), Some(last)) =
        (text.get(..8).and_then(digits::<8>), text.get(8), text.get(9..).and_then(digits::<3>))
    else {
        return false;
    };
    if !letter.is_ascii_uppercase() {
        return false;
    }
    let letter = u32::from(letter - b'A') + 1;
    let all = first.into_iter().chain([letter / 10, letter % 10]).chain([last[0], last[1]]);
    let sum: u32 = all.zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]).map(|(d, w)| d * w / 10 + d * w % 10).sum();
    let (area, day) = (two(&first, 0), two(&first, 2));
    // Where two persons would share a number a day above 31 is given.
    area > 1 && (1..=31).contains(&(day % 50)) && (1..=12).contains(&two(&first, 4)) && sum % 10 == last[2]
}

/// Sozialversicherungsnummer, § 31 ASVG.
fn sozialversicherung(text: &[u8]) -> bool {
    let Some(digits) = digits::<10>(text) else { return false };
    let weights = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];
    let (day, month) = (two(&digits, 4), two(&digits, 6));
    // Months above 12 where a day's numbers are used up.
    digits[0] != 0
        && (1..=31).contains(&day)
        && (1..=15).contains(&month)
        && weigh(&digits, &weights) % 11 == digits[3]
}

/// AHV-Nummer, Article 50c AHVG: 756, and the check digit of EAN-13.
fn ahv(text: &[u8]) -> bool {
    let Some(digits) = digits::<13>(text) else { return false };
    text.starts_with(b"756") && weigh(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// Numéro d'inscription au répertoire: key 97 − (number mod 97); Corsica's 2A and 2B count as 19 and 18. Without its key it has
/// 13 characters, and none are taken.
fn nir(text: &[u8]) -> bool {
    let Some((body, key)) = text.split_at_checked(13).filter(|(_, key)| key.len() == 2) else { return false };
    let mut body = body.to_vec();
    match &body[5..7] {
        b"2A" => body[5..7].copy_from_slice(b"19"),
        b"2B" => body[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    let (Some(value), Some(key), Some(month)) = (number(&body), number(key), number(&body[3..5])) else {
        return false;
    };
    let is_month = matches!(month, 1..=12 | 20..=42 | 50..=99);
    matches!(body[0], b'1'..=b'4' | b'7' | b'8') && is_month && 97 - value % 97 == key
}

/// Rijksregisternummer, numéro national: 97 − (number mod 97), with a 2 before it from the year 2000 on.
fn rijksregister(text: &[u8]) -> bool {
    let (Some(digits), Some(body), Some(key)) =
        (digits::<11>(text), text.get(..9).and_then(number), text.get(9..).and_then(number))
    else {
        return false;
    };
    // Months above 12 are bis numbers.
    let month = two(&digits, 2) % 20;
    let is_date = month <= 12 && two(&digits, 4) <= 31;
    is_date && [body, body + 2_000_000_000].iter().any(|value| 97 - value % 97 == key)
}

/// Burgerservicenummer: the eleven test.
fn bsn(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let sum = weigh(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]);
    let is_some = digits[..8].iter().any(|digit| *digit != 0);
    is_some && sum % 11 == digits[8]
}

/// Matricule: date of birth, three digits, check digits of Luhn and Verhoeff.
fn matricule(text: &[u8]) -> bool {
    let Some(digits) = digits::<13>(text) else { return false };
    let mut other = digits[..11].to_vec();
    other.push(digits[12]);
    let year = two(&digits, 0) * 100 + two(&digits, 2);
    (1850..2100).contains(&year)
        && day_month(two(&digits, 6), two(&digits, 4))
        && luhn(&text[..12])
        && verhoeff(&other)
}

/// Personal Public Service number: weights 8 to 2, and 9 for the second letter; mod 23.
fn pps(text: &[u8]) -> bool {
    let Some(digits) = text.get(..7).and_then(digits::<7>) else { return false };
    let second = match text.get(8) {
        None | Some(b'W') => 0,
        Some(letter @ b'A'..=b'I') => u32::from(letter - b'A') + 1,
        Some(_) => return false,
    };
    let sum = weigh(&digits, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    text.get(7) == b"WABCDEFGHIJKLMNOPQRSTUV".get(sum as usize % 23)
}

/// National Insurance number (HMRC NIM39110): no check digit.
fn nino(text: &[u8]) -> bool {
    let [first, second, .., last] = text else { return false };
    let prefix = [*first, *second];
    !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && ![*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"].contains(&prefix)
        && (b'A'..=b'D').contains(last)
}

/// NHS number: mod 11.
fn nhs(text: &[u8]) -> bool {
    let Some(digits) = digits::<10>(text) else { return false };
    let check = 11 - weigh(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits[0] != 0 && check % 11 == digits[9] && check != 10
}

/// Social Security number, and taxpayers' numbers of the same form (20 CFR 422.103; no check digit): which there are.
fn ssn(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let (area, group, serial) =
        (two(&digits, 0) * 10 + digits[2], two(&digits, 3), two(&digits, 5) * 100 + two(&digits, 7));
    let is_taxpayer = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    let is_person = area != 0 && area != 666 && area < 900 && group != 0;
    (is_person || is_taxpayer) && serial != 0 && text.iter().any(|digit| *digit != text[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_hold() {
        for (check, text) in [
            (steuer_id as fn(&[u8]) -> bool, "86095742719"),
            (rentenversicherung, "15070649C103"),
            (sozialversicherung, "1237010180"),
            (ahv, "7569217076985"),
            (nir, "295109912611193"),
            (rijksregister, "85073003328"),
            (bsn, "111222333"),
            (matricule, "1893120105732"),
            (pps, "6433435F"),
            (pps, "6433435OA"),
            (nino, "AB123456C"),
            (nhs, "9434765919"),
            (ssn, "536904399"),
        ] {
            assert!(check(text.as_bytes()), "{text}");
            for at in 0..text.len() {
                let mut other = text.as_bytes().to_vec();
                other[at] = if other[at] == b'4' { b'9' } else { b'4' };
                check(&other);
                check(&other[..at]);
            }
        }
    }
}
