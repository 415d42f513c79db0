//! The signature over a token, and the certificate that its attributes bind (RFC 5652 §5.4, RFC 5035 §3 and §4).

use der::asn1::ObjectIdentifier;
use der::{Decode, Tag, TagNumber};
use ring::digest::{self, digest};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, alg_id};
use webpki::EndEntityCert;
use webpki::ring as algorithms;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::error::TimestampError;
use crate::fields::{Element, Fields, context};
use crate::request::SHA_256;
use crate::token::{SignerId, TST_INFO, Token};

type Result<T, E = TimestampError> = std::result::Result<T, E>;

const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

const ATTRIBUTES: &str = "a signed attribute";

/// Every way to sign that is believed, in tokens and in certificates.
pub(crate) static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// The certificate of whoever signed.
pub(crate) struct Signer<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) certificate: Certificate,
}

/// Checks that the signer signed the token's content, and that the attributes bind his certificate. Whether it is to be trusted
/// is another question.
pub(crate) fn verify<'a>(token: &Token<'a>) -> Result<Signer<'a>> {
    let signer = find(token)?;
    let info = &token.signer;
    let digest = digest_of(info.digest, "the signer's digest")?;
    let attributes = Attributes::read(info.attributes)?;
    if attributes.message_digest != ring::digest::digest(digest, token.content).as_ref() {
        return Err(TimestampError::Digest);
    }
    attributes.bind(&signer)?;
    // What is signed has the tag of a SET in place of `[0]` (RFC 5652 §5.4).
    let mut signed = info.attributes.bytes.to_vec();
    if let Some(tag) = signed.first_mut() {
        *tag = Tag::Set.octet();
    }
    let der = CertificateDer::from(signer.bytes);
    let certificate =
        EndEntityCert::try_from(&der).map_err(|_| TimestampError::Malformed("the signer's certificate"))?;
    for algorithm in believed(info.algorithm, digest)? {
        match certificate.verify_signature(algorithm, &signed, info.signature) {
            Ok(()) => return Ok(signer),
            // One name stands for several: ECDSA is named without its curve.
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => return Err(TimestampError::Signature),
        }
    }
    Err(TimestampError::Unsupported("the signer's key with its signature's algorithm".to_owned()))
}

/// The certificate that the signer names.
fn find<'a>(token: &Token<'a>) -> Result<Signer<'a>> {
    for &bytes in &token.certificates {
        let Ok(certificate) = Certificate::from_der(bytes) else { continue };
        let own = &certificate.tbs_certificate;
        let is_his = match &token.signer.id {
            SignerId::IssuerAndSerial { issuer, serial } => {
                issuer.decode::<Name>("the signer's name")? == own.issuer
                    && serial.value == own.serial_number.as_bytes()
            }
            SignerId::KeyIdentifier(id) => own.extensions.iter().flatten().any(|extension| {
                extension.extn_id == SUBJECT_KEY_IDENTIFIER
                    && SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes())
                        .is_ok_and(|found| found.0.as_bytes() == *id)
            }),
        };
        if is_his {
            return Ok(Signer { bytes, certificate });
        }
    }
    Err(TimestampError::NoCertificate)
}

/// The ways to sign that an `AlgorithmIdentifier` names.
fn believed(
    named: Element<'_>,
    digest: &'static digest::Algorithm,
) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>> {
    // CMS may name the key's algorithm alone; the digest is the signer's (RFC 3370 §3.2).
    let is_rsa = named.value == alg_id::RSA_ENCRYPTION.as_ref();
    let rsa = [
        (&digest::SHA256, algorithms::RSA_PKCS1_2048_8192_SHA256),
        (&digest::SHA384, algorithms::RSA_PKCS1_2048_8192_SHA384),
        (&digest::SHA512, algorithms::RSA_PKCS1_2048_8192_SHA512),
    ];
    let fits = |algorithm: &&dyn SignatureVerificationAlgorithm| {
        algorithm.signature_alg_id().as_ref() == named.value
    };
    let found: Vec<_> = match rsa.iter().find(|(own, _)| is_rsa && **own == *digest) {
        Some(&(_, algorithm)) => vec![algorithm],
        None => ALGORITHMS.iter().copied().filter(fits).collect(),
    };
    if found.is_empty() {
        let oid = named.fields("the signature's algorithm")?.oid()?;
        return Err(TimestampError::Unsupported(format!("the signature's algorithm {oid}")));
    }
    Ok(found)
}

