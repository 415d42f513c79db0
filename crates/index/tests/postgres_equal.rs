//! The same log in SQLite and in PostgreSQL: the same rows in every view.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/postgres.rs"]
mod server;
mod world;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_index::postgres::tokio_postgres::types::Type;
use inferlog_index::postgres::{Connection, Interrupt, Place, PostgresEngine, postgres_reader};
use inferlog_index::{FollowOptions, Follower};
use rusqlite::types::Value;
use server::Server;
use world::{World, catch_up};

#[test]
fn every_view_says_the_same() {
    let server = Server::start();
    let place = Place::parse(&server.database("equal")).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("index.sqlite");
    let mut world = World::new();
    let entries = world::stories::stories(11, 600);
    for log in ["alpha", "beta"] {
        world.log(log);
        // One log after the other, for a decision's number is that of the first event seen of it.
        let of_log: Vec<_> = entries.iter().filter(|(name, _)| *name == log).cloned().collect();
        for part in of_log.chunks(97) {
            world.publish(part);
            catch_up(&mut world.follower(&file));
            // Two at once, in batches of another size.
            std::thread::scope(|scope| {
                let fs: Arc<dyn Fs> = Arc::new(world.fs.clone());
                for name in ["one", "two"] {
                    let (fs, place) = (Arc::clone(&fs), place.clone());
                    scope.spawn(move || follow(fs, place, name));
                }
            });
        }
    }
    let reader = postgres_reader(&place, &Interrupt::default()).unwrap();
    let sqlite = rusqlite::Connection::open(&file).unwrap();
    let views =
        reader.query("SELECT viewname::text FROM pg_views WHERE schemaname = 'public' ORDER BY 1", &[]);
    let views: Vec<String> = views.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(views.len() > 40, "{views:?}");
    let mut rows = 0;
    for view in &views {
        let (central, local) = in_both(&reader, &sqlite, view);
        assert_eq!(central.len(), local.len(), "{view}");
        for (central, local) in central.iter().zip(&local) {
            assert_eq!(central, local, "{view}");
        }
        rows += central.len();
    }
    assert!(rows > 3_000, "too little was compared: {rows}");
}

fn follow(fs: Arc<dyn Fs>, place: Place, name: &str) {
    let options = FollowOptions { name: name.to_owned(), batch_entries_max: 300, ..FollowOptions::default() };
    let engine = PostgresEngine::new(place, Interrupt::default());
    let mut follower = Follower::new(fs, Path::new("/data"), engine, options);
    loop {
        match follower.catch_up(&mut |_| ControlFlow::Continue(())) {
            Ok(caught) => return assert!(caught.is_complete),
            Err(error) => assert!(error.is_conflict(), "{error}"),
        }
    }
}

/// A view's rows in both engines, as text and sorted.
fn in_both(central: &Connection, local: &rusqlite::Connection, view: &str) -> (Vec<String>, Vec<String>) {
    let columns = central.prepare(&format!("SELECT * FROM {view}")).unwrap();
    // The numbers of shared rows depend on what was seen in between.
    let columns: Vec<(String, Type)> = columns
        .columns()
        .iter()
        .filter(|column| column.name() != "facet")
        .map(|column| (format!("\"{}\"", column.name()), column.type_().clone()))
        .collect();
    let text = |(name, r#type): &(String, Type)| match *r#type {
        Type::TIMESTAMPTZ => format!("to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"),
        Type::BOOL => format!("({name}::int)::text"),
        _ => format!("{name}::text"),
    };
    let list: Vec<String> = columns.iter().map(text).collect();
    let rows = central.query(&format!("SELECT {} FROM {view}", list.join(", ")), &[]).unwrap();
    let mut found: (Vec<String>, Vec<String>) = Default::default();
    for row in rows {
        let values = columns.iter().enumerate().map(|(at, (_, r#type))| normal(row.get(at), r#type));
        found.0.push(values.collect::<Vec<_>>().join(" | "));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let mut statement = local.prepare(&format!("SELECT {} FROM {view}", names.join(", "))).unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let value = |at: usize| match row.get(at).unwrap() {
            Value::Null => None,
            Value::Integer(number) => Some(number.to_string()),
            Value::Real(number) => Some(number.to_string()),
            Value::Text(text) => Some(text),
            Value::Blob(bytes) => panic!("{view}: bytes in a view: {bytes:?}"),
        };
        let values = columns.iter().enumerate().map(|(at, (_, r#type))| normal(value(at), r#type));
        found.1.push(values.collect::<Vec<_>>().join(" | "));
    }
    found.0.sort();
    found.1.sort();
    found
}

/// The text of a value, without what engines write differently: the order of an object's members, a moment's nanoseconds (which
/// PostgreSQL has not), a fraction's last digit.
fn normal(text: Option<String>, r#type: &Type) -> String {
    let Some(text) = text else { return "NULL".to_owned() };
    match *r#type {
        Type::JSONB => serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string(),
        Type::TIMESTAMPTZ => text[..26].to_owned(),
        Type::FLOAT8 => format!("{:.9e}", text.parse::<f64>().unwrap()),
        _ => text,
    }
}
