//! Destroying the keys of what was announced.

use crate::recorder::erase::complete::Waiting;
use crate::recorder::ledger::{Announced, Told};
use crate::recorder::{Inner, RecordError, SystemState};
use inferlog_record::body::Erasure as Stated;
use inferlog_record::{KeyId, Pseudonym};
use inferlog_vault::{Erasure, ErasureReport, SubjectRef};
use std::sync::Arc;

/// An erasure, or a purge, whose intent is durable and whose keys are yet to be destroyed.
#[derive(Clone)]
pub(crate) struct Intended {
    pub(super) state: Arc<SystemState>,
    /// The intents, which were told together: at least one.
    pub(super) told: Vec<Told>,
    erasure: Erasure,
    /// Whether nobody waits for its completion: of a purge, which has none, and where the log tells it already and a restored keystore
    /// alone needs it done again.
    is_completed: bool,
}

impl Intended {
    pub(super) fn new(
        state: Arc<SystemState>,
        told: Vec<Told>,
        withheld: Vec<KeyId>,
    ) -> Result<Self, RecordError> {
        let mut erasure = Erasure { withhold: withheld, ..Erasure::default() };
        for told in &told {
            let none = || RecordError::Invalid("the entry flagged as an erasure holds none".into());
            add(told.erasure().ok_or_else(none)?, &mut erasure);
        }
        Ok(Self { state, told, erasure, is_completed: false })
    }

    /// A purge that was told: what it takes from the vault.
    pub(crate) fn of_purge(state: Arc<SystemState>, told: Vec<Told>, erasure: Erasure) -> Self {
        Self { state, told, erasure, is_completed: true }
    }

    /// As the ledger has it.
    pub(super) fn found(state: Arc<SystemState>, announced: &Announced<'_>) -> Result<Self, RecordError> {
        let withheld = announced.withheld.iter().filter_map(|told| told.erasure());
        let withheld = withheld.flat_map(|stated| stated.keys.iter().copied()).collect();
        let is_completed = announced.completed.is_some();
        Ok(Self { is_completed, ..Self::new(state, vec![announced.intent.clone()], withheld)? })
    }

    /// What the vault is asked for.
    pub(super) fn erasure(&self) -> &Erasure {
        &self.erasure
    }

    fn is(&self, other: &Self) -> bool {
        let id = |intended: &Self| intended.told.first().map(|told| told.event.id);
        id(self) == id(other)
    }

    /// What waits for followers now.
    pub(super) fn waiting(&self, report: Option<&ErasureReport>) -> Vec<Waiting> {
        if self.is_completed {
            return Vec::new();
        }
        let (state, erasure) = (&self.state, &self.erasure);
        let waiting =
            |told: &Told| Waiting::new(state.clone(), told.clone(), erasure.clone(), report.cloned());
        self.told.iter().map(waiting).collect()
    }
}

fn add(stated: &Stated, erasure: &mut Erasure) {
    if stated.subjects.is_empty() {
        erasure.keys.extend(stated.keys.iter());
        return;
    }
    let pair = |(pseudonym, key): (&Pseudonym, &KeyId)| SubjectRef { pseudonym: *pseudonym, key: *key };
    erasure.subjects.extend(stated.subjects.iter().zip(stated.keys.iter()).map(pair));
}

impl Inner {
    /// Carries out what this process announced before and could not carry out, in whatever system: the keystore sees erasures in
    /// the order in which they were announced. The caller holds the gate alone, and something was made durable since.
    pub(crate) async fn finish_intended(&self) -> Result<(), RecordError> {
        let pending = self.orders.lock().intended.clone();
        for intended in pending {
            self.carry_out(&intended).await?;
        }
        Ok(())
    }

    /// Destroys the keys. The caller holds the gate alone, and something was made durable since.
    pub(crate) async fn carry_out(&self, intended: &Intended) -> Result<ErasureReport, RecordError> {
        // Every birth before the intent must be in the pages: what is born there later would come back.
        self.node.integrate().await?;
        let (vault, erasure) = (self.vault.clone(), intended.erasure.clone());
        let none = || RecordError::Invalid("an erasure without an intent".into());
        let position = intended.told.last().map(|told| (told.log.0, told.index)).ok_or_else(none)?;
        // A crash from here on leaves an intent that the keystore has seen or not: its table says which.
        let report = tokio::task::spawn_blocking(move || vault.erase(&erasure, position)).await??;
        let mut orders = self.orders.lock();
        orders.intended.retain(|other| !other.is(intended));
        orders.waiting.extend(intended.waiting(Some(&report)));
        Ok(report)
    }
}
