//! Packs against a plain list of what was put in: rolled, closed, cut off by crashes, and damaged.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_disk::sim::{Keep, SimFs};
use inferlog_log::packs::{PackWriter, day_name, find_payload, list_packs};
use inferlog_log::wal::Frame;
use inferlog_log::{LogDir, LogError, LogId, PackTail, Payloads, records};
use proptest::prelude::*;

const LOG: LogId = LogId([3; 16]);
const DAY_NS: u64 = 86_400_000_000_000;
/// So that packs roll.
const PACK_BYTES: u64 = 2000;
/// More than are kept open at once.
const CLASSES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// What is appended for one entry.
#[derive(Clone, Debug)]
struct Entry {
    class: &'static str,
    day: u64,
    /// Lengths of its payloads.
    lengths: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Append(Entry),
    /// What was appended is made durable, and `state` then says so or not.
    Sync {
        is_noted: bool,
    },
    /// The machine stops; what was appended since `state` is appended again.
    Crash(Keep),
}

fn entry() -> impl Strategy<Value = Entry> {
    let class = prop_oneof![6 => Just("a"), 1 => prop::sample::select(&CLASSES[..])];
    let length = prop_oneof![4 => 0_usize..200, 1 => 500_usize..1500];
    let lengths = prop::collection::vec(length, 0..3);
    (class, 0..2_u64, lengths).prop_map(|(class, day, lengths)| Entry { class, day, lengths })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keep = prop_oneof![Just(Keep::Nothing), Just(Keep::Everything), Just(Keep::Any)];
    let step = prop_oneof![8 => entry().prop_map(Step::Append), 2 => any::<bool>().prop_map(|is_noted| Step::Sync { is_noted }), 1 => keep.prop_map(Step::Crash)];
    prop::collection::vec(step, 1..80)
}

fn dir() -> LogDir {
    LogDir::at("/data/logs/s/0/e".into()).unwrap()
}

/// The payloads of an entry: ids and bytes that no other has.
fn payloads(index: u64, entry: &Entry) -> Payloads {
    let mut payloads = Payloads::default();
    for (number, length) in (0..).zip(&entry.lengths) {
        payloads.push((u128::from(index) << 64 | number).to_be_bytes(), &vec![index as u8; *length]);
    }
    payloads
}

/// A log's packs, and the list that they must agree with.
struct World {
    fs: SimFs,
    writer: PackWriter,
    entries: Vec<Entry>,
    /// Entries and tails as `state` would say.
    noted: (usize, Vec<PackTail>),
}

impl World {
    fn new() -> Self {
        let fs = SimFs::new(1);
        inferlog_disk::create_dir_all(&fs, &dir().packs()).unwrap();
        Self { writer: open(&fs, &[]), fs, entries: Vec::new(), noted: (0, Vec::new()) }
    }

    fn append(&mut self, entry: Entry) {
        let index = self.entries.len() as u64;
        let payloads = payloads(index, &entry);
        let frame = Frame {
            log: LOG,
            index,
            decision: [0; 16],
            logged_at_ns: entry.day * DAY_NS,
            flags: 0,
            class: entry.class,
            entry: b"entry",
            payloads: payloads.bytes(),
            births: &[],
        };
        self.writer.append(&frame, Path::new("/wal"), 0).unwrap();
        self.entries.push(entry);
    }

    fn sync(&mut self, is_noted: bool) {
        let tails = self.writer.sync().unwrap();
        if is_noted {
            self.noted = (self.entries.len(), tails);
        }
    }

    fn crash(&mut self, keep: Keep) {
        self.fs = self.fs.crash_keeping(keep);
        self.writer = open(&self.fs, &self.noted.1);
        for entry in self.entries.split_off(self.noted.0) {
            self.append(entry);
        }
    }

    /// Everything synced is found, nothing else is, and packs are as the format says.
    fn check(&self) {
        let packs = list_packs(&self.fs, &dir()).unwrap();
        let mut seen = BTreeSet::new();
        for pack in &packs {
            let bytes = self.fs.read(&pack.pack).unwrap();
            let (header, rest) = bytes.split_at(64);
            assert_eq!(header, [b"ILPACK01", &LOG.0[..], &pack.first.to_be_bytes(), &[0; 32]].concat());
            let (mut offset, mut index) = (64, Vec::new());
            for record in records(rest).map(Option::unwrap) {
                index.extend([record.index.to_be_bytes(), (offset as u64).to_be_bytes()].concat());
                offset += record.span();
                let entry = &self.entries[record.index as usize];
                assert_eq!(
                    (entry.class, day_name(entry.day * DAY_NS)),
                    (pack.class.as_str(), pack.day.clone())
                );
                assert!(seen.insert(record.payload), "a payload lies in one place");
            }
            assert_eq!(self.fs.read(&pack.index).unwrap(), index);
            assert!(offset < PACK_BYTES as usize + 2 * 1600, "a pack is closed when it is long");
        }
        let mut expected = 0;
        for (index, entry) in (0..).zip(&self.entries) {
            for record in records(payloads(index, entry).bytes()).map(Option::unwrap) {
                assert_eq!(
                    self.find(&self.fs, index, record.payload).unwrap().as_deref(),
                    Some(record.sealed)
                );
                expected += 1;
            }
            assert_eq!(self.find(&self.fs, index, [0xff; 16]).unwrap(), None);
        }
        assert_eq!(seen.len(), expected);
    }

    fn find(&self, fs: &SimFs, index: u64, payload: [u8; 16]) -> Result<Option<Vec<u8>>, LogError> {
        let entry = &self.entries[index as usize];
        find_payload(fs, &dir(), entry.class, &day_name(entry.day * DAY_NS), index, payload)
    }
}

fn open(fs: &SimFs, tails: &[PackTail]) -> PackWriter {
    PackWriter::open(Arc::new(fs.clone()), dir().packs(), LOG, tails).unwrap().closing_at(PACK_BYTES)
}

fn run(steps: Vec<Step>) -> World {
    let mut world = World::new();
    for step in steps {
        match step {
            Step::Append(entry) => world.append(entry),
            Step::Sync { is_noted } => world.sync(is_noted),
            Step::Crash(keep) => world.crash(keep),
        }
    }
    world.sync(true);
    world
}

proptest! {
    #[test]
    fn packs_hold_what_was_put_in(steps in steps()) {
        run(steps).check();
    }

    #[test]
    fn a_flipped_bit_loses_its_own_entry_and_never_gives_other_bytes(
        steps in steps(), file: prop::sample::Index, is_index: bool, at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let world = run(steps);
        let packs = list_packs(&world.fs, &dir()).unwrap();
        prop_assume!(!packs.is_empty());
        let pack = file.get(&packs);
        let path = if is_index { &pack.index } else { &pack.pack };
        let fs = world.fs.fork(2);
        fs.flip_bit(path, at.index(fs.read(path).unwrap().len()) as u64, bit).unwrap();
        let mut lost = BTreeSet::new();
        for (index, entry) in (0..).zip(&world.entries) {
            for record in records(payloads(index, entry).bytes()).map(Option::unwrap) {
                match world.find(&fs, index, record.payload) {
                    Ok(Some(sealed)) => prop_assert_eq!(sealed, record.sealed),
                    Err(LogError::Damaged { path, .. }) => {
                        prop_assert_eq!(&path, &pack.pack);
                        lost.insert(record.payload);
                    }
                    // The search in a damaged index may go astray.
                    Ok(None) => prop_assert!(is_index),
                    Err(error) => panic!("{error}"),
                }
            }
        }
        prop_assert!(is_index || lost.len() <= 1, "{:?}", lost);
    }
}
