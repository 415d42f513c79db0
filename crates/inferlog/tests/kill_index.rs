//! PostgreSQL and `serve` killed at random under load, again and again. In the end every event of the log is in the index once and
//! nothing else is, and rollups are what GROUP BY gives. Meanwhile requests wait for no index: their times with the
//! database up, down and hanging stand side by side.
//!
//! `ROUNDS=200 cargo test --release -p inferlog --test kill_index -- --nocapture` runs longer.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod harness;
#[path = "../../index/tests/support/postgres.rs"]
mod postgres;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Serve, free_address, infer_body, request, start_model};
use inferlog_disk::RealFs;
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::{FollowOptions, Follower};
use inferlog_log::{LogReader, list_logs};
use inferlog_record::EntryView;
use postgres::Server;

const ROUNDS: u64 = 10;
const CLIENTS: u64 = 4;
/// How long a follower that can go on may take to have caught up.
const CAUGHT_UP_SECONDS_MAX: u64 = 60;
/// No request comes near the time for which a follower waits for its database (10 seconds to connect, 60 for an answer).
const REQUEST_SECONDS_MAX: u64 = 5;

/// What the database does while a request is made.
const PHASES: [&str; 3] = ["up", "down", "hanging"];
const CHANGING: usize = PHASES.len();

#[derive(Default)]
struct Load {
    stop: AtomicBool,
    phase: AtomicUsize,
    sent: AtomicU64,
    answered: Mutex<BTreeSet<String>>,
    /// Of requests that began and ended in one phase.
    took: Mutex<[Vec<Duration>; PHASES.len()]>,
    longest: Mutex<Duration>,
}

