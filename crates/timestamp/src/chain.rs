//! Whose word a timestamp is: the purpose of the signer's certificate, and its way to a root that the reader trusts.

use std::time::Duration;

use der::Decode;
use der::asn1::ObjectIdentifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage as KeyUsageBits};

use crate::Certificates;
use crate::error::TimestampError;
use crate::signer::{ALGORITHMS, Signer};

/// Roots in one file at most.
pub const ROOTS_MAX: usize = 1_000;

/// Length of an authority's name that is repeated, characters.
const NAME_CHARS_MAX: usize = 300;

const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// id-kp-timeStamping (RFC 3161 §2.3).
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// The same, as webpki takes it: DER without tag and length.
const TIME_STAMPING_DER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

/// Certificates that a reader trusts to vouch for authorities.
#[derive(Clone, Debug)]
pub struct Roots(Vec<TrustAnchor<'static>>);

/// Why roots cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// The text is not PEM.
    #[error("the roots are not PEM certificates: {0}")]
    Pem(String),
    /// There is none.
    #[error(
        "there is no certificate among the roots: give the certificates of the authorities you trust, in PEM"
    )]
    None,
    /// There are too many.
    #[error("there are more than {ROOTS_MAX} roots")]
    TooMany,
    /// One is not a certificate.
    #[error("certificate {0} of the roots cannot be read: {1}")]
    Certificate(usize, String),
}

impl Roots {
    /// Reads them from PEM, one certificate or several; other sections are passed over.
    ///
    /// # Errors
    /// Text that is not PEM, no certificate, a certificate that does not parse.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut roots = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            if roots.len() == ROOTS_MAX {
                return Err(RootsError::TooMany);
            }
            let certificate = certificate.map_err(|error| RootsError::Pem(error.to_string()))?;
            let anchor = anchor_from_trusted_cert(&certificate);
            let anchor =
                anchor.map_err(|error| RootsError::Certificate(roots.len() + 1, error.to_string()))?;
            roots.push(anchor.to_owned());
        }
        if roots.is_empty() { Err(RootsError::None) } else { Ok(Self(roots)) }
    }
}

/// Checks what the signer's certificate says that its key is for (RFC 3161 §2.3), and gives the authority's name (RFC 4514).
pub(crate) fn check_purpose(signer: &Signer<'_>) -> Result<String, TimestampError> {
    let own = &signer.certificate.tbs_certificate;
    let extension = |oid| own.extensions.iter().flatten().find(|extension| extension.extn_id == oid);
    let wrong = TimestampError::NotAnAuthority;
    let purpose =
        extension(EXTENDED_KEY_USAGE).ok_or(wrong("it does not say that it is for timestamping"))?;
    let purposes = ExtendedKeyUsage::from_der(purpose.extn_value.as_bytes());
    let purposes = purposes.map_err(|_| TimestampError::Malformed("the signer's certificate"))?.0;
    if !purposes.contains(&TIME_STAMPING) {
        return Err(wrong("it is for other purposes than timestamping"));
    }
    if purposes.len() > 1 {
        return Err(wrong("it is for other purposes besides timestamping"));
    }
    if !purpose.critical {
        return Err(wrong("its purpose is not marked critical"));
    }
    if let Some(usage) = extension(KEY_USAGE) {
        let usage = KeyUsageBits::from_der(usage.extn_value.as_bytes());
        if !usage.is_ok_and(|usage| usage.digital_signature() || usage.non_repudiation()) {
            return Err(wrong("its key is not for signatures"));
        }
    }
    // Anybody may write a certificate; a terminal must not obey it.
    Ok(own.subject.to_string().chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect())
}

/// Checks that the certificates lead to a root, each of them valid at the time stamped.
pub(crate) fn verify(
    certificates: &Certificates<'_>,
    at: Duration,
    roots: &Roots,
) -> Result<(), TimestampError> {
    let signer = CertificateDer::from(certificates.signer);
    let others: Vec<CertificateDer<'_>> = certificates.others.iter().map(|&other| other.into()).collect();
    let malformed = |_| TimestampError::Malformed("the signer's certificate");
    let signer = EndEntityCert::try_from(&signer).map_err(malformed)?;
    let usage = KeyUsage::required(TIME_STAMPING_DER);
    let time = UnixTime::since_unix_epoch(at);
    match signer.verify_for_usage(ALGORITHMS, &roots.0, &others, time, usage, None, None) {
        Ok(_) => Ok(()),
        Err(error) => Err(untrusted(&error)),
    }
}

fn untrusted(error: &webpki::Error) -> TimestampError {
    use webpki::Error;
    match error {
        Error::CertExpired { .. } => TimestampError::Expired(error.to_string()),
        Error::CertNotValidYet { .. } => TimestampError::NotYetValid(error.to_string()),
        Error::CaUsedAsEndEntity => TimestampError::NotAnAuthority("it is one that signs certificates"),
        Error::UnknownIssuer => TimestampError::Untrusted("none of the roots issued it".to_owned()),
        other => TimestampError::Untrusted(other.to_string()),
    }
}
