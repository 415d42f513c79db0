//! The response and the signed data in it, taken apart and not yet believed.

use der::asn1::ObjectIdentifier;
use der::{Tag, TagNumber};

use crate::CERTIFICATES_MAX;
use crate::error::TimestampError;
use crate::fields::{Element, Fields, context, context_primitive, only};

type Result<T, E = TimestampError> = std::result::Result<T, E>;

/// id-signedData (RFC 5652 §5.1).
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// id-ct-TSTInfo (RFC 3161 §2.4.2).
pub(crate) const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");

/// Length of an authority's own words that is repeated, characters.
const WORDS_MAX: usize = 200;

/// Reasons of a refusal (PKIFailureInfo), by bit.
const FAILURES: &[(usize, &str)] = &[
    (0, "it does not know the digest's algorithm"),
    (2, "it does not permit this request"),
    (5, "the request is malformed"),
    (14, "its clock is not available"),
    (15, "it does not have the policy"),
    (16, "it does not know an extension"),
    (17, "it cannot give what was asked for"),
    (25, "it failed"),
];

/// The token of a response that was granted (RFC 3161 §2.4.2).
pub(crate) fn granted(response: &[u8]) -> Result<Element<'_>> {
    let mut fields = only(response, Tag::Sequence, "the response")?.fields("the response")?;
    let mut status = fields.expect(Tag::Sequence)?.fields("the status")?;
    let number: u8 = status.expect(Tag::Integer)?.decode("the status")?;
    // Granted, and granted with modifications: what was modified is checked as all the rest.
    if number > 1 {
        return Err(TimestampError::Refused(reason(number, status)?));
    }
    let token = fields.expect(Tag::Sequence).map_err(|_| TimestampError::Malformed("the token"))?;
    fields.end()?;
    Ok(token)
}

fn reason(number: u8, mut status: Fields<'_>) -> Result<String> {
    let mut said = format!("status {number}");
    if let Some(words) = status.take(Tag::Sequence)? {
        let mut words = words.fields("the status")?;
        let mut text = String::new();
        while let Some(word) = words.take(Tag::Utf8String)? {
            text.push_str(&String::from_utf8_lossy(word.value));
            text.push(' ');
        }
        let clean: String = text.trim().chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
        said.push_str(&format!(", {clean:?}"));
    }
    if let Some(failures) = status.take(Tag::BitString)? {
        let bits = failures.value.get(1..).unwrap_or_default();
        let is_set = |bit: usize| bits.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
        for (_, what) in FAILURES.iter().filter(|(bit, _)| is_set(*bit)) {
            said.push_str(&format!(", {what}"));
        }
    }
    Ok(said)
}

/// A token: `SignedData` with one signer (RFC 5652 §5.1).
pub(crate) struct Token<'a> {
    /// The DER of a `TSTInfo`.
    pub(crate) content: &'a [u8],
    /// Every certificate in it, as it came.
    pub(crate) certificates: Vec<&'a [u8]>,
    pub(crate) signer: SignerInfo<'a>,
}

/// `SignerInfo` (RFC 5652 §5.3).
pub(crate) struct SignerInfo<'a> {
    pub(crate) id: SignerId<'a>,
    /// The digest of the content.
    pub(crate) digest: Element<'a>,
    /// `signedAttrs`, tagged `[0]`.
    pub(crate) attributes: Element<'a>,
    pub(crate) algorithm: Element<'a>,
    pub(crate) signature: &'a [u8],
}

/// `SignerIdentifier`.
pub(crate) enum SignerId<'a> {
    IssuerAndSerial { issuer: Element<'a>, serial: Element<'a> },
    KeyIdentifier(&'a [u8]),
}

impl<'a> Token<'a> {
    pub(crate) fn parse(token: Element<'a>) -> Result<Self> {
        let mut content_info = token.fields("the token")?;
        if content_info.oid()? != SIGNED_DATA {
            return Err(TimestampError::Malformed("the signed data"));
        }
        let explicit = content_info.expect(context(TagNumber::N0))?;
        content_info.end()?;
        let mut data = only(explicit.value, Tag::Sequence, "the signed data")?.fields("the signed data")?;
        let _version = data.expect(Tag::Integer)?;
        let _digests = data.expect(Tag::Set)?;
        let content = content(data.expect(Tag::Sequence)?)?;
        let certificates = match data.take(context(TagNumber::N0))? {
            Some(set) => certificates(set)?,
            None => Vec::new(),
        };
        let _revocation = data.take(context(TagNumber::N1))?;
        let signers = data.expect(Tag::Set)?;
        data.end()?;
        Ok(Self { content, certificates, signer: signer(signers)? })
    }
}

/// `EncapsulatedContentInfo`, of a `TSTInfo`.
fn content(encapsulated: Element<'_>) -> Result<&[u8]> {
    let mut fields = encapsulated.fields("the content")?;
    if fields.oid()? != TST_INFO {
        return Err(TimestampError::Malformed("the content's type, id-ct-TSTInfo,"));
    }
    let explicit = fields.expect(context(TagNumber::N0))?;
    fields.end()?;
    Ok(only(explicit.value, Tag::OctetString, "the content")?.value)
}

/// Every X.509 certificate of a `CertificateSet`; other kinds say nothing here.
fn certificates(set: Element<'_>) -> Result<Vec<&[u8]>> {
    let mut fields = set.fields("a certificate")?;
    let mut certificates = Vec::new();
    while let Some(certificate) = fields.next()? {
        if certificate.tag != Tag::Sequence {
            continue;
        }
        if certificates.len() == CERTIFICATES_MAX {
            return Err(TimestampError::Malformed("an end of its certificates (they are too many)"));
        }
        certificates.push(certificate.bytes);
    }
    Ok(certificates)
}

fn signer(signers: Element<'_>) -> Result<SignerInfo<'_>> {
    let mut fields = signers.fields("a signer")?;
    let mut found = Vec::new();
    while let Some(signer) = fields.next()? {
        found.push(signer);
    }
    let &[signer] = found.as_slice() else { return Err(TimestampError::Signers(found.len())) };
    let mut fields = signer.fields("the signer")?;
    let _version = fields.expect(Tag::Integer)?;
    let id = match fields.take(context_primitive(TagNumber::N0))? {
        Some(key) => SignerId::KeyIdentifier(key.value),
        None => {
            let mut id = fields.expect(Tag::Sequence)?.fields("the signer's name")?;
            let (issuer, serial) = (id.expect(Tag::Sequence)?, id.expect(Tag::Integer)?);
            id.end()?;
            SignerId::IssuerAndSerial { issuer, serial }
        }
    };
    let digest = fields.expect(Tag::Sequence)?;
    let attributes = fields.expect(context(TagNumber::N0))?;
    let algorithm = fields.expect(Tag::Sequence)?;
    let signature = fields.expect(Tag::OctetString)?.value;
    let _unsigned = fields.take(context(TagNumber::N1))?;
    fields.end()?;
    Ok(SignerInfo { id, digest, attributes, algorithm, signature })
}
