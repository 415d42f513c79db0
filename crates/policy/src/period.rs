//! Periods of the calendar.

/// A period: `6 months`, `184 days`, `10 years`. Months and years are those of the UTC calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// Days of 24 hours.
    Days(u32),
    /// Calendar months: the same day, or the month's last where there is none.
    Months(u32),
}
