//! Page records: slot, length, sealed bytes.

use inferlog_disk::Rng;
use inferlog_record::KeyId;
use zeroize::Zeroizing;

use super::SLOTS_MAX;
use crate::KeystoreId;
use crate::aead::{self, Key, OVERHEAD_BYTES};
use crate::error::{Result, VaultError};
use crate::page::plain::key_id_bytes;

/// Slot and length.
const PREFIX_BYTES: usize = 4;
/// The longest plaintext of any kind: a decision with [`crate::SUBJECTS_MAX`] subjects.
const PLAINTEXT_BYTES_MAX: usize = 17 + crate::SUBJECTS_MAX * (22 + OVERHEAD_BYTES) + aead::KEY_BYTES;

/// One record, where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) slot: u16,
    pub(crate) sealed: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at the start of `bytes` and what follows it.
    pub(crate) fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (prefix, rest) = bytes.split_first_chunk::<PREFIX_BYTES>()?;
        let slot = u16::from_be_bytes([prefix[0], prefix[1]]);
        let len = usize::from(u16::from_be_bytes([prefix[2], prefix[3]]));
        if slot >= SLOTS_MAX || !(OVERHEAD_BYTES..=PLAINTEXT_BYTES_MAX + OVERHEAD_BYTES).contains(&len) {
            return None;
        }
        let (sealed, rest) = rest.split_at_checked(len)?;
        Some((Self { slot, sealed }, rest))
    }

    /// Length as stored, bytes.
    pub(crate) fn len(&self) -> usize {
        PREFIX_BYTES + self.sealed.len()
    }

    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.slot.to_be_bytes());
        out.extend_from_slice(&(self.sealed.len() as u16).to_be_bytes());
        out.extend_from_slice(self.sealed);
    }

    pub(crate) fn open(&self, keystore: KeystoreId, page: u32, key: &Key) -> Option<Zeroizing<Vec<u8>>> {
        aead::open(key, &associated(keystore, KeyId { page, slot: self.slot }), self.sealed)
    }
}

/// Seals `plaintext` and appends its record to `out`.
pub(crate) fn append_sealed(
    out: &mut Vec<u8>,
    rng: &dyn Rng,
    keystore: KeystoreId,
    at: KeyId,
    page_key: &Key,
    plaintext: &[u8],
) -> Result<()> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(VaultError::TooManySubjects);
    }
    let sealed = aead::seal(page_key, aead::random_nonce(rng)?, &associated(keystore, at), plaintext)?;
    Record { slot: at.slot, sealed: &sealed }.append_to(out);
    Ok(())
}

fn associated(keystore: KeystoreId, at: KeyId) -> [u8; 38] {
    let mut bytes = [0; 38];
    bytes[..16].copy_from_slice(b"inferlog/page/v1");
    bytes[16..32].copy_from_slice(&keystore.0);
    bytes[32..].copy_from_slice(&key_id_bytes(at));
    bytes
}

/// The records of a page, as far as they can be told apart, and whether that is all of the bytes.
pub(crate) struct Walk<'a> {
    pub(crate) records: Vec<Record<'a>>,
    pub(crate) whole: bool,
}

/// Takes the records after the header apart without opening them.
pub(crate) fn walk(mut bytes: &[u8]) -> Walk<'_> {
    let mut records = Vec::new();
    while let Some((record, rest)) = Record::split(bytes) {
        records.push(record);
        bytes = rest;
    }
    Walk { records, whole: bytes.is_empty() }
}

/// The records after the header that the page's key opens, at most one per slot, and whether that is all of the bytes. After
/// bytes that are no record it looks for the next place where one stands: what a crash tore out of the middle, or a bad
/// sector, costs no other key.
pub(crate) fn authentic<'a>(bytes: &'a [u8], keystore: KeystoreId, page: u32, key: &Key) -> Walk<'a> {
    let (mut at, mut whole) = (0, true);
    let mut seen = [false; SLOTS_MAX as usize];
    let mut records = Vec::new();
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let found = Record::split(rest).map(|(record, _)| record);
        match found.filter(|record| record.open(keystore, page, key).is_some()) {
            Some(record) => {
                at += record.len();
                if std::mem::replace(&mut seen[usize::from(record.slot)], true) {
                    whole = false;
                } else {
                    records.push(record);
                }
            }
            None => {
                at += 1;
                whole = false;
            }
        }
    }
    Walk { records, whole }
}
