//! The engine of PostgreSQL, against a server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod conformance;
#[path = "support/postgres.rs"]
mod server;

use std::time::{Duration, Instant};

use conformance::{Store, conformance, event, interned, log};
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine, postgres_reader};
use inferlog_index::{Engine, EventNo, IndexError, Rows, Shared};
use server::{PASSWORD, PASSWORD_IN_URL, Server};

struct Database<'a> {
    server: &'a Server,
    name: &'static str,
    url: String,
}

impl<'a> Database<'a> {
    fn new(server: &'a Server, name: &'static str) -> Self {
        Self { server, name, url: server.database(name) }
    }

    fn open(&self) -> PostgresEngine {
        PostgresEngine::new(Place::parse(&self.url).unwrap(), Interrupt::default())
    }

    fn place(&self, answer: Duration) -> Place {
        Place::parse(&self.url).unwrap().answering_within(answer)
    }
}

impl Store for Database<'_> {
    fn engine(&self) -> Box<dyn Engine> {
        Box::new(self.open())
    }

    fn bytes(&self, hex: &str) -> String {
        format!("'\\x{hex}'::bytea")
    }

    fn ask(&self, sql: &str) -> Vec<String> {
        let printed = self.server.psql(self.name, sql);
        printed.lines().map(str::to_owned).collect()
    }
}

/// One event at the log's cursor.
fn add_event(engine: &mut dyn Engine) -> Result<u64, IndexError> {
    let mut position = engine.begin(&log("a"))?;
    let no = EventNo::new(position.log, position.next, 0).unwrap();
    let common = Shared::Common { kind: "k".to_owned(), json: "{}".to_owned() };
    let common = engine.intern(&[common])?[0];
    engine.write(&Rows { events: vec![event(no, position.next, None, common)], ..Rows::default() })?;
    position.next += 1;
    engine.commit(position)?;
    Ok(position.next)
}

#[test]
fn it_conforms() {
    let server = Server::start();
    conformance(&Database::new(&server, "conforms"));
}

#[test]
fn a_schema_is_made_once_and_a_newer_one_is_left_alone() {
    let server = Server::start();
    let database = Database::new(&server, "schema");
    // Four at once make it; three find it.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| database.open().logs().unwrap());
        }
    });
    assert_eq!(database.ask("SELECT version, cleared FROM inferlog_schema"), ["2|1"]);
    add_event(&mut database.open()).unwrap();
    // An older one is derived anew.
    database.ask("UPDATE inferlog_schema SET version = 0; ALTER TABLE event DROP COLUMN rest CASCADE");
    assert_eq!(add_event(&mut database.open()).unwrap(), 1);
    assert_eq!(database.ask("SELECT max(version), max(cleared) FROM inferlog_schema"), ["2|2"]);
    database.ask("UPDATE inferlog_schema SET version = 9 WHERE version = 2");
    let error = database.open().logs().unwrap_err();
    assert!(matches!(error, IndexError::Newer { found: 9, .. }), "{error}");
    assert!(!error.is_passing());
    assert_eq!(database.ask("SELECT count(*) FROM event"), ["1"]);
}

#[test]
fn a_damaged_schema_says_so_and_is_made_anew_by_a_rebuild() {
    let server = Server::start();
    let database = Database::new(&server, "damaged");
    let mut engine = database.open();
    add_event(&mut engine).unwrap();
    database.ask("DROP TABLE event CASCADE");
    let error = add_event(&mut engine).unwrap_err();
    assert!(matches!(error, IndexError::Damaged { .. }), "{error}");
    engine.clear().unwrap();
    assert_eq!(add_event(&mut engine).unwrap(), 1);
    let views =
        database.ask("SELECT count(*) FROM pg_views WHERE schemaname = 'public' AND viewname = 'events'");
    assert_eq!(views, ["1"]);
}

#[test]
fn a_table_of_others_is_left_alone() {
    let server = Server::start();
    let database = Database::new(&server, "others");
    database
        .ask("SET ROLE follower; CREATE TABLE content (text TEXT); INSERT INTO content VALUES ('theirs')");
    for error in [database.open().logs().unwrap_err(), database.open().clear().unwrap_err()] {
        assert!(error.to_string().contains("\"content\" already exists"), "{error}");
        assert!(error.to_string().contains("a schema of its own"), "{error}");
    }
    assert_eq!(database.ask("SELECT text FROM content"), ["theirs"]);
    // In one of its own it is at home.
    database.ask(
        "CREATE SCHEMA inference AUTHORIZATION follower; ALTER ROLE follower SET search_path = inference",
    );
    assert_eq!(add_event(&mut database.open()).unwrap(), 1);
    assert_eq!(database.ask("SELECT count(*) FROM inference.events"), ["1"]);
}

#[test]
fn numbers_that_an_engine_remembers_do_not_outlive_a_rebuild_by_another() {
    let server = Server::start();
    let database = Database::new(&server, "rebuilt");
    let (mut one, mut other) = (database.open(), database.open());
    add_event(&mut one).unwrap();
    other.clear().unwrap();
    add_event(&mut one).unwrap();
    assert_eq!(database.ask("SELECT count(*) FROM event JOIN common USING (common)"), ["1"]);
}

