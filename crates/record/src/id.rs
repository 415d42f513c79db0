//! Identifiers: `Id` for what inferlog minted, `Pseudonym` for persons, `NodeId` for machines.

use std::str::FromStr;

use uuid::{Builder, Uuid, Variant};

use crate::member::{FieldType, Member};
use crate::text::{TextError, text_form};

/// A UUIDv7 (RFC 9562, section 5.7): of a decision, an event, a payload, a session, a hold.
///
/// Its text is the 36-character lower-case form and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Uuid);

impl Id {
    /// The id minted at `millis` (milliseconds since 1970; the low 48 bits count) with ten random bytes.
    pub fn new(millis: u64, random: &[u8; 10]) -> Id {
        Id(Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }

    /// The id in its binary form; refused unless it is of version 7 and RFC 9562's variant.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Id, TextError> {
        Id::try_from(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes, big-endian.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The 16 bytes, big-endian.
    pub const fn into_bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// When it was minted, milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        let bytes = self.as_bytes();
        bytes[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte))
    }

    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        write(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl TryFrom<Uuid> for Id {
    type Error = TextError;
    fn try_from(uuid: Uuid) -> Result<Id, TextError> {
        if uuid.get_version_num() == 7 && uuid.get_variant() == Variant::RFC4122 {
            return Ok(Id(uuid));
        }
        Err(TextError::new("id", ID_FORM, &uuid.to_string()))
    }
}

impl From<Id> for Uuid {
    fn from(id: Id) -> Uuid {
        id.0
    }
}

impl FromStr for Id {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Id, TextError> {
        let uuid = parse_uuid(text).ok_or_else(|| TextError::new("id", ID_FORM, text))?;
        Id::try_from(uuid)
    }
}

const ID_FORM: &str = "a UUIDv7 of 36 lower-case characters";
text_form!(Id, ID_FORM);
impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
impl Member for Id {
    const TYPE: FieldType = FieldType::Id;
}

/// What the log calls a natural person: a random UUIDv4 (RFC 9562, section 5.4), drawn by the vault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(Uuid);

impl Pseudonym {
    /// A pseudonym of 16 random bytes, of which six bits are overwritten by version and variant.
    pub fn new(random: [u8; 16]) -> Pseudonym {
        Pseudonym(Builder::from_random_bytes(random).into_uuid())
    }

    /// The pseudonym in its binary form; refused unless it is of version 4 and RFC 9562's variant.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Pseudonym, TextError> {
        Pseudonym::try_from(Uuid::from_bytes(bytes))
    }

    /// The 16 bytes, big-endian.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        write(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl TryFrom<Uuid> for Pseudonym {
    type Error = TextError;
    fn try_from(uuid: Uuid) -> Result<Pseudonym, TextError> {
        if uuid.get_version_num() == 4 && uuid.get_variant() == Variant::RFC4122 {
            return Ok(Pseudonym(uuid));
        }
        Err(TextError::new("pseudonym", PSEUDONYM_FORM, &uuid.to_string()))
    }
}

impl From<Pseudonym> for Uuid {
    fn from(pseudonym: Pseudonym) -> Uuid {
        pseudonym.0
    }
}

impl FromStr for Pseudonym {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Pseudonym, TextError> {
        let uuid = parse_uuid(text).ok_or_else(|| TextError::new("pseudonym", PSEUDONYM_FORM, text))?;
        Pseudonym::try_from(uuid)
    }
}

const PSEUDONYM_FORM: &str = "a UUIDv4 of 36 lower-case characters";
text_form!(Pseudonym, PSEUDONYM_FORM);
impl std::fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
impl Member for Pseudonym {
    const TYPE: FieldType = FieldType::Pseudonym;
}

/// Hyphenated lower-case only: `Uuid` itself also takes braces, URNs, upper case and bare digits.
fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() != 36 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// A node: 16 bytes, 32 lower-case hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 16]);

impl NodeId {
    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        write(crate::digest::write_hex(&self.0, &mut [0; 32]))
    }
}

impl FromStr for NodeId {
    type Err = TextError;
    fn from_str(text: &str) -> Result<NodeId, TextError> {
        crate::digest::parse_hex(text)
            .map(NodeId)
            .ok_or_else(|| TextError::new("node", "32 lower-case hexadecimal digits", text))
    }
}

text_form!(NodeId, "32 lower-case hexadecimal digits");
impl std::fmt::Debug for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
impl Member for NodeId {
    const TYPE: FieldType = FieldType::Node;
}
