//! What `find` gives is what a plain walk over all decisions gives, whatever way it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

use inferlog_index::find::{Found, Query, count, find};
use inferlog_index::schema::{Dialect, SCHEMA_VERSION};
use inferlog_index::{COUNTERS, FacetFilter, Reader};
use inferlog_record::{Id, Pseudonym, Timestamp};
use rusqlite::{Connection, params};

const SECOND: i64 = 1_000_000_000;
const BEGAN: i64 = 1_790_000_000 * SECOND;
const OUTCOMES: [Option<&str>; 4] = [Some("answered"), Some("failed"), Some("refused"), None];

/// A decision of the fixture, and what is known of it.
#[derive(Clone, Debug)]
struct Made {
    no: i64,
    id: Id,
    started_ns: i64,
    system: String,
    model: String,
    outcome: Option<&'static str>,
    overridden: bool,
    subject: Option<Pseudonym>,
    terms: BTreeSet<usize>,
    digest: Option<[u8; 16]>,
}

const TERMS: [(&str, &str); 3] = [("tool", "search"), ("tool", "score"), ("label", "complaint")];

fn person(number: u8) -> Pseudonym {
    Pseudonym::new([number; 16])
}

/// So many decisions over `models` models: facets are models × 2 systems × outcomes × overridden.
fn made(count: i64, models: i64) -> Vec<Made> {
    let decision = |n: i64| Made {
        no: n << 10,
        id: Id::new(n as u64, &[(n % 251) as u8; 10]),
        // Several begin at once, and some before those recorded earlier.
        started_ns: BEGAN + (n / 3) * SECOND - (n % 5) * 40 * SECOND,
        system: ["credit", "triage"][(n % 2) as usize].to_owned(),
        model: format!("model-{}", (n * 7) % models),
        outcome: OUTCOMES[(n % 11 % 4) as usize],
        overridden: n % 13 == 0,
        subject: (n % 3 == 0).then(|| person((n % 17) as u8)),
        // Every second one has the first term, one in 1,000 the last.
        terms: (0..TERMS.len()).filter(|term| n % [2, 40, 1_000][*term] == 1).collect(),
        digest: (n % 500 == 7).then_some([(n / 500) as u8; 16]),
    };
    (1..=count).map(decision).collect()
}

