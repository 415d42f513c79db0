//! Periods of the calendar.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use inferlog_record::Timestamp;
use time::{Date, Month, OffsetDateTime};

/// Longest period, years.
pub const PERIOD_YEARS_MAX: u32 = 100;

/// What the AI Act asks for at least (Articles 19(1) and 26(6)): six months. No six months of the calendar are longer than 184 days,
/// and most are shorter.
pub const LEGAL_FLOOR: [Period; 2] = [Period::Months(6), Period::Days(184)];

const DAY_NS: u64 = 86_400_000_000_000;
const DAYS_MAX: u32 = PERIOD_YEARS_MAX * 36_525 / 100;
const MONTHS_MAX: u32 = PERIOD_YEARS_MAX * 12;

/// A period: `6 months`, `184 days`, `10 years`. Months and years are those of the UTC calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// Days of 24 hours.
    Days(u32),
    /// Calendar months: the same day, or the month's last where there is none.
    Months(u32),
}

impl Period {
    /// When it is over that begins at `from`; the last time that there is, if it is over later than that.
    pub fn end(self, from: Timestamp) -> Timestamp {
        let end = match self {
            Self::Days(days) => {
                u64::from(days).checked_mul(DAY_NS).and_then(|ns| ns.checked_add(from.nanos()))
            }
            Self::Months(months) => months_after(from, months),
        };
        Timestamp(end.unwrap_or(u64::MAX))
    }

    /// Whether it is never over before `other` is, whenever both begin.
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Days(own), Self::Days(others)) | (Self::Months(own), Self::Months(others)) => {
                own >= others
            }
            _ => starts().all(|start| self.end(start) >= other.end(start)),
        }
    }

    /// Whether it is never over before the legal floor is ([`LEGAL_FLOOR`]).
    pub fn covers_legal_floor(self) -> bool {
        LEGAL_FLOOR.into_iter().all(|floor| self.covers(floor))
    }
}

fn months_after(from: Timestamp, months: u32) -> Option<u64> {
    let start = (OffsetDateTime::UNIX_EPOCH + Duration::from_nanos(from.nanos())).date();
    let count = u32::try_from(start.year()).ok()?.checked_mul(12)?;
    let count = count.checked_add(u32::from(u8::from(start.month())) - 1)?.checked_add(months)?;
    let year = i32::try_from(count / 12).ok()?;
    let month = Month::try_from(u8::try_from(count % 12 + 1).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, start.day().min(month.length(year))).ok()?;
    let epoch = OffsetDateTime::UNIX_EPOCH.date().to_julian_day();
    let days = u64::try_from(date.to_julian_day() - epoch).ok()?;
    days.checked_mul(DAY_NS)?.checked_add(from.nanos() % DAY_NS)
}

/// The first and the last days of all months of one whole cycle of the calendar: between these no period is longer or shorter.
fn starts() -> impl Iterator<Item = Timestamp> {
    let first = Timestamp(0);
    (0..400 * 12).flat_map(move |month| {
        let begin = Period::Months(month).end(first).nanos();
        (0..5).map(move |before: u64| Timestamp(begin.saturating_sub(before * DAY_NS)))
    })
}

/// What is no period, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no period up to {PERIOD_YEARS_MAX} years: write it as in 184 days, 7 months, 10 years")]
pub struct PeriodError(String);

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let read = || {
            let (number, unit) = text.split_once(' ')?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u32 = number.parse().ok().filter(|_| is_number)?;
            match unit {
                "day" | "days" => Some(Self::Days(number)).filter(|_| number <= DAYS_MAX),
                "month" | "months" => Some(Self::Months(number)).filter(|_| number <= MONTHS_MAX),
                "year" | "years" => {
                    number.checked_mul(12).filter(|months| *months <= MONTHS_MAX).map(Self::Months)
                }
                _ => None,
            }
        };
        read().ok_or_else(|| PeriodError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match *self {
            Self::Days(days) => (days, "day"),
            Self::Months(months) if months > 0 && months % 12 == 0 => (months / 12, "year"),
            Self::Months(months) => (months, "month"),
        };
        write!(f, "{number} {unit}{}", if number == 1 { "" } else { "s" })
    }
}
