//! What a reader remembers, against logs that were cut or changed: each kind of it finds that, and says where.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod world;

use std::path::Path;
use std::sync::Arc;

use inferlog_audit::{FaultKind, KeySource, Options, Remembered, RememberedKind, Report, Select, receipts};
use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_merkle::{Receipt, SignedNote};
use world::look::{check, only, overwrite, remembered, run, small};
use world::witness::{COSIGNED_AT, checkpoint, cosign, log, witness};
use world::{DIR, World};

/// The same note with the witness's line alone.
fn by_witness_alone(note: &[u8]) -> Vec<u8> {
    let whole = cosign(note, 8, COSIGNED_AT);
    let mut alone = SignedNote::new(whole.text().to_owned()).unwrap();
    alone.push(whole.signatures().last().unwrap().clone()).unwrap();
    alone.to_string().into_bytes()
}

fn against(fs: &SimFs, held: Vec<Remembered>) -> Report {
    run(fs, &Options { against: held, witnesses: vec![witness(8).1], ..Options::default() })
}

/// Everything that a reader may have kept of a log of 300 entries: its checkpoint, the same with a cosignature alone, and receipts
/// of an entry with and without the entry.
fn kept(fs: &SimFs, world: &World, entry: u64) -> Vec<(&'static str, Remembered)> {
    let note = checkpoint(fs, world);
    let shared: Arc<dyn Fs> = Arc::new(fs.clone());
    let whole = receipt_of(&shared, entry);
    let bare = Remembered { entry: None, ..whole.clone() };
    vec![
        ("checkpoint", remembered(&note)),
        ("cosigned", remembered(cosign(&note, 8, COSIGNED_AT).to_string().as_bytes())),
        ("by a witness alone", remembered(&by_witness_alone(&note))),
        ("receipt", whole),
        ("receipt without its entry", bare),
    ]
}

fn receipt_of(fs: &Arc<dyn Fs>, index: u64) -> Remembered {
    let dir = inferlog_log::list_logs(&**fs, Path::new(DIR)).unwrap().remove(0);
    let entry = inferlog_log::LogReader::new(fs.clone(), dir).entry(index, 300).unwrap();
    let text = String::from_utf8(entry).unwrap();
    let at = text.find("\"decision\":\"").unwrap() + 12;
    let decision = text[at..at + 36].parse().unwrap();
    let all = receipts(fs, Path::new(DIR), decision, &Select::default()).unwrap();
    let found = all.into_iter().find(|receipt| receipt.index == index).unwrap();
    Remembered { name: found.proof_file(), bytes: found.proof.into_bytes(), entry: Some(found.entry) }
}

#[test]
fn a_log_that_only_grew_is_unchanged_against_all_that_was_kept() {
    let (fs, mut world) = small();
    let kept = kept(&fs, &world, 137);
    world.fill("credit", 40, 300);
    world.integrate();
    let report = against(&fs, kept.iter().map(|(_, one)| one.clone()).collect());
    assert!(report.ok, "{:#?}", report.faults);
    assert_eq!(report.against.len(), 5);
    for (said, (name, _)) in report.against.iter().zip(&kept) {
        assert!(said.unchanged && said.what.starts_with("unchanged since the"), "{name}: {}", said.what);
        assert_eq!((said.size, said.changed), (300, None));
        let is_receipt = said.remembered == RememberedKind::Receipt;
        assert_eq!(is_receipt.then_some(137), said.index);
        let by_witness = said.signed_by.iter().any(|key| key.starts_with("witness.example/w8"));
        let expected = if by_witness { KeySource::Given } else { KeySource::Directory };
        assert_eq!(said.key_from, Some(expected), "{name}");
    }
    let text = report.to_text(false);
    assert!(
        text.contains("137.tlog-proof: Unchanged since the receipt you hold (entry 137, size 300)."),
        "{text}"
    );
}

#[test]
fn each_thing_that_was_kept_finds_a_log_that_was_cut() {
    let (fs, world) = small();
    let (shorter, _) = log(&[(100, 300)]);
    assert!(check(&shorter).ok);
    for (name, one) in kept(&fs, &world, 250) {
        let report = against(&shorter, vec![one.clone()]);
        let fault = only(&report, FaultKind::Against);
        assert!(fault.what.contains("entries were removed"), "{name}: {fault:?}");
        assert!(fault.what.contains("entries 200 to 299 are not there"), "{name}: {fault:?}");
        assert_eq!(report.against[0].changed, Some((200, 299)), "{name}");
        if one.entry.is_some() {
            assert!(fault.what.contains("among them entry 250 (decision.opened, decision "), "{fault:?}");
        }
    }
    // What is still there of a receipt's entry does not hide what is not.
    let report = against(&shorter, vec![kept(&fs, &world, 3).remove(3).1]);
    assert!(only(&report, FaultKind::Against).what.contains("entries were removed"));
}

