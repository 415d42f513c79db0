//! Keys that are withheld from an erasure: they outlive the person's key, and nothing else of the person does.

use std::collections::BTreeSet;
use std::path::Path;

use inferlog_disk::sim::SimFs;
use inferlog_record::KeyId;
use inferlog_vault::{DecisionKey, Erasure, Subject, SubjectRef, Vault, VaultError};

use crate::erasure::bare;
use crate::harness::{
    BACKUP, LOG, Payload, Wal, context, create, id, open, people, root_of, scope, scope_of, system,
};
use crate::reader::Loot;

fn of(subjects: &[&Subject], withhold: &[&Payload]) -> Erasure {
    let subjects: Vec<SubjectRef> = subjects.iter().map(|subject| subject.reference()).collect();
    Erasure { subjects, withhold: withhold.iter().map(|one| one.key).collect(), ..Erasure::default() }
}

/// All files, of before too, and the root key of now.
fn loot(fs: &SimFs, before: Vec<Vec<u8>>) -> Loot {
    let data = fs.files().into_iter().filter(|(path, _)| !path.starts_with(Path::new("/home")));
    let mut loot = Loot { files: data.map(|(_, file)| file).collect(), ..Loot::default() };
    loot.files.extend(before);
    loot.roots.push(bare(&root_of(fs)));
    loot
}

