//! The frozen data directory of `fixtures/v1/log`: what is in it, how it was written, and how a copy is opened.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "the frozen files are read as any stranger would read them")]

pub mod corrupt;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, Open, SeededRng, create_dir_all};
use inferlog_log::marker::Found;
use inferlog_log::recover::{create_log, recover};
use inferlog_log::wal::{Commit, LiveSegment};
use inferlog_log::{
    Append, Cursor, Env, Flags, Hooks, LogDir, LogError, LogId, Marker, NodeConfig, NodeIdentity, Payloads,
    Recovered,
};

use crate::world::{Births, DAY_NS, OneKey, START_NS};

/// Where the directory lies while a test works on it.
pub const DATA: &str = "/data";
/// The logs, and how many entries of each: under the checkpoint, and in all.
pub const LOGS: [(&str, u64, u64); 2] = [("alpha", 280, 300), ("beta", 3, 5)];
/// What the cursor `reader` of `alpha` holds.
pub const CURSOR: u64 = 123;

/// Files by their path below the data directory.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn folder(which: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/log").join(which)
}

/// Every file below a folder.
pub fn read_all(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let listed = std::fs::read_dir(&next).unwrap_or_else(|error| panic!("{}: {error}", next.display()));
        for path in listed.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

/// A disk with these files under [`DATA`], all durable.
pub fn disk_with(files: &Files) -> SimFs {
    let fs = SimFs::new(1);
    for (name, bytes) in files {
        let path = Path::new(DATA).join(name);
        create_dir_all(&fs, path.parent().unwrap()).unwrap();
        let file = fs.open(&path, Open::CreateNew).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync_data().unwrap();
        fs.sync_dir(path.parent().unwrap()).unwrap();
    }
    fs
}

/// The node over a disk, with the clock, randomness and key that wrote the fixture.
pub struct Opener {
    pub env: Env,
    pub config: NodeConfig,
    pub births: Arc<Births>,
    pub hooks: Hooks,
}

impl Opener {
    pub fn new(fs: &SimFs) -> Self {
        let (clock, rng) = (Arc::new(ManualClock::new(START_NS)), Arc::new(SeededRng::new(1)));
        let mut config = NodeConfig::new(DATA);
        config.segment_bytes = 32 << 10;
        config.org = Some("fixtures.inferlog.example".into());
        let births = Arc::new(Births::default());
        let hooks = Hooks { signer: Arc::new(OneKey::new()), births: births.clone(), twins: None };
        Self { env: Env { fs: Arc::new(fs.clone()), clock, rng }, config, births, hooks }
    }

    pub fn recover(&self) -> Result<Recovered, LogError> {
        recover(&self.env, &self.config, &self.hooks)
    }

    pub fn marker(&self) -> Result<(Marker, Found), LogError> {
        let fs = &*self.env.fs;
        let node = NodeIdentity::load(fs, &self.config.dir)?.unwrap();
        Marker::open(fs, &self.config.dir, None, node.id())
    }
}

/// The entry at `index` of a system's log and all that was born with it.
pub fn append(system: &str, index: u64) -> Append {
    let fill = |byte: u64, length: usize| vec![byte as u8; length];
    let mut payloads = Payloads::default();
    // Those at the end are long, so that the part of the WAL that is not integrated spans two segments.
    let length = if index < 280 { 40 + index as usize } else { 300 };
    let count = if index.is_multiple_of(10) || index >= 280 { 1 + index / 10 % 2 } else { 0 };
    for number in 0..count {
        payloads.push((u128::from(index) << 64 | u128::from(number)).to_be_bytes(), &fill(index, length));
    }
    let (mut decision, mut flags) = (0, Flags::NONE);
    match index % 7 {
        0 => (decision, flags) = (index + 1, Flags::OPENS),
        // The decisions of entries 21 and 294 are never closed.
        3 if index != 24 && index != 297 => (decision, flags) = (index - 2, Flags::CLOSES),
        _ if index % 210 == 50 => flags = Flags::ERASURE,
        _ => {}
    }
    Append {
        entry: format!(r#"{{"index":{index},"system":"{system}"}}"#).into_bytes(),
        decision: u128::from(decision).to_be_bytes(),
        logged_at_ns: START_NS + u64::from(index % 3 == 1) * DAY_NS + index,
        flags,
        class: if index % 40 == 30 { "long" } else { "default" }.to_owned(),
        births: if payloads.is_empty() { Vec::new() } else { fill(index + 1, 24) },
        payloads,
    }
}

/// Writes the directory anew: two logs, 283 entries integrated and then 22 that are in the WAL alone; degraded.
pub fn written_now() -> Files {
    let fs = SimFs::new(1);
    let opener = Opener::new(&fs);
    let mut node = opener.recover().unwrap();
    let mut ids = BTreeMap::new();
    for (system, ..) in LOGS {
        let (identity, dir) =
            create_log(&opener.env, &opener.config, &opener.hooks, node.node.org(), system, "0").unwrap();
        ids.insert(system, (identity.id(), dir.clone()));
        node.integrator.add_log(identity.id(), dir);
    }
    let id = |system: &str| ids[system].0;
    for start in (0..280).step_by(40) {
        commit(&mut node, id("alpha"), "alpha", start..start + 40);
    }
    commit(&mut node, id("beta"), "beta", 0..3);
    let place = node.integrator.round(&node.live).unwrap().unwrap();
    while node.live[0].incarnation < place.incarnation {
        let spares = node.writer.spares();
        spares.retire(&fs, &Path::new(DATA).join("wal"), node.live[0].incarnation).unwrap();
        node.live.remove(0);
    }
    let cursor = Cursor::open(Arc::new(fs.clone()), &ids["alpha"].1, "reader").unwrap();
    cursor.store(CURSOR).unwrap();
    commit(&mut node, id("beta"), "beta", 3..5);
    for start in (280..300).step_by(4) {
        commit(&mut node, id("alpha"), "alpha", start..start + 4);
    }
    opener.marker().unwrap().0.set(START_NS).unwrap();
    files_of(&fs)
}

/// Every file below [`DATA`], without the lock.
pub fn files_of(fs: &SimFs) -> Files {
    let files = fs.files().into_iter().filter(|(path, _)| !path.ends_with("lock"));
    let below = |path: PathBuf| path.strip_prefix(DATA).unwrap().to_str().unwrap().to_owned();
    files.map(|(path, bytes)| (below(path), bytes)).collect()
}

pub fn commit(node: &mut Recovered, log: LogId, system: &str, range: std::ops::Range<u64>) {
    let appends: Vec<(u64, Append)> = range.map(|index| (index, append(system, index))).collect();
    let commits: Vec<_> =
        appends.iter().map(|(index, append)| Commit { log, index: *index, append }).collect();
    node.writer.commit(&commits).unwrap();
    let position: LiveSegment = node.writer.position();
    node.live.retain(|segment| segment.incarnation != position.incarnation);
    node.live.push(position);
}

/// The one log of a system in a data directory.
pub fn log_dir(fs: &SimFs, system: &str) -> LogDir {
    let logs = inferlog_log::list_logs(fs, Path::new(DATA)).unwrap();
    logs.into_iter().find(|log| log.system() == system).unwrap()
}
