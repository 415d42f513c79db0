//! What others vouch for, and what a reader remembers, against logs that were cut, changed or forked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../../timestamp/tests/authority/mod.rs"]
mod authority;
mod world;

use std::path::Path;
use std::sync::{Arc, LazyLock};

use authority::{Authority, GOOD};
use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_audit::{FaultKind, KeySource, Options, Remembered, RememberedKind, Report, Select, receipts};
use inferlog_disk::Fs;
use inferlog_disk::sim::{Fault, How, SimFs};
use inferlog_log::{list_vouched, write_timestamp, write_vouched};
use inferlog_merkle::{
    KeyKind, Policy, Receipt, SignedNote, VerifierKey, cosignature_line, cosignature_message,
};
use inferlog_record::Timestamp;
use inferlog_timestamp::{Roots, request};
use world::look::{check, only, overwrite, remembered, run, small};
use world::{DIR, OneKey, START_NS, World};

const SECOND_NS: u64 = 1_000_000_000;
const COSIGNED_AT: u64 = START_NS / SECOND_NS + 7_200;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let authority = Authority::new();
    authority.certify("tsa", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", GOOD);
    authority
});

fn witness(number: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[number; 32]);
    let name = format!("witness.example/w{number}");
    let vkey = VerifierKey::new(&name, KeyKind::Cosignature, &key.verifying_key().to_bytes()).unwrap();
    (key, vkey)
}

/// The note with the cosignature of a witness.
fn cosign(note: &[u8], number: u8, at: u64) -> SignedNote {
    let mut note = SignedNote::parse(note).unwrap();
    let (key, vkey) = witness(number);
    let signature = key.sign(cosignature_message(at, note.text()).as_bytes()).to_bytes();
    note.push(cosignature_line(vkey.name(), vkey.public_key(), at, &signature).unwrap()).unwrap();
    note
}

/// The same note with the witness's line alone.
fn by_witness_alone(note: &[u8]) -> Vec<u8> {
    let whole = cosign(note, 8, COSIGNED_AT);
    let mut alone = SignedNote::new(whole.text().to_owned()).unwrap();
    alone.push(whole.signatures().last().unwrap().clone()).unwrap();
    alone.to_string().into_bytes()
}

/// A log with so many decisions of so many bytes each, integrated after each part. Logs with the same first parts have the same
/// first entries.
fn log(parts: &[(usize, usize)]) -> (SimFs, World) {
    let (fs, mut world) = World::sim(256 << 10);
    world.create("credit");
    for (decisions, bytes) in parts {
        world.fill("credit", *decisions, *bytes);
        world.integrate();
    }
    (fs, world)
}

fn checkpoint(fs: &SimFs, world: &World) -> Vec<u8> {
    fs.read(&world.dir("credit").checkpoint()).unwrap()
}

fn against(fs: &SimFs, held: Vec<Remembered>) -> Report {
    run(fs, &Options { against: held, witnesses: vec![witness(8).1], ..Options::default() })
}

/// A log with a checkpoint at 200 that two witnesses cosigned, and one at 300 that is cosigned once and timestamped.
fn vouched_for() -> (SimFs, World) {
    let (fs, mut world) = log(&[(100, 300)]);
    let early = cosign(&checkpoint(&fs, &world), 8, COSIGNED_AT).to_string();
    let early = cosign(early.as_bytes(), 9, COSIGNED_AT + 5);
    write_vouched(&fs, world.dir("credit"), 200, early.to_string().as_bytes()).unwrap();
    world.fill("credit", 50, 300);
    world.integrate();
    let late = cosign(&checkpoint(&fs, &world), 8, COSIGNED_AT + 60);
    write_vouched(&fs, world.dir("credit"), 300, late.to_string().as_bytes()).unwrap();
    let asked = request(late.text().as_bytes(), 1, None).unwrap();
    let response = AUTHORITY.answer("tsa", &asked, "");
    write_timestamp(&fs, world.dir("credit"), 300, 0, &response).unwrap();
    (fs, world)
}

fn roots() -> Roots {
    Roots::from_pem(&AUTHORITY.root()).unwrap()
}

fn policy(quorum: &str) -> Policy {
    let (one, two) = (witness(8).1, witness(9).1);
    format!("witness one {one}\nwitness two {two}\ngroup both all one two\nquorum {quorum}\n")
        .parse()
        .unwrap()
}

#[test]
fn a_log_that_nobody_vouches_for_speaks_for_itself() {
    let (fs, world) = small();
    let now = Timestamp(world.now_ns + 3 * 3_600 * SECOND_NS);
    let report = run(&fs, &Options { now: Some(now), ..Options::default() });
    let said = &report.logs[0].statement;
    assert_eq!(said.complete_to, Some(300));
    assert_eq!(said.newest_entry, Some(Timestamp(world.now_ns - 1_000_000)));
    assert_eq!((said.cosigned.len(), said.timestamped.len()), (0, 0));
    let text = report.to_text(false);
    assert!(text.contains("complete to size 300\n"), "{text}");
    assert!(text.contains("nobody else vouches for it: no cosignature, no timestamp"), "{text}");
    assert!(text.contains("the log's own word (3 h old)"), "{text}");
    // Damage, and it is not complete.
    fs.flip_bit(&world.dir("credit").state(), 40, 1).unwrap();
    assert_eq!(check(&fs).logs[0].statement.complete_to, None);
}

