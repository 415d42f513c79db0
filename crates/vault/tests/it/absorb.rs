//! Births: what a crash tore, what rotted, what came twice.

use std::path::{Path, PathBuf};

use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_vault::VaultError;

use crate::harness::{BACKUP, KEYSTORE, Payload, Wal, create, id, open, open_at, people, scope, scope_of};

/// The one page file of decisions' keys.
fn decision_page(fs: &SimFs) -> PathBuf {
    let pages = PathBuf::from(KEYSTORE).join("pages");
    let is_decisions = |(path, bytes): &(PathBuf, Vec<u8>)| path.starts_with(&pages) && bytes[32] == 1;
    fs.files().into_iter().find(is_decisions).unwrap().0
}

/// A page of ten keys, integrated.
fn ten_keys() -> (SimFs, Wal, Vec<Payload>) {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let mut wal = Wal::default();
    let mut payloads = Vec::new();
    for n in 0..10 {
        let key = vault.decision_key(&scope(), id(n), &[]).unwrap();
        payloads.push(Payload::seal(&key, 100 + n, &format!("decision {n}")));
        wal.append(&key);
    }
    wal.integrate(&vault).unwrap();
    (fs, wal, payloads)
}

fn write(fs: &SimFs, path: &Path, bytes: &[u8]) {
    inferlog_disk::replace_file(fs, path, bytes).unwrap();
}

/// Header and records of a page of decisions without subjects, whose records have one length.
fn split(bytes: &[u8]) -> (usize, usize) {
    let header = 64 + usize::from(bytes[38]) + usize::from(bytes[39]);
    (header, 4 + usize::from(u16::from_be_bytes([bytes[header + 2], bytes[header + 3]])))
}

#[test]
fn a_torn_tail_is_cut_off_and_absorbed_again() {
    let (fs, wal, payloads) = ten_keys();
    let path = decision_page(&fs);
    let whole = fs.files()[&path].clone();
    let (_, record) = split(&whole);
    for torn in 1..record + 10 {
        let fs = fs.fork(torn as u64);
        write(&fs, &path, &whole[..whole.len() - torn]);
        fs.remove_file(&PathBuf::from(KEYSTORE).join("absorbed")).unwrap();
        let vault = open(&fs).unwrap();
        wal.integrate(&vault).unwrap();
        let vault = open(&fs.crash()).unwrap();
        payloads.iter().for_each(|payload| payload.assert_readable(&vault));
        // The page is header and ten records again, in whatever order.
        assert_eq!(fs.fork(0).files()[&path].len(), whole.len());
    }
}

#[test]
fn a_torn_header_is_made_again() {
    let (fs, wal, payloads) = ten_keys();
    let path = decision_page(&fs);
    let whole = fs.files()[&path].clone();
    for keep in [0, 1, 40, 63, 64, 70] {
        let fs = fs.fork(keep);
        write(&fs, &path, &whole[..keep as usize]);
        fs.remove_file(&PathBuf::from(KEYSTORE).join("absorbed")).unwrap();
        let vault = open(&fs).unwrap();
        wal.integrate(&vault).unwrap();
        let vault = open(&fs.crash()).unwrap();
        payloads.iter().for_each(|payload| payload.assert_readable(&vault));
        // Slots go on after the last.
        assert_eq!(vault.decision_key(&scope(), id(20), &[]).unwrap().id().slot, 10);
    }
}

/// A bad sector in the middle costs the keys that stood in it, and no other: neither when they are read nor when the page is
/// appended to, rewritten, or backed up.
#[test]
fn damage_in_the_middle_costs_no_other_key() {
    let (fs, _, payloads) = ten_keys();
    let path = decision_page(&fs);
    let (header, record) = split(&fs.files()[&path]);
    for offset in [0, 1, 2, 3, 4, 20, record - 1] {
        let fs = fs.fork(offset as u64);
        fs.flip_bit(&path, (header + 4 * record + offset) as u64, 6).unwrap();
        let check = |fs: &SimFs| {
            let vault = open(fs).unwrap();
            for (n, payload) in payloads.iter().enumerate() {
                match n {
                    4 => assert!(matches!(payload.read(&vault), Err(VaultError::NoSuchKey(_)))),
                    _ => payload.assert_readable(&vault),
                }
            }
            vault
        };
        let vault = check(&fs);
        let key = vault.decision_key(&scope(), id(20), &[]).unwrap();
        let eleventh = Payload::seal(&key, 120, "decision 20");
        assert_eq!(vault.absorb(&key.births().unwrap()).unwrap().taken, 1);
        vault.sync_absorbed(&[]).unwrap();
        vault.backup(BACKUP.as_ref()).unwrap();
        eleventh.assert_readable(&check(&fs.crash()));
    }
}

