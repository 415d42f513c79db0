//! Keys made, found, kept, opened again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use inferlog_disk::sim::SimFs;
use inferlog_record::{KeyId, SystemName};
use inferlog_vault::{SUBJECTS_MAX, VaultError};

use crate::harness::{
    BACKUP, KEYSTORE, LOG, ORIGIN, Payload, Wal, create, id, open, open_at, people, root_of, scope, scope_of,
    system,
};

#[test]
fn keys_come_back_after_a_crash() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let fs = fs.crash();
    let vault = open(&fs).unwrap();
    for payload in [&people.of_alice, &people.of_bob, &people.of_both, &people.of_nobody] {
        payload.assert_readable(&vault);
    }
    assert_eq!(vault.absorbed()[&LOG], people.wal.len());
    let found = vault.find_subject(&system(), b"alice@example.org").unwrap().unwrap();
    assert_eq!(found.reference(), people.alice.reference());
    assert_eq!(vault.subject(&system(), b"bob@example.org").unwrap().reference(), people.bob.reference());
    assert!(vault.find_subject(&system(), b"carol@example.org").unwrap().is_none());
    let key = vault.open_decision_key(people.of_both.key).unwrap();
    assert_eq!(key.owner(), people.of_both.decision);
    assert_eq!(key.subjects().len(), 2);
    assert!(key.births().unwrap().is_empty());
}

#[test]
fn a_frame_carries_all_births_that_are_not_durable_and_no_other() {
    let vault = create(&SimFs::new(1)).unwrap();
    let alice = vault.subject(&system(), b"alice").unwrap();
    let first = vault.decision_key(&scope(), id(1), std::slice::from_ref(&alice)).unwrap();
    let second = vault.decision_key(&scope(), id(2), std::slice::from_ref(&alice)).unwrap();
    // Alice's frame may never become durable: both carry her.
    assert_eq!(vault.absorb(&first.births().unwrap()).unwrap().taken, 3);
    let intake = vault.absorb(&second.births().unwrap()).unwrap();
    assert_eq!((intake.taken, intake.passed), (1, 2));
    first.mark_durable();
    assert!(first.births().unwrap().is_empty());
    let third = vault.decision_key(&scope(), id(3), std::slice::from_ref(&alice)).unwrap();
    assert_eq!(vault.absorb(&third.births().unwrap()).unwrap().taken, 1);
}

#[test]
fn a_key_that_was_not_absorbed_is_not_called_erased() {
    let vault = create(&SimFs::new(1)).unwrap();
    let key = vault.decision_key(&scope(), id(1), &[]).unwrap();
    for missing in [key.id(), KeyId { page: 9_999, slot: 0 }] {
        assert!(matches!(vault.open_decision_key(missing), Err(VaultError::NoSuchKey(at)) if at == missing));
    }
    vault.absorb(&key.births().unwrap()).unwrap();
    assert!(vault.open_decision_key(key.id()).is_ok(), "absorbed, though not durable yet");
}

#[test]
fn an_identifier_means_another_person_in_another_system() {
    let vault = create(&SimFs::new(1)).unwrap();
    let other = SystemName::new("hiring").unwrap();
    let here = vault.subject(&system(), b"4711").unwrap();
    let there = vault.subject(&other, b"4711").unwrap();
    assert_ne!(here.reference(), there.reference());
    assert!(vault.find_subject(&SystemName::new("other").unwrap(), b"4711").unwrap().is_none());
}