#[test]
fn what_is_withheld_stays_and_all_else_of_the_person_goes() {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let vault = open(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    vault.backup(BACKUP.as_ref()).unwrap();
    let births = people.wal.births();
    let before: Vec<Vec<u8>> = fs.files().into_values().collect();

    let report = vault.erase(&of(&[&people.alice], &[&people.of_both]), (LOG, 4)).unwrap();
    assert_eq!((report.keys_erased, report.pages_rewritten), (1, 3), "lookup, subjects, decisions");
    let pseudonym = *people.alice.pseudonym().as_bytes();
    let mut after = loot(&fs, before);
    after.births = births;
    let read = after.read();
    assert_eq!(read.payload(&people.of_alice), None);
    assert_eq!(read.guess_content(&people.of_alice, &[&people.of_alice.content]), None);
    assert!(!read.subjects.contains_key(&pseudonym));
    assert_eq!(read.guess_person("credit", b"alice@example.org"), None);
    for payload in [&people.of_both, &people.of_bob, &people.of_nobody] {
        assert_eq!(read.payload(payload).as_deref(), Some(&payload.content[..]));
    }
    // In this process, in the next, and from the backup.
    let check = |vault: &Vault| {
        people.of_alice.assert_erased(vault);
        people.of_both.assert_readable(vault);
        people.of_bob.assert_readable(vault);
        let key = vault.open_decision_key(people.of_both.key).unwrap();
        let left: Vec<_> = key.subjects().iter().map(Subject::reference).collect();
        assert_eq!(left, [people.bob.reference()]);
    };
    check(&vault);
    check(&open(&fs).unwrap());
    check(&crate::harness::open_at(&fs, BACKUP.as_ref()).unwrap());

    // It still dies with who is left, and with its own erasure.
    let vault = open(&fs).unwrap();
    vault.erase(&of(&[&people.bob], &[]), (LOG, 5)).unwrap();
    for payload in [&people.of_alice, &people.of_both, &people.of_bob] {
        payload.assert_erased(&vault);
    }
    people.of_nobody.assert_readable(&vault);
}

/// Every place of the leaving in the nest of wrappings, alone and together.
#[test]
fn wrappings_come_off_wherever_they_are_in_the_nest() {
    for leaving in 1..8_u32 {
        let fs = SimFs::new(u64::from(leaving));
        drop(create(&fs).unwrap());
        let vault = open(&fs).unwrap();
        let subjects: Vec<Subject> =
            ["a", "b", "c"].map(|who| vault.subject(&system(), who.as_bytes()).unwrap()).into();
        let mut wal = Wal::default();
        let key = vault.decision_key(&scope(), id(1), &subjects).unwrap();
        wal.append(&key);
        let payload = Payload::seal(&key, 100, "about three");
        wal.integrate(&vault).unwrap();
        let (out, left): (Vec<&Subject>, Vec<&Subject>) =
            subjects.iter().enumerate().fold(Default::default(), |(mut out, mut left), (at, subject)| {
                if leaving >> at & 1 == 1 {
                    out.push(subject)
                } else {
                    left.push(subject)
                }
                (out, left)
            });
        vault.erase(&of(&out, &[&payload]), (LOG, 1)).unwrap();
        for vault in [&vault, &open(&fs).unwrap()] {
            payload.assert_readable(vault);
            let found = vault.open_decision_key(payload.key).unwrap();
            let found: Vec<_> = found.subjects().iter().map(Subject::reference).collect();
            assert_eq!(found, left.iter().map(|of| of.reference()).collect::<Vec<_>>(), "{leaving:b}");
        }
        match left.first() {
            Some(subject) => drop(vault.erase(&of(&[subject], &[]), (LOG, 2)).unwrap()),
            None => {
                let erasure = Erasure { keys: vec![payload.key], ..Erasure::default() };
                vault.erase(&erasure, (LOG, 2)).unwrap();
            }
        }
        payload.assert_erased(&vault);
        payload.assert_erased(&open(&fs).unwrap());
    }
}

fn seals(key: &DecisionKey) -> bool {
    let late = key.seal(&context(key.owner(), id(900)), b"late");
    assert!(matches!(late, Ok(_) | Err(VaultError::Erased)));
    late.is_ok()
}

#[test]
fn a_key_in_memory_works_on_if_it_is_withheld_and_dies_when_it_is_not_any_more() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    // Its frame is durable and integrated, and nobody has told it so yet.
    let both = [people.alice.clone(), people.bob.clone()];
    let doubtful = vault.decision_key(&scope(), id(20), &both).unwrap();
    let carol = vault.subject(&system(), b"carol").unwrap();
    let fresh = vault.decision_key(&scope(), id(21), std::slice::from_ref(&carol)).unwrap();
    people.wal.integrate(&vault).unwrap();
    vault.absorb(&doubtful.births().unwrap()).unwrap();
    vault.absorb(&fresh.births().unwrap()).unwrap();
    let other = vault.open_decision_key(people.of_both.key).unwrap();
    let mut erasure = of(&[&people.alice, &carol], &[&people.of_both]);
    erasure.withhold.extend([doubtful.id(), fresh.id()]);
    vault.erase(&erasure, (LOG, 4)).unwrap();
    assert!(doubtful.is_alive() && other.is_alive() && fresh.is_alive());
    assert!(doubtful.outlives_subject() && other.outlives_subject());
    assert!(seals(&doubtful) && seals(&other) && seals(&fresh));

    // What rides in the next frame brings nobody back.
    let births = [doubtful.births().unwrap(), fresh.births().unwrap()].concat();
    vault.absorb(&births).unwrap();
    vault.sync_absorbed(&[]).unwrap();
    for subject in [&people.alice, &carol] {
        assert!(vault.remains(&of(&[subject], &[])).is_ok_and(|remains| !remains));
    }
    drop(vault);
    let vault = open(&fs).unwrap();
    assert!(vault.remains(&of(&[&people.alice], &[])).is_ok_and(|remains| !remains));
    assert!(vault.find_subject(&system(), b"carol").unwrap().is_none());
    let again = vault.open_decision_key(doubtful.id()).unwrap();
    let freed = Erasure { keys: vec![again.id(), fresh.id()], ..Erasure::default() };
    assert!(vault.remains(&freed).unwrap());
    vault.erase(&freed, (LOG, 5)).unwrap();
    assert!(!vault.remains(&freed).unwrap());
    assert!(!seals(&again));
    assert!(matches!(vault.open_decision_key(fresh.id()), Err(VaultError::Erased)));
}

#[test]
fn a_key_that_died_before_is_not_brought_back_by_withholding_it() {
    let fs = SimFs::new(1);
    let vault = create(&fs).unwrap();
    let people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    let key = vault.open_decision_key(people.of_both.key).unwrap();
    vault.erase(&of(&[&people.bob], &[]), (LOG, 4)).unwrap();
    // Repeated, and withheld from it now: too late. And from Alice's: there is nothing to keep.
    vault.erase(&of(&[&people.bob], &[&people.of_both]), (LOG, 5)).unwrap();
    vault.erase(&of(&[&people.alice], &[&people.of_both]), (LOG, 6)).unwrap();
    assert!(!key.is_alive());
    people.of_both.assert_erased(&vault);
    assert!(open(&fs).unwrap().readable(&BTreeSet::from([people.of_both.key])).unwrap().is_empty());
}