#[test]
fn who_vouches_is_told_by_the_keys_that_the_reader_has() {
    let (fs, world) = vouched_for();
    // Without keys: that there is something, and that it was not checked.
    let report = check(&fs);
    assert!(report.ok, "{:#?}", report.faults);
    let said = &report.logs[0].statement;
    assert_eq!(said.cosigned_unchecked, ["witness.example/w8", "witness.example/w9"]);
    assert!(said.cosigned.is_empty() && said.evidence.is_none());
    assert!(!said.timestamped[0].is_trusted);
    let text = report.to_text(false);
    assert!(text.contains("not checked, for want of their keys (--witness, --policy)"), "{text}");
    assert!(text.contains("by CN=tsa,O=Tests, as it says of itself: no root was given"), "{text}");

    // With them: who, when, and over how much.
    let options = Options {
        witnesses: vec![witness(8).1, witness(9).1],
        tsa_roots: Some(roots()),
        now: Some(Timestamp(u64::MAX)),
        ..Options::default()
    };
    let report = run(&fs, &options);
    assert!(report.ok, "{:#?}", report.faults);
    let said = &report.logs[0].statement;
    let cosigned: Vec<_> =
        said.cosigned.iter().map(|one| (one.by.as_str(), one.at.0 / SECOND_NS, one.size)).collect();
    let (one, two) = (witness(8).1.to_string(), witness(9).1.to_string());
    assert_eq!(cosigned, [(one.as_str(), COSIGNED_AT + 60, 300), (two.as_str(), COSIGNED_AT + 5, 200)]);
    let stamp = &said.timestamped[0];
    assert!(stamp.is_trusted && stamp.by == "CN=tsa,O=Tests" && stamp.size == 300, "{stamp:?}");
    let evidence = said.evidence.as_ref().unwrap();
    assert_eq!((evidence.at, evidence.size), (stamp.at.max(said.cosigned[0].at), 300));
    assert_eq!(said.age_ns, Some(u64::MAX - evidence.at.0));
    let text = report.to_text(false);
    assert!(
        text.contains(&format!("cosigned at 2026-11-21T02:00:05Z by {two} (the first 200 of 300 entries)")),
        "{text}"
    );
    assert!(text.contains("policy 1.2.3.4.1; revocation not checked\n"), "{text}");
    assert_eq!(list_vouched(&fs, world.dir("credit")).unwrap(), [200, 300]);

    // By another's root: a claim, and no fault of the log.
    let other = Roots::from_pem(&Authority::new().root()).unwrap();
    let report = run(&fs, &Options { tsa_roots: Some(other), ..Options::default() });
    assert!(report.ok && !report.logs[0].statement.timestamped[0].is_trusted);
    assert!(
        report.notices.iter().any(|notice| notice.what.contains("does not lead to a root that you trust"))
    );
}

#[test]
fn the_policys_quorum_is_met_or_not() {
    let (fs, _world) = vouched_for();
    for (quorum, met_at, is_met, says) in [
        ("one", Some(300), true, "quorum \"one\" of the policy: met\n"),
        ("both", Some(200), false, "quorum \"both\" of the policy: met at size 200, not yet at 300\n"),
        ("none", Some(300), true, "met\n"),
    ] {
        let report = run(&fs, &Options { policy: Some(policy(quorum)), ..Options::default() });
        let found = report.logs[0].statement.quorum.clone().unwrap();
        assert_eq!((found.met_at, found.is_met), (met_at, is_met), "{quorum}");
        assert!(report.to_text(false).contains(says), "{quorum}");
        assert_eq!(report.logs[0].statement.cosigned.len(), 2, "the policy's keys are the reader's");
    }
    let nobody: Policy = format!("witness x {}\nquorum x\n", witness(3).1).parse().unwrap();
    let report = run(&fs, &Options { policy: Some(nobody), ..Options::default() });
    assert!(report.to_text(false).contains("quorum \"x\" of the policy: not met\n"));
}

/// Whatever stands in `vouched/` and is not what was written is found in its file.
#[test]
fn a_flipped_bit_of_what_others_vouch_for_is_found() {
    let (fs, _world) = vouched_for();
    let options = || Options {
        witnesses: vec![witness(8).1, witness(9).1],
        tsa_roots: Some(roots()),
        ..Options::default()
    };
    let files: Vec<_> =
        fs.files().into_iter().filter(|(path, _)| path.display().to_string().contains("/vouched/")).collect();
    assert_eq!(files.len(), 3);
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut tried, mut said_nothing) = (0, 0);
    for (path, content) in &files {
        for _ in 0..80 {
            let at = rng.u64(0..content.len() as u64);
            let flipped = fs.fork(at);
            flipped.flip_bit(path, at, rng.u8(0..8)).unwrap();
            let report = run(&flipped, &options());
            let file = path.strip_prefix(DIR).unwrap().display().to_string();
            assert!(
                report.faults.iter().all(|fault| fault.file == file),
                "{file} {at}: {:#?}",
                report.faults
            );
            tried += 1;
            // A witness's name or key id that was changed is another's, whose key is not known: it is told as unchecked. The list
            // of digests in a token repeats what stands elsewhere.
            said_nothing += u64::from(report.ok);
            let said = &report.logs[0].statement;
            let is_told = said.cosigned_unchecked.len() + usize::from(path.extension().unwrap() == "tsr") > 0;
            assert!(!report.ok || is_told || said.cosigned.len() < 2, "{file} {at}");
        }
    }
    assert!(said_nothing * 5 < tried, "{said_nothing} of {tried}");
}

