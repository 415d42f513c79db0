//! A recorder on a simulated disk, and its log read back with keys.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use bytes::Bytes;
use inferlog_capture::recorder::{
    NewContent, NewDecision, NewEvent, RecordError, Recorder, RecorderConfig, System, closed, open_keystore,
};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{ManualClock, SeededRng};
use inferlog_log::{Env, LogIdentity, LogReader, NodeConfig, NodeLock, list_logs};
use inferlog_record::body::{DecisionOpened, ExchangeEnd, Outcome};
use inferlog_record::{ClearName, Content, Digest, Entry, Id, MediaType, PayloadRole, Sealed, SystemName};
use inferlog_vault::{FileRoot, SealContext, Vault, open_payload};
use std::path::Path;
use std::sync::Arc;

pub const DATA: &str = "/data";
/// The root key's home, in another directory than the data.
pub const ROOT: &str = "/home/root.key";
/// 2026-11-21T00:00:00Z.
const START_NS: u64 = 1_795_219_200_000_000_000;

pub fn env(fs: &SimFs) -> Env {
    let rng = SeededRng::new(fs.call_count() ^ 0x5eed);
    Env { fs: Arc::new(fs.clone()), clock: Arc::new(ManualClock::new(START_NS)), rng: Arc::new(rng) }
}

pub fn vault(env: &Env, lock: &NodeLock) -> Result<Vault, RecordError> {
    open_keystore(lock, env, Path::new(DATA), |_| {
        Box::new(FileRoot::without_modes(env.fs.clone(), ROOT.into()))
    })
}

pub async fn open(fs: &SimFs) -> Result<Recorder, RecordError> {
    open_in(env(fs)).await
}

/// The same in another world around the same disk.
pub async fn open_in(env: Env) -> Result<Recorder, RecordError> {
    let lock = NodeLock::take(&*env.fs, Path::new(DATA))?;
    let vault = vault(&env, &lock)?;
    let mut node = NodeConfig::new(DATA);
    node.segment_bytes = 64 << 10;
    node.integrate_ms = 3;
    let config = RecorderConfig::new(ClearName::new("inferlog-test").unwrap(), Digest([7; 32]));
    Recorder::open(lock, env, node, vault, config).await
}

pub fn system_name() -> SystemName {
    SystemName::new("credit").unwrap()
}

/// Opens a decision about `person` and finishes it.
pub async fn record(system: &System, person: &str, text: &str) -> Result<Id, RecordError> {
    let opened = NewEvent::new(DecisionOpened::default())
        .with(PayloadRole::InputRaw, NewContent::personal(MediaType::Json, text.to_owned()));
    let new =
        NewDecision { subjects: vec![Bytes::copy_from_slice(person.as_bytes())], ..NewDecision::new(opened) };
    let mut decision = system.begin(new).await?;
    Ok(decision.finish(vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))]).await?.id())
}

/// A payload as the log holds it.
#[derive(Clone, Debug)]
pub struct Stored {
    pub origin: String,
    pub event: Id,
    pub role: PayloadRole,
    pub payload: Id,
    pub reference: Sealed,
    pub bytes: Vec<u8>,
}

impl Stored {
    pub fn open(&self, vault: &Vault) -> Result<Vec<u8>, String> {
        let key = vault.data_key(self.reference.key_id, self.payload).map_err(|error| error.to_string())?;
        let role = self.role.as_str();
        let context = SealContext { origin: &self.origin, event: self.event, role, payload: self.payload };
        let (encoding, commitment) = (self.reference.encoding, &self.reference.commitment);
        open_payload(&key, &context, &self.bytes, encoding, commitment, 64 << 20)
            .map_err(|error| error.to_string())
    }
}

/// What the published log holds of each decision: its entries, and its sealed payloads from the packs.
pub fn read(fs: &SimFs) -> (Vec<Entry>, Vec<(Id, Stored)>) {
    let fs: Arc<dyn inferlog_disk::Fs> = Arc::new(fs.clone());
    let (mut entries, mut stored) = (Vec::new(), Vec::new());
    for dir in list_logs(&*fs, Path::new(DATA)).unwrap() {
        let origin = LogIdentity::load(&*fs, &dir).unwrap().origin;
        let reader = LogReader::new(fs.clone(), dir);
        let mut found = Vec::new();
        let every = |index: u64, bytes: &[u8]| {
            found.push((index, Entry::from_bytes(bytes).unwrap()));
            true
        };
        reader.scan(0, reader.size().unwrap(), every).unwrap();
        for (index, entry) in found {
            // Orders and certificates are read through the recorder.
            let Some(decision) = entry.decision else {
                entries.push(entry);
                continue;
            };
            for event in &entry.events {
                for reference in &event.payloads {
                    let Content::Sealed(sealed) = reference.content else { continue };
                    let (class, at) = (event.retention.as_str(), event.logged_at.nanos());
                    let bytes = reader.payload(class, at, index, reference.payload.into_bytes()).unwrap();
                    let (payload, role, event) = (reference.payload, reference.role, event.id);
                    let bytes = bytes.expect("a present payload is in its pack");
                    let origin = origin.clone();
                    let found = Stored { origin, event, role, payload, reference: sealed, bytes };
                    stored.push((decision, found));
                }
            }
            entries.push(entry);
        }
    }
    (entries, stored)
}
