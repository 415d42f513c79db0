//! Registering: by the process that holds the directory, so that what it serves sees it at once.

use std::path::Path;

use inferlog::real_env;
use inferlog_log::recover::NodeLock;
use inferlog_log::{Env, LogError};
use inferlog_record::Timestamp;
use inferlog_registry::{Added, EntryKind, REGISTRY_DIR, Registration, Registry};

use super::act::Act;
use super::door::{Door, held};
use crate::output::Failure;

/// What became of each registration; why it was refused, if it was.
pub(crate) type Registered = Vec<Result<Added, String>>;

/// Registers through the process that serves the directory; where none does, in the directory itself, which needs no root key.
pub(crate) fn register(data: &Path, registrations: Vec<Registration>) -> Result<Registered, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(mut server) = Door::to_server(data).await? {
            return server.ask(Act::Register { registrations }).await;
        }
        let env = real_env();
        match NodeLock::take(&*env.fs, data) {
            Ok(_lock) => {
                let registry = Registry::open(env.fs.clone(), &data.join(REGISTRY_DIR))?;
                add(&registry, &env, &registrations)
            }
            // It may have begun to serve a moment ago.
            Err(LogError::Locked(_)) => match Door::to_server(data).await? {
                Some(mut server) => server.ask(Act::Register { registrations }).await,
                None => Err(held(data)),
            },
            Err(error) => Err(error.into()),
        }
    })
}

/// Registers in a registry that this process holds.
pub(super) fn add(
    registry: &Registry,
    env: &Env,
    registrations: &[Registration],
) -> Result<Registered, Failure> {
    if registrations.iter().any(|asked| asked.kind() == EntryKind::Policy) {
        return Err(Failure::new("a policy is put in force by `inferlog policy set`"));
    }
    let added = registry.add_all(registrations, Timestamp(env.clock.now_ns()))?;
    Ok(added.into_iter().map(|added| added.map_err(|refusal| refusal.to_string())).collect())
}
