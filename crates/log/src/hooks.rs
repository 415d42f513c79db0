//! What a log needs from whoever holds keys.

/// Why a hook failed; the vault's own error. An [`inferlog_disk::DiskError`] of a full disk says that the same call succeeds
/// once there is space.
pub type HookError = Box<dyn std::error::Error + Send + Sync>;

/// An Ed25519 signature (RFC 8032) and the key that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawSignature {
    /// The public key.
    pub public_key: [u8; 32],
    /// The signature over the note's text.
    pub signature: [u8; 64],
}

/// Signs checkpoints.
pub trait Signer: Send + Sync + 'static {
    /// Every public key of this origin, oldest first. The first call creates one.
    fn public_keys(&self, origin: &str) -> Result<Vec<[u8; 32]>, HookError>;
    /// Signs the text of a note with each key that is to sign now.
    fn sign(&self, origin: &str, text: &[u8]) -> Result<Vec<RawSignature>, HookError>;
}

/// Takes the wrapped keys born with entries (docs/format.md, section 7).
pub trait BirthSink: Send + Sync + 'static {
    /// Takes the births of one frame. Taking the same again changes nothing.
    fn absorb(&self, births: &[u8]) -> Result<(), HookError>;
    /// Makes everything absorbed durable, and with it the index in each log (by its id) below which all is absorbed.
    fn sync(&self, marks: &[([u8; 16], u64)]) -> Result<(), HookError>;
}
