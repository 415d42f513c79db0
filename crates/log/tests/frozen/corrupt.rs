//! The corrupt copies: what was done to the good directory, and what whoever opens it is told.

use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_log::marker::Found;
use inferlog_log::wal::format::{PAGE_BYTES, SegmentHeader};
use inferlog_log::{Cursor, LogReader, State, records};

use crate::world::START_NS;

use super::{DATA, Files, LOGS, Opener, append, log_dir};

/// One corrupt copy.
pub struct Corrupt {
    /// Its folder.
    pub name: &'static str,
    /// What is told, to begin with: the file, the byte where there is one, the reason. `alpha` stands for the log's directory
    /// or origin.
    pub told: &'static str,
    /// How it was made from the good directory.
    pub how: fn(&mut Files),
}

/// Opens everything that this crate opens, and says what is wrong or missing.
pub fn told(fs: &SimFs) -> String {
    let mut told = Vec::new();
    for (system, size, _) in LOGS {
        told.extend(packs_told(fs, system, size));
    }
    if let Err(error) = Cursor::open(Arc::new(fs.clone()), &log_dir(fs, "alpha"), "reader").unwrap().load() {
        told.push(error.to_string());
    }
    match Opener::new(fs).recover() {
        Err(error) => told.push(error.to_string()),
        Ok(node) => {
            let (_, found) = Opener::new(fs).marker().unwrap();
            if found != (Found::Degraded { since_ns: START_NS }) {
                told.push(format!("the marker is {found:?}"));
            }
            let sizes = node.logs.iter().map(|log| log.size).zip(LOGS);
            let short = sizes.filter(|(size, (.., expected))| size != expected);
            told.extend(short.map(|(size, (system, ..))| format!("{system} has {size} entries")));
        }
    }
    told.join("\n").replace(&format!("{DATA}/"), "").replace(ALPHA, "alpha").replace(ORIGIN, "alpha")
}

/// The payloads under the checkpoint that are not there.
fn packs_told(fs: &SimFs, system: &str, size: u64) -> Vec<String> {
    let reader = LogReader::new(Arc::new(fs.clone()), log_dir(fs, system));
    let mut told = Vec::new();
    for (index, append) in (0..size).map(|index| (index, append(system, index))) {
        for record in records(append.payloads.bytes()).map(Option::unwrap) {
            match reader.payload(&append.class, append.logged_at_ns, index, record.payload) {
                Ok(Some(sealed)) => assert_eq!(sealed, record.sealed),
                Ok(None) => told.push(format!("{system} has no payload of entry {index}")),
                Err(error) => told.push(error.to_string()),
            }
        }
    }
    told
}

/// The file whose path ends so; `alpha/` stands for that log's directory.
fn file<'a>(files: &'a mut Files, ends: &str) -> &'a mut Vec<u8> {
    let ends = ends.replace("alpha/", &format!("{ALPHA}/"));
    let mut found = files.iter_mut().filter(|(name, _)| name.ends_with(&ends));
    let (_, bytes) = found.next().unwrap_or_else(|| panic!("no file ends with {ends}"));
    assert!(found.next().is_none(), "several files end with {ends}");
    bytes
}

fn flip(files: &mut Files, ends: &str, byte: usize) {
    file(files, ends)[byte] ^= 0x04;
}

fn replace(files: &mut Files, ends: &str, from: &str, to: &str) {
    let bytes = file(files, ends);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    *bytes = text.replacen(from, to, 1).into_bytes();
}

/// `state` with one field changed, and a checksum that fits.
fn change_state(files: &mut Files, change: fn(&mut State)) {
    let bytes = file(files, "alpha/state");
    let mut state = State::decode(bytes).unwrap();
    change(&mut state);
    *bytes = state.encode();
}

/// A segment's header with one field changed, and a checksum that fits.
fn change_header(files: &mut Files, ends: &str, change: fn(&mut SegmentHeader)) {
    let bytes = file(files, ends);
    let mut header = SegmentHeader::decode(bytes).unwrap();
    change(&mut header);
    bytes[..PAGE].copy_from_slice(&header.encode());
}

