//! Promise 9 for the whole writer: after an erasure an adversary with every file, every byte that was ever written (recycled
//! WAL segments included), a backup of the keystore from before, and the root key of now reads nothing of the person, and
//! guesses nothing either. The tree's bytes do not change and every earlier proof holds.
//!
//! The adversary's reader of keystores is the vault's test reader, written from docs/format.md alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "../../vault/tests/it/reader.rs"]
mod reader;
#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{NewContent, NewEvent, Target};
use inferlog_disk::sim::SimFs;
use inferlog_log::wal::format::{BATCH_HEADER_BYTES, BatchHeader, frames};
use inferlog_record::body::{DecisionJoined, OrderKind};
use inferlog_record::{Id, MediaType, PayloadRole};
use reader::Loot;
use simulated::{Stored, open, read, record, system_name};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names under which the shared reader knows what it attacks.
mod harness {
    use std::sync::OnceLock;

    pub(crate) static LOG: OnceLock<String> = OnceLock::new();

    pub(crate) struct Origin;

    impl Origin {
        pub(crate) fn as_bytes(&self) -> &'static [u8] {
            LOG.get().unwrap().as_bytes()
        }
    }

    pub(crate) const ORIGIN: Origin = Origin;

    pub(crate) struct SealedBytes {
        pub(crate) bytes: Vec<u8>,
        pub(crate) encoding: inferlog_record::Encoding,
        pub(crate) commitment: inferlog_record::Digest,
    }

    pub(crate) struct Payload {
        /// The event, whose id is part of the associated data.
        pub(crate) decision: inferlog_record::Id,
        pub(crate) payload: inferlog_record::Id,
        pub(crate) sealed: SealedBytes,
    }
}

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

/// Everything but the root key's home: files, and every byte ever written.
fn loot(fs: &SimFs) -> Loot {
    let home = Path::new(simulated::ROOT).parent().unwrap();
    let files =
        fs.files().into_iter().filter(|(path, _)| !path.starts_with(home)).map(|(_, bytes)| bytes).collect();
    let mut loot = Loot { files, ..Loot::default() };
    for remain in fs.remains().into_iter().filter(|remain| !remain.path.starts_with(home)) {
        let name = remain.path.file_name().unwrap().to_string_lossy().replace(".tmp-", "");
        let page = name.split_once('.').and_then(|(page, _)| u32::from_str_radix(page, 16).ok());
        if remain.path.starts_with("/data/wal") {
            loot.births.extend(births(&remain.bytes));
        } else if let (true, Some(page), 1..) =
            (remain.path.starts_with("/data/keystore"), page, remain.offset)
        {
            loot.fragments.push((page, remain.bytes));
        } else {
            loot.files.push(remain.bytes);
        }
    }
    loot
}

/// The wrapped keys in a WAL batch.
fn births(batch: &[u8]) -> Vec<Vec<u8>> {
    let Some(header) = BatchHeader::decode(batch) else { return Vec::new() };
    let body = &batch[BATCH_HEADER_BYTES..][..header.body_bytes as usize];
    frames(&header, body).unwrap().iter().map(|frame| frame.births.to_vec()).collect()
}

/// The root key as its file holds it: `inferlog-root-v1 <epoch> <64 hex>`.
fn root(fs: &SimFs) -> [u8; 32] {
    let line = String::from_utf8(fs.files()[Path::new(simulated::ROOT)].clone()).unwrap();
    let digits = line.trim_end().rsplit(' ').next().unwrap();
    let key: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
    key.try_into().unwrap()
}

fn payload(stored: &Stored) -> harness::Payload {
    let (encoding, commitment) = (stored.reference.encoding, stored.reference.commitment);
    let sealed = harness::SealedBytes { bytes: stored.bytes.clone(), encoding, commitment };
    harness::Payload { decision: stored.event, payload: stored.payload, sealed }
}

