//! Payloads that are missing, smuggled in or exchanged, and entries that are none (promise 10).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod world;

use std::sync::Arc;

use inferlog_audit::FaultKind;
use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_record::body::{Erasure, ErasurePhase, OrderKind, Purge};
use inferlog_record::{Count, KeyId, RetentionClass};
use world::look::{check, only, overwrite, small};
use world::{World, name};

/// Rewrites the pack without the payload of one entry, and its index with it.
fn drop_payload(fs: &SimFs, world: &World, index: u64) -> SimFs {
    let fs = fs.fork(1);
    let packs = inferlog_log::packs::list_packs(&fs, world.dir("credit")).unwrap();
    let pack = packs.iter().filter(|pack| pack.first <= index);
    for pack in pack {
        let (bytes, rows) = (fs.read(&pack.pack).unwrap(), fs.read(&pack.index).unwrap());
        let row = |row: &[u8]| {
            (
                u64::from_be_bytes(row[..8].try_into().unwrap()),
                u64::from_be_bytes(row[8..].try_into().unwrap()),
            )
        };
        let rows: Vec<(u64, u64)> = rows.chunks(16).map(row).collect();
        let Some(at) = rows.iter().position(|row| row.0 == index) else { continue };
        let end = rows.get(at + 1).map_or(bytes.len() as u64, |row| row.1);
        let gone = (end - rows[at].1) as usize;
        let kept = [&bytes[..rows[at].1 as usize], &bytes[end as usize..]].concat();
        let mut index = Vec::new();
        for (number, (entry, offset)) in rows.iter().enumerate().filter(|(number, _)| *number != at) {
            index.extend_from_slice(&entry.to_be_bytes());
            index
                .extend_from_slice(&(if number < at { *offset } else { offset - gone as u64 }).to_be_bytes());
        }
        overwrite(&fs, &pack.pack, &kept);
        overwrite(&fs, &pack.index, &index);
        // As a purge or a compaction would: the tails in `state` follow.
        let path = world.dir("credit").state();
        let mut state = inferlog_log::State::decode(&fs.read(&path).unwrap()).unwrap();
        let name = pack.pack.with_extension("");
        for tail in state.packs.iter_mut().filter(|tail| name.ends_with(&tail.name)) {
            tail.pack_bytes -= gone as u64;
            tail.index_bytes -= 16;
        }
        overwrite(&fs, &path, &state.encode());
        return fs;
    }
    panic!("no payload of entry {index}");
}

fn erasure(keys: Vec<KeyId>, subjects: Vec<inferlog_record::Pseudonym>) -> Erasure {
    Erasure {
        backup_horizon: None,
        by: None,
        certificate: None,
        decisions: Count(1),
        holds: Vec::new().into(),
        intent: None,
        keys: keys.into(),
        order: OrderKind::Request,
        phase: ErasurePhase::Intent,
        refusals: Vec::new().into(),
        resumes: None,
        root_epoch: None,
        stores: Vec::new().into(),
        subjects: subjects.into(),
        until: None,
        withheld: Count(0),
    }
}

fn purge(first: u64, last: u64, class: Option<&str>) -> Purge {
    Purge {
        what: inferlog_record::body::Purged::Payloads,
        holds: Vec::new().into(),
        policy_sha256: None,
        bytes: Count(1),
        class: class.map(|class| RetentionClass::new(class).unwrap()),
        entries: Count(1),
        first: Count(first),
        kept: Count(0),
        last: Count(last),
        packs: Vec::new().into(),
        payloads: Count(1),
        policy: name("p"),
    }
}

