//! Spain, Portugal, Italy, Greece, Croatia, Slovenia.

use super::{SURE, Sort};
use crate::check::{day_month, digits, luhn, mod_11_10, number, two, weigh};
use crate::shape::Shape;

pub(super) const SORTS: &[Sort] = &[
    Sort {
        country: "ES",
        shapes: &[
            Shape::new("99999999A"),
            Shape::new("99999999 A"),
            Shape::new("99.999.999 A"),
            Shape::new("99.999.999-A"),
        ],
        check: dni,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "ES",
        shapes: &[Shape::new("A9999999A"), Shape::new("A 9999999 A")],
        check: nie,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "PT",
        shapes: &[Shape::new("999999999"), Shape::new("999 999 999")],
        check: nif,
        sure: 0,
        cues: &["nif", "contribuinte", "fiscal"],
    },
    Sort {
        country: "PT",
        shapes: &[Shape::new("99999999 9 NN9"), Shape::new("99999999 9NN9")],
        check: cartao,
        sure: SURE,
        cues: &[],
    },
    Sort {
        country: "IT",
        shapes: &[Shape::new("AAAAAANNANNANNNA"), Shape::new("AAA AAA NNANN ANNNA")],
        check: codice_fiscale,
        sure: SURE,
        cues: &[],
    },
    Sort { country: "GR", shapes: &[Shape::new("999999 99999")], check: amka, sure: SURE, cues: &[] },
    Sort {
        country: "GR",
        shapes: &[Shape::new("999999999")],
        check: afm,
        sure: 0,
        cues: &["αφμ", "α.φ.μ", "afm"],
    },
    Sort { country: "HR", shapes: &[Shape::new("99999999999")], check: oib, sure: 0, cues: &["oib"] },
    Sort { country: "SI", shapes: &[Shape::new("9999999999999")], check: emso, sure: SURE, cues: &[] },
];

const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Documento nacional de identidad: the letter is the number mod 23 (Real Decreto 1553/2005).
fn dni(text: &[u8]) -> bool {
    let value = text.get(..8).and_then(number);
    value.is_some_and(|value| text.get(8) == LETTERS.get(value as usize % 23))
}

/// Número de identidad de extranjero: X, Y and Z count as 0, 1 and 2.
fn nie(text: &[u8]) -> bool {
    let Some(first) = text.first().and_then(|first| b"XYZ".iter().position(|letter| letter == first)) else {
        return false;
    };
    let value = text.get(1..8).and_then(number);
    value.is_some_and(|value| text.get(8) == LETTERS.get((first * 10_000_000 + value as usize) % 23))
}

/// Número de identificação fiscal: mod 11.
fn nif(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let check = 11 - weigh(&digits[..8], &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    // 45 begins those of persons who live abroad, 7 those of estates among others.
    let is_given = matches!(digits[0], 1..=3 | 5..=9) || text.starts_with(b"45");
    is_given && digits[8] == if check > 9 { 0 } else { check }
}

/// Número de documento of the cartão de cidadão: letters count as 10 to 35, every second from the right is doubled.
fn cartao(text: &[u8]) -> bool {
    let has_letters = text.get(9..11).is_some_and(|letters| letters.iter().any(u8::is_ascii_alphabetic));
    let values: Option<Vec<u32>> = text.iter().map(|byte| char::from(*byte).to_digit(36)).collect();
    let double = |value: u32| if value * 2 > 9 { value * 2 - 9 } else { value * 2 };
    let sum = |values: Vec<u32>| -> u32 {
        let from_right = values.into_iter().rev().enumerate();
        from_right.map(|(at, value)| if at % 2 == 1 { double(value) } else { value }).sum()
    };
    has_letters && text.len() == 12 && values.is_some_and(|values| sum(values) % 10 == 0)
}

/// Codice fiscale (Decreto ministeriale 23/12/1976): its check letter, with the letters that stand for digits where two persons
/// would share one.
fn codice_fiscale(text: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((last, first)) = text.split_last().filter(|(_, first)| first.len() == 15) else { return false };
    let value = |byte: &u8| match byte {
        b'0'..=b'9' => Some(usize::from(byte - b'0')),
        b'A'..=b'Z' => Some(usize::from(byte - b'A')),
        _ => None,
    };
    let is_digit = |at: &usize| text[*at].is_ascii_digit() || b"LMNPQRSTUV".contains(&text[*at]);
    if ![6, 7, 9, 10, 12, 13, 14].iter().all(is_digit) || !b"ABCDEHLMPRST".contains(&text[8]) {
        return false;
    }
    let mut sum = 0;
    for (at, byte) in first.iter().enumerate() {
        let Some(value) = value(byte) else { return false };
        sum += if at % 2 == 0 { ODD[value] } else { value as u32 };
    }
    u32::from(*last) == u32::from(b'A') + sum % 26
}

/// Arithmós Mitróou Koinonikís Asfálisis: date of birth, Luhn.
fn amka(text: &[u8]) -> bool {
    let Some(digits) = digits::<11>(text) else { return false };
    day_month(two(&digits, 0), two(&digits, 2)) && luhn(text)
}

/// Arithmós Forologikoú Mitróou: powers of two, mod 11.
fn afm(text: &[u8]) -> bool {
    let Some(digits) = digits::<9>(text) else { return false };
    let sum = weigh(&digits[..8], &[256, 128, 64, 32, 16, 8, 4, 2]);
    text.iter().any(|digit| *digit != b'0') && sum % 11 % 10 == digits[8]
}

/// Osobni identifikacijski broj: ISO 7064 mod 11,10.
fn oib(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|digits| mod_11_10(&digits))
}

/// Enotna matična številka občana: date of birth, region, mod 11.
fn emso(text: &[u8]) -> bool {
    let Some(digits) = digits::<13>(text) else { return false };
    let check = (11 - weigh(&digits[..12], &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10;
    let is_year = matches!(digits[4], 9 | 0);
    is_year && day_month(two(&digits, 0), two(&digits, 2)) && check == digits[12]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_hold() {
        for (check, text) in [
            (dni as fn(&[u8]) -> bool, "54362315K"),
            (nie, "X2482300W"),
            (nif, "501964843"),
            (nif, "454990901"),
            (cartao, "000000000ZZ4"),
            (codice_fiscale, "RCCMNL83S18D969H"),
            (codice_fiscale, "RSSMRA85T10A562S"),
            (amka, "01013099997"),
            (afm, "094259216"),
            (oib, "33392005961"),
            (emso, "0101006500006"),
            (emso, "0902965507390"),
        ] {
            assert!(check(text.as_bytes()), "{text}");
        }
    }
}
