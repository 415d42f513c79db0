//! Every transcript with a language model, replayed through a gateway in every way that a network and a server may send it.
//!
//! An upstream on a real socket sends each answer under `fixtures/v1/wire/llm/` as it is, compressed although nobody asked for
//! that, with other ends of lines, with comments and `retry:` in between, with its last event twice; framed by chunks, by its
//! length, or by the end of the connection; in one piece, in two, byte by byte, slowly; to its end or not, closed or reset.
//! However it came, the client gets the bytes that were sent, and the record is the same; where it broke off, the client gets
//! the beginning and no end, and the record says so and has what came. Nothing hangs, and every decision ends.
//!
//! Places to split and to break off are drawn, for each answer the same each time. All of them, as long as it takes:
//!
//! ```text
//! ALL=1 cargo test --release -p inferlog-capture --test gateway_transcripts -- --nocapture
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]
#![allow(clippy::print_stdout, reason = "says what it covered")]

#[path = "support/essence.rs"]
mod essence;
#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/judge.rs"]
mod judge;
#[path = "support/plan.rs"]
mod plan;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/replay.rs"]
mod replay;
#[path = "support/mod.rs"]
mod support;
#[path = "support/transcript.rs"]
mod transcript;

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use inferlog_record::Id;
use judge::{Got, Judge};
use plan::{Fate, Places, Replayed, replays};
use replay::NUMBER;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Exchanges under way at one time.
const EXCHANGES_MAX: usize = 48;
/// Time that one exchange may take, on a machine that has much to do.
const EXCHANGE_TIME_MAX: Duration = Duration::from_secs(30);
/// Transcripts of one gateway and log, where all places are tried.
const TRANSCRIPTS_A_ROUND: usize = 12;
const QUICK: Places = Places { usual: 72, others: 8 };
const ALL: Places = Places { usual: usize::MAX, others: 60 };
/// Failures that are printed.
const FAILURES_SHOWN: usize = 10;

type Web = Client<HttpConnector, Full<Bytes>>;

/// Asks, and checks what comes back against what was sent.
async fn ask(web: &Web, gateway: SocketAddr, number: usize, replayed: &Replayed) -> Result<Got, String> {
    let exchange = &replayed.form.transcript.exchange;
    let body = transcript::body(exchange.request.as_deref(), exchange.request_hex.as_deref());
    let mut request = Request::builder()
        .method(exchange.method.as_str())
        .uri(format!("http://{gateway}/{}-wire{}", exchange.wire, exchange.path))
        .header("content-type", "application/json")
        .header(NUMBER, number)
        .body(Full::new(body))
        .unwrap();
    request.headers_mut().extend(transcript::headers(&exchange.request_headers));
    let (head, mut body) = web.request(request).await.map_err(|error| format!("{error:?}"))?.into_parts();
    let decision =
        head.headers.get("inferlog-decision-id").ok_or_else(|| format!("no decision: {head:?}"))?;
    let decision: Id = decision.to_str().unwrap().parse().unwrap();
    let (mut bytes, mut came) = (BytesMut::new(), true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => {
                came = false;
                break;
            }
        }
    }
    let sent = replayed.answer.sent();
    let fate = replayed.fate();
    let is_error = head.status == StatusCode::BAD_GATEWAY
        && serde_json::from_slice::<Value>(&bytes).is_ok_and(|error| error["code"] == "connection_lost");
    let is_its_own = head.status == replayed.form.transcript.status && sent.starts_with(&bytes);
    let has_all = is_its_own && came && bytes.len() == sent.len();
    let is_live = replayed.form.transcript.framing.is_some();
    let is_right = match fate {
        Fate::Whole | Fate::Short => has_all,
        Fate::Lost if is_live => is_its_own && !came && bytes.len() == sent.len(),
        Fate::Lost => is_error && came,
        Fate::Reset => (is_error && came) || (is_its_own && (!came || has_all)),
    };
    if !is_right {
        let (status, text) = (head.status, String::from_utf8_lossy(&bytes));
        return Err(format!(
            "{fate:?}: the client got {status}, to its end {came}, {} bytes: {text}",
            bytes.len()
        ));
    }
    if is_its_own && replayed.form.headers().iter().any(|(name, value)| head.headers.get(name) != Some(value))
    {
        return Err(format!("other headers: {:?}", head.headers));
    }
    Ok(Got { decision, bytes: bytes.len(), is_whole: is_its_own && came })
}

