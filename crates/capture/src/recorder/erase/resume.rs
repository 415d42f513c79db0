//! Erasures that an earlier process announced, that a restored keystore has not seen, or that grounds withheld which are gone.

use super::announce::Announcement;
use super::carry::Intended;
use super::plan::{Planned, Wanted};
use super::types::Erased;
use crate::recorder::ledger::{Announced, Told};
use crate::recorder::purge::Ages;
use crate::recorder::{RecordError, Recorder, System, purge};
use inferlog_record::body::Purged;
use inferlog_record::{Id, KeyId, Pseudonym, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Something announced that a start looks at.
struct Found {
    /// The latest time of an announcement in its system up to this one: a clock that was set back puts nothing before what it
    /// came after.
    at: Timestamp,
    system: System,
    told: Told,
}

/// What was withheld from an erasure, and by whose erasure.
struct Kept {
    intent: Told,
    /// The events that say so.
    withheld: Vec<Told>,
    keys: BTreeSet<KeyId>,
    subjects: Vec<Pseudonym>,
}

impl Kept {
    /// Leaves the keys that a ground which was told keeps still: a hold that stands, a floor that is not over by `now`.
    fn leave(&mut self, standing: &BTreeSet<Id>, now: Option<Timestamp>) {
        for stated in self.withheld.iter().filter_map(Told::erasure) {
            let is_held = stated.holds.iter().any(|hold| standing.contains(hold));
            let is_owed = stated.until.is_some_and(|until| now.is_none_or(|now| until > now));
            if is_held || is_owed {
                self.keys.retain(|key| !stated.keys.contains(key));
            }
        }
    }

    fn is_owed(&self) -> bool {
        self.withheld.iter().filter_map(Told::erasure).any(|stated| stated.until.is_some())
    }
}

impl Recorder {
    /// Carries out the erasures and purges that an earlier process announced, and repeats those that a restored keystore has not
    /// seen. What only waits for followers waits on; what was withheld by holds that are gone goes on.
    pub(crate) async fn resume_erasures(&self) -> Result<(), RecordError> {
        let (log, index) = self.inner.vault.last_erasure();
        let mut announced: Vec<Found> = Vec::new();
        for system in self.systems_of(None).await {
            let ledger = system.ledger();
            let mut at = Timestamp(0);
            for told in ledger.events().filter(|told| is_announcement(told)) {
                at = at.max(told.event.logged_at);
                announced.push(Found { at, system: system.clone(), told: told.clone() });
            }
        }
        // In one log erasures were carried out in their order; across logs, in that of their times.
        let is_last = |one: &&Found| (one.told.log.0, one.told.index) == (log, index);
        let last = announced.iter().find(is_last).map_or(Timestamp(0), |one| one.at);
        announced.sort_by_key(|one| one.at);
        let mut completed: BTreeSet<Id> = BTreeSet::new();
        for system in self.systems_of(None).await {
            let ledger = system.ledger();
            completed.extend(ledger.events().filter_map(Told::completes));
        }
        for Found { at, system, told } in announced {
            let is_seen = if told.log.0 == log { told.index <= index } else { at <= last };
            if is_seen && completed.contains(&told.event.id) {
                continue;
            }
            system.resume_announced(&told, is_seen, told.log.0 == log).await?;
        }
        self.complete_waiting().await?;
        self.resume_released().await
    }

    /// Carries erasures on that were withheld, as far as nothing withholds them any more: holds were released, floors are over.
    /// No floor is while the clock is in doubt ([`Recorder::clock_frozen`]).
    pub async fn resume_withheld(&self) -> Result<Vec<Erased>, RecordError> {
        // What the log says of the clock is read where it is published.
        self.integrate().await?;
        self.resume_all(true).await
    }

    /// [`Recorder::resume_withheld`] of what no duty of law can be keeping, whatever the clock says.
    pub(crate) async fn resume_released(&self) -> Result<(), RecordError> {
        self.resume_all(false).await.map(drop)
    }

    async fn resume_all(&self, trusts_clock: bool) -> Result<Vec<Erased>, RecordError> {
        // In a task of its own, as every erasure.
        let recorder = self.clone();
        let resumed = self.inner.runtime.spawn(async move {
            let mut done = Vec::new();
            for system in recorder.systems_of(None).await {
                let intents: Vec<Id> = system.kept().into_iter().map(|kept| kept.intent.event.id).collect();
                let mut ages = Ages::default();
                for intent in intents {
                    done.extend(system.resume_kept(intent, trusts_clock, &mut ages).await?);
                }
            }
            recorder.await_followers(&mut done).await?;
            Ok(done)
        });
        resumed.await?
    }
}

fn is_announcement(told: &Told) -> bool {
    use inferlog_record::body::ErasurePhase;
    told.erasure().is_some_and(|stated| stated.phase == ErasurePhase::Intent)
        || told.purge().is_some_and(|stated| stated.what == Purged::Payloads)
}

impl System {
    /// Does what is left of one announcement.
    async fn resume_announced(
        &self,
        told: &Told,
        is_seen: bool,
        is_certain: bool,
    ) -> Result<(), RecordError> {
        if told.purge().is_some() {
            if is_seen {
                return Ok(());
            }
            let _gate = self.inner.gate.write().await;
            return purge::carry_out(self, told).await;
        }
        let ledger = self.ledger();
        let announced = ledger.announced();
        let Some(announced) = announced.iter().find(|one| one.intent.event.id == told.event.id) else {
            return Ok(());
        };
        let intended = Intended::found(self.state.clone(), announced)?;
        let is_completed = announced.completed.is_some();
        let mut is_seen = is_seen;
        if is_seen && !is_completed && !is_certain {
            // By the time alone it was carried out. A clock may have been wrong.
            let (vault, erasure) = (self.inner.vault.clone(), intended.erasure().clone());
            is_seen = !tokio::task::spawn_blocking(move || vault.remains(&erasure)).await??;
        }
        if is_seen {
            self.inner.orders.lock().waiting.extend(intended.waiting(None));
            return Ok(());
        }
        let _gate = self.inner.gate.write().await;
        tracing::info!(system = %self.name(), intent = %told.event.id, "an erasure that was announced is carried out");
        self.inner.carry_out(&intended).await.map(drop)
    }

    /// What is withheld from erasures of persons.
    fn kept(&self) -> Vec<Kept> {
        let ledger = self.ledger();
        let kept = |announced: &Announced<'_>| {
            let keys = announced.withheld_keys();
            let subjects = announced.stated.subjects.to_vec();
            let (intent, withheld) = (announced.intent.clone(), announced.withheld.clone());
            let withheld = withheld.into_iter().cloned().collect();
            (!keys.is_empty()).then_some(Kept { intent, withheld, keys, subjects })
        };
        ledger.announced().iter().filter_map(kept).collect()
    }

    /// Carries on what was withheld from this intent, as far as it is free.
    async fn resume_kept(
        &self,
        intent: Id,
        trusts_clock: bool,
        ages: &mut Ages,
    ) -> Result<Vec<Erased>, RecordError> {
        // Whether it is worth to keep everybody waiting.
        if self.freed(intent, trusts_clock, ages).await?.is_none() {
            return Ok(Vec::new());
        }
        let _gate = self.inner.gate.write().await;
        self.tell_clock().await?;
        self.inner.finish_intended().await?;
        self.inner.node.integrate().await?;
        match self.freed(intent, trusts_clock, ages).await? {
            Some(announcement) => self.erase_withheld(announcement).await,
            None => Ok(Vec::new()),
        }
    }

    /// What was withheld from this intent and is free now.
    async fn freed(
        &self,
        intent: Id,
        trusts_clock: bool,
        ages: &mut Ages,
    ) -> Result<Option<Announcement>, RecordError> {
        let Some(mut kept) = self.kept().into_iter().find(|kept| kept.intent.event.id == intent) else {
            return Ok(None);
        };
        // What a ground that was told keeps still, is not free: no log need be searched for that. Other grounds may have come.
        let standing: BTreeSet<Id> = self.holds().into_iter().map(|hold| hold.hold).collect();
        kept.leave(&standing, if trusts_clock { self.trusted_now() } else { None });
        // What went with somebody else's erasure, or was purged, need not be searched for either.
        let (vault, keys) = (self.inner.vault.clone(), std::mem::take(&mut kept.keys));
        kept.keys = tokio::task::spawn_blocking(move || vault.readable(&keys)).await??;
        if kept.keys.is_empty() {
            return Ok(None);
        }
        let Some(order) = kept.intent.erasure().map(|stated| stated.order) else { return Ok(None) };
        let grounds = self.grounds(order, trusts_clock, kept.is_owed(), std::mem::take(ages)).await?;
        *ages = grounds.clone().into_ages();
        // What the log itself says of the clock may put it in doubt.
        kept.leave(&standing, grounds.now());
        if kept.keys.is_empty() {
            return Ok(None);
        }
        let mut free: BTreeMap<Id, BTreeSet<KeyId>> = BTreeMap::new();
        for subject in kept.subjects {
            let found = self.look(Wanted::Erased(subject), None).await?;
            free.extend(self.divide(found, grounds.clone(), Some(kept.keys.clone())).await?.free);
        }
        let planned = Planned { free: free.into_iter().collect(), ..Planned::default() };
        let is_some = !planned.free_keys().is_empty();
        Ok(is_some.then(|| Announcement::resuming(intent, order, planned)))
    }
}
