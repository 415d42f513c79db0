//! Payment cards: ranges and lengths of the networks (ISO/IEC 7812-1 numbers), Luhn's check digit. Written whole, or in the groups that
//! stand on cards, with gaps of one sort.

use crate::check;
use crate::edge;
use crate::hit::{Certainty, Hit};
use crate::shape::Shape;

const SHAPES: [Shape; 7] = [
    Shape::new("9999 9999 9999 9999"),
    Shape::new("9999 999999 99999"),
    Shape::new("9999 999999 9999"),
    Shape::new("9999 9999 9999 9999 999"),
    Shape::new("999999 9999999999999"),
    Shape::new("9999999999999"),
    Shape::new("99999999 99999999"),
];

/// The first six digits, from and to, and the lengths.
const RANGES: [(u64, u64, &[usize]); 17] = [
    (180_000, 180_099, &[15]), // JCB, of old
    (213_100, 213_199, &[15]),
    (220_000, 220_499, &[16, 19]), // Mir
    (222_100, 272_099, &[16]),     // Mastercard
    (300_000, 305_999, &[14, 16]), // Diners
    (309_500, 309_599, &[14, 16]),
    (340_000, 349_999, &[15]),         // American Express
    (350_000, 359_999, &[16, 19]),     // JCB
    (360_000, 369_999, &[14, 16, 19]), // Diners
    (370_000, 379_999, &[15]),         // American Express
    (380_000, 399_999, &[14, 16, 19]), // Diners
    (400_000, 499_999, &[13, 16, 19]), // Visa
    (500_000, 509_999, &[16, 19]),     // Maestro, RuPay
    (510_000, 559_999, &[16]),         // Mastercard
    (560_000, 589_999, &[16, 19]),     // Maestro
    (600_000, 699_999, &[16, 19]),     // Discover, UnionPay, Maestro, RuPay
    (810_000, 829_999, &[16, 19]),     // UnionPay, RuPay
];

/// The card whose number begins with the token `start..end`, all of digits.
pub(crate) fn at(text: &str, (start, end): (usize, usize), rule: usize) -> Option<Hit> {
    if !matches!(end - start, 4 | 6 | 8 | 13..=19) || !edge::is_left(text, start) {
        return None;
    }
    if end - start > 8 {
        let number = text.as_bytes().get(start..end)?;
        return (is_card(number) && edge::is_right(text, end))
            .then(|| Hit::new(rule, start, end, Certainty::Checked));
    }
    SHAPES.iter().find_map(|shape| {
        let (end, compact) = shape.stands(text, start)?;
        let is_number = !check::is_fraction(text.get(start..end)?) && edge::is_right(text, end);
        (is_number && is_card(compact.bytes())).then(|| Hit::new(rule, start, end, Certainty::Checked))
    })
}

fn is_card(number: &[u8]) -> bool {
    let Some(first) = number.get(..6).and_then(check::number) else { return false };
    let fits = |(from, to, lengths): &(u64, u64, &[usize])| {
        (*from..=*to).contains(&first) && lengths.contains(&number.len())
    };
    RANGES.iter().any(fits) && check::luhn(number)
}
