//! First pages of every kind of `find`: each filter alone, together, what finds nothing, and a page deep in the middle.

use std::ops::ControlFlow;
use std::time::Instant;

use inferlog_index::find::{Query, find};
use inferlog_index::{FacetFilter, Reader, Value};
use inferlog_record::{Id, Pseudonym, Timestamp};

use super::report::Find;
use crate::bench::measure::median;
use crate::output::Failure;

/// Decisions of a page.
const PAGE: usize = 50;
/// Each page is asked for so often.
const TIMES: usize = 5;

/// Asks for every first page.
pub(super) fn run(reader: &mut Reader, ids: &[Id]) -> Result<Vec<Find>, Failure> {
    cases(reader, ids)?.into_iter().map(|(what, query)| time(reader, what, &query)).collect()
}

fn time(reader: &mut Reader, what: &'static str, query: &Query) -> Result<Find, Failure> {
    let (mut waits, mut given) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let began = Instant::now();
        given = find(reader, query, &mut |_| ControlFlow::Continue(()))?.given;
        waits.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let max_us = waits.iter().copied().fold(0.0, f64::max);
    Ok(Find { what, decisions: given, p50_us: median(waits), max_us })
}

fn cases(reader: &mut Reader, ids: &[Id]) -> Result<Vec<(&'static str, Query)>, Failure> {
    let mut cases = vec![("newest", page(Query::default()))];
    cases.extend(of_facets());
    cases.extend(of_others(reader)?);
    // A day and a page in the middle of what there is.
    let mut middle: Vec<u64> = ids.iter().map(|id| id.millis()).collect();
    middle.sort_unstable();
    let middle = middle.get(middle.len() / 2).copied().unwrap_or_default();
    let day = 24 * 3_600 * 1_000;
    let until = Some(Timestamp::from_millis(middle));
    let since = Some(Timestamp::from_millis(middle.saturating_sub(day)));
    let within = |facet| page(Query { since, until, facet, ..Query::default() });
    cases.push(("since, until", within(FacetFilter::default())));
    cases.push(("since, until, outcome", within(outcome("failed"))));
    let rare = FacetFilter { model: text("fraud"), ..outcome("refused") };
    cases.push(("since, until, model, outcome", within(rare)));
    let deep = page(Query { until, ..Query::default() });
    let before = find(reader, &deep, &mut |_| ControlFlow::Continue(()))?.next;
    cases.push(("a page in the middle", page(Query { before, ..Query::default() })));
    let facet = FacetFilter { model: text("lyra"), ..outcome("answered") };
    cases.push(("a page in the middle, model, outcome", page(Query { before, facet, ..Query::default() })));
    Ok(cases)
}

/// Conditions on facets, alone and together.
fn of_facets() -> Vec<(&'static str, Query)> {
    let none = FacetFilter::default();
    let facets = [
        ("system", FacetFilter { system: text("support-agent"), ..none.clone() }),
        ("model", FacetFilter { model: text("lyra-mini"), ..none.clone() }),
        ("version", FacetFilter { version: text("2026.2"), ..none.clone() }),
        ("identity", FacetFilter { identity: text("alias"), ..none.clone() }),
        ("route", FacetFilter { route: text("triage"), ..none.clone() }),
        ("environment", FacetFilter { environment: text("staging"), ..none.clone() }),
        ("outcome", outcome("failed")),
        ("outcome open", outcome("open")),
        ("error", FacetFilter { error: text("timeout"), ..none.clone() }),
        ("override", FacetFilter { overridden: Some(true), ..none.clone() }),
        (
            "system, model, outcome, override",
            FacetFilter {
                system: text("support-agent"),
                model: text("lyra"),
                overridden: Some(true),
                ..outcome("answered")
            },
        ),
        (
            "system, error: nothing",
            FacetFilter { system: text("nowhere"), error: text("timeout"), ..none.clone() },
        ),
        ("model: nothing", FacetFilter { model: text("no such model"), ..none }),
    ];
    facets.into_iter().map(|(what, facet)| (what, page(Query { facet, ..Query::default() }))).collect()
}

/// What leads to decisions from elsewhere: persons, labels, tools, names, ids of others.
fn of_others(reader: &mut Reader) -> Result<Vec<(&'static str, Query)>, Failure> {
    let (often, once) = (person(reader, "DESC")?, person(reader, "ASC")?);
    let of = |query: Query| page(query);
    Ok(vec![
        ("subject of many", of(Query { subject: often, ..Query::default() })),
        ("subject of one", of(Query { subject: once, ..Query::default() })),
        ("subject, outcome", of(Query { subject: often, facet: outcome("failed"), ..Query::default() })),
        ("subject: nothing", of(Query { subject: Some(Pseudonym::new([7; 16])), ..Query::default() })),
        ("external id: nothing", of(Query { identifier: Some([7; 16]), ..Query::default() })),
        ("label", of(Query { label: text("helpful"), ..Query::default() })),
        ("label, override", {
            let facet = FacetFilter { overridden: Some(true), ..FacetFilter::default() };
            of(Query { label: text("repaid"), facet, ..Query::default() })
        }),
        ("tool", of(Query { tool: text("refunds.create"), ..Query::default() })),
        ("tool, outcome: nothing", {
            of(Query { tool: text("refunds.create"), facet: outcome("failed"), ..Query::default() })
        }),
        ("text", of(Query { text: text("handbook"), ..Query::default() })),
        ("text of nearly all", of(Query { text: text("a"), ..Query::default() })),
        ("text: nothing", of(Query { text: text("no such name"), ..Query::default() })),
    ])
}

/// A person of the most decisions, or of the fewest, among many.
fn person(reader: &mut Reader, order: &str) -> Result<Option<Pseudonym>, Failure> {
    let sql = format!(
        "SELECT subject FROM (SELECT subject FROM decision_subject LIMIT 100000) AS some \
         GROUP BY subject ORDER BY count(*) {order}, subject LIMIT 1"
    );
    let mut found = None;
    reader.rows(&sql, &[], |row| {
        if let [Value::Blob(bytes)] = row {
            found = <[u8; 16]>::try_from(&bytes[..]).ok().and_then(|bytes| Pseudonym::from_bytes(bytes).ok());
        }
        Ok(())
    })?;
    Ok(found)
}

fn page(query: Query) -> Query {
    Query { limit: Some(PAGE), ..query }
}

fn outcome(outcome: &str) -> FacetFilter {
    FacetFilter { outcome: text(outcome), ..FacetFilter::default() }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}