#[test]
fn no_slot_is_given_twice_across_pages_and_restarts() {
    let fs = SimFs::new(1);
    let mut vault = create(&fs).unwrap();
    let (mut wal, mut seen) = (Wal::default(), BTreeSet::new());
    for round in 0..4 {
        for n in 0..1_500 {
            let key = vault.decision_key(&scope_of(round % 2), id(n), &[]).unwrap();
            assert!(seen.insert(key.id()), "{} twice", key.id());
            wal.append(&key);
        }
        // Keys that no frame ever carried may lose their slots to others: nothing refers to them.
        vault.decision_key(&scope(), id(1), &[]).unwrap();
        wal.integrate(&vault).unwrap();
        vault = open(&fs).unwrap();
    }
    let key = vault.decision_key(&scope_of(0), id(1), &[]).unwrap();
    assert!(!seen.contains(&key.id()));
    assert_eq!(seen.iter().map(|id| id.page).collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(seen.iter().map(|id| id.slot).max(), Some(2_999));
}

#[test]
fn a_full_page_is_followed_by_another() {
    let vault = create(&SimFs::new(1)).unwrap();
    let ids: Vec<_> = (0..4_100).map(|n| vault.decision_key(&scope(), id(n), &[]).unwrap().id()).collect();
    assert_eq!(ids[4_095].slot, 4_095);
    assert_eq!(ids[4_096].slot, 0);
    assert_ne!(ids[4_095].page, ids[4_096].page);
}

#[test]
fn page_keys_are_durable_before_they_are_used() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let mut wal = Wal::default();
    let mut payloads = Vec::new();
    for day in 0..40 {
        let key = vault.decision_key(&scope_of(day), id(u64::from(day)), &[]).unwrap();
        payloads.push(Payload::seal(&key, 100, "one a day"));
        wal.append(&key);
    }
    // Nothing was integrated: all but the table is in the log.
    let vault = open(&fs.crash()).unwrap();
    wal.absorb(&vault).unwrap();
    payloads.iter().for_each(|payload| payload.assert_readable(&vault));
}

#[test]
fn many_subjects_wrap_one_key() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let mut subjects: Vec<_> =
        (0..SUBJECTS_MAX).map(|n| vault.subject(&system(), format!("{n}").as_bytes()).unwrap()).collect();
    let key = vault.decision_key(&scope(), id(1), &subjects).unwrap();
    let payload = Payload::seal(&key, 2, "about many");
    vault.absorb(&key.births().unwrap()).unwrap();
    vault.sync_absorbed(&[]).unwrap();
    payload.assert_readable(&open(&fs.crash()).unwrap());
    subjects.push(vault.subject(&system(), b"one more").unwrap());
    let too_many = vault.decision_key(&scope(), id(2), &subjects);
    assert!(matches!(too_many, Err(VaultError::TooManySubjects)));
}

#[test]
fn a_hold_has_a_key_of_its_own() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let key = vault.hold_key(&system(), id(7)).unwrap();
    let payload = Payload::seal(&key, 8, "evidence");
    vault.absorb(&key.births().unwrap()).unwrap();
    vault.sync_absorbed(&[]).unwrap();
    let vault = open(&fs.crash()).unwrap();
    payload.assert_readable(&vault);
    assert_eq!(vault.open_decision_key(key.id()).unwrap().owner(), id(7));
}

#[test]
fn a_subject_is_no_decision() {
    let vault = create(&SimFs::new(1)).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let at = people.alice.key_id();
    assert!(matches!(vault.open_decision_key(at), Err(VaultError::WrongKind(id)) if id == at));
}

#[test]
fn the_newest_signing_key_signs_and_the_one_before_it() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    assert!(vault.public_keys(ORIGIN).is_empty());
    assert!(vault.sign(ORIGIN, b"checkpoint").is_empty());
    let first = vault.signing_keys(ORIGIN).unwrap();
    assert_eq!(vault.signing_keys(ORIGIN).unwrap(), first);
    vault.rotate_signing_key("another origin").unwrap();
    vault.rotate_signing_key(ORIGIN).unwrap();
    let keys = vault.rotate_signing_key(ORIGIN).unwrap();
    assert_eq!((keys.len(), keys[0]), (3, first[0]));
    let vault = open(&fs.crash()).unwrap();
    assert_eq!(vault.public_keys(ORIGIN), keys);
    let signatures = vault.sign(ORIGIN, b"checkpoint");
    assert_eq!(signatures.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [keys[2], keys[1]]);
    for (key, signature) in signatures {
        let key = VerifyingKey::from_bytes(&key).unwrap();
        key.verify(b"checkpoint", &Signature::from_bytes(&signature)).unwrap();
        assert!(key.verify(b"checkpoinT", &Signature::from_bytes(&signature)).is_err());
    }
}

