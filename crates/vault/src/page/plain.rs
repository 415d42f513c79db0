//! Plaintexts of page records, and wrapping.

use inferlog_disk::Rng;
use inferlog_record::{Id, KeyId, Pseudonym};
use zeroize::Zeroizing;

use crate::SUBJECTS_MAX;
use crate::aead::{self, KEY_BYTES, Key};
use crate::error::{Result, VaultError};

/// Pseudonym, page, slot.
const SUBJECT_BYTES: usize = 22;

/// A subject and where its key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectRef {
    /// The random pseudonym by which the log knows the person.
    pub pseudonym: Pseudonym,
    /// Where the subject's key is.
    pub key: KeyId,
}

impl SubjectRef {
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (fixed, rest) = bytes.split_first_chunk::<SUBJECT_BYTES>()?;
        let (pseudonym, key) = fixed.split_first_chunk()?;
        Some((Self { pseudonym: Pseudonym::from_bytes(*pseudonym).ok()?, key: key_id(key)? }, rest))
    }

    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.pseudonym.as_bytes());
        out.extend_from_slice(&key_id_bytes(self.key));
    }
}

/// Page (4 bytes) and slot (2).
pub(crate) fn key_id_bytes(key: KeyId) -> [u8; 6] {
    let ([a, b, c, d], [e, f]) = (key.page.to_be_bytes(), key.slot.to_be_bytes());
    [a, b, c, d, e, f]
}

fn key_id(bytes: &[u8]) -> Option<KeyId> {
    let (page, slot) = bytes.split_first_chunk()?;
    Some(KeyId { page: u32::from_be_bytes(*page), slot: u16::from_be_bytes(slot.try_into().ok()?) })
}

/// A decision's record: its key, wrapped by every subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecisionPlain {
    pub(crate) decision: Id,
    pub(crate) subjects: Vec<SubjectRef>,
    /// The key itself where there are no subjects.
    pub(crate) wrapped: Zeroizing<Vec<u8>>,
}

impl DecisionPlain {
    pub(crate) fn encode(&self) -> Result<Zeroizing<Vec<u8>>> {
        let count = self.subjects.len();
        if count > SUBJECTS_MAX {
            return Err(VaultError::TooManySubjects);
        }
        let mut out = Zeroizing::new(Vec::with_capacity(17 + count * SUBJECT_BYTES + self.wrapped.len()));
        out.extend_from_slice(self.decision.as_bytes());
        out.push(count as u8);
        self.subjects.iter().for_each(|subject| subject.append_to(&mut out));
        out.extend_from_slice(&self.wrapped);
        Ok(out)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (decision, rest) = bytes.split_first_chunk::<16>()?;
        let (count, mut rest) = rest.split_first()?;
        let mut subjects = Vec::with_capacity((*count).into());
        for _ in 0..*count {
            let (subject, after) = SubjectRef::split(rest)?;
            subjects.push(subject);
            rest = after;
        }
        let wrapped = Zeroizing::new(rest.to_vec());
        Some(Self { decision: Id::from_bytes(*decision).ok()?, subjects, wrapped })
    }
}

/// A subject's record, and a hold's: an id and a key.
pub(crate) fn encode_keyed(id: &[u8; 16], key: &Key) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(16 + KEY_BYTES));
    out.extend_from_slice(id);
    out.extend_from_slice(key.bytes());
    out
}

pub(crate) fn decode_keyed(bytes: &[u8]) -> Option<([u8; 16], Key)> {
    let (id, key) = bytes.split_first_chunk::<16>()?;
    Some((*id, Key::from_slice(key)?))
}

/// A lookup record: the way from a person's identifier to the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LookupPlain {
    pub(crate) digest: [u8; 32],
    pub(crate) subject: SubjectRef,
}

impl LookupPlain {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.digest.to_vec();
        self.subject.append_to(&mut out);
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (digest, rest) = bytes.split_first_chunk::<32>()?;
        let (subject, rest) = SubjectRef::split(rest)?;
        rest.is_empty().then_some(Self { digest: *digest, subject })
    }
}

fn wrap_associated(decision: Id, pseudonym: Pseudonym) -> [u8; 48] {
    let mut bytes = [0; 48];
    bytes[..16].copy_from_slice(b"inferlog/wrap/v1");
    bytes[16..32].copy_from_slice(decision.as_bytes());
    bytes[32..].copy_from_slice(pseudonym.as_bytes());
    bytes
}

/// Seals a decision's (perhaps already wrapped) key by one subject's key.
pub(crate) fn wrap(
    rng: &dyn Rng,
    key: &Key,
    decision: Id,
    pseudonym: Pseudonym,
    inner: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let associated = wrap_associated(decision, pseudonym);
    Ok(Zeroizing::new(aead::seal(key, aead::random_nonce(rng)?, &associated, inner)?))
}

/// Takes one wrapping off.
pub(crate) fn unwrap(
    key: &Key,
    decision: Id,
    pseudonym: Pseudonym,
    wrapped: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    aead::open(key, &wrap_associated(decision, pseudonym), wrapped)
}
