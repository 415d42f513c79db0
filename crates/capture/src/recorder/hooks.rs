//! The vault as what the log asks for: a signer, and a sink for births.

use inferlog_log::{BirthSink, HookError, RawSignature, Signer};
use inferlog_vault::Vault;

/// Signs checkpoints with, and takes births into, a vault.
#[derive(Clone)]
pub struct VaultHooks(pub Vault);

impl Signer for VaultHooks {
    fn public_keys(&self, origin: &str) -> Result<Vec<[u8; 32]>, HookError> {
        Ok(self.0.signing_keys(origin)?)
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
        let intake = self.0.absorb(births)?;
        if intake.lost > 0 {
            tracing::error!(
                lost = intake.lost,
                "keys are lost: the keystore is an older copy than the log; restore the newest one"
            );
        }
        Ok(())
    }

    fn sync(&self, marks: &[([u8; 16], u64)]) -> Result<(), HookError> {
        Ok(self.0.sync_absorbed(marks)?)
    }
}
