//! Routes as they are written: in a TOML file, or as a command's flags.
//!
//! ```toml
//! [[route]]
//! name = "credit"                               # stands in records and metrics
//! upstream = "http://127.0.0.1:9000"            # or https://…
//! system = "credit-scoring"                     # whose log it is
//! wire = "oip-v2"                               # default; or "kserve-v1", "json"
//! path = "/*"                                   # default; "/score" for one path, "/credit/*" for all below
//! subject = { header = "x-applicant" }          # or { pointer = "/applicant/id" }
//! opened = "before-first-byte"                  # default; or "before-call"
//! stream = "pass"                               # default; or "buffer"
//! failure = "block"                             # default; or "degrade"
//! join = ["trace", { header = "x-session-id" }] # what makes several exchanges one decision, beside `inferlog-decision`
//! context = { environment = "production", build = { env = "BUILD" }, variant = { header = "x-variant", values = ["a", "b"] } }
//! models = ["credit-risk"]                      # names that may stand in clear even when the upstream refused them
//! passthrough = false                           # default: what the wire does not know is refused
//! request_bytes_max = 16777216                  # and response_bytes_max
//! request_ms_max = 30000                        # and connect_ms_max, answer_ms_max
//! ca_file = "ca.pem"                            # authorities to trust besides the system's
//! http2 = false                                 # default: HTTP/2 where TLS agrees on it; true: also without asking
//! json = { model = "/model", output = "/score" } # wire "json" alone: where what stands
//!
//! [api]                                         # who may POST /v1/events; default: programs on this machine
//! token_env = "EVENTS_TOKEN"                    # or token_file = "events.token"
//!
//! [policies]                                    # what is kept, and how long, of each system (docs/policy.md); not without
//! credit-scoring = "policies/credit.toml"
//!
//! [index]                                       # what follows the log; default: SQLite in the data directory
//! sqlite = true
//! postgres = "env:INDEX_URL"                    # or "file:PATH", or several
//!
//! [reader]                                      # records read over HTTP (docs/reader.md); not without
//! listen = "127.0.0.1:9001"                     # or "unix:/run/inferlog/reader.sock"; no other machine's
//! token_file = "reader.token"                   # or token_env = "READER_TOKEN"
//! content = true                                # default; false: payloads stay sealed
//!
//! [drill]                                       # reconstruction drills on a schedule (docs/drills.md); not without
//! every = "7d"
//! sample = 50                                   # default
//!
//! [retention]                                   # when what is due is removed (docs/retention.md)
//! at = "03:00"                                  # default: time of day, UTC
//! every = "24h"                                 # default
//!
//! [witnesses]                                   # who cosigns checkpoints (docs/witness.md); not without
//! policy = "witnesses.policy"                   # witnesses and quorum (c2sp.org/tlog-policy)
//! period = "60s"                                # default
//! twin = true                                   # a start asks them first; default false; or "required"
//!
//! [timestamps]                                  # who stamps checkpoints with the time (docs/timestamps.md); not without
//! url = "http://127.0.0.1:3180/"                # the authority (RFC 3161), http or https
//! roots = "tsa-roots.pem"                       # certificates that vouch for it
//! period = "1h"                                 # default: at least an hour between two of a log
//! ```

mod access;
mod drill;
mod index;
mod period;
mod place;
mod policies;
mod reader;
mod retention;
mod timestamps;
mod witnesses;

use crate::api::Access;
use crate::route::{Limits, Opened, PathPattern, Route, Streaming, SubjectFrom};
use crate::wire::Wire;
use inferlog_record::ClearName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::{Spanned, Value};

use access::ApiFile;
use drill::DrillFile;
pub use drill::{DrillConfig, drill};
use index::IndexFile;
pub use index::{IndexConfig, index};
use place::Place;
pub use policies::policies;
use reader::ReaderFile;
pub use reader::{ReaderAddress, ReaderConfig, reader, token_from_file};
use retention::RetentionFile;
pub use retention::{RetentionConfig, retention};
use timestamps::TimestampsFile;
pub use timestamps::{TimestampsConfig, timestamps};
use witnesses::WitnessesFile;
pub use witnesses::{TwinMode, WitnessesConfig, witnesses};

/// Paths that the gateway itself answers; no route may claim one.
pub const RESERVED_PATHS: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/v1/events"];

