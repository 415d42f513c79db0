//! What an authority, or whoever answers in its name, may send.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use std::sync::LazyLock;

use inferlog_timestamp::{Roots, inspect, verify};

const MESSAGE: &[u8] = include_bytes!("../../fixtures/v1/timestamp/good/checkpoint-text");
const RSA: &[u8] = include_bytes!("../../fixtures/v1/timestamp/good/rsa.tsr");
const ECDSA: &[u8] = include_bytes!("../../fixtures/v1/timestamp/good/ecdsa.tsr");
const NONCE: u64 = 0xfedc_ba98_7654_3210;

static ROOTS: LazyLock<Roots> =
    LazyLock::new(|| Roots::from_pem(include_bytes!("../../fixtures/v1/timestamp/good/roots.pem")).unwrap());

/// A response. What is believed is what the authority signed.
pub fn timestamps(data: &[u8]) {
    _ = inspect(data, MESSAGE);
    if let Ok(stamp) = verify(data, MESSAGE, Some(NONCE), &ROOTS) {
        let signed = [RSA, ECDSA].map(|good| verify(good, MESSAGE, Some(NONCE), &ROOTS).unwrap());
        assert!(signed.contains(&stamp), "a time that was never stamped");
    }
    _ = Roots::from_pem(data);
}
