//! Identifiers and content: written unless they are erased, and erased so that the table's files hold them no more.

use inferlog_record::{KeyId, Pseudonym};
use tokio_postgres::Error;
use uuid::Uuid;

use super::connection::Link;
use super::write::without_nul;
use crate::rows::{ClearContent, Identifier, key_no};

/// Of rows `x`, those under no erased key and of no decision about an erased person. Two conditions, for the planner makes a join of
/// each.
const KEPT: &str = "NOT EXISTS (SELECT 1 FROM erased_key e WHERE e.key_id = x.key_id) \
     AND NOT EXISTS (SELECT 1 FROM decision_subject s JOIN erased_subject e USING (subject) WHERE s.decision = x.decision)";

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
        let digests: Vec<&[u8]> = identifiers.iter().map(|row| &row.digest[..]).collect();
        let decisions: Vec<i64> = identifiers.iter().map(|row| row.decision.0).collect();
        let keys: Vec<i64> = identifiers.iter().map(|row| key_no(row.key_id)).collect();
        let sql = format!(
            "INSERT INTO identifier (digest, decision, key_id) \
             SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS x(digest, decision, key_id) \
             WHERE {KEPT} ORDER BY digest, decision, key_id ON CONFLICT DO NOTHING"
        );
        link.execute(&sql, &[&digests, &decisions, &keys]).await?;
    }
    if !contents.is_empty() {
        let payloads: Vec<Uuid> = contents.iter().map(|row| Uuid::from(row.payload)).collect();
        let decisions: Vec<i64> = contents.iter().map(|row| row.decision.0).collect();
        let keys: Vec<i64> = contents.iter().map(|row| key_no(row.key_id)).collect();
        let texts: Vec<_> = contents.iter().map(|row| without_nul(&row.content).into_owned()).collect();
        let sql = format!(
            "INSERT INTO content (payload, decision, key_id, content) SELECT payload, decision, key_id, content::jsonb \
             FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[]) AS x(payload, decision, key_id, content) \
             WHERE {KEPT} ORDER BY payload ON CONFLICT DO NOTHING"
        );
        link.execute(&sql, &[&payloads, &decisions, &keys, &texts]).await?;
    }
    Ok(())
}

/// Erases within the transaction.
///
/// A DELETE, and even a VACUUM, would leave the bytes in the pages; so would what a rolled back transaction wrote. What is kept is
/// therefore copied, the tables get new files by TRUNCATE, and the old files are deleted at the commit. Until then a crash leaves
/// everything as it was, the cursor included.
pub(super) async fn erase(link: &Link, subjects: &[Pseudonym], keys: &[KeyId]) -> Result<(), Error> {
    let subjects: Vec<Uuid> = subjects.iter().map(|subject| Uuid::from(*subject)).collect();
    let keys: Vec<i64> = keys.iter().map(|key| key_no(*key)).collect();
    link.client
        .batch_execute(
            "LOCK TABLE identifier, content IN ACCESS EXCLUSIVE MODE; SET LOCAL statement_timeout = 0",
        )
        .await?;
    let subject =
        "INSERT INTO erased_subject SELECT DISTINCT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING";
    let key = "INSERT INTO erased_key SELECT DISTINCT * FROM unnest($1::bigint[]) ON CONFLICT DO NOTHING";
    let new = link.execute(subject, &[&subjects]).await? + link.execute(key, &[&keys]).await?;
    if new == 0 {
        // Erased before, and kept out since.
        return Ok(());
    }
    for table in ["identifier", "content"] {
        let size = link.client.query_one("SELECT pg_relation_size(to_regclass($1))", &[&table]).await?;
        if size.get::<_, i64>(0) == 0 {
            continue;
        }
        let rewrite = format!(
            "CREATE TEMP TABLE inferlog_kept ON COMMIT DROP AS SELECT * FROM {table} x WHERE {KEPT}; \
             TRUNCATE {table}; \
             INSERT INTO {table} SELECT * FROM pg_temp.inferlog_kept; \
             DROP TABLE pg_temp.inferlog_kept"
        );
        link.client.batch_execute(&rewrite).await?;
    }
    Ok(())
}
