//! The table `decision`: read with its facet, written new or anew.

use std::collections::HashMap;

use inferlog_record::Id;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::connection::Link;
use super::write::Copy;
use crate::rows::{COUNTERS, Counters, DecisionRow, EventNo, Facet};

/// Columns before and after the counters.
const HEAD: [(&str, Type); 7] = [
    ("no", Type::INT8),
    ("id", Type::UUID),
    ("facet", Type::INT4),
    ("session", Type::UUID),
    ("started_ns", Type::INT8),
    ("ended_ns", Type::INT8),
    ("time_to_first_byte_ns", Type::INT8),
];
const TAIL: [&str; 4] = ["opened_no", "model_no", "closed_no", "last_no"];

fn columns() -> Vec<(&'static str, Type)> {
    let numbers = COUNTERS.into_iter().chain(TAIL).map(|name| (name, Type::INT8));
    HEAD.into_iter().chain(numbers).collect()
}

/// Those that are there, locked in the order of their numbers.
///
/// Two statements: one that waited for a lock sees the decision as it is then, and the facets as they were before, so that a
/// decision whose facet changed meanwhile would not be there. The second reads what the first locked and nothing that came since.
pub(super) async fn load(link: &Link, ids: &[Id]) -> Result<HashMap<Id, DecisionRow>, Error> {
    let uuids: Vec<Uuid> = ids.iter().map(|id| Uuid::from(*id)).collect();
    let lock = "SELECT no FROM decision WHERE id = ANY($1) ORDER BY no FOR UPDATE";
    let locked: Vec<i64> = link.query(lock, &[&uuids]).await?.iter().map(|row| row.get(0)).collect();
    let list: Vec<String> = columns().iter().map(|(name, _)| format!("d.{name}")).collect();
    let sql = format!(
        "SELECT {}, f.system, f.route, f.wire, f.model, f.version, f.identity, f.environment, f.outcome, f.error, \
         f.overridden FROM decision d JOIN facet f ON f.facet = d.facet WHERE d.no = ANY($1)",
        list.join(", ")
    );
    let rows = link.query(&sql, &[&locked]).await?;
    let by_uuid: HashMap<Uuid, Id> = ids.iter().map(|id| (Uuid::from(*id), *id)).collect();
    let mut found = HashMap::with_capacity(rows.len());
    for row in rows {
        let uuid: Uuid = row.try_get(1)?;
        if let Some(id) = by_uuid.get(&uuid) {
            found.insert(*id, read(&row, *id)?);
        }
    }
    Ok(found)
}

fn read(row: &Row, id: Id) -> Result<DecisionRow, Error> {
    let mut counters = Counters::default();
    for (at, counter) in counters.0.iter_mut().enumerate() {
        *counter = row.try_get(HEAD.len() + at)?;
    }
    let tail = HEAD.len() + COUNTERS.len();
    let facet = tail + TAIL.len();
    let session: Option<Uuid> = row.try_get(3)?;
    Ok(DecisionRow {
        no: EventNo(row.try_get(0)?),
        id,
        facet: Facet {
            system: row.try_get(facet)?,
            route: row.try_get(facet + 1)?,
            wire: row.try_get(facet + 2)?,
            model: row.try_get(facet + 3)?,
            version: row.try_get(facet + 4)?,
            identity: row.try_get(facet + 5)?,
            environment: row.try_get(facet + 6)?,
            outcome: row.try_get(facet + 7)?,
            error: row.try_get(facet + 8)?,
            overridden: row.try_get::<_, i32>(facet + 9)? != 0,
        },
        session: session.and_then(|session| Id::try_from(session).ok()),
        started_ns: row.try_get(4)?,
        ended_ns: row.try_get(5)?,
        time_to_first_byte_ns: row.try_get(6)?,
        counters,
        opened_no: row.try_get(tail)?,
        model_no: row.try_get(tail + 1)?,
        closed_no: row.try_get(tail + 2)?,
        last_no: row.try_get(tail + 3)?,
    })
}

pub(super) async fn insert(link: &Link, rows: &[(DecisionRow, i32)]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut copy = Copy::begin(link, "decision", &columns()).await?;
    for (row, facet) in rows {
        let (id, session) = (Uuid::from(row.id), row.session.map(Uuid::from));
        let mut values: Vec<&(dyn ToSql + Sync)> =
            vec![&row.no.0, &id, facet, &session, &row.started_ns, &row.ended_ns, &row.time_to_first_byte_ns];
        values.extend(row.counters.0.iter().map(|counter| counter as &(dyn ToSql + Sync)));
        values.extend(
            [&row.opened_no, &row.model_no, &row.closed_no, &row.last_no].map(|no| no as &(dyn ToSql + Sync)),
        );
        copy.row(&values).await?;
    }
    copy.finish().await
}

/// Overwrites rows that [`load`] locked. Number and id stay.
pub(super) async fn update(link: &Link, rows: &[(DecisionRow, i32)]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let nos: Vec<i64> = rows.iter().map(|(row, _)| row.no.0).collect();
    let facets: Vec<i32> = rows.iter().map(|(_, facet)| *facet).collect();
    let sessions: Vec<Option<Uuid>> = rows.iter().map(|(row, _)| row.session.map(Uuid::from)).collect();
    let nullable =
        |of: fn(&DecisionRow) -> Option<i64>| rows.iter().map(|(row, _)| of(row)).collect::<Vec<_>>();
    let started = nullable(|row| Some(row.started_ns));
    let ended = nullable(|row| row.ended_ns);
    let first_byte = nullable(|row| row.time_to_first_byte_ns);
    let numbers = |row: &DecisionRow| {
        let tail = [row.opened_no, row.model_no, row.closed_no, row.last_no];
        row.counters.0.into_iter().chain(tail)
    };
    let mut rest: Vec<Vec<i64>> = vec![Vec::with_capacity(rows.len()); COUNTERS.len() + TAIL.len()];
    for (row, _) in rows {
        rest.iter_mut().zip(numbers(row)).for_each(|(column, number)| column.push(number));
    }
    let mut parameters: Vec<&(dyn ToSql + Sync)> =
        vec![&nos, &facets, &sessions, &started, &ended, &first_byte];
    parameters.extend(rest.iter().map(|column| column as &(dyn ToSql + Sync)));
    link.execute(&update_sql(), &parameters).await.map(|_| ())
}

fn update_sql() -> String {
    let written: Vec<(&str, Type)> = columns().into_iter().filter(|(name, _)| *name != "id").collect();
    let names: Vec<&str> = written.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<String> = written
        .iter()
        .enumerate()
        .map(|(at, (_, r#type))| format!("${}::{}[]", at + 1, r#type.name()))
        .collect();
    let set: Vec<String> = names.iter().skip(1).map(|name| format!("{name} = u.{name}")).collect();
    format!(
        "UPDATE decision d SET {} FROM unnest({}) AS u({}) WHERE d.no = u.no",
        set.join(", "),
        arrays.join(", "),
        names.join(", ")
    )
}
