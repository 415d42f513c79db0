//! Erasures, for commands and for the HTTP API: planned, carried out, told.

use inferlog::Instance;
use inferlog_audit::Select;
use inferlog_audit::keeping::{ErasureTold, keeping};
use inferlog_capture::recorder::{
    EraseRequest, Erased, ErasureOutcome, ErasurePhase, ErasureStatus, Target as RecorderTarget, Withheld,
};
use inferlog_record::body::{OrderKind, Refusal};
use inferlog_record::{Id, SystemName, Timestamp};
use inferlog_vault::OldRoot;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::systems::systems_of;
use super::text::Words;
use crate::output::Failure;

/// The most withheld decisions that an answer names one by one; all are counted.
pub(crate) const WITHHELD_NAMED_MAX: usize = 100;

/// What is asked about erasures.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum ErasureAct {
    /// What one would do.
    Plan { target: Target, system: Option<SystemName>, order: OrderKind },
    /// Carry it out.
    Erase(Asked),
    /// How far all of them are.
    Status,
    /// The certificate of one.
    Certificate { intent: Id },
}

/// An erasure that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) target: Target,
    /// Only in this system.
    pub(crate) system: Option<SystemName>,
    pub(crate) order: OrderKind,
    /// The order's words.
    pub(crate) text: Option<Words>,
    pub(crate) actor: Option<String>,
}

/// Whose keys are to be destroyed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Subject(String),
    Decision(Id),
}

/// What an erasure would do in one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ErasurePlan {
    pub(crate) system: String,
    /// The person, as the log knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pseudonym: Option<String>,
    /// Decisions that would become unreadable.
    pub(crate) decisions: u64,
    /// Of these, those that concern other persons too, who lose them with this one.
    pub(crate) shared: u64,
    pub(crate) withheld: Kept,
    /// What would be touched: a store, or one of several.
    pub(crate) stores: Vec<String>,
    /// Whether it would be refused.
    pub(crate) refused: bool,
}

/// What an erasure leaves, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Decisions that stay.
    pub(crate) decisions: u64,
    /// Those that a hold keeps.
    pub(crate) by_hold: u64,
    /// Those that a legal duty keeps.
    pub(crate) by_legal_duty: u64,
    /// The holds.
    pub(crate) holds: Vec<Id>,
    /// When the first duty ends, and the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<[Timestamp; 2]>,
    /// The first of the decisions, [`WITHHELD_NAMED_MAX`] at most.
    pub(crate) named: Vec<KeptDecision>,
}

/// A decision that stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptDecision {
    pub(crate) decision: Id,
    pub(crate) why: Vec<Refusal>,
    pub(crate) holds: Vec<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
}

/// What an erasure did in one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ErasureDone {
    pub(crate) system: String,
    /// The event that announced it, or refused it.
    pub(crate) intent: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pseudonym: Option<String>,
    /// How far it is.
    pub(crate) outcome: Outcome,
    /// Followers that it waits for.
    pub(crate) waits_for: Vec<String>,
    /// Decisions that cannot be read any more.
    pub(crate) decisions: u64,
    /// Keys that were destroyed: of the person, or of the decision.
    pub(crate) keys: Vec<String>,
    pub(crate) withheld: Kept,
    /// Epoch of the root key that is in force now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root_epoch: Option<u32>,
    /// Why the old root key may still be there; absent if it was destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) old_root_kept: Option<String>,
    /// What could not be overwritten yet, backups that are not up to date included.
    pub(crate) leftovers: Vec<String>,
    /// The certificate, once it is complete: a signed note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<String>,
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// In every store.
    Completed,
    /// The keys are destroyed; followers are yet to delete what they derived.
    Waiting,
    /// Nothing was destroyed.
    Refused,
    /// Its keys are destroyed by the next erasure or start.
    Announced,
}

