//! Erasure: promise 9 at the vault, and what else an erasure must and must not do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::ManualClock;
use inferlog_disk::sim::SimFs;
use inferlog_vault::{EnvRoot, Erasure, OldRoot, RootKey, RootStore, SubjectRef, Vault, VaultError};

use crate::harness::{
    BACKUP, KEYSTORE, LOG, Payload, ROOT, Wal, create, id, open, people, rng, root_of, scope, scope_of,
    system,
};
use crate::reader::Loot;

fn of_subject(subject: SubjectRef) -> Erasure {
    Erasure { subjects: vec![subject], ..Erasure::default() }
}

/// Everything that was ever written, but for the root key's home; the births of the log; and the root key of now.
fn loot(fs: &SimFs, births: &[Vec<u8>]) -> Loot {
    let home = Path::new(ROOT).parent().unwrap();
    let mut loot = Loot { births: births.to_vec(), ..Loot::default() };
    loot.files =
        fs.files().into_iter().filter(|(path, _)| !path.starts_with(home)).map(|(_, file)| file).collect();
    for remain in fs.remains().into_iter().filter(|remain| !remain.path.starts_with(home)) {
        let name = remain.path.file_name().unwrap().to_string_lossy().replace(".tmp-", "");
        let page = name.split_once('.').and_then(|(page, _)| u32::from_str_radix(page, 16).ok());
        match (page, remain.offset) {
            (Some(page), 1..) => loot.fragments.push((page, remain.bytes)),
            _ => loot.files.push(remain.bytes),
        }
    }
    loot.roots.push(bare(&root_of(fs)));
    loot
}

pub(crate) fn bare(root: &RootKey) -> [u8; 32] {
    let line = root.to_line();
    let mut key = [0; 32];
    let digits = line.trim_end().rsplit(' ').next().unwrap();
    (0..32).for_each(|at| key[at] = u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap());
    key
}

#[test]
fn after_an_erasure_an_adversary_with_everything_reads_nothing_of_the_subject() {
    let fs = SimFs::new(1);
    fs.keep_remains();
    drop(create(&fs).unwrap());
    let vault = open(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();
    let births = people.wal.births();
    let before = loot(&fs, &births);

    // The reader can read: with what is there before the erasure it reads all of Alice.
    let read = before.read();
    for payload in [&people.of_alice, &people.of_bob, &people.of_both, &people.of_nobody] {
        assert_eq!(read.payload(payload).as_deref(), Some(&payload.content[..]));
        assert!(read.guess_content(payload, &[b"nothing", &payload.content]).is_some());
    }
    let pseudonym = *people.alice.pseudonym().as_bytes();
    assert_eq!(read.guess_person("credit", b"alice@example.org"), Some(pseudonym));
    assert!(read.subjects.contains_key(&pseudonym));

    let report = vault.erase(&of_subject(people.alice.reference()), (LOG, 4)).unwrap();
    assert_eq!((report.keys_erased, report.pages_rewritten, report.root_epoch), (1, 2, 2));
    assert_eq!(report.old_root, OldRoot::Destroyed);
    assert_eq!(report.backups.iter().map(|backup| backup.failed.clone()).collect::<Vec<_>>(), [None]);
    assert!(report.leftovers.is_empty(), "{:?}", report.leftovers);
    // Nothing of the old pages is left in place.
    let zeros = |remain: &inferlog_disk::sim::Remain| {
        remain.path.to_string_lossy().contains("/pages/0") && remain.bytes.iter().all(|byte| *byte == 0)
    };
    assert_eq!(
        fs.remains().iter().filter(|remain| zeros(remain)).count(),
        4,
        "two pages, here and in the backup"
    );
    // A lot happens afterwards, under the new root key, and the adversary gets that too.
    vault.rotate_signing_key("org/credit/0/20260101-00000000").unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();

    let mut after = loot(&fs, &births);
    after.files.extend(before.files);
    after.fragments.extend(before.fragments);
    let read = after.read();
    assert!(read.tables > 0);
    for payload in [&people.of_alice, &people.of_both] {
        assert_eq!(read.payload(payload), None);
        assert_eq!(read.guess_content(payload, &[b"nothing", &payload.content]), None);
        payload.assert_erased(&vault);
    }
    assert_eq!(read.guess_person("credit", b"alice@example.org"), None);
    assert!(!read.subjects.contains_key(&pseudonym));
    assert!(!read.lookups.values().any(|found| *found == pseudonym));
    // Everybody else is as readable as before.
    for payload in [&people.of_bob, &people.of_nobody] {
        assert_eq!(read.payload(payload).as_deref(), Some(&payload.content[..]));
        payload.assert_readable(&vault);
    }
    assert_eq!(read.guess_person("credit", b"bob@example.org"), Some(*people.bob.pseudonym().as_bytes()));

    // It is the root key that makes the difference.
    after.roots = before.roots;
    assert!(after.read().payload(&people.of_alice).is_some());
}

#[test]
fn keys_in_memory_die_with_their_subject() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    let of_alice = vault.decision_key(&scope(), id(20), &[people.bob.clone(), people.alice.clone()]).unwrap();
    let of_bob = vault.decision_key(&scope(), id(21), std::slice::from_ref(&people.bob)).unwrap();
    people.wal.integrate(&vault).unwrap();
    let opened = vault.open_decision_key(people.of_alice.key).unwrap();
    assert!(of_alice.is_alive() && opened.is_alive());
    vault.erase(&of_subject(people.alice.reference()), (LOG, 4)).unwrap();
    for dead in [&of_alice, &opened] {
        assert!(!dead.is_alive());
        let context = crate::harness::context(dead.owner(), id(30));
        assert!(matches!(dead.seal(&context, b"late"), Err(VaultError::Erased)));
        assert!(matches!(dead.data_key(id(30)), Err(VaultError::Erased)));
        assert!(dead.births().unwrap().is_empty());
    }
    assert!(of_bob.is_alive());
    assert!(matches!(
        vault.decision_key(&scope(), id(22), std::slice::from_ref(&people.alice)),
        Err(VaultError::Erased)
    ));
}

