//! The four tables of the practical-ai-act guide (aai-institute/practical-ai-act, `src/hr_assistant/dependencies/logging.py`), so that
//! what was written for them runs unchanged. One row for each model call; its id is the event's. Content stands there where the
//! configuration allows it (`content`), else a reference in its place.

use crate::schema::Dialect;

pub(super) fn views(dialect: Dialect) -> Vec<String> {
    vec![requests(dialect), responses(dialect), errors(dialect), metadata(dialect)]
}

/// Model calls, and their reference of each of these roles with its content: `r0`, `k0`, `t0` for the first, and so on.
fn from(roles: &[&str]) -> String {
    let mut from = "FROM event e JOIN common c ON c.common = e.common AND c.kind = 'inference'".to_owned();
    for (n, role) in roles.iter().enumerate() {
        from.push_str(&format!(
            "
LEFT JOIN payload_ref r{n} ON r{n}.event = e.no AND r{n}.place = (SELECT min(r.place) FROM payload_ref r
  JOIN ref_kind k ON k.ref_kind = r.ref_kind WHERE r.event = e.no AND k.role = '{role}')
LEFT JOIN ref_kind k{n} ON k{n}.ref_kind = r{n}.ref_kind
LEFT JOIN content t{n} ON t{n}.payload = r{n}.payload"
        ));
    }
    from
}

/// What stands in the content's place: where the payload is.
fn reference(dialect: Dialect, n: usize) -> String {
    let object = dialect.object(&[
        ("payload", &dialect.uuid_text(&format!("r{n}.payload"))),
        ("role", &format!("k{n}.role")),
        ("state", &format!("k{n}.state")),
        ("log", "(SELECT l.origin FROM log l WHERE l.log = e.no >> 48)"),
        ("entry", "(e.no & 281474976710655) >> 10"),
    ]);
    format!("CASE WHEN r{n}.payload IS NOT NULL THEN {object} END")
}

/// The content, or the reference to it; with a member's name, that member of the content if it has one, else all of it.
fn content(dialect: Dialect, n: usize, member: Option<&str>) -> String {
    let part = member.map(|member| format!("t{n}.content -> '{member}', ")).unwrap_or_default();
    format!("coalesce({part}t{n}.content, {})", reference(dialect, n))
}

fn requests(dialect: Dialect) -> String {
    format!(
        "CREATE VIEW inference_requests AS SELECT
  {} AS id,
  {} AS \"timestamp\",
  coalesce(t0.content -> 'parameters', {}) AS parameters,
  {} AS inputs,
  t0.content -> 'outputs' AS outputs,
  {} AS raw_request
{};\n",
        dialect.id_text("e.id"),
        dialect.time("coalesce(e.started_ns, e.logged_ns)"),
        content(dialect, 1, None),
        content(dialect, 0, Some("inputs")),
        content(dialect, 0, None),
        from(&["input.assembled", "params.requested"]),
    )
}

fn responses(dialect: Dialect) -> String {
    let model = |name| dialect.text("e.rest", &["body", "model", name]);
    format!(
        "CREATE VIEW inference_responses AS SELECT
  coalesce({}, {}) AS model_name,
  {} AS model_version,
  {} AS id,
  {} AS \"timestamp\",
  t0.content -> 'parameters' AS parameters,
  {} AS outputs,
  {} AS raw_response
{}
WHERE {} = 'ok';\n",
        model("returned"),
        model("requested"),
        model("version"),
        dialect.id_text("e.id"),
        dialect.time("coalesce(e.ended_ns, e.logged_ns)"),
        content(dialect, 0, Some("outputs")),
        content(dialect, 0, None),
        from(&["output.raw"]),
        dialect.text("e.rest", &["body", "outcome"]),
    )
}

fn errors(dialect: Dialect) -> String {
    format!(
        "CREATE VIEW inference_errors AS SELECT
  {} AS id,
  coalesce({}, {}) AS error,
  {} AS response
{}
WHERE {} <> 'ok';\n",
        dialect.id_text("e.id"),
        dialect.text("e.rest", &["body", "error"]),
        dialect.text("e.rest", &["body", "outcome"]),
        content(dialect, 0, None),
        from(&["error"]),
        dialect.text("e.rest", &["body", "outcome"]),
    )
}

fn metadata(dialect: Dialect) -> String {
    let object = dialect.object(&[
        ("decision", &dialect.id_text("d.id")),
        ("system", "f.system"),
        ("route", "f.route"),
        ("environment", "f.environment"),
        ("outcome", "coalesce(f.outcome, 'open')"),
        ("log", "(SELECT l.origin FROM log l WHERE l.log = e.no >> 48)"),
        ("entry", "(e.no & 281474976710655) >> 10"),
    ]);
    format!(
        "CREATE VIEW inference_metadata AS SELECT {} AS id, {object} AS metadata
FROM event e JOIN common c ON c.common = e.common AND c.kind = 'inference'
LEFT JOIN decision d ON d.no = e.decision LEFT JOIN facet f ON f.facet = d.facet;\n",
        dialect.id_text("e.id"),
    )
}