/// Promise 10: a missing payload without its event is reported; with one it is not.
#[test]
fn a_missing_payload_needs_an_event_that_says_why() {
    let (fs, mut world) = small();
    let entry = inferlog_log::LogReader::new(Arc::new(fs.clone()), world.dir("credit").clone())
        .entry(4, 300)
        .unwrap();
    let entry = inferlog_record::Entry::from_bytes(&entry).unwrap();
    let subject = entry.events[0].subjects[0];
    let inferlog_record::Content::Sealed(sealed) = entry.events[0].payloads[0].content else {
        panic!("sealed")
    };

    let missing = drop_payload(&fs, &world, 4);
    let report = check(&missing);
    let fault = only(&report, FaultKind::MissingPayload);
    assert_eq!(fault.index, Some(4));
    assert!(fault.what.contains("(input.raw)"), "{}", fault.what);

    type Says = Box<dyn Fn(&mut World) -> inferlog_log::Append>;
    let elsewhere = KeyId { page: 99, slot: 1 };
    let says: [(bool, Says); 6] = [
        (true, Box::new(move |world| world.life("credit", erasure(vec![sealed.key_id], Vec::new())))),
        (true, Box::new(move |world| world.life("credit", erasure(vec![elsewhere], vec![subject])))),
        (true, Box::new(|world| world.life("credit", purge(0, 9, None)))),
        (true, Box::new(|world| world.life("credit", purge(0, 9, Some("default"))))),
        (false, Box::new(|world| world.life("credit", purge(0, 9, Some("long"))))),
        (false, Box::new(move |world| world.life("credit", erasure(vec![elsewhere], Vec::new())))),
    ];
    for (is_explained, say) in says {
        let (fs, mut world) = small();
        let append = say(&mut world);
        world.commit("credit", &[append]);
        world.integrate();
        let report = check(&drop_payload(&fs, &world, 4));
        assert_eq!(report.ok, is_explained, "{:#?}", report.faults);
    }
    // An erasure explains nothing that came after it.
    let append = world.life("credit", erasure(vec![sealed.key_id], vec![subject]));
    world.commit("credit", &[append]);
    world.fill("credit", 2, 300);
    world.integrate();
    assert_eq!(only(&check(&drop_payload(&fs, &world, 301)), FaultKind::MissingPayload).index, Some(301));
}

/// Another entry of the decision names the person whom the erasure names.
#[test]
fn an_erased_person_is_known_by_any_entry_of_the_decision() {
    let (fs, mut world) = World::sim(256 << 10);
    world.create("credit");
    let (_, [opened, closed]) = world.decision("credit", "default", 300);
    // The opening does not name the person; the end does.
    let mut entry = inferlog_record::Entry::from_bytes(&opened.entry).unwrap();
    let subject = entry.events[0].subjects[0];
    entry.events[0].subjects = Vec::new().into();
    let opened = inferlog_log::Append { entry: entry.to_bytes().unwrap(), ..opened };
    world.commit("credit", &[opened, closed]);
    let append = world.life("credit", erasure(vec![KeyId { page: 99, slot: 1 }], vec![subject]));
    world.commit("credit", &[append]);
    world.integrate();
    let report = check(&drop_payload(&fs, &world, 0));
    assert!(report.ok, "{:#?}", report.faults);
}

#[test]
fn a_payload_that_nobody_refers_to_is_found() {
    let (fs, mut world) = small();
    let (_, [first, _]) = world.decision("credit", "default", 100);
    let mut payloads = first.payloads.clone();
    payloads.push([9; 16], b"smuggled");
    world.commit("credit", &[inferlog_log::Append { payloads, ..first }]);
    world.integrate();
    let report = check(&fs);
    assert_eq!(only(&report, FaultKind::UnreferencedPayload).index, Some(300));
}

#[test]
fn sealed_bytes_with_another_digest_are_found() {
    let (fs, mut world) = small();
    let (_, [first, _]) = world.decision("credit", "default", 100);
    let record = inferlog_log::records(first.payloads.bytes()).next().unwrap().unwrap();
    let mut payloads = inferlog_log::Payloads::default();
    payloads.push(record.payload, b"other bytes, with a right checksum");
    world.commit("credit", &[inferlog_log::Append { payloads, ..first }]);
    world.integrate();
    let report = check(&fs);
    let fault = only(&report, FaultKind::Pack);
    assert!(fault.index == Some(300) && fault.what.contains("not the one that the entry holds"));
}

#[test]
fn entries_that_are_none_are_found_though_they_hash() {
    let (fs, mut world) = small();
    let good = world.life("credit", purge(0, 1, None));
    let bad = [&good.entry[..], b" "].concat();
    for entry in [bad, b"{\"v\":1}".to_vec(), vec![0xff; 10]] {
        let append = inferlog_log::Append { entry, ..good.clone() };
        world.commit("credit", &[append]);
    }
    world.integrate();
    let report = check(&fs);
    assert_eq!(
        report.faults.iter().map(|fault| (fault.kind, fault.index)).collect::<Vec<_>>(),
        [(FaultKind::Entry, Some(300)), (FaultKind::Entry, Some(301)), (FaultKind::Entry, Some(302)),]
    );
}
