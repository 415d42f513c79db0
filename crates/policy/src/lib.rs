//! What a system's record keeps, for how long, and what of it is personal: a policy, read, checked and explained in plain words.
//! Pure: no I/O, no clock.
//!
//! [`Policy::parse`] takes what is well formed, [`Policy::check`] says what of it the law, or the policy itself, speaks against. A policy
//! with a finding of [`Severity::Refused`] is not put in force.

mod check;
mod error;
mod explain;
mod parse;
mod period;
mod policy;
mod presets;
mod words;

pub use check::{Finding, Severity, is_own};
pub use error::PolicyError;
pub use explain::{Explanation, Item, Row, Section};
pub use parse::{CLASSES_MAX, POLICY_BYTES_MAX, RULES_MAX};
pub use period::{LEGAL_FLOOR, PERIOD_YEARS_MAX, Period, PeriodError};
pub use policy::{
    CaptureRule, DetectorRule, Erasable, Failure, FieldAction, Method, Policy, Price, Profile, Retention,
    Sample, Stratum, Unreadable,
};
pub use presets::{PRESETS, Preset};
