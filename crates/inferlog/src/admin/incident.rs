//! Incidents, for commands and for the HTTP API: opened with a hold, reported, closed. What was told of them is told from the log
//! alone (`inferlog_audit::keeping`).

use inferlog::Instance;
use inferlog_capture::recorder::ToldIncident;
use inferlog_record::body::{Basis, Incident, IncidentCategory, IncidentPhase};
use inferlog_record::{Id, SystemName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hold::{Freeze, Placing, place};
use super::systems::system_of;
use super::text::Words;
use crate::output::Failure;

/// What is asked about incidents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum IncidentAct {
    /// Freeze its records, and record it.
    Open(IncidentAsked),
    /// Record that its handling has come further.
    Advance { incident: Id, phase: IncidentPhase, report: Option<Words>, actor: Option<String> },
}

/// An incident that is to be opened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IncidentAsked {
    pub(crate) system: SystemName,
    pub(crate) category: IncidentCategory,
    pub(crate) aware_at: Timestamp,
    pub(crate) freeze: Freeze,
    pub(crate) report: Option<Words>,
    pub(crate) actor: Option<String>,
}

/// An incident, after it was opened or came further.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IncidentDone {
    pub(crate) incident: Id,
    pub(crate) system: String,
    /// The hold that was placed for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<Id>,
    /// Whether that freezes its records still.
    pub(crate) hold_stands: bool,
    /// The event that says so.
    pub(crate) event: Id,
    pub(crate) phase: IncidentPhase,
}

impl IncidentAct {
    /// Its name, for logs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Open(_) => "open_incident",
            Self::Advance { .. } => "advance_incident",
        }
    }
}

pub(super) async fn act(instance: &Instance, asked: IncidentAct) -> Result<Value, Failure> {
    let done = match asked {
        IncidentAct::Open(asked) => open(instance, asked).await?,
        IncidentAct::Advance { incident, phase, report, actor } => {
            advance(instance, incident, phase, report, actor).await?
        }
    };
    Ok(serde_json::to_value(done)?)
}

/// The hold stands before the incident is told: a crash in between leaves records frozen for an incident that nobody told of, not
/// an incident whose records may go.
async fn open(instance: &Instance, asked: IncidentAsked) -> Result<IncidentDone, Failure> {
    let IncidentAsked { system, category, aware_at, freeze, report, actor } = asked;
    let found = system_of(instance, &system).await?;
    if aware_at.nanos() > instance.env.clock.now_ns() {
        return Err(Failure::new(
            "the time of awareness has not come yet: say when the organisation became aware",
        ));
    }
    let incident = mint(instance)?;
    let placing = Placing {
        system: system.clone(),
        basis: Basis::Incident,
        incident: Some(incident),
        freeze,
        text: None,
        actor: actor.clone(),
    };
    let hold = place(instance, placing).await?.hold;
    let phase = IncidentPhase::Aware;
    let told =
        Incident { aware_at, by: None, category, days: category.days(), hold: Some(hold), incident, phase };
    let told = found.tell_incident(told, report.map(Words::into_bytes), actor.as_deref()).await;
    let event = told.map_err(|error| {
        Failure::new(format!(
            "hold {hold} freezes the records, but the incident is not recorded: {error}: open it again, then release that hold"
        ))
    })?;
    instance.recorder.integrate().await?;
    let system = system.to_string();
    Ok(IncidentDone { incident, system, hold: Some(hold), hold_stands: true, event, phase })
}

async fn advance(
    instance: &Instance,
    incident: Id,
    phase: IncidentPhase,
    report: Option<Words>,
    actor: Option<String>,
) -> Result<IncidentDone, Failure> {
    for system in instance.recorder.systems().await {
        let known: Vec<ToldIncident> = system.incidents();
        let Some(told) = known.iter().find(|told| told.incident == incident) else { continue };
        let Some((_, newest)) = told.events.last() else { continue };
        if newest.phase == IncidentPhase::Closed {
            return Err(Failure::new(format!(
                "incident {incident} is closed, and nothing follows: `inferlog incident show` says what was recorded, \
                 `inferlog hold release` releases its hold"
            )));
        }
        let hold = told.events.iter().rev().find_map(|(_, body)| body.hold);
        let body = Incident { by: None, hold, phase, ..newest.clone() };
        let event = system.tell_incident(body, report.map(Words::into_bytes), actor.as_deref()).await?;
        instance.recorder.integrate().await?;
        let hold_stands = system.holds().iter().any(|standing| Some(standing.hold) == hold);
        let system = system.name().to_string();
        return Ok(IncidentDone { incident, system, hold, hold_stands, event, phase });
    }
    let what = format!("there is no incident {incident} here: `inferlog incident list` has those that are");
    Err(Failure::unknown("no_such_incident", what))
}

/// A new id.
fn mint(instance: &Instance) -> Result<Id, Failure> {
    let mut random = [0; 10];
    instance.env.rng.fill(&mut random)?;
    Ok(Id::new(instance.env.clock.now_ns() / 1_000_000, &random))
}
