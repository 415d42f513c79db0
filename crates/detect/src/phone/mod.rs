//! Telephone numbers. International ones (ITU-T E.164) begin with `+` or `00` and an assigned country code; national ones are looked
//! for as they are written in the countries that the policy names. A form that other numbers have too needs a cue before it.

mod plans;

use crate::cue;
use crate::edge;
use crate::hit::{Certainty, Hit};
use crate::{DetectError, check};
use plans::{National, PLANS, Plan, codes};
use std::cell::OnceCell;

/// The fewest digits of a national number: Luxembourg's.
const NATIONAL_DIGITS_MIN: usize = 6;
/// Digits of an E.164 number, the country code included.
const DIGITS_MAX: usize = 15;
/// Letters and digits of a group before a number that makes it a part of something longer.
const GROUP_BYTES_MIN: usize = 4;
/// Groups of a number that are looked at.
const GROUPS_MAX: usize = 8;

const CUES: &[&str] = &[
    "phone",
    "tel",
    "telephone",
    "mobile",
    "cell",
    "call",
    "fax",
    "mob",
    "sms",
    "text me",
    "whatsapp",
    "dial",
    "contact",
    "telefon",
    "mobil",
    "handy",
    "rufnummer",
    "anruf",
    "ruf",
    "téléphone",
    "portable",
    "appel",
    "numéro de tél",
    "gsm",
    "teléfono",
    "telefono",
    "móvil",
    "movil",
    "llama",
    "llám",
    "cellulare",
    "cell.",
    "chiam",
    "telefoon",
    "bel ",
    "bereikbaar",
    "telefone",
    "telemóvel",
    "telemovel",
    "celular",
    "ligue",
    "komórk",
    "zadzwo",
    "puhelin",
    "soita",
    "ring ",
    "ringe",
    "tlf",
    "puh",
    "hotline",
    "msisdn",
    "τηλ",
    "κινητό",
    "тел",
    "телефон",
    "моб",
];

/// What stands behind an amount.
const CURRENCIES: &[&str] = &[
    "€", "$", "£", "EUR", "USD", "GBP", "CHF", "PLN", "CZK", "HUF", "DKK", "NOK", "SEK", "RON", "BGN", "Kč",
    "zł", "kr", "Ft",
];

/// What is looked for in a system's text.
#[derive(Debug)]
pub(crate) struct Phone {
    plans: Vec<&'static Plan>,
}

/// The countries whose national forms are known (ISO 3166-1).
pub fn countries() -> impl Iterator<Item = &'static str> {
    let is_first = |at: &usize| PLANS[..*at].iter().all(|plan| plan.country != PLANS[*at].country);
    (0..PLANS.len()).filter(is_first).map(|at| PLANS[at].country)
}

impl Phone {
    pub(crate) fn new(name: &str, wanted: &[String]) -> Result<Self, DetectError> {
        let mut plans = Vec::new();
        for country in wanted {
            let before = plans.len();
            plans.extend(PLANS.iter().filter(|plan| plan.country.eq_ignore_ascii_case(country)));
            if plans.len() == before {
                return Err(DetectError::Country {
                    name: name.to_owned(),
                    what: "telephone numbers",
                    country: country.clone(),
                    known: countries().collect::<Vec<_>>().join(" "),
                });
            }
        }
        Ok(Self { plans })
    }

    /// The telephone number whose first digits are the token `start..end`.
    pub(crate) fn at(
        &self,
        text: &str,
        (start, end): (usize, usize),
        field: &str,
        rule: usize,
    ) -> Option<Hit> {
        let bytes = text.as_bytes();
        if end - start > DIGITS_MAX + 2 || !bytes[start..end].iter().all(u8::is_ascii_digit) {
            return None;
        }
        let is_plus = start > 0 && bytes[start - 1] == b'+';
        if !is_plus && goes_on(bytes, start) {
            return None;
        }
        let groups = Groups::gather(text, start);
        if let Some(hit) = international(text, start, &groups, rule) {
            return Some(hit);
        }
        let start = groups.start;
        if !groups.can_be_national() {
            return None;
        }
        if self.plans.is_empty() || !edge::is_left(text, start) || groups.is_date() || is_price(text, start) {
            return None;
        }
        let cue = OnceCell::new();
        let has_cue = || *cue.get_or_init(|| cue::is_before(text, start, field, CUES));
        let found =
            self.plans.iter().filter_map(|plan| plan.national.stands(text, &groups, &has_cue)).max()?;
        if is_amount(text, start, found) {
            return None;
        }
        Some(Hit::new(rule, start, found, Certainty::Form))
    }
}

