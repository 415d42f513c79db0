//! What stands where, and deleting it: for purges of entries.

use std::collections::BTreeSet;

use inferlog_record::Id;
use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::removal::{Place, PurgeDue};
use crate::rows::EventNo;

pub(super) fn announce(connection: &Connection, due: &[PurgeDue]) -> Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO purge_due (event, last) VALUES (?1, ?2)")?;
    due.iter().try_for_each(|due| insert.execute([due.event.0, due.last as i64]).map(|_| ()))
}

pub(super) fn due(connection: &Connection) -> Result<Vec<PurgeDue>> {
    let mut select = connection.prepare_cached("SELECT event, last FROM purge_due ORDER BY event")?;
    let due = |row: &rusqlite::Row<'_>| {
        Ok(PurgeDue { event: EventNo(row.get(0)?), last: row.get::<_, i64>(1)? as u64 })
    };
    select.query_map([], due)?.collect()
}

pub(super) fn done(connection: &Connection, due: PurgeDue) -> Result<()> {
    connection.prepare_cached("DELETE FROM purge_due WHERE event = ?1")?.execute([due.event.0]).map(|_| ())
}

/// The tables by whose numbers places go.
const PLACES: [&str; 3] = ["event", "continuation", "again"];

pub(super) fn next_place(connection: &Connection, range: (EventNo, EventNo)) -> Result<Option<EventNo>> {
    let mut first = None;
    for table in PLACES {
        let sql = format!("SELECT no FROM {table} WHERE no BETWEEN ?1 AND ?2 ORDER BY no LIMIT 1");
        let mut select = connection.prepare_cached(&sql)?;
        let no = select.query_row([range.0.0, range.1.0], |row| row.get(0)).optional()?.map(EventNo);
        first = [first, no].into_iter().flatten().min();
    }
    Ok(first)
}

pub(super) fn places(connection: &Connection, range: (EventNo, EventNo)) -> Result<Vec<Place>> {
    const SQL: &str = "SELECT e.no, e.no, coalesce(d.id, m.decision), 0 FROM event e
         JOIN common c USING (common) LEFT JOIN decision d ON d.no = e.decision
         LEFT JOIN mention m ON m.event = e.no AND c.kind = 'alert' WHERE e.no BETWEEN ?1 AND ?2
       UNION ALL SELECT n.no, n.event, d.id, 0 FROM continuation n
         JOIN event e ON e.no = n.event LEFT JOIN decision d ON d.no = e.decision WHERE n.no BETWEEN ?1 AND ?2
       UNION ALL SELECT n.no, n.event, d.id, 1 FROM again n
         LEFT JOIN event e ON e.no = n.event LEFT JOIN decision d ON d.no = e.decision WHERE n.no BETWEEN ?1 AND ?2
       ORDER BY 1";
    let mut select = connection.prepare_cached(SQL)?;
    let rows = select.query_map([range.0.0, range.1.0], |row| {
        let decision: Option<String> = row.get(2)?;
        Ok(Place {
            no: EventNo(row.get(0)?),
            event: EventNo(row.get(1)?),
            decision: decision.and_then(|id| id.parse().ok()),
            is_again: row.get(3)?,
        })
    })?;
    rows.collect()
}

pub(super) fn places_of(
    connection: &Connection,
    decisions: &[Id],
    events: &[EventNo],
) -> Result<Vec<EventNo>> {
    let mut found = BTreeSet::new();
    let mut collect = |sql: &str, of: &dyn rusqlite::ToSql| -> Result<()> {
        let mut select = connection.prepare_cached(sql)?;
        for no in select.query_map([of], |row| row.get(0))? {
            found.insert(EventNo(no?));
        }
        Ok(())
    };
    for id in decisions.iter().map(Id::to_string) {
        collect("SELECT e.no FROM decision d JOIN event e ON e.decision = d.no WHERE d.id = ?1", &id)?;
        for table in ["continuation", "again"] {
            let sql = format!(
                "SELECT n.no FROM decision d JOIN event e ON e.decision = d.no JOIN {table} n ON n.event = e.no WHERE d.id = ?1"
            );
            collect(&sql, &id)?;
        }
        let alarms = "SELECT e.no FROM mention m JOIN event e ON e.no = m.event JOIN common c USING (common)
             WHERE m.decision = ?1 AND c.kind = 'alert'";
        collect(alarms, &id)?;
    }
    for event in events {
        for sql in [
            "SELECT no FROM event WHERE no = ?1",
            "SELECT no FROM continuation WHERE event = ?1",
            "SELECT no FROM again WHERE event = ?1",
        ] {
            collect(sql, &event.0)?;
        }
    }
    Ok(found.into_iter().collect())
}

pub(super) fn unwrite(connection: &Connection, entries: &[EventNo], decisions: &[EventNo]) -> Result<()> {
    let tables = [
        ("event", "no"),
        ("payload_ref", "event"),
        ("mention", "event"),
        ("continuation", "no"),
        ("again", "no"),
    ];
    for (table, column) in tables {
        let sql = format!("DELETE FROM {table} WHERE {column} BETWEEN ?1 AND ?2");
        let mut delete = connection.prepare_cached(&sql)?;
        for entry in entries {
            let (first, last) = entry.entry();
            delete.execute([first.0, last.0])?;
        }
    }
    for (table, column) in
        [("decision", "no"), ("decision_subject", "decision"), ("decision_term", "decision")]
    {
        let mut delete = connection.prepare_cached(&format!("DELETE FROM {table} WHERE {column} = ?1"))?;
        for no in decisions {
            delete.execute([no.0])?;
        }
    }
    Ok(())
}

pub(super) fn renumber(connection: &Connection, decisions: &[(EventNo, EventNo)]) -> Result<()> {
    for table in ["identifier", "content"] {
        let sql = format!("UPDATE {table} SET decision = ?2 WHERE decision = ?1");
        let mut update = connection.prepare_cached(&sql)?;
        for (from, to) in decisions {
            update.execute(params![from.0, to.0])?;
        }
    }
    Ok(())
}
