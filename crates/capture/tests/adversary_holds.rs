//! Promise 9 where holds stand: an adversary with every file, every byte that was ever written, a backup of the keystore from
//! before and the root key of now reads of an erased person what a standing hold withholds, and nothing else; nothing at all once
//! it is released, what came late included; nor after a keystore from before was put back.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "support/attack.rs"]
mod attack;
#[path = "support/keeping.rs"]
mod keeping;
#[path = "../../vault/tests/it/reader.rs"]
mod reader;
#[path = "support/simulated.rs"]
mod simulated;

use attack::{harness, loot, payload, root, tree};
use inferlog_capture::recorder::{NewContent, NewEvent, Recorder};
use inferlog_record::body::DecisionJoined;
use inferlog_record::{Id, MediaType, PayloadRole};
use keeping::{World, erase, hold_decisions, pseudonym, record, release};
use reader::Loot;
use simulated::{Stored, read};
use std::collections::{BTreeMap, BTreeSet};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";

/// Adds content under the role that the reader attacks.
async fn add(recorder: &Recorder, decision: Id, text: &str) {
    let content = NewContent::personal(MediaType::Json, text.to_owned());
    let event = NewEvent::new(DecisionJoined::default()).with(PayloadRole::InputRaw, content);
    recorder.ongoing(decision, None).await.unwrap().add(vec![event]).await.unwrap();
}

/// Everything that there is and was, and the root key of now.
fn all(world: &World, before: &Loot) -> Loot {
    let mut all = loot(&world.fs);
    all.files.extend(before.files.iter().cloned());
    all.fragments.extend(before.fragments.iter().cloned());
    all.births.extend(before.births.iter().cloned());
    all.roots.push(root(&world.fs));
    all
}

/// What the adversary reads is what they may.
fn assert_reads(
    world: &World,
    before: &Loot,
    stored: &[(Id, Stored)],
    may: impl Fn(&Id) -> bool,
    what: &str,
) {
    let can = all(world, before).read();
    assert!(can.tables > 0, "the adversary opens the present table");
    for (id, stored) in stored {
        let found = can.payload(&payload(stored));
        assert_eq!(found.is_some(), may(id), "{what}: {id}");
        let words: [&[u8]; 3] = [b"{\"income\":1000}", b"late", b"later"];
        assert_eq!(can.guess_content(&payload(stored), &words).is_some(), may(id), "{what}: {id} guessed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adversary_reads_what_a_standing_hold_withholds_and_nothing_after_its_release() {
    let mut world = World::new(3);
    world.fs.keep_remains();
    let (recorder, system) = world.open().await;
    let mut about: BTreeMap<Id, &[&str]> = BTreeMap::new();
    for number in 0..240 {
        let people: &[&str] = [&[ADA][..], &[BOB][..], &[ADA, BOB][..], &[BOB, ADA][..]][number % 4];
        about.insert(record(&system, people).await, people);
    }
    for id in about.keys().step_by(9) {
        add(&recorder, *id, "late").await;
    }
    recorder.integrate().await.unwrap();
    let backup = world.keystore();
    let mut before = loot(&world.fs);
    let (_, stored) = read(&world.fs);
    harness::LOG.set(stored[0].1.origin.clone()).unwrap();
    let tree_before = tree(&world.fs);
    before.roots.push(root(&world.fs));
    let can = before.read();
    assert!(stored.iter().all(|(_, stored)| can.payload(&payload(stored)).is_some()), "the reader can read");
    before.roots.clear();

    let held: BTreeSet<Id> = about.keys().step_by(7).copied().collect();
    let of_ada = |id: &Id| about[id].contains(&ADA);
    let pseudonym = *pseudonym(&recorder, ADA).unwrap().as_bytes();
    let list: Vec<Id> = held.iter().copied().collect();
    let (first, second) = (hold_decisions(&system, &list).await, hold_decisions(&system, &list[..9]).await);
    let erased = erase(&recorder, ADA).await;
    assert_eq!(erased.withheld.len(), held.iter().filter(|id| of_ada(id)).count());
    let gone_of_her = |world: &World| {
        let can = all(world, &before).read();
        assert!(!can.subjects.contains_key(&pseudonym));
        assert!(!can.lookups.values().any(|found| *found == pseudonym));
        assert_ne!(can.guess_person("credit", ADA.as_bytes()), Some(pseudonym));
    };
    // What comes late is sealed as what it came to.
    for id in about.keys().step_by(5) {
        add(&recorder, *id, "later").await;
    }
    record(&system, &[ADA]).await;
    recorder.integrate().await.unwrap();
    let known = |(id, _): &(Id, Stored)| about.contains_key(id);
    let stored: Vec<_> = read(&world.fs).1.into_iter().filter(known).collect();
    assert_reads(&world, &before, &stored, |id| !of_ada(id) || held.contains(id), "while it stands");
    gone_of_her(&world);

    // A keystore of before is put back: the log shows it what it missed. Its root key is the adversary's as well.
    recorder.close().await.unwrap();
    drop((recorder, system));
    world.restore(backup.clone());
    let (recorder, system) = world.open().await;
    assert_reads(&world, &before, &stored, |id| !of_ada(id) || held.contains(id), "put back");
    gone_of_her(&world);

    release(&system, first).await;
    let kept: BTreeSet<Id> = list[..9].iter().copied().collect();
    assert_reads(&world, &before, &stored, |id| !of_ada(id) || kept.contains(id), "one of two released");
    release(&system, second).await;
    assert_reads(&world, &before, &stored, |id| !of_ada(id), "released");
    gone_of_her(&world);
    recorder.close().await.unwrap();
    drop((recorder, system));
    world.restore(backup);
    let (recorder, system) = world.open().await;
    assert_reads(&world, &before, &stored, |id| !of_ada(id), "put back after all");
    gone_of_her(&world);

    for (path, bytes) in tree_before {
        assert_eq!(world.fs.files().get(&path), Some(&bytes), "{} changed", path.display());
    }
    let clear = |bytes: &[u8]| bytes.windows(ADA.len()).any(|window| window == ADA.as_bytes());
    assert!(!world.fs.remains().iter().any(|remain| clear(&remain.bytes)));
    drop((recorder, system));
}
