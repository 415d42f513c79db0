//! The frozen files of every format that this crate writes: read for ever, and still written the same.
//!
//! `UPDATE=1 cargo test -p inferlog-log --test formats` writes those that are not there yet. It never replaces one: a new
//! version of a format gets a new folder.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]
#![expect(clippy::disallowed_methods, reason = "writes the frozen files")]

mod frozen;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use frozen::corrupt::CORRUPT;
use frozen::{CURSOR, Files, LOGS, Opener, append, corrupt, disk_with, folder, log_dir, read_all};
use inferlog_disk::Fs;
use inferlog_log::packs::list_packs;
use inferlog_log::wal::format::{
    BATCH_HEADER_BYTES, BatchHeader, FRAME_HEADER_BYTES, SegmentHeader, free_header,
};
use inferlog_log::wal::format::{frames, put_frame};
use inferlog_log::{Append, Cursor, Flags, LogReader, Payloads, State, records};
use world::{Model, check_log, open_decisions};

fn good() -> Files {
    read_all(&folder("good"))
}

fn appends(system: &str, size: u64) -> Vec<Append> {
    (0..size).map(|index| append(system, index)).collect()
}

#[test]
fn what_was_frozen_is_read() {
    let fs = disk_with(&good());
    for (system, size, _) in LOGS {
        let dir = log_dir(&fs, system);
        check_log(&fs, &dir, &Model { acked: appends(system, size), ..Model::default() });
        let reader = LogReader::new(Arc::new(fs.clone()), dir);
        assert_eq!(reader.entry(size - 1, size).unwrap(), append(system, size - 1).entry);
    }
    let alpha = log_dir(&fs, "alpha");
    let places = list_packs(&fs, &alpha).unwrap().into_iter().map(|pack| (pack.class, pack.day, pack.first));
    let expected = [("default", "21", 0), ("default", "22", 10), ("long", "21", 30), ("long", "22", 70)];
    let expected = expected.map(|(class, day, first)| (class.to_owned(), format!("2026-11-{day}"), first));
    assert_eq!(places.collect::<Vec<_>>(), expected);
    assert_eq!(Cursor::open(Arc::new(fs), &alpha, "reader").unwrap().load().unwrap(), CURSOR);
}

#[test]
fn what_was_frozen_is_recovered() {
    let good = good();
    // A settled segment counts under no name: not even under that of a live one, which a lost rename brings back.
    let mut risen = good.clone();
    let settled = risen.remove("wal/0000000000000001.spare").unwrap();
    assert_eq!(settled[..4096], free_header());
    risen.insert("wal/0000000000000001.wal".into(), settled);
    for files in [good, risen] {
        let fs = disk_with(&files);
        let opener = Opener::new(&fs);
        let node = opener.recover().unwrap();
        assert_eq!(node.node.org(), "fixtures.inferlog.example");
        assert_eq!(node.logs.len(), LOGS.len());
        for (log, (system, under, size)) in node.logs.iter().zip(LOGS) {
            let acked = appends(system, size);
            assert_eq!((log.dir.system(), log.size), (system, size));
            assert_eq!(log.open, open_decisions(&acked));
            let erasures = (0..).zip(&acked).filter(|(_, append)| append.flags.has(Flags::ERASURE));
            assert_eq!(log.erasures, erasures.map(|(index, _)| index).collect::<Vec<u64>>());
            let births = acked[under as usize..].iter().map(|append| &append.births);
            assert!(
                births
                    .filter(|births| !births.is_empty())
                    .all(|births| opener.births.durable().contains(births))
            );
            check_log(&fs, &log.dir, &Model { acked, ..Model::default() });
        }
        assert_eq!(node.logs[0].open.values().collect::<Vec<_>>(), [&21, &294]);
        assert_eq!(node.logs[0].erasures, [50, 260]);
    }
}

/// All that does not depend on where batches happen to lie: identities, tiles, bundles, packs, state, twin, checkpoint.
#[test]
fn today_writes_what_was_frozen() {
    let good = good();
    let mut same = 0;
    for (name, bytes) in frozen::written_now() {
        if !name.starts_with("wal/") {
            assert!(good.get(&name) == Some(&bytes), "{name}: the format has changed");
            same += 1;
        }
    }
    assert_eq!(same, good.keys().filter(|name| !name.starts_with("wal/")).count());
}