#[test]
fn each_thing_that_was_kept_finds_and_narrows_down_a_change() {
    let (fs, world) = log(&[(100, 300), (50, 300)]);
    let (changed, _) = log(&[(100, 300), (50, 299), (30, 300)]);
    assert!(check(&changed).ok);
    let (early, _) = log(&[(100, 300)]);
    let early = remembered(&checkpoint(&early, &world));
    for (name, one) in kept(&fs, &world, 250) {
        let alone = against(&changed, vec![one.clone()]);
        let fault = only(&alone, FaultKind::Against);
        assert!(fault.what.contains("was changed since"), "{name}: {fault:?}");
        // The hashes of a receipt's proof narrow it down; so does an older checkpoint that still agrees.
        let expected = if one.entry.is_some() { (192, 223) } else { (0, 299) };
        assert_eq!(alone.against[0].changed, Some(expected), "{name}");
        if one.entry.is_some() {
            assert_eq!(fault.index, Some(250));
            assert!(fault.file.ends_with("tile/entries/000"), "{fault:?}");
            assert!(fault.what.ends_with("the entry you hold is another one now"), "{fault:?}");
        }
        let both = against(&changed, vec![early.clone(), one.clone()]);
        assert!(both.against[0].unchanged || both.against[0].what.contains("but the log has faults"));
        let expected = if one.entry.is_some() { (200, 223) } else { (200, 299) };
        assert_eq!(both.against[1].changed, Some(expected), "{name}");
    }
    let report = against(&changed, vec![kept(&fs, &world, 7).remove(3).1]);
    let what = &only(&report, FaultKind::Against).what;
    assert!(what.ends_with("among entries 128 to 255; the entry you hold is still there"), "{what}");
}

#[test]
fn what_was_kept_must_itself_be_right() {
    let (fs, world) = small();
    let kept = kept(&fs, &world, 137);
    let says = |one: Remembered, expected: &str| {
        let report = against(&fs, vec![one]);
        let fault = only(&report, FaultKind::Against);
        assert!(fault.what.contains(expected), "{fault:?}");
    };
    let changed = |bytes: &[u8], from: &str, to: &str| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains(from));
        text.replacen(from, to, 1).into_bytes()
    };
    let receipt = &kept[3].1;
    let entry = changed(receipt.entry.as_ref().unwrap(), "\"v\":1", "\"v\":2");
    says(Remembered { entry: Some(entry), ..receipt.clone() }, "its proof does not lead from its entry");
    let parsed = Receipt::parse(&receipt.bytes).unwrap();
    let proof = changed(&receipt.bytes, "index 137", "index 337");
    says(
        Remembered { bytes: proof, entry: None, ..receipt.clone() },
        "its entry 337 is not under its checkpoint",
    );
    assert_eq!(parsed.index(), 137);
    says(remembered(b"c2sp.org/tlog-proof@v1\nnothing"), "the receipt you hold is none");
    // A witness's word for something that it did not say, and one whose key nobody gave.
    let forged = changed(&by_witness_alone(&checkpoint(&fs, &world)), "\n300\n", "\n299\n");
    says(remembered(&forged), "does not verify by the witness's key you gave");
    let report = run(&fs, &Options { against: vec![kept[2].1.clone()], ..Options::default() });
    assert!(only(&report, FaultKind::Against).what.contains("no known key signed the note"));
}

#[test]
fn a_receipt_is_found_by_either_of_its_two_files() {
    let (fs, _) = small();
    let shared: Arc<dyn Fs> = Arc::new(fs.clone());
    let kept = receipt_of(&shared, 137);
    let dir = Path::new("/kept");
    fs.create_dir(dir).unwrap();
    overwrite(&fs, &dir.join("137.tlog-proof"), &kept.bytes);
    let read = |name: &str| Remembered::read(&fs, &dir.join(name)).unwrap();
    assert!(read("137.tlog-proof").entry.is_none());
    overwrite(&fs, &dir.join("137.entry"), kept.entry.as_ref().unwrap());
    for name in ["137.tlog-proof", "137.entry"] {
        assert_eq!((read(name).bytes, read(name).entry), (kept.bytes.clone(), kept.entry.clone()));
    }
    overwrite(&fs, &dir.join("old.note"), b"a note\n");
    assert!(read("old.note").entry.is_none());
    assert!(Remembered::read(&fs, &dir.join("missing")).is_err());
}
