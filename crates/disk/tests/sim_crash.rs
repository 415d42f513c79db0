//! What the simulated disk keeps through a crash, and what it may forget.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use inferlog_disk::sim::{Fault, How, Keep, Op, SECTOR_BYTES, SimFs, Torn};
use inferlog_disk::{File, Fs, Open};

const SEEDS: u64 = 300;

/// The outcomes of crashing the same moment under many seeds.
fn outcomes(fs: &SimFs) -> BTreeSet<BTreeMap<PathBuf, Vec<u8>>> {
    (0..SEEDS).map(|seed| fs.fork(seed).crash().files()).collect()
}

fn create(fs: &SimFs, path: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = fs.open(Path::new(path), Open::CreateNew).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

/// A file whose name and bytes are durable.
fn durable(fs: &SimFs, path: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = create(fs, path, bytes);
    file.sync_data().unwrap();
    fs.sync_dir(Path::new(path).parent().unwrap()).unwrap();
    file
}

fn contents<'a>(
    outcomes: &'a BTreeSet<BTreeMap<PathBuf, Vec<u8>>>,
    path: &str,
) -> BTreeSet<Option<&'a [u8]>> {
    outcomes.iter().map(|files| files.get(Path::new(path)).map(Vec::as_slice)).collect()
}

#[test]
fn what_is_synced_survives_every_crash() {
    let fs = SimFs::new(0);
    durable(&fs, "/f", &[7; 3 * SECTOR_BYTES + 1]);
    let found = outcomes(&fs);
    assert_eq!(contents(&found, "/f"), BTreeSet::from([Some([7; 3 * SECTOR_BYTES + 1].as_slice())]));
}

#[test]
fn a_name_is_not_durable_before_its_directory_is_synced() {
    let fs = SimFs::new(0);
    create(&fs, "/f", b"synced bytes").sync_data().unwrap();
    let found = outcomes(&fs);
    assert_eq!(contents(&found, "/f"), BTreeSet::from([None, Some(b"synced bytes".as_slice())]));
}

#[test]
fn a_name_may_be_durable_before_the_bytes() {
    let fs = SimFs::new(0);
    let _file = create(&fs, "/f", b"bytes");
    fs.sync_dir(Path::new("/")).unwrap();
    let found = outcomes(&fs);
    let expected = BTreeSet::from([Some(b"".as_slice()), Some(b"bytes"), Some(b"\0\0\0\0\0")]);
    assert_eq!(contents(&found, "/f"), expected, "empty, whole, or extended with zeros");
}

#[test]
fn unsynced_sectors_survive_in_any_combination_and_never_in_part() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", &[b'o'; 3 * SECTOR_BYTES]);
    file.write_all_at(&[b'n'; 3 * SECTOR_BYTES - 2], 1).unwrap();
    let mut seen = BTreeSet::new();
    for files in outcomes(&fs) {
        let bytes = &files[Path::new("/f")];
        let mut combination = String::new();
        for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
            let mut new = [b'n'; SECTOR_BYTES];
            (index == 0).then(|| new[0] = b'o');
            (index == 2).then(|| new[SECTOR_BYTES - 1] = b'o');
            assert!(sector == new || sector == [b'o'; SECTOR_BYTES], "sector {index} is torn inside");
            combination.push(if sector == new { 'n' } else { 'o' });
        }
        seen.insert(combination);
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

#[test]
fn a_sector_holds_any_state_it_was_in() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", b"0");
    for state in [b"1", b"2", b"3"] {
        file.write_all_at(state, 0).unwrap();
    }
    let found = outcomes(&fs);
    assert_eq!(contents(&found, "/f").len(), 4);
}

#[test]
fn garbage_appears_in_sectors_under_write_alone_and_only_when_asked_for() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", &[b'o'; 3 * SECTOR_BYTES]);
    file.write_all_at(b"n", SECTOR_BYTES as u64).unwrap();
    let garbage = |torn: Torn| {
        let mut found = 0;
        for seed in 0..SEEDS {
            let fs = fs.fork(seed);
            fs.set_torn(torn);
            let bytes = fs.crash().files()[Path::new("/f")].clone();
            assert_eq!(bytes[..SECTOR_BYTES], [b'o'; SECTOR_BYTES], "a sector that nobody wrote");
            assert_eq!(bytes[2 * SECTOR_BYTES..], [b'o'; SECTOR_BYTES]);
            found += usize::from(bytes[SECTOR_BYTES + 1..2 * SECTOR_BYTES] != [b'o'; SECTOR_BYTES - 1]);
        }
        found
    };
    assert_eq!(garbage(Torn::OldOrNew), 0);
    assert!(garbage(Torn::Garbage) > 10);
}

#[test]
fn lengths_are_durable_with_the_data_sync() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", b"0123456789");
    file.set_len(4).unwrap();
    file.set_len(6).unwrap();
    let lens: BTreeSet<_> = outcomes(&fs).iter().map(|files| files[Path::new("/f")].len()).collect();
    assert_eq!(lens, BTreeSet::from([4, 6, 10]));
    file.sync_data().unwrap();
    assert_eq!(contents(&outcomes(&fs), "/f"), BTreeSet::from([Some(b"0123\0\0".as_slice())]));
}

