//! Rows into tables: one prepared statement for each table, rows in the order of its key.

use rusqlite::{Connection, Result, Statement, params};

use crate::rows::{
    COUNTERS, Counters, DecisionRow, EventNo, EventRow, LatencyRow, RefRow, RollupRow, Rows, key_no,
};

/// Statements that name every counter, made once.
#[derive(Debug)]
pub(super) struct Sql {
    pub(super) load: String,
    insert: String,
    update: String,
    minute: String,
    hour: String,
}

/// Columns of `decision` before and after the counters.
const HEAD: [&str; 7] = ["no", "id", "facet", "session", "started_ns", "ended_ns", "time_to_first_byte_ns"];
const TAIL: [&str; 4] = ["opened_no", "model_no", "closed_no", "last_no"];

impl Sql {
    pub(super) fn new() -> Self {
        let columns: Vec<&str> = HEAD.into_iter().chain(COUNTERS).chain(TAIL).collect();
        let marks = |count: usize| vec!["?"; count].join(", ");
        let list = columns.join(", ");
        let set: Vec<String> =
            columns.iter().enumerate().map(|(at, name)| format!("{name} = ?{}", at + 1)).collect();
        let rollup = |table: &str| {
            let counters: Vec<&str> =
                ["decisions", "ended", "latency_sum_ns"].into_iter().chain(COUNTERS).collect();
            let add: Vec<String> =
                counters.iter().map(|name| format!("{name} = {name} + excluded.{name}")).collect();
            format!(
                "INSERT INTO {table} (start_ns, facet, {}) VALUES ({}) ON CONFLICT (start_ns, facet) DO UPDATE SET {}",
                counters.join(", "),
                marks(counters.len() + 2),
                add.join(", ")
            )
        };
        Self {
            load: format!("SELECT {list} FROM decision WHERE id = ?1"),
            insert: format!("INSERT INTO decision ({list}) VALUES ({})", marks(columns.len())),
            update: format!("UPDATE decision SET {} WHERE no = ?1", set.join(", ")),
            minute: rollup("rollup_minute"),
            hour: rollup("rollup_hour"),
        }
    }

    /// Reads a row that [`Sql::load`] gave; the facet's number beside it.
    pub(super) fn read(
        &self,
        row: &rusqlite::Row<'_>,
        id: inferlog_record::Id,
    ) -> Result<(DecisionRow, i32)> {
        let mut counters = Counters::default();
        for (at, counter) in counters.0.iter_mut().enumerate() {
            *counter = row.get(HEAD.len() + at)?;
        }
        let tail = HEAD.len() + COUNTERS.len();
        let session: Option<String> = row.get(3)?;
        let decision = DecisionRow {
            no: EventNo(row.get(0)?),
            id,
            facet: Default::default(),
            session: session.and_then(|text| text.parse().ok()),
            started_ns: row.get(4)?,
            ended_ns: row.get(5)?,
            time_to_first_byte_ns: row.get(6)?,
            counters,
            opened_no: row.get(tail)?,
            model_no: row.get(tail + 1)?,
            closed_no: row.get(tail + 2)?,
            last_no: row.get(tail + 3)?,
        };
        Ok((decision, row.get(2)?))
    }

    pub(super) fn write(&self, connection: &Connection, rows: &Rows) -> Result<()> {
        events(connection, &rows.events)?;
        refs(connection, &rows.refs)?;
        let mut insert = connection.prepare_cached(&self.insert)?;
        rows.inserted.iter().try_for_each(|(row, facet)| decision(&mut insert, row, *facet))?;
        let mut update = connection.prepare_cached(&self.update)?;
        rows.updated.iter().try_for_each(|(row, facet)| decision(&mut update, row, *facet))?;
        small(connection, rows)?;
        rollups(connection, &self.minute, &rows.minutes)?;
        rollups(connection, &self.hour, &rows.hours)?;
        latencies(connection, "latency_minute", &rows.latency_minutes)?;
        latencies(connection, "latency_hour", &rows.latency_hours)
    }
}

fn events(connection: &Connection, events: &[EventRow]) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (no, id, decision, common, logged_ns, started_ns, ended_ns, rest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for event in events {
        insert.execute(params![
            event.no.0,
            event.id.to_string(),
            event.decision.map(|no| no.0),
            event.common,
            event.logged_ns,
            event.started_ns,
            event.ended_ns,
            event.rest,
        ])?;
    }
    Ok(())
}

