//! A data directory of the first format, kept for ever: verified, told, and damaged in every kind of file.
//!
//! `UPDATE=1` writes it if it is not there. It never replaces one: a new version of the format gets a new folder.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod sealed;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_audit::{
    Fault, FaultKind, Options, Select, StoryOptions, check_receipt_file, find, receipts, story,
};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, RealFs, SeededRng, create_dir_all};
use inferlog_merkle::VerifierKey;
use inferlog_record::body::{Clock, Outcome};
use inferlog_record::{Id, MediaType, PayloadRole, Timestamp};
use inferlog_vault::{FileRoot, Vault};
use sealed::{ROOT, Sealer};
use world::look::{check, overwrite, run};
use world::{DIR, OneKey, START_NS, closed, inference, name};

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/audit")
}

fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

/// Every file below a folder, by its path there.
fn read_all(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// A disk with the good directory.
fn disk() -> SimFs {
    let fs = SimFs::new(1);
    for (path, bytes) in read_all(&folder().join("good")) {
        let path = Path::new(DIR).join(path);
        create_dir_all(&fs, path.parent().unwrap()).unwrap();
        overwrite(&fs, &path, &bytes);
    }
    overwrite(&fs, Path::new(ROOT), &std::fs::read(folder().join("root.key")).unwrap());
    fs
}

fn decision() -> Id {
    std::fs::read_to_string(folder().join("decision")).unwrap().trim().parse().unwrap()
}

/// What `UPDATE=1` writes: a full bundle and a partial one, two packs' worth of payloads, a keystore, a live WAL.
fn build() -> (SimFs, Id) {
    let mut sealer = Sealer::with_segments(64 << 10);
    let mut draft = sealer.begin("Ada");
    let mut opened = sealer.world.event("credit", world::opened("score"));
    sealer.add(
        &mut draft,
        &mut opened,
        PayloadRole::InputRaw,
        MediaType::Json,
        br#"{"inputs":[{"name":"income","data":[32000]}]}"#,
    );
    let input = (opened.payloads[0], opened.id);
    sealer.write(&mut draft, vec![opened]);
    for _ in 0..254 {
        sealer.world.tick(60_000_000_000);
        let clock = Clock {
            by: None,
            disregard_first: None,
            disregard_last: None,
            max_error_ns: None,
            offset_ns: None,
            source: name("none"),
            synchronised: false,
        };
        let append = sealer.world.life("credit", clock);
        sealer.world.commit("credit", &[append]);
        sealer.world.integrate();
    }
    let mut answer = sealer.world.event("credit", inference());
    answer.payloads.push(input.0.again(PayloadRole::InputAssembled, input.1));
    sealer.add(&mut draft, &mut answer, PayloadRole::OutputRaw, MediaType::Text, "0.42 – refused".as_bytes());
    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
    end.ended_at = Some(Timestamp(sealer.world.now_ns));
    sealer.write(&mut draft, vec![answer, end]);
    for person in ["Grace", "Mary"] {
        let mut draft = sealer.begin(person);
        let mut opened = sealer.world.event("credit", world::opened("score"));
        sealer.add(&mut draft, &mut opened, PayloadRole::InputRaw, MediaType::Text, person.as_bytes());
        sealer.write(&mut draft, vec![opened]);
    }
    sealer.world.integrate();
    (sealer.sim, draft.decision)
}

/// Kinds of file and a byte of each to flip.
fn damages(files: &Files) -> Vec<(&'static str, PathBuf, u64)> {
    let find = |wanted: &str| {
        let found = files.keys().find(|path| path.to_str().unwrap().contains(wanted));
        found.unwrap_or_else(|| panic!("no {wanted}")).clone()
    };
    let pack =
        files.keys().find(|path| path.extension().is_some_and(|extension| extension == "pack")).unwrap();
    [
        ("node", PathBuf::from("node"), 24),
        ("log", find("/log"), 60),
        ("checkpoint", find("/checkpoint"), 70),
        ("twin", find("/twin"), 70),
        ("state", find("/state"), 40),
        ("tile-0", find("/tile/0/000"), 100),
        ("tile-0-partial", find("/tile/0/001.p"), 33),
        ("tile-1", find("/tile/1/000.p"), 5),
        ("bundle", find("/tile/entries/000"), 5000),
        ("bundle-partial", find("/tile/entries/001.p"), 300),
        ("pack", pack.clone(), 200),
        ("pack-index", pack.with_extension("idx"), 9),
        (
            "wal",
            files
                .keys()
                .find(|path| path.extension().is_some_and(|extension| extension == "wal"))
                .unwrap()
                .clone(),
            4200,
        ),
        ("keystore-table", PathBuf::from("keystore/table"), 20),
        ("keystore-page", find("keystore/pages/"), 30),
    ]
    .into_iter()
    .collect()
}

fn update() {
    assert!(!folder().exists(), "{} is frozen", folder().display());
    let (fs, decision) = build();
    let mut good = Files::new();
    for (path, bytes) in fs.files() {
        if let Ok(relative) = path.strip_prefix(DIR) {
            // A file system keeps no empty file in a checkout's way; the lock is made anew.
            let is_kept = relative != Path::new("lock") && !path.to_str().unwrap().ends_with(".spare");
            if is_kept {
                write(&folder().join("good").join(relative), &bytes);
                good.insert(relative.to_owned(), bytes);
            }
        } else if path == Path::new(ROOT) {
            write(&folder().join("root.key"), &bytes);
        }
    }
    write(&folder().join("decision"), format!("{decision}\n").as_bytes());
    let report = check(&disk());
    write(&folder().join("vkey"), format!("{}\n", OneKey::new().vkey(&report.logs[0].origin)).as_bytes());
    for receipt in
        receipts(&(Arc::new(disk()) as Arc<dyn Fs>), Path::new(DIR), decision, &Select::default()).unwrap()
    {
        write(&folder().join("receipt").join(receipt.entry_file()), &receipt.entry);
        write(&folder().join("receipt").join(receipt.proof_file()), receipt.proof.as_bytes());
    }
    write(&folder().join("story.json"), &told());
    for (kind, path, at) in damages(&good) {
        let mut bytes = good[&path].clone();
        bytes[at as usize] ^= 1;
        let fs = disk();
        overwrite(&fs, &Path::new(DIR).join(&path), &bytes);
        let faults = check(&fs).faults;
        write(&folder().join("corrupt").join(kind).join(&path), &bytes);
        write(&folder().join("corrupt").join(format!("{kind}.json")), &lines(&faults));
    }
}

/// Where and of what kind each fault is, one a line; the wording is free to change.
fn lines(faults: &[Fault]) -> Vec<u8> {
    let line = |fault: &Fault| {
        let mut json = serde_json::to_value(fault).unwrap();
        json.as_object_mut().unwrap().remove("what");
        format!("{json}\n").into_bytes()
    };
    faults.iter().flat_map(line).collect()
}

fn told() -> Vec<u8> {
    let fs: Arc<dyn Fs> = Arc::new(disk());
    let roots = Box::new(FileRoot::without_modes(fs.clone(), PathBuf::from(ROOT)));
    let (rng, clock) = (Arc::new(SeededRng::new(3)), Arc::new(ManualClock::new(START_NS)));
    let vault = Vault::open(fs.clone(), rng, clock, &Path::new(DIR).join("keystore"), roots).unwrap();
    let options = StoryOptions { openings: Some(&vault), ..StoryOptions::default() };
    let story = story(&fs, Path::new(DIR), decision(), &options).unwrap();
    assert!(story.is_proved());
    // What is told of the record, without what is told about it.
    let mut told = serde_json::to_value(&story).unwrap();
    let members = told.as_object_mut().unwrap();
    ["missing", "problems", "proofs", "states", "summary"]
        .into_iter()
        .for_each(|member| drop(members.remove(member)));
    for event in members["events"].as_array_mut().unwrap() {
        let event = event.as_object_mut().unwrap();
        ["serves", "order", "causes", "turn"].into_iter().for_each(|member| drop(event.remove(member)));
    }
    let mut json = serde_json::to_vec_pretty(&told).unwrap();
    json.push(b'\n');
    json
}

fn vkey() -> VerifierKey {
    std::fs::read_to_string(folder().join("vkey")).unwrap().trim().parse().unwrap()
}

#[test]
fn the_frozen_directory_is_read_for_ever() {
    if is_update() {
        update();
    }
    let report = run(&disk(), &Options { keys: vec![vkey()], ..Options::default() });
    assert!(report.ok, "{:#?}", report.faults);
    assert_eq!((report.size, report.payloads), (258, 4));
    // Also as any stranger reads it, where nothing may be written.
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let real = inferlog_audit::verify(&fs, &folder().join("good"), &Options::default(), &|_| {}).unwrap();
    assert_eq!((real.ok, real.size), (true, 258));
    assert_eq!(
        String::from_utf8(told()).unwrap(),
        std::fs::read_to_string(folder().join("story.json")).unwrap()
    );
    let mut rows = Vec::new();
    find(&fs, &folder().join("good"), &Default::default(), &mut |row| {
        rows.push((row.decision, row.outcome, row.model));
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(rows[0], (decision().to_string(), Some("answered".to_owned()), Some("credit".to_owned())));
    assert_eq!((rows.len(), rows[2].1.clone()), (3, None));
    for index in [0, 255] {
        let proof = folder().join("receipt").join(format!("{index}.tlog-proof"));
        let checked = check_receipt_file(&RealFs, &proof, &[vkey()]).unwrap();
        assert_eq!((checked.index, checked.decision), (index, Some(decision().to_string())));
    }

    let (mut seen, corrupt) = (0, folder().join("corrupt"));
    for entry in
        std::fs::read_dir(&corrupt).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let fs = disk();
        let kind = entry.file_name().unwrap().to_str().unwrap();
        for (path, bytes) in read_all(&entry) {
            overwrite(&fs, &Path::new(DIR).join(path), &bytes);
        }
        let expected = std::fs::read_to_string(corrupt.join(format!("{kind}.json"))).unwrap();
        let found = String::from_utf8(lines(&check(&fs).faults)).unwrap();
        assert_eq!(found, expected, "{kind}");
        assert!(!expected.is_empty(), "{kind}");
        seen += 1;
    }
    assert_eq!(seen, 15);
}

/// The log's own frozen directory holds entries that are none of the record's, so each of them is a fault; whatever else is
/// corrupt in its copies is found as well, without a signer, a vault or a recovery.
#[test]
fn the_corrupt_copies_of_the_log_are_found() {
    let frozen = folder().join("../log");
    let faults = |overlay: Option<&Path>| {
        let fs = SimFs::new(1);
        let mut files = read_all(&frozen.join("good"));
        files.extend(overlay.map(read_all).into_iter().flatten());
        for (path, bytes) in files {
            let path = Path::new(DIR).join(path);
            create_dir_all(&fs, path.parent().unwrap()).unwrap();
            overwrite(&fs, &path, &bytes);
        }
        let report = check(&fs);
        // The directory is that of a node that is degraded.
        let is_told =
            report.notices.iter().any(|notice| notice.what.starts_with("degraded since 2026-11-21T"));
        assert!(is_told || overlay.is_some());
        report.faults.into_iter().filter(|fault| fault.kind != FaultKind::Entry).collect::<Vec<Fault>>()
    };
    assert_eq!(faults(None), []);
    let mut seen = 0;
    for copy in std::fs::read_dir(frozen.join("corrupt")).unwrap().map(|entry| entry.unwrap().path()) {
        let found = faults(Some(&copy));
        let changed: Vec<PathBuf> = read_all(&copy).into_keys().collect();
        let kind = copy.file_name().unwrap().to_str().unwrap();
        // A torn end that was never acknowledged is no damage.
        let is_damage = kind != "wal-last-is-torn";
        assert_eq!(found.is_empty(), !is_damage, "{kind}: {found:#?}");
        let is_blamed = found.iter().any(|fault| changed.contains(&PathBuf::from(&fault.file)));
        // Two files contradict each other, both with right checksums: a pack that lost a byte, or a state that claims one too
        // many; a segment that lost a batch, or a later one that claims to go on after it.
        let is_open_to_doubt = ["state-pack-beyond", "wal-header-later-batch"].contains(&kind);
        assert!(is_blamed || !is_damage || is_open_to_doubt, "{kind}: {found:#?}");
        seen += 1;
    }
    assert!(seen > 25);
}