/// A key that was made before an erasure, and whose birth was not: the page it belongs to may have another key by then.
#[test]
fn births_that_wait_survive_the_erasure_of_others() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let mut people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let carol = vault.subject(&system(), b"carol").unwrap();
    let waiting = vault.decision_key(&scope(), id(20), std::slice::from_ref(&carol)).unwrap();
    let erasure = Erasure {
        subjects: vec![people.alice.reference()],
        keys: vec![people.of_nobody.key],
        ..Erasure::default()
    };
    vault.erase(&erasure, (LOG, 4)).unwrap();
    let payload = Payload::seal(&waiting, 21, "about Carol");
    people.wal.append(&waiting);
    people.wal.integrate(&vault).unwrap();
    let vault = open(&fs.crash()).unwrap();
    payload.assert_readable(&vault);
    people.of_bob.assert_readable(&vault);
    people.of_nobody.assert_erased(&vault);
    assert_eq!(vault.find_subject(&system(), b"carol").unwrap().unwrap().reference(), carol.reference());
}

#[test]
fn the_person_returns_under_a_new_pseudonym() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let mut people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    vault.erase(&of_subject(people.alice.reference()), (LOG, 4)).unwrap();
    assert!(vault.find_subject(&system(), b"alice@example.org").unwrap().is_none());
    let again = vault.subject(&system(), b"alice@example.org").unwrap();
    assert_ne!(again.pseudonym(), people.alice.pseudonym());
    assert_ne!(again.key_id(), people.alice.key_id());
    let key = vault.decision_key(&scope(), id(20), std::slice::from_ref(&again)).unwrap();
    let payload = Payload::seal(&key, 21, "Alice is back");
    people.wal.append(&key);
    people.wal.integrate(&vault).unwrap();
    let vault = open(&fs.crash()).unwrap();
    payload.assert_readable(&vault);
    assert_eq!(vault.subject(&system(), b"alice@example.org").unwrap().reference(), again.reference());
    people.of_alice.assert_erased(&vault);
}

