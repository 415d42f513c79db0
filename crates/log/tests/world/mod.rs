//! A node on a simulated disk, and a model of what it must hold.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test may fail by panicking")]

mod purge;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, SeededRng};
use inferlog_log::recover::{create_log, recover};
use inferlog_log::wal::{Commit, Failure, LiveSegment};
use inferlog_log::{
    Append, BirthSink, Env, Flags, HookError, Hooks, LogDir, LogError, LogId, LogReader, NodeConfig,
    Payloads, RawSignature, Recovered, Signer,
};
use inferlog_merkle::{Hash, TILE_WIDTH, check_bundle};
use parking_lot::Mutex;

#[allow(unused_imports, reason = "each test file uses its own part")]
pub use purge::{check_indices, gone_of_entries, gone_of_packs, places, with_pruner};

/// Signs everything with one key.
#[derive(Debug)]
pub struct OneKey(SigningKey);

impl OneKey {
    pub fn new() -> Self {
        Self(SigningKey::from_bytes(&[7; 32]))
    }
}

impl Signer for OneKey {
    fn public_keys(&self, _: &str) -> Result<Vec<[u8; 32]>, HookError> {
        Ok(vec![self.0.verifying_key().to_bytes()])
    }

    fn sign(&self, _: &str, text: &[u8]) -> Result<Vec<RawSignature>, HookError> {
        let public_key = self.0.verifying_key().to_bytes();
        Ok(vec![RawSignature { public_key, signature: self.0.sign(text).to_bytes() }])
    }
}

/// Remembers births; what is not synced is forgotten when the process ends.
#[derive(Debug, Default)]
pub struct Births {
    absorbed: Mutex<Vec<Vec<u8>>>,
    synced: Mutex<Vec<Vec<u8>>>,
}

impl Births {
    pub fn forget_unsynced(&self) {
        self.absorbed.lock().clear();
    }

    pub fn durable(&self) -> Vec<Vec<u8>> {
        self.synced.lock().clone()
    }
}

impl BirthSink for Births {
    fn absorb(&self, births: &[u8]) -> Result<(), HookError> {
        self.absorbed.lock().push(births.to_vec());
        Ok(())
    }

    fn sync(&self, _: &[([u8; 16], u64)]) -> Result<(), HookError> {
        self.synced.lock().append(&mut self.absorbed.lock());
        Ok(())
    }
}

pub const DAY_NS: u64 = 86_400_000_000_000;
/// 2026-11-21T00:00:00Z.
pub const START_NS: u64 = 20_778 * DAY_NS;

/// What one log must hold.
#[derive(Clone, Default)]
pub struct Model {
    /// Acknowledged, in order.
    pub acked: Vec<Append>,
    /// Submitted after the last acknowledgement and refused: may be there or not.
    pub perhaps: Vec<Append>,
    /// Every checkpoint seen.
    pub checkpoints: Vec<(u64, Hash)>,
    /// Entries that were pruned and not kept.
    pub gone: BTreeSet<u64>,
    /// Payloads that were purged and not kept.
    pub gone_payloads: BTreeSet<[u8; 16]>,
    /// Entries and payloads that a purge was to remove and came to no end.
    pub perhaps_gone: BTreeSet<u64>,
    pub perhaps_gone_payloads: BTreeSet<[u8; 16]>,
}

/// A node's disk, its model, and the process that is running on it.
pub struct World {
    pub fs: SimFs,
    pub rng: fastrand::Rng,
    pub births: Arc<Births>,
    pub models: BTreeMap<String, Model>,
    pub clock: Arc<ManualClock>,
    pub config: NodeConfig,
}

