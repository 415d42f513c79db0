//! Finds personal data in text: e-mail addresses, telephone numbers, IBANs, payment cards, IP addresses, national numbers, names
//! from a list, and what else a policy describes. Pure: no I/O, no clock.

mod kind;

pub use kind::Kind;