/// The intent event names pseudonym and key: a new process finds the lookup record with that alone.
#[test]
fn an_erasure_is_replayed_by_reference_and_repeated_without_harm() {
    let fs = SimFs::new(1);
    let people = people(&create(&fs).unwrap());
    let vault = open(&fs.crash()).unwrap();
    people.wal.integrate(&vault).unwrap();
    let erasure = of_subject(people.alice.reference());
    assert_eq!(vault.erase(&erasure, (LOG, 4)).unwrap().pages_rewritten, 2);
    assert_eq!(vault.last_erasure(), (LOG, 4));
    let vault = open(&fs.crash()).unwrap();
    // The old births are still in the log.
    people.wal.absorb(&vault).unwrap();
    for frame in people.wal.births() {
        assert_eq!(vault.absorb(&frame).unwrap().taken, 0);
    }
    assert!(vault.find_subject(&system(), b"alice@example.org").unwrap().is_none());
    people.of_alice.assert_erased(&vault);
    people.of_bob.assert_readable(&vault);
    let again = vault.erase(&erasure, (LOG, 9)).unwrap();
    assert_eq!((again.keys_erased, again.pages_rewritten, again.root_epoch), (0, 0, 3));
    assert_eq!(vault.last_erasure(), (LOG, 9));
    people.of_bob.assert_readable(&vault);
}

#[test]
fn a_wrong_reference_erases_nobody() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let wrong = SubjectRef { pseudonym: people.alice.pseudonym(), key: people.bob.key_id() };
    assert_eq!(vault.erase(&of_subject(wrong), (LOG, 4)).unwrap().keys_erased, 0);
    let no_decision = Erasure { keys: vec![people.bob.key_id()], ..Erasure::default() };
    assert!(matches!(vault.erase(&no_decision, (LOG, 5)), Err(VaultError::WrongKind(_))));
    for payload in [&people.of_alice, &people.of_bob, &people.of_both] {
        payload.assert_readable(&vault);
    }
}

#[test]
fn a_single_decision_dies_alone() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let erasure = Erasure { keys: vec![people.of_both.key], ..Erasure::default() };
    assert_eq!(vault.erase(&erasure, (LOG, 4)).unwrap().keys_erased, 1);
    people.of_both.assert_erased(&vault);
    let vault = open(&fs.crash()).unwrap();
    people.of_both.assert_erased(&vault);
    people.of_alice.assert_readable(&vault);
    // Its slot is not used again: a reference to it must not lead to another key.
    for n in 0..10 {
        assert_ne!(vault.decision_key(&scope(), id(n), &[]).unwrap().id(), people.of_both.key);
    }
}

#[test]
fn a_purge_drops_the_pages_of_a_day() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let mut wal = Wal::default();
    let mut payloads = Vec::new();
    // As many as there are page keys, so that the highest page is among them.
    for day in 0..32 {
        let key = vault.decision_key(&scope_of(day), id(u64::from(day)), &[]).unwrap();
        payloads.push(Payload::seal(&key, 100, "one a day"));
        wal.append(&key);
    }
    wal.integrate(&vault).unwrap();
    let erasure = Erasure { scopes: (0..10).chain([31]).map(scope_of).collect(), ..Erasure::default() };
    let report = vault.erase(&erasure, (LOG, 32)).unwrap();
    assert_eq!((report.pages_dropped, report.keys_erased, report.pages_rewritten), (11, 11, 0));
    let check = |vault: &Vault| {
        payloads[..10].iter().chain(&payloads[31..]).for_each(|payload| payload.assert_erased(vault));
        payloads[10..31].iter().for_each(|payload| payload.assert_readable(vault));
    };
    check(&vault);
    let reopened = open(&fs.crash()).unwrap();
    wal.absorb(&reopened).unwrap();
    check(&reopened);
    // The day goes on in a page of its own.
    assert_eq!(payloads[31].key.page, 31);
    let key = reopened.decision_key(&scope_of(31), id(1), &[]).unwrap();
    assert!(payloads.iter().all(|payload| payload.key != key.id()));
}

#[test]
fn a_late_subject_wraps_the_key_and_its_erasure_kills_it() {
    let fs = SimFs::new(1);
    fs.keep_remains();
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let live = vault.open_decision_key(people.of_nobody.key).unwrap();
    let dora = vault.subject(&system(), b"dora").unwrap();
    vault.add_subject(people.of_nobody.key, &dora).unwrap();
    vault.add_subject(people.of_nobody.key, &dora).unwrap();
    vault.add_subject(people.of_both.key, &dora).unwrap();
    let vault = open(&fs).unwrap();
    let now = vault.open_decision_key(people.of_nobody.key).unwrap();
    assert_eq!(
        now.subjects().iter().map(|subject| subject.reference()).collect::<Vec<_>>(),
        [dora.reference()]
    );
    people.of_nobody.assert_readable(&vault);
    people.of_both.assert_readable(&vault);
    assert!(live.is_alive());

    assert!(loot(&fs, &people.wal.births()).read().payload(&people.of_nobody).is_some());
    vault.erase(&of_subject(dora.reference()), (LOG, 4)).unwrap();
    let read = loot(&fs, &people.wal.births()).read();
    for payload in [&people.of_nobody, &people.of_both] {
        payload.assert_erased(&vault);
        assert_eq!(read.payload(payload), None);
    }
    people.of_alice.assert_readable(&vault);
    assert!(read.payload(&people.of_alice).is_some());
}