#[test]
fn what_belongs_to_nothing_or_cannot_be_read_is_told() {
    let (fs, world) = vouched_for();
    let dir = world.dir("credit");
    let without = fs.fork(1);
    without.remove_file(&dir.vouched_note(300)).unwrap();
    overwrite(&without, &dir.vouched().join("lock"), b"");
    let report = check(&without);
    assert!(report.ok);
    assert!(
        report.notices.iter().any(|notice| notice.what.contains("-0.tsr: belongs to no checkpoint")),
        "{report:#?}"
    );
    assert!(!report.notices.iter().any(|notice| notice.what.contains("lock")));
    for path in [dir.vouched(), dir.vouched_note(200), dir.vouched_timestamp(300, 0)] {
        let failing = fs.fork(1);
        let broken = path.clone();
        failing.inject(Fault::on(move |call| call.path == broken).how(How::NoEffect));
        assert!(!check(&failing).ok, "{} failed unnoticed", path.display());
    }
    // A checkpoint under another size's name, and one of another log.
    let renamed = fs.fork(1);
    overwrite(&renamed, &dir.vouched_note(150), &fs.read(&dir.vouched_note(200)).unwrap());
    assert!(only(&check(&renamed), FaultKind::Vouched).what.contains("its name says 150"));
    let (mut parts, key) = (World::sim(256 << 10), OneKey::new());
    let foreign =
        inferlog_merkle::Checkpoint::new(&parts.1.create("triage"), 200, inferlog_merkle::EMPTY_ROOT)
            .unwrap();
    let signed = inferlog_log::Signer::sign(&key, foreign.origin(), foreign.to_string().as_bytes()).unwrap();
    let mut note = SignedNote::new(foreign.to_string()).unwrap();
    let line = inferlog_merkle::ed25519_signature_line(
        foreign.origin(),
        &signed[0].public_key,
        &signed[0].signature,
    );
    note.push(line.unwrap()).unwrap();
    overwrite(&fs, &dir.vouched_note(200), note.to_string().as_bytes());
    only(&check(&fs), FaultKind::Vouched);
}

/// An older copy of the log, with what others vouched for since: as when `vouched/` is kept elsewhere and put back.
#[test]
fn a_log_that_was_cut_does_not_have_what_others_vouched_for() {
    let (newer, world) = vouched_for();
    let (older, cut) = log(&[(100, 300), (20, 300)]);
    assert!(check(&older).ok);
    for name in ["note", "tsr"] {
        let path = match name {
            "note" => world.dir("credit").vouched_note(300),
            _ => world.dir("credit").vouched_timestamp(300, 0),
        };
        inferlog_disk::create_dir_all(&older, path.parent().unwrap()).unwrap();
        overwrite(&older, &path, &newer.read(&path).unwrap());
    }
    let report = run(&older, &Options { witnesses: vec![witness(8).1], ..Options::default() });
    let fault = only(&report, FaultKind::Vouched);
    assert!(
        fault.what.contains("signed 300 entries, cosigned by witness.example/w8, and has 240"),
        "{fault:?}"
    );
    assert!(fault.what.contains("entries 240 to 299 are not there"), "{fault:?}");
    assert_eq!(report.logs[0].statement.complete_to, None);
    assert_eq!(cut.size("credit"), 240);
}

/// A restored backup that was written on: the same size, another history.
#[test]
fn a_log_that_forked_is_not_the_one_that_others_vouched_for() {
    let (newer, world) = vouched_for();
    let (forked, _) = log(&[(100, 300), (50, 299)]);
    assert!(check(&forked).ok);
    for size in [200, 300] {
        let path = world.dir("credit").vouched_note(size);
        inferlog_disk::create_dir_all(&forked, path.parent().unwrap()).unwrap();
        overwrite(&forked, &path, &newer.read(&path).unwrap());
    }
    let report = run(&forked, &Options { witnesses: vec![witness(8).1], ..Options::default() });
    let fault = only(&report, FaultKind::Vouched);
    assert!(fault.file.ends_with("/vouched/00000000000000000300.note"), "{fault:?}");
    assert!(
        fault.what.contains("signed another tree of 300 entries, cosigned by witness.example/w8"),
        "{fault:?}"
    );
    assert!(fault.what.ends_with("the first change is among entries 200 to 299"), "{fault:?}");
    assert_eq!(report.logs[0].statement.cosigned[0].size, 200, "what agrees still counts");
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
