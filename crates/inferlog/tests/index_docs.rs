//! docs/index.md lists every view with every column as both engines have them, and its examples run in both. `UPDATE=1` rewrites the
//! list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "index_docs/meanings.rs"]
mod meanings;
#[path = "../../index/tests/support/postgres.rs"]
mod server;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use inferlog::generate::{Options, write};
use inferlog::real_env;
use inferlog::record::{Kind, columns};
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine, postgres_reader};
use inferlog_index::{Engine, FollowOptions, Follower, SqliteEngine};
use meanings::{MEANINGS, OTHERWISE, VIEWS};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/index.md");
/// What stands after it is generated.
const BEGIN: &str = "\n## Views\n";

/// The same log in both engines.
struct Both {
    central: inferlog_index::postgres::Connection,
    local: rusqlite::Connection,
    _dir: tempfile::TempDir,
    _server: server::Server,
}

fn both() -> Both {
    let dir = tempfile::tempdir().unwrap();
    let (data, file) = (dir.path().join("data"), dir.path().join("index.sqlite"));
    tokio::runtime::Runtime::new().unwrap().block_on(write(&data, &Options::new(2_000))).unwrap();
    follow(&data, SqliteEngine::open(&file).unwrap());
    let server = server::Server::start();
    let place = Place::parse(&server.database("docs")).unwrap();
    follow(&data, PostgresEngine::new(place.clone(), Interrupt::default()));
    let central = postgres_reader(&place, &Interrupt::default()).unwrap();
    let local = rusqlite::Connection::open(&file).unwrap();
    Both { central, local, _dir: dir, _server: server }
}

fn follow<E: Engine>(data: &Path, engine: E) {
    let mut follower = Follower::new(real_env().fs, data, engine, FollowOptions::default());
    assert!(follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap().is_complete);
}

#[test]
fn the_page_says_what_both_engines_have_and_its_examples_run() {
    let both = both();
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (head, _) = page.split_once(BEGIN).unwrap();
    examples(&both, head);
    let expected = format!("{head}{BEGIN}{}", list(&both));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &expected).unwrap();
    }
    assert!(
        std::fs::read_to_string(PAGE).unwrap() == expected,
        "docs/index.md is not what the schema says: run with UPDATE=1"
    );
}

/// Every question of the page gives rows, and as many in both engines.
fn examples(both: &Both, page: &str) {
    let questions: Vec<&str> =
        page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(questions.len() > 6, "{questions:?}");
    for question in questions {
        let central = both.central.query(question, &[]).unwrap_or_else(|error| panic!("{error}\n{question}"));
        let mut asked = both.local.prepare(question).unwrap_or_else(|error| panic!("{error}\n{question}"));
        let local = asked.query_map([], |_| Ok(())).unwrap().map(std::result::Result::unwrap).count();
        assert!(local > 0, "no rows: {question}");
        assert_eq!(central.len(), local, "{question}");
    }
}

