//! Identifiers and content: written unless they are erased or purged, and deleted so that the file holds them no more.

use rusqlite::{Connection, Result, params};

use crate::removal::{Erasure, PurgedPayloads};
use crate::rows::{ClearContent, EventNo, Identifier};

const TABLES: [&str; 2] = ["identifier", "content"];

/// Of rows `x`, those under no erased key, of no decision about an erased person unless the key was withheld, and not purged.
pub(super) const ALLOWED: &str = "NOT EXISTS (SELECT 1 FROM erased_key e WHERE e.key_id = x.key_id)
     AND NOT EXISTS (SELECT 1 FROM decision_subject s JOIN erased_subject e USING (subject) WHERE s.decision = x.decision
       AND NOT EXISTS (SELECT 1 FROM withheld_key w WHERE w.intent = e.intent AND w.key_id = x.key_id))
     AND NOT EXISTS (SELECT 1 FROM purged p WHERE p.class = x.class AND p.first <= x.event AND p.last >= x.event)";

pub(super) fn identify(
    connection: &Connection,
    identifiers: &[Identifier],
    contents: &[ClearContent],
) -> Result<()> {
    let sql = format!(
        "INSERT OR IGNORE INTO identifier (event, digest, decision, class, key_id) SELECT * FROM
         (SELECT ?1 AS event, ?2 AS digest, ?3 AS decision, ?4 AS class, ?5 AS key_id) x WHERE {ALLOWED}"
    );
    let mut insert = connection.prepare_cached(&sql)?;
    for row in identifiers {
        insert.execute(params![row.event.0, &row.digest[..], row.decision.0, row.class, row.key.0])?;
    }
    let sql = format!(
        "INSERT OR IGNORE INTO content (payload, decision, event, class, key_id, content) SELECT * FROM
         (SELECT ?1 AS payload, ?2 AS decision, ?3 AS event, ?4 AS class, ?5 AS key_id, ?6 AS content) x WHERE {ALLOWED}"
    );
    let mut insert = connection.prepare_cached(&sql)?;
    for row in contents {
        let payload = &row.payload.as_bytes()[..];
        insert.execute(params![payload, row.decision.0, row.event.0, row.class, row.key.0, row.content])?;
    }
    Ok(())
}

pub(super) fn erase(connection: &Connection, erasures: &[Erasure]) -> Result<()> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql)?.execute(values).map(|_| ())
    };
    for erasure in erasures {
        let intent = &erasure.intent.as_bytes()[..];
        for key in &erasure.keys {
            match erasure.is_withheld {
                true => run(
                    "INSERT OR IGNORE INTO withheld_key (intent, key_id) VALUES (?1, ?2)",
                    &[&intent, &key.0],
                )?,
                false => run("INSERT OR IGNORE INTO erased_key (key_id) VALUES (?1)", &[&key.0])?,
            }
        }
        for subject in erasure.subjects.iter().filter(|_| !erasure.is_withheld) {
            let subject = &subject.as_bytes()[..];
            run(
                "INSERT OR IGNORE INTO erased_subject (subject, intent) VALUES (?1, ?2)",
                &[&subject, &intent],
            )?;
        }
    }
    for table in TABLES {
        if holds_erased(connection, table, erasures)? {
            rewrite(connection, table, ALLOWED)?;
        }
    }
    Ok(())
}

/// Whether the table holds what these erasures concern and is not allowed.
fn holds_erased(connection: &Connection, table: &str, erasures: &[Erasure]) -> Result<bool> {
    let by_key = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE key_id = ?1)");
    let by_subject = format!(
        "SELECT EXISTS (SELECT 1 FROM decision_subject d JOIN {table} x ON x.decision = d.decision
         WHERE d.subject = ?1 AND NOT ({ALLOWED}))"
    );
    for erasure in erasures.iter().filter(|erasure| !erasure.is_withheld) {
        let mut holds = connection.prepare_cached(&by_key)?;
        for key in &erasure.keys {
            if holds.query_row([key.0], |row| row.get(0))? {
                return Ok(true);
            }
        }
        let mut holds = connection.prepare_cached(&by_subject)?;
        for subject in &erasure.subjects {
            if holds.query_row([&subject.as_bytes()[..]], |row| row.get(0))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A deleted cell is overwritten (`secure_delete`), but a page that was balanced may hold an older copy of it where nothing looks. So
/// what is kept is copied, and the table emptied: its pages are then free ones, which are overwritten as a whole.
fn rewrite(connection: &Connection, table: &str, kept: &str) -> Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE inferlog_kept AS SELECT * FROM {table} x WHERE {kept};
         DELETE FROM {table};
         INSERT INTO {table} SELECT * FROM inferlog_kept;
         DROP TABLE inferlog_kept;"
    ))
}

pub(super) fn purge(connection: &Connection, payloads: &[PurgedPayloads]) -> Result<()> {
    for PurgedPayloads { class, first, last } in payloads {
        let touching = "FROM purged WHERE class = ?1 AND first <= ?3 + 1 AND last >= ?2 - 1";
        let sql = format!("SELECT min(min(first), ?2), max(max(last), ?3) {touching}");
        let range =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?));
        let (from, to) =
            connection.prepare_cached(&sql)?.query_row(params![class, first.0, last.0], range)?;
        let (from, to) = (from.unwrap_or(first.0), to.unwrap_or(last.0));
        connection.prepare_cached(&format!("DELETE {touching}"))?.execute(params![class, first.0, last.0])?;
        connection
            .prepare_cached("INSERT INTO purged (class, first, last) VALUES (?1, ?2, ?3)")?
            .execute(params![class, from, to])?;
    }
    for table in TABLES {
        let holds =
            format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE class = ?1 AND event BETWEEN ?2 AND ?3)");
        for PurgedPayloads { class, first, last } in payloads {
            if connection
                .prepare_cached(&holds)?
                .query_row(params![class, first.0, last.0], |row| row.get(0))?
            {
                rewrite(connection, table, ALLOWED)?;
            }
        }
    }
    Ok(())
}

pub(super) fn forget(connection: &Connection, ranges: &[(EventNo, EventNo)]) -> Result<()> {
    for table in TABLES {
        let mut delete =
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE event BETWEEN ?1 AND ?2"))?;
        let mut deleted = 0;
        for (first, last) in ranges {
            deleted += delete.execute([first.0, last.0])?;
        }
        if deleted > 0 {
            rewrite(connection, table, "TRUE")?;
        }
    }
    Ok(())
}
