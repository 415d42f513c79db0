//! A recorder on a real directory, and its log read back with keys.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use inferlog_capture::recorder::{Recorder, RecorderConfig, open_keystore};
use inferlog_disk::{OsRng, RealFs, SystemClock};
use inferlog_log::{Env, LogDir, LogReader, NodeConfig, NodeLock, list_logs};
use inferlog_record::body::Body;
use inferlog_record::{ClearName, Content, Digest, Entry, Event, Id, PayloadRole, Reference, SystemName};
use inferlog_vault::{FileRoot, SealContext, Vault, open_payload};
use std::path::Path;
use std::sync::Arc;

pub fn env() -> Env {
    Env { fs: Arc::new(RealFs), clock: Arc::new(SystemClock), rng: Arc::new(OsRng) }
}

pub fn config() -> RecorderConfig {
    RecorderConfig::new(ClearName::new("inferlog-test").unwrap(), Digest([7; 32]))
}

pub fn vault_on(env: &Env, dir: &Path, lock: &NodeLock) -> Vault {
    let root = FileRoot::without_modes(env.fs.clone(), dir.join("root.key"));
    open_keystore(lock, env, dir, |_| Box::new(root)).unwrap()
}

pub async fn open(dir: &Path) -> Recorder {
    open_on(env(), dir).await
}

pub async fn open_on(env: Env, dir: &Path) -> Recorder {
    open_node(env, NodeConfig::new(dir)).await
}

pub async fn open_node(env: Env, node: NodeConfig) -> Recorder {
    let lock = NodeLock::take(&*env.fs, &node.dir).unwrap();
    let vault = vault_on(&env, &node.dir, &lock);
    Recorder::open(lock, env, node, vault, config()).await.unwrap()
}

pub fn system(name: &str) -> SystemName {
    SystemName::new(name).unwrap()
}

/// The whole published log of a system, as entries.
pub fn entries(dir: &Path, system: &str) -> Vec<Entry> {
    entries_on(env(), dir, system)
}

/// The same on another file system.
pub fn entries_on(env: Env, dir: &Path, system: &str) -> Vec<Entry> {
    let (_, reader) = reader(env, dir, system);
    let mut entries = Vec::new();
    let size = reader.size().unwrap();
    reader
        .scan(0, size, |_, bytes| {
            entries.push(Entry::from_bytes(bytes).unwrap());
            true
        })
        .unwrap();
    entries
}

pub fn reader(env: Env, dir: &Path, system: &str) -> (LogDir, LogReader) {
    let dir = list_logs(&*env.fs, dir).unwrap().into_iter().rfind(|log| log.system() == system).unwrap();
    (dir.clone(), LogReader::new(env.fs, dir))
}

/// `kind outcome` of every event of every entry, in order; entries are lines.
pub fn outline(entries: &[Entry]) -> Vec<String> {
    let event = |event: &Event| match &event.body {
        Body::DecisionClosed(body) => format!("decision.closed {}", body.outcome),
        Body::Inference(body) => format!("inference {}", body.outcome),
        Body::Erasure(body) => format!("erasure {}", body.phase),
        Body::RecorderStarted(body) => format!("recorder.started {}", body.last_end),
        body => body.kind_text().to_owned(),
    };
    entries.iter().map(|entry| entry.events.iter().map(event).collect::<Vec<_>>().join(", ")).collect()
}

/// The events of one decision, in order.
pub fn of_decision(entries: &[Entry], decision: Id) -> Vec<Event> {
    entries
        .iter()
        .filter(|entry| entry.decision == Some(decision))
        .flat_map(|entry| entry.events.clone())
        .collect()
}

/// The content of an event's payload of this role, or why it is not there. The directory is not in use.
pub fn content(dir: &Path, system: &str, event: &Event, role: PayloadRole) -> Result<Vec<u8>, String> {
    let reference =
        event.payloads.iter().find(|reference| reference.role == role).ok_or("no such payload")?;
    opened(dir, system, event, reference)
}

/// The content of this payload of an event, or why it is not there.
pub fn opened(dir: &Path, system: &str, event: &Event, reference: &Reference) -> Result<Vec<u8>, String> {
    let (log, reader) = reader(env(), dir, system);
    let sealed = match reference.content {
        Content::Sealed(sealed) => sealed,
        Content::First(first, state) => return Err(format!("first in {first}: {state}")),
        Content::Absent(absent) => return Err(format!("{}: {}", absent.state, absent.reason)),
        Content::Shared(_) => return Err("shared".into()),
    };
    let origin = inferlog_log::LogIdentity::load(&*env().fs, &log).unwrap().origin;
    let index = entries(dir, system)
        .iter()
        .position(|entry| {
            entry.events.iter().any(|other| other.id == event.id && other.payloads.contains(reference))
        })
        .unwrap() as u64;
    let class = event.retention.as_str();
    let bytes = reader.payload(class, event.logged_at.nanos(), index, reference.payload.into_bytes());
    let bytes = bytes.unwrap().ok_or("not in its pack")?;
    let lock = NodeLock::take(&*env().fs, dir).map_err(|error| error.to_string())?;
    let vault = vault_on(&env(), dir, &lock);
    let key = vault.data_key(sealed.key_id, reference.payload).map_err(|error| error.to_string())?;
    let role = reference.role.as_str();
    let context = SealContext { origin: &origin, event: event.id, role, payload: reference.payload };
    open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, 64 << 20)
        .map_err(|error| error.to_string())
}

/// Copies a directory that is in use, as a crash at this moment would leave it.
pub fn crash_copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            crash_copy(&entry.path(), &target);
        } else if std::fs::copy(entry.path(), &target).is_err() {
            // Renamed away meanwhile, as files are that are being replaced.
            continue;
        }
    }
}
