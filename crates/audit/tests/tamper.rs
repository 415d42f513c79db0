//! What an attacker, a bad disk or a lost file does to a log, and what `verify` says of it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod sealed;
mod world;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_audit::{FaultKind, KeySource, Options, Select};
use inferlog_disk::Fs;
use inferlog_disk::sim::{Fault, How, SimFs};
use inferlog_merkle::{TileLevel, encode_entry, entries, leaf_hash};
use sealed::Sealer;
use world::look::{check, only, overwrite, remembered, run, small, tile};
use world::{DIR, OneKey, World};

#[test]
fn every_file_that_is_removed_or_cut_is_missed() {
    let (fs, world) = small();
    let state = inferlog_log::State::load(&fs, world.dir("credit")).unwrap();
    for (path, content) in fs.files() {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "lock" || name.ends_with(".spare") || name.ends_with(".wal") {
            continue;
        }
        for cut in [None, Some(0), Some(content.len() / 2), Some(content.len() - 1)] {
            let damaged = fs.fork(1);
            match cut {
                None => damaged.remove_file(&path).unwrap(),
                Some(length) => overwrite(&damaged, &path, &content[..length]),
            }
            let report = check(&damaged);
            // A twin may be kept elsewhere; its absence is only noted.
            let is_noted = name == "twin" && cut.is_none();
            let is_narrower =
                path.components().any(|part| part.as_os_str().to_str().unwrap().ends_with(".p"))
                    && cut.is_none()
                    && report.ok;
            assert!(is_noted || is_narrower || !report.ok, "{} cut to {cut:?}", path.display());
            let is_blamed = report.faults.iter().all(|fault| {
                Path::new(DIR).join(&fault.file) == path
                    || fault.kind == FaultKind::MissingPayload
                    || cut.is_none()
            });
            assert!(is_blamed, "{} cut to {cut:?}: {:#?}", path.display(), report.faults);
        }
        // What an open pack has beyond its tail in `state` is left over from a crash.
        let stem = path.with_extension("");
        if !state.packs.iter().any(|tail| stem.ends_with(&tail.name)) {
            let longer = fs.fork(1);
            overwrite(&longer, &path, &[content.as_slice(), b"x"].concat());
            assert!(!check(&longer).ok, "{} with a byte more", path.display());
        }
    }
}

#[test]
fn a_live_segment_that_is_cut_is_missed() {
    let (fs, world) = small();
    let position = world.recovered.writer.position();
    let path = inferlog_log::wal::segment_path(Path::new("/data/wal"), position.incarnation);
    let content = fs.files()[&path].clone();
    let cut = fs.fork(1);
    overwrite(&cut, &path, &content[..position.end as usize - 4096]);
    assert_eq!(only(&check(&cut), FaultKind::Wal).offset, Some(position.end - 4096));
}

#[test]
fn an_entry_that_was_rewritten_with_its_tile_is_found() {
    let (fs, world) = small();
    let (dir, size) = (world.dir("credit"), world.size("credit"));
    for number in [0, 1] {
        let forged = fs.fork(1);
        let path = tile(dir, TileLevel::Entries, number, size);
        let bundle = fs.read(&path).unwrap();
        let (mut changed, mut hashes) = (Vec::new(), Vec::new());
        for (position, entry) in entries(&bundle).enumerate() {
            let text = String::from_utf8(entry.unwrap().to_vec()).unwrap();
            let text = if position == 7 { text.replace("\"status\":200", "\"status\":500") } else { text };
            encode_entry(&mut changed, text.as_bytes()).unwrap();
            hashes.extend_from_slice(leaf_hash(text.as_bytes()).as_bytes());
        }
        assert_ne!(changed, bundle);
        overwrite(&forged, &path, &changed);
        overwrite(&forged, &tile(dir, TileLevel::Hashes(0), number, size), &hashes);
        let report = check(&forged);
        if number == 0 {
            // The level above vouches for the tile that was there.
            assert!(only(&report, FaultKind::Tile).file.ends_with("tile/0/000"));
        } else {
            let fault = only(&report, FaultKind::Checkpoint);
            assert!(fault.what.contains("the checkpoint is of another tree"), "{fault:?}");
        }
    }
}

