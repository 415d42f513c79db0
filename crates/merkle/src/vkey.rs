use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::text;

/// How a key signs: the signature type identifier bytes of c2sp.org/signed-note that this code verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// 0x01: Ed25519 over the note's text.
    Ed25519,
    /// 0x04: Ed25519 over a time and the note's text (c2sp.org/tlog-cosignature, `cosignature/v1`).
    Cosignature,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::Cosignature].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// A public key that signs notes under a name. Displays and parses as a vkey (c2sp.org/signed-note, Verifier keys):
/// `<name>+<key id, 8 hexadecimal digits>+<base64 of type and key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: VerifyingKey,
}

/// Why something is not a verifier key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// The name is empty or holds a space, a plus or a control character.
    #[error("{0:?} is not a key name: it must not be empty nor hold spaces, plus or control characters")]
    Name(String),
    /// The text is not `<name>+<hex>+<base64>`.
    #[error(
        "not a verifier key: expected <name>+<key id in hex>+<base64 of type and key> (c2sp.org/signed-note)"
    )]
    Text,
    /// The key id is not that of this name and key.
    #[error(
        "the verifier key of {name} has the key id {found:08x} instead of {expected:08x}: it was altered or mistyped"
    )]
    KeyId {
        /// Name of the key.
        name: String,
        /// The id that belongs to name and key.
        expected: u32,
        /// The id that was written.
        found: u32,
    },
    /// The key signs in a way that is not supported.
    #[error(
        "the verifier key of {name} has the signature type {kind:#04x}; supported are 0x01 and 0x04, both Ed25519"
    )]
    Kind {
        /// Name of the key.
        name: String,
        /// Its signature type.
        kind: u8,
    },
    /// The key is not the 32 bytes of an Ed25519 public key.
    #[error("the verifier key of {0} is not an Ed25519 public key")]
    PublicKey(String),
}

impl VerifierKey {
    /// The key of this name, kind and 32-byte Ed25519 public key (RFC 8032).
    pub fn new(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> Result<Self, VkeyError> {
        if !text::is_key_name(name) {
            return Err(VkeyError::Name(name.to_owned()));
        }
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| VkeyError::PublicKey(name.to_owned()))?;
        Ok(Self { name: name.to_owned(), kind, key })
    }

    /// Name of the key: for a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32-byte Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The id that its signatures bear: the first four bytes of SHA-256(name ‖ newline ‖ type ‖ key).
    pub fn key_id(&self) -> u32 {
        key_id(&self.name, self.kind, self.public_key())
    }

    /// Checks an Ed25519 signature over a message (RFC 8032, and no key or point of small order).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

pub(crate) fn key_id(name: &str, kind: KeyKind, public_key: &[u8; 32]) -> u32 {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind.byte()]).chain_update(public_key);
    let hash: [u8; 32] = hash.finalize().into();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()], self.public_key().as_slice()].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.key_id(), text::base64_encode(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = VkeyError;

    fn from_str(vkey: &str) -> Result<Self, VkeyError> {
        // Names have no plus, base64 may.
        let (name, rest) = vkey.split_once('+').ok_or(VkeyError::Text)?;
        let (id, key) = rest.split_once('+').ok_or(VkeyError::Text)?;
        let found = parse_key_id(id).ok_or(VkeyError::Text)?;
        let key = text::base64_decode(key).ok_or(VkeyError::Text)?;
        let (kind, public_key) = key.split_first().ok_or(VkeyError::Text)?;
        let kind = KeyKind::from_byte(*kind)
            .ok_or_else(|| VkeyError::Kind { name: name.to_owned(), kind: *kind })?;
        let public_key = public_key.try_into().map_err(|_| VkeyError::PublicKey(name.to_owned()))?;
        let parsed = Self::new(name, kind, public_key)?;
        let expected = parsed.key_id();
        if found == expected {
            Ok(parsed)
        } else {
            Err(VkeyError::KeyId { name: name.to_owned(), expected, found })
        }
    }
}

fn parse_key_id(text: &str) -> Option<u32> {
    let mut bytes = [0; 4];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let id = u32::from_be_bytes(bytes);
    (format!("{id:08x}") == text).then_some(id)
}
