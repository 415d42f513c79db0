//! What is said of a decision that was found.

use std::collections::HashMap;

use inferlog_record::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;

use crate::error::Result;
use crate::facets::{Facets, list};
use crate::find::Token;
use crate::find::pick::Spot;
use crate::read::{Reader, Value};

/// One decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its id.
    pub decision: String,
    /// The system.
    pub system: String,
    /// How it ended; `null` while it is open.
    pub outcome: Option<String>,
    /// The model, as the last model call names it.
    pub model: Option<String>,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// The configured route that admitted it.
    pub route: Option<String>,
    /// Pseudonyms of the persons that it is about.
    pub subjects: Vec<String>,
    /// Entries up to the one that closed it.
    pub entries: u64,
    /// The wire it spoke.
    pub wire: Option<String>,
    /// The model's version.
    pub version: Option<String>,
    /// Whether the model's names pin one model.
    pub identity: Option<String>,
    /// Production, staging and the like.
    pub environment: Option<String>,
    /// What failed.
    pub error: Option<String>,
    /// Whether a person overrode it.
    pub overridden: bool,
    /// The period of use.
    pub session: Option<String>,
    /// Events of it, late ones included.
    pub events: u64,
    /// Tokens read and written, as the model server counted them.
    pub tokens_input: u64,
    /// See [`Found::tokens_input`].
    pub tokens_output: u64,
    /// Its place: older decisions come before it ([`Query::before`](crate::find::Query::before)).
    pub token: Token,
}

/// Reads what is said of decisions, in the order given.
pub(super) fn look_up(reader: &mut Reader, facets: &Facets, spots: &[Spot]) -> Result<Vec<Found>> {
    let numbers = list(&spots.iter().map(|spot| spot.no).collect::<Vec<_>>());
    let mut found = decisions(reader, facets, &numbers)?;
    for (no, entries) in entries(reader, &numbers)? {
        if let Some(found) = found.get_mut(&no) {
            found.entries = entries;
        }
    }
    subjects(reader, &numbers, &mut found)?;
    // A decision stands under its number as long as the reader's snapshot does.
    Ok(spots.iter().filter_map(|spot| found.remove(&spot.no)).collect())
}

fn decisions(reader: &mut Reader, facets: &Facets, numbers: &str) -> Result<HashMap<i64, Found>> {
    let sql = format!(
        "SELECT no, CAST(id AS TEXT), facet, CAST(session AS TEXT), started_ns, ended_ns, events, tokens_input, \
         tokens_output FROM decision WHERE no IN {numbers}"
    );
    let mut found = HashMap::new();
    reader.rows(&sql, &[], |row| {
        let [no, id, facet, session, started, ended, events, input, output] = row else { return Ok(()) };
        let count = |value: &Value| value.integer().unwrap_or_default().unsigned_abs();
        let facet = facets.get(facet.integer().unwrap_or_default());
        let decision = Found {
            decision: id.owned().unwrap_or_default(),
            system: facet.system,
            outcome: facet.outcome,
            model: facet.model,
            started_at: time(started.integer().unwrap_or_default()),
            ended_at: ended.integer().map(time),
            route: facet.route,
            subjects: Vec::new(),
            entries: 0,
            wire: facet.wire,
            version: facet.version,
            identity: facet.identity,
            environment: facet.environment,
            error: facet.error,
            overridden: facet.overridden,
            session: session.owned(),
            events: count(events),
            tokens_input: count(input),
            tokens_output: count(output),
            token: Token::at(started.integer().unwrap_or_default(), no.integer().unwrap_or_default()),
        };
        found.insert(no.integer().unwrap_or_default(), decision);
        Ok(())
    })?;
    Ok(found)
}

/// How many entries each decision has up to its end.
fn entries(reader: &mut Reader, numbers: &str) -> Result<Vec<(i64, u64)>> {
    let sql = format!(
        "SELECT decision, count(DISTINCT entry) FROM (\
         SELECT e.decision AS decision, e.no / 1024 AS entry FROM event e JOIN decision d ON d.no = e.decision \
         WHERE e.decision IN {numbers} AND (d.closed_no = 0 OR e.no <= d.closed_no) \
         UNION ALL \
         SELECT e.decision, c.no / 1024 FROM event e JOIN continuation c ON c.event = e.no JOIN decision d ON d.no = e.decision \
         WHERE e.decision IN {numbers} AND (d.closed_no = 0 OR c.no <= d.closed_no)) AS places GROUP BY decision"
    );
    let mut entries = Vec::new();
    reader.rows(&sql, &[], |row| {
        if let [Value::Integer(no), Value::Integer(count)] = row {
            entries.push((*no, count.unsigned_abs()));
        }
        Ok(())
    })?;
    Ok(entries)
}

/// The persons of each decision, in the order in which its events name them.
fn subjects(reader: &mut Reader, numbers: &str, found: &mut HashMap<i64, Found>) -> Result<()> {
    let sql = format!(
        "SELECT decision, CAST(rest AS TEXT) FROM event WHERE decision IN {numbers} \
         AND CAST(rest AS TEXT) LIKE '%\"subjects\"%' ORDER BY decision, no"
    );
    reader.rows(&sql, &[], |row| {
        let [Value::Integer(no), Value::Text(rest)] = row else { return Ok(()) };
        let rest: Json = serde_json::from_str(rest).unwrap_or_default();
        let named = rest["subjects"].as_array().into_iter().flatten().filter_map(Json::as_str);
        if let Some(found) = found.get_mut(no) {
            for subject in named {
                if !found.subjects.iter().any(|known| known == subject) {
                    found.subjects.push(subject.to_owned());
                }
            }
        }
        Ok(())
    })
}

/// Nanoseconds since 1970 as the record writes times.
fn time(ns: i64) -> String {
    Timestamp(ns.unsigned_abs()).to_string()
}