/// What is wrong with a configuration, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}`{key}`: {what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ConfigError {
    /// Line in the file, from 1; none for flags.
    pub line: Option<usize>,
    /// The key or flag.
    pub key: String,
    /// What is wrong and what to do.
    pub what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    route: Vec<RouteFile>,
    #[serde(default)]
    api: ApiFile,
    #[serde(default)]
    policies: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    index: IndexFile,
    reader: Option<ReaderFile>,
    drill: Option<DrillFile>,
    retention: Option<RetentionFile>,
    witnesses: Option<WitnessesFile>,
    timestamps: Option<TimestampsFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    name: Spanned<String>,
    upstream: Spanned<String>,
    system: Spanned<String>,
    wire: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    opened: Option<Spanned<String>>,
    stream: Option<Spanned<String>>,
    failure: Option<Spanned<String>>,
    #[serde(default)]
    join: Vec<Spanned<Value>>,
    subject: Option<Spanned<Value>>,
    #[serde(default)]
    context: BTreeMap<Spanned<String>, Spanned<Value>>,
    #[serde(default)]
    models: Vec<Spanned<String>>,
    #[serde(default)]
    passthrough: bool,
    request_bytes_max: Option<Spanned<usize>>,
    response_bytes_max: Option<Spanned<usize>>,
    request_ms_max: Option<Spanned<u64>>,
    connect_ms_max: Option<Spanned<u64>>,
    answer_ms_max: Option<Spanned<u64>>,
    idle_ms_max: Option<Spanned<u64>>,
    journal_ms: Option<Spanned<u64>>,
    ca_file: Option<PathBuf>,
    http2: Option<Spanned<bool>>,
    json: Option<Spanned<BTreeMap<Spanned<String>, Spanned<String>>>>,
}

/// Reads routes from TOML. `env` answers the names of environment variables.
pub fn routes(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Route>, ConfigError> {
    let at = Place { text: Some(text), env };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    if file.route.is_empty() {
        return Err(ConfigError {
            line: None,
            key: "route".into(),
            what: "there is no route: add a `[[route]]` with `name`, `upstream` and `system`".into(),
        });
    }
    let mut routes: Vec<Route> = Vec::with_capacity(file.route.len());
    for route in file.route {
        let name = route.name.clone();
        let route = at.route(route)?;
        if routes.iter().any(|other| other.name == route.name) {
            return Err(at.error(&name, "name", "another route has this name: choose one that stands once"));
        }
        routes.push(route);
    }
    Ok(routes)
}

/// Reads from TOML who may attach events to decisions: whoever has the token that `[api]` names, else programs on this machine.
pub fn api(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Access, ConfigError> {
    let at = Place { text: Some(text), env };
    let file: File = toml::from_str(text).map_err(|e| at.syntax(&e))?;
    at.api(&file.api)
}

/// The wires of a lone model server, in the order in which they are tried: no request is known to two of them as an inference.
const WIRES: [Wire; 6] =
    [Wire::OipV2, Wire::KserveV1, Wire::OpenAi, Wire::Anthropic, Wire::Ollama, Wire::OipGrpc];

/// The routes of a lone model server: every wire that is not configured by pointers, all to `upstream`.
pub fn routes_from_flags(
    upstream: &str,
    system: &str,
    subject_header: Option<&str>,
) -> Result<Vec<Route>, ConfigError> {
    let at = Place { text: None, env: &|_| None };
    let flag = |key: &str, error: ConfigError| ConfigError { key: key.to_owned(), ..error };
    let spanned = |text: &str| Spanned::new(0..0, text.to_owned());
    let to = |http2| at.upstream(&spanned(upstream), None, http2).map_err(|e| flag("--upstream", e));
    let (upstream, grpc) = (to(false)?, to(true)?);
    let system = at.system(&spanned(system)).map_err(|e| flag("--system", e))?;
    let subject = subject_header
        .map(|name| at.header(&spanned(name), "--subject-header", name).map(SubjectFrom::Header))
        .transpose()?;
    Ok(WIRES
        .into_iter()
        .map(|wire| Route {
            name: ClearName::or_unlisted(wire.name()),
            adapter: ClearName::or_unlisted(wire.name()),
            path: PathPattern::Prefix(String::new()),
            upstream: if wire == Wire::OipGrpc { grpc.clone() } else { upstream.clone() },
            wire,
            system: system.clone(),
            opened: Opened::default(),
            stream: Streaming::default(),
            failure: None,
            join: Vec::new(),
            subject: subject.clone(),
            context: Vec::new(),
            models: Vec::new(),
            passthrough: false,
            limits: Limits::default(),
        })
        .collect())
}