/// What `copy` changes or adds.
pub fn changed(good: &Files, how: fn(&mut Files)) -> Files {
    let mut files = good.clone();
    how(&mut files);
    files.retain(|name, bytes| good.get(name) != Some(bytes));
    files
}

/// A disk with the good directory and one copy's files over it.
pub fn disk(good: &Files, corrupt: Files) -> SimFs {
    let mut files = good.clone();
    files.extend(corrupt);
    super::disk_with(&files)
}

/// The directory of the log `alpha`.
const ALPHA: &str = "logs/alpha/0/20261121-86461af3";
const ORIGIN: &str = "fixtures.inferlog.example/alpha/0/20261121-86461af3";
/// The two live segments of the WAL.
const OLDER: &str = "wal/0000000000000003.wal";
const NEWEST: &str = "wal/0000000000000004.wal";
const PACK: &str = "packs/default/2026-11-22/00000000000000000010.pack";
const INDEX: &str = "packs/default/2026-11-22/00000000000000000010.idx";

const DEGRADED: &str = "degraded";

/// A batch of the WAL begins at each page of these small segments.
const PAGE: usize = PAGE_BYTES as usize;

const fn case(name: &'static str, told: &'static str, how: fn(&mut Files)) -> Corrupt {
    Corrupt { name, told, how }
}