/// One life of the process.
pub struct Life {
    pub recovered: Recovered,
    pub logs: BTreeMap<String, (LogId, LogDir)>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut config = NodeConfig::new("/data");
        config.segment_bytes = 64 << 10;
        Self {
            fs: SimFs::new(seed),
            rng: fastrand::Rng::with_seed(seed),
            births: Arc::default(),
            models: BTreeMap::new(),
            clock: Arc::new(ManualClock::new(START_NS)),
            config,
        }
    }

    pub fn env(&self) -> Env {
        let rng = Arc::new(SeededRng::new(self.fs.call_count()));
        Env { fs: Arc::new(self.fs.clone()), clock: self.clock.clone(), rng }
    }

    pub fn hooks(&self) -> Hooks {
        Hooks {
            signer: Arc::new(OneKey::new()),
            births: self.births.clone(),
            twins: self.config.twins.clone(),
        }
    }

    /// Starts the process, and checks everything that it finds against the model.
    pub fn start(&mut self) -> Result<Life, LogError> {
        self.births.forget_unsynced();
        let recovered = recover(&self.env(), &self.config, &self.hooks())?;
        let logs = recovered.logs.iter().map(|log| {
            let name = log.dir.system().to_owned();
            (name, (log.identity.id(), log.dir.clone()))
        });
        let life = Life { logs: logs.collect(), recovered };
        for system in life.logs.keys() {
            self.models.entry(system.clone()).or_default();
        }
        self.check_recovered(&life);
        Ok(life)
    }

    /// Creates a system's log.
    pub fn create(&mut self, life: &mut Life, system: &str) -> Result<(), LogError> {
        let (identity, dir) =
            create_log(&self.env(), &self.config, &self.hooks(), life.recovered.node.org(), system, "0")?;
        life.recovered.integrator.add_log(identity.id(), dir.clone());
        life.logs.insert(system.to_owned(), (identity.id(), dir));
        self.models.entry(system.to_owned()).or_default();
        Ok(())
    }

    /// Commits a batch over some logs. False if the process must end.
    pub fn commit(&mut self, life: &mut Life, batch: Vec<(String, Append)>) -> bool {
        let mut commits = Vec::new();
        let mut next: BTreeMap<&str, u64> = BTreeMap::new();
        for (system, append) in &batch {
            let index = next.entry(system).or_insert(self.models[system].acked.len() as u64);
            commits.push(Commit { log: life.logs[system].0, index: *index, append });
            *index += 1;
        }
        match life.recovered.writer.commit(&commits) {
            Ok(()) => {
                self.fs.mark("ack");
                let position = life.recovered.writer.position();
                match life.recovered.live.last_mut() {
                    Some(last) if last.incarnation == position.incarnation => *last = position,
                    _ => life.recovered.live.push(position),
                }
                for (system, append) in batch {
                    self.models.get_mut(&system).unwrap().acked.push(append);
                }
                true
            }
            Err(Failure::NothingWritten(_)) => true,
            Err(Failure::Unknown(_)) => {
                for (system, append) in batch {
                    self.models.get_mut(&system).unwrap().perhaps.push(append);
                }
                false
            }
        }
    }

    /// Integrates all that is durable, gives segments back, and notes the checkpoints.
    pub fn integrate(&mut self, life: &mut Life) -> Result<(), LogError> {
        let live: Vec<LiveSegment> = life.recovered.live.clone();
        let place = life.recovered.integrator.round(&live)?;
        while let (Some(place), Some(first)) = (place, life.recovered.live.first().copied())
            && first.incarnation < place.incarnation
        {
            let spares = life.recovered.writer.spares();
            spares.retire(&self.fs, Path::new("/data/wal"), first.incarnation)?;
            life.recovered.live.remove(0);
        }
        self.note_checkpoints(life);
        Ok(())
    }

    /// Everything acknowledged is there, in its place; what was refused may follow; every checkpoint still holds.
    fn check_recovered(&mut self, life: &Life) {
        for (system, model) in &mut self.models {
            let Some(log) = life.recovered.logs.iter().find(|log| log.dir.system() == system) else {
                assert!(model.acked.is_empty(), "log {system} is gone with {} entries", model.acked.len());
                continue;
            };
            let size = log.size as usize;
            assert!(size >= model.acked.len(), "{system}: {} acknowledged, {size} left", model.acked.len());
            let extra = size - model.acked.len();
            assert!(extra <= model.perhaps.len(), "{system}: entries that nobody wrote");
            model.acked.extend(std::mem::take(&mut model.perhaps).into_iter().take(extra));
            // A copy has no faults.
            check_log(&self.fs.fork(0), &log.dir, model);
            let expected = open_decisions(&model.acked);
            assert_eq!(log.open, expected, "{system}: open decisions");
            let erasures = (0..).zip(&model.acked).filter(|(_, append)| append.flags.has(Flags::ERASURE));
            assert_eq!(log.erasures, erasures.map(|(index, _)| index).collect::<Vec<u64>>());
            let durable = self.births.durable();
            for append in model.acked.iter().filter(|append| !append.births.is_empty()) {
                assert!(
                    durable.contains(&append.births),
                    "{system}: a birth of an acknowledged entry is lost"
                );
            }
        }
        self.note_checkpoints(life);
    }

    fn note_checkpoints(&mut self, life: &Life) {
        for (system, (_, dir)) in &life.logs {
            let reader = LogReader::new(Arc::new(self.fs.clone()), dir.clone());
            // A fault may strike the reader too: then there is nothing to note.
            if let (Ok(Some((_, checkpoint))), Some(model)) =
                (reader.checkpoint(), self.models.get_mut(system))
            {
                model.checkpoints.push((checkpoint.size(), checkpoint.root()));
            }
        }
    }

    /// An entry with random content; its payloads and births name it.
    pub fn random_append(&mut self) -> Append {
        let rng = &mut self.rng;
        let length = if rng.u8(..) < 8 { rng.usize(1..20_000) } else { rng.usize(1..600) };
        let entry: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
        let mut payloads = Payloads::default();
        for _ in 0..rng.usize(0..3) {
            let length = rng.usize(1..500);
            let sealed: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(length).collect();
            payloads.push(rng.u128(..).to_be_bytes(), &sealed);
        }
        let births = if rng.bool() { rng.u128(..).to_be_bytes().to_vec() } else { Vec::new() };
        let flags = [Flags::NONE, Flags::OPENS, Flags::CLOSES, Flags::ERASURE][rng.usize(..4)];
        let decision = u128::from(rng.u8(..8)).to_be_bytes();
        let class = if rng.u8(..) < 32 { "long" } else { "default" }.to_owned();
        let logged_at_ns = START_NS + u64::from(rng.u8(..3)) * DAY_NS;
        Append { entry, decision, logged_at_ns, flags, class, payloads, births }
    }
}

