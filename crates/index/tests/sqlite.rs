//! The engine of SQLite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod conformance;

use std::path::PathBuf;

use conformance::{Store, conformance};
use inferlog_index::{Engine, SqliteEngine};
use rusqlite::Connection;
use rusqlite::types::Value;

struct File(PathBuf);

impl Store for File {
    fn engine(&self) -> Box<dyn Engine> {
        Box::new(SqliteEngine::open(&self.0).unwrap())
    }

    fn bytes(&self, hex: &str) -> String {
        format!("x'{hex}'")
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        let connection = Connection::open(&self.0).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let text = |value| match value {
            Value::Null => String::new(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Blob(bytes) => format!("{bytes:?}"),
        };
        let rows = statement.query_map([], |row| {
            let values: Vec<String> = (0..columns).map(|at| text(row.get(at).unwrap())).collect();
            Ok(values.join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }
}

#[test]
fn it_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance(&File(dir.path().join("index.sqlite")));
}
