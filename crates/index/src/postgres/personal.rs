//! Identifiers and content: written unless they are erased or purged, and deleted so that the tables' files hold them no more.

use tokio_postgres::Error;
use uuid::Uuid;

use super::connection::Link;
use super::write::without_nul;
use crate::removal::{Erasure, PurgedPayloads};
use crate::rows::{ClearContent, EventNo, Identifier};

/// Of rows `x`, those under no erased key, of no decision about an erased person unless the key was withheld, and not purged. A condition
/// each, for the planner makes a join of each.
const ALLOWED: &str = "NOT EXISTS (SELECT 1 FROM erased_key e WHERE e.key_id = x.key_id) \
     AND NOT EXISTS (SELECT 1 FROM decision_subject s JOIN erased_subject e USING (subject) WHERE s.decision = x.decision \
       AND NOT EXISTS (SELECT 1 FROM withheld_key w WHERE w.intent = e.intent AND w.key_id = x.key_id)) \
     AND NOT EXISTS (SELECT 1 FROM purged p WHERE p.class = x.class AND p.first <= x.event AND p.last >= x.event)";

const TABLES: [&str; 2] = ["identifier", "content"];

pub(super) async fn identify(
    link: &Link,
    identifiers: &[Identifier],
    contents: &[ClearContent],
) -> Result<(), Error> {
    if identifiers.is_empty() && contents.is_empty() {
        return Ok(());
    }
    // An erasure under way is waited for here, so that the statements below see what it erased.
    link.client.batch_execute("LOCK TABLE identifier, content IN ROW EXCLUSIVE MODE").await?;
    if !identifiers.is_empty() {
        let events: Vec<i64> = identifiers.iter().map(|row| row.event.0).collect();
        let digests: Vec<&[u8]> = identifiers.iter().map(|row| &row.digest[..]).collect();
        let decisions: Vec<i64> = identifiers.iter().map(|row| row.decision.0).collect();
        let classes: Vec<i32> = identifiers.iter().map(|row| row.class).collect();
        let keys: Vec<i64> = identifiers.iter().map(|row| row.key.0).collect();
        let sql = format!(
            "INSERT INTO identifier (event, digest, decision, class, key_id) \
             SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::integer[], $5::bigint[]) \
             AS x(event, digest, decision, class, key_id) \
             WHERE {ALLOWED} ORDER BY event, digest ON CONFLICT DO NOTHING"
        );
        link.execute(&sql, &[&events, &digests, &decisions, &classes, &keys]).await?;
    }
    if !contents.is_empty() {
        let payloads: Vec<Uuid> = contents.iter().map(|row| Uuid::from(row.payload)).collect();
        let decisions: Vec<i64> = contents.iter().map(|row| row.decision.0).collect();
        let events: Vec<i64> = contents.iter().map(|row| row.event.0).collect();
        let classes: Vec<i32> = contents.iter().map(|row| row.class).collect();
        let keys: Vec<i64> = contents.iter().map(|row| row.key.0).collect();
        let texts: Vec<_> = contents.iter().map(|row| without_nul(&row.content).into_owned()).collect();
        let sql = format!(
            "INSERT INTO content (payload, decision, event, class, key_id, content) \
             SELECT payload, decision, event, class, key_id, content::jsonb \
             FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::integer[], $5::bigint[], $6::text[]) \
             AS x(payload, decision, event, class, key_id, content) \
             WHERE {ALLOWED} ORDER BY payload ON CONFLICT DO NOTHING"
        );
        link.execute(&sql, &[&payloads, &decisions, &events, &classes, &keys, &texts]).await?;
    }
    Ok(())
}

/// Keeps others from writing what is about to be deleted, and lets the statements that follow take their time.
async fn lock(link: &Link) -> Result<(), Error> {
    link.client
        .batch_execute(
            "LOCK TABLE identifier, content IN ACCESS EXCLUSIVE MODE; SET LOCAL statement_timeout = 0; \
             SET LOCAL synchronous_commit = on",
        )
        .await
}

