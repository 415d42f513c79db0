//! A disk and a clock that outlive the recorders on them; holds, erasures, and what opens.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::simulated::{self, DATA, open_in, read, system_name};
use inferlog_capture::recorder::{
    EraseRequest, Erased, NewContent, NewDecision, NewEvent, NewHold, Recorder, System, Target, closed,
};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, SeededRng, replace_file};
use inferlog_log::{Env, list_logs};
use inferlog_record::body::{
    Basis, Body, DecisionOpened, ExchangeEnd, Human, HumanAction, OrderKind, Outcome, Scope,
};
use inferlog_record::{Id, MediaType, PayloadRole, Pseudonym};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub const DAY: Duration = Duration::from_secs(86_400);
/// 2026-11-21T12:00:00Z.
pub const NOON_NS: u64 = 1_795_262_400_000_000_000;

pub struct World {
    pub fs: SimFs,
    pub clock: Arc<ManualClock>,
    lives: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self { fs: SimFs::new(seed), clock: Arc::new(ManualClock::new(NOON_NS)), lives: seed }
    }

    pub fn env(&self) -> Env {
        let rng = Arc::new(SeededRng::new(self.lives << 20 ^ self.fs.call_count()));
        Env { fs: Arc::new(self.fs.clone()), clock: self.clock.clone(), rng }
    }

    pub async fn open(&mut self) -> (Recorder, System) {
        self.lives += 1;
        let recorder = open_in(self.env()).await.unwrap();
        let system = recorder.system(&system_name()).await.unwrap();
        (recorder, system)
    }

    /// Ends in order, and begins anew.
    pub async fn reopen(&mut self, recorder: Recorder, system: System) -> (Recorder, System) {
        recorder.close().await.unwrap();
        drop((recorder, system));
        self.open().await
    }

    /// The newest log's directory.
    pub fn log(&self) -> PathBuf {
        let logs = list_logs(&self.fs, Path::new(DATA)).unwrap();
        logs.last().unwrap().path().to_owned()
    }

    /// A follower says how far it has read.
    pub fn set_cursor(&self, name: &str, next: u64) {
        let dir = self.log().join("cursors");
        inferlog_disk::create_dir_all(&self.fs, &dir).unwrap();
        replace_file(&self.fs, &dir.join(name), format!("{next}\n").as_bytes()).unwrap();
    }

    /// The keystore and its root key.
    pub fn keystore(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let is_keys = |path: &Path| path.starts_with("/data/keystore") || path == Path::new(simulated::ROOT);
        self.fs.files().into_iter().filter(|(path, _)| is_keys(path)).collect()
    }

    /// Puts a keystore of before in the place of the present one.
    pub fn restore(&self, backup: BTreeMap<PathBuf, Vec<u8>>) {
        for path in self.keystore().into_keys() {
            self.fs.remove_file(&path).unwrap();
        }
        for (path, bytes) in backup {
            replace_file(&self.fs, &path, &bytes).unwrap();
        }
    }

    /// How many payloads of a decision open, and how many do not.
    pub async fn opens(&self, recorder: &Recorder, decision: Id) -> (usize, usize) {
        recorder.integrate().await.unwrap();
        let (_, stored) = read(&self.fs);
        let of_it = stored.iter().filter(|(id, _)| *id == decision);
        let (open, dead): (Vec<_>, Vec<_>) =
            of_it.partition(|(_, stored)| stored.open(recorder.vault()).is_ok());
        (open.len(), dead.len())
    }

    /// What the log says of erasures: kinds and phases, in order.
    pub async fn erasures(&self, recorder: &Recorder) -> Vec<String> {
        recorder.integrate().await.unwrap();
        let entries = read(&self.fs).0;
        let events = entries.iter().flat_map(|entry| &entry.events);
        let told = events.filter_map(|event| match &event.body {
            Body::Erasure(erasure) => Some(erasure.phase.to_string()),
            _ => None,
        });
        told.collect()
    }
}

/// A decision about these persons, with one payload.
pub async fn record(system: &System, persons: &[&str]) -> Id {
    let opened = NewEvent::new(DecisionOpened::default())
        .with(PayloadRole::InputRaw, NewContent::personal(MediaType::Json, "{\"income\":1000}"));
    let subjects = persons.iter().map(|person| person.as_bytes().to_vec().into()).collect();
    let mut decision = system.begin(NewDecision { subjects, ..NewDecision::new(opened) }).await.unwrap();
    let end = NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete));
    decision.finish(vec![end]).await.unwrap().id()
}

pub fn review(text: &str) -> NewEvent {
    let body = Human { about: None, action: HumanAction::Override, reviewer: None };
    NewEvent::new(body).with(PayloadRole::HumanReason, NewContent::personal(MediaType::Text, text.to_owned()))
}

/// Adds something to a decision.
pub async fn add(recorder: &Recorder, decision: Id, text: &str) {
    let ongoing = recorder.ongoing(decision, None).await.unwrap();
    ongoing.add(vec![review(text)]).await.unwrap();
}

pub fn person(who: &str) -> EraseRequest {
    EraseRequest::new(Target::Subject(who.as_bytes().to_vec()), OrderKind::Request)
}

/// Erases a person in the one system.
pub async fn erase(recorder: &Recorder, who: &str) -> Erased {
    let erased = recorder.erase(person(who)).await.unwrap();
    assert_eq!(erased.len(), 1, "{erased:?}");
    erased.into_iter().next().unwrap()
}

pub fn pseudonym(recorder: &Recorder, who: &str) -> Option<Pseudonym> {
    let found = recorder.vault().find_subject(&system_name(), who.as_bytes()).unwrap();
    found.map(|subject| subject.pseudonym())
}

pub async fn hold(system: &System, scope: Scope) -> Id {
    let new = NewHold {
        basis: Basis::LegalClaim,
        incident: None,
        scopes: vec![scope],
        order_text: None,
        actor: Some("counsel@example.org".into()),
    };
    system.place_hold(new).await.unwrap()
}

pub async fn hold_decisions(system: &System, decisions: &[Id]) -> Id {
    hold(system, Scope { decisions: decisions.to_vec().into(), ..Scope::default() }).await
}

pub async fn release(system: &System, hold: Id) {
    system.release_hold(hold, Basis::Internal, None, Some("counsel@example.org")).await.unwrap();
}

/// The decisions that an erasure left.
pub fn withheld(erased: &Erased) -> BTreeSet<Id> {
    erased.withheld.iter().map(|one| one.decision).collect()
}
