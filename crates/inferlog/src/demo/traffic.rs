//! What the demo's application asks of the model: mostly what it should, sometimes not.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use inferlog_record::Id;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::model::dataset::{Applicant, applicant};
use crate::model::{ALIAS, NAME};
use crate::output::Failure;

/// The header that says whom a request is about.
pub(super) const SUBJECT_HEADER: &str = "x-applicant-id";
/// How long the demo's gateway waits for the model.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_millis(700);

/// Requests under way at one time.
const CLIENTS: usize = 16;
const APPLICANTS: usize = 40;
/// When a client that gives up gives up.
const PATIENCE: Duration = Duration::from_millis(150);

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pinned,
    Bare,
    Alias,
    WrongShape,
    NotJson,
    UnknownModel,
    ServerFault,
    TooSlow,
    ClientLeaves,
}

/// Each kind, and how many of it are sent.
pub(super) const MIX: [(Kind, usize); 9] = [
    (Kind::Pinned, 180),
    (Kind::Bare, 60),
    (Kind::Alias, 40),
    (Kind::WrongShape, 12),
    (Kind::NotJson, 5),
    (Kind::UnknownModel, 8),
    (Kind::ServerFault, 6),
    (Kind::TooSlow, 4),
    (Kind::ClientLeaves, 5),
];

impl Kind {
    /// What it is, for people.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Pinned => "credit-scoring, version named",
            Self::Bare => "credit-scoring, no version",
            Self::Alias => "alias `production`",
            Self::WrongShape => "tensor of the wrong shape",
            Self::NotJson => "body that is not JSON",
            Self::UnknownModel => "model that does not exist",
            Self::ServerFault => "model server fails",
            Self::TooSlow => "model too slow",
            Self::ClientLeaves => "client leaves before the answer",
        }
    }
}

/// One request, and what came back.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) kind: Kind,
    pub(super) applicant: String,
    /// Status that the client saw; `None` if it left.
    pub(super) status: Option<StatusCode>,
    /// Decision that the answer named.
    pub(super) decision: Option<Id>,
    /// What the model decided, where it did.
    pub(super) verdict: Option<String>,
    pub(super) took: Duration,
}

struct Asked {
    kind: Kind,
    applicant: String,
    path: String,
    body: Vec<u8>,
}

/// Sends the whole mix through the gateway, and gives what came back.
pub(super) async fn send(gateway: SocketAddr) -> Result<Vec<Exchange>, Failure> {
    let waiting = Arc::new(Mutex::new(VecDeque::from(requests())));
    let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (waiting, client) = (waiting.clone(), client.clone());
        clients.spawn(async move {
            let mut exchanges = Vec::new();
            loop {
                let Some(asked) = waiting.lock().pop_front() else { return Ok::<_, Failure>(exchanges) };
                exchanges.push(exchange(&client, gateway, asked).await?);
            }
        });
    }
    let mut exchanges = Vec::new();
    while let Some(done) = clients.join_next().await {
        exchanges.append(&mut done??);
    }
    Ok(exchanges)
}

/// Those whom the requests are about, `applicant-01` first; the same in every run.
pub(super) fn people() -> Vec<Applicant> {
    let mut rng = fastrand::Rng::with_seed(12);
    (0..APPLICANTS).map(|_| applicant(&mut rng)).collect()
}

/// The mix, shuffled; the same in every run.
fn requests() -> Vec<Asked> {
    let (mut rng, people) = (fastrand::Rng::with_seed(13), people());
    let mut requests = Vec::new();
    for (kind, count) in MIX {
        for number in 0..count {
            let person = rng.usize(0..APPLICANTS);
            let id = format!("req-{}-{number}", kind as u8);
            requests.push(Asked {
                kind,
                applicant: format!("applicant-{:02}", person + 1),
                path: path(kind, number),
                body: body(kind, &id, &people[person]),
            });
        }
    }
    rng.shuffle(&mut requests);
    requests
}

fn path(kind: Kind, number: usize) -> String {
    match kind {
        Kind::Pinned => format!("/v2/models/{NAME}/versions/{}/infer", 1 + number % 2),
        Kind::Alias => format!("/v2/models/{ALIAS}/infer"),
        Kind::UnknownModel => "/v2/models/churn/infer".into(),
        _ => format!("/v2/models/{NAME}/infer"),
    }
}

fn body(kind: Kind, id: &str, applicant: &Applicant) -> Vec<u8> {
    let (shape, data): ([usize; 2], &[f64]) = match kind {
        Kind::WrongShape => ([1, 3], &applicant[..3]),
        _ => ([1, applicant.len()], applicant),
    };
    let parameters = match kind {
        Kind::ServerFault => json!({ "fail": true }),
        Kind::TooSlow => json!({ "delay_ms": 5_000 }),
        Kind::ClientLeaves => json!({ "delay_ms": 400 }),
        _ => json!({ "threshold": 0.5 }),
    };
    let inputs = json!([{ "name": "applicant", "shape": shape, "datatype": "FP64", "data": data }]);
    let mut body = json!({ "id": id, "parameters": parameters, "inputs": inputs }).to_string();
    if kind == Kind::NotJson {
        body.truncate(body.len() / 2);
    }
    body.into_bytes()
}

async fn exchange(
    client: &Client<HttpConnector, Full<Bytes>>,
    gateway: SocketAddr,
    asked: Asked,
) -> Result<Exchange, Failure> {
    let Asked { kind, applicant, path, body } = asked;
    let request = Request::post(format!("http://{gateway}{path}"))
        .header("content-type", "application/json")
        .header(SUBJECT_HEADER, &applicant)
        .body(Full::from(body))?;
    let began = Instant::now();
    let answer = match kind {
        Kind::ClientLeaves => match tokio::time::timeout(PATIENCE, client.request(request)).await {
            Ok(answer) => Some(answer?),
            Err(_) => None,
        },
        _ => Some(client.request(request).await?),
    };
    let mut exchange =
        Exchange { kind, applicant, status: None, decision: None, verdict: None, took: PATIENCE };
    if let Some(answer) = answer {
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await?.to_bytes();
        exchange.took = began.elapsed();
        exchange.status = Some(head.status);
        let id = head.headers.get(inferlog_capture::gateway::DECISION_ID);
        exchange.decision = id.and_then(|id| id.to_str().ok()?.parse().ok());
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        exchange.verdict = answer["outputs"][1]["data"][0].as_str().map(str::to_owned);
    }
    Ok(exchange)
}