/// A page whose header rotted takes no other topic's keys: its slots are not free.
#[test]
fn a_page_of_unknown_use_is_not_used() {
    let (fs, _, _) = ten_keys();
    fs.flip_bit(&decision_page(&fs), 36, 0).unwrap();
    let vault = open(&fs).unwrap();
    let mut wal = Wal::default();
    let mut payloads = Vec::new();
    for day in 0..40 {
        let key = vault.decision_key(&scope_of(day), id(day.into()), &[]).unwrap();
        payloads.push(Payload::seal(&key, 100, "after the damage"));
        wal.append(&key);
    }
    for frame in wal.births() {
        assert_eq!(vault.absorb(&frame).unwrap().taken, 1);
    }
    vault.sync_absorbed(&[]).unwrap();
    let vault = open(&fs.crash()).unwrap();
    payloads.iter().for_each(|payload| payload.assert_readable(&vault));
}

/// A backup that copied what a crash tore, before births made it good at the same length.
#[test]
fn a_backup_follows_a_page_that_was_made_good() {
    let (fs, wal, payloads) = ten_keys();
    let path = decision_page(&fs);
    fs.flip_bit(&path, fs.files()[&path].len() as u64 - 1, 0).unwrap();
    fs.remove_file(&PathBuf::from(KEYSTORE).join("absorbed")).unwrap();
    let vault = open(&fs).unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();
    wal.integrate(&vault).unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();
    let restored = open_at(&fs, BACKUP.as_ref()).unwrap();
    payloads.iter().for_each(|payload| payload.assert_readable(&restored));
}

#[test]
fn births_that_come_twice_change_nothing() {
    let (fs, wal, payloads) = ten_keys();
    let path = decision_page(&fs);
    let before = fs.files()[&path].clone();
    let vault = open(&fs).unwrap();
    for frame in wal.births() {
        let intake = vault.absorb(&frame).unwrap();
        assert_eq!((intake.taken, intake.passed, intake.lost), (0, 1, 0));
    }
    vault.sync_absorbed(&[]).unwrap();
    assert_eq!(fs.files()[&path], before);
    payloads.iter().for_each(|payload| payload.assert_readable(&vault));
}

/// What an older copy of the keystore cannot take is counted, not passed over in silence.
#[test]
fn births_of_pages_newer_than_the_table_are_lost_and_counted() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let old = fs.fork(1);
    let people = people(&vault);
    for day in 0..20 {
        vault.decision_key(&scope_of(day), id(1), &[]).unwrap();
    }
    let key = vault.decision_key(&scope_of(30), id(1), &[]).unwrap();
    let restored = open(&old).unwrap();
    assert_eq!(restored.absorb(&people.wal.births()[0]).unwrap().lost, 3);
    assert_eq!(restored.absorb(&key.births().unwrap()).unwrap().lost, 1);
}

#[test]
fn marks_never_go_back() {
    let (fs, _, _) = ten_keys();
    let vault = open(&fs).unwrap();
    vault.sync_absorbed(&[([1; 16], 7), ([2; 16], 1)]).unwrap();
    vault.sync_absorbed(&[([1; 16], 5)]).unwrap();
    let vault = open(&fs.crash()).unwrap();
    assert_eq!((vault.absorbed()[&[1; 16]], vault.absorbed()[&[2; 16]]), (7, 1));
}

/// After a write that failed nothing is trusted until the keystore is opened anew.
#[test]
fn a_failed_sync_poisons() {
    use inferlog_disk::sim::{Fault, Op};
    let (fs, mut wal, payloads) = ten_keys();
    let vault = open(&fs).unwrap();
    let key = vault.decision_key(&scope(), id(20), &[]).unwrap();
    wal.append(&key);
    wal.absorb(&vault).unwrap();
    fs.inject(Fault::nth(Op::SyncData, 0));
    assert!(matches!(wal.integrate(&vault), Err(VaultError::Disk(_))));
    for _ in 0..2 {
        assert!(matches!(wal.integrate(&vault), Err(VaultError::Poisoned)));
    }
    assert!(matches!(vault.rotate_signing_key("origin"), Err(VaultError::Poisoned)));
    payloads.iter().for_each(|payload| payload.assert_readable(&vault));
    let vault = open(&fs).unwrap();
    wal.integrate(&vault).unwrap();
    wal.recycle(&vault);
    let vault = open(&fs.crash_keeping(inferlog_disk::sim::Keep::Nothing)).unwrap();
    assert!(vault.open_decision_key(key.id()).is_ok());
}
