//! A data directory written by the real log, with entries of the record and a key that signs.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

pub mod look;
pub mod witness;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, SeededRng};
use inferlog_log::recover::{create_log, recover};
use inferlog_log::wal::Commit;
use inferlog_log::{
    Append, BirthSink, Env, Flags, HookError, Hooks, LogDir, LogId, NodeConfig, Payloads, RawSignature,
    Recovered, Signer,
};
use inferlog_merkle::VerifierKey;
use inferlog_record::body::{
    Body, DecisionClosed, DecisionOpened, Inference, Model, ModelIdentity, Outcome, StepOutcome,
};
use inferlog_record::{
    ClearName, Content, DataClass, Digest, Encoding, Entry, Event, Id, KeyId, MediaType, PayloadRole,
    Pseudonym, Reference, RetentionClass, Sealed, SystemName, Timestamp,
};
use sha2::Digest as _;

pub const DIR: &str = "/data";
pub const DAY_NS: u64 = 86_400_000_000_000;
/// 2026-11-21T00:00:00Z.
pub const START_NS: u64 = 20_778 * DAY_NS;

/// Signs everything with one key.
#[derive(Debug)]
pub struct OneKey(SigningKey);

impl OneKey {
    pub fn new() -> Self {
        Self(SigningKey::from_bytes(&[7; 32]))
    }

