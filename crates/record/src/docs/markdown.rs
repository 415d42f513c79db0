//! The page docs/record.md.

use std::fmt::{self, Write};

use super::{event_rows, vocabularies};
use crate::columns::columns;
use crate::member::{FieldDoc, FieldType};
use crate::validate::articles;
use crate::{COMMON_ROLES, ENTRY_BYTES_MAX, Kind, LIST_ITEMS_MAX, Level, ReferenceFields, RoleDoc};

/// The page, with a final newline.
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    // Writing to a string does not fail.
    let _ = write_page(&mut page);
    page
}

const HEAD: &str = "\
# The record, field by field

Made from the code by `UPDATE=1 cargo test -p inferlog-record --test docs`; a test compares. How entries are hashed and stored
is in [format.md](format.md); the same as a JSON Schema is in [record.schema.json](record.schema.json).

Clear fields are bounded: enums, numbers, times, digests, configured names and pseudonyms. All other text and all JSON of
callers stand as payload references. A name stands in clear only if it is configured, registered, or was answered by a 2xx
upstream, and matches the pattern below; else the field says `unlisted` and the text is the payload `unlisted`.

## How to read the tables

*Serves* names the provision that a field serves: articles of Regulation (EU) 2024/1689 (the AI Act), of the GDPR, or
inferlog's own *profile*. A field that serves a provision is not thereby required by it: Article 12 prescribes no log content
outside 12(3), which is about remote biometric identification. Articles 12–15, 18–21 and 26 apply from 2 December 2027 (Annex
III) and 2 August 2028 (Annex I). inferlog provides the capability; compliance is the organisation's.

| level | means |
| --- | --- |
| M | required by law, of the systems that Article 12(3) names |
| R | required by inferlog's profile: its absence is reported with a reason |
| r | recommended |

| source | is |
| --- | --- |
| O | the Open Inference Protocol |
| A | the OpenAI wire |
| N | the Anthropic wire |
| T | OpenTelemetry `gen_ai.*` |
| P | the gateway or recorder itself |
| S | the application, through an SDK or the API |
| C | configuration |
| registry | the model registry |
| derived | computed from other fields |

