//! Rows that many others share: found in memory, else in the file, else made.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::rows::{Facet, RefKind, Shared};

/// What was seen of `common`, `facet`, `term` and `ref_kind`.
#[derive(Debug, Default)]
pub(super) struct Interned {
    numbers: HashMap<Shared, i32>,
    facets: HashMap<i32, Facet>,
}

/// Beyond so many rows the memory is emptied: a reason or a name may be in few rows.
const INTERNED_MAX: usize = 100_000;

impl Interned {
    pub(super) fn forget(&mut self) {
        self.numbers.clear();
        self.facets.clear();
    }

    pub(super) fn number(&mut self, connection: &Connection, shared: &Shared) -> Result<i32> {
        if let Some(number) = self.numbers.get(shared) {
            return Ok(*number);
        }
        let number = match find(connection, shared)? {
            Some(number) => number,
            None => make(connection, shared)?,
        };
        if self.numbers.len() >= INTERNED_MAX {
            self.forget();
        }
        self.numbers.insert(shared.clone(), number);
        Ok(number)
    }

    pub(super) fn facet(&mut self, connection: &Connection, number: i32) -> Result<Facet> {
        if let Some(facet) = self.facets.get(&number) {
            return Ok(facet.clone());
        }
        let mut select = connection.prepare_cached(
            "SELECT system, route, wire, model, version, identity, environment, outcome, error, overridden
             FROM facet WHERE facet = ?1",
        )?;
        let facet = select.query_row([number], |row| {
            Ok(Facet {
                system: row.get(0)?,
                route: row.get(1)?,
                wire: row.get(2)?,
                model: row.get(3)?,
                version: row.get(4)?,
                identity: row.get(5)?,
                environment: row.get(6)?,
                outcome: row.get(7)?,
                error: row.get(8)?,
                overridden: row.get(9)?,
            })
        })?;
        self.facets.insert(number, facet.clone());
        Ok(facet)
    }
}

fn find(connection: &Connection, shared: &Shared) -> Result<Option<i32>> {
    let number = |row: &rusqlite::Row<'_>| row.get(0);
    let by_key = |sql: &str, key: &str| connection.prepare_cached(sql)?.query_row([key], number).optional();
    match shared {
        Shared::Common { json, .. } => by_key("SELECT common FROM common WHERE key = ?1", json),
        Shared::Facet(facet) => by_key("SELECT facet FROM facet WHERE key = ?1", &facet.key()),
        Shared::RefKind(kind) => by_key("SELECT ref_kind FROM ref_kind WHERE key = ?1", &kind.key()),
        Shared::Term { aspect, name } => connection
            .prepare_cached("SELECT term FROM term WHERE aspect = ?1 AND name = ?2")?
            .query_row([*aspect, name], number)
            .optional(),
    }
}

fn make(connection: &Connection, shared: &Shared) -> Result<i32> {
    match shared {
        Shared::Common { kind, json } => connection
            .prepare_cached("INSERT INTO common (kind, json, key) VALUES (?1, ?2, ?2)")?
            .execute([kind, json])?,
        Shared::Facet(facet) => make_facet(connection, facet)?,
        Shared::RefKind(kind) => make_ref_kind(connection, kind)?,
        Shared::Term { aspect, name } => connection
            .prepare_cached("INSERT INTO term (aspect, name) VALUES (?1, ?2)")?
            .execute([*aspect, name])?,
    };
    Ok(connection.last_insert_rowid() as i32)
}

fn make_facet(connection: &Connection, facet: &Facet) -> Result<usize> {
    let sql = "INSERT INTO facet (key, system, route, wire, model, version, identity, environment, outcome, error, overridden)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    connection.prepare_cached(sql)?.execute(params![
        facet.key(),
        facet.system,
        facet.route,
        facet.wire,
        facet.model,
        facet.version,
        facet.identity,
        facet.environment,
        facet.outcome,
        facet.error,
        facet.overridden,
    ])
}

fn make_ref_kind(connection: &Connection, kind: &RefKind) -> Result<usize> {
    let sql = "INSERT INTO ref_kind (key, role, class, media_type, encoding, state, reason)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    connection.prepare_cached(sql)?.execute(params![
        kind.key(),
        kind.role,
        kind.class,
        kind.media_type,
        kind.encoding,
        kind.state,
        kind.reason,
    ])
}
