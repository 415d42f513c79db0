//! Rows that many others share: found in memory, else in the database, else made. Several nodes make them at once: who comes
//! second takes the first one's.

use std::collections::{BTreeMap, HashMap};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::connection::Link;
use crate::rows::{Facet, RefKind, Shared};

/// Beyond so many rows the memory is emptied.
const INTERNED_MAX: usize = 100_000;
/// Beyond so many bytes a key is its hash: a row of an index is smaller than a third of a page.
const KEY_BYTES_MAX: usize = 1_000;

/// Numbers that are known: what is committed, and what a rollback takes back.
#[derive(Debug, Default)]
pub(super) struct Interned {
    committed: HashMap<Shared, i32>,
    begun: HashMap<Shared, i32>,
    /// How often everything was deleted when the numbers were learnt.
    cleared: i64,
}

impl Interned {
    /// Forgets numbers that were given before everything was deleted.
    pub(super) fn as_of(&mut self, cleared: i64) {
        if self.cleared != cleared || self.committed.len() > INTERNED_MAX {
            *self = Self { cleared, ..Self::default() };
        }
    }

    pub(super) fn commit(&mut self) {
        self.committed.extend(self.begun.drain());
    }

    pub(super) fn rollback(&mut self) {
        self.begun.clear();
    }

    fn number(&self, shared: &Shared) -> Option<i32> {
        self.committed.get(shared).or_else(|| self.begun.get(shared)).copied()
    }
}

/// Numbers of these rows, in their order; none of a row that was made and is not there, which is damage.
pub(super) async fn intern(
    link: &Link,
    known: &mut Interned,
    shared: &[Shared],
) -> Result<Vec<Option<i32>>, Error> {
    for table in &TABLES {
        // By key, and so sorted: two nodes that make the same rows wait for each other in one order.
        let mut wanted: BTreeMap<Vec<String>, &Shared> = BTreeMap::new();
        for row in shared.iter().filter(|row| (table.holds)(row) && known.number(row).is_none()) {
            wanted.insert(table.key(row), row);
        }
        for make in [false, true, false] {
            if wanted.is_empty() {
                break;
            }
            let rows: Vec<&Shared> = wanted.values().copied().collect();
            for found in if make { table.make(link, &rows).await? } else { table.find(link, &rows).await? } {
                let key: Vec<String> = (1..=table.keys).map(|at| found.get(at)).collect();
                if let Some(row) = wanted.remove(&key) {
                    known.begun.insert(row.clone(), found.get(0));
                }
            }
        }
    }
    Ok(shared.iter().map(|row| known.number(row)).collect())
}

/// A table of shared rows: its columns, of which the first ones are the key.
struct Table {
    name: &'static str,
    keys: usize,
    columns: &'static [&'static str],
    /// The columns as they are written, from text.
    casts: &'static [(&'static str, &'static str)],
    holds: fn(&Shared) -> bool,
}

const TABLES: [Table; 4] = [
    Table {
        name: "common",
        keys: 1,
        columns: &["key", "kind", "json"],
        casts: &[("json", "jsonb")],
        holds: |shared| matches!(shared, Shared::Common { .. }),
    },
    Table {
        name: "facet",
        keys: 1,
        columns: &[
            "key",
            "system",
            "route",
            "wire",
            "model",
            "version",
            "identity",
            "environment",
            "outcome",
            "error",
            "overridden",
        ],
        casts: &[("overridden", "integer")],
        holds: |shared| matches!(shared, Shared::Facet(_)),
    },
    Table {
        name: "term",
        keys: 2,
        columns: &["aspect", "name"],
        casts: &[],
        holds: |shared| matches!(shared, Shared::Term { .. }),
    },
    Table {
        name: "ref_kind",
        keys: 1,
        columns: &["key", "role", "class", "media_type", "encoding", "state", "reason"],
        casts: &[],
        holds: |shared| matches!(shared, Shared::RefKind(_)),
    },
];

impl Table {
    fn key(&self, shared: &Shared) -> Vec<String> {
        values(shared).into_iter().take(self.keys).flatten().collect()
    }

    async fn find(&self, link: &Link, rows: &[&Shared]) -> Result<Vec<Row>, Error> {
        let Self { name, keys, columns, .. } = self;
        let keys = &columns[..*keys];
        let of: Vec<String> = keys.iter().map(|key| format!("t.{key}")).collect();
        let sql = format!(
            "SELECT t.{name}, {} FROM {name} t JOIN unnest({}) AS u({}) USING ({})",
            of.join(", "),
            arrays(keys.len()),
            keys.join(", "),
            keys.join(", ")
        );
        self.run(link, &sql, rows, keys.len()).await
    }

    async fn make(&self, link: &Link, rows: &[&Shared]) -> Result<Vec<Row>, Error> {
        let Self { name, keys, columns, casts, .. } = self;
        let keys = columns[..*keys].join(", ");
        let written: Vec<String> = columns
            .iter()
            .map(|column| match casts.iter().find(|(name, _)| name == column) {
                Some((_, cast)) => format!("{column}::{cast}"),
                None => (*column).to_owned(),
            })
            .collect();
        let list = columns.join(", ");
        let sql = format!(
            "INSERT INTO {name} ({list}) SELECT {} FROM unnest({}) AS u({list}) ORDER BY {keys} \
             ON CONFLICT ({keys}) DO NOTHING RETURNING {name}, {keys}",
            written.join(", "),
            arrays(columns.len())
        );
        self.run(link, &sql, rows, columns.len()).await
    }

    async fn run(&self, link: &Link, sql: &str, rows: &[&Shared], columns: usize) -> Result<Vec<Row>, Error> {
        let mut arrays: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(rows.len()); columns];
        for row in rows {
            arrays.iter_mut().zip(values(row)).for_each(|(array, value)| array.push(value));
        }
        let parameters: Vec<&(dyn ToSql + Sync)> =
            arrays.iter().map(|array| array as &(dyn ToSql + Sync)).collect();
        link.query(sql, &parameters).await
    }
}

fn arrays(count: usize) -> String {
    (1..=count).map(|at| format!("${at}::text[]")).collect::<Vec<_>>().join(", ")
}

/// A row's columns, in the order of its table's.
fn values(shared: &Shared) -> Vec<Option<String>> {
    let text = |text: &str| Some(text.to_owned());
    match shared {
        Shared::Common { kind, json } => {
            vec![Some(bounded(json.clone())), text(kind), Some(super::write::without_nul(json).into_owned())]
        }
        Shared::Term { aspect, name } => vec![text(aspect), text(name)],
        Shared::Facet(facet) => {
            let Facet {
                system,
                route,
                wire,
                model,
                version,
                identity,
                environment,
                outcome,
                error,
                overridden,
            } = facet;
            let (key, overridden) = (bounded(facet.key()), text(if *overridden { "1" } else { "0" }));
            let mut columns = vec![Some(key), text(system)];
            columns.extend(
                [route, wire, model, version, identity, environment, outcome, error].map(Clone::clone),
            );
            columns.push(overridden);
            columns
        }
        Shared::RefKind(kind) => {
            let RefKind { role, class, media_type, encoding, state, reason } = kind;
            let [class, media_type, encoding, reason] =
                [class, media_type, encoding, reason].map(Clone::clone);
            vec![Some(bounded(kind.key())), text(role), class, media_type, encoding, text(state), reason]
        }
    }
}

fn bounded(key: String) -> String {
    if key.len() <= KEY_BYTES_MAX {
        return key;
    }
    let hash = inferlog_merkle::leaf_hash(key.as_bytes());
    format!("leaf hash {hash}")
}