pub const CORRUPT: &[Corrupt] = &[
    case(
        "node-version",
        "node: byte 0: written in another format version; use the inferlog that wrote it",
        |files| replace(files, "node", r#""format":1"#, r#""format":2"#),
    ),
    case("degraded-torn", "the marker is Unreadable", |files| file(files, DEGRADED)[..512].fill(0)),
    case("degraded-flipped", "the marker is Unreadable", |files| flip(files, DEGRADED, 8)),
    case("degraded-padding", "the marker is Unreadable", |files| flip(files, DEGRADED, 4000)),
    case("degraded-truncated", "the marker is Unreadable", |files| file(files, DEGRADED).truncate(512)),
    case("degraded-other-node", "the marker is Unreadable", |files| {
        *file(files, DEGRADED) = Found::Clear.encode([1; 16]);
    }),
    case("node-truncated", "node: byte 0: EOF while parsing a string", |files| {
        file(files, "node").truncate(40)
    }),
    case(
        "log-version",
        "alpha/log: byte 0: written in another format version; use the inferlog that wrote it",
        |files| replace(files, "alpha/log", r#""format":1"#, r#""format":2"#),
    ),
    case("log-unknown-member", "alpha/log: byte 0: unknown field `extra`", |files| {
        replace(files, "alpha/log", "{", r#"{"extra":0,"#)
    }),
    case(
        "state-flipped",
        "alpha/state: byte 0: the integrator's state does not check; restore it from a copy of this directory",
        |files| flip(files, "alpha/state", 31),
    ),
    case(
        "state-truncated",
        "alpha/state: byte 0: the integrator's state does not check; restore it from a copy of this directory",
        |files| file(files, "alpha/state").truncate(100),
    ),
    case(
        "state-pack-beyond",
        "alpha/packs/long/2026-11-22/00000000000000000070.pack: byte 872: this pack is shorter than it was durable",
        |files| change_state(files, |state| state.packs[0].pack_bytes += 1),
    ),
    case("state-other-root", "alpha: the tiles of size 280 have the root 37d5b026", |files| {
        change_state(files, |state| state.root.0[0] ^= 1)
    }),
    case(
        "state-older",
        "wal/0000000000000003.wal: byte 4096: log 020cd5f0833679c78a71795ca366761e goes on at entry 240 instead of 0",
        |files| change_state(files, |state| *state = State::empty(state.log)),
    ),
    case("tile-partial", "alpha: the tiles of size 280 have the root 519b2ef7", |files| {
        flip(files, "alpha/tile/0/001.p/24", 50)
    }),
    case(
        "bundle-partial",
        "alpha: tile/entries/001.p/24: entry 1 of the bundle does not have the hash that its tile holds",
        |files| flip(files, "alpha/tile/entries/001.p/24", 50),
    ),
    case("checkpoint-no-note", "alpha/checkpoint: byte 0: the note has no signatures", |files| {
        file(files, "alpha/checkpoint").truncate(40)
    }),
    case(
        "checkpoint-other-tree",
        "alpha: the published checkpoint of size 279 is of another tree. An older copy of the data directory",
        |files| replace(files, "alpha/checkpoint", "\n280\n", "\n279\n"),
    ),
    case(
        "twin-other-tree",
        "alpha: the twin of size 279 is of another tree. An older copy of the data directory",
        |files| replace(files, "alpha/twin", "\n280\n", "\n279\n"),
    ),
    case(
        "twin-ahead",
        "alpha: a checkpoint of 301 entries was signed, but the log has only 300. An older copy of the data directory",
        |files| replace(files, "alpha/twin", "\n280\n", "\n301\n"),
    ),
    case("twin-no-note", "alpha: the twin does not parse: the note has no signatures", |files| {
        file(files, "alpha/twin").truncate(40)
    }),
    case(
        "cursor",
        "alpha/cursors/reader: byte 0: this cursor is not a number; delete it to start anew",
        |files| replace(files, "cursors/reader", "123", "12x"),
    ),
    case(
        "pack-record",
        "alpha/packs/default/2026-11-22/00000000000000000010.pack: byte 146: no payload record checks here, where the index says that one is",
        |files| flip(files, PACK, 200),
    ),
    case(
        "pack-record-length",
        "alpha/packs/default/2026-11-22/00000000000000000010.pack: byte 64: no payload record checks here, where the index says that one is",
        |files| flip(files, PACK, 68),
    ),
    case(
        "pack-truncated",
        "alpha/packs/default/2026-11-22/00000000000000000010.pack: byte 1762: no payload record checks here, where the index says that one is",
        |files| file(files, PACK).truncate(2000),
    ),
    case(
        "pack-index",
        "alpha/packs/default/2026-11-22/00000000000000000010.pack: byte 1170: no payload record checks here, where",
        |files| flip(files, INDEX, 30),
    ),
    case(
        "wal-header",
        "wal/0000000000000003.wal: byte 0: the header of this WAL segment does not check",
        |files| flip(files, OLDER, 36),
    ),
    case(
        "wal-header-other-node",
        "wal/0000000000000003.wal: byte 8: this WAL segment was written by another node",
        |files| change_header(files, OLDER, |header| header.node[0] ^= 1),
    ),
    case(
        "wal-header-later-batch",
        "wal/0000000000000003.wal: byte 32768: a batch of the WAL that was durable does not check",
        |files| change_header(files, NEWEST, |header| header.first_batch += 1),
    ),
    case(
        "wal-batch-header",
        "wal/0000000000000003.wal: byte 16384: a batch of the WAL that was durable does not check",
        |files| flip(files, OLDER, 4 * PAGE + 10),
    ),
    case(
        "wal-frame",
        "wal/0000000000000003.wal: byte 20480: a batch of the WAL that was durable does not check",
        |files| flip(files, OLDER, 5 * PAGE + 300),
    ),
    case(
        "wal-entry-of-settled-batch",
        "wal/0000000000000003.wal: byte 4096: a batch of the WAL that was durable does not check",
        |files| flip(files, OLDER, PAGE + 140),
    ),
    case(
        "wal-before-the-last",
        "wal/0000000000000004.wal: byte 4096: a batch of the WAL that was durable does not check (a later one is at offset 8192)",
        |files| flip(files, NEWEST, PAGE + 200),
    ),
    case("wal-last-is-torn", "alpha has 296 entries", |files| flip(files, NEWEST, 2 * PAGE + 200)),
    case("wal-stranger", "wal/notes.txt: byte 0: this is not a WAL segment; move it elsewhere", |files| {
        drop(files.insert("wal/notes.txt".into(), b"x".to_vec()))
    }),
];
