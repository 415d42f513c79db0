//! What was stamped: `TSTInfo` (RFC 3161 §2.4.2).

use std::time::Duration;

use der::asn1::ObjectIdentifier;
use der::{DateTime, Encode, Tag, TagNumber};
use ring::digest;
use x509_cert::spki::AlgorithmIdentifierRef;

use crate::error::TimestampError;
use crate::fields::{Element, Fields, context, context_primitive, only};
use crate::request::SHA_256;

type Result<T, E = TimestampError> = std::result::Result<T, E>;

const WHAT: &str = "the time stamped";
/// Length of a serial number, 160 bits and a sign (RFC 3161 §2.4.2), with room.
const SERIAL_BYTES_MAX: usize = 32;

/// The time at which an authority saw a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The time, nanoseconds since 1970.
    pub time_ns: u64,
    /// The same, RFC 3339 UTC with nine fractional digits.
    pub time: String,
    /// How far the time may be off, either way, nanoseconds; `None` if the authority does not say.
    pub accuracy_ns: Option<u64>,
    /// The authority's number of it, hexadecimal.
    pub serial: String,
    /// The policy under which it was made, an object identifier.
    pub policy: String,
    /// The subject of the signer's certificate (RFC 4514).
    pub authority: String,
    /// Whether its times put its timestamps in order, whatever their accuracy.
    pub is_ordered: bool,
}

impl Timestamp {
    pub(crate) fn since_1970(&self) -> Duration {
        Duration::from_nanos(self.time_ns)
    }
}

/// A `TSTInfo`, whose signature is not yet checked.
pub(crate) struct Stamped<'a> {
    imprint: Element<'a>,
    nonce: Option<Element<'a>>,
    timestamp: Timestamp,
}

impl<'a> Stamped<'a> {
    pub(crate) fn parse(content: &'a [u8]) -> Result<Self> {
        let mut fields = only(content, Tag::Sequence, WHAT)?.fields(WHAT)?;
        let version: u8 = fields.expect(Tag::Integer)?.decode(WHAT)?;
        if version != 1 {
            return Err(TimestampError::Unsupported(format!("version {version} of the timestamp")));
        }
        let policy: ObjectIdentifier = fields.oid()?;
        let imprint = fields.expect(Tag::Sequence)?;
        let serial = fields.expect(Tag::Integer)?.value;
        let (at, nanos) = time(fields.expect(Tag::GeneralizedTime)?.value)?;
        let accuracy = fields.take(Tag::Sequence)?.map(accuracy_ns).transpose()?;
        let is_ordered = match fields.take(Tag::Boolean)? {
            Some(ordering) => ordering.decode(WHAT)?,
            None => false,
        };
        let nonce = fields.take(Tag::Integer)?;
        let _authority = fields.take(context(TagNumber::N0))?;
        if let Some(extensions) = fields.take(context(TagNumber::N1))? {
            refuse_critical(extensions.fields(WHAT)?)?;
        }
        fields.end()?;
        let since = u64::try_from(at.unix_duration().as_nanos()).ok();
        let time_ns = since.and_then(|ns| ns.checked_add(u64::from(nanos)));
        let timestamp = Timestamp {
            time_ns: time_ns.ok_or(TimestampError::Malformed(WHAT))?,
            time: format!("{}.{nanos:09}Z", at.to_string().trim_end_matches('Z')),
            accuracy_ns: accuracy,
            serial: hexadecimal(serial)?,
            policy: policy.to_string(),
            authority: String::new(),
            is_ordered,
        };
        Ok(Self { imprint, nonce, timestamp })
    }

    /// Checks that this is of the message, and of the request with this nonce.
    pub(crate) fn is_of(&self, message: &[u8], nonce: Option<u64>) -> Result<()> {
        let mut imprint = self.imprint.fields("the imprint")?;
        let algorithm: AlgorithmIdentifierRef<'_> = imprint.expect(Tag::Sequence)?.decode("the imprint")?;
        let hashed = imprint.expect(Tag::OctetString)?.value;
        imprint.end()?;
        let has_parameters = algorithm.parameters.is_some_and(|parameters| !parameters.is_null());
        let digest = digest::digest(&digest::SHA256, message);
        if algorithm.oid != SHA_256 || has_parameters || digest.as_ref() != hashed {
            return Err(TimestampError::Imprint);
        }
        let Some(nonce) = nonce else { return Ok(()) };
        let sent = nonce.to_der().map_err(|_| TimestampError::Nonce)?;
        if self.nonce.is_some_and(|found| found.bytes == sent) { Ok(()) } else { Err(TimestampError::Nonce) }
    }

    pub(crate) fn into_timestamp(self, authority: String) -> Timestamp {
        Timestamp { authority, ..self.timestamp }
    }
}

/// `YYYYMMDDhhmmss[.f…]Z`; `der` reads it without the fraction that RFC 3161 allows.
fn time(text: &[u8]) -> Result<(DateTime, u32)> {
    let malformed = TimestampError::Malformed(WHAT);
    let text = std::str::from_utf8(text).ok().and_then(|text| text.strip_suffix('Z'));
    let text = text.ok_or(malformed.clone())?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let nanos = match fraction {
        None => 0,
        Some(part) if are_digits(part) && part.len() <= 9 && !part.ends_with('0') => {
            format!("{part:0<9}").parse().map_err(|_| malformed.clone())?
        }
        Some(_) => return Err(malformed),
    };
    if whole.len() != 14 || !are_digits(whole) {
        return Err(malformed);
    }
    let two = |at: usize| whole[at..at + 2].parse::<u8>().map_err(|_| malformed.clone());
    let year: u16 = whole[..4].parse().map_err(|_| malformed.clone())?;
    let time = DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?);
    Ok((time.map_err(|_| malformed.clone())?, nanos))
}

/// `Accuracy`: seconds, milliseconds, microseconds.
fn accuracy_ns(accuracy: Element<'_>) -> Result<u64> {
    let mut fields = accuracy.fields(WHAT)?;
    let seconds: u64 = fields.take(Tag::Integer)?.map_or(Ok(0), |seconds| seconds.decode(WHAT))?;
    let mut small = |number| {
        let part = fields.take(context_primitive(number))?;
        // An implicit INTEGER from 1 to 999: the value's own octets.
        let value = part.map_or(&[0][..], |part| part.value);
        match *value {
            [low] if low < 0x80 => Ok(u64::from(low)),
            [high, low] if high < 0x80 => Ok(u64::from(high) << 8 | u64::from(low)),
            _ => Err(TimestampError::Malformed(WHAT)),
        }
    };
    let (millis, micros) = (small(TagNumber::N0)?, small(TagNumber::N1)?);
    fields.end()?;
    let ns =
        seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(millis * 1_000_000 + micros * 1_000));
    ns.ok_or(TimestampError::Malformed(WHAT))
}

/// An extension that is critical must be understood, and none is.
fn refuse_critical(mut extensions: Fields<'_>) -> Result<()> {
    while let Some(extension) = extensions.take(Tag::Sequence)? {
        let mut fields = extension.fields(WHAT)?;
        let oid = fields.oid()?;
        if fields.take(Tag::Boolean)?.is_some() {
            return Err(TimestampError::Unsupported(format!("the critical extension {oid}")));
        }
    }
    extensions.end()
}

fn hexadecimal(serial: &[u8]) -> Result<String> {
    if serial.len() > SERIAL_BYTES_MAX {
        return Err(TimestampError::Malformed(WHAT));
    }
    Ok(serial.iter().map(|byte| format!("{byte:02x}")).collect())
}
