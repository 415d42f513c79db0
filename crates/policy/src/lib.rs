//! What a system's record keeps, for how long, and what of it is personal: a policy, read, checked and explained in plain words.
//! Pure: no I/O, no clock.

mod period;
mod policy;

pub use period::Period;
pub use policy::{
    CaptureRule, DetectorRule, Erasable, Failure, FieldAction, Method, Policy, Price, Profile, Retention,
    Sample, Stratum,
};