#[test]
fn an_allocation_is_not_durable_before_a_sync() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", b"");
    file.allocate(1_000).unwrap();
    let lens: BTreeSet<_> = outcomes(&fs).iter().map(|files| files[Path::new("/f")].len()).collect();
    assert_eq!(lens, BTreeSet::from([0, 1_000]));
}

#[test]
fn a_replaced_name_leads_to_the_old_file_or_the_new_one() {
    let fs = SimFs::new(0);
    durable(&fs, "/f", b"old");
    create(&fs, "/tmp", b"new").sync_data().unwrap();
    fs.rename(Path::new("/tmp"), Path::new("/f")).unwrap();
    let found = outcomes(&fs);
    assert_eq!(contents(&found, "/f"), BTreeSet::from([Some(b"old".as_slice()), Some(b"new")]));
    for files in &found {
        let renamed = files[Path::new("/f")] == b"new";
        assert!(!(renamed && files.contains_key(Path::new("/tmp"))), "a rename is atomic");
    }
    fs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(outcomes(&fs).len(), 1);
}

#[test]
fn a_removed_file_may_come_back() {
    let fs = SimFs::new(0);
    durable(&fs, "/f", b"back");
    fs.remove_file(Path::new("/f")).unwrap();
    assert_eq!(contents(&outcomes(&fs), "/f"), BTreeSet::from([None, Some(b"back".as_slice())]));
    fs.sync_dir(Path::new("/")).unwrap();
    assert_eq!(contents(&outcomes(&fs), "/f"), BTreeSet::from([None]));
}

#[test]
fn a_file_moved_between_directories_is_never_lost() {
    let fs = SimFs::new(0);
    for dir in ["/a", "/b"] {
        fs.create_dir(Path::new(dir)).unwrap();
    }
    fs.sync_dir(Path::new("/")).unwrap();
    durable(&fs, "/a/f", b"moved");
    fs.rename(Path::new("/a/f"), Path::new("/b/f")).unwrap();
    let places = |fs: &SimFs| -> BTreeSet<Vec<PathBuf>> {
        outcomes(fs).into_iter().map(|files| files.into_keys().collect()).collect()
    };
    let (a, b) = (PathBuf::from("/a/f"), PathBuf::from("/b/f"));
    assert_eq!(places(&fs), BTreeSet::from([vec![a.clone()], vec![b.clone()], vec![a.clone(), b.clone()]]));
    let both = (0..SEEDS).map(|seed| fs.fork(seed).crash()).find(|fs| fs.files().len() == 2).unwrap();
    both.rename(&a, &b).unwrap();
    assert_eq!(both.files().len(), 2, "rename(2) does nothing to two names of one file");
    let target_synced = fs.fork(0);
    target_synced.sync_dir(Path::new("/b")).unwrap();
    assert_eq!(places(&target_synced), BTreeSet::from([vec![a, b.clone()], vec![b.clone()]]));
    fs.sync_dir(Path::new("/a")).unwrap();
    assert_eq!(places(&fs), BTreeSet::from([vec![b]]));
}

#[test]
fn a_directory_that_was_not_synced_takes_its_files_with_it() {
    let fs = SimFs::new(0);
    fs.create_dir(Path::new("/d")).unwrap();
    durable(&fs, "/d/f", b"durable in a directory that is not");
    let found = outcomes(&fs);
    assert_eq!(found.len(), 2);
    assert!(found.contains(&BTreeMap::new()));
}

#[test]
fn names_survive_out_of_order_but_for_those_of_one_name() {
    let fs = SimFs::new(0);
    for path in ["/a", "/b"] {
        create(&fs, path, b"").sync_data().unwrap();
    }
    fs.rename(Path::new("/a"), Path::new("/c")).unwrap();
    let found: BTreeSet<String> = outcomes(&fs)
        .iter()
        .map(|files| files.keys().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" "))
        .collect();
    let expected = ["", "/a", "/a /b", "/b", "/c", "/b /c"].map(str::to_owned);
    assert_eq!(found, BTreeSet::from(expected));
}

#[test]
fn keep_nothing_and_keep_everything_are_the_ends() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", b"old");
    file.write_all_at(b"new", 0).unwrap();
    create(&fs, "/g", b"g");
    for seed in 0..20 {
        let torn = || {
            let fs = fs.fork(seed);
            fs.set_torn(Torn::Garbage);
            fs
        };
        let nothing = torn().crash_keeping(Keep::Nothing).files();
        assert_eq!(nothing, BTreeMap::from([("/f".into(), b"old".to_vec())]));
        assert_eq!(nothing, fs.durable_files());
        let everything = torn().crash_keeping(Keep::Everything).files();
        assert_eq!(everything, fs.files());
    }
}

#[test]
fn after_a_crash_nothing_is_left_to_lose() {
    let fs = SimFs::new(3);
    let file = durable(&fs, "/f", b"old");
    file.write_all_at(b"new and longer", 0).unwrap();
    create(&fs, "/g", b"g");
    let fs = fs.crash();
    assert_eq!(outcomes(&fs), BTreeSet::from([fs.files()]));
}

