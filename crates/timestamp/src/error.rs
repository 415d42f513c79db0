//! Why a response is not believed.

/// Why a response is not believed. Each reason is told apart, because each asks for another remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// The response is too long.
    #[error("a timestamp of {0} bytes is longer than {max}", max = crate::RESPONSE_BYTES_MAX)]
    TooLong(usize),
    /// It is not a response (RFC 3161 §2.4.2) in DER.
    #[error("this is not an RFC 3161 response: {0} is missing or not in DER")]
    Malformed(&'static str),
    /// The authority refused (§2.4.2, PKIStatusInfo).
    #[error("the authority refused: {0}")]
    Refused(String),
    /// The time is of another message, or its digest is not SHA-256.
    #[error("the timestamp is of something else: its imprint is not the SHA-256 of what is checked")]
    Imprint,
    /// It answers another request: an old answer played again, or one swapped.
    #[error("the timestamp answers another request: its nonce is not the one that was sent")]
    Nonce,
    /// It is not signed by one signer.
    #[error("the timestamp has {0} signers; an authority's has one")]
    Signers(usize),
    /// No certificate of it is the signer's.
    #[error("the timestamp does not carry its signer's certificate: ask for it, with certReq")]
    NoCertificate,
    /// The signed attributes bind another certificate (RFC 5035).
    #[error("the signed attributes name another certificate than the signer's")]
    OtherCertificate,
    /// What was signed is not this content.
    #[error("what the authority signed is not what the timestamp says: its digest differs")]
    Digest,
    /// The signature is false.
    #[error("the signature of the timestamp is false: it was altered, or another key made it")]
    Signature,
    /// An algorithm, or a critical extension, that this version does not know, or that is too weak to be believed.
    #[error(
        "{0} is not supported: known are SHA-256, SHA-384, SHA-512 with RSA of 2048 bits or more, ECDSA P-256 or P-384, Ed25519"
    )]
    Unsupported(String),
    /// The certificate is not one of a timestamping authority (§2.3).
    #[error("the signer's certificate is not a timestamping authority's: {0}")]
    NotAnAuthority(&'static str),
    /// A certificate was not valid any more when the time was stamped.
    #[error("a certificate had expired when the time was stamped ({0})")]
    Expired(String),
    /// A certificate was not valid yet when the time was stamped.
    #[error("a certificate was not valid yet when the time was stamped ({0})")]
    NotYetValid(String),
    /// The certificate does not lead to a root that was given.
    #[error("the signer's certificate does not lead to a root that you trust: {0}")]
    Untrusted(String),
}