/// Sends those of these numbers, many at a time.
async fn run(
    gateway: SocketAddr,
    replays: &Arc<Vec<Replayed>>,
    numbers: Vec<usize>,
) -> Vec<(usize, Result<Got, String>)> {
    let (next, numbers) = (Arc::new(AtomicUsize::new(0)), Arc::new(numbers));
    let web: Web = Client::builder(TokioExecutor::new()).build_http();
    let mut workers = JoinSet::new();
    for _ in 0..EXCHANGES_MAX {
        let (next, numbers, replays, web) = (next.clone(), numbers.clone(), replays.clone(), web.clone());
        workers.spawn(async move {
            let mut got = Vec::new();
            while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                let asked = timeout(EXCHANGE_TIME_MAX, ask(&web, gateway, number, &replays[number])).await;
                got.push((number, asked.unwrap_or_else(|_| Err("it hangs".into()))));
            }
            got
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// Sends these through a gateway, reads the log, and says what is wrong.
async fn round(replays: Vec<Replayed>) -> Vec<String> {
    let replays = Arc::new(replays);
    let answers = replays.clone();
    let upstream = replay::upstream(move |number| answers[number].answer.clone()).await;
    let route = |wire| {
        format!(
            "[[route]]\nname = \"{wire}\"\nsystem = \"s\"\nupstream = \"http://{upstream}\"\nwire = \"{wire}\"\n\
             path = \"/{wire}-wire/*\"\njournal_ms = 600000\n"
        )
    };
    let routes = ["openai", "anthropic", "ollama"].map(route).concat();
    let dir = tempfile::tempdir().unwrap();
    let served = gateway::serve(recording::open(dir.path()).await, &routes).await;
    let (first, rest): (Vec<usize>, Vec<usize>) =
        (0..replays.len()).partition(|number| replays[*number].reference == *number);
    // The transcripts as they are come before all others in the log.
    let (usual, first): (Vec<usize>, Vec<usize>) =
        first.into_iter().partition(|number| replays[*number].form.what == "as it is");
    // A tool's name stands in clear once a model asked for the tool: what the first records say hangs on their order.
    let before = run(served.address, &replays, usual.clone()).await;
    let before: HashSet<Id> =
        before.into_iter().filter_map(|(_, asked)| Some(asked.ok()?.decision)).collect();
    let (mut failures, mut got) = (Vec::new(), HashMap::new());
    for numbers in [usual, first, rest] {
        for (number, asked) in run(served.address, &replays, numbers).await {
            match asked {
                Ok(asked) => drop(got.insert(asked.decision, (number, asked))),
                Err(why) => failures.push(format!("{}: {why}", replays[number].name())),
            }
        }
    }
    drop(served.end(dir.path().into()).await);
    let mut judge = Judge::new(&replays, got);
    let path = dir.path().to_owned();
    let open = essence::decisions(&path, "s", |decision, steps| {
        if !before.contains(&decision) {
            failures.extend(judge.judge(decision, &steps).err());
        }
    });
    failures.extend(open.into_iter().map(|decision| format!("{decision} has no end")));
    let missing = judge.got.values().map(|(number, _)| format!("{}: not recorded", replays[*number].name()));
    failures.extend(missing);
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_does_not_depend_on_how_the_answer_came() {
    let (transcripts, began) = (plan::transcripts(), Instant::now());
    let (places, count) = match std::env::var_os("ALL") {
        Some(_) => (ALL, TRANSCRIPTS_A_ROUND),
        None => (QUICK, transcripts.len()),
    };
    let (mut exchanges, mut failures) = (0, Vec::new());
    for some in transcripts.chunks(count) {
        let replays = replays(some, places);
        exchanges += replays.len();
        failures.extend(round(replays).await);
    }
    let (count, each, took) = (transcripts.len(), exchanges / transcripts.len(), began.elapsed());
    println!("{count} transcripts, {each} variants of each, {exchanges} exchanges in {took:?}");
    failures.iter().take(FAILURES_SHOWN).for_each(|failure| println!("{failure}"));
    assert!(failures.is_empty(), "{} failures", failures.len());
    assert!(count >= 100 && each >= 100, "less than there was to try");
}
