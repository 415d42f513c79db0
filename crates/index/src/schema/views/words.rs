//! The same expression in both engines' words.

use inferlog_record::ColumnType;

use crate::schema::Dialect;

impl Dialect {
    /// A moment, readable, from nanoseconds since 1970. PostgreSQL's has microseconds.
    pub(super) fn time(self, ns: &str) -> String {
        match self {
            Dialect::Sqlite => format!(
                "strftime('%Y-%m-%dT%H:%M:%S', {ns} / 1000000000, 'unixepoch') || printf('.%09dZ', {ns} % 1000000000)"
            ),
            Dialect::Postgres => {
                format!("(timestamptz 'epoch' + ({ns} / 1000) * interval '1 microsecond')")
            }
        }
    }

    /// A UUID as text, from what is stored; SQLite stores bytes. Null stays null.
    pub(super) fn uuid(self, column: &str) -> String {
        let Dialect::Sqlite = self else { return column.to_owned() };
        let parts = [(1, 4), (5, 2), (7, 2), (9, 2), (11, 6)];
        let parts = parts.map(|(from, bytes)| format!("hex(substr({column}, {from}, {bytes}))"));
        format!("CASE WHEN {column} IS NOT NULL THEN lower({}) END", parts.join(" || '-' || "))
    }

    /// Bytes as hexadecimal digits.
    pub(super) fn hex(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => format!("CASE WHEN {column} IS NOT NULL THEN lower(hex({column})) END"),
            Dialect::Postgres => format!("encode({column}, 'hex')"),
        }
    }

    /// The value at a path of a JSON column, as JSON.
    pub(super) fn json(self, column: &str, path: &[&str]) -> String {
        match self {
            Dialect::Sqlite => format!("{column} -> '$.{}'", path.join(".")),
            Dialect::Postgres => format!("{column} #> '{{{}}}'", path.join(",")),
        }
    }

    /// The value at a path of a JSON column, as text.
    pub(super) fn text(self, column: &str, path: &[&str]) -> String {
        match self {
            Dialect::Sqlite => format!("{column} ->> '$.{}'", path.join(".")),
            Dialect::Postgres => format!("({column} #>> '{{{}}}')", path.join(",")),
        }
    }

    /// The value at a path of a JSON column, of a column's type. What is not of its form, as a tally that is `unknown`, is null:
    /// an event of a later version must not make a view fail. Integers beyond 63 bits become the last that fits.
    pub(super) fn typed(self, column: &str, path: &[&str], r#type: ColumnType) -> String {
        let text = self.text(column, path);
        match (r#type, self) {
            (ColumnType::TextList | ColumnType::Json, _) => self.json(column, path),
            (ColumnType::Unsigned | ColumnType::Signed, Dialect::Sqlite) => {
                format!("CASE WHEN {text} NOT GLOB '*[^-0-9]*' THEN CAST({text} AS INTEGER) END")
            }
            (ColumnType::Unsigned | ColumnType::Signed, Dialect::Postgres) => {
                let number = format!("least({text}::numeric, 9223372036854775807)::bigint");
                format!("CASE WHEN {text} ~ '^-?[0-9]{{1,20}}$' THEN {number} END")
            }
            (ColumnType::Boolean, Dialect::Postgres) => {
                format!("CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END")
            }
            (ColumnType::Uuid, Dialect::Postgres) => {
                format!("CASE WHEN {text} ~ '^[0-9a-f-]{{36}}$' THEN {text}::uuid END")
            }
            (ColumnType::Timestamp, Dialect::Postgres) => {
                let form = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{18}Z$";
                format!("CASE WHEN {text} ~ '{form}' THEN {text}::timestamptz END")
            }
            _ => text,
        }
    }

    /// A JSON object of these members.
    pub(super) fn object(self, members: &[(&str, &str)]) -> String {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("'{name}', {value}")).collect();
        let function = match self {
            Dialect::Sqlite => "json_object",
            Dialect::Postgres => "jsonb_build_object",
        };
        format!("{function}({})", members.join(", "))
    }

    /// An id, which SQLite stores as text, as text in both engines.
    pub(super) fn id_text(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => column.to_owned(),
            Dialect::Postgres => format!("{column}::text"),
        }
    }

    /// A UUID as text in both engines.
    pub(super) fn uuid_text(self, column: &str) -> String {
        match self {
            Dialect::Sqlite => self.uuid(column),
            Dialect::Postgres => format!("{column}::text"),
        }
    }
}
