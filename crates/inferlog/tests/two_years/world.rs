//! The system that lives: a recorder, its clock, a follower, and the model beside them.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use inferlog::{Instance, Settings};
use inferlog_audit::EntryReceipt;
use inferlog_capture::recorder::System;
use inferlog_disk::{Clock as _, ClockState, ManualClock, OsRng};
use inferlog_index::{Engine, FollowOptions, Follower, SqliteEngine};
use inferlog_log::{Env, LogReader, cursors, list_logs};
use inferlog_record::{Entry, Id, SystemName};

use crate::model::Model;
use crate::quick::quick;

/// 2026-01-01T00:00:00Z.
pub const START_NS: u64 = 1_767_225_600_000_000_000;
pub const PERSONS: usize = 40;
const CLASSES: [(&str, u64); 3] = [("chat", 30), ("credit", 200), ("loans", 400)];

pub struct World {
    pub temp: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub instance: Option<Instance>,
    pub model: Model,
    pub rng: fastrand::Rng,
    pub day: u64,
    pub daily: u64,
    /// Whether the follower runs.
    pub follows: bool,
    /// Whether purging is frozen, as the test has brought about.
    pub frozen: bool,
    /// Decisions that later events come to.
    pub recent: Vec<Id>,
    pub receipts: Vec<EntryReceipt>,
    pub counts: Counts,
}

#[derive(Default, Debug)]
pub struct Counts {
    pub decisions: u64,
    pub late: u64,
    pub too_late: u64,
    pub holds: u64,
    pub released: u64,
    pub erasures: u64,
    pub purges: u64,
    pub frozen: u64,
    pub starts: u64,
    pub gone: u64,
    pub bytes: u64,
    pub waited_ms: u64,
    /// Decisions that holds kept from an erasure, and that were erased when the last was released.
    pub withheld: u64,
    pub carried_on: u64,
    /// The most entries that were due and held.
    pub held: u64,
    /// Payloads that opened, as they should, and that did not, as they should not.
    pub opened: u64,
    pub shut: u64,
    pub verified: u64,
}

fn policy() -> String {
    let class = |(name, days): &(&str, u64)| {
        format!(
            "[[class]]\nname = \"{name}\"\nroutes = [\"{name}\"]\nfloor = \"1 days\"\ntarget = \"{days} days\"\n\
             legal_basis = \"a test\"\n"
        )
    };
    let classes: String = CLASSES.iter().map(class).collect();
    format!("system = \"advice\"\nversion = \"1\"\nprofile = \"other\"\n{classes}")
}

impl World {
    pub async fn new(daily: u64) -> Self {
        let clock = Arc::new(ManualClock::new(START_NS));
        let mut world = Self {
            temp: tempfile::tempdir().unwrap(),
            clock,
            instance: None,
            model: Model::new(&CLASSES),
            rng: fastrand::Rng::with_seed(7),
            day: 0,
            daily,
            follows: true,
            frozen: false,
            recent: Vec::new(),
            receipts: Vec::new(),
            counts: Counts::default(),
        };
        world.vouch(true);
        world.open().await;
        world
    }

    pub fn env(&self) -> Env {
        Env { fs: quick(), clock: self.clock.clone(), rng: Arc::new(OsRng) }
    }

    pub fn data(&self) -> PathBuf {
        self.temp.path().join("data")
    }

    pub async fn open(&mut self) {
        let mut settings = Settings::new(self.data());
        settings.root_key = Some(inferlog_vault::RootSource::File(self.temp.path().join("root.key")));
        settings.policies = vec![policy()];
        self.instance = Some(Instance::open(self.env(), &settings).await.unwrap());
        self.system().await;
        self.counts.starts += 1;
    }

    pub async fn close(&mut self) {
        let instance = self.instance.take().unwrap();
        instance.recorder.close().await.unwrap();
    }

    pub fn instance(&self) -> &Instance {
        self.instance.as_ref().unwrap()
    }

    pub async fn system(&self) -> System {
        self.instance().recorder.system(&name()).await.unwrap()
    }