#[test]
fn a_dropped_day_keeps_what_is_withheld_alone() {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let vault = open(&fs).unwrap();
    let ada = vault.subject(&system(), b"ada").unwrap();
    let mut wal = Wal::default();
    let mut decide = |day: u32, n: u64| {
        let key = vault.decision_key(&scope_of(day), id(n), std::slice::from_ref(&ada)).unwrap();
        wal.append(&key);
        (Payload::seal(&key, 10_000 + n, "ada's"), key)
    };
    // More than a page of one day, and another day.
    let day: Vec<(Payload, DecisionKey)> = (0..5_000).map(|n| decide(7, n)).collect();
    let other = decide(8, 9_000);
    wal.integrate(&vault).unwrap();
    let held: Vec<usize> = vec![3, 4_000];
    let erasure = |held: &[usize]| Erasure {
        scopes: vec![scope_of(7)],
        withhold: held.iter().map(|at| day[*at].0.key).collect(),
        ..Erasure::default()
    };
    let report = vault.erase(&erasure(&held), (LOG, 1)).unwrap();
    // Both of the held are in the first page.
    assert_eq!((report.keys_erased, report.pages_rewritten, report.pages_dropped), (4_998, 1, 1));
    let check = |vault: &Vault, held: &[usize]| {
        for (at, (payload, _)) in
            day.iter().enumerate().filter(|(at, _)| at % 97 == 0 || *at < 9 || *at == 4_000)
        {
            match held.contains(&at) {
                true => payload.assert_readable(vault),
                false => payload.assert_erased(vault),
            }
        }
        other.0.assert_readable(vault);
    };
    check(&vault, &held);
    assert!(day.iter().enumerate().all(|(at, (_, key))| key.is_alive() == held.contains(&at)));
    // New keys of the day go to a page of their own.
    let late = vault.decision_key(&scope_of(7), id(8_000), &[]).unwrap();
    assert!(!day.iter().any(|(_, key)| key.id().page == late.id().page));
    wal.append(&late);
    let late = Payload::seal(&late, 8_001, "late");
    wal.integrate(&vault).unwrap();
    check(&open(&fs).unwrap(), &held);

    // One hold is released; then the other: the day goes for good, and what came late with it.
    vault.erase(&erasure(&held[..1]), (LOG, 2)).unwrap();
    check(&vault, &held[..1]);
    late.assert_erased(&vault);
    let report = vault.erase(&erasure(&[]), (LOG, 3)).unwrap();
    assert_eq!((report.keys_erased, report.pages_dropped), (1, 1));
    check(&vault, &[]);
    check(&open(&fs).unwrap(), &[]);
    assert!(day.iter().all(|(_, key)| !key.is_alive()) && other.1.is_alive());
}

/// One pass over each page, however many keys are withheld.
#[test]
fn ten_thousand_withheld_keys_are_rewritten_page_by_page() {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let vault = open(&fs).unwrap();
    let ada = vault.subject(&system(), b"ada").unwrap();
    let mut wal = Wal::default();
    let mut payloads = Vec::new();
    for n in 0..10_000 {
        let key = vault.decision_key(&scope(), id(n), std::slice::from_ref(&ada)).unwrap();
        wal.append(&key);
        if n % 500 == 0 {
            payloads.push(Payload::seal(&key, 20_000 + n, "ada's"));
        }
    }
    wal.integrate(&vault).unwrap();
    let pages: BTreeSet<u32> = payloads.iter().map(|payload| payload.key.page).collect();
    let withhold = pages.iter().flat_map(|page| (0..4_096).map(|slot| KeyId { page: *page, slot })).collect();
    let before = fs.call_count();
    let erasure = Erasure { subjects: vec![ada.reference()], withhold, ..Erasure::default() };
    let report = vault.erase(&erasure, (LOG, 1)).unwrap();
    assert_eq!((report.keys_erased, report.pages_rewritten), (1, pages.len() + 2));
    let calls = fs.call_count() - before;
    assert!(calls < 1_000, "{calls} calls to the file system");
    let vault = open(&fs).unwrap();
    payloads.iter().for_each(|payload| payload.assert_readable(&vault));
    let all = payloads.iter().map(|payload| payload.key).collect();
    assert_eq!(vault.readable(&all).unwrap(), all);
}