/// All views with all columns.
fn list(both: &Both) -> String {
    let sql = "SELECT viewname::text FROM pg_views WHERE schemaname = current_schema()";
    let there: BTreeSet<String> =
        both.central.query(sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let kinds: Vec<String> =
        Kind::TEXTS.iter().map(|kind| format!("event_{}", kind.replace('.', "_"))).collect();
    let known: BTreeSet<String> =
        VIEWS.iter().map(|(view, _)| (*view).to_owned()).chain(kinds.iter().cloned()).collect();
    assert_eq!(there, known, "a view that has no meaning, or a meaning that has no view");
    let (mut page, mut used) = (String::new(), BTreeSet::new());
    for (view, meaning) in VIEWS.iter().copied() {
        writeln!(page, "\n### `{view}`\n\n{meaning}\n").unwrap();
        table(both, &mut page, view, &mut used);
    }
    writeln!(page, "\n## Views of single kinds of event\n").unwrap();
    writeln!(page, "One row an event of the kind, with the fields of its body; [record.md](record.md) says more of each. All have").unwrap();
    writeln!(page, "the columns of the first table, too.\n").unwrap();
    let common = common_columns(both, &kinds);
    rows(both, &mut page, &kinds[0], &mut used, |column| common.contains(column));
    for (view, (kind, meaning)) in kinds.iter().zip(Kind::TEXTS.iter().zip(Kind::MEANINGS)) {
        writeln!(page, "\n### `{view}`\n\n`{kind}`: {}\n", meaning.trim()).unwrap();
        rows(both, &mut page, view, &mut used, |column| !common.contains(column));
    }
    let unused: Vec<_> = MEANINGS.iter().filter(|(column, _)| !used.contains(*column)).collect();
    assert!(unused.is_empty(), "no view has these columns: {unused:?}");
    page
}

fn table(both: &Both, page: &mut String, view: &str, used: &mut BTreeSet<String>) {
    rows(both, page, view, used, |_| true);
}

/// Columns that all views of kinds have.
fn common_columns(both: &Both, kinds: &[String]) -> BTreeSet<String> {
    let of = |view: &String| -> BTreeSet<String> {
        shape(both, view).into_iter().map(|column| column.0).collect()
    };
    let mut sets = kinds.iter().map(of);
    let first = sets.next().unwrap();
    sets.fold(first, |common, other| common.intersection(&other).cloned().collect())
}

fn rows(
    both: &Both,
    page: &mut String,
    view: &str,
    used: &mut BTreeSet<String>,
    wanted: impl Fn(&str) -> bool,
) {
    let columns: Vec<_> = shape(both, view).into_iter().filter(|(name, ..)| wanted(name)).collect();
    if columns.is_empty() {
        writeln!(page, "It has no others.").unwrap();
        return;
    }
    writeln!(page, "| column | SQLite | PostgreSQL | says |\n| --- | --- | --- | --- |").unwrap();
    for (name, local, central) in columns {
        let says = meaning(view, &name, used);
        writeln!(page, "| `{name}` | {local} | {central} | {says} |").unwrap();
    }
}

fn meaning(view: &str, column: &str, used: &mut BTreeSet<String>) -> String {
    if let Some((.., says)) = OTHERWISE.iter().find(|(of, name, _)| (*of, *name) == (view, column)) {
        return (*says).to_owned();
    }
    let recorded = columns();
    let of_record = recorded.iter().find(|known| known.name == column && view.starts_with("event"));
    let listed = MEANINGS.iter().find(|(name, _)| *name == column);
    used.extend(listed.map(|(name, _)| (*name).to_owned()));
    let says = of_record.map(|known| known.doc.to_owned()).or(listed.map(|(_, says)| (*says).to_owned()));
    says.unwrap_or_else(|| panic!("{view}.{column} has no meaning: say it in index_docs/meanings.rs"))
}

/// Names and types of a view's columns, the same names in both engines; SQLite's values are of the types that are told.
fn shape(both: &Both, view: &str) -> Vec<(String, &'static str, &'static str)> {
    let statement = both.central.prepare(&format!("SELECT * FROM {view}")).unwrap();
    let central: Vec<(&str, &str)> =
        statement.columns().iter().map(|column| (column.name(), column.type_().name())).collect();
    let asked = both.local.prepare(&format!("SELECT * FROM {view}")).unwrap();
    let local: Vec<&str> = asked.column_names();
    assert_eq!(central.iter().map(|(name, _)| *name).collect::<Vec<_>>(), local, "{view}");
    let (mut columns, mut wrong) = (Vec::new(), Vec::new());
    for (name, r#type) in central {
        let (local, storage, central) = match r#type {
            "uuid" => ("TEXT, a UUID", "text", "uuid"),
            "timestamptz" => ("TEXT, RFC 3339", "text", "timestamptz"),
            "jsonb" => ("TEXT, JSON", "text", "jsonb"),
            "text" => ("TEXT", "text", "text"),
            "int4" => ("INTEGER", "integer", "integer"),
            "int8" => ("INTEGER", "integer", "bigint"),
            "numeric" => ("INTEGER", "integer", "numeric"),
            "bool" => ("INTEGER, 0 or 1", "integer", "boolean"),
            "float8" => ("REAL", "real", "double precision"),
            other => panic!("{view}.{name}: {other}"),
        };
        wrong.push(format!("typeof(\"{name}\") NOT IN ('null', '{storage}')"));
        columns.push((name.to_owned(), local, central));
    }
    let others = format!("SELECT count(*) FROM {view} WHERE {}", wrong.join(" OR "));
    let others: i64 = both.local.query_row(&others, [], |row| row.get(0)).unwrap();
    assert_eq!(others, 0, "a value of {view} is of another type: {wrong:?}");
    columns
}
