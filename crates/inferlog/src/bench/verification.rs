//! Verification of entries of 1 KB, without keys.

use std::path::Path;
use std::sync::Arc;

use inferlog::capture::recorder::{VaultHooks, open_keystore};
use inferlog::real_env;
use inferlog_audit::{Options, verify};
use inferlog_log::{Append, Hooks, Node, NodeConfig, NodeLock};
use inferlog_record::{Entry, Event, Id, PayloadRole, Reason, Reference, SystemName, Timestamp, Why};
use inferlog_vault::RootSource;

use super::measure::Stopwatch;
use super::sample::{capture, inference};
use crate::output::Failure;

/// Entries verified in one go.
pub(crate) const ENTRIES: usize = 100_000;
/// Entries appended in one write.
const WRITE: usize = 500;

/// One verification.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) entries_per_second: f64,
    pub(crate) entries_per_second_per_core: f64,
}

/// Writes a log of so many decisions, each one entry of about 1 KB that refers to content that was not captured. Answers the
/// mean length of an entry, bytes.
pub(crate) async fn write_log(dir: &Path) -> Result<f64, Failure> {
    let env = real_env();
    let lock = NodeLock::take(&*env.fs, dir)?;
    let vault =
        open_keystore(&lock, &env, dir, |_| RootSource::File(dir.join("root")).store(env.fs.clone()))?;
    let keys = VaultHooks(vault);
    let hooks = Hooks { signer: Arc::new(keys.clone()), births: Arc::new(keys), twins: None };
    let (config, opening) = (NodeConfig::new(dir), env.clone());
    let node = tokio::task::spawn_blocking(move || Node::open_locked(lock, opening, config, hooks)).await??;
    let (log, mut bytes, mut maker) = (node.log("bench")?, 0, Maker::new()?);
    for _ in 0..ENTRIES / WRITE {
        let appends = (0..WRITE).map(|_| maker.append()).collect::<Result<Vec<_>, _>>()?;
        bytes += appends.iter().map(|append| append.entry.len()).sum::<usize>();
        log.append(appends).await?;
    }
    node.integrate().await?;
    tokio::task::spawn_blocking(move || node.close()).await?;
    Ok(bytes as f64 / ENTRIES as f64)
}

/// Verifies the log on so many threads. It must find no fault.
pub(crate) fn run(dir: &Path, threads: usize) -> Result<Phase, Failure> {
    let watch = Stopwatch::start();
    let report = verify(&real_env().fs, dir, &Options { threads, ..Options::default() }, &|_| {})?;
    let (seconds, cores) = (watch.seconds(), watch.cores());
    if !report.ok {
        return Err(Failure::new(format!(
            "the log that was measured has faults: {:?}",
            report.faults.first()
        )));
    }
    let rate = report.size as f64 / seconds;
    Ok(Phase { entries_per_second: rate, entries_per_second_per_core: rate / cores })
}

struct Maker {
    system: SystemName,
    minted: u64,
}

impl Maker {
    fn new() -> Result<Self, Failure> {
        Ok(Self { system: SystemName::new("bench")?, minted: 0 })
    }

    fn id(&mut self) -> Id {
        self.minted += 1;
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.minted.to_be_bytes());
        Id::new(1_770_000_000_000, &random)
    }

    fn append(&mut self) -> Result<Append, Failure> {
        let (decision, at) = (self.id(), Timestamp(1_770_000_000_000_000_000));
        let mut event = Event::new(self.id(), self.system.clone(), at, inference());
        (event.started_at, event.ended_at, event.capture) = (Some(at), Some(at), Some(capture()));
        for role in [PayloadRole::InputAssembled, PayloadRole::OutputRaw] {
            event.payloads.push(Reference::not_captured(self.id(), role, Reason::Because(Why::NotProvided)));
        }
        Ok(Append {
            entry: Entry::new(Some(decision), vec![event]).to_bytes()?,
            decision: decision.into_bytes(),
            logged_at_ns: at.nanos(),
            class: "default".into(),
            ..Append::default()
        })
    }
}
