//! Rows into tables: COPY for what is new, arrays for what may be there. Rows that several nodes change are taken in the order of
//! their keys, table by table in one order, so that no two transactions wait for each other in a circle.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::pin::Pin;

use bytes::{BufMut, BytesMut};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{CopyInSink, Error};
use uuid::Uuid;

use super::connection::Link;
use super::decision;
use crate::rows::{COUNTERS, EventNo, EventRow, LatencyRow, RefRow, RollupRow, Rows, key_no};

pub(super) async fn write(link: &Link, rows: &Rows) -> Result<(), Error> {
    events(link, &rows.events).await?;
    refs(link, &rows.refs).await?;
    decision::insert(link, &rows.inserted).await?;
    decision::update(link, &rows.updated).await?;
    small(link, rows).await?;
    rollups(link, "rollup_minute", &rows.minutes).await?;
    rollups(link, "rollup_hour", &rows.hours).await?;
    latencies(link, "latency_minute", &rows.latency_minutes).await?;
    latencies(link, "latency_hour", &rows.latency_hours).await
}

/// A COPY under way.
pub(super) struct Copy(Pin<Box<BinaryCopyInWriter>>);

impl Copy {
    pub(super) async fn begin(link: &Link, table: &str, columns: &[(&str, Type)]) -> Result<Self, Error> {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let types: Vec<Type> = columns.iter().map(|(_, r#type)| r#type.clone()).collect();
        let sql = format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", names.join(", "));
        let statement = link.statement(&sql).await?;
        let sink: CopyInSink<bytes::Bytes> = link.client.copy_in(&statement).await?;
        Ok(Self(Box::pin(BinaryCopyInWriter::new(sink, &types))))
    }

    pub(super) async fn row(&mut self, values: &[&(dyn ToSql + Sync)]) -> Result<(), Error> {
        self.0.as_mut().write(values).await
    }

    pub(super) async fn finish(mut self) -> Result<(), Error> {
        self.0.as_mut().finish().await.map(|_| ())
    }
}

async fn events(link: &Link, events: &[EventRow]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let columns = [
        ("no", Type::INT8),
        ("id", Type::UUID),
        ("decision", Type::INT8),
        ("common", Type::INT4),
        ("logged_ns", Type::INT8),
        ("started_ns", Type::INT8),
        ("ended_ns", Type::INT8),
        ("rest", Type::JSONB),
    ];
    let mut copy = Copy::begin(link, "event", &columns).await?;
    for event in events {
        let (id, decision) = (Uuid::from(event.id), event.decision.map(|no| no.0));
        let EventRow { no, common, logged_ns, started_ns, ended_ns, rest, .. } = event;
        copy.row(&[&no.0, &id, &decision, common, logged_ns, started_ns, ended_ns, &Jsonb(rest)]).await?;
    }
    copy.finish().await
}

async fn refs(link: &Link, refs: &[RefRow]) -> Result<(), Error> {
    if refs.is_empty() {
        return Ok(());
    }
    let columns = [
        ("event", Type::INT8),
        ("place", Type::INT4),
        ("payload", Type::UUID),
        ("ref_kind", Type::INT4),
        ("size", Type::INT8),
        ("key_id", Type::INT8),
        ("commitment", Type::BYTEA),
        ("sealed", Type::BYTEA),
        ("sha256", Type::BYTEA),
        ("first", Type::UUID),
    ];
    let mut copy = Copy::begin(link, "payload_ref", &columns).await?;
    for row in refs {
        let (payload, first, key) =
            (Uuid::from(row.payload), row.first.map(Uuid::from), row.key_id.map(key_no));
        let [commitment, sealed, sha256] = [&row.commitment, &row.sealed, &row.sha256]
            .map(|digest| digest.as_ref().map(|digest| &digest.0[..]));
        let RefRow { event, place, ref_kind, size, .. } = row;
        copy.row(&[&event.0, place, &payload, ref_kind, size, &key, &commitment, &sealed, &sha256, &first])
            .await?;
    }
    copy.finish().await
}

/// The tables of two columns, whose rows may be there already.
async fn small(link: &Link, rows: &Rows) -> Result<(), Error> {
    let no = |no: &EventNo| no.0;
    let (a, b): (Vec<i64>, Vec<i64>) = rows.continuations.iter().map(|(a, b)| (no(a), no(b))).unzip();
    pairs(link, "continuation (no, event)", ["bigint", "bigint"], &a, &b).await?;
    let (a, b): (Vec<i64>, Vec<i64>) = rows.again.iter().map(|(a, b)| (no(a), no(b))).unzip();
    pairs(link, "again (no, event)", ["bigint", "bigint"], &a, &b).await?;
    let (a, b): (Vec<Uuid>, Vec<i64>) = rows.subjects.iter().map(|(a, b)| (Uuid::from(*a), no(b))).unzip();
    pairs(link, "decision_subject (subject, decision)", ["uuid", "bigint"], &a, &b).await?;
    let (a, b): (Vec<i32>, Vec<i64>) = rows.terms.iter().map(|(a, b)| (*a, no(b))).unzip();
    pairs(link, "decision_term (term, decision)", ["integer", "bigint"], &a, &b).await?;
    let (a, b): (Vec<Uuid>, Vec<i64>) = rows.mentions.iter().map(|(a, b)| (Uuid::from(*a), no(b))).unzip();
    pairs(link, "mention (decision, event)", ["uuid", "bigint"], &a, &b).await
}

async fn pairs<A, B>(link: &Link, into: &str, types: [&str; 2], a: &Vec<A>, b: &Vec<B>) -> Result<(), Error>
where
    Vec<A>: ToSql + Sync,
    Vec<B>: ToSql + Sync,
{
    if a.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO {into} SELECT * FROM unnest($1::{}[], $2::{}[]) AS u(a, b) ORDER BY a, b ON CONFLICT DO NOTHING",
        types[0], types[1]
    );
    link.execute(&sql, &[a, b]).await.map(|_| ())
}

async fn rollups(link: &Link, table: &str, rows: &[RollupRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let starts: Vec<i64> = rows.iter().map(|row| row.start_ns).collect();
    let facets: Vec<i32> = rows.iter().map(|row| row.facet).collect();
    let counted =
        |row: &RollupRow| [row.decisions, row.ended, row.latency_sum_ns].into_iter().chain(row.counters.0);
    let names: Vec<&str> = ["decisions", "ended", "latency_sum_ns"].into_iter().chain(COUNTERS).collect();
    let mut counts: Vec<Vec<i64>> = vec![Vec::with_capacity(rows.len()); names.len()];
    for row in rows {
        counts.iter_mut().zip(counted(row)).for_each(|(column, count)| column.push(count));
    }
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&starts, &facets];
    parameters.extend(counts.iter().map(|column| column as &(dyn ToSql + Sync)));
    let (list, add) = (names.join(", "), sums(table, &names));
    let arrays: Vec<String> = (3..names.len() + 3).map(|at| format!("${at}::bigint[]")).collect();
    let sql = format!(
        "INSERT INTO {table} (start_ns, facet, {list}) \
         SELECT * FROM unnest($1::bigint[], $2::integer[], {}) AS u(start_ns, facet, {list}) ORDER BY start_ns, facet \
         ON CONFLICT (start_ns, facet) DO UPDATE SET {add}",
        arrays.join(", ")
    );
    link.execute(&sql, &parameters).await?;
    // What nothing is left of, as GROUP BY would not give it.
    let less: Vec<&RollupRow> = rows.iter().filter(|row| row.decisions <= 0).collect();
    if less.is_empty() {
        return Ok(());
    }
    let starts: Vec<i64> = less.iter().map(|row| row.start_ns).collect();
    let facets: Vec<i32> = less.iter().map(|row| row.facet).collect();
    let sql = format!(
        "DELETE FROM {table} r USING unnest($1::bigint[], $2::integer[]) AS u(start_ns, facet) \
         WHERE r.start_ns = u.start_ns AND r.facet = u.facet AND r.decisions = 0"
    );
    link.execute(&sql, &[&starts, &facets]).await.map(|_| ())
}

async fn latencies(link: &Link, table: &str, rows: &[LatencyRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let starts: Vec<i64> = rows.iter().map(|row| row.start_ns).collect();
    let facets: Vec<i32> = rows.iter().map(|row| row.facet).collect();
    let buckets: Vec<i32> = rows.iter().map(|row| row.bucket).collect();
    let counts: Vec<i64> = rows.iter().map(|row| row.decisions).collect();
    let add = sums(table, &["decisions"]);
    let sql = format!(
        "INSERT INTO {table} (start_ns, facet, bucket, decisions) \
         SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bigint[]) AS u(s, f, b, d) ORDER BY s, f, b \
         ON CONFLICT (start_ns, facet, bucket) DO UPDATE SET {add}"
    );
    link.execute(&sql, &[&starts, &facets, &buckets, &counts]).await?;
    if counts.iter().all(|count| *count > 0) {
        return Ok(());
    }
    let sql = format!(
        "DELETE FROM {table} r USING unnest($1::bigint[], $2::integer[], $3::integer[]) AS u(s, f, b) \
         WHERE r.start_ns = u.s AND r.facet = u.f AND r.bucket = u.b AND r.decisions = 0"
    );
    link.execute(&sql, &[&starts, &facets, &buckets]).await.map(|_| ())
}

fn sums(table: &str, names: &[&str]) -> String {
    let sums: Vec<String> =
        names.iter().map(|name| format!("{name} = {table}.{name} + excluded.{name}")).collect();
    sums.join(", ")
}

/// JSON text, as `jsonb` takes it.
#[derive(Debug)]
struct Jsonb<'a>(&'a str);

impl ToSql for Jsonb<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        // The format's version, then text.
        out.put_u8(1);
        out.put_slice(without_nul(self.0).as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(r#type: &Type) -> bool {
        *r#type == Type::JSONB
    }

    to_sql_checked!();
}

/// JSON in which U+0000, which `jsonb` refuses, is U+FFFD. Entries have no such text; a log that says otherwise is followed all
/// the same.
pub(super) fn without_nul(json: &str) -> Cow<'_, str> {
    if !json.contains("\\u0000") {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        safe.push_str(before);
        // An escape is a backslash and a character: one that escapes a backslash begins nothing after it.
        let taken = if escape.starts_with("\\u0000") {
            safe.push_str("\\ufffd");
            6
        } else {
            let taken = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
            safe.push_str(&escape[..taken]);
            taken
        };
        rest = &escape[taken..];
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_nul_is_replaced_and_nothing_that_looks_like_one() {
        let table = [
            (r#"{"a":"x"}"#, r#"{"a":"x"}"#),
            (r#"{"a":"\u0000"}"#, r#"{"a":"\ufffd"}"#),
            (r#"{"a":"\\u0000"}"#, r#"{"a":"\\u0000"}"#),
            (r#"{"a":"\\\u0000é\"\u0000"}"#, r#"{"a":"\\\ufffdé\"\ufffd"}"#),
            (r#"\u0000\"#, r#"\ufffd\"#),
        ];
        for (json, expected) in table {
            assert_eq!(without_nul(json), expected);
        }
    }
}
