//! The policy that a system records under: put in force before anything is recorded, or while it records.
//!
//! A policy is put in force alone, behind the gate: the `system.changed` that names it is durable before anything is recorded under it,
//! and what has its place before was recorded under the one before.

use crate::recorder::identities::Firsts;
use crate::recorder::{RecordError, Recorder, System};
use inferlog_policy::{Policy, PolicyError};
use inferlog_record::body::Body;
use inferlog_record::{ClearName, Digest, RetentionClass};
use inferlog_registry::Identity;
use sha2::Digest as _;
use std::sync::Arc;

/// A policy, and what identifies it.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What it says.
    pub policy: Policy,
    /// `<system>/<version>`.
    pub id: ClearName,
    /// SHA-256 of its text.
    pub sha256: Digest,
}

impl InForce {
    /// Reads a policy's text. That it may be put in force ([`Policy::check`]) is the caller's to see to.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let policy = Policy::parse(text)?;
        let id = policy.id();
        Ok(Self { policy, id, sha256: Digest(sha2::Sha256::digest(text.as_bytes()).into()) })
    }

    fn identity(&self) -> Identity {
        Identity { name: Some(self.id.clone()), digest: Some(self.sha256) }
    }
}

impl Recorder {
    /// Puts a policy in force, of its system from now on: durably first. The system's log is created if there is none. One that is in
    /// force already changes nothing; whether it was new.
    pub async fn put_in_force(&self, policy: InForce) -> Result<bool, RecordError> {
        let system = self.system(&policy.policy.system).await?;
        // Whoever stops waiting does not stop it: what is durable is in force.
        tokio::spawn(async move { system.put_in_force(Arc::new(policy)).await }).await?
    }
}

impl System {
    /// The policy in force; none, if none was ever registered.
    pub fn policy(&self) -> Option<Arc<InForce>> {
        self.state.policy.read().clone()
    }

    async fn put_in_force(&self, policy: Arc<InForce>) -> Result<bool, RecordError> {
        let _gate = self.inner.gate.write().await;
        self.inner.check_open()?;
        let is_same = |known: Arc<InForce>| (&known.id, known.sha256) == (&policy.id, policy.sha256);
        if self.policy().is_some_and(is_same) {
            return Ok(false);
        }
        let mut change = Firsts::of_policy(self, policy.identity())?;
        // A crash after this leaves a policy that the next start puts in force, and does not tell again.
        let told = change.take();
        if !told.is_empty() {
            self.state.log.append(told).await?;
        }
        change.keep();
        *self.state.policy.write() = Some(policy);
        Ok(true)
    }

    /// The policy that recording begins under, as the log is to say if it never did: of a crash between a policy's registration and
    /// that, this is what is left.
    pub(crate) fn begin_under(&self) -> Result<(Option<Digest>, Firsts), RecordError> {
        let policy =
            self.inner.config.policies.iter().find(|one| one.policy.system == self.state.name).cloned();
        let digest = policy.as_ref().map(|policy| policy.sha256);
        let identity = policy.as_ref().map(|policy| policy.identity());
        *self.state.policy.write() = policy;
        let firsts = match identity {
            Some(identity) => Firsts::of_policy(self, identity)?,
            None => Firsts::none(self),
        };
        Ok((digest, firsts))
    }

    /// The class of a decision that came by this route.
    pub(crate) fn class_of(&self, route: Option<&ClearName>) -> RetentionClass {
        let policy = self.state.policy.read();
        policy
            .as_ref()
            .map_or_else(RetentionClass::default, |known| known.policy.class_of(route).class.clone())
    }

    /// The class of an event of the system's life.
    pub(crate) fn life_class(&self, body: &Body) -> RetentionClass {
        if body.is_permanent() { RetentionClass::permanent() } else { self.class_of(None) }
    }
}
