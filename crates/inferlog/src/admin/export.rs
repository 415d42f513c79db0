//! Content for an export: the access recorded, then openings handed out.
//!
//! An export runs in the process of whoever asks for it and writes as that user, to a file, a pipe or a terminal; the serving
//! process, which holds the keystore, hands openings to it. An opening opens one payload and nothing else. So the server writes
//! no file at a path that somebody names, and does none of the reading, unsealing and compressing while it answers requests.

use std::sync::Mutex;

use inferlog::Instance;
use inferlog_audit::{Openings, Unopened};
use inferlog_record::body::{Access, AccessAction};
use inferlog_record::{Id, KeyId, SystemName, Tally};
use inferlog_vault::{DataKey, Vault};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::access::{DECISIONS_NAMED_MAX, Reader};
use super::act::{Act, act};
use super::door::Door;
use crate::output::Failure;

/// An export that will open content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExportBegun {
    pub(crate) reader: Reader,
    /// Of this system; of all, if absent.
    pub(crate) system: Option<SystemName>,
    /// The decisions, where they are named.
    pub(crate) decisions: Option<Vec<Id>>,
    /// What is asked for; sealed, for it may name persons.
    pub(crate) selection: String,
}

/// A payload whose opening is asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sought {
    key: KeyId,
    payload: Id,
}

/// An opening, or why there is none.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Opening {
    /// The payload's data key.
    Key(#[serde(with = "hex::serde")] [u8; 32]),
    Erased,
    Other(String),
}

/// Records the export in the log of each system that it reads, and waits until that is durable. How many decisions it will read
/// is not known before it has.
pub(crate) async fn begin(instance: &Instance, begun: ExportBegun) -> Result<(), Failure> {
    let count = begun.decisions.as_ref().map_or(Tally::Unknown, |named| Tally::Known(named.len() as u64));
    let named = begun.decisions.filter(|named| named.len() <= DECISIONS_NAMED_MAX).unwrap_or_default();
    for system in instance.recorder.systems().await {
        if begun.system.as_ref().is_some_and(|only| only != system.name()) {
            continue;
        }
        let access = Access {
            action: AccessAction::Export,
            actor: None,
            count,
            decisions: named.clone().into(),
            granted: true,
            purpose: begun.reader.purpose,
            role: begun.reader.role,
        };
        let told = system.tell_access(access, begun.reader.actor.as_deref(), Some(&begun.selection)).await;
        told.map_err(|error| {
            Failure::new(format!("nothing is exported, for the access cannot be recorded: {error}"))
        })?;
    }
    Ok(())
}

/// The opening of a payload.
pub(crate) fn opening(vault: &Vault, sought: Sought) -> Opening {
    match Openings::data_key(vault, sought.key, sought.payload) {
        Ok(key) => Opening::Key(*key.expose()),
        Err(Unopened::Erased) => Opening::Erased,
        Err(Unopened::Other(why)) => Opening::Other(why),
    }
}

/// Openings from whoever holds the keystore. Asked from a thread that may wait.
pub(crate) enum ExportOpenings {
    /// This process.
    Own(Vault, Door),
    /// The serving process, over its socket.
    Server(Mutex<Door>, Handle),
}

impl ExportOpenings {
    pub(crate) fn new(door: Door, runtime: &Handle) -> Self {
        match &door {
            Door::Own(instance) => Self::Own(instance.vault.clone(), door),
            Door::Server(_) => Self::Server(Mutex::new(door), runtime.clone()),
        }
    }

    /// Asks whoever gives the openings for something else. From a thread that may wait.
    pub(crate) fn ask<T: DeserializeOwned>(&self, runtime: &Handle, asked: Act) -> Result<T, Failure> {
        match self {
            Self::Own(_, Door::Own(instance)) => {
                Ok(serde_json::from_value(runtime.block_on(act(instance, asked))?)?)
            }
            Self::Own(_, Door::Server(_)) => {
                Err(Failure::new("the data directory is held by another process"))
            }
            Self::Server(door, _) => {
                let mut door = door.lock().map_err(|_| Failure::new("an earlier question failed"))?;
                runtime.block_on(door.ask(asked))
            }
        }
    }

    /// Ends in order what this process opened.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Own(_, door) => door.close().await,
            Self::Server(..) => Ok(()),
        }
    }
}

impl Openings for ExportOpenings {
    fn data_key(&self, key: KeyId, payload: Id) -> Result<DataKey, Unopened> {
        let (door, runtime) = match self {
            Self::Own(vault, _) => return Openings::data_key(vault, key, payload),
            Self::Server(door, runtime) => (door, runtime),
        };
        let mut door = door.lock().map_err(|_| Unopened::Other("an earlier question failed".to_owned()))?;
        let asked = Act::Opening { sought: Sought { key, payload } };
        match runtime.block_on(door.ask::<Opening>(asked)) {
            Ok(Opening::Key(bytes)) => Ok(DataKey::from_bytes(bytes)),
            Ok(Opening::Erased) => Err(Unopened::Erased),
            Ok(Opening::Other(why)) => Err(Unopened::Other(why)),
            Err(failure) => Err(Unopened::Other(failure.to_string())),
        }
    }
}
