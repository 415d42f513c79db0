//! Promise 9 for the whole writer: after an erasure an adversary with every file, every byte that was ever written (recycled
//! WAL segments included), a backup of the keystore from before, and the root key of now reads nothing of the person, and
//! guesses nothing either. The tree's bytes do not change and every earlier proof holds.
//!
//! The adversary's reader of keystores is the vault's test reader, written from docs/format.md alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "support/attack.rs"]
mod attack;
#[path = "../../vault/tests/it/reader.rs"]
mod reader;
#[path = "support/simulated.rs"]
mod simulated;

use attack::{erased_pseudonym, harness, loot, payload, root, tree};
use inferlog_capture::recorder::{EraseRequest, NewContent, NewEvent, Target};
use inferlog_disk::sim::SimFs;
use inferlog_record::body::{DecisionJoined, OrderKind};
use inferlog_record::{Id, MediaType, PayloadRole};
use simulated::{open, read, record, system_name};
use std::collections::BTreeMap;

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

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

    let erased = recorder
        .erase(EraseRequest::new(Target::Subject(ADA.as_bytes().to_vec()), OrderKind::Request))
        .await
        .unwrap();
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