/// An erasure as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ErasureLine {
    pub(crate) system: String,
    /// The event that announced it, or refused it.
    pub(crate) intent: Id,
    pub(crate) at: Timestamp,
    pub(crate) order: OrderKind,
    pub(crate) outcome: Outcome,
    pub(crate) waits_for: Vec<String>,
    pub(crate) subjects: Vec<String>,
    /// Decisions whose content it destroys.
    pub(crate) decisions: u64,
    /// Keys that are withheld from it still.
    pub(crate) withheld_keys: u64,
    pub(crate) holds: Vec<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Timestamp>,
    /// The earlier one whose withheld keys it destroys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resumes: Option<Id>,
    /// SHA-256 of its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<String>,
}

/// A certificate, and where the log holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CertificateGiven {
    pub(crate) system: String,
    pub(crate) intent: Id,
    pub(crate) completed: Id,
    pub(crate) note: String,
}

impl ErasureAct {
    /// Its name, for logs: the rest of it may name a person.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan_erasure",
            Self::Erase(_) => "erase",
            Self::Status => "erasures",
            Self::Certificate { .. } => "certificate",
        }
    }
}

pub(super) async fn act(instance: &Instance, asked: ErasureAct) -> Result<Value, Failure> {
    Ok(match asked {
        ErasureAct::Plan { target, system, order } => {
            serde_json::to_value(plan(instance, target, system.as_ref(), order).await?)?
        }
        ErasureAct::Erase(asked) => serde_json::to_value(erase(instance, asked).await?)?,
        ErasureAct::Status => serde_json::to_value(status(instance).await?)?,
        ErasureAct::Certificate { intent } => serde_json::to_value(certificate(instance, intent).await?)?,
    })
}

async fn plan(
    instance: &Instance,
    target: Target,
    only: Option<&SystemName>,
    order: OrderKind,
) -> Result<Vec<ErasurePlan>, Failure> {
    systems_of(instance, only).await?;
    let plans = instance.recorder.plan_erasure(&target.into(), only, order).await?;
    let told = plans
        .into_iter()
        .filter(|plan| plan.decisions > 0 || !plan.withheld.is_empty() || plan.pseudonym.is_some());
    Ok(told
        .map(|plan| ErasurePlan {
            refused: plan.is_refused(),
            system: plan.system.to_string(),
            pseudonym: plan.pseudonym.map(|pseudonym| pseudonym.to_string()),
            decisions: plan.decisions,
            shared: plan.shared,
            withheld: Kept::of(&plan.withheld),
            stores: plan
                .stores
                .iter()
                .map(|store| match &store.name {
                    Some(name) => format!("{} {name}", store.store),
                    None => store.store.to_string(),
                })
                .collect(),
        })
        .collect())
}

async fn erase(instance: &Instance, asked: Asked) -> Result<Vec<ErasureDone>, Failure> {
    let Asked { target, system, order, text, actor } = asked;
    // A system that was mistyped knows nobody: that is not to look as if there were nothing to erase.
    systems_of(instance, system.as_ref()).await?;
    let text = text.map(Words::into_bytes);
    let request = EraseRequest { target: target.into(), only: system, order, text, actor };
    Ok(instance.recorder.erase(request).await?.into_iter().map(ErasureDone::from).collect())
}

async fn status(instance: &Instance) -> Result<Vec<ErasureLine>, Failure> {
    let lines = instance.recorder.erasures().await?;
    instance.recorder.integrate().await?;
    // The log says what the certificates' digests are.
    let (env, data) = (instance.env.clone(), instance.data.clone());
    let told = tokio::task::spawn_blocking(move || keeping(&env.fs, &data, &Select::default())).await??;
    Ok(lines.into_iter().map(|line| ErasureLine::of(line, &told.erasures)).collect())
}

