//! The answers out of an index, by the same SQL in both engines: the views, and the tables that have none.

use inferlog_index::{Reader, Value};

use super::answers::{Answers, COUNTED, Digester, digest_sorted, line};

/// Entries whose rows are asked for at a time.
const ENTRIES: i64 = 20_000;
const DAY_NS: i64 = 86_400_000_000_000;

const FACET: &str = "system, route, wire, model, model_version, model_identity, environment, nullif(outcome, 'open'), error, overridden";
const EVENTS: &str = "entry, place, decision, id, kind, system, logged_ns, started_ns, ended_ns";
const REFERENCES: &str = "event, size, payload, role, class, media_type, encoding, state, reason, key_id, commitment, sealed, sha256, first";

/// Asks an index.
pub fn ask(reader: &mut Reader) -> Answers {
    let counted = COUNTED.join(", ");
    let decisions = format!("id, session, {FACET}, started_ns, ended_ns, time_to_first_byte_ns, {counted}");
    let mut answers = Answers {
        kinds: counts(reader, "SELECT kind, count(*) FROM events GROUP BY kind"),
        outcomes: counts(reader, "SELECT nullif(outcome, 'open'), count(*) FROM decisions GROUP BY outcome"),
        days: counts(reader, &format!("SELECT started_ns / {DAY_NS}, count(*) FROM decisions GROUP BY 1")),
        terms: counts(
            reader,
            "SELECT t.aspect || ' ' || t.name, count(*) FROM decision_term d JOIN term t ON t.term = d.term GROUP BY 1",
        ),
        persons: counts(
            reader,
            "SELECT 'pairs', count(*) FROM decision_subject UNION ALL SELECT 'persons', count(DISTINCT subject) FROM decision_subject
             UNION ALL SELECT 'mentions', count(*) FROM mention UNION ALL SELECT 'mentioned', count(DISTINCT decision) FROM mention",
        ),
        ..Answers::default()
    };
    for name in COUNTED {
        let sum = counts(reader, &format!("SELECT '{name}', sum({name}) FROM decisions"));
        answers.sums.extend(sum);
    }
    let sql = "SELECT model, model_version, count(*), sum(tokens_output), sum(latency_ns) FROM decisions GROUP BY 1, 2";
    rows(reader, sql, &[], |row| {
        let number = |at: usize| row[at].as_deref().map_or(0, |text| text.parse().unwrap());
        let model = line([row[0].as_deref(), row[1].as_deref()]);
        answers.models.insert(model, [number(2), number(3), number(4)]);
    });
    let digests = [
        ("decisions", in_order(reader, "decisions", "no", "no", &decisions, false)),
        ("events", in_order(reader, "events", "no", "no", EVENTS, true)),
        ("payload_refs", in_order(reader, "payload_refs", "event_no", "event_no, place", REFERENCES, false)),
        ("rollups_minute", rollups(reader, "rollups_minute", &counted)),
        ("rollups_hour", rollups(reader, "rollups_hour", &counted)),
    ];
    answers.digests.extend(digests);
    answers
}

/// Digests a view in the order of its logs' origins, and of its rows there; with the origin before each row, if asked.
fn in_order(
    reader: &mut Reader,
    view: &str,
    number: &str,
    order: &str,
    columns: &str,
    with_origin: bool,
) -> super::answers::Rows {
    let mut logs = Vec::new();
    rows(reader, "SELECT origin, log, next FROM logs", &[], |row| {
        let number = |at: usize| row[at].as_deref().unwrap().parse::<i64>().unwrap();
        logs.push((row[0].clone(), number(1), number(2)));
    });
    logs.sort();
    let mut digester = Digester::default();
    for (origin, log, next) in logs {
        for first in (0..next).step_by(ENTRIES as usize) {
            let no = |entry: i64| Value::Integer((log << 48) | (entry << 10));
            let sql = format!(
                "SELECT {columns} FROM {view} WHERE {number} >= $1 AND {number} < $2 ORDER BY {order}"
            );
            rows(reader, &sql, &[no(first), no(first + ENTRIES)], |row| {
                let origin = origin.as_deref().filter(|_| with_origin).map(Some);
                digester.line(&line(origin.into_iter().chain(row.iter().map(Option::as_deref))));
            });
        }
    }
    digester.end()
}

fn rollups(reader: &mut Reader, view: &str, counted: &str) -> super::answers::Rows {
    let mut days = Vec::new();
    rows(reader, &format!("SELECT DISTINCT start_ns / {DAY_NS} FROM {view}"), &[], |row| {
        days.push(row[0].as_deref().unwrap().parse::<i64>().unwrap());
    });
    let mut lines = Vec::new();
    for day in days {
        let columns = format!("start_ns, {FACET}, decisions, ended, latency_sum_ns, {counted}");
        let sql = format!("SELECT {columns} FROM {view} WHERE start_ns >= $1 AND start_ns < $2");
        let range = [Value::Integer(day * DAY_NS), Value::Integer((day + 1) * DAY_NS)];
        rows(reader, &sql, &range, |row| lines.push(line(row.iter().map(Option::as_deref))));
    }
    digest_sorted(lines)
}

/// A name and a number in each row.
fn counts(reader: &mut Reader, sql: &str) -> std::collections::BTreeMap<String, i64> {
    let mut counts = std::collections::BTreeMap::new();
    rows(reader, sql, &[], |row| {
        let name = row[0].clone().unwrap_or("-".into());
        counts.insert(name, row[1].as_deref().unwrap().parse().unwrap());
    });
    counts
}

/// Gives every row to `visit`, each value as text.
fn rows(reader: &mut Reader, sql: &str, parameters: &[Value], mut visit: impl FnMut(&[Option<String>])) {
    // What each engine has types of its own for is asked for as text.
    let columns: Vec<String> = (1..=width(sql)).map(|column| format!("CAST(c{column} AS TEXT)")).collect();
    let names: Vec<String> = (1..=columns.len()).map(|column| format!("c{column}")).collect();
    let asked =
        format!("WITH asked({}) AS ({sql}) SELECT {} FROM asked", names.join(", "), columns.join(", "));
    reader
        .rows(&asked, parameters, |row| {
            let text = |value: &Value| match value {
                Value::Null => None,
                Value::Text(text) => Some(text.clone()),
                other => panic!("{other:?} is not text"),
            };
            visit(&row.iter().map(text).collect::<Vec<_>>());
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}\n{sql}"));
}

/// How many columns a question of this file has: commas of its list, those in parentheses not counted.
fn width(sql: &str) -> usize {
    let list = sql.split(" FROM ").next().unwrap();
    let (mut depth, mut commas) = (0, 0);
    for byte in list.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => commas += 1,
            _ => {}
        }
    }
    commas + 1
}
