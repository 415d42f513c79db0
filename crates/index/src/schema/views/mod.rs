//! The views: the documented interface, the same names and columns in both engines.

mod events;
mod guide;
mod words;

use super::Dialect;
use crate::rows::COUNTERS;

/// Statements that make the views.
pub fn views(dialect: Dialect) -> String {
    each_view(dialect).into_iter().map(|(_, view)| view).collect()
}

/// The name of each view and the statement that makes it. The later ones may rest on the earlier ones.
pub(crate) fn each_view(dialect: Dialect) -> Vec<(String, String)> {
    const CREATE: &str = "CREATE VIEW ";
    let all = all(dialect).concat();
    let views = all.split(CREATE).skip(1);
    let name = |view: &str| view.split_whitespace().next().unwrap_or_default().trim_matches('"').to_owned();
    views.map(|view| (name(view), format!("{CREATE}{view}"))).collect()
}

fn all(dialect: Dialect) -> Vec<String> {
    let mut views = vec![decisions(dialect), payload_refs(dialect), removed(dialect), logs(dialect)];
    for window in ["minute", "hour"] {
        views.push(rollups(dialect, window));
        views.push(latencies(dialect, window));
    }
    views.extend(events::views(dialect));
    views.extend(guide::views(dialect));
    views
}

/// A facet's columns, under the names that views give them.
const FACET: &str = "f.system, f.route, f.wire, f.model, f.version AS model_version, f.identity AS model_identity, f.environment,
  coalesce(f.outcome, 'open') AS outcome, f.error, f.overridden";

fn decisions(dialect: Dialect) -> String {
    let counters: String = COUNTERS.map(|name| format!("  d.{name},\n")).concat();
    format!(
        "CREATE VIEW decisions AS SELECT
  d.id,
  {FACET},
  d.session,
  {} AS started_at, d.started_ns,
  {} AS ended_at, d.ended_ns,
  d.ended_ns - d.started_ns AS latency_ns, d.time_to_first_byte_ns,
{counters}  d.facet, d.no
FROM decision d JOIN facet f ON f.facet = d.facet;\n",
        dialect.time("d.started_ns"),
        dialect.time("d.ended_ns"),
    )
}

fn payload_refs(dialect: Dialect) -> String {
    let key = "CAST(r.key_id / 65536 AS TEXT) || '.' || CAST(r.key_id % 65536 AS TEXT)";
    format!(
        "CREATE VIEW payload_refs AS SELECT
  {} AS payload, d.id AS decision, {} AS event, r.place,
  k.role, k.class, k.media_type, k.encoding, k.state, k.reason,
  r.size, {key} AS key_id,
  {} AS commitment, {} AS sealed, {} AS sha256, {} AS first,
  r.event AS event_no
FROM payload_ref r JOIN ref_kind k ON k.ref_kind = r.ref_kind JOIN event e ON e.no = r.event
LEFT JOIN decision d ON d.no = e.decision;\n",
        dialect.uuid("r.payload"),
        "e.id",
        dialect.hex("r.commitment"),
        dialect.hex("r.sealed"),
        dialect.hex("r.sha256"),
        dialect.uuid("r.first"),
    )
}

/// Payloads that were there when their events were recorded, and that an erasure or a purge has removed since: a row for each way.
fn removed(dialect: Dialect) -> String {
    let select = |how: &str| {
        format!(
            "SELECT {} AS payload, d.id AS decision, e.id AS event, k.role, '{how}' AS removed, r.event AS event_no",
            dialect.uuid("r.payload")
        )
    };
    let from = "JOIN ref_kind k ON k.ref_kind = r.ref_kind JOIN event e ON e.no = r.event
LEFT JOIN decision d ON d.no = e.decision";
    let key = "(CAST(l.keystore AS BIGINT) << 48) + r.key_id";
    format!(
        "CREATE VIEW removed_payloads AS {}
FROM payload_ref r JOIN log l ON l.log = r.event >> 48 {from}
WHERE k.state = 'present' AND (EXISTS (SELECT 1 FROM erased_key x WHERE x.key_id = {key})
  OR r.key_id IS NOT NULL AND EXISTS (SELECT 1 FROM decision_subject s JOIN erased_subject x ON x.subject = s.subject
    WHERE s.decision = e.decision AND NOT EXISTS (SELECT 1 FROM withheld_key w WHERE w.intent = x.intent AND w.key_id = {key})))
UNION ALL {}
FROM purged p JOIN term t ON t.term = p.class JOIN payload_ref r ON r.event BETWEEN p.first AND p.last {from}
JOIN common c ON c.common = e.common
WHERE k.state = 'present' AND r.key_id IS NOT NULL AND {} = t.name;\n",
        select("erased"),
        select("purged"),
        dialect.text("c.json", &["retention"]),
    )
}

fn logs(dialect: Dialect) -> String {
    format!(
        "CREATE VIEW logs AS SELECT l.log, l.origin, l.system, l.shard, l.epoch, l.next, l.identified, l.pruned,
  {} AS newest_at, l.newest_ns,
  (SELECT coalesce(sum(s.last - s.first + 1), 0) FROM skip s WHERE s.log = l.log) AS skipped
FROM log l;\n",
        dialect.time("l.newest_ns"),
    )
}

fn rollups(dialect: Dialect, window: &str) -> String {
    let counters: String = COUNTERS.map(|name| format!("  r.{name},\n")).concat();
    let rate = |part: &str, of: &str| format!("CAST(r.{part} AS DOUBLE PRECISION) / nullif(r.{of}, 0)");
    format!(
        "CREATE VIEW rollups_{window} AS SELECT
  {} AS start_at, r.start_ns,
  {FACET},
  r.decisions, r.ended, r.latency_sum_ns,
{counters}  {} AS latency_mean_ns, {} AS model_call_failure_rate, {} AS tool_call_failure_rate,
  {} AS overrides_per_decision,
  r.facet
FROM rollup_{window} r JOIN facet f ON f.facet = r.facet;\n",
        dialect.time("r.start_ns"),
        rate("latency_sum_ns", "ended"),
        rate("model_calls_failed", "model_calls"),
        rate("tool_calls_failed", "tool_calls"),
        rate("overrides", "decisions"),
    )
}

/// Buckets with the latencies that fall into them: from `from_ns` to below `to_ns`.
fn latencies(dialect: Dialect, window: &str) -> String {
    let start = |bucket: &str| {
        format!(
            "CASE WHEN {bucket} < 32 THEN CAST({bucket} AS BIGINT)
    WHEN {bucket} >= 960 THEN 9223372036854775807
    ELSE CAST(16 + {bucket} % 16 AS BIGINT) << ({bucket} / 16 - 1) END"
        )
    };
    format!(
        "CREATE VIEW latencies_{window} AS SELECT
  {} AS start_at, r.start_ns,
  {FACET},
  r.bucket, {} AS from_ns, {} AS to_ns,
  r.decisions,
  r.facet
FROM latency_{window} r JOIN facet f ON f.facet = r.facet;\n",
        dialect.time("r.start_ns"),
        start("r.bucket"),
        start("(r.bucket + 1)"),
    )
}
