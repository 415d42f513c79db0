//! Sealing a payload (format.md, section 5).

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use inferlog_disk::Rng;
use inferlog_record::{Digest, Encoding, Id};
use sha2::Sha256;

use crate::aead::{self, Key, NONCE_BYTES, TAG_BYTES};
use crate::error::{Result, VaultError};
use crate::{compress, padme};

/// The most content of one payload, bytes.
pub const CONTENT_BYTES_MAX: usize = 1 << 30;

/// Length of the plaintext's length.
const LENGTH_BYTES: usize = 8;

/// What sealed bytes are bound to: they open in no other place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealContext<'a> {
    /// Origin of the log.
    pub origin: &'a str,
    /// The event that refers to the payload.
    pub event: Id,
    /// What the content is to the event.
    pub role: &'a str,
    /// The payload's own id.
    pub payload: Id,
}

impl SealContext<'_> {
    fn associated(&self) -> Vec<u8> {
        let parts: [&[u8]; 6] = [
            b"inferlog/seal/v1",
            b"AES-256-GCM-SIV",
            self.origin.as_bytes(),
            self.event.as_bytes(),
            self.role.as_bytes(),
            self.payload.as_bytes(),
        ];
        let mut associated = Vec::with_capacity(parts.iter().map(|part| 4 + part.len()).sum());
        for part in parts {
            // Names of 4 GiB do not reach here: an entry that holds them has at most 65,535 bytes.
            associated.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            associated.extend_from_slice(part);
        }
        associated
    }
}

/// A sealed payload and what its reference says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPayload {
    /// Nonce ‖ ciphertext ‖ tag.
    pub bytes: Vec<u8>,
    /// Length of the plaintext: the bucket.
    pub size: u64,
    /// What was done before sealing.
    pub encoding: Encoding,
    /// Binds the content.
    pub commitment: Digest,
    /// SHA-256 of `bytes`.
    pub sealed: Digest,
}

/// Why sealed bytes did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Key, context and sealed bytes do not belong together.
    #[error("the key does not open the payload: wrong key, wrong place, or changed bytes")]
    Unsealed,
    /// They do, but the content is not the one committed to.
    #[error("the content is not the one that was committed to")]
    Commitment,
    /// The plaintext is not as the format says.
    #[error("the sealed plaintext is malformed")]
    Malformed,
    /// The content is longer than the caller allows.
    #[error("the content is longer than {limit} bytes")]
    TooLong {
        /// What the caller allows, bytes.
        limit: usize,
    },
}

/// The key of one payload: its opening. Whoever has it reads this payload and no other. Wiped when dropped.
#[derive(Clone)]
pub struct DataKey(Key);

impl DataKey {
    /// An opening that somebody disclosed.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Key::new(bytes))
    }

    /// The key itself, to disclose it.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// HKDF-SHA256 of the decision's key and the payload's id.
    pub(crate) fn derive(decision: &Key, payload: Id) -> Self {
        Self(derive(decision, &[b"inferlog/payload/v1", payload.as_bytes()]))
    }

    /// The commitment to `content`.
    pub fn commitment(&self, content: &[u8]) -> Digest {
        Digest(self.commit(content).finalize().into_bytes().into())
    }

    fn commit(&self, content: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 3)")]
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(derive(&self.0, &[b"inferlog/commit/v1"]).bytes())
            .expect("a key of any length");
        mac.chain_update(content)
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// HKDF-SHA256 without a salt.
pub(crate) fn derive(from: &Key, info: &[&[u8]]) -> Key {
    let mut key = Key::new([0; 32]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes (RFC 5869, section 2.3)")]
    Hkdf::<Sha256>::new(None, from.bytes())
        .expand_multi_info(info, key.bytes_mut())
        .expect("32 bytes of HKDF");
    key
}

/// Seals `content` under `key`.
pub(crate) fn seal(
    rng: &dyn Rng,
    key: &DataKey,
    context: &SealContext<'_>,
    content: &[u8],
) -> Result<SealedPayload> {
    if content.len() > CONTENT_BYTES_MAX {
        return Err(VaultError::TooLarge);
    }
    let nonce = aead::random_nonce(rng)?;
    let (encoding, mut bytes) = compress::with_encoded(content, |encoding, encoded| {
        let bucket = padme((LENGTH_BYTES + encoded.len()) as u64) as usize;
        let mut bytes = Vec::with_capacity(NONCE_BYTES + bucket + TAG_BYTES);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&(encoded.len() as u64).to_be_bytes());
        bytes.extend_from_slice(encoded);
        bytes.resize(NONCE_BYTES + bucket, 0);
        (encoding, bytes)
    });
    let size = (bytes.len() - NONCE_BYTES) as u64;
    aead::seal_in_place(&key.0, &context.associated(), &mut bytes)?;
    let sealed = Digest(<Sha256 as sha2::Digest>::digest(&bytes).into());
    Ok(SealedPayload { size, encoding, commitment: key.commitment(content), sealed, bytes })
}

/// Opens sealed bytes and checks that the content is the one committed to. `limit`: the most content to give, bytes; no more
/// memory than that is used, whatever the sealed bytes claim. Needs no vault: an opening does.
pub fn open_payload(
    key: &DataKey,
    context: &SealContext<'_>,
    sealed_bytes: &[u8],
    encoding: Encoding,
    commitment: &Digest,
    limit: usize,
) -> Result<Vec<u8>, OpenError> {
    let plaintext = aead::open(&key.0, &context.associated(), sealed_bytes).ok_or(OpenError::Unsealed)?;
    let encoded = unpad(&plaintext).ok_or(OpenError::Malformed)?;
    let content = match encoding {
        Encoding::Identity if encoded.len() > limit => return Err(OpenError::TooLong { limit }),
        Encoding::Identity => encoded.to_vec(),
        Encoding::Zstd => compress::decompress(encoded, limit)?,
    };
    key.commit(&content).verify_slice(commitment.as_bytes()).map_err(|_| OpenError::Commitment)?;
    Ok(content)
}

/// The encoded bytes in a plaintext; `None` if its length, bucket or padding is not the one the format gives.
fn unpad(plaintext: &[u8]) -> Option<&[u8]> {
    let (len, rest) = plaintext.split_first_chunk::<LENGTH_BYTES>()?;
    let (encoded, padding) = rest.split_at_checked(usize::try_from(u64::from_be_bytes(*len)).ok()?)?;
    let bucket = padme((LENGTH_BYTES + encoded.len()) as u64);
    (plaintext.len() as u64 == bucket && padding.iter().all(|byte| *byte == 0)).then_some(encoded)
}
