//! What can be asked, and doing it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inferlog::Instance;
use inferlog_audit::{AuditError, Openings, Story, StoryOptions, TextOptions, story};
use inferlog_log::Env;
use inferlog_record::body::AccessAction;
use inferlog_record::{Id, SystemName};
use inferlog_registry::Registration;
use inferlog_vault::Vault;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{Reader, Reading, record_access};
use super::account::Wanted;
use super::bundle::{self, Disclosing};
use super::drill::{self, DrillBegun, DrillDone};
use super::erasure::ErasureAct;
use super::export::{self, ExportBegun, Sought};
use super::hold::HoldAct;
use super::incident::IncidentAct;
use super::registry::add;
use super::retention::RetentionAct;
use super::risk::RiskAccepted;
use super::subject::SubjectAct;
use super::systems::system_of;
use crate::followers::{Followers, ForgetAsked, SkipAsked, forget, skip};
use crate::output::Failure;
use crate::query::PayloadAt;

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub(crate) enum Act {
    /// Sign a checkpoint over all that is acknowledged.
    Checkpoint,
    /// Bring the index in this store up to date, its external ids too where they are asked for; what its follower says then, if
    /// there is one.
    Fresh { store: String, identified: bool },
    /// The keyed digest by which an index knows an id that others have.
    IndexDigest { id: String },
    /// Say how the followers are doing.
    Followers,
    /// Leave entries out of an index.
    SkipEntries(SkipAsked),
    /// Wait for a follower no more.
    ForgetFollower(ForgetAsked),
    /// Tell a decision, its content opened, the access recorded first.
    Show { decision: Id, form: Form, reader: Reader },
    /// Give the account of a decision, its content opened; recorded as an access before.
    Reconstruct { wanted: Wanted, reader: Reader },
    /// Open payloads that an answer refers to; recorded as an access before.
    Open { wanted: Vec<PayloadAt>, reader: Reader, query: String },
    /// Plan, carry out or tell erasures.
    Erasure(ErasureAct),
    /// Place or release a hold.
    Hold(HoldAct),
    /// Open an incident, or say that its handling has come further.
    Incident(IncidentAct),
    /// Make a new signing key for the system's log.
    RotateKeys { system: SystemName },
    /// Copy the keystore.
    BackUpKeys { to: PathBuf },
    /// Register prompts, tools or models.
    Register { registrations: Vec<Registration> },
    /// Put a system's policy in force.
    SetPolicy { text: String },
    /// Record that content is exported, before any of it is opened.
    BeginExport { begun: ExportBegun },
    /// Hand out the opening of one payload, for an export.
    Opening { sought: Sought },
    /// Record that a drill reads decisions, before any of them is opened.
    BeginDrill { begun: DrillBegun },
    /// Record what came of a drill.
    FinishDrill { done: DrillDone },
    /// Record that content is disclosed in a bundle, before any of it is opened.
    Disclose(Disclosing),
    /// Sign a bundle's manifest, or the note over its page, for a log.
    SignBundle { origin: String, text: String },
    /// Attach a batch of events to their decisions (docs/events.md).
    Events { batch: String },
    /// Record that somebody answers for a finding of coverage.
    AcceptRisk { accepted: RiskAccepted },
    /// Plan, apply or report retention, or settle the clock.
    Retention(RetentionAct),
    /// Find a person, or record that their data is given to them.
    Subject(SubjectAct),
}

impl Act {
    /// Its name, for logs: the rest of it may name a person.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Fresh { .. } => "fresh",
            Self::IndexDigest { .. } => "index_digest",
            Self::Followers => "followers",
            Self::SkipEntries(_) => "skip_entries",
            Self::ForgetFollower(_) => "forget_follower",
            Self::Show { .. } => "show",
            Self::Reconstruct { .. } => "reconstruct",
            Self::Open { .. } => "open",
            Self::Erasure(asked) => asked.name(),
            Self::Hold(asked) => asked.name(),
            Self::Incident(asked) => asked.name(),
            Self::RotateKeys { .. } => "rotate_keys",
            Self::BackUpKeys { .. } => "back_up_keys",
            Self::Register { .. } => "register",
            Self::SetPolicy { .. } => "set_policy",
            Self::BeginExport { .. } => "begin_export",
            Self::Opening { .. } => "opening",
            Self::BeginDrill { .. } => "begin_drill",
            Self::FinishDrill { .. } => "finish_drill",
            Self::Disclose(_) => "disclose",
            Self::SignBundle { .. } => "sign_bundle",
            Self::Events { .. } => "events",
            Self::AcceptRisk { .. } => "accept_risk",
            Self::Retention(_) => "retention",
            Self::Subject(asked) => asked.name(),
        }
    }
}

/// How a decision is told.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    Json,
    Text {
        color: bool,
        #[serde(default)]
        full: bool,
    },
}

/// A new signing key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rotated {
    pub(crate) vkey: String,
}

/// Does what is asked, with a directory that this process holds.
pub(crate) async fn act(instance: &Instance, asked: Act) -> Result<Value, Failure> {
    act_following(instance, &Followers::default(), asked).await
}

