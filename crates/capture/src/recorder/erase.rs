//! Erasure: keys destroyed so that nothing sealed under them is ever read again, while the log's bytes stay as they are.
//!
//! The order: the gate is taken, so that nothing is on its way; the *intent* becomes durable; everything up to it is
//! integrated, so that every birth is in the keystore's pages; the vault destroys the keys; the *completion* becomes durable;
//! the gate opens. A crash, or a failure, after the intent leaves an erasure that the next start finishes
//! ([`Recorder::open`]), and that this process finishes before it begins another.
//!
//! In both events `keys` are those of `subjects`, in the same order, where persons are erased; else those of the decisions.

use crate::recorder::scan::{Find, find};
use crate::recorder::write::life_append;
use crate::recorder::{Inner, RecordError, Recorder, System};
use inferlog_log::{Flags, LogDir, LogId, LogReader, RecoveredLog, list_logs};
use inferlog_record::body::{Body, Erasure as Stated, ErasurePhase, OrderKind, Store};
use inferlog_record::{Count, Digest, Entry, Event, Id, KeyId, Pseudonym, SystemName, Timestamp};
use inferlog_vault::{Erasure, ErasureReport, LogPosition, OldRoot, SubjectRef};
use sha2::{Digest as _, Sha256};

/// Whose keys are to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The person whom requests name so, in every system where there is one.
    Subject(Vec<u8>),
    /// One decision.
    Decision(Id),
}

/// An erasure that was done in one system.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The system.
    pub system: SystemName,
    /// The event that announced it.
    pub intent: Id,
    /// Decisions that cannot be read any more.
    pub decisions: u64,
    /// The keys that were destroyed.
    pub keys: Vec<KeyId>,
    /// What the keystore did.
    pub report: ErasureReport,
    /// The certificate (JSON), whose SHA-256 the completion event states.
    pub certificate: Vec<u8>,
}

/// An erasure whose intent is durable and whose completion is not.
#[derive(Clone, Debug)]
pub(crate) struct Intended {
    event: Event,
    position: LogPosition,
    /// Whether the log says already that it was completed: then it is done again for a restored keystore alone.
    is_completed: bool,
}

impl Recorder {
    /// Destroys the keys of a person or a decision, in every system of this recorder or in the one named. What the log says of
    /// them in clear stays. Empty if nobody and nothing of the kind is known. May be called again after any error. What was
    /// begun goes on if the future is dropped.
    pub async fn erase(
        &self,
        target: Target,
        only: Option<&SystemName>,
        order: OrderKind,
    ) -> Result<Vec<Erased>, RecordError> {
        // In a task of its own: were the gate opened while the vault rewrites pages, keys born meanwhile would be sealed for
        // pages that are gone, and lost.
        let (recorder, only) = (self.clone(), only.cloned());
        self.inner
            .runtime
            .spawn(async move { recorder.erase_to_the_end(target, only.as_ref(), order).await })
            .await?
    }

    async fn erase_to_the_end(
        &self,
        target: Target,
        only: Option<&SystemName>,
        order: OrderKind,
    ) -> Result<Vec<Erased>, RecordError> {
        let mut done = Vec::new();
        for system in self.systems().await {
            if only.is_none_or(|name| name == system.name()) {
                done.extend(system.erase(&target, order).await?);
            }
        }
        Ok(done)
    }

    /// Finishes the erasures that an earlier process announced, and repeats those that a restored keystore has not seen.
    pub(crate) async fn resume_erasures(&self) -> Result<(), RecordError> {
        let mut found: Vec<(System, Intended)> = Vec::new();
        let last = self.inner.last_erasure_at()?;
        for log in self.inner.node.recovered() {
            let name =
                SystemName::new(log.dir.system()).map_err(|error| RecordError::Invalid(error.to_string()))?;
            let system = self.system(&name).await?;
            found.extend(
                unfinished(&self.inner, log, last)?.into_iter().map(|intended| (system.clone(), intended)),
            );
        }
        found.sort_by_key(|(_, intended)| intended.event.logged_at);
        for (system, intended) in found {
            let _gate = self.inner.gate.write().await;
            tracing::info!(system = %system.name(), intent = %intended.event.id, "an erasure that was announced is carried out");
            system.carry_out(&intended).await?;
        }
        Ok(())
    }
}

