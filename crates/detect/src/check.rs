//! Check digits and dates. All take the characters of a number, without gaps.

/// The values of digits; `None` if there is anything else.
pub(crate) fn digits<const N: usize>(text: &[u8]) -> Option<[u32; N]> {
    let text: &[u8; N] = text.try_into().ok()?;
    let mut digits = [0; N];
    for (digit, byte) in digits.iter_mut().zip(text) {
        *digit = char::from(*byte).to_digit(10)?;
    }
    Some(digits)
}

/// The number that decimal digits write: at most 18 of them.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let is_short = text.len() <= 18;
    text.iter()
        .try_fold(0_u64, |sum, byte| Some(sum * 10 + u64::from(char::from(*byte).to_digit(10)?)))
        .filter(|_| is_short)
}

/// The sum of digits, each times its weight.
pub(crate) fn weigh(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Luhn's check digit (ISO/IEC 7812-1, annex B).
pub(crate) fn luhn(text: &[u8]) -> bool {
    let mut sum = 0;
    for (at, byte) in text.iter().rev().enumerate() {
        let Some(digit) = char::from(*byte).to_digit(10) else { return false };
        sum += match at % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        };
    }
    sum % 10 == 0
}

/// ISO 7064, mod 97-10: letters count as 10 to 35.
pub(crate) fn mod_97(text: impl Iterator<Item = u8>) -> Option<u32> {
    let mut rest = 0;
    for byte in text {
        let value = char::from(byte).to_digit(36)?;
        rest = (rest * if value > 9 { 100 } else { 10 } + value) % 97;
    }
    Some(rest)
}

/// ISO 7064, mod 11,10.
pub(crate) fn mod_11_10(digits: &[u32]) -> bool {
    let Some((last, first)) = digits.split_last() else { return false };
    let mut product = 10;
    for digit in first {
        let sum = match (digit + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = sum * 2 % 11;
    }
    (11 - product) % 10 == *last
}

/// Verhoeff's check digit, the last of these digits.
pub(crate) fn verhoeff(digits: &[u32]) -> bool {
    const TIMES: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const TURN: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let turned =
        |digit: u32, times: usize| (0..times % 8).fold(digit as usize, |at, _| usize::from(TURN[at]));
    let places = digits.iter().rev().enumerate();
    places.fold(0, |sum, (at, digit)| usize::from(TIMES[sum][turned(*digit, at)])) == 0
}

/// Whether a day and month can be: the year is not known, so that 29 February can.
pub(crate) fn day_month(day: u32, month: u32) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Whether digits have one point among them: `1237.010180` is a fraction, and no number in two groups.
pub(crate) fn is_fraction(text: &str) -> bool {
    text.matches('.').count() == 1 && text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
}

/// Whether digits without gaps read as a time of these decades: seconds since 1970, or year, month, day, hour and minute.
pub(crate) fn is_time(text: &[u8]) -> bool {
    let part = |from: usize| text.get(from..from + 2).and_then(number).unwrap_or(u64::MAX);
    match (text.len(), number(text)) {
        (10, Some(seconds)) => (1_500_000_000..2_200_000_000).contains(&seconds),
        (12, Some(_)) => part(0) == 20 && (10..40).contains(&part(2)) && part(8) < 24 && part(10) < 60,
        _ => false,
    }
}

/// Two digits.
pub(crate) fn two(digits: &[u32], at: usize) -> u32 {
    digits[at] * 10 + digits[at + 1]
}
