//! Ed25519 keys that sign checkpoints (RFC 8032). Their seeds lie in the table.

use ed25519_dalek::{Signer, SigningKey};

use crate::aead::Key;
use crate::error::{Result, VaultError};
use crate::table::SigningSeed;
use crate::vault::Vault;

/// The longest origin, bytes: the format gives its length two bytes.
const ORIGIN_BYTES_MAX: usize = u16::MAX as usize;
/// How many of an origin's newest keys sign: after a rotation the one before signs too, so that a reader who knows only that
/// one can still check.
const SIGNERS_MAX: usize = 2;

/// A public key and its signature.
pub type PublicSignature = ([u8; 32], [u8; 64]);

impl Vault {
    /// The origin's public keys, oldest first; makes the first one if there is none.
    pub fn signing_keys(&self, origin: &str) -> Result<Vec<[u8; 32]>> {
        let present = self.public_keys(origin);
        if present.is_empty() { self.rotate_signing_key(origin) } else { Ok(present) }
    }

    /// Every public key that the origin ever signed with, oldest first.
    pub fn public_keys(&self, origin: &str) -> Vec<[u8; 32]> {
        let table = self.inner.table.read();
        let seeds = table.signing.iter().filter(|seed| seed.origin == origin);
        seeds.map(|seed| signer(seed).verifying_key().to_bytes()).collect()
    }

    /// Makes a new key for the origin, durably, and gives all of its public keys, oldest first. From now on the new key signs,
    /// and the one before it.
    pub fn rotate_signing_key(&self, origin: &str) -> Result<Vec<[u8; 32]>> {
        if origin.len() > ORIGIN_BYTES_MAX {
            return Err(VaultError::TooLarge);
        }
        let seed = Key::random(&*self.inner.rng)?;
        let created_ns = self.inner.clock.now_ns();
        self.inner.change_table(|table| {
            table.signing.push(SigningSeed { created_ns, seed, origin: origin.to_owned() });
            Ok(())
        })?;
        Ok(self.public_keys(origin))
    }

    /// Signs `text` with the origin's newest key and the one before it, newest first. Empty if the origin has no key.
    pub fn sign(&self, origin: &str, text: &[u8]) -> Vec<PublicSignature> {
        let table = self.inner.table.read();
        let newest_first = table.signing.iter().rev().filter(|seed| seed.origin == origin);
        let keys = newest_first.take(SIGNERS_MAX).map(signer);
        keys.map(|key| (key.verifying_key().to_bytes(), key.sign(text).to_bytes())).collect()
    }
}

fn signer(seed: &SigningSeed) -> SigningKey {
    SigningKey::from_bytes(seed.seed.bytes())
}