#[test]
fn a_checkpoint_of_another_key_is_refused() {
    let (fs, world) = small();
    let origin = check(&fs).logs[0].origin.clone();
    let path = world.dir("credit").checkpoint();
    let text = String::from_utf8(fs.read(&path).unwrap()).unwrap();
    let forged = fs.fork(1);
    overwrite(&forged, &path, text.replace("\n300\n", "\n256\n").as_bytes());
    assert_eq!(
        only(&check(&forged), FaultKind::Signature).file,
        format!("logs/{}/checkpoint", &origin[23..])
    );
    let right = OneKey::new().vkey(&origin);
    let report = run(&fs, &Options { keys: vec![right], ..Options::default() });
    assert!(report.ok);
    assert_eq!(report.logs[0].key_from, KeySource::Given);
    assert!(!report.notices.iter().any(|notice| notice.what.contains("proves nothing")));
    let wrong =
        inferlog_merkle::VerifierKey::new(&origin, inferlog_merkle::KeyKind::Ed25519, &other_key()).unwrap();
    let report = run(&fs, &Options { keys: vec![wrong], ..Options::default() });
    assert!(report.faults.iter().all(|fault| fault.kind == FaultKind::Signature) && !report.ok);
    let elsewhere = OneKey::new().vkey("tests.inferlog.example/other/0/20260101-00000000");
    let report = run(&fs, &Options { keys: vec![elsewhere], ..Options::default() });
    assert!(only(&report, FaultKind::Signature).what.contains("whose key you gave"));
}

fn other_key() -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes()
}

#[test]
fn the_checkpoint_that_a_reader_holds_is_compared() {
    let (fs, mut world) = small();
    let dir = world.dir("credit").clone();
    let held = fs.read(&dir.checkpoint()).unwrap();
    let against =
        |fs: &SimFs, held: &[u8]| run(fs, &Options { against: vec![remembered(held)], ..Options::default() });
    world.fill("credit", 40, 300);
    world.integrate();
    let report = against(&fs, &held);
    assert!(report.ok, "{report:#?}");
    let [said] = &report.against[..] else { unreachable!() };
    assert_eq!(said.what, "unchanged since the checkpoint you hold (size 300)");
    assert!(said.unchanged);
    // A log without the last entries, consistent in itself, is not the one that the reader saw.
    let (shorter, mut other) = World::sim(256 << 10);
    other.create("credit");
    other.fill("credit", 100, 300);
    other.integrate();
    let report = against(&shorter, &held);
    assert!(only(&report, FaultKind::Against).what.contains("entries were removed"));
    assert!(!report.against[0].unchanged);
    // Nor is one with other entries.
    let (changed, mut other) = World::sim(256 << 10);
    other.create("credit");
    other.fill("credit", 150, 299);
    other.integrate();
    assert!(check(&changed).ok);
    assert!(only(&against(&changed, &held), FaultKind::Against).what.contains("was changed since"));
    // Nor does damage elsewhere go unsaid.
    let flipped = fs.fork(2);
    flipped.flip_bit(&tile(&dir, TileLevel::Entries, 1, 380), 77, 1).unwrap();
    let report = against(&flipped, &held);
    assert!(report.against[0].what.contains("but the log has faults"));
    // What the reader holds must itself be right.
    let forged = String::from_utf8(held.clone()).unwrap().replace("\n300\n", "\n299\n");
    assert!(
        only(&against(&fs, forged.as_bytes()), FaultKind::Against)
            .what
            .contains("signature of the checkpoint you hold")
    );
    assert!(
        only(&against(&fs, b"no note"), FaultKind::Against).what.contains("the checkpoint you hold is none")
    );
    let unknown = String::from_utf8(held).unwrap().replace("/credit/", "/triage/");
    assert!(only(&against(&fs, unknown.as_bytes()), FaultKind::Against).what.contains("not among the logs"));
}

