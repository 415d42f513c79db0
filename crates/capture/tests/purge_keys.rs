//! The keys of what was purged or erased go, and stay gone: where destroying them failed at first, and where a keystore of before is
//! put back in the place of the present one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/retaining.rs"]
mod retaining;

use inferlog_capture::recorder::{EraseRequest, ErasureOutcome, Recorder, System, Target};
use inferlog_disk::sim::{Call, Fault, Op};
use inferlog_disk::{Clock, Fs, replace_file};
use inferlog_record::body::OrderKind;
use inferlog_record::{Content, Entry, Id, KeyId};
use retaining::{DAY, World, decide, hold};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Of a route that nobody uses any more there is a class that nothing comes to.
const PILOT: &str = "[[class]]\nname = \"pilot\"\nroutes = [\"pilot\"]\nfloor = \"1 days\"\ntarget = \"10 days\"\n\
    legal_basis = \"a test\"\n";

struct Life {
    world: World,
    recorder: Recorder,
    system: System,
    /// Decisions that were held when the rest of their day came to be due.
    held: Vec<Id>,
    /// Every key that an entry ever named, by decision.
    keys: BTreeMap<Id, BTreeSet<KeyId>>,
}

impl Life {
    /// Two days of which something is due and held, and eleven of which nothing is.
    async fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.policy.push_str(PILOT);
        let (recorder, system) = world.open().await.unwrap();
        let mut decisions = Vec::new();
        for day in 0..13 {
            let count = if day < 2 { 180 } else { 2 };
            for number in 0..count {
                let route = match number % 20 {
                    1 => "long",
                    2 if day == 0 => "pilot",
                    _ => "short",
                };
                let person = if number % 3 == 0 { "ada" } else { "bob" };
                decisions.push(decide(&system, route, person).await.unwrap());
            }
            world.clock.advance(DAY);
        }
        let held: Vec<Id> = decisions[..360].iter().step_by(50).copied().collect();
        hold(&system, &held).await;
        let mut life = Self { world, recorder, system, held, keys: BTreeMap::new() };
        life.note().await;
        life
    }

    /// So many decisions of the class that comes to be due on each of these days.
    async fn pass(&self, days: u32, count: u32) {
        for _ in 0..days {
            for _ in 0..count {
                decide(&self.system, "short", "bob").await.unwrap();
            }
            self.world.clock.advance(DAY);
        }
    }

    /// Notes the keys that the newest log names.
    async fn note(&mut self) {
        self.recorder.integrate().await.unwrap();
        for (_, entry) in self.world.entries() {
            let Some(decision) = entry.decision else { continue };
            self.keys.entry(decision).or_default().extend(named(&entry));
        }
    }

    /// Purges, and puts the keystore of before in its place: what opens is the same.
    async fn purge_and_restore(mut self) {
        self.note().await;
        let (all, before) = (self.open(), self.keystore());
        assert_eq!(all.len(), self.keys.values().flatten().count(), "everything opens");
        self.purge().await;
        assert!(self.world.first() > 0, "entries went");
        let open = self.open();
        assert!(!open.is_empty() && open.len() < all.len());
        let life = self.restore(Some(&before)).await;
        assert_eq!(life.open(), open);
        let epoch = life.recorder.vault().root_epoch();
        let life = life.restore(None).await;
        assert_eq!((life.recorder.vault().root_epoch(), life.open()), (epoch, open));
    }

    async fn purge(&self) {
        let done = self.recorder.purge(None).await.unwrap();
        assert!(done[0].frozen.is_empty() && done[0].left.is_empty(), "{:?}", done[0]);
    }

    /// The keys that open, of all that were ever named.
    fn open(&self) -> BTreeSet<KeyId> {
        let all = self.keys.values().flatten().copied().collect();
        self.recorder.vault().readable(&all).unwrap()
    }

    /// What opens of decisions.
    fn read(&self) -> BTreeSet<u64> {
        let found = self.world.found(&self.recorder).into_iter().filter(|found| found.decision.is_some());
        found.filter(|found| matches!(found.opens, Some(Ok(_)))).map(|found| found.index).collect()
    }

    fn keystore(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let is_keys = |path: &Path| path.starts_with("/data/keystore") || path.starts_with("/home");
        self.world.fs.files().into_iter().filter(|(path, _)| is_keys(path)).collect()
    }

    /// Ends, puts these files in the place of the keystore's, and begins anew.
    async fn restore(self, backup: Option<&BTreeMap<PathBuf, Vec<u8>>>) -> Self {
        let present = self.keystore();
        let Self { mut world, recorder, system, held, keys } = self;
        world.end(recorder, system).await;
        if let Some(backup) = backup {
            present.keys().for_each(|path| world.fs.remove_file(path).unwrap());
            backup.iter().for_each(|(path, bytes)| replace_file(&world.fs, path, bytes).unwrap());
        }
        let (recorder, system) = world.open().await.unwrap();
        Self { world, recorder, system, held, keys }
    }
}

