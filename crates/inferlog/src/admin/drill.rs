//! Drills: the access recorded before anything is opened, the outcome after.

use std::collections::BTreeMap;

use inferlog::Instance;
use inferlog_record::body::{AccessAction, Drill, DrillResult};
use inferlog_record::{Count, Id, SystemName, Tally};
use serde::{Deserialize, Serialize};

use super::access::{Reader, Reading, record_access};
use crate::output::Failure;

/// A drill that will open content.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DrillBegun {
    pub(crate) reader: Reader,
    /// The decisions, by system.
    pub(crate) decisions: BTreeMap<SystemName, Vec<Id>>,
    /// How they were chosen.
    pub(crate) choice: String,
}

/// What came of a drill in one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DrillDone {
    pub(crate) system: SystemName,
    pub(crate) result: DrillResult,
    pub(crate) sampled: u64,
    pub(crate) failed: u64,
    /// Decisions that could have been drawn, where that was counted.
    pub(crate) population: Option<u64>,
    /// The report, as JSON without any content.
    pub(crate) report: String,
}

/// Records in the log of each system that its decisions are read, and waits until that is durable.
pub(crate) async fn begin(instance: &Instance, begun: DrillBegun) -> Result<(), Failure> {
    let DrillBegun { reader, decisions, choice } = begun;
    let action = AccessAction::Reconstruct;
    record_access(instance, Reading { action, reader, decisions, granted: true, query: Some(choice) }).await
}

/// Records what came of it: the event's id.
pub(crate) async fn finish(instance: &Instance, done: DrillDone) -> Result<Id, Failure> {
    let systems = instance.recorder.systems().await;
    let system = systems.iter().find(|system| *system.name() == done.system).ok_or_else(|| {
        Failure::new(format!("there is no log of {} here that the drill could be recorded in", done.system))
    })?;
    let drill = Drill {
        failed: Count(done.failed),
        population: done.population.map_or(Tally::Unknown, Tally::Known),
        result: done.result,
        sampled: Count(done.sampled),
        sha256: None,
    };
    Ok(system.tell_drill(drill, &done.report).await?)
}
