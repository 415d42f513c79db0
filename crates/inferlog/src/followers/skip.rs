//! Leaving out entries that cannot be indexed.

use inferlog::Instance;
use inferlog_index::Follower;
use inferlog_index::postgres::Interrupt;
use inferlog_log::{LogIdentity, LogReader, list_logs};
use inferlog_record::SystemName;
use serde::{Deserialize, Serialize};

use super::ready::options;
use super::{Followers, Store};
use crate::output::Failure;

/// What is to be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SkipAsked {
    /// The store, by its place.
    pub(crate) store: String,
    /// The log's origin.
    pub(crate) log: String,
    /// The last entry to leave out.
    pub(crate) to: u64,
    pub(crate) reason: String,
}

/// What was left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SkipDone {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The event that says so.
    pub(crate) event: String,
}

/// Says on the record that entries are left out of an index, then leaves them out. What is already there stays.
pub(crate) async fn skip(
    instance: &Instance,
    followers: &Followers,
    asked: SkipAsked,
) -> Result<SkipDone, Failure> {
    let configured = followers.stores().iter().find(|store| store.place(&instance.data) == asked.store);
    let store = configured.cloned().unwrap_or(Store::Sqlite);
    if store.place(&instance.data) != asked.store {
        return Err(Failure::new(format!("the process that serves does not follow into {}", asked.store)));
    }
    let (system, first) = {
        let (instance, store, asked) = (instance.clone(), store.clone(), asked.clone());
        tokio::task::spawn_blocking(move || check(&instance, &store, &asked)).await??
    };
    let systems = instance.recorder.systems().await;
    let Some(system) = systems.iter().find(|known| *known.name() == system) else {
        return Err(Failure::new(format!("the log of {system} is not open")));
    };
    let entries = asked.to - first + 1;
    // A crash after this leaves a word of something that was not done; the command is given again.
    let event = system.tell_follower_skip(entries, &asked.reason).await?;
    let (instance, last) = (instance.clone(), asked.to);
    tokio::task::spawn_blocking(move || {
        let engine = store.engine(&instance.data, &Interrupt::default())?;
        let mut follower = Follower::new(instance.env.fs.clone(), &instance.data, engine, options(&store));
        follower.skip(&asked.log, entries, &asked.reason)
    })
    .await??;
    Ok(SkipDone { first, last, event: event.to_string() })
}

/// The system whose log it is, and the entry at which the index stands.
fn check(instance: &Instance, store: &Store, asked: &SkipAsked) -> Result<(SystemName, u64), Failure> {
    let fs = &instance.env.fs;
    let mut origins = Vec::new();
    for dir in list_logs(&**fs, &instance.data)? {
        let origin = LogIdentity::load(&**fs, &dir)?.origin;
        if origin != asked.log {
            origins.push(origin);
            continue;
        }
        let system = SystemName::new(dir.system())?;
        let size = LogReader::new(fs.clone(), dir).size()?;
        let mut engine = store.engine(&instance.data, &Interrupt::default())?;
        let positions = engine.logs()?;
        let next = positions.iter().find(|(name, _)| name.origin == origin).map_or(0, |(_, at)| at.next);
        if asked.to < next {
            return Err(Failure::new(format!(
                "the index has entry {} already: it stands at entry {next}",
                asked.to
            )));
        }
        if asked.to >= size {
            return Err(Failure::new(format!(
                "the log has no entry {} under its checkpoint: it has {size}",
                asked.to
            )));
        }
        return Ok((system, next));
    }
    Err(Failure::new(format!("there is no log {}; there are: {}", asked.log, origins.join(", "))))
}
