//! Frozen examples of every format of the vault, under fixtures/v1/vault: the good ones open for ever, with the vault and with
//! the reader that shares no code with it; the corrupt ones are refused, each for its reason.
//!
//! `UPDATE=1` writes those that are missing. A frozen file is never replaced: a new version of a format gets a new folder.

#![expect(clippy::disallowed_methods, reason = "reads and writes the frozen files themselves")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, SeededRng, create_dir_all, replace_file};
use inferlog_record::{Digest, Encoding, Id, KeyId};
use inferlog_vault::{
    DataKey, Erasure, FileRoot, KeystoreId, OpenError, RootKey, SealedPayload, Vault, VaultError,
    open_payload,
};

use crate::harness::{LOG, ORIGIN, Payload, context, id, scope, system};
use crate::reader::Loot;

/// Files of one folder, by path below it.
type Files = BTreeMap<String, Vec<u8>>;

const DIR: &str = "/fixture/keystore";
const ROOT: &str = "/fixture/root";
/// What the frozen payloads say: short, long, erased.
const CONTENTS: [&str; 3] = ["declined", "The applicant's income is not stable. ", "about Alice"];

fn folder(which: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/vault").join(which)
}

fn read(folder: &Path, below: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder.join(below)).unwrap() {
        let name = format!("{below}{}", entry.unwrap().file_name().to_str().unwrap());
        match folder.join(&name).is_dir() {
            true => read(folder, &format!("{name}/"), files),
            false => drop(files.insert(name.clone(), std::fs::read(folder.join(&name)).unwrap())),
        }
    }
}

fn frozen(which: &str) -> Files {
    let mut files = Files::new();
    read(&folder(which), "", &mut files);
    files
}

/// A simulated disk with the frozen keystore on it.
fn disk(files: &Files) -> SimFs {
    let fs = SimFs::new(1);
    create_dir_all(&fs, &Path::new(DIR).join("pages")).unwrap();
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with("keystore/") || *name == "root") {
        replace_file(&fs, &Path::new("/fixture").join(name), bytes).unwrap();
    }
    fs
}

fn open(fs: &SimFs) -> inferlog_vault::Result<Vault> {
    let root = Box::new(FileRoot::without_modes(Arc::new(fs.clone()), ROOT.into()));
    let (rng, clock) = (Arc::new(SeededRng::new(7)), Arc::new(ManualClock::new(0)));
    Vault::open(Arc::new(fs.clone()), rng, clock, DIR.as_ref(), root)
}

/// One line per member: what a reference says of a payload, its decision, and the opening.
fn describe(payload: &Payload, opening: &[u8; 32]) -> Vec<u8> {
    let SealedPayload { encoding, commitment, sealed, size, .. } = &payload.sealed;
    format!(
        "decision {}\nevent {}\nkey_id {}\norigin {ORIGIN}\nrole input.raw\npayload {}\nencoding {encoding}\nsize {size}\n\
         commitment {commitment}\nsealed {sealed}\nopening {}\n",
        payload.decision,
        payload.decision,
        payload.key,
        payload.payload,
        Digest(*opening),
    )
    .into_bytes()
}

/// The payload `n` of a folder, and its opening.
fn payload(files: &Files, n: usize) -> (Payload, DataKey) {
    let text = std::str::from_utf8(&files[&format!("payload-{n}.txt")]).unwrap();
    let member = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    let digest = |name: &str| member(name).parse::<Digest>().unwrap();
    let sealed = SealedPayload {
        bytes: files[&format!("payload-{n}.sealed")].clone(),
        size: member("size ").parse().unwrap(),
        encoding: member("encoding ").parse::<Encoding>().unwrap(),
        commitment: digest("commitment "),
        sealed: digest("sealed "),
    };
    let payload = Payload {
        key: member("key_id ").parse::<KeyId>().unwrap(),
        decision: member("decision ").parse::<Id>().unwrap(),
        payload: member("payload ").parse::<Id>().unwrap(),
        sealed,
        content: content(n),
    };
    (payload, DataKey::from_bytes(digest("opening ").0))
}

fn content(n: usize) -> Vec<u8> {
    CONTENTS[n].repeat([1, 40, 1][n]).into_bytes()
}

