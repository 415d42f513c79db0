//! Holds, for commands and for the HTTP API: placed and released. What stands is told from the log alone
//! (`inferlog_audit::keeping`).

use inferlog::Instance;
use inferlog_capture::recorder::{NewHold, System};
use inferlog_record::body::{Basis, Scope};
use inferlog_record::{Id, RetentionClass, SystemName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::systems::system_of;
use super::text::Words;
use crate::output::Failure;

/// What is asked about holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum HoldAct {
    /// Place one.
    Place(HoldAsked),
    /// Release one.
    Release { hold: Id, basis: Basis, text: Option<Words>, actor: Option<String> },
}

/// A hold that is to be placed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HoldAsked {
    pub(crate) system: SystemName,
    pub(crate) basis: Basis,
    pub(crate) freeze: Freeze,
    /// The order's words.
    pub(crate) text: Option<Words>,
    pub(crate) actor: Option<String>,
}

/// What is to be frozen: records that fit every member that is there; all of the system, if none is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Freeze {
    /// These decisions. `Some` of none freezes nothing, and is refused.
    pub(crate) decisions: Option<Vec<Id>>,
    /// About the person whom requests name so.
    pub(crate) subject: Option<String>,
    /// These retention classes.
    pub(crate) classes: Vec<RetentionClass>,
    /// Logged at or after.
    pub(crate) from: Option<Timestamp>,
    /// Logged before.
    pub(crate) to: Option<Timestamp>,
}

/// A hold that was placed, or released.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HoldDone {
    pub(crate) hold: Id,
    pub(crate) system: String,
    /// What it freezes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<Scope>,
    /// The event that released it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) released: Option<Id>,
}

impl HoldAct {
    /// Its name, for logs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Place(_) => "place_hold",
            Self::Release { .. } => "release_hold",
        }
    }
}

pub(super) async fn act(instance: &Instance, asked: HoldAct) -> Result<Value, Failure> {
    let done = match asked {
        HoldAct::Place(asked) => {
            let HoldAsked { system, basis, freeze, text, actor } = asked;
            place(instance, Placing { system, basis, incident: None, freeze, text, actor }).await?
        }
        HoldAct::Release { hold, basis, text, actor } => release(instance, hold, basis, text, actor).await?,
    };
    Ok(serde_json::to_value(done)?)
}

/// A hold on its way.
pub(super) struct Placing {
    pub(super) system: SystemName,
    pub(super) basis: Basis,
    pub(super) incident: Option<Id>,
    pub(super) freeze: Freeze,
    pub(super) text: Option<Words>,
    pub(super) actor: Option<String>,
}

/// Places a hold, durably; it covers what is recorded from here on too, where its scope does.
pub(super) async fn place(instance: &Instance, placing: Placing) -> Result<HoldDone, Failure> {
    let Placing { system, basis, incident, freeze, text, actor } = placing;
    let found = system_of(instance, &system).await?;
    let scope = scope(instance, &system, freeze).await?;
    let order_text = text.map(Words::into_bytes);
    let scopes = vec![scope.clone()];
    let hold = found.place_hold(NewHold { basis, incident, scopes, order_text, actor }).await?;
    instance.recorder.integrate().await?;
    Ok(HoldDone { hold, system: system.to_string(), scope: Some(scope), released: None })
}

async fn scope(instance: &Instance, system: &SystemName, freeze: Freeze) -> Result<Scope, Failure> {
    let Freeze { decisions, subject, classes, from, to } = freeze;
    if decisions.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::new("no decision fits: nothing would be frozen"));
    }
    let mut decisions = decisions.unwrap_or_default();
    decisions.sort_unstable();
    decisions.dedup();
    let subjects = match subject {
        None => Vec::new(),
        Some(value) => match super::subject::find(instance, value, Some(system)).await?.pop() {
            Some(known) => vec![known.pseudonym],
            // A scope without a person would freeze everybody's.
            None => {
                let what = format!("this person is not known in {system}: nothing would be frozen");
                return Err(Failure::new(what));
            }
        },
    };
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Failure::new("the time frozen ends before it begins"));
    }
    Ok(Scope { classes: classes.into(), decisions: decisions.into(), from, subjects: subjects.into(), to })
}

async fn release(
    instance: &Instance,
    hold: Id,
    basis: Basis,
    text: Option<Words>,
    actor: Option<String>,
) -> Result<HoldDone, Failure> {
    let systems = instance.recorder.systems().await;
    let stands = |system: &&System| system.holds().iter().any(|standing| standing.hold == hold);
    let system = systems.iter().find(stands).ok_or_else(|| {
        let what = format!("no hold {hold} stands here: `inferlog hold list` has those that do");
        Failure::unknown("no_such_hold", what)
    })?;
    let released = system.release_hold(hold, basis, text.map(Words::into_bytes), actor.as_deref()).await?;
    instance.recorder.integrate().await?;
    Ok(HoldDone { hold, system: system.name().to_string(), scope: None, released: Some(released) })
}