    pub fn vkey(&self, origin: &str) -> VerifierKey {
        VerifierKey::new(origin, inferlog_merkle::KeyKind::Ed25519, &self.0.verifying_key().to_bytes())
            .unwrap()
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

/// Keeps no births: what these entries seal is never opened.
#[derive(Debug)]
pub struct NoBirths;

impl BirthSink for NoBirths {
    fn absorb(&self, _: &[u8]) -> Result<(), HookError> {
        Ok(())
    }

    fn sync(&self, _: &[([u8; 16], u64)]) -> Result<(), HookError> {
        Ok(())
    }
}

/// A node, open for writing.
pub struct World {
    pub fs: Arc<dyn Fs>,
    pub env: Env,
    pub config: NodeConfig,
    pub hooks: Hooks,
    pub recovered: Recovered,
    pub logs: BTreeMap<String, (LogId, LogDir, u64)>,
    pub rng: fastrand::Rng,
    pub now_ns: u64,
}

impl World {
    /// A node on a simulated disk.
    pub fn sim(segment_bytes: u64) -> (SimFs, Self) {
        let fs = SimFs::new(1);
        let world = Self::new(Arc::new(fs.clone()), Path::new(DIR), segment_bytes, Arc::new(NoBirths));
        (fs, world)
    }

    pub fn new(fs: Arc<dyn Fs>, dir: &Path, segment_bytes: u64, births: Arc<dyn BirthSink>) -> Self {
        let clock = Arc::new(ManualClock::new(START_NS));
        let env = Env { fs: fs.clone(), clock, rng: Arc::new(SeededRng::new(1)) };
        let mut config = NodeConfig::new(dir);
        config.segment_bytes = segment_bytes;
        config.org = Some("tests.inferlog.example".into());
        let hooks = Hooks { signer: Arc::new(OneKey::new()), births, twins: None };
        let recovered = recover(&env, &config, &hooks).unwrap();
        let logs = BTreeMap::new();
        Self { fs, env, config, hooks, recovered, logs, rng: fastrand::Rng::with_seed(1), now_ns: START_NS }
    }

    pub fn create(&mut self, system: &str) -> String {
        let org = self.recovered.node.org().to_owned();
        let (identity, dir) = create_log(&self.env, &self.config, &self.hooks, &org, system, "0").unwrap();
        self.recovered.integrator.add_log(identity.id(), dir.clone());
        self.logs.insert(system.to_owned(), (identity.id(), dir, 0));
        identity.origin
    }

    pub fn dir(&self, system: &str) -> &LogDir {
        &self.logs[system].1
    }

    pub fn size(&self, system: &str) -> u64 {
        self.logs[system].2
    }

    /// Commits one batch. Returns the index of its first entry.
    pub fn commit(&mut self, system: &str, appends: &[Append]) -> u64 {
        let (log, _, size) = self.logs.get_mut(system).unwrap();
        let first = *size;
        let commits: Vec<Commit<'_>> =
            (first..).zip(appends).map(|(index, append)| Commit { log: *log, index, append }).collect();
        *size += appends.len() as u64;
        self.recovered.writer.commit(&commits).unwrap();
        let position = self.recovered.writer.position();
        match self.recovered.live.last_mut() {
            Some(last) if last.incarnation == position.incarnation => *last = position,
            _ => self.recovered.live.push(position),
        }
        first
    }

    /// Integrates everything, and gives back segments that are settled.
    pub fn integrate(&mut self) {
        let wal = self.config.dir.join("wal");
        loop {
            let live = self.recovered.live.clone();
            let place = self.recovered.integrator.round(&live).unwrap();
            while let (Some(place), Some(first)) = (place, self.recovered.live.first().copied())
                && first.incarnation < place.incarnation
            {
                self.recovered.writer.spares().retire(&*self.fs, &wal, first.incarnation).unwrap();
                self.recovered.live.remove(0);
            }
            let last = live.last().unwrap();
            if place.is_none_or(|place| place.incarnation == last.incarnation && place.offset == last.end) {
                return;
            }
        }
    }

    pub fn id(&mut self) -> Id {
        let mut random = [0; 10];
        self.rng.fill(&mut random);
        Id::new(self.now_ns / 1_000_000, &random)
    }

    pub fn tick(&mut self, ns: u64) {
        self.now_ns += ns;
    }

    /// An event without payloads.
    pub fn event(&mut self, system: &str, body: impl Into<Body>) -> Event {
        let mut event = Event::new(self.id(), SystemName::new(system).unwrap(), Timestamp(self.now_ns), body);
        event.started_at = Some(Timestamp(self.now_ns));
        event
    }

    /// Random bytes as a sealed payload, and its reference.
    pub fn payload(
        &mut self,
        role: PayloadRole,
        bytes: usize,
        key_id: KeyId,
    ) -> (Reference, [u8; 16], Vec<u8>) {
        let sealed: Vec<u8> = std::iter::repeat_with(|| self.rng.u8(..)).take(bytes).collect();
        let payload = self.id();
        let content = Content::Sealed(Sealed {
            class: DataClass::Personal,
            media_type: MediaType::Json,
            encoding: Encoding::Identity,
            size: bytes as u64,
            key_id,
            commitment: Digest([1; 32]),
            sealed: Digest(sha2::Sha256::digest(&sealed).into()),
        });
        (Reference { payload, role, content }, payload.into_bytes(), sealed)
    }

    /// A decision as two writes: opened, then the model's answer and the end.
    pub fn decision(&mut self, system: &str, class: &str, bytes: usize) -> (Id, [Append; 2]) {
        let decision = self.id();
        let key_id = KeyId { page: 1, slot: (self.rng.u16(..)) % 4096 };
        let subject = Pseudonym::new(self.rng.u128(..).to_be_bytes());
        let mut begun = self.event(system, opened("score"));
        let (reference, payload, sealed) = self.payload(PayloadRole::InputRaw, bytes, key_id);
        begun.payloads.push(reference);
        let first_event = begun.id;
        let mut payloads = Payloads::default();
        payloads.push(payload, &sealed);
        let first = self.append(Some(decision), vec![begun], class, subject, payloads, Flags::OPENS);

        self.tick(1_000_000);
        let mut inference = self.event(system, inference());
        inference.payloads.push(reference.again(PayloadRole::InputAssembled, first_event));
        let (reference, payload, sealed) = self.payload(PayloadRole::OutputRaw, bytes, key_id);
        inference.payloads.push(reference);
        inference.payloads.push(Reference::not_captured(
            self.id(),
            PayloadRole::ParamsEffective,
            inferlog_record::Why::NotVisible.into(),
        ));
        let mut closed = self.event(system, closed(Outcome::Answered));
        closed.ended_at = Some(Timestamp(self.now_ns));
        let mut payloads = Payloads::default();
        payloads.push(payload, &sealed);
        let second =
            self.append(Some(decision), vec![inference, closed], class, subject, payloads, Flags::CLOSES);
        self.tick(1_000_000);
        (decision, [first, second])
    }

    pub fn append(
        &mut self,
        decision: Option<Id>,
        mut events: Vec<Event>,
        class: &str,
        subject: Pseudonym,
        payloads: Payloads,
        flags: Flags,
    ) -> Append {
        for event in &mut events {
            event.retention = RetentionClass::new(class).unwrap();
            if decision.is_some() {
                event.subjects.push(subject);
            }
        }
        Append {
            entry: Entry::new(decision, events).to_bytes().unwrap(),
            decision: decision.map(Id::into_bytes).unwrap_or_default(),
            logged_at_ns: self.now_ns,
            flags,
            class: class.to_owned(),
            payloads,
            births: Vec::new(),
        }
    }

    /// One event of the system's life.
    pub fn life(&mut self, system: &str, body: impl Into<Body>) -> Append {
        let event = self.event(system, body);
        let nobody = Pseudonym::new([0; 16]);
        self.append(None, vec![event], "default", nobody, Payloads::default(), Flags::NONE)
    }

    /// Decisions in batches of `batch` entries' worth, over several classes and days.
    pub fn fill(&mut self, system: &str, decisions: usize, bytes: usize) -> Vec<Id> {
        let mut ids = Vec::new();
        for number in 0..decisions {
            let class = if number % 7 == 3 { "long" } else { "default" };
            let (id, appends) = self.decision(system, class, bytes + number % 50);
            self.commit(system, &appends);
            ids.push(id);
            if number % 40 == 39 {
                self.tick(DAY_NS / 4);
            }
        }
        ids
    }
}

pub fn name(text: &str) -> ClearName {
    ClearName::new(text).unwrap()
}

pub fn opened(route: &str) -> DecisionOpened {
    DecisionOpened { route: Some(name(route)), ..DecisionOpened::default() }
}

pub fn closed(outcome: Outcome) -> DecisionClosed {
    DecisionClosed { error: None, exchange: None, outcome, status: Some(200), time_to_first_byte_ns: None }
}

pub fn inference() -> Inference {
    Inference {
        choices: None,
        error: None,
        finish_reason: None,
        model: Model {
            absent: None,
            deployment: None,
            digest: None,
            fingerprint: None,
            identity: ModelIdentity::Exact,
            requested: Some(name("credit")),
            returned: Some(name("credit")),
            version: Some(name("3")),
        },
        outcome: StepOutcome::Ok,
        prompts: Vec::new().into(),
        status: Some(200),
        stream: None,
        time_to_first_byte_ns: None,
        toolsets: Vec::new().into(),
        usage: None,
        wire: None,
    }
}
