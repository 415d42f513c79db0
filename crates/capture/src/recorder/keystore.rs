//! The keystore of a data directory: opened, or created where there is none yet.

use crate::recorder::RecordError;
use inferlog_log::{Env, NodeLock};
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
