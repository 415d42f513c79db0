//! Timestamps of an authority (RFC 3161): requests written, responses verified against roots that the reader trusts. No I/O.
//!
//! [`request`] asks for the time of a message, of which it says the SHA-256 alone. [`verify`] believes a response if all of
//! these hold, and says which does not:
//!
//! | checked | source |
//! | --- | --- |
//! | the authority granted it | RFC 3161 §2.4.2 |
//! | it is of this message, by SHA-256, and answers this request, by the nonce | §2.4.2 |
//! | one signer signed it; his certificate is in it, and the signed attributes bind it | §2.4.2; RFC 5652 §5; RFC 5035 §3, §4 |
//! | the certificate is for timestamping alone, and says so critically | RFC 3161 §2.3 |
//! | it leads to a root of the reader, and was valid at the time stamped | RFC 5280 §6, by webpki |
//!
//! Revocation is not checked ([`NOT_CHECKED`]): that needs the authority's lists of the time, which the response does not carry.
//!
//! Structures are read in place, in DER and nothing looser. Certificates and attributes are verified as the bytes that they
//! came in, never written anew: so what has an odd encoding fails for its own reason. That, and fractions of seconds, is why the
//! few structures are read here and not by a crate of CMS types.

mod chain;
mod error;
mod fields;
mod request;
mod signer;
mod stamp;
mod token;

pub use chain::{ROOTS_MAX, Roots, RootsError};
pub use error::TimestampError;
pub use request::{PolicyError, request};
pub use stamp::Timestamp;

use token::Token;

/// Length of the longest response that is read.
pub const RESPONSE_BYTES_MAX: usize = 64 << 10;
/// Certificates in a response at most.
pub const CERTIFICATES_MAX: usize = 16;
/// What a verified timestamp does not prove.
pub const NOT_CHECKED: &str = "revocation of the authority's certificate was not checked";

/// Verifies a response (DER): that an authority under one of `roots` stamped `message`. With `nonce`, that it answers the request
/// that had it.
///
/// # Errors
/// The first check that does not hold.
pub fn verify(
    response: &[u8],
    message: &[u8],
    nonce: Option<u64>,
    roots: &Roots,
) -> Result<Timestamp, TimestampError> {
    let (stamp, certificates) = checked(response, message, nonce)?;
    chain::verify(&certificates, stamp.since_1970(), roots)?;
    Ok(stamp)
}

/// What a response says, checked but for whose word it is: the signer's certificate is the response's own, and leads nowhere. For
/// readers without roots, who must say so.
///
/// # Errors
/// The first check that does not hold.
pub fn inspect(response: &[u8], message: &[u8]) -> Result<Timestamp, TimestampError> {
    checked(response, message, None).map(|(stamp, _)| stamp)
}

/// The certificates of a response, the signer's first.
struct Certificates<'a> {
    signer: &'a [u8],
    others: Vec<&'a [u8]>,
}

fn checked<'a>(
    response: &'a [u8],
    message: &[u8],
    nonce: Option<u64>,
) -> Result<(Timestamp, Certificates<'a>), TimestampError> {
    if response.len() > RESPONSE_BYTES_MAX {
        return Err(TimestampError::TooLong(response.len()));
    }
    let token = Token::parse(token::granted(response)?)?;
    let stamped = stamp::Stamped::parse(token.content)?;
    stamped.is_of(message, nonce)?;
    let signer = signer::verify(&token)?;
    let stamp = stamped.into_timestamp(chain::check_purpose(&signer)?);
    let others = token.certificates.iter().copied().filter(|other| *other != signer.bytes).collect();
    Ok((stamp, Certificates { signer: signer.bytes, others }))
}
