//! Requests (RFC 3161 §2.4.1).

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Encode, Sequence};
use ring::digest;
use x509_cert::spki::AlgorithmIdentifierRef;

/// id-sha256 (RFC 5754 §2.2).
pub(crate) const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// The policy is not an object identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a policy: expected an object identifier, such as 1.2.3.4.1")]
pub struct PolicyError(String);

#[derive(Sequence)]
struct TimeStampReq<'a> {
    version: u8,
    message_imprint: MessageImprint<'a>,
    #[asn1(optional = "true")]
    req_policy: Option<ObjectIdentifier>,
    nonce: u64,
    #[asn1(default = "Default::default")]
    cert_req: bool,
}

#[derive(Sequence)]
struct MessageImprint<'a> {
    hash_algorithm: AlgorithmIdentifierRef<'a>,
    hashed_message: OctetStringRef<'a>,
}

/// A request (DER) for the time of a message: its SHA-256, a nonce that the answer must repeat, the policy that is asked for, and
/// that the answer carry its signer's certificate. The nonce is random and used once.
///
/// # Errors
/// The policy is not an object identifier.
pub fn request(message: &[u8], nonce: u64, policy: Option<&str>) -> Result<Vec<u8>, PolicyError> {
    let wrong = || PolicyError(policy.unwrap_or_default().to_owned());
    let req_policy = policy.map(str::parse).transpose().map_err(|_| wrong())?;
    let digest = digest::digest(&digest::SHA256, message);
    let request = TimeStampReq {
        version: 1,
        message_imprint: MessageImprint {
            // Authorities of all ages expect the NULL.
            hash_algorithm: AlgorithmIdentifierRef { oid: SHA_256, parameters: Some(AnyRef::NULL) },
            hashed_message: OctetStringRef::new(digest.as_ref()).map_err(|_| wrong())?,
        },
        req_policy,
        nonce,
        cert_req: true,
    };
    request.to_der().map_err(|_| wrong())
}
