//! Fuzz targets: one function per reader of bytes that come from outside, from a disk or from another party.
//!
//! Each takes any bytes, must not panic, and asserts what must hold of every input: what is read is written back, what is
//! believed was signed, sealed or sent. Formats with a checksum are tried twice, as they are and with the checksum made to
//! fit, so that what lies behind it is reached.
//!
//! The long form is libFuzzer, by hand. The short form runs the same functions on the seeds and on mutations of them
//! ([`short`]), as an ordinary test of the crate that each module is named after: `cargo test -p inferlog-log --test fuzz`.

pub mod bundle;
pub mod capture;
pub mod log;
pub mod merkle;
pub mod record;
pub mod short;
pub mod timestamp;
pub mod vault;
pub mod witness;