/// The same with followers that this process runs.
pub(crate) async fn act_following(
    instance: &Instance,
    followers: &Followers,
    act: Act,
) -> Result<Value, Failure> {
    match act {
        Act::Checkpoint => {
            instance.recorder.integrate().await?;
            Ok(Value::Null)
        }
        Act::Fresh { store, identified } => {
            // A log that failed has published something nevertheless, which the index can answer for.
            drop(instance.recorder.integrate().await);
            let (instance, followers) = (instance.clone(), followers.clone());
            json(tokio::task::spawn_blocking(move || followers.wait(&instance, &store, identified)).await??)
        }
        Act::IndexDigest { id } => json(instance.vault.index_digest(None, id.as_bytes())),
        Act::Followers => {
            let (data, followers) = (instance.data.clone(), followers.clone());
            json(tokio::task::spawn_blocking(move || followers.full_reports(&data)).await?)
        }
        Act::SkipEntries(asked) => {
            instance.recorder.integrate().await?;
            json(skip(instance, followers, asked).await?)
        }
        Act::ForgetFollower(asked) => {
            instance.recorder.integrate().await?;
            json(forget(instance, followers, asked).await?)
        }
        Act::Show { decision, form, reader } => json(show(instance, decision, form, reader).await?),
        Act::Reconstruct { wanted, reader } => {
            json(super::account::give(instance, followers, wanted, reader).await?)
        }
        Act::Open { wanted, reader, query } => {
            json(super::open::open(instance, wanted, reader, query).await?)
        }
        Act::Erasure(asked) => super::erasure::act(instance, asked).await,
        Act::Hold(asked) => super::hold::act(instance, asked).await,
        Act::Incident(asked) => super::incident::act(instance, asked).await,
        Act::RotateKeys { system } => json(Rotated { vkey: rotate(instance, &system).await? }),
        Act::BackUpKeys { to } => {
            instance.recorder.integrate().await?;
            let vault = instance.vault.clone();
            tokio::task::spawn_blocking(move || vault.backup(&to)).await??;
            Ok(Value::Null)
        }
        Act::SetPolicy { text } => json(super::policy::set(instance, followers, &text).await?),
        Act::BeginExport { begun } => json(export::begin(instance, begun).await?),
        Act::Opening { sought } => {
            let vault = instance.vault.clone();
            json(tokio::task::spawn_blocking(move || export::opening(&vault, sought)).await?)
        }
        Act::BeginDrill { begun } => json(drill::begin(instance, begun).await?),
        Act::FinishDrill { done } => json(drill::finish(instance, done).await?),
        Act::Disclose(disclosing) => json(bundle::begin(instance, disclosing).await?),
        Act::SignBundle { origin, text } => {
            let vault = instance.vault.clone();
            json(tokio::task::spawn_blocking(move || bundle::sign(&vault, &origin, &text)).await??)
        }
        Act::Events { batch } => json(super::events::add(instance, batch).await),
        Act::AcceptRisk { accepted } => json(super::risk::accept(instance, accepted).await?),
        Act::Retention(asked) => super::retention::act(instance, asked).await,
        Act::Subject(asked) => super::subject::act(instance, asked).await,
        Act::Register { registrations } => {
            let (registry, env) = (instance.registry.clone(), instance.env.clone());
            json(tokio::task::spawn_blocking(move || add(&registry, &env, &registrations)).await??)
        }
    }
}

/// Makes a new signing key for a log that is there: a name that was mistyped makes none.
async fn rotate(instance: &Instance, name: &SystemName) -> Result<String, Failure> {
    Ok(system_of(instance, name).await?.rotate_signing_key().await?)
}

/// Tells a decision, its content opened; `None` if there is no such decision. That it was read is durable before it is given.
async fn show(
    instance: &Instance,
    decision: Id,
    form: Form,
    reader: Reader,
) -> Result<Option<String>, Failure> {
    instance.recorder.integrate().await?;
    let (vault, env, data) = (instance.vault.clone(), instance.env.clone(), instance.data.clone());
    let told = move || told(&env, &data, decision, Some(&vault));
    let Some(told) = tokio::task::spawn_blocking(told).await?? else { return Ok(None) };
    let decisions = BTreeMap::from([(SystemName::new(&told.system)?, vec![decision])]);
    let action = AccessAction::Read;
    record_access(instance, Reading { action, reader, decisions, granted: true, query: None }).await?;
    form.of(&told).map(Some)
}

/// A decision as text or JSON, its content left sealed; `None` if there is no such decision.
pub(crate) fn tell_sealed(
    env: &Env,
    data: &Path,
    decision: Id,
    form: Form,
) -> Result<Option<String>, Failure> {
    told(env, data, decision, None)?.map(|told| form.of(&told)).transpose()
}

fn told(env: &Env, data: &Path, decision: Id, vault: Option<&Vault>) -> Result<Option<Story>, Failure> {
    let openings = vault.map(|vault| vault as &dyn Openings);
    match story(&env.fs, data, decision, &StoryOptions { openings, ..StoryOptions::default() }) {
        Err(AuditError::NoDecision(_)) => Ok(None),
        other => Ok(Some(other?)),
    }
}

impl Form {
    fn of(self, told: &Story) -> Result<String, Failure> {
        Ok(match self {
            Form::Json => serde_json::to_string(told)?,
            Form::Text { color, full } => told.to_text(TextOptions { color, full }),
        })
    }
}

fn json(value: impl Serialize) -> Result<Value, Failure> {
    Ok(serde_json::to_value(value)?)
}
