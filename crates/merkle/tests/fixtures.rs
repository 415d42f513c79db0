//! The frozen examples: what was written once is read for ever, and still written the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]
#![expect(clippy::disallowed_methods, reason = "reads the frozen files")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use inferlog_merkle::{
    BundleFault, Checkpoint, CheckpointError, KeyKind, NoteError, Receipt, ReceiptError, SignedNote,
    TilePath, TileSource, TreeEdge, TreeError, VerifierKey, VerifyError, check_bundle, encode_entry,
    full_tile_root, inclusion_proof, leaf_hash, root, tiles_for_growth, verify_checkpoint,
};
use support::{TestKey, Tiles, entry};

const ORIGIN: &str = "fixtures.inferlog.example/merkle";
const SIZE: u64 = 300;
const RECEIPT_INDEX: u64 = 137;

fn dir(which: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/merkle").join(which)
}

fn read(which: &str, name: &str) -> Vec<u8> {
    let path = dir(which).join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

struct Frozen(&'static str);

impl TileSource for Frozen {
    type Error = io::Error;

    fn read_tile(&self, path: TilePath) -> io::Result<Vec<u8>> {
        fs::read(dir(self.0).join(path.to_string()))
    }
}

fn key(name: &str) -> VerifierKey {
    String::from_utf8(read("good", name)).unwrap().trim_end().parse().unwrap()
}

/// A log of 300 entries with a cosigned checkpoint, a receipt, and a note that is no checkpoint.
fn written_now() -> BTreeMap<String, Vec<u8>> {
    let (log, witness) = (TestKey::new(ORIGIN, 1), TestKey::new("witness.example/w1", 2));
    let (mut edge, mut files, mut bundle) = (TreeEdge::new(), BTreeMap::new(), Vec::new());
    for index in 0..SIZE {
        encode_entry(&mut bundle, &entry(index)).unwrap();
        edge.push(leaf_hash(&entry(index)));
        for tile in edge.take_full() {
            files.insert(tile.path.bundle().to_string(), std::mem::take(&mut bundle));
            files.insert(tile.path.to_string(), tile.bytes);
        }
    }
    let mut tiles = Tiles::default();
    for (path, bytes) in edge.partial(0) {
        tiles.0.insert(path, bytes.to_vec());
        files.insert(path.to_string(), bytes.to_vec());
    }
    let last = *tiles.0.keys().next().unwrap();
    files.insert(last.bundle().to_string(), bundle);
    tiles.0.extend(tiles_for_growth(0, SIZE).map(|path| (path, files[&path.to_string()].clone())));

    let checkpoint = Checkpoint::new(ORIGIN, SIZE, edge.root()).unwrap().to_string();
    let mut note = log.note(&checkpoint);
    note.push(witness.cosign(1_700_000_000, &checkpoint)).unwrap();
    let proof = inclusion_proof(&tiles, RECEIPT_INDEX, SIZE).unwrap();
    let receipt = Receipt::new(RECEIPT_INDEX, proof, note.clone(), Some(b"context".to_vec())).unwrap();
    let texts = [
        ("checkpoint", note.to_string()),
        ("receipt.tlog-proof", receipt.to_string()),
        ("note", log.note("First line.\n\nAfter a blank line.\n").to_string()),
        ("log.vkey", format!("{}\n", log.vkey(KeyKind::Ed25519))),
        ("witness.vkey", format!("{}\n", witness.vkey(KeyKind::Cosignature))),
    ];
    files.extend(texts.map(|(name, text)| (name.to_owned(), text.into_bytes())));
    files
}

#[test]
fn today_writes_what_was_frozen() {
    for (name, bytes) in written_now() {
        assert!(read("good", &name) == bytes, "{name}: the format has changed");
    }
}

#[test]
fn what_was_frozen_is_read() {
    let (log, witness) = ([key("log.vkey")], [key("witness.vkey")]);
    assert_eq!(SignedNote::parse(&read("good", "note")).unwrap().verify(&log).unwrap().len(), 1);

    let note = SignedNote::parse(&read("good", "checkpoint")).unwrap();
    let verified = verify_checkpoint(&note, ORIGIN, &log, &witness).unwrap();
    assert_eq!((verified.log.len(), verified.witnesses[0].timestamp), (1, Some(1_700_000_000)));
    let top = verified.checkpoint.root();
    assert_eq!(verified.checkpoint.size(), SIZE);
    assert_eq!(root(&Frozen("good"), SIZE).unwrap(), top);
    assert_eq!(TreeEdge::load(&Frozen("good"), SIZE, top).unwrap().root(), top);

    for path in tiles_for_growth(0, SIZE) {
        let name = path.to_string();
        if name.starts_with("tile/0/") {
            check_bundle(&read("good", &path.bundle().to_string()), &read("good", &name)).unwrap();
        }
    }
    let parent = full_tile_root(&read("good", "tile/0/000")).unwrap();
    assert_eq!(parent.as_bytes().as_slice(), read("good", "tile/1/000.p/1"));

    let receipt = Receipt::parse(&read("good", "receipt.tlog-proof")).unwrap();
    receipt.verify(&leaf_hash(&entry(RECEIPT_INDEX)), ORIGIN, &log, &witness).unwrap();
    assert_eq!((receipt.index(), receipt.extra()), (RECEIPT_INDEX, Some(b"context".as_slice())));
}

#[test]
fn what_was_corrupted_is_refused_and_located() {
    let log = [key("log.vkey")];
    // One letter of the text.
    let note = SignedNote::parse(&read("corrupt", "note")).unwrap();
    assert!(matches!(note.verify(&log), Err(NoteError::BadSignature { .. })));
    // A leading zero, signed by the log's own key.
    let note = SignedNote::parse(&read("corrupt", "checkpoint")).unwrap();
    let refused = verify_checkpoint(&note, ORIGIN, &log, &[]);
    assert_eq!(refused, Err(CheckpointError::Size("0300".into())));
    // One hash of the proof.
    let receipt = Receipt::parse(&read("corrupt", "receipt.tlog-proof")).unwrap();
    let refused = receipt.verify(&leaf_hash(&entry(RECEIPT_INDEX)), ORIGIN, &log, &[]);
    assert!(matches!(refused, Err(ReceiptError::Proof(VerifyError::Root { .. }))));
    // One bit of hash 200.
    let tile = read("corrupt", "tile/0/000");
    let bundle = read("good", "tile/entries/000");
    assert_eq!(check_bundle(&bundle, &tile), Err(BundleFault::Mismatch { position: 200 }));
    assert_ne!(full_tile_root(&tile), full_tile_root(&read("good", "tile/0/000")));
    // One bit of entry 100.
    let bundle = read("corrupt", "tile/entries/000");
    let refused = check_bundle(&bundle, &read("good", "tile/0/000"));
    assert_eq!(refused, Err(BundleFault::Mismatch { position: 100 }));
    // The last byte of a partial tile is missing.
    let refused = root(&Frozen("corrupt"), SIZE);
    assert!(matches!(refused, Err(TreeError::ShortTile { found: 1407, .. })), "{refused:?}");
}

/// Every frozen file is there. With `UPDATE=1` those that are missing are written; a frozen file is never replaced: a new
/// version of the format gets a new folder.
#[test]
fn every_fixture_is_frozen() {
    let update = std::env::var_os("UPDATE").is_some();
    let write = |which: &str, name: &str, bytes: &[u8]| {
        let path = dir(which).join(name);
        if path.exists() {
            return;
        }
        assert!(update, "{which}/{name} is missing: UPDATE=1 writes it");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let good = written_now();
    good.iter().for_each(|(name, bytes)| write("good", name, bytes));

    let text = |name: &str| String::from_utf8(good[name].clone()).unwrap();
    write("corrupt", "note", text("note").replacen("First", "Worst", 1).as_bytes());
    let note = SignedNote::parse(&good["checkpoint"]).unwrap();
    let zero = note.text().replacen("\n300\n", "\n0300\n", 1);
    write("corrupt", "checkpoint", TestKey::new(ORIGIN, 1).note(&zero).to_string().as_bytes());
    let receipt = text("receipt.tlog-proof");
    let first = receipt.split('\n').nth(3).unwrap();
    let other = leaf_hash(b"another").to_base64();
    write("corrupt", "receipt.tlog-proof", receipt.replacen(first, &other, 1).as_bytes());
    let mut tile = good["tile/0/000"].clone();
    tile[200 * 32 + 7] ^= 0x10;
    write("corrupt", "tile/0/000", &tile);
    let mut bundle = good["tile/entries/000"].clone();
    let before: usize = (0..100).map(|index| 2 + entry(index).len()).sum();
    bundle[before + 2] ^= 0x01;
    write("corrupt", "tile/entries/000", &bundle);
    let partial = &good["tile/0/001.p/44"];
    write("corrupt", "tile/0/001.p/44", &partial[..partial.len() - 1]);
    write("corrupt", "tile/1/000.p/1", &good["tile/1/000.p/1"]);
}
