//! The frozen files of a pruned log: read for ever, still written the same, and refused where they are corrupt.
//!
//! `UPDATE=1 cargo test -p inferlog-log --test formats_pruned` writes those that are not there yet.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]
#![allow(dead_code, reason = "what is frozen of other directories has its own test")]
#![expect(clippy::disallowed_methods, reason = "writes the frozen files")]

mod frozen;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use frozen::{DATA, Files, Opener, append, commit, disk_with, files_of, folder, log_dir, read_all};
use inferlog_disk::sim::SimFs;
use inferlog_log::prune::{Pruner, prune_entries, purge_packs};
use inferlog_log::recover::create_log;
use inferlog_log::{LogReader, ReadError, kept, records};
use parking_lot::Mutex;
use world::{Model, check_log};

const SIZE: u64 = 600;
/// Where the log begins.
const FIRST: u64 = 256;
/// The last entry whose payloads were purged.
const LAST: u64 = 279;

fn keeps_entry(index: u64) -> bool {
    index.is_multiple_of(60)
}

fn keeps_payload(index: u64) -> bool {
    index.is_multiple_of(100)
}

/// Writes the directory anew: a log whose packs of class `default` were purged when it had 280 entries, and whose first bundle was
/// pruned when it had 600.
fn written_now() -> Files {
    let fs = SimFs::new(1);
    let opener = Opener::new(&fs);
    let mut node = opener.recover().unwrap();
    let (identity, dir) =
        create_log(&opener.env, &opener.config, &opener.hooks, node.node.org(), "alpha", "0").unwrap();
    node.integrator.add_log(identity.id(), dir.clone());
    for start in (0..SIZE).step_by(40) {
        commit(&mut node, identity.id(), "alpha", start..start + 40);
        let place = node.integrator.round(&node.live).unwrap().unwrap();
        while node.live[0].incarnation < place.incarnation {
            let spares = node.writer.spares();
            spares.retire(&fs, &Path::new(DATA).join("wal"), node.live[0].incarnation).unwrap();
            node.live.remove(0);
        }
        let owner = Arc::new(Mutex::new(node.integrator));
        let pruner = Pruner::new(Arc::new(fs.clone()), dir.clone(), owner.clone());
        if start == 240 {
            purge_packs(&pruner, "default", LAST, &|index, _| keeps_payload(index)).unwrap();
        }
        if start + 40 == SIZE {
            prune_entries(&pruner, 300, &|index, _| keeps_entry(index)).unwrap();
        }
        drop(pruner);
        node.integrator = Arc::into_inner(owner).unwrap().into_inner();
    }
    files_of(&fs)
}

fn model() -> Model {
    let acked: Vec<_> = (0..SIZE).map(|index| append("alpha", index)).collect();
    let mut gone_payloads = BTreeSet::new();
    for (_, append) in (0..=LAST).zip(&acked).filter(|(index, _)| !keeps_payload(*index)) {
        if append.class == "default" {
            gone_payloads.extend(records(append.payloads.bytes()).map(|record| record.unwrap().payload));
        }
    }
    let gone = (0..FIRST).filter(|index| !keeps_entry(*index)).collect();
    Model { acked, gone, gone_payloads, ..Model::default() }
}

fn good() -> Files {
    read_all(&folder("pruned"))
}

#[test]
fn what_was_frozen_is_read_and_goes_on() {
    let fs = disk_with(&good());
    let dir = log_dir(&fs, "alpha");
    check_log(&fs, &dir, &model());
    let reader = LogReader::new(Arc::new(fs.clone()), dir);
    assert_eq!(reader.first().unwrap(), FIRST);
    let refused = reader.entry(1, SIZE).unwrap_err();
    assert_eq!(refused.to_string(), "entry 1 was pruned under retention; the log begins at 256");
    let opener = Opener::new(&fs);
    let mut node = opener.recover().unwrap();
    assert_eq!(node.logs[0].size, SIZE);
    let id = node.logs[0].identity.id();
    commit(&mut node, id, "alpha", SIZE..SIZE + 3);
    node.integrator.round(&node.live).unwrap();
    assert_eq!(reader.entry(SIZE + 2, reader.size().unwrap()).unwrap(), append("alpha", SIZE + 2).entry);
}

#[test]
fn today_writes_what_was_frozen() {
    let (good, now) = (good(), written_now());
    let names =
        |files: &Files| files.keys().filter(|name| !name.starts_with("wal/")).cloned().collect::<Vec<_>>();
    assert_eq!(names(&good), names(&now));
    for name in names(&good) {
        assert!(good[&name] == now[&name], "{name}: the format has changed");
    }
    assert!(names(&good).iter().any(|name| name.ends_with("/pruned")));
}

/// A corrupt copy: its folder, what whoever reads it is told, and how it was made.
type Case = (&'static str, &'static str, fn(&mut Files));

