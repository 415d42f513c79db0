//! A witness under load over HTTP, killed again and again: no cosignature that it gave out is forgotten, no size goes back, and
//! slow clients do not hold it up.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod harness;
#[path = "../../witness/tests/support/mod.rs"]
mod logs;
mod witnessing;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::request;
use inferlog_witness::Reply;
use logs::TestLog;
use tempfile::tempdir;
use witnessing::WitnessProcess;

const CLIENTS: u64 = 6;
const KILLS: u64 = 8;
const SIZE_MAX: u64 = 60_000;

/// What the clients know together.
struct Shared {
    stop: AtomicBool,
    largest: AtomicU64,
    conflicts: AtomicU64,
    given: Mutex<Vec<u64>>,
}

#[test]
fn a_killed_witness_forgets_nothing_it_gave_out() {
    let dir = tempdir().unwrap();
    let mut witness = WitnessProcess::make(dir.path(), "w");
    let log = TestLog::of(SIZE_MAX);
    witness.add_log(&log.vkey().to_string());
    let shared = Shared {
        stop: AtomicBool::new(false),
        largest: AtomicU64::new(0),
        conflicts: AtomicU64::new(0),
        given: Mutex::default(),
    };
    let (listen, key) = (witness.listen, witness.key.clone());
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (log, shared, key) = (&log, &shared, &key);
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(client);
                let mut old = 0;
                while !shared.stop.load(Ordering::SeqCst) {
                    old = ask(listen, key, log, shared, &mut random, old);
                }
            });
        }
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(fastrand::u64(100..500)));
            witness.kill();
            let given = shared.largest.load(Ordering::SeqCst);
            assert!(witness.size() >= given, "it gave out {given} and remembers {}", witness.size());
            witness.start();
        }
        std::thread::sleep(Duration::from_millis(300));
        shared.stop.store(true, Ordering::SeqCst);
    });
    let given = shared.given.into_inner().unwrap();
    let conflicts = shared.conflicts.into_inner();
    println!("{} cosignatures, {conflicts} conflicts, largest size {}", given.len(), witness.size());
    assert!(given.len() > 30 && conflicts > 10, "{} given, {conflicts} conflicts: no load", given.len());
    assert!(witness.size() >= *given.iter().max().unwrap());
}

/// One request, right or stale. Where to ask from next.
fn ask(
    listen: std::net::SocketAddr,
    key: &inferlog_merkle::VerifierKey,
    log: &TestLog,
    shared: &Shared,
    random: &mut fastrand::Rng,
    old: u64,
) -> u64 {
    let size = (old + random.u64(0..5)).min(SIZE_MAX);
    let from = if random.u8(0..6) == 0 { random.u64(0..=size) } else { old.min(size) };
    let asked = log.request(from, size);
    let before = shared.largest.load(Ordering::SeqCst);
    let Some(answer) = request(listen, "POST", "/add-checkpoint", &[], asked.to_string().as_bytes()) else {
        // It is being killed.
        std::thread::sleep(Duration::from_millis(10));
        return old;
    };
    match Reply::read(answer.status, &answer.body, &asked.note, key) {
        Reply::Cosigned { .. } => {
            // Verified by the note of this size and root: together they are one chain, the log's.
            assert!(size >= before, "{size} was cosigned after {before} was given out");
            shared.largest.fetch_max(size, Ordering::SeqCst);
            shared.given.lock().unwrap().push(size);
            size
        }
        Reply::Has(theirs) => {
            assert!(theirs >= before, "it says {theirs} after {before} was given out");
            shared.conflicts.fetch_add(1, Ordering::SeqCst);
            theirs
        }
        Reply::Refused(refusal) => panic!("{refusal:?}"),
    }
}

#[test]
fn paths_limits_and_slow_clients() {
    let dir = tempdir().unwrap();
    let witness = WitnessProcess::make(dir.path(), "w");
    let log = TestLog::of(5);
    witness.add_log(&log.vkey().to_string());
    let folder = inferlog_witness::log_folder(&log.origin);
    let get = |path: &str| request(witness.listen, "GET", path, &[], b"").unwrap();
    // A client that sends nothing of its body gets its answer after ten seconds; others do not wait for it.
    let mut slow = TcpStream::connect(witness.listen).unwrap();
    slow.write_all(b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 100\r\n\r\n").unwrap();
    let began = Instant::now();
    assert_eq!(get(&format!("/{folder}/checkpoint")).status, 404);
    let post = |body: &[u8]| request(witness.listen, "POST", "/add-checkpoint", &[], body).unwrap();
    assert_eq!(post(&log.body(0, 5)).status, 200);
    let kept = get(&format!("/{folder}/checkpoint"));
    assert_eq!(kept.status, 200);
    let note = inferlog_merkle::SignedNote::parse(&kept.body).unwrap();
    assert_eq!(note.verify(&[log.vkey(), witness.key.clone()]).unwrap().len(), 2);
    assert_eq!(post(&vec![b'a'; inferlog_witness::REQUEST_BYTES_MAX + 1]).status, 413);
    assert_eq!(get("/add-checkpoint").status, 405);
    for path in ["/", "/other", "/checkpoint", "/0000/checkpoint", "/../add-checkpoint/x"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    assert!(began.elapsed() < Duration::from_secs(9), "somebody waited for the slow one");
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = [0; 64];
    let read = slow.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 408"), "{:?}", &answer[..read]);
}