/// A number with its country code, behind `+`, `(+` or `00`.
fn international(text: &str, start: usize, groups: &Groups, rule: usize) -> Option<Hit> {
    let bytes = text.as_bytes();
    let before = start.checked_sub(1).map(|at| bytes[at]);
    let (first, skip) = match before {
        Some(b'+') => (start - 1, 0),
        // `%2B` of URLs is `+`: its B is a letter of the same run, and this is no run of digits then.
        _ if groups.digits().starts_with(b"00") => (groups.start, 2),
        _ => return None,
    };
    let first = if first > 0 && bytes[first - 1] == b'(' { first - 1 } else { first };
    let is_open = edge::is_left(text, first) || bytes.get(first.wrapping_sub(1)) == Some(&b':');
    let number = groups.digits().get(skip..)?;
    let (code, (min, max)) = codes(number)?;
    let mut found = None;
    for group in groups.list() {
        let digits = groups.digits().get(skip..group.digits)?;
        let trunk = usize::from(group.trunk);
        let national = digits.len().checked_sub(code + trunk);
        let fits = national.is_some_and(|len| (min..=max).contains(&len));
        if fits && edge::is_right(text, group.end) {
            found = Some(group.end);
        }
    }
    let is_zeros = number.iter().skip(code).all(|digit| *digit == b'0');
    found.filter(|_| is_open && !is_zeros).map(|end| Hit::new(rule, first, end, Certainty::Shape))
}

/// Whether what stands one gap before is a longer group with digits: this is one of its further groups then.
fn goes_on(bytes: &[u8], start: usize) -> bool {
    let Some(end) = start.checked_sub(1).filter(|end| edge::gap(bytes, *end).is_some()) else { return false };
    let group =
        bytes[..end].iter().rev().take(GROUP_BYTES_MIN).take_while(|byte| byte.is_ascii_alphanumeric());
    let (len, digits) =
        group.fold((0, 0), |(len, digits), byte| (len + 1, digits + usize::from(byte.is_ascii_digit())));
    len == GROUP_BYTES_MIN && digits * 2 >= len
}

/// A price, or an amount.
fn is_price(text: &str, start: usize) -> bool {
    let before = text.get(..start).unwrap_or_default().trim_end_matches(' ');
    before.ends_with(['$', '€', '£', '¥', '#'])
}

