//! `events`, and one view for each kind with the fields of its body.

use inferlog_record::{Column, Kind, columns};

use crate::schema::Dialect;

/// Members that stand in `common`; the others stand in `rest` or in columns.
const COMMON: [&str; 8] = ["capture", "clock", "kind", "purposes", "retention", "role", "sampling", "system"];

/// Which log an event's number says, which entry, and which place there.
const PLACE: &str = "e.no >> 48 AS log, (e.no & 281474976710655) >> 10 AS entry, e.no & 1023 AS place";

const FROM: &str =
    "FROM event e JOIN common c ON c.common = e.common LEFT JOIN decision d ON d.no = e.decision";

pub(super) fn views(dialect: Dialect) -> Vec<String> {
    let columns = columns();
    let mut views = vec![events(dialect, &columns)];
    views.extend(Kind::ALL.iter().map(|kind| of_kind(dialect, *kind, &columns)));
    views
}

fn events(dialect: Dialect, columns: &[Column]) -> String {
    let common = columns.iter().filter(|column| column.kind.is_none());
    let common: Vec<String> =
        common.map(|column| format!("  {} AS \"{}\"", value(dialect, column), column.name)).collect();
    format!(
        "CREATE VIEW events AS SELECT d.id AS decision,
{},
  e.started_ns, e.ended_ns, e.logged_ns,
  {} AS body,
  {PLACE}, e.no
{FROM};\n",
        common.join(",\n"),
        dialect.json("e.rest", &["body"]),
    )
}

fn of_kind(dialect: Dialect, kind: Kind, columns: &[Column]) -> String {
    let own = columns.iter().filter(|column| column.kind == Some(kind));
    let own: String =
        own.map(|column| format!("  {} AS \"{}\",\n", value(dialect, column), column.name)).collect();
    format!(
        "CREATE VIEW event_{} AS SELECT d.id AS decision, {} AS id, c.json ->> 'system' AS system,
  {} AS logged_at, {} AS started_at, {} AS ended_at,
{own}  e.started_ns, e.ended_ns, e.logged_ns,
  {PLACE}, e.no
{FROM} WHERE c.kind = '{kind}';\n",
        kind.as_str().replace('.', "_"),
        "e.id",
        dialect.time("e.logged_ns"),
        dialect.time("e.started_ns"),
        dialect.time("e.ended_ns"),
    )
}

fn value(dialect: Dialect, column: &Column) -> String {
    match column.path[..] {
        ["id"] => "e.id".to_owned(),
        ["kind"] => "c.kind".to_owned(),
        ["logged_at"] => dialect.time("e.logged_ns"),
        ["started_at"] => dialect.time("e.started_ns"),
        ["ended_at"] => dialect.time("e.ended_ns"),
        _ => {
            let is_common = column.path.first().is_some_and(|name| COMMON.contains(name));
            dialect.typed(if is_common { "c.json" } else { "e.rest" }, &column.path, column.r#type)
        }
    }
}
