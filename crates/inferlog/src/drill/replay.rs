//! Recorded inputs sent to a model server again.
//!
//! What was recorded of a request is sent as it was: method, path, body, and the headers that say how the body is to be read. It
//! goes to the address that the caller names for its route, never through the gateway, so that nothing of it becomes a decision.
//! Credentials are not in the record; they come from the caller.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Limited};
use inferlog_audit::PayloadContent;
use inferlog_audit::account::{Account, Content, Held, ModelCall};
use inferlog_audit::drill::{
    Compared, Comparison, Difference, ModelNames, Replay, ReplayResult, Replayer, compare,
};
use inferlog_capture::gateway::DECISION_ID;
use inferlog_capture::route::{BODY_BYTES_LIMIT, Upstream};
use inferlog_capture::upstream::{self, whole};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::output::Failure;

/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Headers that say how the body is to be read; others, and all credentials, are not sent again.
const SENT_AGAIN: [HeaderName; 3] =
    [header::ACCEPT, header::CONTENT_TYPE, HeaderName::from_static("inference-header-content-length")];

/// Where the requests of a route are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The configured route; every route that no other target names, if absent.
    pub(crate) route: Option<String>,
    /// The model server.
    pub(crate) url: String,
}

impl std::str::FromStr for Target {
    type Err = String;

    /// `URL` or `ROUTE=URL`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (route, url) = match text.split_once('=') {
            Some((route, url)) if !route.contains("://") => (Some(route.to_owned()), url),
            _ => (None, text),
        };
        upstream(url)?;
        Ok(Self { route, url: url.to_owned() })
    }
}

/// The model server that a URL names.
fn upstream(url: &str) -> Result<Upstream, String> {
    let bad = || format!("{url}: write http://HOST:PORT or https://HOST, with or without a path");
    let parts = url.parse::<Uri>().map_err(|_| bad())?.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(bad()) };
    if !["http", "https"].contains(&scheme.as_str()) {
        return Err(bad());
    }
    if authority.as_str().contains('@') {
        return Err("do not write a password into the URL: give a header from the environment".to_owned());
    }
    let path = parts.path_and_query.as_ref().map_or("", |path| path.path());
    let base = path.trim_end_matches('/').to_owned();
    Ok(Upstream { scheme, authority, base, ca_file: None, http2: false })
}

/// Makes recorded model calls again.
pub(crate) struct Replays {
    servers: BTreeMap<Option<String>, Server>,
    headers: HeaderMap,
    comparison: Comparison,
    runtime: Handle,
}

struct Server {
    url: String,
    client: upstream::Client,
    /// Why nothing more is sent there.
    refused: Option<String>,
}

impl Replays {
    /// Connects to nothing yet.
    pub(crate) fn new(
        targets: &[Target],
        headers: HeaderMap,
        comparison: Comparison,
        runtime: &Handle,
    ) -> Result<Self, Failure> {
        let mut servers = BTreeMap::new();
        for target in targets {
            let upstream = upstream(&target.url).map_err(Failure::new)?;
            let url = format!("{}://{}{}", upstream.scheme, upstream.authority, upstream.base);
            let client = upstream::Client::new(&upstream, CONNECT_TIME_MAX)?;
            if servers.insert(target.route.clone(), Server { url, client, refused: None }).is_some() {
                return Err(Failure::new("two model servers are named for the same route: name one"));
            }
        }
        Ok(Self { servers, headers, comparison, runtime: runtime.clone() })
    }

    /// Makes sure that every model server answers, and that none is a gateway, which would record what it is sent.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        for server in self.servers.values() {
            let request = Request::get(format!("{}/readyz", server.url)).body(whole(Bytes::new()))?;
            let (_, body) = self.runtime.block_on(answer(server, request)).map_err(|why| {
                Failure::new(format!("nothing was drilled, for a model server does not answer: {why}"))
            })?;
            let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
            if ["ready", "reasons", "warnings"].iter().all(|member| said.get(member).is_some()) {
                return Err(Failure::new(gateway(&server.url)));
            }
        }
        Ok(())
    }

    fn call(&mut self, account: &Account, call: &ModelCall) -> Result<Answered, String> {
        let asked = asked(account, call)?;
        let recorded = body(account, call.output.as_ref(), "the answer")?;
        let route = account.identity.route.clone();
        let key = if self.servers.contains_key(&route) { route } else { None };
        let server = self.servers.get_mut(&key);
        let server = server.ok_or("no model server was named for its route")?;
        if let Some(refused) = &server.refused {
            return Err(refused.clone());
        }
        match self.runtime.block_on(send(server, &self.headers, asked)) {
            Ok((status, replayed)) => Ok(Answered { recorded, status, replayed }),
            Err(Refused { why, is_final }) => {
                if is_final {
                    server.refused = Some(why.clone());
                }
                Err(why)
            }
        }
    }
}

/// What a model server answered, beside what it answered then.
struct Answered {
    recorded: Vec<u8>,
    status: u16,
    replayed: Vec<u8>,
}

impl Replayer for Replays {
    fn replay(&mut self, account: &Account) -> Vec<Replay> {
        let mut replays = Vec::new();
        for call in &account.models {
            let Some(step) = account.step(call.step) else { continue };
            let mut replay = Replay {
                event: step.event,
                entry: step.proof.entries.first().copied().unwrap_or_default(),
                result: ReplayResult::Same { bytes: true },
                recorded: ModelNames {
                    name: call.returned.clone().or_else(|| call.requested.clone()),
                    version: call.version.clone(),
                    fingerprint: call.fingerprint.clone(),
                },
                replayed: ModelNames::default(),
                differences: Vec::new(),
            };
            match self.call(account, call) {
                Err(why) => replay.result = ReplayResult::NotReplayable { why },
                Ok(answered) => judge(&mut replay, call, &answered, &self.comparison),
            }
            replays.push(replay);
        }
        replays
    }
}