fn refs(connection: &Connection, refs: &[RefRow]) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO payload_ref (event, place, payload, ref_kind, size, key_id, commitment, sealed, sha256, first)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for row in refs {
        let digest = |digest: &Option<inferlog_record::Digest>| digest.map(|digest| digest.0);
        insert.execute(params![
            row.event.0,
            row.place,
            &row.payload.as_bytes()[..],
            row.ref_kind,
            row.size,
            row.key_id.map(key_no),
            digest(&row.commitment).as_ref().map(|digest| &digest[..]),
            digest(&row.sealed).as_ref().map(|digest| &digest[..]),
            digest(&row.sha256).as_ref().map(|digest| &digest[..]),
            row.first.as_ref().map(|first| &first.as_bytes()[..]),
        ])?;
    }
    Ok(())
}

fn decision(statement: &mut Statement<'_>, row: &DecisionRow, facet: i32) -> Result<()> {
    statement.raw_bind_parameter(1, row.no.0)?;
    statement.raw_bind_parameter(2, row.id.to_string())?;
    statement.raw_bind_parameter(3, facet)?;
    statement.raw_bind_parameter(4, row.session.map(|id| id.to_string()))?;
    statement.raw_bind_parameter(5, row.started_ns)?;
    statement.raw_bind_parameter(6, row.ended_ns)?;
    statement.raw_bind_parameter(7, row.time_to_first_byte_ns)?;
    let tail = [row.opened_no, row.model_no, row.closed_no, row.last_no];
    for (at, value) in (HEAD.len() + 1..).zip(row.counters.0.iter().chain(&tail)) {
        statement.raw_bind_parameter(at, value)?;
    }
    statement.raw_execute().map(|_| ())
}

/// The tables of few columns, whose rows may be there already.
fn small(connection: &Connection, rows: &Rows) -> Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO continuation (no, event) VALUES (?1, ?2)")?;
    for (no, event) in &rows.continuations {
        insert.execute([no.0, event.0])?;
    }
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO again (no, event) VALUES (?1, ?2)")?;
    for (no, event) in &rows.again {
        insert.execute([no.0, event.0])?;
    }
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO decision_subject (subject, decision) VALUES (?1, ?2)")?;
    for (subject, decision) in &rows.subjects {
        insert.execute(params![&subject.as_bytes()[..], decision.0])?;
    }
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO decision_term (term, decision) VALUES (?1, ?2)")?;
    for (term, decision) in &rows.terms {
        insert.execute(params![term, decision.0])?;
    }
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO mention (decision, event) VALUES (?1, ?2)")?;
    for (decision, event) in &rows.mentions {
        insert.execute(params![decision.to_string(), event.0])?;
    }
    Ok(())
}

fn rollups(connection: &Connection, sql: &str, rows: &[RollupRow]) -> Result<()> {
    let mut add = connection.prepare_cached(sql)?;
    for row in rows {
        add.raw_bind_parameter(1, row.start_ns)?;
        add.raw_bind_parameter(2, row.facet)?;
        let counts = [row.decisions, row.ended, row.latency_sum_ns];
        for (at, value) in (3..).zip(counts.iter().chain(&row.counters.0)) {
            add.raw_bind_parameter(at, value)?;
        }
        add.raw_execute()?;
    }
    // What nothing is left of, as GROUP BY would not give it.
    let table = if sql.contains("rollup_minute") { "rollup_minute" } else { "rollup_hour" };
    let sql = format!("DELETE FROM {table} WHERE start_ns = ?1 AND facet = ?2 AND decisions = 0");
    let mut empty = connection.prepare_cached(&sql)?;
    for row in rows.iter().filter(|row| row.decisions <= 0) {
        empty.execute(params![row.start_ns, row.facet])?;
    }
    Ok(())
}

fn latencies(connection: &Connection, table: &str, rows: &[LatencyRow]) -> Result<()> {
    let sql = format!(
        "INSERT INTO {table} (start_ns, facet, bucket, decisions) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (start_ns, facet, bucket) DO UPDATE SET decisions = decisions + excluded.decisions"
    );
    let mut add = connection.prepare_cached(&sql)?;
    for row in rows {
        add.execute(params![row.start_ns, row.facet, row.bucket, row.decisions])?;
    }
    let sql =
        format!("DELETE FROM {table} WHERE start_ns = ?1 AND facet = ?2 AND bucket = ?3 AND decisions = 0");
    let mut empty = connection.prepare_cached(&sql)?;
    for row in rows.iter().filter(|row| row.decisions < 0) {
        empty.execute(params![row.start_ns, row.facet, row.bucket])?;
    }
    Ok(())
}
