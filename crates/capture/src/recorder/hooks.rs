//! The vault as what the log asks for: a signer, and a sink for births.

use inferlog_log::{BirthSink, HookError, RawSignature, Signer};
use inferlog_vault::{Vault, VaultError};

/// Signs checkpoints with, and takes births into, a vault.
#[derive(Clone)]
pub struct VaultHooks(pub Vault);

impl Signer for VaultHooks {
    fn public_keys(&self, origin: &str) -> Result<Vec<[u8; 32]>, HookError> {
        self.0.signing_keys(origin).map_err(hook_error)
    }

    fn sign(&self, origin: &str, text: &[u8]) -> Result<Vec<RawSignature>, HookError> {
        let signatures = self.0.sign(origin, text);
        Ok(signatures
            .into_iter()
            .map(|(public_key, signature)| RawSignature { public_key, signature })
            .collect())
    }
}

impl BirthSink for VaultHooks {
    fn absorb(&self, births: &[u8]) -> Result<(), HookError> {
        let intake = self.0.absorb(births).map_err(hook_error)?;
        if intake.lost > 0 {
            tracing::error!(
                lost = intake.lost,
                "keys are lost: the keystore is an older copy than the log; restore the newest one"
            );
        }
        Ok(())
    }

    fn sync(&self, marks: &[([u8; 16], u64)]) -> Result<(), HookError> {
        self.0.sync_absorbed(marks).map_err(hook_error)
    }
}

/// A disk that is full is said to be that: integration waits for space then.
fn hook_error(error: VaultError) -> HookError {
    match error {
        VaultError::Disk(error) => error.into(),
        other => other.into(),
    }
}
