//! A disk and a clock that outlive the recorders on them, and a policy under which things come to be due.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use inferlog_capture::recorder::{
    InForce, NewContent, NewDecision, NewEvent, NewHold, RecordError, Recorder, RecorderConfig, System,
    closed, open_keystore,
};
use inferlog_disk::sim::{Keep, SimFs};
use inferlog_disk::{ClockState, ManualClock, SeededRng};
use inferlog_log::packs::list_packs;
use inferlog_log::{Env, LogDir, LogIdentity, LogReader, NodeConfig, NodeLock, list_logs};
use inferlog_record::body::{Basis, DecisionOpened, ExchangeEnd, Outcome, Scope};
use inferlog_record::{ClearName, Content, Digest, Entry, Id, MediaType, PayloadRole, SystemName, Timestamp};
use inferlog_vault::{FileRoot, SealContext, open_payload};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub const DAY: Duration = Duration::from_secs(86_400);
pub const DATA: &str = "/data";
/// 2026-11-21T12:00:00Z.
pub const NOON_NS: u64 = 1_795_262_400_000_000_000;
pub const POLICY: &str = "system = \"credit\"\nversion = \"1\"\nprofile = \"other\"\n\
    [[class]]\nname = \"short\"\nfloor = \"1 days\"\ntarget = \"10 days\"\nlegal_basis = \"a test\"\n\
    [[class]]\nname = \"long\"\nroutes = [\"long\"]\nfloor = \"1 days\"\ntarget = \"40 days\"\nlegal_basis = \"a test\"\n";

pub struct World {
    pub fs: SimFs,
    pub clock: Arc<ManualClock>,
    pub policy: String,
    lives: u64,
}

