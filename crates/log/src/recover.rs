//! Opening: what a crash left, made whole by the same integrator that runs live.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{Clock, Fs, LockGuard, Rng, create_dir_all};
use inferlog_record::Timestamp;

use crate::error::{LogError, Result};
use crate::identity::{LogIdentity, NodeIdentity, is_org, list_logs};
use crate::integrate::{Hooks, Integrator};
use crate::packs::day_name;
use crate::wal::{Frame, LiveSegment, Writer, scan};
use crate::{LogDir, LogId, State};

/// Where a node's data lies and how it behaves.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The data directory.
    pub dir: PathBuf,
    /// The org in origins; the node's id by default. Counts only when the directory is new.
    pub org: Option<String>,
    /// Length of a WAL segment, bytes.
    pub segment_bytes: u64,
    /// Longest time between an acknowledgement and the checkpoint that covers it, milliseconds, while the disk keeps up.
    pub integrate_ms: u64,
    /// Another failure domain for the twins, if there is one.
    pub twins: Option<PathBuf>,
}

impl NodeConfig {
    /// The defaults for a data directory: 64 MiB segments, a checkpoint every 250 ms while there is something new.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), org: None, segment_bytes: 64 << 20, integrate_ms: 250, twins: None }
    }
}

/// The outside world of a node.
#[derive(Clone, Debug)]
pub struct Env {
    /// Files.
    pub fs: Arc<dyn Fs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

/// What recovery found in one log.
#[derive(Clone, Debug)]
pub struct RecoveredLog {
    /// Its directory.
    pub dir: LogDir,
    /// Its identity.
    pub identity: LogIdentity,
    /// Entries in it.
    pub size: u64,
    /// Decisions that were opened and never closed, with the index of the entry that opened them.
    pub open: BTreeMap<[u8; 16], u64>,
    /// Indices of erasure intents, ascending.
    pub erasures: Vec<u64>,
}

/// Both halves of a node, recovered, without threads.
pub struct Recovered {
    /// Appends.
    pub writer: Writer,
    /// Integrates.
    pub integrator: Integrator,
    /// The node.
    pub node: NodeIdentity,
    /// The newest epoch of each system and shard.
    pub logs: Vec<RecoveredLog>,
    /// Live segments as of now, oldest first.
    pub live: Vec<LiveSegment>,
    pub(crate) lock: NodeLock,
}

/// The one right to write a data directory. Held until it and all its clones are dropped, of which the node that was opened
/// with it has one. A process that opens a directory again keeps a clone meanwhile, so that no other comes in between; it
/// closes the node before ([`crate::Node::close`]).
#[derive(Clone, Debug)]
pub struct NodeLock {
    _guard: Arc<dyn LockGuard>,
}

impl NodeLock {
    /// Takes the lock of `dir`, which is created if missing. [`LogError::Locked`] if another process holds it. Whoever opens
    /// a keystore that lies in the directory takes the lock first.
    pub fn take(fs: &dyn Fs, dir: &Path) -> Result<Self> {
        create_dir_all(fs, dir)?;
        let guard = fs.lock(&dir.join("lock")).map_err(|error| match error.is_locked() {
            true => LogError::Locked(dir.to_owned()),
            false => error.into(),
        })?;
        Ok(Self { _guard: guard.into() })
    }
}

/// Opens a data directory for writing, whole or not: takes the lock, reads the WAL, integrates what is not, and checks the
/// result against everything that was ever signed.
pub fn recover(env: &Env, config: &NodeConfig, hooks: &Hooks) -> Result<Recovered> {
    recover_locked(NodeLock::take(&*env.fs, &config.dir)?, env, config, hooks)
}

/// [`recover`] under a lock that was taken before.
pub fn recover_locked(lock: NodeLock, env: &Env, config: &NodeConfig, hooks: &Hooks) -> Result<Recovered> {
    let (fs, dir) = (&env.fs, &config.dir);
    let wal = dir.join("wal");
    create_dir_all(&**fs, &wal)?;
    create_dir_all(&**fs, &dir.join("logs"))?;
    let node = NodeIdentity::load_or_create(&**fs, &*env.rng, dir, config.org.as_deref())?;

    let mut integrator = Integrator::new(fs.clone(), wal.clone(), node.id(), hooks.clone());
    let mut next = HashMap::new();
    let mut logs = Vec::new();
    for dir in list_logs(&**fs, dir)? {
        let identity = LogIdentity::load(&**fs, &dir)?;
        // Written again before anything rests on it: what is read may be a change whose sync failed in the last life.
        identity.store(&**fs, &dir)?;
        let state = State::load(&**fs, &dir)?;
        state.store(&**fs, &dir.state())?;
        next.insert(identity.id(), (state.size, state.size));
        integrator.add_log(identity.id(), dir.clone());
        logs.push((identity, dir));
    }
    let found = scan(&**fs, &wal, node.id(), |frame, path, offset| {
        check_index(&mut next, frame).map_err(|what| LogError::damaged(path, offset, &what))
    })?;
    let writer = Writer::resume(fs.clone(), &wal, node.id(), config.segment_bytes, &found)?;
    let live = catch_up(&mut integrator, &writer, &wal, &**fs, found.segments)?;

    let mut recovered = Vec::new();
    for (identity, dir) in newest_epochs(logs) {
        let id = identity.id();
        let Some(tree) = integrator.tree(id)? else { continue };
        if let Some(signed) = tree.sign(&*hooks.signer)? {
            let what =
                format!("a checkpoint of {signed} entries was signed, but the log has only {}", tree.size());
            return Err(LogError::Forked { origin: identity.origin, what });
        }
        let state = tree.state();
        let (size, open, erasures) = (state.size, state.open.clone(), state.erasures.clone());
        recovered.push(RecoveredLog { dir, identity, size, open, erasures });
    }
    Ok(Recovered { writer, integrator, node, logs: recovered, live, lock })
}

/// Indices must go on from what is settled, one by one. `next` holds per log the settled size and the index expected.
fn check_index(next: &mut HashMap<LogId, (u64, u64)>, frame: &Frame<'_>) -> Result<(), String> {
    let Some((settled, expected)) = next.get_mut(&frame.log) else {
        return Err(format!(
            "the WAL has entries of log {:?}, which is not in logs/: restore its directory",
            frame.log
        ));
    };
    if frame.index > *expected || (frame.index < *expected && *expected > *settled) {
        return Err(format!("log {:?} goes on at entry {} instead of {expected}", frame.log, frame.index));
    }
    *expected = (*expected).max(frame.index + 1);
    Ok(())
}

/// Integrates all that the old segments hold and retires them.
fn catch_up(
    integrator: &mut Integrator,
    writer: &Writer,
    wal: &std::path::Path,
    fs: &dyn Fs,
    mut live: Vec<LiveSegment>,
) -> Result<Vec<LiveSegment>> {
    live.push(writer.position());
    loop {
        let place = integrator.round(&live)?;
        let end = live.last().copied().unwrap_or(writer.position());
        if place.is_none_or(|place| place.incarnation == end.incarnation && place.offset == end.end) {
            break;
        }
    }
    while live.len() > 1 {
        writer.spares().retire(fs, wal, live[0].incarnation)?;
        live.remove(0);
    }
    Ok(live)
}

/// The epoch created last of each system and shard, from logs sorted by name.
fn newest_epochs(logs: Vec<(LogIdentity, LogDir)>) -> Vec<(LogIdentity, LogDir)> {
    let mut newest: BTreeMap<(String, String), (LogIdentity, LogDir)> = BTreeMap::new();
    for (identity, dir) in logs {
        let key = (dir.system().to_owned(), dir.shard().to_owned());
        let is_newer = newest.get(&key).is_none_or(|(other, _)| other.created <= identity.created);
        if is_newer {
            newest.insert(key, (identity, dir));
        }
    }
    newest.into_values().collect()
}

/// When a new epoch was created: now, but later than every older epoch of the log, though the clock may have been set back.
fn created_after(env: &Env, dir: &Path, new: &LogDir, now: u64) -> Result<String> {
    let mut created = Timestamp(now);
    for log in list_logs(&*env.fs, dir)? {
        if (log.system(), log.shard()) == (new.system(), new.shard()) {
            let older: Option<Timestamp> = LogIdentity::load(&*env.fs, &log)?.created.parse().ok();
            created = created.max(Timestamp(older.map_or(0, |older| older.nanos().saturating_add(1))));
        }
    }
    Ok(created.to_string())
}

/// Creates a log: its directory, an empty `state`, then its identity, which is what makes it a log. A crash before that
/// leaves a directory that is never looked at.
pub fn create_log(
    env: &Env,
    config: &NodeConfig,
    hooks: &Hooks,
    org: &str,
    system: &str,
    shard: &str,
) -> Result<(LogIdentity, LogDir)> {
    for (what, name) in [("system", system), ("shard", shard)] {
        if !is_org(name) {
            let what = if what == "system" { "system name ([A-Za-z0-9][A-Za-z0-9._-]{0,62})" } else { what };
            return Err(LogError::Name { what, name: name.to_owned() });
        }
    }
    let now = env.clock.now_ns();
    let mut random = [0; 4];
    env.rng.fill(&mut random)?;
    let epoch = format!("{}-{}", day_name(now).replace('-', ""), hex::encode(random));
    let origin = format!("{org}/{system}/{shard}/{epoch}");
    let dir = LogDir::new(&config.dir, system, shard, &epoch);
    create_dir_all(&*env.fs, dir.path())?;
    create_dir_all(&*env.fs, &dir.packs())?;
    let vkeys = crate::integrate::vkeys(&*hooks.signer, &origin)?;
    State::empty(LogId::of(&origin)).store(&*env.fs, &dir.state())?;
    let created = created_after(env, &config.dir, &dir, now)?;
    let identity = LogIdentity::new(origin, created, vkeys);
    identity.store(&*env.fs, &dir)?;
    Ok((identity, dir))
}
