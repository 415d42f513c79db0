//! The failure policy of a whole process whose disk fails: limits of the operating system stand for the failures.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod harness;

use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{INFERLOG, Serve, free_address, infer_body, json_lines, request, root_key, start_model};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// A process that may write its log's first megabytes at most, until it is let again.
struct Limited {
    serve: Serve,
    pid: Pid,
    listen: SocketAddr,
}

impl Limited {
    fn start(dir: &Path, data: &Path, model: SocketAddr) -> Self {
        let config = dir.join("routes.toml");
        let route = |name: &str, more: &str| {
            format!(
                "[[route]]\nname = \"{name}\"\nsystem = \"{name}\"\npath = \"/{name}/*\"\nupstream = \"http://{model}\"\n{more}\n"
            )
        };
        std::fs::write(&config, route("soft", "failure = \"degrade\"") + &route("hard", "")).unwrap();
        let listen = free_address();
        let mut command = Command::new("sh");
        // A write beyond the limit is to fail, not to end the process.
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", INFERLOG, "serve", "--data"]).arg(data);
        command.arg("--config").arg(&config).args(["--listen", &listen.to_string(), "--log", "json"]);
        command.args(["--root-key", &root_key(data)]);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let limited = Self { serve: Serve(child), pid, listen };
        limited.until("it is ready", |limited| limited.get("/readyz").0 == 200);
        limited
    }

    /// No file grows beyond so many bytes, or is written there.
    fn limit(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(self.pid), Resource::Fsize, limit).unwrap();
    }

    fn get(&self, path: &str) -> (u16, String) {
        let answer = request(self.listen, "GET", path, &[], b"");
        answer.map_or((0, String::new()), |answer| {
            (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
        })
    }

    /// Status, and whether the answer names its decision.
    fn ask(&self, route: &str) -> (u16, bool) {
        let path = format!("/{route}/v2/models/echo/infer");
        let headers = [("content-type", "application/json")];
        let answer = request(self.listen, "POST", &path, &headers, &infer_body(7)).unwrap();
        (answer.status, answer.decision.is_some())
    }

    fn until(&self, what: &str, is_it: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_it(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what} not after a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(mut self) -> String {
        self.serve.stop();
        let mut log = String::new();
        self.serve.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }
}

fn outcomes(data: &Path) -> Vec<String> {
    let found = json_lines(&["find", "--data", data.to_str().unwrap(), "--json"]);
    found.iter().map(|row| row["outcome"].as_str().unwrap_or("open").to_owned()).collect()
}

/// The gaps of a system's log, as text, found in the entries as they are published.
fn gaps(data: &Path, system: &str) -> Vec<serde_json::Value> {
    use inferlog_disk::RealFs;
    use inferlog_log::{LogReader, list_logs};
    let logs = list_logs(&RealFs, data).unwrap();
    let log = logs.into_iter().find(|log| log.system() == system).unwrap();
    let reader = LogReader::new(std::sync::Arc::new(RealFs), log);
    let mut gaps = Vec::new();
    let each = |_, bytes: &[u8]| {
        let entry: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let events = entry["events"].as_array().unwrap();
        gaps.extend(events.iter().filter(|event| event["kind"] == "gap").map(|event| event["body"].clone()));
        true
    };
    reader.scan(0, reader.size().unwrap(), each).unwrap();
    gaps
}

#[test]
fn a_process_opens_its_failed_log_again_and_tells_what_it_missed() {
    let dir = tempfile::tempdir().unwrap();
    let (data, model) = (dir.path().join("data"), start_model());
    let limited = Limited::start(dir.path(), &data, model);
    assert_eq!((limited.ask("soft"), limited.ask("hard")), ((200, true), (200, true)));
    // Nothing is written beyond the first page of a file: no batch of the log, but the marker.
    limited.limit(Some(4096));
    for _ in 0..3 {
        assert_eq!((limited.ask("soft"), limited.ask("hard")), ((200, false), (503, false)));
    }
    assert_eq!(limited.get("/readyz").0, 503);
    // It tries again meanwhile, in vain; answers go on.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(limited.ask("soft"), (200, false));
    limited.limit(None);
    limited.until("it records again", |limited| limited.get("/readyz").0 == 200);
    assert_eq!((limited.ask("soft"), limited.ask("hard")), ((200, true), (200, true)));
    limited.until("the gap is told", |limited| limited.get("/metrics").1.contains("inferlog_degraded 0"));
    let log = limited.stop();
    assert!(log.contains("opened again") && log.contains("answers pass unrecorded"), "{log}");
    let told = gaps(&data, "soft");
    let counts: u64 = told.iter().map(|gap| gap["count"].as_u64().unwrap()).sum();
    assert_eq!((counts, gaps(&data, "hard").len()), (4, 0), "{told:?}");
    assert_eq!(outcomes(&data).iter().filter(|outcome| *outcome == "answered").count(), 4);
    let report = json_lines(&["verify", "--data", data.to_str().unwrap(), "--json"]);
    assert_eq!(report[0]["ok"], true, "{}", report[0]);
    // The next start has nothing to add.
    Limited::start(dir.path(), &data, model).stop();
    assert_eq!(gaps(&data, "soft"), told);
}

#[test]
fn a_process_that_is_killed_while_it_degrades_leaves_an_unknown_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (data, model) = (dir.path().join("data"), start_model());
    let mut limited = Limited::start(dir.path(), &data, model);
    assert_eq!(limited.ask("soft"), (200, true));
    limited.limit(Some(4096));
    assert_eq!(limited.ask("soft"), (200, false));
    limited.serve.kill();
    Limited::start(dir.path(), &data, model).stop();
    for system in ["soft", "hard"] {
        let told = gaps(&data, system);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["count"], &told[0]["why"]), (&"unknown".into(), &"unclean_end".into()));
    }
    Limited::start(dir.path(), &data, model).stop();
    assert_eq!(gaps(&data, "soft").len(), 1, "it is told once");
}
