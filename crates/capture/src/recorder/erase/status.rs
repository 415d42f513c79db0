//! How far erasures are.

use super::types::{ErasureStatus, Phase};
use crate::recorder::ledger::{Announced, Told};
use crate::recorder::{RecordError, Recorder, System};
use inferlog_record::body::{Erasure as Stated, ErasurePhase};
use inferlog_record::{Id, KeyId};
use std::collections::BTreeSet;

impl Recorder {
    /// Every erasure that was announced or refused, in every system: the oldest of a system first.
    pub async fn erasures(&self) -> Result<Vec<ErasureStatus>, RecordError> {
        let mut found = Vec::new();
        for system in self.systems_of(None).await {
            found.extend(system.erasures().await?);
        }
        Ok(found)
    }
}

impl System {
    /// Every erasure that was announced or refused here, the oldest first.
    pub async fn erasures(&self) -> Result<Vec<ErasureStatus>, RecordError> {
        let ledger = self.ledger();
        let announced = ledger.announced();
        let withheld: BTreeSet<KeyId> = announced.iter().flat_map(Announced::withheld_keys).collect();
        let vault = self.inner.vault.clone();
        let there = tokio::task::spawn_blocking(move || vault.readable(&withheld)).await??;
        let mut found = Vec::new();
        for told in ledger.events() {
            let Some(stated) = told.erasure() else { continue };
            match stated.phase {
                ErasurePhase::Intent => {
                    let Some(one) = announced.iter().find(|one| one.intent.event.id == told.event.id) else {
                        continue;
                    };
                    let withheld = one.withheld_keys().intersection(&there).copied().collect();
                    let phase = self.phase(one).await?;
                    found.push(self.status(told, stated, phase, withheld));
                }
                ErasurePhase::Refused => {
                    found.push(self.status(told, stated, Phase::Refused, stated.keys.to_vec()));
                }
                ErasurePhase::Withheld | ErasurePhase::Completed => {}
            }
        }
        Ok(found)
    }

    async fn phase(&self, announced: &Announced<'_>) -> Result<Phase, RecordError> {
        if let Some(completed) = announced.completed {
            return Ok(Phase::Completed(completed.event.id));
        }
        let intent: Id = announced.intent.event.id;
        let waits = self.inner.orders.lock().waiting.iter().any(|waiting| waiting.intent() == intent);
        if waits {
            return Ok(Phase::Waiting(self.behind(intent).await?));
        }
        // It may have been completed since the ledger was asked.
        let ledger = self.ledger();
        let found = ledger.announced().into_iter().find(|one| one.intent.event.id == intent);
        let completed = found.and_then(|one| one.completed.map(|told| told.event.id));
        Ok(completed.map_or(Phase::Announced, Phase::Completed))
    }

    fn status(&self, told: &Told, stated: &Stated, phase: Phase, withheld: Vec<KeyId>) -> ErasureStatus {
        ErasureStatus {
            system: self.name().clone(),
            event: told.event.id,
            index: told.index,
            at: told.event.logged_at,
            order: stated.order,
            subjects: stated.subjects.to_vec(),
            decisions: stated.decisions.0,
            phase,
            withheld,
            holds: stated.holds.to_vec(),
            until: stated.until,
            resumes: stated.resumes,
        }
    }
}