#[test]
fn what_a_crash_leaves_behind_is_no_fault() {
    let (fs, mut world) = small();
    let dir = world.dir("credit").clone();
    for left in
        [dir.path().join(".tmp-state"), dir.path().join("tile/0/.tmp-001"), dir.path().join("tile/0/077")]
    {
        overwrite(&fs, &left, b"half");
    }
    let packs = inferlog_log::packs::list_packs(&fs, &dir).unwrap();
    let state = inferlog_log::State::load(&fs, &dir).unwrap();
    for pack in &packs {
        let is_open = state.packs.iter().any(|tail| pack.pack.with_extension("").ends_with(&tail.name));
        if is_open {
            let content = fs.read(&pack.pack).unwrap();
            overwrite(&fs, &pack.pack, &[&content[..], b"not counted by state"].concat());
            let content = fs.read(&pack.index).unwrap();
            overwrite(&fs, &pack.index, &[&content[..], b"nor this"].concat());
        }
    }
    // Durable and not integrated: beyond the checkpoint.
    world.fill("credit", 3, 300);
    let report = check(&fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert!(
        report.notices.iter().any(|notice| notice.what.starts_with("6 entries are durable")),
        "{:#?}",
        report.notices
    );
    assert!(report.notices.iter().any(|notice| notice.what.contains("left over from a crash")));
    // A last batch that is not whole, and not integrated, may have been torn by a crash.
    let position = world.recovered.writer.position();
    let path = inferlog_log::wal::segment_path(Path::new("/data/wal"), position.incarnation);
    fs.flip_bit(&path, position.end - 3000, 0).unwrap();
    let report = check(&fs);
    assert!(report.ok, "{:#?}", report.faults);
    assert!(
        report.notices.iter().any(|notice| notice.what.contains("is not whole")),
        "{:#?}",
        report.notices
    );
}

#[test]
fn threads_and_limits_change_nothing_but_what_is_listed() {
    let (fs, mut world) = World::sim(1 << 20);
    world.create("credit");
    world.fill("credit", 6_000, 60);
    world.integrate();
    let mut rng = fastrand::Rng::with_seed(5);
    let files: Vec<(PathBuf, Vec<u8>)> =
        fs.files().into_iter().filter(|(path, _)| path.starts_with("/data/logs")).collect();
    for _ in 0..60 {
        let (path, content) = &files[rng.usize(0..files.len())];
        fs.flip_bit(path, rng.u64(0..content.len() as u64), rng.u8(0..8)).unwrap();
    }
    let one = run(&fs, &Options { threads: 1, ..Options::default() });
    let many = run(&fs, &Options { threads: 5, ..Options::default() });
    assert!(one.fault_count > 20);
    assert_eq!(one.faults, many.faults);
    let few = run(&fs, &Options { faults_max: 3, ..Options::default() });
    assert_eq!((few.faults.len(), few.fault_count), (3, one.fault_count));
}

/// Promise 11: whatever stands in the files, verification ends with a report.
#[test]
fn garbage_never_panics() {
    let (fs, world) = small();
    let mut rng = fastrand::Rng::with_seed(11);
    let files: Vec<(PathBuf, Vec<u8>)> =
        fs.files().into_iter().filter(|(_, content)| !content.is_empty()).collect();
    let rounds = std::env::var("ROUNDS").map_or(400, |rounds| rounds.parse().unwrap());
    for round in 0..rounds {
        let damaged = fs.fork(round);
        for _ in 0..rng.usize(1..4) {
            let (path, content) = &files[rng.usize(0..files.len())];
            let mut bytes = content.clone();
            let at = rng.usize(0..bytes.len());
            let end = (at + rng.usize(1..64)).min(bytes.len());
            match rng.u8(0..4) {
                0 => bytes[at..end].iter_mut().for_each(|byte| *byte = rng.u8(..)),
                1 => bytes[at..end].fill(0xff),
                2 => bytes.truncate(at),
                _ => bytes.splice(at..at, std::iter::repeat_n(rng.u8(..), end - at)).for_each(drop),
            }
            overwrite(&damaged, path, &bytes);
        }
        let report = check(&damaged);
        assert!(report.to_text(false).contains("Not covered"));
    }
    assert!(world.size("credit") > 0);
}

#[test]
fn a_chosen_system_is_verified_alone() {
    let (fs, mut world) = small();
    world.create("triage");
    world.fill("triage", 2, 50);
    world.integrate();
    fs.flip_bit(&tile(world.dir("credit"), TileLevel::Entries, 0, 300), 9, 1).unwrap();
    let report = run(&fs, &Options { select: Select::system("triage"), ..Options::default() });
    assert!(report.ok, "{:#?}", report.faults);
    assert_eq!((report.size, report.logs.len()), (4, 1));
    assert!(!check(&fs).ok);
}

/// What of the keystore has no key's protection: names, headers, magic.
#[test]
fn a_damaged_keystore_is_found_where_no_key_is_needed() {
    let mut sealer = Sealer::new();
    let mut draft = sealer.begin("Ada");
    let mut event = sealer.world.event("credit", world::opened("score"));
    sealer.add(
        &mut draft,
        &mut event,
        inferlog_record::PayloadRole::InputRaw,
        inferlog_record::MediaType::Text,
        b"content",
    );
    sealer.write(&mut draft, vec![event]);
    sealer.world.integrate();
    let fs: &SimFs = &sealer.sim;
    assert!(check(fs).ok, "{:#?}", check(fs).faults);
    for (path, content) in fs.files().into_iter().filter(|(path, _)| path.starts_with("/data/keystore")) {
        let covered = match path.file_name().unwrap().to_str().unwrap() {
            "id" => content.len(),
            // Magic and keystore id; the root epoch is authenticated by the root key alone.
            "table" => 24,
            "absorbed" => 0,
            _ => 64 + usize::from(content[38]) + usize::from(content[39]),
        };
        for at in 0..covered {
            let flipped = fs.fork(1);
            flipped.flip_bit(&path, at as u64, (at % 8) as u8).unwrap();
            let report = check(&flipped);
            assert!(!report.ok, "{} byte {at}", path.display());
            let file = path.strip_prefix(DIR).unwrap().display().to_string();
            assert!(
                report.faults.iter().all(|fault| fault.file == file),
                "{file} byte {at}: {:#?}",
                report.faults
            );
        }
    }
}

/// A file or directory that cannot be read is never taken for one with which all is well.
#[test]
fn what_cannot_be_read_is_reported() {
    let (fs, world) = small();
    assert!(world.size("credit") > 0);
    let files = fs.files().into_keys().filter(|path| path.starts_with(DIR));
    let mut paths: Vec<PathBuf> =
        files.flat_map(|path| path.ancestors().map(Path::to_owned).collect::<Vec<_>>()).collect();
    paths.retain(|path| {
        path.starts_with(DIR)
            && !path.ends_with("lock")
            && path.extension().is_none_or(|kind| kind != "spare")
    });
    paths.sort();
    paths.dedup();
    assert!(paths.len() > 25);
    for path in paths.into_iter().filter(|path| path != Path::new(DIR)) {
        let failing = fs.fork(1);
        let broken = path.clone();
        failing.inject(Fault::on(move |call| call.path == broken).how(How::NoEffect));
        let shared: Arc<dyn Fs> = Arc::new(failing.clone());
        let report = inferlog_audit::verify(&shared, Path::new(DIR), &Options::default(), &|_| {});
        // A directory that nobody lists cannot fail.
        if failing.faults_fired() == 0 {
            assert!(fs.read_dir(&path).is_ok(), "{} was not looked at", path.display());
            continue;
        }
        assert!(
            report.is_err() || report.is_ok_and(|report| !report.ok),
            "{} failed unnoticed",
            path.display()
        );
    }
}
