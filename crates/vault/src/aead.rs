//! Keys and AES-256-GCM-SIV (RFC 8452): the one cipher of the format.

use std::fmt;

use aes_gcm_siv::aead::{AeadInPlace, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use inferlog_disk::Rng;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::error::{Result, VaultError};

pub(crate) const KEY_BYTES: usize = 32;
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;
/// What sealing adds: the nonce before, the tag after.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// 256 bits that nobody prints. Wiped when dropped.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub(crate) struct Key([u8; KEY_BYTES]);

impl Key {
    pub(crate) fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn random(rng: &dyn Rng) -> Result<Self> {
        let mut key = Self([0; KEY_BYTES]);
        rng.fill(&mut key.0)?;
        Ok(key)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; KEY_BYTES] {
        &mut self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

pub(crate) fn random_nonce(rng: &dyn Rng) -> Result<[u8; NONCE_BYTES]> {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill(&mut nonce)?;
    Ok(nonce)
}

/// Encrypts what follows the nonce in `buf` and appends the tag: nonce ‖ plaintext becomes nonce ‖ ciphertext ‖ tag.
pub(crate) fn seal_in_place(key: &Key, associated: &[u8], buf: &mut Vec<u8>) -> Result<()> {
    let (nonce, plaintext) = buf.split_at_mut_checked(NONCE_BYTES).ok_or(VaultError::TooLarge)?;
    let tag = Aes256GcmSiv::new(key.bytes().into())
        .encrypt_in_place_detached(Nonce::from_slice(nonce), associated, plaintext)
        .map_err(|_| VaultError::TooLarge)?;
    buf.extend_from_slice(&tag);
    Ok(())
}

/// nonce ‖ ciphertext ‖ tag.
pub(crate) fn seal(
    key: &Key,
    nonce: [u8; NONCE_BYTES],
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>> {
    let mut buf = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
    buf.extend_from_slice(&nonce);
    buf.extend_from_slice(plaintext);
    seal_in_place(key, associated, &mut buf)?;
    Ok(buf)
}

/// The plaintext, or `None` if key, associated data and bytes do not belong together.
pub(crate) fn open(key: &Key, associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_BYTES)?;
    let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_BYTES)?)?;
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    Aes256GcmSiv::new(key.bytes().into())
        .decrypt_in_place_detached(Nonce::from_slice(nonce), associated, &mut plaintext, Tag::from_slice(tag))
        .ok()?;
    Some(plaintext)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8452, appendix C.2: the first case with plaintext and associated data.
    #[test]
    fn agrees_with_rfc_8452() {
        let mut key = [0; 32];
        key[0] = 1;
        let mut nonce = [0; 12];
        nonce[0] = 3;
        let sealed = seal(&Key::new(key), nonce, &[1], &hex::decode("0200000000000000").unwrap()).unwrap();
        assert_eq!(hex::encode(&sealed[12..]), "1de22967237a813291213f267e3b452f02d01ae33e4ec854");
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::new([7; 32])), "Key(..)");
    }

    #[test]
    fn nothing_short_opens() {
        for len in 0..OVERHEAD_BYTES {
            assert!(open(&Key::new([7; 32]), b"", &vec![0; len]).is_none());
        }
    }
}
