//! The keystore of a data directory: opened, or created where there is none yet.

use crate::recorder::{RecordError, System};
use inferlog_log::{Env, LogIdentity, NodeLock};
use inferlog_vault::{KeystoreId, RootStore, Vault, VaultError};
use std::path::Path;

/// Opens the keystore in `DIR/keystore`, or creates one. `root` gives the home of its root key, whose default place bears the
/// keystore's id. The data directory's lock is held, so that no other process does the same.
pub fn open_keystore(
    _lock: &NodeLock,
    env: &Env,
    dir: &Path,
    root: impl FnOnce(KeystoreId) -> Box<dyn RootStore>,
) -> Result<Vault, RecordError> {
    let dir = dir.join("keystore");
    let (fs, rng, clock) = (env.fs.clone(), env.rng.clone(), env.clock.clone());
    match KeystoreId::read(&*fs, &dir) {
        Ok(id) if env.fs.exists(&dir.join("table"))? => Ok(Vault::open(fs, rng, clock, &dir, root(id))?),
        // A crash while it was created leaves an id without a table: it is created under the same id.
        Ok(id) => Ok(Vault::create(fs, rng, clock, &dir, id, root(id))?),
        Err(VaultError::Missing { .. }) => {
            let id = KeystoreId::random(&*env.rng)?;
            Ok(Vault::create(fs, rng, clock, &dir, id, root(id))?)
        }
        Err(error) => Err(error.into()),
    }
}

impl System {
    /// Makes a new signing key for the log, and gives its verifier key (c2sp.org/signed-note). Readers find the key in the
    /// directory before anything is signed with it; a checkpoint that it signs follows at once.
    pub async fn rotate_signing_key(&self) -> Result<String, RecordError> {
        let (inner, name) = (self.inner.clone(), self.name().clone());
        let log = self.state.log.clone();
        let identity = tokio::task::spawn_blocking(move || {
            inner.vault.rotate_signing_key(&log.identity().origin)?;
            // A crash before this leaves a key that signs and is not listed: the next start lists it.
            inner.node.refresh_keys(name.as_str())?;
            Ok::<_, RecordError>(LogIdentity::load(&*inner.env.fs, log.dir())?)
        });
        let identity = identity.await??;
        self.tell_clock().await?;
        self.inner.node.integrate().await?;
        let newest = identity.vkeys.last().cloned();
        newest.ok_or_else(|| RecordError::Invalid("the log lists no key after a rotation".into()))
    }
}