#[test]
fn frozen_bytes_are_encoded_alike() {
    let good = good();
    let (mut states, mut batches) = (0, 0);
    for (name, bytes) in &good {
        if name.ends_with("/state") {
            assert_eq!(State::decode(bytes).unwrap().encode(), *bytes, "{name}");
            states += 1;
        }
        if name.ends_with(".wal") {
            let (page, rest) = bytes.split_at(4096);
            let header = SegmentHeader::decode(page).unwrap();
            assert_eq!(header.encode(), page, "{name}");
            batches += reencode(rest, header.incarnation);
        }
    }
    assert_eq!((states, batches), (2, 8));
}

/// Reads a segment's batches, writes each again, and returns how many there were. What follows them in the recycled segment
/// is of its last life.
fn reencode(mut rest: &[u8], incarnation: u64) -> usize {
    let mut batches = 0;
    while let Some(header) = BatchHeader::decode(rest).filter(|header| header.incarnation == incarnation) {
        let (batch, after) = rest.split_at(header.span() as usize);
        let body = &batch[BATCH_HEADER_BYTES..][..header.body_bytes as usize];
        let mut again = header.encode().to_vec();
        for frame in frames(&header, body).unwrap() {
            let mut payloads = Payloads::default();
            for record in records(frame.payloads).map(Option::unwrap) {
                payloads.push(record.payload, record.sealed);
            }
            let append = Append {
                entry: frame.entry.to_vec(),
                decision: frame.decision,
                logged_at_ns: frame.logged_at_ns,
                flags: Flags(frame.flags),
                class: frame.class.to_owned(),
                payloads,
                births: frame.births.to_vec(),
            };
            put_frame(&mut again, &append, frame.log, frame.index, header.incarnation, header.number);
        }
        assert!(again.len() > BATCH_HEADER_BYTES + FRAME_HEADER_BYTES);
        again.resize(header.span() as usize, 0);
        assert!(again == batch, "batch {}: the format has changed", header.number);
        (rest, batches) = (after, batches + 1);
    }
    batches
}

#[test]
fn what_was_corrupted_is_refused_and_located() {
    let good = good();
    assert_eq!(corrupt::told(&disk_with(&good)), "", "the good directory has nothing to tell");
    let mut copies: BTreeMap<String, Files> = BTreeMap::new();
    for (name, bytes) in read_all(&folder("corrupt")) {
        let (copy, file) = name.split_once('/').unwrap();
        copies.entry(copy.to_owned()).or_default().insert(file.to_owned(), bytes);
    }
    for case in CORRUPT {
        let copy = copies.remove(case.name).unwrap_or_else(|| panic!("{} is not frozen", case.name));
        let told = corrupt::told(&corrupt::disk(&good, copy));
        assert!(told.starts_with(case.told), "{}: {told}", case.name);
    }
    assert_eq!(copies.into_keys().collect::<Vec<_>>(), [""; 0], "copies of which nothing is expected");
}

#[test]
fn a_refusal_changes_nothing_that_was_signed() {
    let good = good();
    let files = read_all(&folder("corrupt"));
    let tile = files.iter().filter(|(name, _)| name.starts_with("twin-ahead/"));
    let copy =
        tile.map(|(name, bytes)| (name.split_once('/').unwrap().1.to_owned(), bytes.clone())).collect();
    let fs = corrupt::disk(&good, copy);
    let before = fs.read(&log_dir(&fs, "alpha").checkpoint()).unwrap();
    assert!(Opener::new(&fs).recover().is_err());
    assert_eq!(fs.read(&log_dir(&fs, "alpha").checkpoint()).unwrap(), before);
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
    let mut new = frozen::written_now();
    // Where batches lie may change: segments are frozen together.
    new.retain(|name, _| !name.starts_with("wal/") || !folder("good").exists());
    write(&folder("good"), &new);
    let good = good();
    for case in CORRUPT {
        write(&folder("corrupt").join(case.name), &corrupt::changed(&good, case.how));
    }
}