#[test]
fn it_comes_back_after_every_way_in_which_a_server_goes() {
    let mut server = Server::start();
    let url = server.database("goes");
    let mut engine = PostgresEngine::new(Place::parse(&url).unwrap(), Interrupt::default());
    let ways: [fn(&mut Server); 4] =
        [Server::kill, Server::stop_immediately, Server::stop, |server| server.kill_backend()];
    for (way, next) in ways.into_iter().zip(1..) {
        // In the middle of a transaction.
        engine.begin(&log("a")).unwrap();
        interned(&mut engine, "answered");
        way(&mut server);
        let error = engine.intern(&[]).and_then(|_| add_event(&mut engine)).unwrap_err();
        assert!(error.is_passing(), "{error}");
        server.restart();
        let began = Instant::now();
        loop {
            match add_event(&mut engine) {
                Ok(now) => break assert_eq!(now, next),
                Err(error) => assert!(error.is_passing() && began.elapsed().as_secs() < 30, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert_eq!(
        server.psql("goes", "SELECT count(*), count(DISTINCT id), max(next) FROM event, log"),
        "4|4|4"
    );
}

#[test]
fn a_server_that_hangs_is_waited_for_until_the_deadline_or_an_interrupt() {
    let server = Server::start();
    let database = Database::new(&server, "hangs");
    add_event(&mut database.open()).unwrap();
    let mut engine = PostgresEngine::new(database.place(Duration::from_millis(400)), Interrupt::default());
    // Connected, which may take longer on a busy machine.
    while engine.logs().is_err() {}
    server.hang();
    // On the open connection, then on one that is to be made.
    for _ in 0..2 {
        let began = Instant::now();
        let error = engine.logs().unwrap_err();
        assert!(error.is_passing() && error.to_string().contains("no answer within"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    let mut patient = database.open();
    let interrupt = patient.interrupt();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| patient.logs().unwrap_err());
        std::thread::sleep(Duration::from_millis(300));
        interrupt.interrupt();
        let error = waiting.join().unwrap();
        assert!(error.to_string().contains("no longer waited for"), "{error}");
    });
    drop(patient);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    server.go_on();
    while engine.logs().is_err() {}
    assert_eq!(add_event(&mut database.open()).unwrap(), 2);
}

#[test]
fn a_reader_cannot_write_and_streams() {
    let server = Server::start();
    let database = Database::new(&server, "reads");
    add_event(&mut database.open()).unwrap();
    let place = database.place(Duration::from_secs(30));
    let reader = || postgres_reader(&place, &Interrupt::default()).unwrap();
    for sql in ["DELETE FROM event", "SET TRANSACTION READ WRITE", "CREATE TABLE x (y INT)"] {
        let error = reader().query(sql, &[]).unwrap_err();
        assert!(
            error.to_string().contains("read-only") || error.to_string().contains("read-write"),
            "{error}"
        );
    }
    let reader = reader();
    let statement = reader
        .prepare("SELECT generate_series(1, 1000000000)::bigint AS n, repeat('x', 1000) AS text")
        .unwrap();
    assert_eq!(statement.columns()[1].name(), "text");
    let mut rows = reader.stream(&statement).unwrap();
    for expected in 1..=5_000_i64 {
        assert_eq!(rows.next().unwrap().unwrap().get::<_, i64>(0), expected);
    }
    // Nobody waits for the rest: the server ends it by itself.
    drop(rows);
    drop(reader);
    let slow = postgres_reader(&database.place(Duration::from_secs(2)), &Interrupt::default()).unwrap();
    slow.query("SELECT pg_sleep(40)", &[]).unwrap_err();
    drop(slow);
    let began = Instant::now();
    let working = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename = 'follower'";
    while database.ask(working) != ["0"] {
        assert!(began.elapsed() < Duration::from_secs(20), "the server goes on");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(database.ask("SELECT count(*) FROM event"), ["1"]);
}

#[test]
fn no_text_of_ours_holds_the_password() {
    let server = Server::start();
    server.database("secret");
    let wrong = server.tcp_url("127.0.0.1", "secret", "").replace(PASSWORD_IN_URL, "wr%6Fng-secret");
    let place = Place::of_url(&wrong).unwrap();
    let error = postgres_reader(&place, &Interrupt::default()).unwrap_err();
    let engine = PostgresEngine::new(place.clone(), Interrupt::default());
    for text in [place.to_string(), format!("{place:?} {engine:?}"), error.to_string(), format!("{error:?}")]
    {
        assert!(!text.contains("wrong-secret") && !text.contains("ng-secret"), "{text}");
    }
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    assert!(!error.is_passing(), "nobody but the operator can help");
    // The right one, from a file.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, server.tcp_url("localhost", "secret", "?application_name=x") + "\n").unwrap();
    let place = Place::parse(&format!("file:{}", file.display())).unwrap();
    assert!(!format!("{place} {place:?}").contains(PASSWORD));
    postgres_reader(&place, &Interrupt::default()).unwrap();
    let error = Place::parse(&wrong).unwrap_err().to_string();
    assert!(error.contains("file:PATH") && !error.contains("secret"), "{error}");
}
