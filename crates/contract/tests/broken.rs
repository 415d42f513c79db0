//! Stores that break the contract are found: one that forgets to erase, one that forgets it of content alone, one whose cursor runs
//! ahead, one that keeps a row's older version, one that erases what a hold keeps. Each part of the suite finds one.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../../index/tests/world/dying.rs"]
mod dying;
mod sqlite;

use inferlog_contract::{PARTS, Source, Store, World, check};
use inferlog_log::{Cursor, LogReader, list_logs};
use inferlog_record::Id;
use rusqlite::Connection;
use sqlite::File;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    ForgetsToErase,
    ForgetsContent,
    CursorAhead,
    KeepsVersions,
    ErasesHeld,
}

struct Broken {
    file: File,
    fault: Fault,
    /// What a free page might hold.
    versions: Vec<Vec<u8>>,
}

impl Broken {
    /// The table that is not erased from.
    fn spared(&self) -> Option<&'static str> {
        match self.fault {
            Fault::ForgetsToErase => Some("identifier"),
            Fault::ForgetsContent => Some("content"),
            Fault::CursorAhead | Fault::KeepsVersions | Fault::ErasesHeld => None,
        }
    }

    /// What the fault does before a process follows.
    fn before(&mut self, source: &Source<'_>) {
        match self.fault {
            Fault::ForgetsToErase | Fault::ForgetsContent => {
                if let Some(table) = self.spared().filter(|_| self.file.path().exists()) {
                    let sql = format!(
                        "CREATE TABLE IF NOT EXISTS mine AS SELECT * FROM {table} WHERE false; \
                         INSERT INTO mine SELECT * FROM {table}"
                    );
                    Connection::open(self.file.path()).unwrap().execute_batch(&sql).unwrap();
                }
            }
            Fault::CursorAhead => {
                for log in list_logs(&*source.fs, source.data).unwrap() {
                    let size = LogReader::new(source.fs.clone(), log.clone()).size().unwrap();
                    Cursor::open(source.fs.clone(), &log, "index").unwrap().store(size).unwrap();
                }
            }
            Fault::KeepsVersions => self.versions.extend(self.file.all_bytes()),
            Fault::ErasesHeld => {}
        }
    }

    /// And what after.
    fn after(&mut self) {
        if self.fault == Fault::ErasesHeld {
            let sql = "DELETE FROM identifier; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)";
            Connection::open(self.file.path()).unwrap().execute_batch(sql).unwrap();
        }
        if let Some(table) = self.spared() {
            let sql = format!(
                "CREATE TABLE IF NOT EXISTS mine AS SELECT * FROM {table} WHERE false; \
                 INSERT OR IGNORE INTO {table} SELECT * FROM mine; DROP TABLE mine"
            );
            Connection::open(self.file.path()).unwrap().execute_batch(&sql).unwrap();
        }
    }
}

impl Store for Broken {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn catch_up(&mut self, source: &Source<'_>) -> Result<(), String> {
        self.before(source);
        let done = self.file.catch_up(source);
        self.after();
        done
    }

    fn end_at(&mut self, source: &Source<'_>, step: usize) -> bool {
        self.before(source);
        let done = self.file.end_at(source, step);
        if self.fault == Fault::CursorAhead {
            self.before(source);
        }
        self.after();
        done
    }

    fn events(&mut self) -> Vec<Id> {
        self.file.events()
    }

    fn answers(&mut self) -> Vec<String> {
        self.file.answers()
    }

    fn finds(&mut self, digest: &[u8; 16]) -> bool {
        self.file.finds(digest)
    }

    fn all_bytes(&mut self) -> Vec<Vec<u8>> {
        let mut all = self.file.all_bytes();
        all.extend(self.versions.clone());
        all
    }

    fn clear(&mut self) {
        self.versions.clear();
        self.file.clear();
    }
}

#[test]
fn each_fault_is_found() {
    for (fault, found) in [
        (Fault::ForgetsToErase, "bytes of an erased person survive"),
        (Fault::ForgetsContent, "content about an erased person survives"),
        (Fault::CursorAhead, "the cursor is ahead of the store"),
        (Fault::KeepsVersions, "bytes of an erased person survive"),
    ] {
        let error = check(&mut Broken { file: File::new(), fault, versions: Vec::new() }).unwrap_err();
        assert!(error.contains(found), "{error}");
    }
}

#[test]
fn each_part_finds_a_fault() {
    let found = [
        (Fault::CursorAhead, "the cursor is ahead of the store"),
        (Fault::ForgetsToErase, "bytes of an erased person survive"),
        (Fault::ForgetsToErase, "the cursor has passed an erasure that bytes survive"),
        (Fault::ErasesHeld, "what a hold keeps is gone"),
        (Fault::ForgetsToErase, "it derives what is new before it erases"),
        (Fault::ForgetsToErase, "bytes of purged payloads survive"),
    ];
    assert_eq!(found.len(), PARTS.len());
    for ((name, part), (fault, found)) in PARTS.iter().zip(found) {
        let mut store = Broken { file: File::new(), fault, versions: Vec::new() };
        let error = part(&World::new().unwrap(), &mut store).unwrap_err();
        assert!(error.contains(found), "{name}: {error}");
    }
}
