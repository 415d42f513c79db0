//! The end of an erasure: when every follower has deleted what it derived, the completion is told, with the certificate.

use super::certificate;
use super::types::{Erased, Outcome};
use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::ledger::Told;
use crate::recorder::{Inner, RecordError, Recorder, System, SystemState};
use inferlog_log::{LogDir, cursors};
use inferlog_record::body::{Erasure as Stated, ErasurePhase, Store};
use inferlog_record::{Count, DataClass, Digest, Id, MediaType, PayloadRole, Timestamp};
use inferlog_vault::{Erasure, ErasureReport};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long [`Recorder::erase`] waits for followers.
pub const FOLLOWERS_TIME_MAX: Duration = Duration::from_secs(3);
/// Time between two looks at the followers while somebody waits.
const LOOK_PERIOD: Duration = Duration::from_millis(20);
/// Time between two looks at the followers otherwise.
const TEND_PERIOD: Duration = Duration::from_secs(1);

/// An erasure whose keys are destroyed and whose completion is not told.
#[derive(Clone)]
pub(crate) struct Waiting {
    state: Arc<SystemState>,
    told: Told,
    erasure: Erasure,
    /// What the keystore did; `None` if an earlier process did it.
    report: Option<ErasureReport>,
}

impl Waiting {
    pub(super) fn new(
        state: Arc<SystemState>,
        told: Told,
        erasure: Erasure,
        report: Option<ErasureReport>,
    ) -> Self {
        Self { state, told, erasure, report }
    }

    pub(super) fn intent(&self) -> Id {
        self.told.event.id
    }
}

/// A follower that an erasure waits for, or waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Follower {
    pub(super) name: String,
    /// Index of the next entry that it wants, in the log of the intent.
    pub(super) next: u64,
}

impl Recorder {
    /// Waits for followers, for a time, and says how far each erasure is.
    pub(super) async fn await_followers(&self, done: &mut [Erased]) -> Result<(), RecordError> {
        let deadline = Instant::now() + FOLLOWERS_TIME_MAX;
        let ours: BTreeSet<Id> =
            done.iter().filter(|one| one.outcome != Outcome::Refused).map(|one| one.intent).collect();
        loop {
            self.complete_waiting().await?;
            let is_ours = |waiting: &Waiting| ours.contains(&waiting.intent());
            let waits = self.inner.orders.lock().waiting.iter().any(is_ours);
            if !waits || Instant::now() >= deadline {
                break;
            }
            sleep(LOOK_PERIOD).await;
        }
        for system in self.systems().await {
            let here = |one: &&mut Erased| one.system == *system.name() && ours.contains(&one.intent);
            for one in done.iter_mut().filter(here) {
                one.certificate = system.certificate(one.intent).await?;
                one.outcome = match &one.certificate {
                    Some(_) => Outcome::Completed,
                    None => Outcome::Waiting(system.behind(one.intent).await?),
                };
            }
        }
        Ok(())
    }

    /// Completes the erasures that wait for nobody any more. One that cannot be completed is tried again.
    pub(crate) async fn complete_waiting(&self) -> Result<(), RecordError> {
        let _alone = self.inner.completing.lock().await;
        self.complete_alone().await
    }

    /// The caller holds `completing`. One that fails keeps no other back; the first error.
    async fn complete_alone(&self) -> Result<(), RecordError> {
        let waiting = self.inner.orders.lock().waiting.clone();
        let mut outcome = Ok(());
        for one in waiting {
            outcome = outcome.and(self.complete_one(one).await);
        }
        outcome
    }

    async fn complete_one(&self, one: Waiting) -> Result<(), RecordError> {
        let system = System { inner: self.inner.clone(), state: one.state.clone() };
        let followers = system.followers_at(one.told.clone()).await?;
        if followers.iter().any(|follower| follower.next <= one.told.index) {
            return Ok(());
        }
        // In a task of its own: what is durable must get into the ledger.
        let inner = self.inner.clone();
        inner.runtime.spawn(async move { system.complete(&one, &followers).await }).await?
    }
}

