//! A data directory on a simulated disk, with a clock of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use inferlog_capture::recorder::{
    EraseRequest, InForce, NewContent, NewDecision, NewEvent, NewHold, Recorder, RecorderConfig, System,
    Target, closed, open_keystore,
};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{ClockState, Fs, ManualClock, SeededRng};
use inferlog_log::{Env, LogReader, NodeConfig, NodeLock, cursors, list_logs};
use inferlog_record::body::{Basis, DecisionOpened, ExchangeEnd, OrderKind, Outcome, Scope};
use inferlog_record::{ClearName, Digest, EntryView, Id, MediaType, PayloadRole, SystemName};
use tokio::runtime::Runtime;

use crate::{Source, Store};

/// The data directory.
pub const DATA: &str = "/data";
/// The system whose log it has.
pub const SYSTEM: &str = "credit";
/// What begins every value that must not be found after an erasure.
pub const MARK: &str = "mark-6f1d";
/// 2026-11-21T12:00:00Z.
const NOON_NS: u64 = 1_795_262_400_000_000_000;
const POLICY: &str = "system = \"credit\"\nversion = \"1\"\nprofile = \"other\"\n\
    [[class]]\nname = \"short\"\nfloor = \"1 days\"\ntarget = \"10 days\"\nlegal_basis = \"a test\"\n";

/// The directory, its recorder, and what drives it.
pub struct World {
    fs: SimFs,
    clock: Arc<ManualClock>,
    runtime: Runtime,
    recorder: Recorder,
    system: System,
}

/// Says of anything that it failed.
pub(crate) fn failed<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

impl World {
    /// An empty log.
    ///
    /// # Errors
    /// The recorder's.
    pub fn new() -> Result<Self, String> {
        let runtime = Runtime::new().map_err(failed("a runtime"))?;
        let fs = SimFs::new(7);
        let clock = Arc::new(ManualClock::new(NOON_NS));
        clock.set_sync_state(Some(synchronised()));
        let env = Env { fs: Arc::new(fs.clone()), clock: clock.clone(), rng: Arc::new(SeededRng::new(77)) };
        let (recorder, system) = runtime.block_on(open(env))?;
        Ok(Self { fs, clock, runtime, recorder, system })
    }

