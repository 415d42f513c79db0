//! A drill of a thousand decisions out of many takes seconds, and memory for the sample alone.
//!
//! `INFERLOG_DECISIONS=1000000 cargo test --release -p inferlog --test drill_million -- --nocapture` asks it of a million, recorded
//! with sealed contents (some 8 GB).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails here"
)]
#![allow(dead_code, unreachable_pub, reason = "a module of the binary")]

#[path = "../src/bench/sample.rs"]
mod sample;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use inferlog::{Instance, Settings, real_env};
use inferlog_record::SystemName;
use inferlog_vault::RootSource;
use sample::Samples;
use serde_json::{Value, json};

const DECISIONS: u64 = 4_000;
const SAMPLE: u64 = 1_000;
/// Bytes of each content.
const CONTENT_BYTES: usize = 600;
const WRITERS: u64 = 64;
/// The most memory that a drill may take, bytes.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

/// Records so many decisions, each with its contents sealed.
async fn record(data: &Path, root: &Path, decisions: u64) {
    let settings = Settings { root_key: Some(RootSource::File(root.to_owned())), ..Settings::new(data) };
    let instance = Instance::open(real_env(), &settings).await.unwrap();
    let system = instance.recorder.system(&SystemName::new("credit").unwrap()).await.unwrap();
    let (samples, next) = (Arc::new(Samples::new(CONTENT_BYTES)), Arc::new(AtomicU64::new(0)));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (system, samples, next) = (system.clone(), samples.clone(), next.clone());
        writers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= decisions {
                    return;
                }
                let mut decision = system.begin(samples.decision(number as usize, None)).await.unwrap();
                decision.finish(samples.rest(number as usize)).await.unwrap();
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    instance.recorder.close().await.unwrap();
}

/// Waits for a process; the most memory it had, bytes.
fn peak(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = peak.max(line.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(10));
    }
    peak
}

#[test]
fn a_thousand_of_many_take_seconds() {
    let decisions = std::env::var("INFERLOG_DECISIONS").map_or(DECISIONS, |text| text.parse().unwrap());
    let temp = tempfile::tempdir().unwrap();
    let [data, root, report] = ["data", "root", "report.json"].map(|name| temp.path().join(name));
    let began = Instant::now();
    tokio::runtime::Runtime::new().unwrap().block_on(record(&data, &root, decisions));
    eprintln!("recorded {decisions} decisions in {:.1} s", began.elapsed().as_secs_f64());

    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_inferlog"));
    command.args(["drill", "--json", "--sample", &SAMPLE.to_string(), "--data"]).arg(&data);
    command.arg("--root-key").arg(format!("file:{}", root.display())).stdin(Stdio::null());
    let mut child = command.stdout(fs::File::create(&report).unwrap()).spawn().unwrap();
    let memory = peak(&mut child);
    let seconds = began.elapsed().as_secs_f64();
    assert!(child.wait().unwrap().success());
    eprintln!("drilled {SAMPLE} of them in {seconds:.1} s, with {} MiB at most", memory >> 20);

    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!((&report["sampled"], &report["failed"]), (&json!(SAMPLE), &json!(0)));
    assert_eq!(report["systems"][0]["population"], decisions);
    // Two entries a decision, an input and an output each.
    assert_eq!(report["checked"]["entries"], 2 * SAMPLE);
    assert_eq!(report["checked"]["contents"], 2 * SAMPLE);
    assert!(memory < MEMORY_BYTES_MAX, "{memory} bytes");
}