#[test]
fn a_killed_process_leaves_everything_readable_and_nothing_durable() {
    let fs = SimFs::new(0);
    let file = durable(&fs, "/f", b"old");
    file.write_all_at(b"new", 0).unwrap();
    let next = fs.kill();
    assert_eq!(next.read(Path::new("/f")).unwrap(), b"new");
    assert!(file.sync_data().is_err(), "a handle outlived its process");
    let expected = BTreeSet::from([Some(b"old".as_slice()), Some(b"new")]);
    assert_eq!(contents(&outcomes(&next), "/f"), expected);
    next.open(Path::new("/f"), Open::Write).unwrap().sync_data().unwrap();
    assert_eq!(contents(&outcomes(&next), "/f"), BTreeSet::from([Some(b"new".as_slice())]));
}

#[test]
fn the_dead_touch_nothing() {
    let before = SimFs::new(0);
    let file = durable(&before, "/f", b"kept");
    let lock = before.lock(Path::new("/lock")).unwrap();
    let after = before.crash();
    let calls = after.call_count();
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(file.len().is_err());
    assert!(before.remove_file(Path::new("/f")).is_err());
    assert!(before.clone().exists(Path::new("/f")).is_err());
    assert_eq!(after.call_count(), calls, "calls of the dead are counted");
    let again = after.lock(Path::new("/lock")).expect("the lock outlived its process");
    drop(lock);
    assert!(after.lock(Path::new("/lock")).unwrap_err().is_locked(), "a dead guard released a living lock");
    drop((file, again));
    assert_eq!(after.read(Path::new("/f")).unwrap(), b"kept");
}

#[test]
fn closing_a_dead_handle_closes_no_living_one() {
    let fs = SimFs::new(0);
    fs.set_capacity(Some(SECTOR_BYTES as u64));
    let dead = durable(&fs, "/f", b"x");
    let fs = fs.crash();
    let living = fs.open(Path::new("/f"), Open::Read).unwrap();
    drop(dead);
    fs.remove_file(Path::new("/f")).unwrap();
    assert_eq!(fs.free_bytes(Path::new("/")).unwrap(), 0, "the living handle keeps the file's space");
    let copy = fs.fork(0);
    assert_eq!(copy.free_bytes(Path::new("/")).unwrap(), SECTOR_BYTES as u64, "nothing is open in a copy");
    drop(living);
}

#[test]
fn power_is_lost_in_the_middle() {
    let base = SimFs::new(0);
    let file = durable(&base, "/f", b"0");
    file.write_all_at(b"1", 0).unwrap();
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let fs = base.fork(seed);
        fs.inject(Fault::nth(Op::SyncData, 0).how(How::PowerLoss));
        let file = fs.open(Path::new("/f"), Open::Write).unwrap();
        file.write_all_at(b"2", 0).unwrap();
        assert!(file.sync_data().is_err());
        assert!(file.read_at(&mut [0], 0).is_err(), "the machine is off");
        assert!(fs.exists(Path::new("/f")).is_err());
        seen.insert(fs.crash().read(Path::new("/f")).unwrap());
    }
    assert_eq!(seen, BTreeSet::from([b"0".to_vec(), b"1".to_vec(), b"2".to_vec()]));
}

#[test]
fn one_seed_one_outcome() {
    let run = |seed| {
        let fs = SimFs::new(seed);
        fs.set_torn(Torn::Garbage);
        fs.inject(Fault::on(|call| call.op.changes()).chance(0.2).how(How::Partial));
        for index in 0..20_u8 {
            let path = format!("/{}", index % 5);
            let path = Path::new(&path);
            let Ok(file) = fs.open(path, Open::Write).or_else(|_| fs.open(path, Open::CreateNew)) else {
                continue;
            };
            file.write_all_at(&[index; 2_000], u64::from(index) * 300).ok();
            (index % 3 == 0).then(|| file.sync_data().ok());
            (index % 4 == 0).then(|| fs.sync_dir(Path::new("/")).ok());
        }
        let after = fs.crash();
        (after.files(), after.events())
    };
    let mut distinct = BTreeSet::new();
    for seed in 0..20 {
        let (files, events) = run(seed);
        assert_eq!((&files, &events), (&run(seed).0, &run(seed).1), "seed {seed}");
        distinct.insert(files);
    }
    assert!(distinct.len() > 10, "the seed decides too little: {}", distinct.len());
}

#[test]
fn a_fork_shares_nothing() {
    let fs = SimFs::new(0);
    durable(&fs, "/f", b"then");
    let snapshot = fs.fork(1);
    fs.open(Path::new("/f"), Open::Write).unwrap().write_all_at(b"now!", 0).unwrap();
    assert_eq!(snapshot.read(Path::new("/f")).unwrap(), b"then");
    snapshot.remove_file(Path::new("/f")).unwrap();
    assert_eq!(fs.read(Path::new("/f")).unwrap(), b"now!");
}