/// Whether groups go on as amounts do: `694.777.390,57`, `694 777 390 EUR`.
fn is_amount(text: &str, start: usize, end: usize) -> bool {
    let (number, rest) = (text.get(start..end).unwrap_or_default(), text.get(end..).unwrap_or_default());
    let decimals = rest.strip_prefix(',').map(|rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let is_currency = |currency: &&str| {
        let unit = rest.trim_start_matches([' ', '\u{a0}', '\u{202f}']).strip_prefix(*currency);
        unit.is_some_and(|after| !after.starts_with(char::is_alphanumeric))
    };
    number.contains('.') && matches!(decimals, Some(1 | 2)) || CURRENCIES.iter().any(is_currency)
}

/// Whether more digits stand a space before or after groups of digits: a row of a table, an array.
fn is_series(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let before = start.checked_sub(2).and_then(|from| bytes.get(from..start));
    matches!(before, Some([b'0'..=b'9', b' '])) || matches!(bytes.get(end..), Some([b' ', b'0'..=b'9', ..]))
}

/// Groups of digits and what they add up to.
pub(crate) struct Groups {
    /// Where the number begins: an opening parenthesis included.
    start: usize,
    digits: [u8; DIGITS_MAX + 2],
    list: [Group; GROUPS_MAX],
    len: usize,
}

#[derive(Clone, Copy, Default)]
struct Group {
    /// Digits up to its end.
    digits: usize,
    /// Where it ends in the text, a closing parenthesis included.
    end: usize,
    /// Whether a `(0)` is among the digits up to its end.
    trunk: bool,
}

impl Groups {
    fn gather(text: &str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let mut groups =
            Self { start, digits: [0; DIGITS_MAX + 2], list: [Group::default(); GROUPS_MAX], len: 0 };
        let mut is_open = start > 0 && bytes[start - 1] == b'(';
        if is_open {
            groups.start = start - 1;
        }
        // `(+358) 9 1234567`.
        is_open |= start > 1 && bytes[start - 2..start] == *b"(+";
        let (mut at, mut count, mut trunk) = (start, 0, false);
        while groups.len < GROUPS_MAX {
            let len =
                bytes[at..].iter().take(DIGITS_MAX + 3).take_while(|byte| byte.is_ascii_digit()).count();
            let Some(room) = groups.digits.get_mut(count..count + len).filter(|_| len > 0) else { break };
            room.copy_from_slice(&bytes[at..at + len]);
            count += len;
            at += len;
            if is_open && bytes.get(at) == Some(&b')') {
                trunk |= groups.len > 0 && len == 1 && bytes[at - 1] == b'0';
                (at, is_open) = (at + 1, false);
            }
            groups.list[groups.len] = Group { digits: count, end: at, trunk };
            groups.len += 1;
            let Some((next, opens)) = between(bytes, at) else { break };
            (at, is_open) = (next, is_open || opens);
        }
        groups
    }

    fn digits(&self) -> &[u8] {
        let count = self.list().last().map_or(0, |group| group.digits);
        &self.digits[..count]
    }

    fn list(&self) -> &[Group] {
        &self.list[..self.len]
    }

    /// Whether there are digits enough, and the first group is none of a decimal fraction's: no country's has one digit, but for
    /// North America's 1.
    fn can_be_national(&self) -> bool {
        let first = self.list().first().map_or(0, |group| group.digits);
        self.digits().len() >= NATIONAL_DIGITS_MIN && (first > 1 || self.digits()[0] == b'1')
    }

    /// How many digits each group has.
    fn lengths(&self) -> impl Iterator<Item = usize> {
        let ends = self.list().iter().map(|group| group.digits);
        let starts = std::iter::once(0).chain(ends.clone());
        ends.zip(starts).map(|(end, start)| end - start)
    }

    /// Whether it begins as a date does: `01.05.2024`, `01 05 24`, `2024-05-01`.
    fn is_date(&self) -> bool {
        let mut lengths = self.lengths();
        let at = |from: usize, to: usize| self.digits().get(from..to).and_then(check::number).unwrap_or(0);
        let day_month = |one: u64, other: u64| (1..=31).contains(&one) && (1..=12).contains(&other);
        match (lengths.next(), lengths.next(), lengths.next(), lengths.next()) {
            (Some(2), Some(2), Some(4), _) => {
                (day_month(at(0, 2), at(2, 4)) || day_month(at(2, 4), at(0, 2)))
                    && (1900..2100).contains(&at(4, 8))
            }
            (Some(4), Some(2), Some(2), _) => {
                (1900..2100).contains(&at(0, 4)) && day_month(at(6, 8), at(4, 6))
            }
            _ => false,
        }
    }
}

/// What may stand between two groups: where the next begins, and whether a parenthesis opens it.
fn between(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut next = at;
    if let Some(len) = edge::space(bytes, next) {
        next += len;
    }
    let mark = match bytes.get(next..)? {
        [b'-' | b'.' | b'/', ..] => 1,
        [0xE2, 0x80, 0x90..=0x93, ..] => 3,
        _ => 0,
    };
    next += mark;
    if mark > 0
        && let Some(len) = edge::space(bytes, next)
    {
        next += len;
    }
    let opens = bytes.get(next) == Some(&b'(');
    next += usize::from(opens);
    let is_close = at > 0 && bytes.get(at - 1) == Some(&b')');
    (next > at || is_close)
        .then_some((next, opens))
        .filter(|_| bytes.get(next).is_some_and(u8::is_ascii_digit))
}

impl National {
    /// Where the longest number ends that the groups begin with.
    fn stands(&self, text: &str, groups: &Groups, has_cue: &dyn Fn() -> bool) -> Option<usize> {
        let mut found = None;
        let mut lengths = groups.lengths();
        let first = lengths.next()?;
        for (at, group) in groups.list().iter().enumerate() {
            let digits = groups.digits().get(..group.digits)?;
            let is_alone = !is_series(text, groups.start, group.end);
            if edge::is_right(text, group.end) && self.fits(groups, has_cue, (first, at, is_alone), digits) {
                found = Some(group.end);
            }
            if at > 0
                && groups.lengths().nth(at).is_none_or(|len| len < 2)
                && !matches!((at, self), (1, National::Trunk { .. }))
            {
                break;
            }
        }
        found
    }

    fn fits(
        &self,
        groups: &Groups,
        has_cue: &dyn Fn() -> bool,
        (first, at, is_alone): (usize, usize, bool),
        digits: &[u8],
    ) -> bool {
        match self {
            National::Trunk { prefix, first: firsts, total, whole, whole_total } => {
                if !digits.starts_with(prefix.as_bytes()) || digits.iter().all(|digit| *digit == b'0') {
                    return false;
                }
                if at == 0 {
                    let is_long = (*whole_total.start()..=*whole_total.end()).contains(&digits.len());
                    let is_known = whole.iter().any(|begin| digits.starts_with(begin.as_bytes()));
                    return is_long && (is_known || has_cue())
                        || (total.contains(&digits.len()) && has_cue());
                }
                let is_grouped = firsts.contains(&first) && digits.get(1) != Some(&b'0');
                is_grouped && total.contains(&digits.len())
            }
            National::Shapes { begins, shapes } => {
                let begins = begins.iter().any(|begin| digits.starts_with(begin.as_bytes()));
                let fits = |shape: &[usize]| {
                    shape.len() == at + 1 && groups.lengths().take(at + 1).eq(shape.iter().copied())
                };
                begins && shapes.iter().any(|shape| fits(shape)) && (at > 1 && is_alone || has_cue())
            }
            National::America => america(digits, groups, at) && (at > 0 || has_cue()),
        }
    }
}

/// North America: `(212) 555-0123`, `212-555-0123`, `1 212 555 0123`.
fn america(digits: &[u8], groups: &Groups, at: usize) -> bool {
    let lengths: Vec<usize> = groups.lengths().take(at + 1).collect();
    let number = match (lengths.as_slice(), digits) {
        ([3, 3, 4] | [3, 7] | [10], number) => number,
        ([1, 3, 3, 4] | [11], [b'1', number @ ..]) => number,
        _ => return false,
    };
    let is_paired = lengths != [3, 7] || groups.list()[0].end - groups.start == 5;
    is_paired && number.len() == 10 && number[0] > b'1' && number[3] > b'1'
}
