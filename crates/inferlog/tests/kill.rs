//! Promise 1 for the whole process: SIGKILL under load at random moments. Every decision whose answer a client received
//! whole is in the log; what was open is closed as interrupted; every checkpoint ever published still holds.
//!
//! `ROUNDS=500 cargo test --release -p inferlog --test kill` runs longer.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod harness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use harness::{Serve, free_address, infer_body, inferlog, json_lines, request, root_key, start_model};

const ROUNDS: u64 = 50;
const CLIENTS: u64 = 8;

#[test]
fn every_answer_that_a_client_received_is_in_the_log() {
    let rounds = std::env::var("ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let model = start_model();
    let answered = Arc::new(Mutex::new(BTreeMap::new()));
    let sent = Arc::new(AtomicU64::new(0));
    let mut checkpoints = Vec::new();
    for round in 0..rounds {
        kill_round(&data, model, &answered, &sent);
        checkpoints.extend(keep_checkpoint(&data, dir.path(), round));
    }
    // The last start closes what the last kill left open.
    let listen = free_address();
    let mut serve = Serve::start(&[], &data, model, listen);
    serve.stop();
    check_log(&data, &answered.lock().unwrap(), sent.load(Ordering::Relaxed));
    check_checkpoints(&data, &checkpoints);
}

fn kill_round(
    data: &Path,
    model: std::net::SocketAddr,
    answered: &Arc<Mutex<BTreeMap<String, u64>>>,
    sent: &Arc<AtomicU64>,
) {
    let listen = free_address();
    let mut serve = Serve::start(&[], data, model, listen);
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (answered, sent, stop) = (answered.clone(), sent.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    let applicant = format!("applicant-{client}");
                    let headers = [("content-type", "application/json"), ("x-applicant", applicant.as_str())];
                    let answer =
                        request(listen, "POST", "/v2/models/echo/infer", &headers, &infer_body(number));
                    if let Some(answer) = answer {
                        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
                        answered.lock().unwrap().insert(answer.decision.unwrap(), number);
                    }
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(fastrand::u64(20..400)));
    serve.kill();
    stop.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
}

/// A copy of the checkpoint as the kill left it, as a reader would have kept it.
fn keep_checkpoint(data: &Path, dir: &Path, round: u64) -> Option<PathBuf> {
    let published = log_dir(data)?.join("checkpoint");
    let kept = dir.join(format!("checkpoint-{round}"));
    std::fs::copy(published, &kept).ok().map(|_| kept)
}

fn log_dir(data: &Path) -> Option<PathBuf> {
    let shard = data.join("logs/alpha/0");
    let epoch = std::fs::read_dir(shard).ok()?.flatten().next()?;
    Some(epoch.path())
}

fn check_log(data: &Path, answered: &BTreeMap<String, u64>, sent: u64) {
    let data = data.to_str().unwrap();
    let found = json_lines(&["find", "--data", data, "--json"]);
    let outcomes: BTreeMap<_, _> = found
        .iter()
        .map(|row| (row["decision"].as_str().unwrap(), row["outcome"].as_str().unwrap_or("open")))
        .collect();
    assert_eq!(outcomes.len(), found.len(), "each decision is listed once");
    for (decision, number) in answered {
        let outcome = outcomes.get(decision.as_str()).copied();
        assert_eq!(outcome, Some("answered"), "call {number} was answered to its client");
    }
    let interrupted = outcomes.values().filter(|outcome| **outcome == "interrupted").count();
    assert!(!outcomes.values().any(|outcome| *outcome == "open"), "recovery closes what was open");
    assert!(answered.len() > 100, "the load was too small to prove anything: {}", answered.len());
    assert!(outcomes.len() as u64 <= sent);
    println!(
        "{sent} sent, {} received whole, {} in the log, {interrupted} interrupted",
        answered.len(),
        outcomes.len()
    );
    // One in full, content included: what was sent is what was recorded.
    let (decision, number) = answered.iter().next().unwrap();
    let shown =
        inferlog(&["show", decision, "--data", data, "--json", "--root-key", &root_key(Path::new(data))]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains(&format!("call-{number}")), "{text}\n{}", String::from_utf8_lossy(&shown.stderr));
}

fn check_checkpoints(data: &Path, checkpoints: &[PathBuf]) {
    let data = data.to_str().unwrap();
    let vkey = inferlog(&["keys", "vkey", "--data", data, "--system", "alpha"]);
    let vkey = String::from_utf8(vkey.stdout).unwrap();
    assert!(checkpoints.len() > 5);
    for checkpoint in checkpoints {
        let against = checkpoint.to_str().unwrap();
        let report =
            json_lines(&["verify", "--data", data, "--json", "--key", vkey.trim(), "--against", against]);
        assert_eq!(report[0]["ok"], true, "{against}: {}", report[0]);
    }
}