const CASES: &[Case] = &[
    ("pruned-no-number", "alpha/pruned does not parse: it is damaged", |files| {
        *file(files, "/pruned") = b"all\n".to_vec();
    }),
    ("pruned-padded", "alpha/pruned does not parse: it is damaged", |files| {
        *file(files, "/pruned") = b"0256\n".to_vec();
    }),
    ("pruned-within-a-bundle", "alpha/pruned does not parse: it is damaged", |files| {
        *file(files, "/pruned") = b"255\n".to_vec();
    }),
    ("pruned-beyond", "entry 256 was pruned under retention; the log begins at 512", |files| {
        *file(files, "/pruned") = b"512\n".to_vec();
    }),
    ("kept-flipped", "alpha/kept/entries/0000000000 does not parse: it is damaged", |files| {
        file(files, "/kept/entries/0000000000")[20] ^= 0x10;
    }),
    ("kept-truncated", "alpha/kept/entries/0000000000 does not parse: it is damaged", |files| {
        file(files, "/kept/entries/0000000000").truncate(60);
    }),
    ("kept-empty", "alpha/kept/entries/0000000000 does not parse: it is damaged", |files| {
        *file(files, "/kept/entries/0000000000") = kept::encode([]);
    }),
    ("kept-not-ascending", "alpha/kept/entries/0000000000 does not parse: it is damaged", |files| {
        *file(files, "/kept/entries/0000000000") = kept::encode([(60, &b"one"[..]), (60, b"two")]);
    }),
    ("kept-of-another-bundle", "alpha/kept/entries/0000000000 does not parse: it is damaged", |files| {
        *file(files, "/kept/entries/0000000000") = kept::encode([(256, &b"one"[..])]);
    }),
    (
        "kept-pack-record",
        "alpha/kept/packs/default/2026-11-21/00000000000000000000.pack: byte 64: no payload",
        |files| {
            file(files, "/kept/packs/default/2026-11-21/00000000000000000000.pack")[100] ^= 0x10;
        },
    ),
];

fn file<'a>(files: &'a mut Files, ends: &str) -> &'a mut Vec<u8> {
    let (_, bytes) = files.iter_mut().find(|(name, _)| name.ends_with(ends)).unwrap();
    bytes
}

/// What reading the directory through tells first.
fn told(fs: &SimFs) -> String {
    let dir = log_dir(fs, "alpha");
    let reader = LogReader::new(Arc::new(fs.clone()), dir.clone());
    let model = model();
    let entries = (0..SIZE).find_map(|index| match reader.entry(index, SIZE) {
        Err(ReadError::Pruned { .. }) if model.gone.contains(&index) => None,
        other => other.err().map(|error| error.to_string()),
    });
    let payloads = (0..SIZE).zip(&model.acked).flat_map(|(index, append)| {
        let read = |payload| reader.payload(&append.class, append.logged_at_ns, index, payload);
        let payloads = records(append.payloads.bytes()).map(|record| record.unwrap().payload);
        payloads.filter_map(|payload| read(payload).err()).map(|error| error.to_string()).collect::<Vec<_>>()
    });
    let told = entries.or(payloads.into_iter().next()).unwrap_or_default();
    told.replace(&*dir.path().to_string_lossy(), "alpha")
}

#[test]
fn what_was_corrupted_is_refused_and_located() {
    let good = good();
    assert_eq!(told(&disk_with(&good)), "", "the good directory has nothing to tell");
    let mut copies: BTreeMap<String, Files> = BTreeMap::new();
    for (name, bytes) in read_all(&folder("pruned-corrupt")) {
        let (copy, file) = name.split_once('/').unwrap();
        copies.entry(copy.to_owned()).or_default().insert(file.to_owned(), bytes);
    }
    for (name, expected, _) in CASES {
        let mut files = good.clone();
        files.extend(copies.remove(*name).unwrap_or_else(|| panic!("{name} is not frozen")));
        let told = told(&disk_with(&files));
        assert!(told.starts_with(expected), "{name}: {told}");
    }
    assert_eq!(copies.into_keys().collect::<Vec<_>>(), [""; 0], "copies of which nothing is expected");
}

/// Without the index of what was kept of a pack it is read through, as a crash may leave it.
#[test]
fn a_kept_pack_needs_no_index() {
    let mut files = good();
    files.retain(|name, _| !(name.contains("/kept/packs/") && name.ends_with(".idx")));
    let fs = disk_with(&files);
    check_log(&fs, &log_dir(&fs, "alpha"), &model());
}

/// Writes what is not frozen yet.
#[test]
fn update() {
    if std::env::var_os("UPDATE").is_none() {
        return;
    }
    let write = |folder: &Path, files: &Files| {
        for (name, bytes) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if !path.exists() {
                std::fs::write(path, bytes).unwrap();
            }
        }
    };
    if !folder("pruned").exists() {
        write(&folder("pruned"), &written_now());
    }
    let good = good();
    for (name, _, how) in CASES {
        let mut files = good.clone();
        how(&mut files);
        files.retain(|name, bytes| good.get(name) != Some(bytes));
        write(&folder("pruned-corrupt").join(name), &files);
    }
}
