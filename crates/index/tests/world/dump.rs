//! What an index says, as text: without the numbers of shared rows, which depend on what was seen in between.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

/// Questions whose answers must not depend on where batches were cut.
const ANSWERS: [&str; 12] = [
    "SELECT * FROM (SELECT d.*, f.key FROM decision d JOIN facet f USING (facet)) ORDER BY no",
    "SELECT e.no, e.id, e.decision, c.key, e.logged_ns, e.started_ns, e.ended_ns, e.rest FROM event e JOIN common c USING (common) ORDER BY e.no",
    "SELECT r.event, r.place, hex(r.payload), k.key, r.size, r.key_id, hex(r.commitment), hex(r.sealed), hex(r.first) FROM payload_ref r JOIN ref_kind k USING (ref_kind) ORDER BY 1, 2",
    "SELECT hex(subject), decision FROM decision_subject ORDER BY 1, 2",
    "SELECT t.aspect, t.name, d.decision FROM decision_term d JOIN term t USING (term) ORDER BY 1, 2, 3",
    "SELECT * FROM mention ORDER BY 1, 2",
    "SELECT * FROM continuation ORDER BY 1",
    "SELECT hex(subject), hex(intent) FROM erased_subject ORDER BY 1, 2",
    "SELECT * FROM again ORDER BY 1",
    "SELECT t.name, first, last FROM purged JOIN term t ON t.term = class ORDER BY 1, 2",
    "SELECT * FROM purge_due ORDER BY 1",
    "SELECT log, origin, next, pruned, newest_ns FROM log ORDER BY log",
];

const COUNTERS: &str = "sum(turns), sum(events), sum(payloads), sum(payloads_absent), sum(model_calls), sum(model_calls_failed),
  sum(tool_calls), sum(tool_calls_failed), sum(retrievals), sum(transforms), sum(human_actions), sum(overrides), sum(labels),
  sum(tokens_input), sum(tokens_output), sum(tokens_cached), sum(tokens_reasoning)";

pub fn open(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

pub fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    // The facet's number within `d.*` says nothing.
    let facet = statement.column_names().iter().position(|name| *name == "facet");
    let rows = statement.query_map([], |row| {
        let values = (0..columns).filter(|at| Some(*at) != facet).map(|at| row.get::<_, Value>(at).unwrap());
        Ok(values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(" "))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Everything that followers of the same entries must agree on, rollups included.
pub fn dump(path: &Path) -> Vec<String> {
    let connection = open(path);
    let mut all: Vec<String> = ANSWERS.iter().flat_map(|sql| rows(&connection, sql)).collect();
    for table in ["rollup_minute", "rollup_hour"] {
        all.extend(rows(
            &connection,
            &format!("SELECT r.start_ns, f.key, r.* FROM {table} r JOIN facet f USING (facet) ORDER BY 1, 2"),
        ));
    }
    for table in ["latency_minute", "latency_hour"] {
        all.extend(rows(&connection, &format!("SELECT r.start_ns, f.key, r.* FROM {table} r JOIN facet f USING (facet) ORDER BY 1, 2, r.bucket")));
    }
    all
}

/// Rollups are what GROUP BY over `decision` gives, no row more.
pub fn check_rollups(path: &Path) {
    let connection = open(path);
    for (table, width) in [("minute", 60_000_000_000_u64), ("hour", 3_600_000_000_000)] {
        let grouped = rows(&connection, &format!(
            "SELECT started_ns - started_ns % {width} AS start, facet + 0, count(*), count(ended_ns),
             coalesce(sum(max(ended_ns - started_ns, 0)), 0), {COUNTERS} FROM decision GROUP BY 1, 2 ORDER BY 1, 2"
        ));
        let kept = rows(
            &connection,
            &format!(
                "SELECT start_ns, facet + 0, decisions, ended, latency_sum_ns, {} FROM rollup_{table} ORDER BY 1, 2",
                COUNTERS.replace("sum(", "(")
            ),
        );
        assert_eq!(kept, grouped, "{table}");
        let kept = rows(
            &connection,
            &format!(
                "SELECT start_ns, facet + 0, sum(decisions) FROM latency_{table} GROUP BY 1, 2 ORDER BY 1, 2"
            ),
        );
        let ended = rows(
            &connection,
            &format!("SELECT start_ns, facet + 0, ended FROM rollup_{table} WHERE ended > 0 ORDER BY 1, 2"),
        );
        assert_eq!(kept, ended, "latencies by {table}");
    }
}
