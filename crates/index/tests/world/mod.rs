//! Logs on a simulated disk, written by the real writer and integrator, and what an index says of them.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "a test may fail by panicking")]

pub mod dump;
pub mod dying;
pub mod purges;
pub mod stories;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, SeededRng};
use inferlog_index::{Caught, Engine, FollowOptions, Follower, SqliteEngine};
use inferlog_log::integrate::Integrator;
use inferlog_log::prune::{PrunedEntries, Pruner, prune_entries};
use inferlog_log::recover::{create_log, recover};
use inferlog_log::wal::{Commit, LiveSegment, Writer};
use inferlog_log::{
    Append, BirthSink, Cursor, Env, HookError, Hooks, LogDir, LogId, LogReader, NodeConfig, NodeIdentity,
    RawSignature, Recovered, Signer,
};
use parking_lot::Mutex;

/// 2026-11-21T00:00:00Z.
pub const START_NS: u64 = 20_778 * 86_400_000_000_000;

#[derive(Debug)]
struct OneKey(SigningKey);

impl Signer for OneKey {
    fn public_keys(&self, _: &str) -> Result<Vec<[u8; 32]>, HookError> {
        Ok(vec![self.0.verifying_key().to_bytes()])
    }

    fn sign(&self, _: &str, text: &[u8]) -> Result<Vec<RawSignature>, HookError> {
        let public_key = self.0.verifying_key().to_bytes();
        Ok(vec![RawSignature { public_key, signature: self.0.sign(text).to_bytes() }])
    }
}

#[derive(Debug)]
struct NoBirths;

impl BirthSink for NoBirths {
    fn absorb(&self, _: &[u8]) -> Result<(), HookError> {
        Ok(())
    }

    fn sync(&self, _: &[([u8; 16], u64)]) -> Result<(), HookError> {
        Ok(())
    }
}

/// A node.
pub struct World {
    pub fs: SimFs,
    config: NodeConfig,
    node: NodeIdentity,
    writer: Writer,
    live: Vec<LiveSegment>,
    integrator: Arc<Mutex<Integrator>>,
    logs: BTreeMap<String, (LogId, LogDir, u64)>,
}

impl World {
    pub fn new() -> Self {
        let fs = SimFs::new(1);
        let mut config = NodeConfig::new("/data");
        config.segment_bytes = 4 << 20;
        let Recovered { writer, integrator, node, live, .. } = recover(&env(&fs), &config, &hooks()).unwrap();
        let integrator = Arc::new(Mutex::new(integrator));
        Self { fs, config, node, writer, live, integrator, logs: BTreeMap::new() }
    }

    /// Creates a system's log; a further epoch of it, if it has one.
    pub fn log(&mut self, system: &str) {
        let (env, org) = (env(&self.fs), self.node.org().to_owned());
        let (identity, dir) = create_log(&env, &self.config, &hooks(), &org, system, "0").unwrap();
        self.integrator.lock().add_log(identity.id(), dir.clone());
        self.logs.insert(system.to_owned(), (identity.id(), dir, 0));
    }

    /// The directory of a system's newest log.
    pub fn dir(&self, system: &str) -> LogDir {
        self.logs[system].1.clone()
    }

    /// Appends entries, durable together, and publishes what is durable.
    pub fn publish(&mut self, entries: &[(&str, Vec<u8>)]) {
        let appends: Vec<(&str, Append)> =
            entries.iter().map(|(system, entry)| (*system, append(entry.clone()))).collect();
        self.publish_appends(&appends);
    }

    pub fn publish_appends(&mut self, appends: &[(&str, Append)]) {
        for chunk in appends.chunks(64) {
            let mut commits = Vec::new();
            for (system, append) in chunk {
                let log = self.logs.get_mut(*system).unwrap();
                commits.push(Commit { log: log.0, index: log.2, append });
                log.2 += 1;
            }
            assert!(self.writer.commit(&commits).is_ok());
            let position = self.writer.position();
            match self.live.last_mut() {
                Some(last) if last.incarnation == position.incarnation => *last = position,
                _ => self.live.push(position),
            }
        }
        let place = self.integrator.lock().round(&self.live).unwrap();
        while let (Some(place), Some(first)) = (place, self.live.first().copied())
            && first.incarnation < place.incarnation
        {
            let spares = self.writer.spares();
            spares.retire(&self.fs, Path::new("/data/wal"), first.incarnation).unwrap();
            self.live.remove(0);
        }
    }

    /// Reads a system's newest log.
    pub fn reader(&self, system: &str) -> LogReader {
        LogReader::new(Arc::new(self.fs.clone()), self.dir(system))
    }

    /// Removes the entries of a log below `upto`, but for those to be kept.
    pub fn prune(&self, system: &str, upto: u64, keep: &dyn Fn(u64, &[u8]) -> bool) -> PrunedEntries {
        let pruner = Pruner::new(Arc::new(self.fs.clone()), self.dir(system), self.integrator.clone());
        prune_entries(&pruner, upto, keep).unwrap()
    }

    /// What a follower's cursor says.
    pub fn cursor(&self, system: &str, name: &str) -> u64 {
        Cursor::open(Arc::new(self.fs.clone()), &self.dir(system), name).unwrap().load().unwrap()
    }

    /// A follower of all logs into the file at `path`.
    pub fn follower(&self, path: &Path) -> Follower<SqliteEngine> {
        self.follower_with(path, FollowOptions::default())
    }

    pub fn follower_with(&self, path: &Path, options: FollowOptions) -> Follower<SqliteEngine> {
        self.follower_of(SqliteEngine::open(path).unwrap(), options)
    }

    pub fn follower_of<E: Engine>(&self, engine: E, options: FollowOptions) -> Follower<E> {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        Follower::new(fs, Path::new("/data"), engine, options)
    }
}

pub fn append(entry: Vec<u8>) -> Append {
    Append { entry, class: "default".to_owned(), logged_at_ns: START_NS, ..Append::default() }
}

pub fn catch_up(follower: &mut Follower<SqliteEngine>) -> Caught {
    let caught = follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap();
    assert!(caught.is_complete);
    caught
}

fn env(fs: &SimFs) -> Env {
    let clock = Arc::new(ManualClock::new(START_NS + fs.call_count() * 1_000_000_000));
    Env { fs: Arc::new(fs.clone()), clock, rng: Arc::new(SeededRng::new(fs.call_count())) }
}

fn hooks() -> Hooks {
    let signer = Arc::new(OneKey(SigningKey::from_bytes(&[7; 32])));
    Hooks { signer, births: Arc::new(NoBirths), twins: None }
}
