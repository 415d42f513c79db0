//! What an adversary gets who has everything: the loot, and what the vault's test reader needs to attack it.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::reader::Loot;
use crate::simulated::{self, Stored};
use inferlog_disk::sim::SimFs;
use inferlog_log::wal::format::{BATCH_HEADER_BYTES, BatchHeader, frames};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names under which the shared reader knows what it attacks.
pub mod harness {
    use std::sync::OnceLock;

    pub static LOG: OnceLock<String> = OnceLock::new();

    pub struct Origin;

    impl Origin {
        pub fn as_bytes(&self) -> &'static [u8] {
            LOG.get().unwrap().as_bytes()
        }
    }

    pub const ORIGIN: Origin = Origin;

    pub struct SealedBytes {
        pub bytes: Vec<u8>,
        pub encoding: inferlog_record::Encoding,
        pub commitment: inferlog_record::Digest,
    }

    pub struct Payload {
        /// The event, whose id is part of the associated data.
        pub decision: inferlog_record::Id,
        pub payload: inferlog_record::Id,
        pub sealed: SealedBytes,
    }
}

/// Everything but the root key's home: files, and every byte ever written.
pub fn loot(fs: &SimFs) -> Loot {
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
pub fn root(fs: &SimFs) -> [u8; 32] {
    let line = String::from_utf8(fs.files()[Path::new(simulated::ROOT)].clone()).unwrap();
    let digits = line.trim_end().rsplit(' ').next().unwrap();
    let key: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
    key.try_into().unwrap()
}

pub fn payload(stored: &Stored) -> harness::Payload {
    let (encoding, commitment) = (stored.reference.encoding, stored.reference.commitment);
    let sealed = harness::SealedBytes { bytes: stored.bytes.clone(), encoding, commitment };
    harness::Payload { decision: stored.event, payload: stored.payload, sealed }
}

/// The tree: every tile and bundle, by path.
pub fn tree(fs: &SimFs) -> BTreeMap<PathBuf, Vec<u8>> {
    let is_full =
        |path: &Path| path.to_string_lossy().contains("/tile/") && !path.to_string_lossy().contains(".p/");
    fs.files().into_iter().filter(|(path, _)| is_full(path)).collect()
}

pub fn erased_pseudonym(entries: &[inferlog_record::Entry]) -> [u8; 16] {
    let mut events = entries.iter().flat_map(|entry| &entry.events);
    let found = events.find_map(|event| match &event.body {
        inferlog_record::body::Body::Erasure(erasure) => erasure.subjects.first().copied(),
        _ => None,
    });
    *found.unwrap().as_bytes()
}