fn judge(replay: &mut Replay, call: &ModelCall, answered: &Answered, comparison: &Comparison) {
    let Answered { recorded, status, replayed } = answered;
    replay.replayed = names(replayed);
    // As the model called itself: a version may be in the record because the registry knew it.
    let own = names(recorded);
    if !own.is_empty() {
        replay.recorded = own;
    }
    let Compared { result, differences } = compare(recorded, replayed, comparison);
    (replay.result, replay.differences) = (result, differences);
    let before = call.status.unwrap_or(200);
    if *status != before {
        let [recorded, replayed] = [before, *status].map(|status| status.to_string());
        replay.differences.insert(0, Difference { at: ":status".to_owned(), recorded, replayed });
        let (largest, similarity) = (0.0, 1.0);
        replay.result =
            ReplayResult::Different { values: replay.differences.len() as u64, largest, similarity };
    }
}

/// What a model calls itself in an answer.
fn names(answer: &[u8]) -> ModelNames {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return ModelNames::default() };
    let text = |names: [&str; 2]| names.iter().find_map(|name| Some(answer.get(name)?.as_str()?.to_owned()));
    ModelNames {
        name: text(["model", "model_name"]),
        version: text(["model_version", "version"]),
        fingerprint: text(["system_fingerprint", "fingerprint"]),
    }
}

/// A request to be sent again.
struct Asked {
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

/// What the record has of a request, if all of it is there.
fn asked(account: &Account, call: &ModelCall) -> Result<Asked, String> {
    if call.outcome != "ok" {
        return Err(format!("the recorded call did not succeed ({})", call.outcome));
    }
    if call.stream == Some(true) {
        return Err("it was answered as a stream".to_owned());
    }
    let input = call.input.as_ref().ok_or("the record has no input of it")?;
    let body = body(account, Some(input), "the input")?;
    let recorded_by = account.content(input).and_then(|content| content.recorded_by);
    let admitted = recorded_by.and_then(|step| account.step(step));
    let head = admitted.and_then(|step| step.holds.iter().find(|held| held.role == "headers"));
    let head = head.ok_or("the record has no request line: it did not come through the gateway")?;
    let head = self::body(account, Some(head), "the request line")?;
    let head: BTreeMap<String, Value> =
        serde_json::from_slice(&head).map_err(|_| "the recorded request line cannot be read")?;
    let said = |name: &str| head.get(name).and_then(Value::as_str);
    if said(":method") != Some("POST") {
        return Err("it was not asked by POST".to_owned());
    }
    let target = said(":path").filter(|path| path.starts_with('/'));
    let target = target.ok_or("the recorded request line has no path")?.to_owned();
    let mut headers = HeaderMap::new();
    for name in SENT_AGAIN {
        if let Some(value) = said(name.as_str()).and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    let is_grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if headers.get(header::CONTENT_TYPE).is_some_and(is_grpc) {
        return Err("it was asked over gRPC".to_owned());
    }
    Ok(Asked { target, headers, body: body.into() })
}

/// The bytes of a content, or why they are not there.
fn body(account: &Account, held: Option<&Held>, what: &str) -> Result<Vec<u8>, String> {
    let content =
        held.and_then(|held| account.content(held)).ok_or_else(|| format!("the record lacks {what}"))?;
    let absent = |Content { state, .. }: &Content| format!("{what} is {}", state.replace('_', " "));
    match &content.content {
        Some(PayloadContent::Json(json)) => Ok(json.get().as_bytes().to_vec()),
        Some(PayloadContent::Text(text)) => Ok(text.as_bytes().to_vec()),
        Some(PayloadContent::Base64(text)) => {
            STANDARD.decode(text).map_err(|_| format!("{what} cannot be read"))
        }
        None if content.state == "present" => Err(format!("{what} could not be opened")),
        None => Err(absent(content)),
    }
}

/// Why there is no answer.
struct Refused {
    why: String,
    /// Whether nothing more is to be sent there.
    is_final: bool,
}

async fn send(server: &Server, more: &HeaderMap, asked: Asked) -> Result<(u16, Vec<u8>), Refused> {
    let passing = |why: String| Refused { why, is_final: false };
    let url = &server.url;
    let mut request = Request::post(format!("{url}{}", asked.target))
        .body(whole(asked.body))
        .map_err(|error| passing(format!("the recorded request line makes no address: {error}")))?;
    *request.headers_mut() = asked.headers;
    request.headers_mut().extend(more.clone());
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let (head, body) = answer(server, request).await.map_err(passing)?;
    if head.headers.contains_key(DECISION_ID) {
        return Err(Refused { why: gateway(url), is_final: true });
    }
    Ok((head.status.as_u16(), body))
}

/// What a server answers, as far as an answer may be long.
async fn answer(server: &Server, request: Request<upstream::Body>) -> Result<(Parts, Vec<u8>), String> {
    let asked = async {
        let (head, body) = server.client.send(request).await.map_err(|error| error.to_string())?.into_parts();
        let body = Limited::new(body, BODY_BYTES_LIMIT).collect().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((head, body.to_bytes().to_vec()))
    };
    match tokio::time::timeout(ANSWER_TIME_MAX, asked).await {
        Err(_) => Err(format!("{} did not answer in time", server.url)),
        Ok(Err(why)) => Err(format!("{}: {why}", server.url)),
        Ok(Ok(answer)) => Ok(answer),
    }
}

fn gateway(url: &str) -> String {
    format!("{url} is a gateway of inferlog, which records what it is sent: name the model server itself")
}
