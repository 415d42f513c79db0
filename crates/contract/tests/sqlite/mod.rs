//! An index in a file, as a store under test.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::ops::ControlFlow;
use std::path::PathBuf;

use inferlog_contract::{SYSTEM, Source, Store};
use inferlog_index::{FollowOptions, Follower, SqliteEngine};
use inferlog_record::{Id, PayloadRole, SystemName};
use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use crate::dying::Dying;

pub struct File {
    dir: TempDir,
}

/// What is answered, whatever it was derived from in between: without numbers of shared rows.
pub const ANSWERS: [&str; 6] = [
    "SELECT d.id, d.events, d.payloads, f.key FROM decision d JOIN facet f ON f.facet = d.facet ORDER BY d.id",
    "SELECT e.no, e.id, e.decision, c.key FROM event e JOIN common c ON c.common = e.common ORDER BY e.no",
    "SELECT event, decision, key_id FROM identifier ORDER BY event, digest",
    "SELECT decision, event, content FROM content ORDER BY payload",
    "SELECT r.start_ns, f.key, r.decisions, r.events FROM rollup_hour r JOIN facet f ON f.facet = r.facet ORDER BY 1, 2",
    "SELECT event, place, key_id FROM payload_ref ORDER BY 1, 2",
];

pub fn options(source: &Source<'_>) -> FollowOptions {
    let clear = (SystemName::new(SYSTEM).unwrap(), vec![PayloadRole::InputRaw]);
    FollowOptions {
        batch_entries_max: 300,
        vault: Some(source.vault.clone()),
        clear_content: [clear].into(),
        ..FollowOptions::default()
    }
}

impl File {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("index.sqlite")
    }

    pub fn rows(&self, sql: &str) -> Vec<String> {
        drop(SqliteEngine::open(&self.path()).unwrap());
        let connection = Connection::open(self.path()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let text = |at| match row.get::<_, Value>(at).unwrap() {
                Value::Text(text) => text,
                other => format!("{other:?}"),
            };
            Ok((0..columns).map(text).collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

impl Store for File {
    fn name(&self) -> &str {
        "index"
    }

    fn catch_up(&mut self, source: &Source<'_>) -> Result<(), String> {
        let engine = SqliteEngine::open(&self.path()).map_err(|error| error.to_string())?;
        let mut follower = Follower::new(source.fs.clone(), source.data, engine, options(source));
        let caught = follower.catch_up(&mut |_| ControlFlow::Continue(()));
        caught.map(drop).map_err(|error| error.to_string())
    }

    fn end_at(&mut self, source: &Source<'_>, step: usize) -> bool {
        let engine = Dying::new(SqliteEngine::open(&self.path()).unwrap(), step);
        let mut follower = Follower::new(source.fs.clone(), source.data, engine, options(source));
        follower.catch_up(&mut |_| ControlFlow::Continue(())).is_ok_and(|caught| caught.is_complete)
    }

    fn events(&mut self) -> Vec<Id> {
        self.rows("SELECT id FROM event").iter().map(|id| id.parse().unwrap()).collect()
    }

    fn answers(&mut self) -> Vec<String> {
        ANSWERS.iter().flat_map(|sql| self.rows(sql)).collect()
    }

    fn finds(&mut self, digest: &[u8; 16]) -> bool {
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        !self.rows(&format!("SELECT 1 FROM identifier WHERE digest = x'{digest}'")).is_empty()
    }

    fn all_bytes(&mut self) -> Vec<Vec<u8>> {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    fn clear(&mut self) {
        for file in std::fs::read_dir(self.dir.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
}