#[test]
fn nothing_is_lost_or_doubled_and_no_request_waits() {
    let rounds = std::env::var("ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let mut server = Server::start();
    let url = server.database("index");
    let (model, load) = (start_model(), Arc::new(Load::default()));
    for round in 0..rounds {
        let listen = free_address();
        let mut serve = start(&data, &url, model, listen);
        let clients = clients(&load, listen);
        injure(round, &mut server, &load);
        serve.kill();
        load.stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        load.stop.store(false, Ordering::Relaxed);
    }
    server.restart();
    // The last start closes what the kills left open; its follower catches up by itself.
    let mut serve = start(&data, &url, model, free_address());
    await_caught_up(&server, &data);
    // One that waits for a database that hangs ends all the same.
    server.hang();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    serve.stop();
    let stopping = began.elapsed();
    server.go_on();
    assert!(stopping < Duration::from_secs(30), "the end of serve waited {stopping:?} for the database");
    // What it logged at its end, the next follower brings.
    let engine = PostgresEngine::new(Place::parse(&url).unwrap(), Interrupt::default());
    let mut follower = Follower::new(Arc::new(RealFs), &data, engine, FollowOptions::default());
    assert!(follower.catch_up(&mut |_| ControlFlow::Continue(())).unwrap().is_complete);
    check_rows(&server, &data, &load);
    report(&load, stopping);
}

fn start(data: &Path, url: &str, model: SocketAddr, listen: SocketAddr) -> Serve {
    let upstream = format!("http://{model}");
    let words =
        ["--system", "alpha", "--upstream", &upstream, "--subject-header", "x-applicant", "--index", url];
    Serve::start_with(&[], data, listen, &words)
}

fn clients(load: &Arc<Load>, listen: SocketAddr) -> Vec<std::thread::JoinHandle<()>> {
    let client = |client: u64| {
        let load = Arc::clone(load);
        std::thread::spawn(move || {
            while !load.stop.load(Ordering::Relaxed) {
                ask(&load, listen, client);
            }
        })
    };
    (0..CLIENTS).map(client).collect()
}

fn ask(load: &Load, listen: SocketAddr, client: u64) {
    let number = load.sent.fetch_add(1, Ordering::Relaxed);
    let applicant = format!("applicant-{client}");
    let headers = [("content-type", "application/json"), ("x-applicant", applicant.as_str())];
    let (before, began) = (load.phase.load(Ordering::Relaxed), Instant::now());
    let answer = request(listen, "POST", "/v2/models/echo/infer", &headers, &infer_body(number));
    let (after, took) = (load.phase.load(Ordering::Relaxed), began.elapsed());
    let Some(answer) = answer else { return std::thread::sleep(Duration::from_millis(2)) };
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    load.answered.lock().unwrap().insert(answer.decision.unwrap());
    if before == after && before < CHANGING {
        load.took.lock().unwrap()[before].push(took);
    }
    let mut longest = load.longest.lock().unwrap();
    *longest = took.max(*longest);
}

/// One round's harm to the database, while requests are made. It may be still down when `serve` is killed.
fn injure(round: u64, server: &mut Server, load: &Load) {
    let some = |from: u64, to: u64| std::thread::sleep(Duration::from_millis(fastrand::u64(from..to)));
    let phase = |phase: usize| load.phase.store(phase, Ordering::Relaxed);
    if !server.is_running() {
        phase(1);
        some(100, 400);
    }
    phase(CHANGING);
    // It may recover still from what was done to it last.
    server.restart();
    phase(0);
    some(200, 700);
    phase(CHANGING);
    // Every harm comes in its turn, so that a short run has all of them.
    match round % 5 {
        0 => server.kill(),
        1 => server.stop_immediately(),
        2 => server.kill_backend(),
        3 => server.hang(),
        _ => {}
    }
    match round % 5 {
        0 | 1 => {
            phase(1);
            some(200, 700);
            phase(CHANGING);
            if fastrand::bool() {
                server.restart();
            }
        }
        3 => {
            phase(2);
            some(300, 1_200);
            phase(CHANGING);
            server.go_on();
        }
        _ => {}
    }
    some(0, 400);
}

/// Every event of every log, and its decision; each event once, though it may be there as a retry.
fn in_the_log(data: &Path) -> BTreeMap<String, Option<String>> {
    let fs: Arc<dyn inferlog_disk::Fs> = Arc::new(RealFs);
    let mut events = BTreeMap::new();
    for dir in list_logs(&*fs, data).unwrap() {
        let reader = LogReader::new(Arc::clone(&fs), dir);
        let visit = |_, entry: &[u8]| {
            let view = EntryView::parse(entry).unwrap();
            let decision = view.decision.map(|id| id.to_string());
            events.extend(view.events.iter().map(|event| (event.id.to_string(), decision.clone())));
            true
        };
        reader.scan(0, reader.size().unwrap(), visit).unwrap();
    }
    events
}

fn await_caught_up(server: &Server, data: &Path) {
    let began = Instant::now();
    loop {
        let events = in_the_log(data).len().to_string();
        let there = server.psql("index", "SELECT count(*) FROM event");
        if events == there {
            return println!("caught up after {:.1} s: {events} events", began.elapsed().as_secs_f64());
        }
        let waited = began.elapsed().as_secs();
        assert!(waited < CAUGHT_UP_SECONDS_MAX, "{there} of {events} events after {waited} s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn check_rows(server: &Server, data: &Path, load: &Load) {
    let lines = |sql: &str| -> Vec<String> { server.psql("index", sql).lines().map(str::to_owned).collect() };
    let logged = in_the_log(data);
    let events = lines("SELECT id FROM event ORDER BY id::text COLLATE \"C\"");
    assert!(
        events.iter().eq(logged.keys()),
        "the index has {} events, the log {}",
        events.len(),
        logged.len()
    );
    let decisions: BTreeSet<String> = lines("SELECT id FROM decision").into_iter().collect();
    let logged: BTreeSet<String> = logged.into_values().flatten().collect();
    assert_eq!(decisions, logged);
    assert_eq!(lines("SELECT count(*) FROM decision"), [decisions.len().to_string()]);
    let answered = load.answered.lock().unwrap();
    assert!(answered.len() > 100, "the load was too small to prove anything: {}", answered.len());
    assert!(answered.is_subset(&decisions), "an answered decision is not in the index");
    let size = "SELECT sum(pg_total_relation_size(oid))::bigint / (SELECT count(*) FROM event) FROM pg_class \
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    println!("{} bytes an event", lines(size)[0]);
    // Whatever was counted twice, or not at all, differs here.
    assert_eq!(
        lines("SELECT sum(events) FROM decision"),
        lines("SELECT count(*) FROM event WHERE decision IS NOT NULL")
    );
    let counters = ["turns", "events", "payloads", "model_calls", "tokens_input"];
    for (table, width) in [("minute", "60000000000"), ("hour", "3600000000000")] {
        let sums = counters.map(|name| format!("sum({name})")).join(", ");
        let grouped = format!(
            "SELECT started_ns - started_ns % {width}, facet, count(*), count(ended_ns), \
             coalesce(sum(greatest(ended_ns - started_ns, 0)), 0), {sums} FROM decision GROUP BY 1, 2 ORDER BY 1, 2"
        );
        let kept = format!(
            "SELECT start_ns, facet, decisions, ended, latency_sum_ns, {} FROM rollup_{table} ORDER BY 1, 2",
            counters.join(", ")
        );
        assert_eq!(lines(&kept), lines(&grouped), "{table}");
    }
}

fn report(load: &Load, stopping: Duration) {
    let (took, answered) = (load.took.lock().unwrap(), load.answered.lock().unwrap().len());
    println!(
        "{} sent, {answered} answered whole; serve ended in {stopping:.1?} while the database hung",
        load.sent.load(Ordering::Relaxed)
    );
    let mut base = None;
    for (name, times) in PHASES.iter().zip(took.iter()) {
        let mut times = times.clone();
        times.sort();
        assert!(times.len() > 20, "too few requests while the database was {name}: {}", times.len());
        let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
        let (median, p99) = (at(0.5), at(0.99));
        let (up_median, up_p99) = *base.get_or_insert((median, p99));
        println!(
            "database {name:8} {:6} requests  median {median:7.2} ms (x {:.2})  p99 {p99:7.2} ms (x {:.2})",
            times.len(),
            median / up_median,
            p99 / up_p99
        );
    }
    let longest = *load.longest.lock().unwrap();
    println!("the longest request of all took {longest:.1?}");
    assert!(longest < Duration::from_secs(REQUEST_SECONDS_MAX), "a request waited {longest:?}");
}