pub(super) async fn erase(link: &Link, erasures: &[Erasure]) -> Result<(), Error> {
    if erasures.is_empty() {
        return Ok(());
    }
    lock(link).await?;
    let mut new = 0;
    for erasure in erasures {
        let intent = Uuid::from(erasure.intent);
        let keys: Vec<i64> = erasure.keys.iter().map(|key| key.0).collect();
        if erasure.is_withheld {
            let sql = "INSERT INTO withheld_key SELECT DISTINCT $1::uuid, k FROM unnest($2::bigint[]) AS k ON CONFLICT DO NOTHING";
            link.execute(sql, &[&intent, &keys]).await?;
            continue;
        }
        let subjects: Vec<Uuid> = erasure.subjects.iter().map(|subject| Uuid::from(*subject)).collect();
        let sql = "INSERT INTO erased_subject SELECT DISTINCT s, $2::uuid FROM unnest($1::uuid[]) AS s ON CONFLICT DO NOTHING";
        new += link.execute(sql, &[&subjects, &intent]).await?;
        let sql = "INSERT INTO erased_key SELECT DISTINCT * FROM unnest($1::bigint[]) ON CONFLICT DO NOTHING";
        new += link.execute(sql, &[&keys]).await?;
    }
    for table in TABLES {
        // What was erased before was kept out since; but a person may have become known as one whom a decision is about.
        if new > 0 || holds_erased(link, table, erasures).await? {
            rewrite(link, table, ALLOWED).await?;
        }
    }
    Ok(())
}

async fn holds_erased(link: &Link, table: &str, erasures: &[Erasure]) -> Result<bool, Error> {
    let erasures = erasures.iter().filter(|erasure| !erasure.is_withheld);
    let (mut subjects, mut keys) = (Vec::new(), Vec::new());
    for erasure in erasures {
        subjects.extend(erasure.subjects.iter().map(|subject| Uuid::from(*subject)));
        keys.extend(erasure.keys.iter().map(|key| key.0));
    }
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {table} WHERE key_id = ANY($1)) OR EXISTS (SELECT 1 FROM decision_subject d \
         JOIN {table} x ON x.decision = d.decision WHERE d.subject = ANY($2) AND NOT ({ALLOWED}))"
    );
    let rows = link.query(&sql, &[&keys, &subjects]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Leaves of a table what is kept.
///
/// A DELETE, and even a VACUUM, would leave the bytes in the pages; so would what a rolled back transaction wrote. What is kept is
/// therefore copied, the table, its indexes and its TOAST table get new files by TRUNCATE, and the old files are deleted at the
/// commit. Until then a crash leaves everything as it was, the cursor included.
async fn rewrite(link: &Link, table: &str, kept: &str) -> Result<(), Error> {
    let size = link.client.query_one("SELECT pg_relation_size(to_regclass($1))", &[&table]).await?;
    if size.get::<_, i64>(0) == 0 {
        return Ok(());
    }
    let rewrite = format!(
        "CREATE TEMP TABLE inferlog_kept ON COMMIT DROP AS SELECT * FROM {table} x WHERE {kept}; \
         TRUNCATE {table}; \
         INSERT INTO {table} SELECT * FROM pg_temp.inferlog_kept; \
         DROP TABLE pg_temp.inferlog_kept"
    );
    link.client.batch_execute(&rewrite).await
}

pub(super) async fn purge(link: &Link, payloads: &[PurgedPayloads]) -> Result<(), Error> {
    if payloads.is_empty() {
        return Ok(());
    }
    lock(link).await?;
    let mut is_new = false;
    for PurgedPayloads { class, first, last } in payloads {
        let within = "SELECT 1 FROM purged WHERE class = $1 AND first <= $2 AND last >= $3";
        if !link.query(within, &[class, &first.0, &last.0]).await?.is_empty() {
            continue;
        }
        is_new = true;
        let sql = "WITH touching AS (DELETE FROM purged WHERE class = $1 AND first <= $3::bigint + 1 AND last >= $2::bigint - 1 RETURNING first, last) \
             SELECT least(min(first), $2::bigint), greatest(max(last), $3::bigint) FROM touching";
        let rows = link.query(sql, &[class, &first.0, &last.0]).await?;
        let bound = |at: usize, own: i64| rows.first().map_or(own, |row| row.get::<_, i64>(at));
        let (from, to) = (bound(0, first.0), bound(1, last.0));
        link.execute("INSERT INTO purged (class, first, last) VALUES ($1, $2, $3)", &[class, &from, &to])
            .await?;
    }
    for table in TABLES.iter().filter(|_| is_new) {
        rewrite(link, table, ALLOWED).await?;
    }
    Ok(())
}

pub(super) async fn forget(link: &Link, ranges: &[(EventNo, EventNo)]) -> Result<(), Error> {
    lock(link).await?;
    let (first, last): (Vec<i64>, Vec<i64>) = ranges.iter().map(|(first, last)| (first.0, last.0)).unzip();
    for table in TABLES {
        let sql = format!(
            "DELETE FROM {table} x USING unnest($1::bigint[], $2::bigint[]) AS r(first, last) \
             WHERE x.event BETWEEN r.first AND r.last"
        );
        if link.execute(&sql, &[&first, &last]).await? > 0 {
            rewrite(link, table, "TRUE").await?;
        }
    }
    Ok(())
}
