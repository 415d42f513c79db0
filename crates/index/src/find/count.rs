//! How many decisions fit, without giving them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::Result;
use crate::facets::{Facets, list};
use crate::find::{Query, pick};
use crate::read::{Reader, Value};

/// How many decisions fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// All of them.
    pub decisions: u64,
    /// By how they ended; `open` for those that have not.
    pub outcomes: BTreeMap<String, u64>,
}

/// Counts decisions. `limit` and `before` do not matter.
pub fn count(reader: &mut Reader, query: &Query) -> Result<Counted> {
    let facets = Facets::read(reader)?;
    let by_facet = if is_of_facets_alone(query) {
        of_facets(reader, &facets, query)?
    } else {
        let all = Query { before: None, ..query.clone() };
        let mut counts = BTreeMap::new();
        for spot in pick::spots(reader, &facets, &all, None)? {
            *counts.entry(spot.facet).or_default() += 1;
        }
        counts
    };
    let mut counted = Counted::default();
    for (facet, decisions) in by_facet {
        counted.decisions += decisions;
        *counted.outcomes.entry(facets.get(facet).outcome().to_owned()).or_default() += decisions;
    }
    Ok(counted)
}

fn is_of_facets_alone(query: &Query) -> bool {
    let Query { since: _, until: _, facet: _, subject, identifier, label, tool, text, limit: _, before: _ } =
        query;
    subject.is_none() && identifier.is_none() && label.is_none() && tool.is_none() && text.is_none()
}

/// The engine counts along the index (facet, started_ns).
fn of_facets(reader: &mut Reader, facets: &Facets, query: &Query) -> Result<BTreeMap<i64, u64>> {
    let wanted = facets.matching(|facet| query.facet.fits(facet));
    let among = if wanted.len() == facets.len() {
        String::new()
    } else {
        format!(" AND d.facet IN {}", list(&wanted))
    };
    // Without a range the rollups know it, which are what GROUP BY would give.
    let sql = match (query.since, query.until) {
        (None, None) => format!(
            "SELECT d.facet, CAST(sum(d.decisions) AS BIGINT) FROM rollup_hour d WHERE 1 = 1{among} GROUP BY d.facet"
        ),
        (since, until) => format!(
            "SELECT d.facet, count(*) FROM decision d WHERE {}{among} GROUP BY d.facet",
            pick::begun(since, until)
        ),
    };
    let mut counts = BTreeMap::new();
    reader.rows(&sql, &[], |row| {
        if let [Value::Integer(facet), Value::Integer(decisions)] = row {
            counts.insert(*facet, decisions.unsigned_abs());
        }
        Ok(())
    })?;
    Ok(counts)
}