impl System {
    async fn erase(&self, target: &Target, order: OrderKind) -> Result<Option<Erased>, RecordError> {
        // What the published log says is looked through before the gate closes, the rest after.
        let (mut subject, mut scanned) = (None, None);
        if let Some(wanted) = self.wanted(target, &mut subject)? {
            scanned = Some(self.look(wanted, None).await?);
        }
        let _gate = self.inner.gate.write().await;
        // What is queued already has its place before this, and is durable with it: no birth comes from now on.
        self.tell_clock().await?;
        self.finish_intended().await?;
        let Some(wanted) = self.wanted(target, &mut subject)? else { return Ok(None) };
        self.inner.node.integrate().await?;
        let found = self.look(wanted, scanned).await?;
        let keys = match subject {
            Some(subject) => vec![subject.key],
            None => found.keys.iter().copied().collect(),
        };
        if keys.is_empty() {
            return Ok(None);
        }
        let stated = Stated {
            backup_horizon: None,
            by: None,
            certificate: None,
            decisions: Count(found.decisions),
            holds: Vec::new().into(),
            intent: None,
            keys: keys.into(),
            order,
            phase: ErasurePhase::Intent,
            refusals: Vec::new().into(),
            resumes: None,
            root_epoch: None,
            stores: Vec::new().into(),
            subjects: subject.iter().map(|subject| subject.pseudonym).collect(),
            until: None,
            withheld: Count(0),
        };
        let decision = match target {
            Target::Decision(decision) => Some(*decision),
            Target::Subject(_) => None,
        };
        let intended = self.announce(stated, decision).await?;
        self.carry_out(&intended).await.map(Some)
    }

    /// What to look for in the log: the person's pseudonym or the decision's id. `None` if the person is not known.
    fn wanted(
        &self,
        target: &Target,
        subject: &mut Option<SubjectRef>,
    ) -> Result<Option<String>, RecordError> {
        match target {
            Target::Decision(decision) => Ok(Some(decision.to_string())),
            Target::Subject(identifier) => {
                let known = self.inner.vault.find_subject(self.name(), identifier)?;
                *subject = known.map(|known| known.reference());
                Ok(subject.map(|subject| subject.pseudonym.to_string()))
            }
        }
    }