/// A keystore with every kind of page, an erasure behind it, and births of which the last is not absorbed.
fn written_now() -> (Files, Files) {
    let fs = SimFs::new(1);
    let roots = Box::new(FileRoot::without_modes(Arc::new(fs.clone()), ROOT.into()));
    let (rng, clock) =
        (Arc::new(SeededRng::new(20_260_101)), Arc::new(ManualClock::new(1_767_225_600_000_000_000)));
    let vault =
        Vault::create(Arc::new(fs.clone()), rng, clock, DIR.as_ref(), KeystoreId([0x1f; 16]), roots).unwrap();
    vault.rotate_signing_key(ORIGIN).unwrap();
    let alice = vault.subject(&system(), b"alice@example.org").unwrap();
    let bob = vault.subject(&system(), b"bob@example.org").unwrap();
    let mut files = Files::new();
    let mut births = Vec::new();
    for (n, subjects) in [vec![], vec![bob.clone()], vec![bob, alice.clone()]].iter().enumerate() {
        let key = vault.decision_key(&scope(), id(n as u64), subjects).unwrap();
        births.push(key.births().unwrap());
        key.mark_durable();
        let payload = Payload::seal(&key, 10 + n as u64, std::str::from_utf8(&content(n)).unwrap());
        let opening = *key.data_key(payload.payload).unwrap().expose();
        files.insert(format!("payload-{n}.txt"), describe(&payload, &opening));
        files.insert(format!("payload-{n}.sealed"), payload.sealed.bytes);
    }
    births.push(vault.hold_key(&system(), id(20)).unwrap().births().unwrap());
    for frame in &births {
        vault.absorb(frame).unwrap();
    }
    vault.sync_absorbed(&[(LOG, 3)]).unwrap();
    vault.erase(&Erasure { subjects: vec![alice.reference()], ..Erasure::default() }, (LOG, 3)).unwrap();
    let late = vault.decision_key(&crate::harness::scope_of(20_455), id(30), &[]).unwrap();
    births.push(late.births().unwrap());
    files.insert("births".into(), births.concat());
    for (path, bytes) in fs.files() {
        files.insert(path.strip_prefix("/fixture").unwrap().to_str().unwrap().to_owned(), bytes);
    }
    let corrupt = corrupted(&files);
    (files, corrupt)
}

