//! What a request asks for: a statement, or a command and its words.

use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::compliance;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// `POST /v1/query`.
    Query,
    /// A command of this program, with the words that the request adds to it.
    Command(Command),
    /// An erasure, a hold or an incident.
    Compliance(compliance::Asked),
}

/// Why a request asks for nothing that there is.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

fn refuse(status: StatusCode, code: &'static str, message: &str) -> Refused {
    Refused { status, code, message: message.to_owned() }
}

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// What the route is called.
    pub(super) name: &'static str,
    /// Its words.
    pub(super) words: Vec<String>,
    /// The form of what it writes.
    pub(super) media_type: &'static str,
    /// Whether it gives out content.
    pub(super) is_content: bool,
    /// Whether it goes on until nobody reads.
    pub(super) is_endless: bool,
    /// Whether it asks an index, which the server names.
    pub(super) is_indexed: bool,
}

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// What a request may say to `find`; the names are those of its options.
const FIND: &[&str] = &[
    "since",
    "until",
    "system",
    "model",
    "version",
    "outcome",
    "error",
    "identity",
    "route",
    "environment",
    "overridden",
    "subject",
    "external-id",
    "label",
    "tool",
    "text",
    "limit",
    "before",
    "count",
];
const STATS: &[&str] = &[
    "since",
    "until",
    "by",
    "group",
    "system",
    "model",
    "version",
    "outcome",
    "error",
    "identity",
    "route",
    "environment",
    "overridden",
];
const TAIL: &[&str] = &["n", "kind", "system", "decision"];
const RECONSTRUCT: &[&str] = &["role", "purpose", "actor", "full", "sealed"];
/// Options that stand alone.
const FLAGS: &[&str] = &["count", "full", "sealed"];

/// Forms of an account, and their media types.
const ACCOUNTS: [(&str, &str); 5] = [
    ("json", JSON),
    ("html", "text/html; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("prov", JSON),
    ("text", "text/plain; charset=utf-8"),
];

impl Asked {
    /// Reads a request's line.
    pub(super) fn of(head: &Parts) -> Result<Self, Refused> {
        if compliance::is_path(head.uri.path()) {
            return compliance::Asked::of(head).map(Self::Compliance);
        }
        let path: Vec<&str> = head.uri.path().trim_start_matches('/').split('/').collect();
        let query = head.uri.query().unwrap_or_default();
        let get = Method::GET;
        let asked = match (path.as_slice(), &head.method) {
            (["v1", "query"], &Method::POST) => return Ok(Self::Query),
            (["v1", "decisions"], method) if *method == get => find(query)?,
            (["v1", "decisions", id], method) if *method == get => reconstruct(id, query)?,
            (["v1", "stats"], method) if *method == get => {
                let words = ["stats".to_owned(), "--json".to_owned()];
                Command { is_indexed: true, ..command("stats", words, NDJSON, options(query, STATS)?) }
            }
            (["v1", "tail"], method) if *method == get => {
                let words = ["tail", "--json", "--follow"].map(str::to_owned);
                Command { is_endless: true, ..command("tail", words, NDJSON, options(query, TAIL)?) }
            }
            (["v1", "followers"], method) if *method == get => {
                command("followers", ["followers", "--json"].map(str::to_owned), NDJSON, options(query, &[])?)
            }
            (["v1", "followers", "rebuild"], &Method::POST) => {
                let words = ["followers", "rebuild"].map(str::to_owned);
                Command {
                    is_indexed: true,
                    ..command("rebuild", words, "text/plain; charset=utf-8", options(query, &[])?)
                }
            }
            (["v1", "query"] | ["v1", "followers", "rebuild"], _) => return Err(method_not_allowed("POST")),
            (["v1", "decisions" | "stats" | "tail" | "followers"] | ["v1", "decisions", _], _) => {
                return Err(method_not_allowed("GET"));
            }
            _ => {
                let what = "no such path: POST /v1/query, GET /v1/decisions, /v1/decisions/{id}, /v1/stats, /v1/tail, \
                            /v1/followers, POST /v1/followers/rebuild";
                return Err(refuse(StatusCode::NOT_FOUND, "no_such_path", what));
            }
        };
        Ok(Self::Command(asked))
    }

    /// What its route is called, for this process's log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Command(command) => command.name,
            Self::Compliance(asked) => asked.name(),
        }
    }
}

fn method_not_allowed(method: &str) -> Refused {
    refuse(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &format!("ask with {method}"))
}

fn command<const N: usize>(
    name: &'static str,
    words: [String; N],
    media_type: &'static str,
    options: Vec<String>,
) -> Command {
    let words = words.into_iter().chain(options).collect();
    Command { name, words, media_type, is_content: false, is_endless: false, is_indexed: false }
}

