//! Findings of coverage that somebody answers for.

use inferlog::Instance;
use inferlog_record::{ClearName, Id, SystemName, Timestamp, body};
use serde::{Deserialize, Serialize};

use super::systems::system_of;
use crate::output::Failure;

/// A finding that is accepted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RiskAccepted {
    /// The system that has it.
    pub(crate) system: SystemName,
    /// Its id.
    pub(crate) finding: ClearName,
    /// The rule that found it.
    pub(crate) rule: ClearName,
    /// From this time on it counts again.
    pub(crate) until: Timestamp,
    /// Why: sealed.
    pub(crate) reason: String,
    /// Who accepts it, as the organisation knows them; the record has a pseudonym.
    pub(crate) actor: Option<String>,
}

/// Records it in the system's log, and waits until that is durable: the event's id.
pub(super) async fn accept(instance: &Instance, accepted: RiskAccepted) -> Result<Id, Failure> {
    let RiskAccepted { system, finding, rule, until, reason, actor } = accepted;
    let found = system_of(instance, &system).await?;
    let accepted = body::RiskAccepted { by: None, finding, rule, until };
    let event = found.tell_accepted(accepted, actor.as_deref(), &reason).await?;
    instance.recorder.integrate().await?;
    Ok(event)
}
