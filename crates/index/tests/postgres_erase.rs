//! After an erasure no file of a table holds what was erased, whatever way it came there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/postgres.rs"]
mod server;

use std::path::Path;

use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::{
    ClearContent, Engine, Erasure, EventNo, Identifier, KeyNo, LogName, Position, Rows, Shared,
};
use inferlog_record::{Id, KeyId, Pseudonym};
use server::Server;

const NAME: &str = "Erika Mustermann, geboren am 12.08.1957";
const DIGEST: [u8; 16] = *b"\xd1gest of an id\xff\xfe";

fn log(name: &str) -> LogName {
    LogName {
        origin: name.to_owned(),
        system: "alpha".into(),
        shard: "0".into(),
        epoch: "1".into(),
        keystore: "k".into(),
    }
}

fn key(slot: u16) -> KeyNo {
    KeyNo::new(1, KeyId { page: 0, slot })
}

fn content(number: u8, decision: EventNo, text: &str) -> ClearContent {
    let payload = Id::new(1, &[number; 10]);
    ClearContent {
        payload,
        decision,
        event: decision,
        class: 1,
        key: key(u16::from(number)),
        content: format!("{{\"name\":\"{text}\"}}"),
    }
}

fn identifier(digest: [u8; 16], decision: EventNo, number: u8) -> Identifier {
    Identifier { event: decision, digest, decision, class: 1, key: key(u16::from(number)) }
}

/// How many files of the database's tables and indexes hold these bytes.
fn files_with(server: &Server, bytes: &[u8]) -> usize {
    // Pages are written, and files of rolled back and replaced tables deleted.
    server.psql("postgres", "CHECKPOINT");
    let mut found = 0;
    let mut folders = vec![server.data().join("base")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found += usize::from(holds(&path, bytes)),
            }
        }
    }
    found
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    let file = std::fs::read(path).unwrap_or_default();
    file.windows(bytes.len()).any(|window| window == bytes)
}

#[test]
fn no_version_of_an_erased_row_is_left_in_a_file() {
    let server = Server::start();
    let url = server.database("erased");
    let engine = || PostgresEngine::new(Place::parse(&url).unwrap(), Interrupt::default());
    let (mut first, mut second) = (engine(), engine());
    let position = first.begin(&log("a")).unwrap();
    let no = EventNo::new(position.log, 0, 0).unwrap();
    let (person, other) = (Pseudonym::new([1; 16]), Pseudonym::new([2; 16]));
    first.intern(&[Shared::Term { aspect: "tool", name: "x".to_owned() }]).unwrap();
    first.write(&Rows { subjects: vec![(person, no)], ..Rows::default() }).unwrap();
    first.commit(position).unwrap();

    // Committed, and rolled back: both are in the files.
    write(&mut first, no, 1, NAME, DIGEST);
    first.commit(position).unwrap();
    let rolled_back = NAME.replace("Mustermann", "Musterfrau");
    write(&mut first, no, 2, &rolled_back, DIGEST.map(|byte| byte ^ 1));
    first.rollback().unwrap();
    let kept = no.0 + 1;
    write(&mut first, EventNo(kept), 3, "kept", [3; 16]);
    first.commit(position).unwrap();
    for bytes in [NAME.as_bytes(), rolled_back.as_bytes(), &DIGEST, &DIGEST.map(|byte| byte ^ 1)] {
        assert!(files_with(&server, bytes) > 0, "or this test proves nothing");
    }

    // Another follower is about to commit more of it; the erasure waits, and takes that too.
    let theirs = second.begin(&log("b")).unwrap();
    second.identify(&[], &[content(4, no, &NAME.replace("Erika", "Erich"))]).unwrap();
    std::thread::scope(|scope| {
        let erasing = scope.spawn(|| erase(&mut first, position, &[person, other], &[key(2)]));
        std::thread::sleep(std::time::Duration::from_millis(300));
        second.commit(theirs).unwrap();
        erasing.join().unwrap();
    });
    for bytes in ["Muster".as_bytes(), &DIGEST, &DIGEST.map(|byte| byte ^ 1)] {
        assert_eq!(files_with(&server, bytes), 0);
    }
    assert_eq!(server.psql("erased", "SELECT content ->> 'name' FROM content"), "kept");
    assert_eq!(server.psql("erased", "SELECT decision FROM identifier"), kept.to_string());
}

fn write(engine: &mut PostgresEngine, no: EventNo, number: u8, text: &str, digest: [u8; 16]) {
    engine.begin(&log("a")).unwrap();
    engine.identify(&[identifier(digest, no, number)], &[content(number, no, text)]).unwrap();
}

fn erase(engine: &mut PostgresEngine, position: Position, subjects: &[Pseudonym], keys: &[KeyNo]) {
    engine.begin(&log("a")).unwrap();
    let (subjects, keys) = (subjects.to_vec(), keys.to_vec());
    let erasure = Erasure { intent: Id::new(9, &[9; 10]), is_withheld: false, subjects, keys };
    engine.erase(&[erasure]).unwrap();
    engine.commit(position).unwrap();
}