#[test]
fn another_root_key_is_told_apart_from_damage() {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let table = PathBuf::from(KEYSTORE).join("table");
    fs.flip_bit(&table, 60, 0).unwrap();
    assert!(matches!(open(&fs), Err(VaultError::Damaged { .. })));
    fs.flip_bit(&table, 60, 0).unwrap();
    drop(open(&fs).unwrap());
    fs.flip_bit(&table, 27, 3).unwrap();
    let error = open(&fs).unwrap_err_text();
    assert!(error.contains("epoch 1") && error.contains("epoch 9"), "{error}");
}

#[test]
fn a_keystore_is_created_once() {
    let fs = SimFs::new(1);
    assert!(open(&fs).unwrap_err_text().contains("is not a keystore"));
    drop(create(&fs).unwrap());
    assert!(create(&fs).unwrap_err_text().contains("is a keystore already"));
}

#[test]
fn a_backup_is_a_keystore() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();
    let late = vault.decision_key(&scope(), id(50), &[]).unwrap();
    let after = Payload::seal(&late, 51, "after the first backup");
    vault.absorb(&late.births().unwrap()).unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();
    let fs = fs.crash();
    let restored = open_at(&fs, BACKUP.as_ref()).unwrap();
    people.of_both.assert_readable(&restored);
    after.assert_readable(&restored);
    assert_eq!(restored.absorbed(), open(&fs).unwrap().absorbed());
}

/// A backup that was interrupted holds pages that its table does not know. Their numbers are not given again.
#[test]
fn pages_newer_than_the_table_are_left_alone() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let stranger = PathBuf::from(KEYSTORE).join("pages/00000020.0");
    inferlog_disk::replace_file(&fs, &stranger, b"of a later table").unwrap();
    let vault = open(&fs).unwrap();
    assert_eq!(fs.files()[&stranger], b"of a later table");
    people.of_alice.assert_readable(&vault);
    for day in 0..20 {
        assert_ne!(vault.decision_key(&scope_of(day), id(1), &[]).unwrap().id().page, 0x20);
    }
}

#[test]
fn nothing_personal_and_no_key_stands_in_the_clear() {
    let fs = SimFs::new(1);
    fs.keep_remains();
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let root = root_of(&fs).to_line().to_string();
    let mut written: Vec<Vec<u8>> = people.wal.births();
    for remain in fs.remains() {
        written.push(remain.path.to_string_lossy().into_owned().into_bytes());
        if !remain.path.starts_with("/home") {
            written.push(remain.bytes);
        }
    }
    let data_key = vault.data_key(people.of_alice.key, people.of_alice.payload).unwrap();
    let pseudonym = people.alice.pseudonym();
    let secrets: [&[u8]; 5] = [
        b"alice",
        b"Alice",
        pseudonym.as_bytes(),
        data_key.expose(),
        root.split(' ').nth(2).unwrap().trim().as_bytes(),
    ];
    for secret in secrets {
        let stands = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!written.iter().any(stands), "{}", String::from_utf8_lossy(secret));
    }
    assert!(!format!("{people:?}", people = people.alice).contains("key"));
}

/// `Vault` is not `Debug`: it holds keys.
trait ErrorText {
    fn unwrap_err_text(self) -> String;
}

impl<T> ErrorText for Result<T, VaultError> {
    fn unwrap_err_text(self) -> String {
        match self {
            Ok(_) => panic!("no error"),
            Err(error) => error.to_string(),
        }
    }
}
