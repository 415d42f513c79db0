//! Policies of a data directory: registered, then in force.
//!
//! The registry is what remembers them; of each system the one registered last is in force. It is registered before it is put in force,
//! so that a crash between leaves one that the next start puts in force, and tells the log of.

use std::fmt::Write;
use std::sync::Arc;

use inferlog_capture::recorder::{InForce, RecordError};
use inferlog_policy::{Finding, Policy, PolicyError, Severity};
use inferlog_record::{ClearName, Digest, SystemName, TextError, Timestamp};
use inferlog_registry::{PolicyEntry, Registration, Registry, RegistryError};

use crate::Instance;

/// A policy that is in force.
#[derive(Clone, Debug)]
pub struct PolicySet {
    /// The system.
    pub system: SystemName,
    /// The policy, and what identifies it.
    pub policy: Arc<InForce>,
    /// What was in force before, if anything was: `<system>/<version>`, and SHA-256 of its text.
    pub before: Option<(ClearName, Digest)>,
    /// Whether it is new; `false` if it was in force already.
    pub is_new: bool,
    /// What was found in it, and does not keep it from being in force.
    pub findings: Vec<Finding>,
}

/// Why a policy was not put in force.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFault {
    /// Its text cannot be read.
    #[error(transparent)]
    Text(#[from] PolicyError),
    /// The law, or the policy itself, speaks against it.
    #[error("the policy is refused:{}", list(.0))]
    Refused(Vec<Finding>),
    /// It was in force once, and is not any more.
    #[error(
        "version {version} of the policy of {system} was superseded by version {by}: give the text another version to put it in \
         force again"
    )]
    Superseded {
        /// The system.
        system: SystemName,
        /// Its version.
        version: ClearName,
        /// The version that is in force.
        by: ClearName,
    },
    /// One that was registered by another version of inferlog.
    #[error(
        "the policy {id}, which is in force, cannot be read: {source}: put a new version of it in force, by `[policies]` in the \
         configuration of `inferlog serve`"
    )]
    Registered {
        /// `<system>/<version>`.
        id: String,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// It could not be registered.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It is registered, and the log could not be told of it.
    #[error(
        "the policy is registered, and in force from the next start on; the log could not be told of it now: {0}"
    )]
    Record(#[from] RecordError),
    /// A thread ended before it was done.
    #[error("a thread ended: {0}")]
    Thread(#[from] tokio::task::JoinError),
    /// The program's own name breaks the record's rules.
    #[error(transparent)]
    Name(#[from] TextError),
}

fn list(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut list, finding| {
        // Writing to a string does not fail.
        let _ = write!(list, "\n  {finding}");
        list
    })
}

/// Reads a policy, and refuses what may not be put in force: the policy, and what else was found in it.
pub fn read_policy(text: &str) -> Result<(Policy, Vec<Finding>), PolicyFault> {
    let policy = Policy::parse(text)?;
    let (refused, rest): (Vec<_>, Vec<_>) =
        policy.check().into_iter().partition(|finding| finding.severity == Severity::Refused);
    match refused.is_empty() {
        true => Ok((policy, rest)),
        false => Err(PolicyFault::Refused(refused)),
    }
}

/// Registers a policy, durably, unless it is in force already. Blocks.
pub(crate) fn register(registry: &Registry, text: &str, now: Timestamp) -> Result<PolicySet, PolicyFault> {
    let (policy, findings) = read_policy(text)?;
    let (system, version) = (policy.system.clone(), policy.version.clone());
    let name = ClearName::new(system.as_str())?;
    let before = registry.snapshot().policy(name.as_str()).cloned();
    let added = registry.add(&Registration::policy(name, version.clone(), text), now)?;
    if let Some(by) = before.as_ref().filter(|before| !added.is_new && before.version != version) {
        return Err(PolicyFault::Superseded { system, version, by: by.version.clone() });
    }
    let before = before.filter(|_| added.is_new);
    let before = before.map(|known| {
        let id = ClearName::or_unlisted(&format!("{}/{}", known.name, known.version));
        (id, known.sha256)
    });
    let policy = Arc::new(InForce::read(text)?);
    Ok(PolicySet { system, policy, before, is_new: added.is_new, findings })
}

/// The policies in force, of every system that has one. Blocks.
pub fn policies_in_force(registry: &Registry) -> Result<Vec<Arc<InForce>>, PolicyFault> {
    let snapshot = registry.snapshot();
    let systems = snapshot.systems_with_policy().into_iter().filter_map(|system| snapshot.policy(system));
    let read = |policy: &PolicyEntry| {
        let text = snapshot.text(policy.sha256)?;
        let id = || format!("{}/{}", policy.name, policy.version);
        let read = InForce::read(&text).map_err(|source| PolicyFault::Registered { id: id(), source })?;
        Ok(Arc::new(read))
    };
    systems.map(read).collect()
}

impl Instance {
    /// Registers a policy, and puts it in force for what is recorded from now on. The system's log is created if there is none.
    pub async fn set_policy(&self, text: &str) -> Result<PolicySet, PolicyFault> {
        let (registry, now) = (self.registry.clone(), Timestamp(self.env.clock.now_ns()));
        let text = text.to_owned();
        let set = tokio::task::spawn_blocking(move || register(&registry, &text, now)).await??;
        self.recorder.put_in_force((*set.policy).clone()).await?;
        Ok(set)
    }
}
