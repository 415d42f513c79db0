//! The views: the documented interface, the same names and columns in both engines.

use super::Dialect;
use crate::rows::COUNTERS;

/// Statements that make the views.
pub fn views(dialect: Dialect) -> String {
    [decisions(dialect), payload_refs(dialect)].concat()
}

impl Dialect {
    /// A moment, readable, from nanoseconds since 1970. PostgreSQL's has microseconds.
    fn time(self, ns: &str) -> String {
        match self {
            Dialect::Sqlite => format!(
                "strftime('%Y-%m-%dT%H:%M:%S', {ns} / 1000000000, 'unixepoch') || printf('.%09dZ', {ns} % 1000000000)"
            ),
            Dialect::Postgres => {
                format!("(timestamptz 'epoch' + ({ns} / 1000) * interval '1 microsecond')")
            }
        }
    }

    /// A UUID as text, from what is stored.
    fn uuid(self, column: &str) -> String {
        let part = |from: u8, len: u8| format!("substr(hex({column}), {from}, {len})");
        match self {
            Dialect::Sqlite => format!(
                "lower({} || '-' || {} || '-' || {} || '-' || {} || '-' || {})",
                part(1, 8),
                part(9, 4),
                part(13, 4),
                part(17, 4),
                part(21, 12)
            ),
            Dialect::Postgres => column.to_owned(),
        }
    }

    /// Bytes as hexadecimal digits.
    fn hex(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => format!("CASE WHEN {column} IS NOT NULL THEN lower(hex({column})) END"),
            Dialect::Postgres => format!("encode({column}, 'hex')"),
        }
    }
}

fn decisions(dialect: Dialect) -> String {
    let counters: String = COUNTERS.map(|name| format!("  d.{name},\n")).concat();
    format!(
        "CREATE VIEW decisions AS SELECT
  d.id,
  f.system, f.route, f.wire, f.model, f.version AS model_version, f.identity AS model_identity, f.environment,
  coalesce(f.outcome, 'open') AS outcome, f.error, f.overridden,
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
    let key = "(r.key_id / 65536) || '.' || (r.key_id % 65536)";
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
        dialect.uuid("e.id"),
        dialect.hex("r.commitment"),
        dialect.hex("r.sealed"),
        dialect.hex("r.sha256"),
        dialect.uuid_or_null("r.first"),
    )
}

impl Dialect {
    fn uuid_or_null(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => format!("CASE WHEN {column} IS NOT NULL THEN {} END", self.uuid(column)),
            Dialect::Postgres => self.uuid(column),
        }
    }
}