fn named(entry: &Entry) -> Vec<KeyId> {
    let references = entry.events.iter().flat_map(|event| event.payloads.iter());
    let key = |content: &Content| match content {
        Content::Sealed(sealed) => Some(sealed.key_id),
        _ => None,
    };
    references.filter_map(|reference| key(&reference.content)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keystore_of_before_a_purge_and_an_erasure_is_shown_both() {
    let mut life = Life::new(1).await;
    let all = life.open();
    assert_eq!(all.len(), life.keys.values().flatten().count(), "everything opens");
    let before_both = life.keystore();
    life.purge().await;
    assert!(life.world.first() > 0, "entries went");
    assert_eq!(
        life.world.packs("pilot"),
        [] as [u32; 0],
        "nothing is left of the class that nothing comes to"
    );
    let before_erasure = life.keystore();
    let purged = life.open();
    let request = EraseRequest::new(Target::Subject(b"ada".to_vec()), OrderKind::Request);
    let erased = life.recorder.erase(request).await.unwrap();
    assert_eq!(erased[0].outcome, ErasureOutcome::Completed);
    assert!(!erased[0].withheld.is_empty() && erased[0].decisions > 0);

    let (open, read) = (life.open(), life.read());
    assert!(open.len() < purged.len() && purged.len() < all.len(), "each took something");
    let held: BTreeSet<KeyId> = life.held.iter().flat_map(|id| &life.keys[id]).copied().collect();
    assert!(!held.is_empty() && held.is_subset(&open), "what is held stays");
    for (backup, what) in
        [(&before_both, "both"), (&before_erasure, "the erasure"), (&before_both, "both again")]
    {
        life = life.restore(Some(backup)).await;
        assert_eq!(life.open(), open, "of before {what}");
        assert_eq!(life.read(), read, "of before {what}");
        assert!(life.recorder.vault().find_subject(life.system.name(), b"ada").unwrap().is_none());
        // It has seen all of it now.
        let epoch = life.recorder.vault().root_epoch();
        life = life.restore(None).await;
        assert_eq!((life.recorder.vault().root_epoch(), life.open()), (epoch, open.clone()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_a_purge_could_not_destroy_go_before_anything_else_does() {
    for is_erasure in [false, true] {
        let life = Life::new(2).await;
        let before = life.open();
        // Of days with something held the page is written anew.
        let rewrites = |call: &Call| call.op == Op::Create && call.path.starts_with("/data/keystore/pages");
        life.world.fs.inject(Fault::on(rewrites).kind(std::io::ErrorKind::StorageFull).times(1));
        life.recorder.purge(None).await.unwrap_err();
        assert_eq!(life.world.fs.faults_fired(), 1);
        assert_eq!(life.open(), before, "it failed before anything went");
        assert_eq!(life.system.ledger().purges().count(), 2, "and is announced, of two classes");
        if is_erasure {
            let request = EraseRequest::new(Target::Subject(b"nobody".to_vec()), OrderKind::Request);
            assert!(life.recorder.erase(request).await.unwrap().is_empty());
        } else {
            life.purge().await;
        }
        let open = life.open();
        assert!(open.len() < before.len(), "{is_erasure}");
        let held: BTreeSet<KeyId> = life.held.iter().flat_map(|id| &life.keys[id]).copied().collect();
        assert!(held.is_subset(&open), "what is held stays");
        // As if nothing had failed, and the next start has nothing to do.
        let whole = Life::new(2).await;
        whole.purge().await;
        assert_eq!(open.len(), whole.open().len());
        let epoch = life.recorder.vault().root_epoch();
        let life = life.restore(None).await;
        assert_eq!((life.recorder.vault().root_epoch(), life.open()), (epoch, open));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_pruned_entries_go_of_a_day_that_the_purge_split() {
    let mut world = World::new(3);
    let (recorder, system) = world.open().await.unwrap();
    let life = Life { world, recorder, system, held: Vec::new(), keys: BTreeMap::new() };
    life.pass(1, 360).await;
    // Stamped on the day before, and recorded a day later.
    let right = life.world.clock.now_ns();
    life.world.clock.set_now_ns(right - DAY.as_nanos() as u64 * 9 / 8);
    let life = life.restore(None).await;
    for _ in 0..3 {
        decide(&life.system, "short", "ada").await.unwrap();
    }
    life.world.clock.set_now_ns(right);
    let life = life.restore(None).await;
    life.pass(11, 2).await;
    life.purge_and_restore().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_pruned_entries_go_where_an_older_epoch_has_keys_of_the_same_days() {
    let mut world = World::new(4);
    let (recorder, system) = world.open().await.unwrap();
    let mut life = Life { world, recorder, system, held: Vec::new(), keys: BTreeMap::new() };
    for _ in 0..5 {
        decide(&life.system, "short", "ada").await.unwrap();
    }
    life.note().await;
    let older = life.open();
    life.recorder.node().new_epoch("credit").unwrap();
    let life = life.restore(None).await;
    life.pass(13, 150).await;
    assert!(!older.is_empty() && older.is_subset(&life.open()));
    life.purge_and_restore().await;
}