/// The tree: every tile and bundle, by path.
fn tree(fs: &SimFs) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_full =
        |path: &Path| path.to_string_lossy().contains("/tile/") && !path.to_string_lossy().contains(".p/");
    fs.files().into_iter().filter(|(path, _)| is_full(path)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adversary_with_everything_reads_nothing_of_an_erased_person() {
    let fs = SimFs::new(9);
    fs.keep_remains();
    let recorder = open(&fs).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    let mut decisions: BTreeMap<Id, (&str, String)> = BTreeMap::new();
    // Enough to fill bundles, to recycle WAL segments, and to have both in many frames.
    for number in 0..400 {
        let person = if number % 2 == 0 { ADA } else { BOB };
        let text = format!("{{\"person\":\"{person}\",\"income\":{}}}", 1000 + number);
        decisions.insert(record(&system, person, &text).await.unwrap(), (person, text));
    }
    // What is added later falls under the same keys.
    for (id, (_, text)) in decisions.iter().step_by(9) {
        let late = NewContent::personal(MediaType::Json, text.clone());
        let late = NewEvent::new(DecisionJoined::default()).with(PayloadRole::InputRaw, late);
        recorder.ongoing(*id, None).await.unwrap().add(vec![late]).await.unwrap();
    }
    recorder.integrate().await.unwrap();
    let (_, stored) = read(&fs);
    assert!(stored.len() > 440);
    harness::LOG.set(stored[0].1.origin.clone()).unwrap();
    let mut before = loot(&fs);
    before.roots.push(root(&fs));
    let tree_before = tree(&fs);
    assert!(before.births.len() > 400, "births must be in the WAL");

    // The reader can read: with what is there before the erasure it reads everybody.
    let can = before.read();
    for (id, stored) in &stored {
        assert_eq!(can.payload(&payload(stored)).as_deref(), Some(decisions[id].1.as_bytes()));
    }
    assert!(can.guess_person("credit", ADA.as_bytes()).is_some());

    let erased =
        recorder.erase(Target::Subject(ADA.as_bytes().to_vec()), None, OrderKind::Request).await.unwrap();
    assert_eq!((erased.len(), erased[0].decisions), (1, 200));
    // Life goes on, under the new root key, Ada among the living.
    for number in 0..100 {
        record(&system, [ADA, BOB][number % 2], "{\"later\":true}").await.unwrap();
    }
    recorder.integrate().await.unwrap();

    // The keystore from before, all that was ever written, and the root key of now.
    let mut after = loot(&fs);
    after.files.append(&mut before.files);
    after.fragments.append(&mut before.fragments);
    after.births.append(&mut before.births);
    after.roots.push(root(&fs));
    let can = after.read();
    assert!(can.tables > 0, "the adversary opens the present table");
    for (id, stored) in &stored {
        let (person, text) = &decisions[id];
        let found = can.payload(&payload(stored));
        match *person {
            ADA => {
                assert_eq!(found, None, "a decision about Ada is readable");
                assert_eq!(can.guess_content(&payload(stored), &[b"nothing", text.as_bytes()]), None);
            }
            _ => assert_eq!(found.as_deref(), Some(text.as_bytes()), "Bob's stays readable"),
        }
    }
    // She is known again, under another pseudonym: of the erased one nothing leads back to her.
    let (entries, _) = read(&fs);
    let pseudonym = erased_pseudonym(&entries);
    assert_ne!(can.guess_person("credit", ADA.as_bytes()), Some(pseudonym));
    assert!(!can.subjects.contains_key(&pseudonym));
    assert!(!can.lookups.values().any(|found| *found == pseudonym));
    for (path, bytes) in tree_before {
        assert_eq!(fs.files().get(&path), Some(&bytes), "{} changed", path.display());
    }
    // No trace of the person in clear, in any byte that was ever written.
    let clear = |bytes: &[u8]| bytes.windows(ADA.len()).any(|window| window == ADA.as_bytes());
    assert!(!after.files.iter().any(|file| clear(file)));
    assert!(!fs.remains().iter().any(|remain| clear(&remain.bytes)));

    // It is the root key that makes the difference.
    after.roots = before.roots;
    let can = after.read();
    let ada = stored.iter().find(|(id, _)| decisions[id].0 == ADA).unwrap();
    assert!(can.payload(&payload(&ada.1)).is_some());
}

fn erased_pseudonym(entries: &[inferlog_record::Entry]) -> [u8; 16] {
    let mut events = entries.iter().flat_map(|entry| &entry.events);
    let found = events.find_map(|event| match &event.body {
        inferlog_record::body::Body::Erasure(erasure) => erasure.subjects.first().copied(),
        _ => None,
    });
    *found.unwrap().as_bytes()
}