impl System {
    /// Tells that an erasure is complete.
    async fn complete(&self, waiting: &Waiting, followers: &[Follower]) -> Result<(), RecordError> {
        let intent = waiting.intent();
        let (vault, erasure) = (self.inner.vault.clone(), waiting.erasure.clone());
        if tokio::task::spawn_blocking(move || vault.remains(&erasure)).await?? {
            let what =
                format!("keys that the erasure {intent} destroyed are there again: restart to carry it out");
            return Err(RecordError::Invalid(what));
        }
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        let Some(stated) = waiting.told.erasure() else { return Ok(()) };
        let root_epoch = match &waiting.report {
            Some(report) => report.root_epoch,
            None => self.inner.vault.root_epoch(),
        };
        let now = self.now();
        let horizon = self.inner.config.backup_horizon;
        let horizon = horizon.map(|time| {
            let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            Timestamp(now.nanos().saturating_add(nanos))
        });
        let mut stores = vec![Store::Keystore, Store::Wal, Store::Packs];
        stores.extend((!followers.is_empty()).then_some(Store::Index));
        stores.extend((!self.inner.vault.backup_places().is_empty()).then_some(Store::Backups));
        let mut completed = Stated {
            backup_horizon: horizon,
            intent: Some(intent),
            phase: ErasurePhase::Completed,
            root_epoch: Some(root_epoch),
            stores: stores.into(),
            ..stated.clone()
        };
        let told = certificate::Facts {
            told: &waiting.told,
            completed: &completed,
            report: waiting.report.as_ref(),
            followers,
            now,
        };
        let note = self.certify(&told)?;
        completed.certificate = Some(Digest(Sha256::digest(&note).into()));
        completed.decisions = Count(stated.decisions.0);
        let content = NewContent::Sealed {
            media_type: MediaType::Text,
            class: DataClass::Pseudonymous,
            bytes: note.into(),
        };
        let mut event = NewEvent::new(completed).with(PayloadRole::Certificate, content);
        event.after = vec![intent];
        self.tell_permanent(vec![event.into()]).await?;
        self.inner.orders.lock().waiting.retain(|other| other.intent() != intent);
        Ok(())
    }

    /// The followers that have a cursor in any log of the system, the older epochs included: nobody else derived anything.
    pub(super) fn followers(&self) -> Result<Vec<String>, RecordError> {
        let ledger = self.ledger();
        let mut names = BTreeSet::new();
        for (_, dir) in ledger.logs() {
            names.extend(cursors(&self.inner.env.fs, dir)?.into_iter().map(|(name, _)| name));
        }
        Ok(names.into_iter().collect())
    }

    /// How far every follower is in the log of an event. One that has no cursor there has read nothing of it.
    pub(super) async fn followers_at(&self, told: Told) -> Result<Vec<Follower>, RecordError> {
        let system = self.clone();
        let look = move || {
            let ledger = system.ledger();
            let dir: Option<&LogDir> = ledger.logs().find(|(log, _)| *log == told.log).map(|(_, dir)| dir);
            let at: BTreeMap<String, u64> = match dir {
                Some(dir) => cursors(&system.inner.env.fs, dir)?.into_iter().collect(),
                None => BTreeMap::new(),
            };
            let names = system.followers()?.into_iter();
            let next = |name: String| Follower { next: at.get(&name).copied().unwrap_or(0), name };
            Ok(names.map(next).collect())
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// The followers that have not passed an intent.
    pub(super) async fn behind(&self, intent: Id) -> Result<Vec<String>, RecordError> {
        let ledger = self.ledger();
        let Some(told) = ledger.events().find(|told| told.event.id == intent) else { return Ok(Vec::new()) };
        let followers = self.followers_at(told.clone()).await?;
        Ok(followers.into_iter().filter(|one| one.next <= told.index).map(|one| one.name).collect())
    }
}

/// Completes erasures that waited for followers, as long as the recorder lives.
pub(crate) async fn tend(inner: Weak<Inner>) {
    loop {
        sleep(TEND_PERIOD).await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.orders.lock().waiting.is_empty() {
            continue;
        }
        // Held until nothing here holds the recorder any more: who closes it waits for that, and may open the directory anew.
        let _alone = inner.completing.clone().lock_owned().await;
        let recorder = Recorder { inner };
        if recorder.inner.check_open().is_err() {
            return;
        }
        if let Err(error) = recorder.complete_alone().await {
            tracing::warn!(%error, "an erasure could not be completed; it is tried again");
        }
        drop(recorder);
    }
}
