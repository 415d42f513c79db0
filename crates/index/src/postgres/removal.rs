//! What stands where, and deleting it: for purges of entries.

use inferlog_record::Id;
use tokio_postgres::Error;
use uuid::Uuid;

use super::connection::Link;
use crate::removal::{Place, PurgeDue};
use crate::rows::EventNo;

pub(super) async fn announce(link: &Link, due: &[PurgeDue]) -> Result<(), Error> {
    for due in due {
        let sql = "INSERT INTO purge_due (event, last) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        link.execute(sql, &[&due.event.0, &(due.last as i64)]).await?;
    }
    Ok(())
}

pub(super) async fn due(link: &Link) -> Result<Vec<PurgeDue>, Error> {
    let rows = link.query("SELECT event, last FROM purge_due ORDER BY event", &[]).await?;
    let due = |row: &tokio_postgres::Row| {
        Ok(PurgeDue { event: EventNo(row.try_get(0)?), last: row.try_get::<_, i64>(1)? as u64 })
    };
    rows.iter().map(due).collect()
}

pub(super) async fn done(link: &Link, due: PurgeDue) -> Result<(), Error> {
    link.execute("DELETE FROM purge_due WHERE event = $1", &[&due.event.0]).await.map(|_| ())
}

pub(super) async fn next_place(link: &Link, range: (EventNo, EventNo)) -> Result<Option<EventNo>, Error> {
    let first = |table| format!("(SELECT no FROM {table} WHERE no BETWEEN $1 AND $2 ORDER BY no LIMIT 1)");
    let sql = ["event", "continuation", "again"].map(first).join(" UNION ALL ");
    let rows = link.query(&format!("{sql} ORDER BY 1 LIMIT 1"), &[&range.0.0, &range.1.0]).await?;
    rows.first().map(|row| row.try_get(0).map(EventNo)).transpose()
}

pub(super) async fn places(link: &Link, range: (EventNo, EventNo)) -> Result<Vec<Place>, Error> {
    const SQL: &str = "SELECT e.no, e.no, coalesce(d.id, m.decision), false FROM event e \
         JOIN common c USING (common) LEFT JOIN decision d ON d.no = e.decision \
         LEFT JOIN mention m ON m.event = e.no AND c.kind = 'alert' WHERE e.no BETWEEN $1 AND $2 \
       UNION ALL SELECT n.no, n.event, d.id, false FROM continuation n \
         JOIN event e ON e.no = n.event LEFT JOIN decision d ON d.no = e.decision WHERE n.no BETWEEN $1 AND $2 \
       UNION ALL SELECT n.no, n.event, d.id, true FROM again n \
         LEFT JOIN event e ON e.no = n.event LEFT JOIN decision d ON d.no = e.decision WHERE n.no BETWEEN $1 AND $2 \
       ORDER BY 1";
    let rows = link.query(SQL, &[&range.0.0, &range.1.0]).await?;
    let place = |row: &tokio_postgres::Row| {
        let decision: Option<Uuid> = row.try_get(2)?;
        Ok(Place {
            no: EventNo(row.try_get(0)?),
            event: EventNo(row.try_get(1)?),
            decision: decision.and_then(|id| Id::try_from(id).ok()),
            is_again: row.try_get(3)?,
        })
    };
    rows.iter().map(place).collect()
}

pub(super) async fn places_of(
    link: &Link,
    decisions: &[Id],
    events: &[EventNo],
) -> Result<Vec<EventNo>, Error> {
    const SQL: &str = "WITH of AS (SELECT e.no FROM decision d JOIN event e ON e.decision = d.no WHERE d.id = ANY($1) \
         UNION SELECT e.no FROM mention m JOIN event e ON e.no = m.event JOIN common c USING (common) \
           WHERE m.decision = ANY($1) AND c.kind = 'alert' \
         UNION SELECT unnest($2::bigint[])) \
       SELECT e.no FROM of JOIN event e USING (no) \
       UNION SELECT n.no FROM of JOIN continuation n ON n.event = of.no \
       UNION SELECT n.no FROM of JOIN again n ON n.event = of.no ORDER BY 1";
    let decisions: Vec<Uuid> = decisions.iter().map(|id| Uuid::from(*id)).collect();
    let events: Vec<i64> = events.iter().map(|no| no.0).collect();
    let rows = link.query(SQL, &[&decisions, &events]).await?;
    rows.iter().map(|row| row.try_get(0).map(EventNo)).collect()
}

pub(super) async fn unwrite(link: &Link, entries: &[EventNo], decisions: &[EventNo]) -> Result<(), Error> {
    let (first, last): (Vec<i64>, Vec<i64>) = entries
        .iter()
        .map(|entry| {
            let (first, last) = entry.entry();
            (first.0, last.0)
        })
        .unzip();
    let tables = [
        ("event", "no"),
        ("payload_ref", "event"),
        ("mention", "event"),
        ("continuation", "no"),
        ("again", "no"),
    ];
    for (table, column) in tables {
        let sql = format!(
            "DELETE FROM {table} x USING unnest($1::bigint[], $2::bigint[]) AS r(first, last) \
             WHERE x.{column} BETWEEN r.first AND r.last"
        );
        link.execute(&sql, &[&first, &last]).await?;
    }
    let decisions: Vec<i64> = decisions.iter().map(|no| no.0).collect();
    for (table, column) in
        [("decision", "no"), ("decision_subject", "decision"), ("decision_term", "decision")]
    {
        let sql = format!("DELETE FROM {table} WHERE {column} = ANY($1)");
        link.execute(&sql, &[&decisions]).await?;
    }
    Ok(())
}

pub(super) async fn renumber(link: &Link, decisions: &[(EventNo, EventNo)]) -> Result<(), Error> {
    if decisions.is_empty() {
        return Ok(());
    }
    let (from, to): (Vec<i64>, Vec<i64>) = decisions.iter().map(|(from, to)| (from.0, to.0)).unzip();
    for table in ["identifier", "content"] {
        let sql = format!(
            "UPDATE {table} x SET decision = u.b FROM unnest($1::bigint[], $2::bigint[]) AS u(a, b) WHERE x.decision = u.a"
        );
        link.execute(&sql, &[&from, &to]).await?;
    }
    Ok(())
}

/// Flushes what was committed, where the database was told that commits need not be. Files that a rewrite replaced were emptied
/// with its commit.
pub(super) async fn settle(link: &Link) -> Result<(), Error> {
    let row = link.client.query_one("SHOW synchronous_commit", &[]).await?;
    if row.get::<_, &str>(0) != "off" {
        return Ok(());
    }
    // A commit that is flushed flushes those before it.
    let flush =
        "BEGIN; SET LOCAL synchronous_commit = local; UPDATE inferlog_schema SET cleared = cleared; COMMIT";
    link.client.batch_execute(flush).await
}