fn find(query: &str) -> Result<Command, Refused> {
    let mut options = options(query, FIND)?;
    // A page: everything at once is what a statement is for.
    if !options.iter().any(|word| word.starts_with("--limit=") || word == "--count") {
        options.push("--limit=100".to_owned());
    }
    let words = ["find".to_owned(), "--json".to_owned()];
    Ok(Command { is_indexed: true, ..command("decisions", words, NDJSON, options) })
}

fn reconstruct(id: &str, query: &str) -> Result<Command, Refused> {
    let bad = |what: &str| refuse(StatusCode::BAD_REQUEST, "malformed", what);
    if id.parse::<inferlog_record::Id>().is_err() {
        return Err(bad(
            "the path does not end in a decision's id: 36 characters, as a UUID of version 7 has",
        ));
    }
    let (mut format, mut rest) = ("json".to_owned(), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("format", value)) => format = value.to_owned(),
            _ => rest.push(pair),
        }
    }
    let Some((form, media_type)) = ACCOUNTS.iter().find(|(form, _)| *form == format) else {
        return Err(bad("`format` is json, html, md, prov or text"));
    };
    let words = ["reconstruct".to_owned(), id.to_owned(), format!("--format={form}")];
    let options = options(&rest.join("&"), RECONSTRUCT)?;
    let is_content = !options.iter().any(|word| word == "--sealed");
    Ok(Command { is_content, ..command("decision", words, media_type, options) })
}

/// A request's query as a command's options: `since=2h` is `--since=2h`.
fn options(query: &str, known: &[&str]) -> Result<Vec<String>, Refused> {
    let bad = |what: String| refuse(StatusCode::BAD_REQUEST, "malformed", &what);
    let mut words = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.replace('_', "-");
        if !known.contains(&name.as_str()) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(bad(format!("a parameter is not known here; known are: {known}")));
        }
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8();
        let value = value.map_err(|_| bad(format!("the value of `{name}` is no UTF-8")))?;
        words.push(match FLAGS.contains(&name.as_str()) {
            true if matches!(&*value, "" | "true") => format!("--{name}"),
            true => return Err(bad(format!("`{name}` stands alone, or is `true`"))),
            // A short name is one letter.
            false if name.len() == 1 => format!("-{name}={value}"),
            false => format!("--{name}={value}"),
        });
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn words(method: &str, uri: &str) -> Result<Vec<String>, StatusCode> {
        let (head, ()) = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        match Asked::of(&head) {
            Ok(Asked::Query) => Ok(vec!["query".into()]),
            Ok(Asked::Command(command)) => Ok(command.words),
            Ok(Asked::Compliance(asked)) => Ok(vec![asked.name().into()]),
            Err(refused) => Err(refused.status),
        }
    }

    #[test]
    fn a_request_is_a_command_with_its_options() {
        let id = "0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11";
        for (method, uri, expected) in [
            ("POST", "/v1/query".to_owned(), Ok("query")),
            (
                "GET",
                "/v1/decisions?since=2h&external_id=a%20b".into(),
                Ok("find --json --since=2h --external-id=a b --limit=100"),
            ),
            ("GET", "/v1/decisions?count".into(), Ok("find --json --count")),
            (
                "GET",
                format!("/v1/decisions/{id}?format=html&role=auditor"),
                Ok("reconstruct ID --format=html --role=auditor"),
            ),
            ("GET", "/v1/stats?by=hour".into(), Ok("stats --json --by=hour")),
            ("GET", "/v1/tail?n=3&kind=human".into(), Ok("tail --json --follow -n=3 --kind=human")),
            ("POST", "/v1/followers/rebuild".into(), Ok("followers rebuild")),
            ("GET", "/v1/query".into(), Err(405)),
            ("POST", "/v1/decisions".into(), Err(405)),
            ("GET", "/v1/decisions?data=/etc".into(), Err(400)),
            ("GET", "/v1/decisions/--data".into(), Err(400)),
            ("GET", format!("/v1/decisions/{id}?output=/tmp/x"), Err(400)),
            ("GET", format!("/v1/decisions/{id}?format=pdf"), Err(400)),
            ("GET", "/".into(), Err(404)),
            ("GET", "/metrics".into(), Err(404)),
        ] {
            let found = words(method, &uri).map(|words| words.join(" ").replace(id, "ID"));
            let found = found.map_err(|status| status.as_u16());
            assert_eq!(found, expected.map(str::to_owned), "{method} {uri}");
        }
    }
}
