//! Durable appends per second of a node, at several numbers of writers, beside the bare floor: one thread that writes the
//! same bytes in batches of the same size and calls fdatasync.
//!
//! `cargo bench -p inferlog-log --bench node [-- seconds]`. It writes into the current directory's file system.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use inferlog_disk::{Fs, OsRng, RealFs, SystemClock};
use inferlog_log::{
    Append, BirthSink, Env, HookError, Hooks, Node, NodeConfig, Payloads, RawSignature, Signer,
};

const ENTRY_BYTES: usize = 900;
const SEALED_BYTES: usize = 2_100;

struct NoKeys;

impl Signer for NoKeys {
    fn public_keys(&self, _: &str) -> Result<Vec<[u8; 32]>, HookError> {
        Ok(Vec::new())
    }

    fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<RawSignature>, HookError> {
        Ok(Vec::new())
    }
}

impl BirthSink for NoKeys {
    fn absorb(&self, _: &[u8]) -> Result<(), HookError> {
        Ok(())
    }

    fn sync(&self, _: &[([u8; 16], u64)]) -> Result<(), HookError> {
        Ok(())
    }
}

fn append(number: u64) -> Append {
    let mut payloads = Payloads::default();
    payloads.push(u128::from(number).to_be_bytes(), &[7; SEALED_BYTES]);
    let (entry, class) = (vec![b'x'; ENTRY_BYTES], "default".to_owned());
    Append {
        entry,
        class,
        payloads,
        logged_at_ns: 1_800_000_000_000_000_000,
        births: vec![1; 200],
        ..Append::default()
    }
}

fn main() {
    let seconds = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(4.0);
    let duration = Duration::from_secs_f64(seconds);
    println!("writers  appends/s  of the floor  p50 µs  p99 µs  batch  lag ms  cpu s/s");
    for writers in [1, 8, 64] {
        let cpu = cpu_seconds();
        let (count, mut latencies, lag_ns) = run(writers, duration);
        let rate = count as f64 / duration.as_secs_f64();
        let cpu = (cpu_seconds() - cpu) / duration.as_secs_f64();
        latencies.sort_unstable();
        let at = |q: f64| latencies[(latencies.len() as f64 * q) as usize] as f64 / 1e3;
        // With every writer waiting for the same sync, a batch holds about as many appends as there are writers.
        let floor = floor(writers, duration / 4);
        println!(
            "{writers:7}  {rate:9.0}  {:12.2}  {:6.0}  {:6.0}  {writers:5}  {:6.0}  {cpu:7.2}",
            rate / floor,
            at(0.5),
            at(0.99),
            lag_ns as f64 / 1e6
        );
    }
}

fn run(writers: u64, duration: Duration) -> (u64, Vec<u64>, u64) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let env = Env { fs: Arc::new(RealFs), clock: Arc::new(SystemClock), rng: Arc::new(OsRng) };
    let hooks = Hooks { signer: Arc::new(NoKeys), births: Arc::new(NoKeys), twins: None };
    let node = Node::open(env, NodeConfig::new(dir.path()), hooks).unwrap();
    let log = node.log("bench").unwrap();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut lag = 0;
    let latencies = runtime.block_on(async {
        let tasks: Vec<_> = (0..writers)
            .map(|_| {
                let (log, stop, count) = (log.clone(), stop.clone(), count.clone());
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let began = Instant::now();
                        log.append(vec![append(count.fetch_add(1, Ordering::Relaxed))]).await.unwrap();
                        latencies.push(began.elapsed().as_nanos() as u64);
                    }
                    latencies
                })
            })
            .collect();
        let began = Instant::now();
        while began.elapsed() < duration {
            tokio::time::sleep(Duration::from_millis(20)).await;
            lag = lag.max(node.status().lag_ns);
        }
        stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    (count.load(Ordering::Relaxed), latencies, lag)
}

fn floor(batch: u64, duration: Duration) -> f64 {
    let dir = tempfile::tempdir_in(".").unwrap();
    let path = dir.path().join("floor");
    let file = RealFs.open(&path, inferlog_disk::Open::CreateNew).unwrap();
    let span = (batch * (ENTRY_BYTES + SEALED_BYTES + 200 + 120) as u64).next_multiple_of(4096);
    file.allocate(64 << 20).unwrap();
    let bytes = vec![7; span as usize];
    let (began, mut offset, mut count) = (Instant::now(), 0, 0);
    while began.elapsed() < duration {
        if offset + span > 64 << 20 {
            offset = 0;
        }
        file.write_all_at(&bytes, offset).unwrap();
        file.sync_data().unwrap();
        offset += span;
        count += batch;
    }
    count as f64 / began.elapsed().as_secs_f64()
}

/// User and system time of this process, seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