| type | is |
| --- | --- |
| id | UUIDv7, 36 lower-case characters |
| pseudonym | UUIDv4, 36 lower-case characters |
| node | 32 lower-case hexadecimal digits |
| time | RFC 3339 in UTC with nine fractional digits |
| digest | 64 lower-case hexadecimal digits |
| key id | `<page>.<slot>` in decimal |
| system | `[A-Za-z0-9][A-Za-z0-9._-]{0,62}` |
| class | `[a-z0-9][a-z0-9-]{0,30}`; `default` unless a policy says otherwise |
| name | `[A-Za-z0-9._:/@-]{1,128}` |
| count | unsigned integer of 64 bits, a decimal string beyond 2^53 |
| signed | signed integer of 64 bits, a decimal string beyond ±2^53 |
| millionths | as signed; a score or probability times 1,000,000, for no floating point stands in an entry |
| tally | a count, or `unknown` |
| integer | unsigned JSON number |
| boolean | `true` or `false` |
| reason | a value of [Why](#why), `erased_by_order:<id of the erasure event>` or `purged_by_policy:<id of the purge event>` |

A type that is linked is a fixed list of texts. `[]` is an array; an empty one is absent. An optional member that has no value
is absent, never `null`.
";

fn write_page(page: &mut String) -> fmt::Result {
    writeln!(
        page,
        "\nAn array holds at most {LIST_ITEMS_MAX} items, `payloads` apart; an entry at most {ENTRY_BYTES_MAX} bytes."
    )?;
    writeln!(
        page,
        "\n## Entry\n\nSee [format.md](format.md), section 4: `decision`, `events`, `of`, `part`, `v`."
    )?;
    writeln!(page, "\n## Event\n\nMembers of events of every kind.\n")?;
    rows(page, event_rows())?;
    writeln!(page, "\nPayloads that an event of any kind may have:\n")?;
    roles(page, COMMON_ROLES)?;
    writeln!(page, "\n## Payload reference\n")?;
    writeln!(
        page,
        "Sealed, shared, recorded first by another event (`first`), or absent (`reason`); see format.md, section 4.\n"
    )?;
    rows(page, ReferenceFields::FIELDS)?;
    writeln!(page, "\n## Kinds of event\n")?;
    for (kind, meaning) in Kind::ALL.iter().zip(Kind::MEANINGS) {
        let of = if kind.of_decision() { "Of a decision" } else { "Of the system's life" };
        let serves = serves(kind.serves());
        writeln!(page, "### {kind}\n\n{} {of}; serves {serves}.\n", meaning.trim())?;
        rows(page, kind.fields())?;
        if !kind.payloads().is_empty() {
            writeln!(page)?;
            roles(page, kind.payloads())?;
        }
        writeln!(page)?;
    }
    writeln!(page, "## Words\n")?;
    for (name, words) in vocabularies() {
        writeln!(page, "### {name}\n\n| text | means |\n| --- | --- |")?;
        for (text, meaning) in words {
            writeln!(page, "| `{text}` | {meaning} |")?;
        }
        writeln!(page)?;
    }
    writeln!(page, "## Columns\n\nOne row an event; references have a table of their own.\n")?;
    writeln!(page, "| column | type | null |\n| --- | --- | --- |")?;
    for column in columns() {
        let null = if column.nullable { "yes" } else { "no" };
        writeln!(page, "| `{}` | {:?} | {null} |", column.name, column.r#type)?;
    }
    Ok(())
}

fn rows(page: &mut String, rows: impl IntoIterator<Item = &'static FieldDoc>) -> fmt::Result {
    writeln!(
        page,
        "| member | type | level | serves | source | says |\n| --- | --- | --- | --- | --- | --- |"
    )?;
    rows.into_iter().try_for_each(|field| row(page, "", field))
}

fn row(page: &mut String, prefix: &str, field: &'static FieldDoc) -> fmt::Result {
    let FieldDoc { name, doc, .. } = field;
    let (kind, inner) = type_text(field.r#type);
    let optional = if field.optional { "" } else { ", always there" };
    let level = level(field.level, field.when);
    let serves = serves(field.serves);
    writeln!(
        page,
        "| `{prefix}{name}` | {kind}{optional} | {level} | {serves} | {} | {} |",
        field.source,
        doc.trim()
    )?;
    let list = if matches!(field.r#type, FieldType::List { .. }) { "[]" } else { "" };
    let prefix = format!("{prefix}{name}{list}.");
    inner.iter().try_for_each(|field| row(page, &prefix, field))
}

fn roles(page: &mut String, roles: &[RoleDoc]) -> fmt::Result {
    writeln!(page, "| payload | level | serves | source |\n| --- | --- | --- | --- |")?;
    for RoleDoc { role, level: asked, when, serves: provision, source } in roles {
        writeln!(page, "| `{role}` | {} | {} | {source} |", level(*asked, *when), serves(provision))?;
    }
    Ok(())
}

fn level(level: Level, when: Option<&str>) -> String {
    match when {
        Some(when) => format!("{}, where {when}", level.letter()),
        None => level.letter().to_owned(),
    }
}

fn serves(provision: &str) -> String {
    if provision == "profile" { provision.to_owned() } else { articles(provision) }
}

/// What stands in the column `type`, and the rows within.
fn type_text(r#type: FieldType) -> (String, &'static [FieldDoc]) {
    let name = match r#type {
        FieldType::Id => "id",
        FieldType::Pseudonym => "pseudonym",
        FieldType::Node => "node",
        FieldType::Time => "time",
        FieldType::Digest => "digest",
        FieldType::KeyId => "key id",
        FieldType::System => "system",
        FieldType::Class => "class",
        FieldType::Name => "name",
        FieldType::Reason => "reason",
        FieldType::Count => "count",
        FieldType::Signed => "signed",
        FieldType::Millionths => "millionths",
        FieldType::Tally => "tally",
        FieldType::Small { .. } => "integer",
        FieldType::Bool => "boolean",
        FieldType::Body => "object",
        FieldType::Reference => "[reference](#payload-reference)",
        FieldType::Enum { name, .. } => return (format!("[{name}](#{})", name.to_lowercase()), &[]),
        FieldType::Object { fields, .. } => return ("object".into(), fields),
        FieldType::List { item } => {
            let (name, fields) = type_text(*item);
            return (format!("{name}[]"), fields);
        }
    };
    (name.into(), &[])
}