fn corrupted(good: &Files) -> Files {
    let flipped = |name: &str, at: usize| {
        let mut bytes = good[name].clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let cut = |name: &str, by: usize| good[name][..good[name].len() - by].to_vec();
    let decisions = decisions_page(good);
    Files::from([
        ("table-flipped".into(), flipped("keystore/table", 100)),
        ("table-cut".into(), cut("keystore/table", 1)),
        ("page-header-flipped".into(), flipped(&decisions, 39)),
        ("page-record-flipped".into(), flipped(&decisions, 64 + 13 + 50)),
        ("page-torn".into(), cut(&decisions, 5)),
        ("births-cut".into(), cut("births", 5)),
        ("payload-0.sealed-flipped".into(), flipped("payload-0.sealed", 60)),
        ("root-malformed".into(), cut("root", 2)),
        ("absorbed-malformed".into(), flipped("keystore/absorbed", 32)),
    ])
}

/// The name of the page that holds the frozen decisions' keys.
fn decisions_page(files: &Files) -> String {
    let is_page = |(name, bytes): &(&String, &Vec<u8>)| name.starts_with("keystore/pages/") && bytes[32] == 1;
    files.iter().find(is_page).unwrap().0.clone()
}

#[test]
fn every_fixture_is_frozen() {
    let update = std::env::var_os("UPDATE").is_some();
    let (good, corrupt) = written_now();
    for (which, files) in [("good", good), ("corrupt", corrupt)] {
        for (name, bytes) in files {
            let path = folder(which).join(&name);
            if !path.exists() {
                assert!(update, "{which}/{name} is missing: UPDATE=1 writes it");
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
}

#[test]
fn the_frozen_keystore_opens() {
    let good = frozen("good");
    let fs = disk(&good);
    let vault = open(&fs).unwrap();
    assert_eq!(vault.keystore_id(), KeystoreId([0x1f; 16]));
    assert_eq!((vault.absorbed()[&LOG], vault.last_erasure()), (3, (LOG, 3)));
    assert_eq!(vault.public_keys(ORIGIN).len(), 1);
    for n in 0..2 {
        payload(&good, n).0.assert_readable(&vault);
    }
    payload(&good, 2).0.assert_erased(&vault);
    assert!(vault.find_subject(&system(), b"bob@example.org").unwrap().is_some());
    assert!(vault.find_subject(&system(), b"alice@example.org").unwrap().is_none());
    // Three subjects' and two decisions' births have come before or are of the erased; one page is new.
    let intake = vault.absorb(&good["births"]).unwrap();
    assert_eq!((intake.taken, intake.lost), (1, 0));
}

#[test]
fn the_frozen_payloads_open_with_their_openings_alone() {
    let good = frozen("good");
    for n in 0..3 {
        let (payload, opening) = payload(&good, n);
        let SealedPayload { bytes, encoding, commitment, .. } = &payload.sealed;
        let place = context(payload.decision, payload.payload);
        let opened = open_payload(&opening, &place, bytes, *encoding, commitment, 1 << 20);
        assert_eq!(opened.unwrap(), content(n));
    }
}

#[test]
fn the_frozen_keystore_opens_by_the_book() {
    let good = frozen("good");
    let root = RootKey::parse(std::str::from_utf8(&good["root"]).unwrap()).unwrap();
    let mut loot = Loot { roots: vec![crate::erasure::bare(&root)], ..Loot::default() };
    loot.births.push(good["births"].clone());
    loot.files =
        good.into_iter().filter(|(name, _)| name.starts_with("keystore")).map(|(_, file)| file).collect();
    let read = loot.read();
    let good = frozen("good");
    for n in 0..2 {
        assert_eq!(read.payload(&payload(&good, n).0), Some(content(n)));
    }
    assert_eq!(read.payload(&payload(&good, 2).0), None);
    assert!(read.guess_person("credit", b"bob@example.org").is_some());
    assert_eq!(read.guess_person("credit", b"alice@example.org"), None);
}

/// The frozen keystore with one file replaced by a corrupt one.
fn with_corrupt(name: &str, corrupt: &str) -> (SimFs, Files) {
    let mut files = frozen("good");
    files.insert(name.to_owned(), frozen("corrupt")[corrupt].clone());
    (disk(&files), files)
}

#[test]
fn corrupt_files_are_refused() {
    let whole = [
        ("keystore/table", "table-flipped", "the root key of its epoch does not open it"),
        ("keystore/table", "table-cut", "the root key of its epoch does not open it"),
        ("keystore/absorbed", "absorbed-malformed", "a line is not `<log id, 32 hex> <index>`"),
        ("root", "root-malformed", "holds no line of the form"),
    ];
    for (name, corrupt, says) in whole {
        let error = open(&with_corrupt(name, corrupt).0).err().unwrap().to_string();
        assert!(error.contains(says), "{corrupt}: {error}");
    }
    let page = decisions_page(&frozen("good"));
    // The first record is flipped; the last, of the erased, is torn; without a header nobody knows what a page is for.
    for (corrupt, readable) in [
        ("page-record-flipped", [false, true]),
        ("page-torn", [true, true]),
        ("page-header-flipped", [false, false]),
    ] {
        let (fs, files) = with_corrupt(&page, corrupt);
        let vault = open(&fs).unwrap();
        let found = [0, 1].map(|n| payload(&files, n).0.read(&vault).is_ok());
        assert_eq!(found, readable, "{corrupt}");
        // Births make it good.
        vault.absorb(&files["births"]).unwrap();
        vault.sync_absorbed(&[]).unwrap();
        let vault = open(&fs.crash()).unwrap();
        for n in 0..2 {
            payload(&files, n).0.assert_readable(&vault);
        }
    }
}

#[test]
fn corrupt_births_and_payloads_are_refused() {
    let (good, corrupt) = (frozen("good"), frozen("corrupt"));
    let births = open(&disk(&good)).unwrap().absorb(&corrupt["births-cut"]);
    assert!(matches!(births, Err(VaultError::MalformedBirth { .. })));
    let (payload, opening) = payload(&good, 0);
    let place = context(payload.decision, payload.payload);
    let SealedPayload { encoding, commitment, .. } = payload.sealed;
    let sealed = &corrupt["payload-0.sealed-flipped"];
    let opened = open_payload(&opening, &place, sealed, encoding, &commitment, 1 << 20);
    assert_eq!(opened, Err(OpenError::Unsealed));
    assert!(!disk(&good).exists(Path::new("/fixture/keystore/table.next")).unwrap());
}
