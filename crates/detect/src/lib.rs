//! Finds personal data in text: e-mail addresses, telephone numbers, IBANs, payment cards, IP addresses, national numbers, names
//! from a list, and what else a policy describes. Pure: no I/O, no clock.
//!
//! **One pass.** What is looked for has an anchor: an at sign, a colon, a digit. Text without anchors costs a scan for bytes.
//! At an anchor a *shape* is tried (how many digits, in which groups), then what the number says of itself: check digits, dates,
//! ranges. No step looks further than a bounded number of bytes from where it stands, so the whole is linear in the text.
//!
//! **Certainty.** A form that much else has too (nine digits in a row) counts only where a *cue* stands before it: a word that
//! people write before such a number, or the name of the field that holds it ([`Detectors::find_in`]).
//!
//! **What is not found** is what stands inside a longer run: of digits, of a UUID, of a hash, of a decimal fraction.

mod card;
mod check;
mod cue;
mod detectors;
mod edge;
mod email;
mod error;
mod hit;
mod iban;
mod ip;
mod kind;
mod names;
mod national;
mod pattern;
mod phone;
mod shape;
mod tokens;

pub use detectors::Detectors;
pub use error::DetectError;
pub use hit::Span;
pub use kind::Kind;
pub use names::{NAME_BYTES_MAX, NAME_WORDS_MAX, NAMES_MAX};
pub use national::countries as national_countries;
pub use pattern::{MATCH_BYTES_MAX, PATTERN_BYTES_MAX, PATTERN_MEMORY_BYTES_MAX};
pub use phone::countries as phone_countries;