/// The key in memory was made before the subject was known; it must not write its old record again, and dies with the subject.
#[test]
fn a_late_subject_reaches_the_key_in_memory() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let key = vault.decision_key(&scope(), id(1), &[]).unwrap();
    vault.absorb(&key.births().unwrap()).unwrap();
    let dora = vault.subject(&system(), b"dora").unwrap();
    vault.add_subject(key.id(), &dora).unwrap();
    assert!(key.births().unwrap().is_empty(), "the record without Dora's wrapping");
    assert!(key.is_alive());
    vault.erase(&of_subject(dora.reference()), (LOG, 4)).unwrap();
    assert!(!key.is_alive());
    let unknown = vault.decision_key(&scope(), id(2), &[]).unwrap();
    let eve = vault.subject(&system(), b"eve").unwrap();
    assert!(matches!(vault.add_subject(unknown.id(), &eve), Err(VaultError::NoSuchKey(_))));
}

#[test]
fn a_root_key_that_cannot_be_replaced_is_kept_and_the_report_says_so() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    drop(vault);
    #[derive(Debug)]
    struct Fixed(RootKey);
    impl RootStore for Fixed {
        fn get(&self) -> Result<RootKey, inferlog_vault::RootError> {
            Ok(self.0.clone())
        }
        fn create(&self, _: &RootKey) -> Result<RootKey, inferlog_vault::RootError> {
            self.get()
        }
        fn replace(&self, new: &RootKey) -> Result<(), inferlog_vault::RootError> {
            EnvRoot::new("NO_SUCH_VARIABLE".into()).replace(new)
        }
    }
    let open_fixed = |fs: &SimFs| {
        let (clock, fixed) = (Arc::new(ManualClock::new(0)), Box::new(Fixed(root_of(fs))));
        Vault::open(Arc::new(fs.clone()), rng(), clock, KEYSTORE.as_ref(), fixed).unwrap()
    };
    let vault = open_fixed(&fs).with_backups(vec![PathBuf::from(BACKUP)]);
    let report = vault.erase(&of_subject(people.alice.reference()), (LOG, 4)).unwrap();
    let OldRoot::Kept(reason) = report.old_root else { panic!("destroyed?") };
    assert!(reason.contains("NO_SUCH_VARIABLE"), "{reason}");
    assert_eq!((report.root_epoch, report.keys_erased), (1, 1));
    people.of_alice.assert_erased(&vault);
    let fs = fs.crash();
    let vault = open_fixed(&fs);
    people.of_alice.assert_erased(&vault);
    people.of_bob.assert_readable(&vault);
    // Of the files that are there now, none lets the root key reach the erased subject.
    let present = Loot { files: fs.files().into_values().collect(), ..loot(&fs, &people.wal.births()) };
    assert_eq!(present.read().payload(&people.of_alice), None);
    assert!(present.read().payload(&people.of_bob).is_some());
}

#[test]
fn a_backup_place_that_fails_holds_nobody_up_and_is_named() {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let vault = open(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    fs.inject(inferlog_disk::sim::Fault::on(|call| call.path.starts_with(BACKUP) && call.op.changes()));
    let report = vault.erase(&of_subject(people.alice.reference()), (LOG, 4)).unwrap();
    assert_eq!(report.old_root, OldRoot::Destroyed);
    assert_eq!(report.backups.len(), 1);
    assert!(report.backups[0].failed.as_ref().unwrap().contains(BACKUP));
    fs.clear_faults();
    assert!(vault.backup_all().iter().all(|backup| backup.failed.is_none()));
    people.of_bob.assert_readable(&vault);
}
