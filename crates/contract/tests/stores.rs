//! SQLite and PostgreSQL pass the suite.

#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../../index/tests/world/dying.rs"]
mod dying;
#[path = "../../index/tests/support/postgres.rs"]
mod server;
mod sqlite;

use std::ops::ControlFlow;

use dying::Dying;
use inferlog_contract::{Source, Store, check};
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::{Engine, Follower};
use inferlog_record::Id;
use server::Server;
use sqlite::{File, options};

#[test]
fn sqlite_keeps_the_contract() {
    let mut store = File::new();
    check(&mut store).unwrap();
}

struct Database {
    server: Server,
    place: Place,
}

impl Database {
    fn engine(&self) -> PostgresEngine {
        PostgresEngine::new(self.place.clone(), Interrupt::default())
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.server.psql("kept", sql);
        rows.lines().map(str::to_owned).collect()
    }
}

impl Store for Database {
    fn name(&self) -> &str {
        "index"
    }

    fn catch_up(&mut self, source: &Source<'_>) -> Result<(), String> {
        let mut follower = Follower::new(source.fs.clone(), source.data, self.engine(), options(source));
        let caught = follower.catch_up(&mut |_| ControlFlow::Continue(()));
        caught.map(drop).map_err(|error| error.to_string())
    }

    fn end_at(&mut self, source: &Source<'_>, step: usize) -> bool {
        let engine = Dying::new(self.engine(), step);
        let mut follower = Follower::new(source.fs.clone(), source.data, engine, options(source));
        follower.catch_up(&mut |_| ControlFlow::Continue(())).is_ok_and(|caught| caught.is_complete)
    }

    fn events(&mut self) -> Vec<Id> {
        self.engine().logs().unwrap();
        self.rows("SELECT id FROM event").iter().map(|id| id.parse().unwrap()).collect()
    }

    fn answers(&mut self) -> Vec<String> {
        sqlite::ANSWERS.iter().flat_map(|sql| self.rows(sql)).collect()
    }

    fn finds(&mut self, digest: &[u8; 16]) -> bool {
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        !self.rows(&format!("SELECT 1 FROM identifier WHERE digest = '\\x{digest}'")).is_empty()
    }

    fn all_bytes(&mut self) -> Vec<Vec<u8>> {
        // Pages are written, and files of replaced tables deleted. PostgreSQL's own write-ahead log stays outside.
        self.server.psql("postgres", "CHECKPOINT");
        let (mut files, mut folders) = (Vec::new(), vec![self.server.data().join("base")]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                match entry.path().is_dir() {
                    true => folders.push(entry.path()),
                    false => files.push(std::fs::read(entry.path()).unwrap_or_default()),
                }
            }
        }
        files
    }

    fn clear(&mut self) {
        self.engine().clear().unwrap();
    }
}

#[test]
fn postgres_keeps_the_contract() {
    let server = Server::start();
    let place = Place::parse(&server.database("kept")).unwrap();
    check(&mut Database { server, place }).unwrap();
}