pub fn open_decisions(appends: &[Append]) -> BTreeMap<[u8; 16], u64> {
    let mut open = BTreeMap::new();
    for (index, append) in (0..).zip(appends) {
        if append.flags.has(Flags::OPENS) {
            open.insert(append.decision, index);
        }
        if append.flags.has(Flags::CLOSES) {
            open.remove(&append.decision);
        }
    }
    open
}

/// Reads a log's directory as a stranger would and compares it with the model.
pub fn check_log(fs: &SimFs, dir: &LogDir, model: &Model) {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    let reader = LogReader::new(fs, dir.clone());
    let Some((_, checkpoint)) = reader.checkpoint().unwrap() else {
        assert!(model.acked.is_empty());
        return;
    };
    assert_eq!(checkpoint.size(), model.acked.len() as u64, "the recovered checkpoint covers everything");
    assert_eq!(inferlog_merkle::root(&reader, checkpoint.size()).unwrap(), checkpoint.root());
    for (size, root) in &model.checkpoints {
        assert_eq!(
            inferlog_merkle::root(&reader, *size).unwrap(),
            *root,
            "checkpoint of size {size} no longer holds"
        );
    }
    let first = reader.first().unwrap();
    for start in (first..checkpoint.size()).step_by(usize::from(TILE_WIDTH)) {
        let path = LogDir::bundle_of(start, checkpoint.size()).unwrap();
        let bundle = reader.bundle(path).unwrap();
        let level0 =
            inferlog_merkle::TilePath::new(inferlog_merkle::TileLevel::Hashes(0), path.index(), path.width());
        let tile = inferlog_merkle::TileSource::read_tile(&reader, level0.unwrap()).unwrap();
        check_bundle(&bundle, &tile[..usize::from(path.width()) * 32]).unwrap();
    }
    check_entries(&reader, model);
    check_payloads(&reader, model);
}

/// Every entry is there, or was to go; one by one and read through.
fn check_entries(reader: &LogReader, model: &Model) {
    let size = model.acked.len() as u64;
    let mut scanned = BTreeMap::new();
    reader.scan(0, size, |index, entry| scanned.insert(index, entry.to_vec()).is_none()).unwrap();
    assert!(scanned.keys().is_sorted());
    for (index, append) in (0..).zip(&model.acked) {
        let is_there =
            scanned.get(&index).inspect(|entry| assert_eq!(**entry, append.entry, "entry {index}"));
        let may_be_gone = model.gone.contains(&index) || model.perhaps_gone.contains(&index);
        assert!(is_there.is_some() || may_be_gone, "entry {index} is lost");
        assert!(is_there.is_none() || !model.gone.contains(&index), "entry {index} is there still");
    }
    // One by one, where the two may differ: at the edges of bundles, and where entries were kept.
    let places =
        (0..size).filter(|index| index % 64 == 0 || (index + 1) % 256 == 0 || model.gone.contains(index));
    for index in places {
        match reader.entry(index, size) {
            Ok(entry) => assert_eq!(scanned.get(&index), Some(&entry), "entry {index}"),
            Err(inferlog_log::ReadError::Pruned { index: at, first }) => {
                assert!(!scanned.contains_key(&index), "entry {index}");
                assert!(at == index && index < first);
            }
            Err(error) => panic!("entry {index}: {error}"),
        }
        let is_kept = index < reader.first().unwrap() && scanned.contains_key(&index);
        assert_eq!(reader.kept(index).unwrap(), is_kept, "entry {index}");
    }
}

/// Every payload is there, or was to go.
fn check_payloads(reader: &LogReader, model: &Model) {
    for (index, append) in (0..).zip(&model.acked) {
        for record in inferlog_log::records(append.payloads.bytes()).map(Option::unwrap) {
            let id = record.payload;
            let found = reader.payload(&append.class, append.logged_at_ns, index, id).unwrap();
            let is_there = found.inspect(|sealed| assert_eq!(sealed, record.sealed)).is_some();
            let may_be_gone = model.gone_payloads.contains(&id) || model.perhaps_gone_payloads.contains(&id);
            assert!(is_there || may_be_gone, "a payload of entry {index} is lost");
            assert!(
                !is_there || !model.gone_payloads.contains(&id),
                "a payload of entry {index} is there still"
            );
        }
    }
}

pub fn wal_files(fs: &SimFs) -> Vec<PathBuf> {
    fs.files().into_keys().filter(|path| path.starts_with("/data/wal")).collect()
}