    /// Calls `work` with what a store follows: all that was acknowledged is published before.
    ///
    /// # Errors
    /// The recorder's.
    pub fn follow<T>(&self, work: impl FnOnce(&Source<'_>) -> T) -> Result<T, String> {
        self.runtime.block_on(self.recorder.integrate()).map_err(failed("publishing"))?;
        let source = Source { fs: self.fs(), data: Path::new(DATA), vault: self.recorder.vault() };
        Ok(work(&source))
    }

    fn fs(&self) -> Arc<dyn Fs> {
        Arc::new(self.fs.clone())
    }

    /// A decision about a person, with an id that others have for it.
    ///
    /// # Errors
    /// The recorder's.
    pub fn decide(&self, person: &str, id: &str) -> Result<Id, String> {
        let input = NewContent::personal(MediaType::Json, format!("{{\"applicant\":\"{MARK}-{person}\"}}"));
        let ids = NewContent::personal(MediaType::Json, format!("{{\"loan\":\"{MARK}-{id}\"}}"));
        let opened = NewEvent::new(DecisionOpened::default())
            .with(PayloadRole::InputRaw, input)
            .with(PayloadRole::ExternalIds, ids);
        let subjects = vec![Bytes::copy_from_slice(person.as_bytes())];
        let new = NewDecision { subjects, ..NewDecision::new(opened) };
        let ended = vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))];
        let recorded = self.runtime.block_on(async {
            let mut decision = self.system.begin(new).await?;
            decision.finish(ended).await
        });
        Ok(recorded.map_err(failed("recording"))?.id())
    }

    /// How an id that others have is known to an index.
    pub fn digest(&self, id: &str) -> [u8; 16] {
        self.recorder.vault().index_digest(Some("loan"), format!("{MARK}-{id}").as_bytes())
    }

    /// Begins the erasure of a person, which waits for followers.
    pub fn erase(&self, person: &str) {
        let recorder = self.recorder.clone();
        let request = EraseRequest::new(Target::Subject(person.as_bytes().to_vec()), OrderKind::Request);
        let erasing = self.runtime.spawn(async move { recorder.erase(request).await.map(drop) });
        // The intent is durable once the keys are gone: what follows waits for followers alone.
        let is_told = || self.last_removal().is_ok_and(|last| last.is_some());
        while !erasing.is_finished() && !is_told() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Freezes decisions. The hold.
    ///
    /// # Errors
    /// The recorder's.
    pub fn hold(&self, decisions: &[Id]) -> Result<Id, String> {
        let scope = Scope { decisions: decisions.to_vec().into(), ..Scope::default() };
        let hold = NewHold {
            basis: Basis::LegalClaim,
            incident: None,
            scopes: vec![scope],
            order_text: None,
            actor: None,
        };
        self.runtime.block_on(self.system.place_hold(hold)).map_err(failed("a hold"))
    }

    /// Lets so many days go by.
    pub fn wait_days(&self, days: u32) {
        self.clock.advance(Duration::from_secs(86_400) * days);
    }

    /// Removes what is due, as far as followers let it.
    ///
    /// # Errors
    /// The recorder's.
    pub fn purge(&self) -> Result<(), String> {
        let done = self.runtime.block_on(self.recorder.purge(None)).map_err(failed("a purge"))?;
        match done.iter().find(|purged| !purged.frozen.is_empty()) {
            Some(purged) => Err(format!("purges are frozen: {:?}", purged.frozen)),
            None => Ok(()),
        }
    }

    /// What a follower's cursor says; zero if there is none.
    ///
    /// # Errors
    /// The directory's.
    pub fn cursor(&self, store: &dyn Store) -> Result<u64, String> {
        let fs = self.fs();
        let logs = list_logs(&*fs, Path::new(DATA)).map_err(failed("the logs"))?;
        let mut all = Vec::new();
        for log in &logs {
            all.extend(cursors(&fs, log).map_err(failed("the cursors"))?);
        }
        Ok(all.iter().find(|(name, _)| name == store.name()).map_or(0, |(_, at)| *at))
    }

    /// Calls `visit` with the index and the bytes of every entry.
    ///
    /// # Errors
    /// The log's.
    pub fn entries(&self, mut visit: impl FnMut(u64, &[u8])) -> Result<(), String> {
        let fs = self.fs();
        for log in list_logs(&*fs, Path::new(DATA)).map_err(failed("the logs"))? {
            let reader = LogReader::new(fs.clone(), log);
            let size = reader.size().map_err(failed("the log's size"))?;
            let scanned = reader.scan(0, size, |index, entry| {
                visit(index, entry);
                true
            });
            scanned.map_err(failed("reading the log"))?;
        }
        Ok(())
    }

    /// Ids of the events in the log, sorted, each once.
    ///
    /// # Errors
    /// The log's.
    pub fn events(&self) -> Result<Vec<Id>, String> {
        let mut ids = Vec::new();
        self.entries(|_, entry| {
            if let Ok(view) = EntryView::parse(entry) {
                ids.extend(view.events.iter().map(|event| event.id));
            }
        })?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The index of the newest intent of an erasure; `None` if there is none.
    ///
    /// # Errors
    /// The log's.
    pub fn last_removal(&self) -> Result<Option<u64>, String> {
        let mut last = None;
        self.entries(|index, entry| {
            let text = String::from_utf8_lossy(entry);
            if text.contains("\"kind\":\"erasure\"") && text.contains("\"phase\":\"intent\"") {
                last = Some(index);
            }
        })?;
        Ok(last)
    }
}

fn synchronised() -> ClockState {
    let source = "kernel".to_owned();
    ClockState { synchronised: true, offset_ns: Some(0), max_error_ns: Some(1_000_000), source }
}

async fn open(env: Env) -> Result<(Recorder, System), String> {
    let lock = NodeLock::take(&*env.fs, Path::new(DATA)).map_err(failed("the lock"))?;
    let root = Path::new("/home/root.key");
    let vault = open_keystore(&lock, &env, Path::new(DATA), |_| {
        Box::new(inferlog_vault::FileRoot::without_modes(env.fs.clone(), root.into()))
    });
    let vault = vault.map_err(failed("the keystore"))?;
    let mut node = NodeConfig::new(DATA);
    (node.segment_bytes, node.integrate_ms) = (1 << 20, 3);
    let build = ClearName::new("inferlog-contract").map_err(failed("a name"))?;
    let mut config = RecorderConfig::new(build, Digest([7; 32]));
    config.policies = vec![Arc::new(InForce::read(POLICY).map_err(failed("the policy"))?)];
    let recorder = Recorder::open(lock, env, node, vault, config).await.map_err(failed("the recorder"))?;
    let name = SystemName::new(SYSTEM).map_err(failed("a name"))?;
    let system = recorder.system(&name).await.map_err(failed("the system"))?;
    Ok((recorder, system))
}