    /// Whether a time service vouches for the clock.
    pub fn vouch(&self, synchronised: bool) {
        let (offset_ns, max_error_ns) = (Some(0), Some(1_000_000));
        let source = "kernel".to_owned();
        self.clock.set_sync_state(Some(ClockState { synchronised, offset_ns, max_error_ns, source }));
    }

    /// Sets the wall clock alone.
    pub fn set_clock(&self, by_days: i64) {
        let by = by_days * 86_400_000_000_000;
        self.clock.set_now_ns(self.clock.now_ns().saturating_add_signed(by));
    }

    pub fn reader(&self) -> LogReader {
        let dir = list_logs(&*quick(), &self.data()).unwrap().pop().unwrap();
        LogReader::new(quick(), dir)
    }

    /// Has the model read what is new in the log.
    pub async fn learn(&mut self) {
        self.instance().recorder.integrate().await.unwrap();
        let reader = self.reader();
        let size = reader.size().unwrap();
        let model = &mut self.model;
        let next = model.entries.len() as u64;
        reader
            .scan(next, size, |index, bytes| {
                assert_eq!(index, model.entries.len() as u64, "an entry is gone that was never read");
                model.learn(&Entry::from_bytes(bytes).unwrap());
                true
            })
            .unwrap();
    }

    /// Has the follower read what is new.
    pub async fn follow(&self) {
        if !self.follows {
            return;
        }
        let (data, vault) = (self.data(), self.instance().vault.clone());
        let file = self.index_file();
        tokio::task::spawn_blocking(move || {
            let options =
                FollowOptions { name: "sqlite".into(), vault: Some(vault), ..FollowOptions::default() };
            let engine = SqliteEngine::open(&file).unwrap();
            catch_up(&mut Follower::new(quick(), &data, engine, options));
        })
        .await
        .unwrap();
    }

    pub fn index_file(&self) -> PathBuf {
        self.temp.path().join("index.sqlite")
    }

    /// Removes what is due, in the log and in the model.
    pub async fn purge(&mut self) {
        self.learn().await;
        self.follow().await;
        let done = self.instance().recorder.purge(None).await.unwrap().remove(0);
        assert_eq!(done.frozen.is_empty(), !self.frozen, "day {}: {:?}", self.day, done.frozen);
        assert!(done.left.is_empty(), "{:?}", done.left);
        // What it said of the clock is a record after all before.
        self.learn().await;
        self.counts.purges += u64::from(!done.events.is_empty());
        self.counts.frozen += u64::from(self.frozen);
        self.counts.gone += done.entries;
        self.counts.bytes += done.bytes;
        self.counts.waited_ms = self.counts.waited_ms.max(done.waited_ms);
        if !self.frozen {
            let followed = cursors(&quick(), self.reader().dir()).unwrap();
            let followed = followed.iter().map(|(_, next)| *next).min().unwrap_or(u64::MAX);
            let held = self.model.purge(self.clock.now_ns(), 86_400_000_000_000, followed);
            self.counts.held = self.counts.held.max(held);
        }
        self.follow().await;
    }

    pub fn told(&self) -> String {
        let there = self.model.entries.iter().filter(|entry| !entry.gone).count();
        format!("{} entries of {} are there; {:?}", there, self.model.entries.len(), self.counts)
    }

    pub async fn end(mut self) {
        self.close().await;
        // What did not happen was not held against the model.
        let counts = &self.counts;
        let Counts { late, too_late, holds, released, erasures, withheld, carried_on, held, .. } = *counts;
        let happened = [late, too_late, holds, released, erasures, withheld, carried_on, held];
        let Counts { gone, bytes, frozen, opened, shut, verified, .. } = *counts;
        let happened = happened.into_iter().chain([gone, bytes, frozen, opened, shut, verified]);
        assert!(happened.into_iter().all(|count| count > 0), "{counts:?}");
    }
}

pub fn name() -> SystemName {
    SystemName::new("advice").unwrap()
}

pub fn catch_up<E: Engine>(follower: &mut Follower<E>) {
    follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap();
}