fn write(path: &Path, made: &[Made]) {
    let mut connection = Connection::open(path).unwrap();
    connection.execute_batch(&Dialect::Sqlite.base()).unwrap();
    connection.pragma_update(None, "application_id", 0x696c_6f67).unwrap();
    connection.pragma_update(None, "user_version", SCHEMA_VERSION).unwrap();
    let transaction = connection.transaction().unwrap();
    for (number, (aspect, name)) in TERMS.iter().enumerate() {
        let number = number as i64 + 1;
        transaction.execute("INSERT INTO term VALUES (?1, ?2, ?3)", params![number, aspect, name]).unwrap();
    }
    let zeros = COUNTERS.map(|_| "0").join(",");
    let mut facets = BTreeMap::new();
    for made in made {
        let key = format!("{:?}", (&made.system, &made.model, made.outcome, made.overridden));
        let next = facets.len() as i64 + 1;
        let facet = *facets.entry(key.clone()).or_insert(next);
        if facet == next {
            let sql =
                "INSERT INTO facet VALUES (?1, ?2, ?3, 'main', NULL, ?4, '1', 'exact', NULL, ?5, NULL, ?6)";
            let row = params![facet, key, made.system, made.model, made.outcome, made.overridden];
            transaction.execute(sql, row).unwrap();
        }
        let id = made.id.to_string();
        let sql =
            format!("INSERT INTO decision VALUES (?1, ?2, ?3, NULL, ?4, NULL, NULL, {zeros}, 0, 0, 0, 0)");
        transaction.execute(&sql, params![made.no, id, facet, made.started_ns]).unwrap();
        let rest = match made.subject {
            Some(subject) => format!(r#"{{"subjects":["{subject}"]}}"#),
            None => "{}".to_owned(),
        };
        for event in 0..2_i64 {
            let sql = "INSERT INTO event VALUES (?1, ?2, ?3, 1, 0, NULL, NULL, ?4)";
            let number = made.no + event;
            transaction.execute(sql, params![number, number.to_be_bytes(), made.no, rest]).unwrap();
        }
        if let Some(subject) = made.subject {
            let sql = "INSERT INTO decision_subject VALUES (?1, ?2)";
            transaction.execute(sql, params![subject.as_bytes(), made.no]).unwrap();
        }
        for term in &made.terms {
            let sql = "INSERT INTO decision_term VALUES (?1, ?2)";
            transaction.execute(sql, params![*term as i64 + 1, made.no]).unwrap();
        }
        if let Some(digest) = made.digest {
            let sql = "INSERT INTO identifier VALUES (?2, ?1, ?2, 1, 0)";
            transaction.execute(sql, params![digest, made.no]).unwrap();
        }
    }
    let sql = format!(
        "INSERT INTO rollup_hour SELECT started_ns / 3600000000000 * 3600000000000, facet, count(*), 0, 0, {zeros} \
         FROM decision GROUP BY 1, 2"
    );
    transaction.execute(&sql, []).unwrap();
    transaction.commit().unwrap();
}

/// The plain walk.
fn fits(query: &Query, made: &Made) -> bool {
    let has = |aspect: &str, name: &Option<String>| {
        name.as_ref().is_none_or(|name| made.terms.iter().any(|term| TERMS[*term] == (aspect, name.as_str())))
    };
    let facet = &query.facet;
    let text = query.text.as_ref().is_none_or(|text| {
        let terms = made.terms.iter().map(|term| TERMS[*term].1);
        let names = [made.model.as_str(), &made.system, "main", "exact", made.outcome.unwrap_or("open")];
        names.into_iter().chain(terms).any(|name| name.contains(text.as_str()))
    });
    query.since.is_none_or(|since| made.started_ns >= since.nanos() as i64)
        && query.until.is_none_or(|until| made.started_ns < until.nanos() as i64)
        && facet.system.as_ref().is_none_or(|system| *system == made.system)
        && facet.model.as_ref().is_none_or(|model| made.model.contains(model.as_str()))
        && facet.outcome.as_ref().is_none_or(|outcome| outcome == made.outcome.unwrap_or("open"))
        && facet.overridden.is_none_or(|overridden| overridden == made.overridden)
        && query.subject.is_none_or(|subject| made.subject == Some(subject))
        && query.identifier.is_none_or(|digest| made.digest == Some(digest))
        && has("label", &query.label)
        && has("tool", &query.tool)
        && text
}

fn expected(query: &Query, made: &[Made]) -> Vec<String> {
    let mut fitting: Vec<&Made> = made.iter().filter(|made| fits(query, made)).collect();
    fitting.sort_by_key(|made| (made.started_ns, made.no));
    fitting.iter().map(|made| made.id.to_string()).collect()
}

fn page(reader: &mut Reader, query: &Query) -> (Vec<Found>, Option<inferlog_index::find::Token>) {
    let mut all = Vec::new();
    let page = find(reader, query, &mut |found| {
        all.push(found);
        ControlFlow::Continue(())
    });
    let page = page.unwrap();
    assert_eq!(page.given, all.len() as u64);
    (all, page.next)
}

fn queries(made: &[Made]) -> Vec<Query> {
    let at = |part: usize| Some(Timestamp(made[made.len() * part / 4].started_ns as u64));
    let facet = |facet: FacetFilter| Query { facet, ..Query::default() };
    let text = |text: &str| Query { text: Some(text.to_owned()), ..Query::default() };
    let some = |text: &str| Some(text.to_owned());
    let mut queries = vec![
        Query::default(),
        Query { since: at(1), until: at(3), ..Query::default() },
        facet(FacetFilter { model: some("model-1"), ..FacetFilter::default() }),
        facet(FacetFilter { model: some("model-1"), outcome: some("failed"), ..FacetFilter::default() }),
        facet(FacetFilter { outcome: some("open"), overridden: Some(true), ..FacetFilter::default() }),
        facet(FacetFilter { system: some("triage"), ..FacetFilter::default() }),
        facet(FacetFilter { system: some("nobody"), ..FacetFilter::default() }),
        Query { subject: Some(person(3)), ..Query::default() },
        Query { subject: Some(person(99)), ..Query::default() },
        Query { identifier: Some([2; 16]), ..Query::default() },
        Query { tool: some("search"), ..Query::default() },
        Query { tool: some("search"), label: some("complaint"), ..Query::default() },
        Query { tool: some("score"), subject: Some(person(6)), ..Query::default() },
        Query { tool: some("nothing"), ..Query::default() },
        text("search"),
        text("SCORE"),
        text("model-3"),
        text("nowhere"),
    ];
    for query in queries.clone() {
        let facet = FacetFilter { outcome: some("answered"), ..query.facet.clone() };
        queries.push(Query { since: at(2), facet, ..query });
    }
    queries
}

#[test]
fn each_way_gives_what_a_plain_walk_gives() {
    // Few facets, and more than are looked up one by one.
    for (count, models) in [(12_000, 3), (12_000, 40)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index.sqlite");
        let made = made(count, models);
        write(&path, &made);
        let mut reader = Reader::sqlite(&path).unwrap();
        for query in queries(&made) {
            let lower = Query { text: query.text.as_ref().map(|text| text.to_lowercase()), ..query.clone() };
            let expected = expected(&lower, &made);
            check(&mut reader, &query, &expected);
        }
    }
}

fn check(reader: &mut Reader, query: &Query, expected: &[String]) {
    let ids = |found: &[Found]| found.iter().map(|found| found.decision.clone()).collect::<Vec<_>>();
    let (all, next) = page(reader, query);
    assert!(ids(&all) == expected, "{query:?}: {} of {}", all.len(), expected.len());
    assert_eq!(next, None);
    assert_eq!(count(reader, query).unwrap().decisions, expected.len() as u64, "{query:?}");
    // Page by page, from the newest back; the first pages alone, where there are many.
    let (mut before, mut seen) = (None, Vec::new());
    for _ in 0..4 {
        let (found, next) = page(reader, &Query { limit: Some(70), before, ..query.clone() });
        let mut found = ids(&found);
        found.append(&mut seen);
        seen = found;
        before = next.map(|token| token.to_string().parse().unwrap());
        if before.is_none() {
            break;
        }
    }
    let newest = &expected[expected.len().saturating_sub(280)..];
    assert!(seen == newest, "{query:?}: {} of {}", seen.len(), newest.len());
    assert_eq!(before.is_some(), expected.len() > 280);
}

#[test]
fn a_decision_says_what_stands_in_its_facet_and_events() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index.sqlite");
    let made = made(30, 2);
    write(&path, &made);
    let mut reader = Reader::sqlite(&path).unwrap();
    let (found, _) = page(&mut reader, &Query { subject: Some(person(9)), ..Query::default() });
    let wanted = made.iter().find(|made| made.subject == Some(person(9))).unwrap();
    let one = found.iter().find(|found| found.decision == wanted.id.to_string()).unwrap();
    assert_eq!((one.subjects.clone(), one.entries), (vec![person(9).to_string()], 1));
    assert_eq!(
        (one.model.as_deref(), one.system.as_str()),
        (Some(wanted.model.as_str()), wanted.system.as_str())
    );
    assert_eq!(one.started_at, Timestamp(wanted.started_ns as u64).to_string());
    let counted = count(&mut reader, &Query::default()).unwrap();
    assert_eq!(counted.outcomes.values().sum::<u64>(), 30);
    assert_eq!(counted.outcomes["open"], made.iter().filter(|made| made.outcome.is_none()).count() as u64);
}