/// An entry as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub index: u64,
    pub decision: Option<Id>,
    /// Of the first sealed payload that it refers to: its content, or why it does not open.
    pub opens: Option<Result<Vec<u8>, String>>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::new(NOON_NS));
        vouch(&clock, true);
        Self { fs: SimFs::new(seed), clock, policy: POLICY.to_owned(), lives: seed << 8 }
    }

    /// A copy, with a clock of its own that stands at the same time.
    pub fn fork(&self, seed: u64) -> Self {
        use inferlog_disk::Clock as _;
        let clock = Arc::new(ManualClock::new(self.clock.now_ns()));
        clock.set_sync_state(self.clock.sync_state());
        let (policy, lives) = (self.policy.clone(), (seed + 1) << 16 ^ self.lives);
        Self { fs: self.fs.fork(seed), clock, policy, lives }
    }

    pub fn crash(&mut self, keep: Option<Keep>) {
        self.fs = match keep {
            Some(keep) => self.fs.crash_keeping(keep),
            None => self.fs.crash(),
        };
    }

    pub async fn open(&mut self) -> Result<(Recorder, System), RecordError> {
        self.lives += 1;
        let rng = Arc::new(SeededRng::new(self.lives << 20 ^ self.fs.call_count()));
        let env = Env { fs: Arc::new(self.fs.clone()), clock: self.clock.clone(), rng };
        let lock = NodeLock::take(&*env.fs, Path::new(DATA))?;
        let vault = open_keystore(&lock, &env, Path::new(DATA), |_| {
            Box::new(FileRoot::without_modes(env.fs.clone(), "/home/root.key".into()))
        })?;
        let mut node = NodeConfig::new(DATA);
        node.segment_bytes = 1 << 20;
        node.integrate_ms = 3;
        let mut config = RecorderConfig::new(ClearName::new("inferlog-test").unwrap(), Digest([7; 32]));
        config.policies = vec![Arc::new(InForce::read(&self.policy).unwrap())];
        let recorder = Recorder::open(lock, env, node, vault, config).await?;
        let system = recorder.system(&name()).await?;
        Ok((recorder, system))
    }

    pub async fn end(&self, recorder: Recorder, system: System) {
        recorder.close().await.unwrap();
        drop((recorder, system));
    }

    pub fn log(&self) -> LogDir {
        list_logs(&self.fs, Path::new(DATA)).unwrap().pop().unwrap()
    }

    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::new(self.fs.clone()), self.log())
    }

    pub fn first(&self) -> u64 {
        self.reader().first().unwrap()
    }

    /// The UTC day so many days after the first.
    pub fn day(&self, after: u32) -> u32 {
        Timestamp(NOON_NS).day() + after
    }

    /// The days of a class's packs.
    pub fn packs(&self, class: &str) -> Vec<u32> {
        let packs = list_packs(&self.fs, &self.log()).unwrap();
        let of_class = packs.iter().filter(|pack| pack.class == class);
        of_class
            .map(|pack| format!("{}T00:00:00.000000000Z", pack.day).parse::<Timestamp>().unwrap().day())
            .collect()
    }

    pub fn entries(&self) -> Vec<(u64, Entry)> {
        let (reader, mut entries) = (self.reader(), Vec::new());
        let size = reader.size().unwrap();
        reader
            .scan(0, size, |index, bytes| {
                entries.push((index, Entry::from_bytes(bytes).unwrap()));
                true
            })
            .unwrap();
        entries
    }

    /// Every entry that is there, opened with the recorder's keys.
    pub fn found(&self, recorder: &Recorder) -> Vec<Found> {
        let (reader, origin) = (self.reader(), LogIdentity::load(&self.fs, &self.log()).unwrap().origin);
        let opened = |(index, entry): (u64, Entry)| {
            let sealed = entry.events.iter().find_map(|event| {
                let reference =
                    event.payloads.iter().find(|one| matches!(one.content, Content::Sealed(_)))?;
                Some((event, reference))
            });
            let opens = sealed.map(|(event, reference)| {
                let Content::Sealed(sealed) = reference.content else { return Err("not sealed".to_owned()) };
                let (class, at) = (event.retention.as_str(), event.logged_at.nanos());
                let bytes = reader.payload(class, at, index, reference.payload.into_bytes()).unwrap();
                let bytes = bytes.ok_or("in no pack")?;
                let key = recorder.vault().data_key(sealed.key_id, reference.payload);
                let key = key.map_err(|error| error.to_string())?;
                let role = reference.role.as_str();
                let context =
                    SealContext { origin: &origin, event: event.id, role, payload: reference.payload };
                open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, 64 << 20)
                    .map_err(|error| error.to_string())
            });
            Found { index, decision: entry.decision, opens }
        };
        self.entries().into_iter().map(opened).collect()
    }
}

pub fn name() -> SystemName {
    SystemName::new("credit").unwrap()
}

/// Whether a time service vouches for the clock.
pub fn vouch(clock: &ManualClock, synchronised: bool) {
    let (offset_ns, max_error_ns) = (Some(0), Some(1_000_000));
    clock.set_sync_state(Some(ClockState {
        synchronised,
        offset_ns,
        max_error_ns,
        source: "kernel".to_owned(),
    }));
}

/// A decision that came by this route, about a person, with one payload; in two entries.
pub async fn decide(system: &System, route: &str, person: &str) -> Result<Id, RecordError> {
    let body = DecisionOpened { route: Some(ClearName::new(route).unwrap()), ..DecisionOpened::default() };
    let opened = NewEvent::new(body)
        .with(PayloadRole::InputRaw, NewContent::personal(MediaType::Json, "{\"income\":1000}"));
    let subjects = vec![person.as_bytes().to_vec().into()];
    let mut decision = system.begin(NewDecision { subjects, ..NewDecision::new(opened) }).await?;
    Ok(decision.finish(vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))]).await?.id())
}

/// Places a hold on these decisions.
pub async fn hold(system: &System, decisions: &[Id]) -> Id {
    let scope = Scope { decisions: decisions.to_vec().into(), ..Scope::default() };
    let (basis, incident) = (Basis::LegalClaim, None);
    let hold = NewHold { basis, incident, scopes: vec![scope], order_text: None, actor: None };
    system.place_hold(hold).await.unwrap()
}