/// `None` if there is none, or none yet.
async fn certificate(instance: &Instance, intent: Id) -> Result<Option<CertificateGiven>, Failure> {
    for system in instance.recorder.systems().await {
        if let Some(found) = system.certificate(intent).await? {
            return Ok(Some(CertificateGiven {
                system: found.system.to_string(),
                intent: found.intent,
                completed: found.completed,
                note: found.note,
            }));
        }
    }
    Ok(None)
}

impl From<Target> for RecorderTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Subject(value) => Self::Subject(value.into_bytes()),
            Target::Decision(id) => Self::Decision(id),
        }
    }
}

impl Kept {
    fn of(withheld: &[Withheld]) -> Self {
        let because = |why| withheld.iter().filter(|one| one.why.contains(&why)).count() as u64;
        let mut holds: Vec<Id> = withheld.iter().flat_map(|one| one.holds.iter().copied()).collect();
        holds.sort_unstable();
        holds.dedup();
        let untils = || withheld.iter().filter_map(|one| one.until);
        let named = withheld.iter().take(WITHHELD_NAMED_MAX).map(|one| KeptDecision {
            decision: one.decision,
            why: one.why.clone(),
            holds: one.holds.clone(),
            until: one.until,
        });
        Self {
            decisions: withheld.len() as u64,
            by_hold: because(Refusal::Hold),
            by_legal_duty: because(Refusal::LegalDuty),
            holds,
            until: untils().min().zip(untils().max()).map(|(first, last)| [first, last]),
            named: named.collect(),
        }
    }
}

impl From<Erased> for ErasureDone {
    fn from(erased: Erased) -> Self {
        let (outcome, waits_for) = match erased.outcome {
            ErasureOutcome::Completed => (Outcome::Completed, Vec::new()),
            ErasureOutcome::Waiting(followers) => (Outcome::Waiting, followers),
            ErasureOutcome::Refused => (Outcome::Refused, Vec::new()),
        };
        let (mut root_epoch, mut old_root_kept, mut leftovers) = (None, None, Vec::new());
        if let Some(report) = erased.report {
            root_epoch = Some(report.root_epoch);
            old_root_kept = match report.old_root {
                OldRoot::Destroyed => None,
                OldRoot::Kept(why) => Some(why),
            };
            let backups = report.backups.into_iter();
            let backups =
                backups.filter_map(|backup| Some(format!("{}: {}", backup.place.display(), backup.failed?)));
            leftovers = report.leftovers.into_iter().chain(backups).collect();
        }
        Self {
            system: erased.system.to_string(),
            intent: erased.intent,
            pseudonym: erased.pseudonym.map(|pseudonym| pseudonym.to_string()),
            outcome,
            waits_for,
            decisions: erased.decisions,
            keys: erased.keys.iter().map(ToString::to_string).collect(),
            withheld: Kept::of(&erased.withheld),
            root_epoch,
            old_root_kept,
            leftovers,
            certificate: erased.certificate.map(|certificate| certificate.note),
        }
    }
}

impl ErasureLine {
    fn of(status: ErasureStatus, told: &[ErasureTold]) -> Self {
        let (outcome, waits_for) = match status.phase {
            ErasurePhase::Announced => (Outcome::Announced, Vec::new()),
            ErasurePhase::Waiting(followers) => (Outcome::Waiting, followers),
            ErasurePhase::Completed(_) => (Outcome::Completed, Vec::new()),
            ErasurePhase::Refused => (Outcome::Refused, Vec::new()),
        };
        let told = told.iter().find(|told| told.stated.event == status.event);
        Self {
            system: status.system.to_string(),
            intent: status.event,
            at: status.at,
            order: status.order,
            outcome,
            waits_for,
            subjects: status.subjects.iter().map(ToString::to_string).collect(),
            decisions: status.decisions,
            withheld_keys: status.withheld.len() as u64,
            holds: status.holds,
            until: status.until,
            resumes: status.resumes,
            certificate: told.and_then(|told| told.certificate).map(|digest| digest.to_string()),
        }
    }
}
