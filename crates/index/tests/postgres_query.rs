//! SQL of others in PostgreSQL, against a server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/postgres.rs"]
mod server;

use std::io;
use std::time::Duration;

use inferlog_index::Engine;
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::query::{
    Cell, Clock, Limits, QueryColumn, QueryError, QueryFault, RowSink, query_postgres,
};
use server::Server;

#[derive(Default)]
struct Kept {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl RowSink for Kept {
    fn begin(&mut self, columns: &[QueryColumn]) -> io::Result<()> {
        self.columns = columns.iter().map(|column| column.name.clone()).collect();
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.rows.push(cells);
        Ok(())
    }
}

fn ask(place: &Place, sql: &str, limits: Limits) -> Result<Kept, QueryError> {
    let (clock, mut kept) = (Clock::start(limits.time_max), Kept::default());
    let rows = query_postgres(place, sql, &limits, &clock, &mut kept)?;
    assert_eq!(rows as usize, kept.rows.len());
    Ok(kept)
}

#[test]
fn one_statement_that_reads_is_answered_and_nothing_else_is_done() {
    let server = Server::start();
    let place = Place::parse(&server.database("asked")).unwrap();
    // The schema is there once somebody has looked for logs.
    PostgresEngine::new(place.clone(), Interrupt::default()).logs().unwrap();
    let limits = Limits { time_max: Duration::from_millis(700), ..Limits::default() };
    let cells = "SELECT 1::smallint AS a, 2.5::float8 AS b, 3::numeric, 4.50::numeric, true, 'é'::text, NULL::text AS n, \
                 '0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11'::uuid, timestamptz '2026-01-31 09:30:00.5+00', date '2026-01-31', \
                 '{\"a\": 1}'::jsonb, '\\x00ff'::bytea, sum(i) FROM generate_series(1, 3) i";
    let kept = ask(&place, cells, limits).unwrap();
    assert_eq!(kept.columns[..2], ["a", "b"]);
    let text = |text: &str| Cell::Text(text.to_owned());
    assert_eq!(
        kept.rows,
        [vec![
            Cell::Integer(1),
            Cell::Real(2.5),
            Cell::Integer(3),
            Cell::Real(4.5),
            Cell::Boolean(true),
            text("é"),
            Cell::Null,
            text("0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11"),
            Cell::Timestamp(1_769_851_800_500_000_000),
            text("2026-01-31"),
            Cell::Json("{\"a\": 1}".into()),
            Cell::Bytes(vec![0, 255]),
            Cell::Integer(6),
        ]]
    );
    // Many rows come in batches, and an answer may have none.
    assert_eq!(ask(&place, "SELECT generate_series(1, 10000); ", limits).unwrap().rows.len(), 10_000);
    assert_eq!(
        ask(&place, "SELECT id, model FROM decisions -- all", limits).unwrap().columns,
        ["id", "model"]
    );
    for (sql, code, says) in [
        ("SELECT 1; SELECT 2", QueryFault::NotAllowed, "more than one statement"),
        ("DROP TABLE event", QueryFault::BadSql, "write one SELECT"),
        ("INSERT INTO log VALUES (1)", QueryFault::BadSql, "write one SELECT"),
        (
            "WITH gone AS (DELETE FROM event RETURNING 1) SELECT * FROM gone",
            QueryFault::BadSql,
            "data-modifying",
        ),
        ("SELECT nextval(pg_get_serial_sequence('x', 'y'))", QueryFault::BadSql, ""),
        ("COMMIT", QueryFault::BadSql, "write one SELECT"),
        (
            "SELECT set_config('transaction_read_only', 'off', false)",
            QueryFault::NotAllowed,
            "read-write mode",
        ),
        ("COPY event TO '/tmp/x'", QueryFault::BadSql, "write one SELECT"),
        ("SELECT pg_read_file('/etc/passwd')", QueryFault::NotAllowed, "permission denied"),
        ("SELECT startd_at FROM decisions", QueryFault::BadSql, "`started_at`"),
        ("SELECT 1 FROM decision_s", QueryFault::BadSql, "`decisions`"),
        ("SELECT interval '1 day' AS x", QueryFault::BadSql, "cast it to text"),
        ("SELECT 1 / 0", QueryFault::BadSql, "division by zero"),
        ("SELECT 1 FROM pg_sleep(60)", QueryFault::Time, "longer than 0.7 s"),
        (
            "SELECT set_config('statement_timeout', '0', false), s FROM generate_series(1, 10000) i, LATERAL (SELECT pg_sleep(0.01 + 0 * i)::text AS s) t",
            QueryFault::Time,
            "longer than 0.7 s",
        ),
    ] {
        let error = ask(&place, sql, limits).err().unwrap_or_else(|| panic!("{sql} was answered"));
        assert!(error.code == code && error.to_string().contains(says), "{sql}: {error:?}");
    }
    let error = ask(&place, "SELECT id,\n modell FROM decisions", limits).err().unwrap();
    assert_eq!(error.position, Some(12));
}
