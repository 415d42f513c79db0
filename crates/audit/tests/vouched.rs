//! What others vouch for, against logs that were cut or forked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../../timestamp/tests/authority/mod.rs"]
mod authority;
mod world;

use std::path::Path;
use std::sync::LazyLock;

use authority::{Authority, GOOD};
use ed25519_dalek::{Signer as _, SigningKey};
use inferlog_audit::{FaultKind, Options};
use inferlog_disk::Fs;
use inferlog_disk::sim::{Fault, How, SimFs};
use inferlog_log::{list_vouched, write_timestamp, write_vouched};
use inferlog_merkle::{KeyKind, Policy, SignedNote, VerifierKey, ed25519_signature_line};
use inferlog_record::Timestamp;
use inferlog_timestamp::{Roots, request};
use world::look::{check, only, overwrite, run, small};
use world::witness::{COSIGNED_AT, SECOND_NS, checkpoint, cosign, log, witness};
use world::{DIR, OneKey, World};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let authority = Authority::new();
    authority.certify("tsa", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", GOOD);
    authority
});

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
    assert!(text.contains("complete to size 300, by the directory's own word\n"), "{text}");
    let given = vec![OneKey::new().vkey(&report.logs[0].origin)];
    let given = run(&fs, &Options { keys: given, ..Options::default() });
    assert!(given.to_text(false).contains("complete to size 300\n"));
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
    assert!(!report.ok && report.faults[0].what.contains("quorum \"x\" asks"), "{:?}", report.faults);
    // A policy that names logs asks it of those alone.
    let key = witness(3).1;
    let elsewhere = VerifierKey::new("elsewhere", KeyKind::Ed25519, key.public_key()).unwrap();
    let other: Policy = format!("log {elsewhere}\nwitness x {key}\nquorum x\n").parse().unwrap();
    let report = run(&fs, &Options { policy: Some(other), ..Options::default() });
    assert!(report.ok, "{:?}", report.faults);
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

/// A reader may hold a key that came later than a checkpoint that others vouched for.
#[test]
fn a_key_that_came_later_leaves_older_checkpoints_to_the_directorys_word() {
    let (fs, world) = vouched_for();
    let dir = world.dir("credit");
    let origin = check(&fs).logs[0].origin.clone();
    let later = SigningKey::from_bytes(&[40; 32]);
    let vkey = VerifierKey::new(&origin, KeyKind::Ed25519, &later.verifying_key().to_bytes()).unwrap();
    let sign = |path: &Path| {
        let mut note = SignedNote::parse(&fs.read(path).unwrap()).unwrap();
        let signature = later.sign(note.text().as_bytes()).to_bytes();
        note.push(ed25519_signature_line(&origin, vkey.public_key(), &signature).unwrap()).unwrap();
        overwrite(&fs, path, note.to_string().as_bytes());
    };
    [dir.checkpoint(), dir.path().join("twin"), dir.vouched_note(300)].iter().for_each(|path| sign(path));
    let options = Options { keys: vec![vkey], witnesses: vec![witness(9).1], ..Options::default() };
    let report = run(&fs, &options);
    assert!(report.ok, "{:#?}", report.faults);
    let older: Vec<_> =
        report.notices.iter().filter(|notice| notice.what.contains("signed by an older key")).collect();
    assert!(older.len() == 1 && older[0].what.contains("00000000000000000200.note"), "{older:#?}");
    assert_eq!(report.logs[0].statement.cosigned[0].size, 200);
}