fn digest_of(algorithm: Element<'_>, what: &'static str) -> Result<&'static digest::Algorithm> {
    let algorithm: AlgorithmIdentifierRef<'_> = algorithm.decode(what)?;
    match algorithm.oid {
        SHA_256 => Ok(&digest::SHA256),
        SHA_384 => Ok(&digest::SHA384),
        SHA_512 => Ok(&digest::SHA512),
        oid => Err(TimestampError::Unsupported(format!("the digest {oid}"))),
    }
}

/// What the signer signed beside the content's digest.
struct Attributes<'a> {
    message_digest: &'a [u8],
    /// `SigningCertificate`, whose digest is SHA-1.
    v1: Option<Element<'a>>,
    /// `SigningCertificateV2`.
    v2: Option<Element<'a>>,
}

impl<'a> Attributes<'a> {
    fn read(attributes: Element<'a>) -> Result<Self> {
        let mut fields = attributes.fields(ATTRIBUTES)?;
        let (mut content_type, mut message_digest, mut v1, mut v2) = (None, None, None, None);
        while let Some(attribute) = fields.take(Tag::Sequence)? {
            let mut attribute = attribute.fields(ATTRIBUTES)?;
            let oid = attribute.oid()?;
            let values = attribute.expect(Tag::Set)?;
            attribute.end()?;
            let place = match oid {
                CONTENT_TYPE => &mut content_type,
                MESSAGE_DIGEST => &mut message_digest,
                SIGNING_CERTIFICATE => &mut v1,
                SIGNING_CERTIFICATE_V2 => &mut v2,
                _ => continue,
            };
            let mut values = values.fields(ATTRIBUTES)?;
            let value = values.next()?.ok_or(TimestampError::Malformed(ATTRIBUTES))?;
            values.end()?;
            if place.replace(value).is_some() {
                return Err(TimestampError::Malformed(ATTRIBUTES));
            }
        }
        fields.end()?;
        let missing = TimestampError::Malformed;
        let content_type: ObjectIdentifier =
            content_type.ok_or(missing("the signed content type"))?.decode("the signed content type")?;
        let digest = message_digest.filter(|digest| digest.tag == Tag::OctetString);
        if content_type != TST_INFO {
            return Err(missing("the signed content type"));
        }
        Ok(Self { message_digest: digest.ok_or(missing("the signed digest"))?.value, v1, v2 })
    }

    /// Checks that each attribute that binds a certificate binds the signer's, and that one does (RFC 3161 §2.4.2).
    fn bind(&self, signer: &Signer<'_>) -> Result<()> {
        if self.v1.is_none() && self.v2.is_none() {
            return Err(TimestampError::Malformed("the signing certificate's attribute"));
        }
        // The first certificate that is named is the signer's (RFC 5035 §3, §4).
        let first = |value: Element<'a>| -> Result<Fields<'a>> {
            let mut certificates = value.fields(ATTRIBUTES)?.expect(Tag::Sequence)?.fields(ATTRIBUTES)?;
            certificates.expect(Tag::Sequence)?.fields(ATTRIBUTES)
        };
        if let Some(v1) = self.v1 {
            // SHA-1 cannot be chosen here; to deceive it, a second certificate with the digest of a given one is needed.
            bind(first(v1)?, &digest::SHA1_FOR_LEGACY_USE_ONLY, signer)?;
        }
        if let Some(v2) = self.v2 {
            let mut id = first(v2)?;
            let digest = match id.take(Tag::Sequence)? {
                Some(algorithm) => digest_of(algorithm, ATTRIBUTES)?,
                None => &digest::SHA256,
            };
            bind(id, digest, signer)?;
        }
        Ok(())
    }
}

/// `ESSCertID`: the certificate's digest, and its issuer and number where they are said.
fn bind(mut id: Fields<'_>, by: &'static digest::Algorithm, signer: &Signer<'_>) -> Result<()> {
    let own = &signer.certificate.tbs_certificate;
    let mut is_his = id.expect(Tag::OctetString)?.value == digest(by, signer.bytes).as_ref();
    if let Some(named) = id.take(Tag::Sequence)? {
        let mut named = named.fields(ATTRIBUTES)?;
        let (names, serial) = (named.expect(Tag::Sequence)?, named.expect(Tag::Integer)?);
        named.end()?;
        // GeneralNames with one directoryName, which is `[4]` around a Name.
        let mut names = names.fields(ATTRIBUTES)?;
        let issuer = names.expect(context(TagNumber::N4))?.value;
        names.end()?;
        let is_issuer = Name::from_der(issuer).is_ok_and(|issuer| issuer == own.issuer);
        is_his &= is_issuer && serial.value == own.serial_number.as_bytes();
    }
    id.end()?;
    if is_his { Ok(()) } else { Err(TimestampError::OtherCertificate) }
}