    /// Goes on where `before` ended; without it, begins with the system's older epochs, which do not grow.
    async fn look(&self, wanted: String, before: Option<Find>) -> Result<Find, RecordError> {
        let (fs, dir, log) =
            (self.inner.env.fs.clone(), self.inner.dir.clone(), self.state.log.dir().clone());
        let look = move || {
            let (is_first, mut found) = (before.is_none(), before.unwrap_or_default());
            let is_older = |other: &LogDir| is_first && other.system() == log.system() && *other != log;
            for older in list_logs(&*fs, &dir)?.into_iter().filter(is_older) {
                found = find(&LogReader::new(fs.clone(), older), &wanted, found)?.in_the_next_log();
            }
            find(&LogReader::new(fs, log), &wanted, found)
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// Makes the intent durable. From here on the erasure happens, whatever fails.
    async fn announce(&self, stated: Stated, decision: Option<Id>) -> Result<Intended, RecordError> {
        let event = self.life_event(stated.clone())?;
        let append = life_append(&self.inner, event.clone(), Flags::ERASURE)?;
        let index = self.state.log.append(vec![append]).await?.index;
        let log = LogId::of(&self.state.log.identity().origin).0;
        let intended = Intended { event, position: (log, index), is_completed: false };
        let mut orders = self.inner.orders.lock();
        orders.subjects.extend(stated.subjects.iter().map(|subject| (*subject, intended.event.id)));
        orders.decisions.extend(decision.map(|decision| (decision, intended.event.id)));
        orders.intended.push((self.state.name.clone(), intended.clone()));
        Ok(intended)
    }

    /// Finishes what this process announced before and could not carry out.
    async fn finish_intended(&self) -> Result<(), RecordError> {
        let pending: Vec<Intended> = {
            let orders = self.inner.orders.lock();
            let mine = orders.intended.iter().filter(|(name, _)| name == self.name());
            mine.map(|(_, intended)| intended.clone()).collect()
        };
        for intended in pending {
            self.carry_out(&intended).await?;
        }
        Ok(())
    }

    /// Destroys the keys and says so. The caller holds the gate, and something was made durable since.
    async fn carry_out(&self, intended: &Intended) -> Result<Erased, RecordError> {
        let Body::Erasure(stated) = &intended.event.body else {
            return Err(RecordError::Invalid("the entry flagged as an erasure holds none".into()));
        };
        // Every birth before the intent must be in the pages: what is born there later would come back.
        self.inner.node.integrate().await?;
        let (inner, erasure, position) = (self.inner.clone(), vault_erasure(stated), intended.position);
        let report = tokio::task::spawn_blocking(move || inner.vault.erase(&erasure, position)).await??;
        let certificate = certificate(&self.state.log.identity().origin, intended, stated, &report);
        if !intended.is_completed {
            let completed = self.completed(intended, stated, &report, &certificate)?;
            self.state.log.append(vec![life_append(&self.inner, completed, Flags::NONE)?]).await?;
        }
        self.inner.orders.lock().intended.retain(|(_, other)| other.event.id != intended.event.id);
        Ok(Erased {
            system: self.state.name.clone(),
            intent: intended.event.id,
            decisions: stated.decisions.0,
            keys: stated.keys.to_vec(),
            report,
            certificate,
        })
    }

    fn completed(
        &self,
        intended: &Intended,
        stated: &Stated,
        report: &ErasureReport,
        certificate: &[u8],
    ) -> Result<Event, RecordError> {
        let mut stores = vec![Store::Keystore, Store::Wal];
        if !report.backups.is_empty() {
            stores.push(Store::Backups);
        }
        let mut event = self.life_event(Stated {
            certificate: Some(Digest(Sha256::digest(certificate).into())),
            intent: Some(intended.event.id),
            phase: ErasurePhase::Completed,
            root_epoch: Some(report.root_epoch),
            stores: stores.into(),
            ..stated.clone()
        })?;
        event.after = vec![intended.event.id].into();
        Ok(event)
    }
}

fn vault_erasure(stated: &Stated) -> Erasure {
    if stated.subjects.is_empty() {
        return Erasure { keys: stated.keys.to_vec(), ..Erasure::default() };
    }
    let pair = |(pseudonym, key): (&Pseudonym, &KeyId)| SubjectRef { pseudonym: *pseudonym, key: *key };
    Erasure { subjects: stated.subjects.iter().zip(&stated.keys).map(pair).collect(), ..Erasure::default() }
}

/// What can be shown to the person or an authority. It names keys, never the person.
fn certificate(origin: &str, intended: &Intended, stated: &Stated, report: &ErasureReport) -> Vec<u8> {
    let old_root = match &report.old_root {
        OldRoot::Destroyed => "destroyed".to_owned(),
        OldRoot::Kept(why) => format!("kept: {why}"),
    };
    let backup = |backup: &inferlog_vault::BackupReport| {
        let state =
            backup.failed.as_ref().map_or("up to date".to_owned(), |why| format!("not up to date: {why}"));
        serde_json::json!({ "place": backup.place.display().to_string(), "state": state })
    };
    let certificate = serde_json::json!({
        "backups": report.backups.iter().map(backup).collect::<Vec<_>>(),
        "decisions": stated.decisions,
        "intent": intended.event.id,
        "intent_index": intended.position.1,
        "keys": stated.keys,
        "keys_erased": report.keys_erased,
        "leftovers": report.leftovers,
        "old_root": old_root,
        "order": stated.order,
        "origin": origin,
        "pages_rewritten": report.pages_rewritten,
        "root_epoch": report.root_epoch,
        "subjects": stated.subjects,
    });
    certificate.to_string().into_bytes()
}

impl Inner {
    /// When the newest erasure that the keystore has seen was announced; the beginning of time if it has seen none.
    fn last_erasure_at(&self) -> Result<Timestamp, RecordError> {
        let (log, index) = self.vault.last_erasure();
        let is_it = |found: &&RecoveredLog| LogId::of(&found.identity.origin).0 == log;
        match self.node.recovered().iter().find(is_it) {
            Some(found) if found.erasures.contains(&index) => Ok(read_intent(self, found, index)?.logged_at),
            _ => Ok(Timestamp(0)),
        }
    }
}

/// The erasures of a log that have to be carried out, newest first. In one log they were carried out in their order, so that
/// the search ends at the first that was, and that the keystore has seen: by its index in the log of the last one that it saw,
/// for a clock may have been set back in between; in other logs by its time.
fn unfinished(inner: &Inner, log: &RecoveredLog, last: Timestamp) -> Result<Vec<Intended>, RecordError> {
    let reader = LogReader::new(inner.env.fs.clone(), log.dir.clone());
    let id = LogId::of(&log.identity.origin).0;
    let (last_log, last_index) = inner.vault.last_erasure();
    let mut found = Vec::new();
    for index in log.erasures.iter().rev() {
        let event = read_intent(inner, log, *index)?;
        let is_completed = crate::recorder::scan::is_completed(&reader, *index, event.id)?;
        let is_seen = if id == last_log { *index <= last_index } else { event.logged_at <= last };
        if is_completed && is_seen {
            break;
        }
        found.push(Intended { event, position: (id, *index), is_completed });
    }
    Ok(found)
}

fn read_intent(inner: &Inner, log: &RecoveredLog, index: u64) -> Result<Event, RecordError> {
    let reader = LogReader::new(inner.env.fs.clone(), log.dir.clone());
    let entry = Entry::from_bytes(&reader.entry(index, log.size)?)?;
    let intent = entry.events.into_iter().find(|event| matches!(event.body, Body::Erasure(_)));
    intent
        .ok_or_else(|| RecordError::Invalid(format!("entry {index} is flagged as an erasure and holds none")))
}
