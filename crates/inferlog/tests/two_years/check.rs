//! What is there, held against the model.

use std::collections::BTreeSet;

use inferlog_audit::{Options, Remembered, verify};
use inferlog_index::{FollowOptions, Follower, Reader, SqliteEngine, Value};
use inferlog_log::LogIdentity;
use inferlog_record::{Content, Entry};
use inferlog_vault::{SealContext, open_payload};

use crate::quick::quick;
use crate::world::{World, catch_up};

/// Payloads that are opened every day.
const SOME: usize = 40;

/// The log has the entries that it should, and no others.
pub async fn entries(world: &mut World) {
    world.learn().await;
    let reader = world.reader();
    assert_eq!(reader.first().unwrap(), world.model.first, "day {}: where the log begins", world.day);
    let mut found = BTreeSet::new();
    reader
        .scan(0, reader.size().unwrap(), |index, _| {
            found.insert(index);
            true
        })
        .unwrap();
    let there = world.model.there();
    let (more, fewer): (Vec<_>, Vec<_>) =
        (found.difference(&there).take(5).collect(), there.difference(&found).take(5).collect());
    assert!(more.is_empty() && fewer.is_empty(), "day {}: too many {more:?}, too few {fewer:?}", world.day);
}

/// Some payloads open, or do not, as they should.
pub async fn some_payloads(world: &mut World) {
    let count = world.model.entries.len();
    let some: Vec<u64> = (0..SOME).map(|_| world.rng.usize(..count) as u64).collect();
    payloads(world, some);
}

fn payloads(world: &mut World, indices: impl IntoIterator<Item = u64>) {
    let reader = world.reader();
    let origin = LogIdentity::load(&*quick(), reader.dir()).unwrap().origin;
    let size = reader.size().unwrap();
    for index in indices {
        let entry = &world.model.entries[index as usize];
        if entry.gone || !entry.payload || entry.class == "permanent" {
            continue;
        }
        let bytes = reader.entry(index, size).unwrap();
        let opened = open(world, &reader, &origin, index, &Entry::from_bytes(&bytes).unwrap());
        let should = world.model.opens(index);
        assert_eq!(opened.is_ok(), should, "day {}: entry {index}, {}: {opened:?}", world.day, entry.class);
        *(if should { &mut world.counts.opened } else { &mut world.counts.shut }) += 1;
    }
}

fn open(
    world: &World,
    reader: &inferlog_log::LogReader,
    origin: &str,
    index: u64,
    entry: &Entry,
) -> Result<(), String> {
    for event in &entry.events {
        for reference in &event.payloads {
            let Content::Sealed(sealed) = reference.content else { continue };
            let (class, at) = (event.retention.as_str(), event.logged_at.nanos());
            let bytes = reader.payload(class, at, index, reference.payload.into_bytes()).unwrap();
            let bytes = bytes.ok_or("in no pack")?;
            let key = world.instance().vault.data_key(sealed.key_id, reference.payload);
            let key = key.map_err(|error| error.to_string())?;
            let (role, payload) = (reference.role.as_str(), reference.payload);
            let context = SealContext { origin, event: event.id, role, payload };
            open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, 64 << 20)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Everything: every payload, the index, what `verify` says, every receipt.
pub async fn whole(world: &mut World) {
    entries(world).await;
    let count = world.model.entries.len() as u64;
    payloads(world, 0..count);
    if world.follows {
        index(world).await;
    }
    verified(world).await;
}

/// The index has the events of the entries that are there, and says what one says that is built anew.
async fn index(world: &mut World) {
    world.follow().await;
    world.learn().await;
    world.follow().await;
    let there = world.model.entries.iter().filter(|entry| !entry.gone);
    let events: u64 = there.map(|entry| entry.events).sum();
    let (file, anew) = (world.index_file(), world.temp.path().join("anew.sqlite"));
    drop(std::fs::remove_file(&anew));
    let (data, built) = (world.data(), anew.clone());
    let (had, has) = tokio::task::spawn_blocking(move || {
        let options = FollowOptions { name: "anew".into(), ..FollowOptions::default() };
        let mut follower = Follower::new(quick(), &data, SqliteEngine::open(&built).unwrap(), options);
        catch_up(&mut follower);
        drop(follower);
        (asked(&file), asked(&built))
    })
    .await
    .unwrap();
    let cursor = inferlog_log::Cursor::open(quick(), world.reader().dir(), "anew").unwrap();
    cursor.forget().unwrap();
    assert_eq!(had, has, "day {}: the index, and one that is built anew", world.day);
    assert_eq!(had[0], events.to_string(), "day {}: events in the index", world.day);
}

fn asked(file: &std::path::Path) -> Vec<String> {
    let mut reader = Reader::sqlite(file).unwrap();
    let sql = "SELECT CAST((SELECT count(*) FROM events) AS TEXT), CAST((SELECT count(*) FROM decisions) AS TEXT),
        CAST((SELECT count(*) FROM payload_refs) AS TEXT), CAST((SELECT sum(events) FROM rollups_hour) AS TEXT)";
    let mut answer = Vec::new();
    reader
        .rows(sql, &[], |row| {
            answer.extend(row.iter().map(|value| match value {
                Value::Text(text) => text.clone(),
                other => format!("{other:?}"),
            }));
            Ok(())
        })
        .unwrap();
    answer
}

async fn verified(world: &mut World) {
    world.instance().recorder.integrate().await.unwrap();
    let remembered = |receipt: &inferlog_audit::EntryReceipt| Remembered {
        name: receipt.name.clone(),
        bytes: receipt.proof.clone().into_bytes(),
        entry: Some(receipt.entry.clone()),
    };
    let against: Vec<Remembered> = world.receipts.iter().map(remembered).collect();
    let (data, count) = (world.data(), against.len());
    let report = tokio::task::spawn_blocking(move || {
        verify(&quick(), &data, &Options { against, ..Options::default() }, &|_| {}).unwrap()
    })
    .await
    .unwrap();
    assert!(report.ok, "day {}: {:?}", world.day, report.faults.iter().take(5).collect::<Vec<_>>());
    assert_eq!(report.against.len(), count);
    world.counts.verified += 1;
}
