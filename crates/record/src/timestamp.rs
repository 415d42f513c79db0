//! Points in time.

use std::str::FromStr;

use time::{Date, Month, OffsetDateTime, Time};

use crate::digest::ascii;
use crate::member::{FieldType, Member};
use crate::text::{TextError, text_form};

/// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted; reaches to the year 2554.
///
/// Its text is RFC 3339 in UTC with exactly nine fractional digits: `2026-07-27T09:30:00.000000001Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
const TEXT_LEN: usize = 30;

impl Timestamp {
    /// The time `millis` milliseconds after 1970; times beyond the year 2554 become the last one.
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since 1970.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The UTC day, days since 1970-01-01.
    pub const fn day(self) -> u32 {
        (self.0 / NANOS_PER_SECOND / SECONDS_PER_DAY) as u32
    }

    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        let moment = OffsetDateTime::UNIX_EPOCH + std::time::Duration::from_nanos(self.0);
        let (year, month, day) = moment.to_calendar_date();
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        digits(&mut text[0..4], year.unsigned_abs());
        digits(&mut text[5..7], u8::from(month).into());
        digits(&mut text[8..10], day.into());
        digits(&mut text[11..13], moment.hour().into());
        digits(&mut text[14..16], moment.minute().into());
        digits(&mut text[17..19], moment.second().into());
        digits(&mut text[20..29], moment.nanosecond());
        write(ascii(&text))
    }
}

/// Writes `number` right-aligned in decimal.
fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl FromStr for Timestamp {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Timestamp, TextError> {
        parse(text.as_bytes()).ok_or_else(|| TextError::new("time", TIME_FORM, text))
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (29, b'Z')];
    if text.len() != TEXT_LEN || separators.iter().any(|(at, byte)| text[*at] != *byte) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().try_fold(0u32, |number, byte| match byte {
            b'0'..=b'9' => Some(number * 10 + u32::from(byte - b'0')),
            _ => None,
        })
    };
    let small = |from, to| u8::try_from(number(from, to)?).ok();
    let month = Month::try_from(small(5, 7)?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, small(8, 10)?).ok()?;
    let time = Time::from_hms_nano(small(11, 13)?, small(14, 16)?, small(17, 19)?, number(20, 29)?).ok()?;
    u64::try_from(date.with_time(time).assume_utc().unix_timestamp_nanos()).ok().map(Timestamp)
}

const TIME_FORM: &str = "RFC 3339 in UTC with nine fractional digits";
text_form!(Timestamp, TIME_FORM);
impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
impl Member for Timestamp {
    const TYPE: FieldType = FieldType::Time;
}
