//! Witnesses as child processes, and logs that have them.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use inferlog_merkle::{Checkpoint, SignedNote, VerifierKey};

use crate::harness::{INFERLOG, free_address, infer_body, inferlog, request};

/// How long anything that should happen is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// `inferlog witness serve`, killed when dropped.
pub struct WitnessProcess {
    child: Option<Child>,
    pub state: PathBuf,
    pub listen: SocketAddr,
    pub key: VerifierKey,
}

impl WitnessProcess {
    /// Makes a witness and starts it.
    pub fn make(dir: &Path, name: &str) -> Self {
        let state = dir.join(format!("state-{name}"));
        let made =
            said(&["witness", "init", "--state", text(&state), "--name", &format!("{name}.example/w")]);
        let key = made.trim().parse().unwrap();
        let mut witness = Self { child: None, state, listen: free_address(), key };
        witness.start();
        witness
    }

    /// Starts it, and waits until it answers.
    pub fn start(&mut self) {
        let mut command = Command::new(INFERLOG);
        command.args([
            "witness",
            "serve",
            "--state",
            text(&self.state),
            "--listen",
            &self.listen.to_string(),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        wait_for("the witness answers", || {
            request(self.listen, "GET", "/healthz", &[], b"").is_some_and(|answer| answer.status == 200)
        });
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn add_log(&self, vkey: &str) {
        said(&["witness", "add-log", "--state", text(&self.state), vkey]);
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.listen)
    }

    /// What it says of the one log it knows: size, zero if none.
    pub fn size(&self) -> u64 {
        let line = said(&["witness", "logs", "--state", text(&self.state), "--json"]);
        let log: serde_json::Value = serde_json::from_str(line.lines().next().unwrap()).unwrap();
        log["newest"]["size"].as_u64().unwrap_or(0)
    }
}

impl Drop for WitnessProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes a configuration with one route and these witnesses; any of them is a quorum.
pub fn configure(
    dir: &Path,
    model: SocketAddr,
    witnesses: &[(&str, &VerifierKey, String)],
    twin: &str,
) -> PathBuf {
    let policy = dir.join("witnesses.policy");
    let lines: String =
        witnesses.iter().map(|(name, key, url)| format!("witness {name} {key} {url}\n")).collect();
    let names: Vec<&str> = witnesses.iter().map(|(name, ..)| *name).collect();
    std::fs::write(&policy, format!("{lines}group quorum any {}\nquorum quorum\n", names.join(" "))).unwrap();
    let config = dir.join("routes.toml");
    let toml = format!(
        "[[route]]\nname = \"alpha\"\nupstream = \"http://{model}\"\nsystem = \"alpha\"\n\n\
         [witnesses]\npolicy = {policy:?}\nperiod = \"100ms\"\ntwin = {twin}\n"
    );
    std::fs::write(&config, toml).unwrap();
    config
}

/// Sends inferences; all must be answered.
pub fn infer(gateway: SocketAddr, count: u64) {
    for number in 0..count {
        let headers = [("content-type", "application/json")];
        let answer = request(gateway, "POST", "/v2/models/echo/infer", &headers, &infer_body(number));
        assert_eq!(answer.unwrap().status, 200);
    }
}

pub fn vkey(data: &Path) -> String {
    said(&["keys", "vkey", "--data", text(data), "--system", "alpha"]).trim().to_owned()
}

/// The directory of the only log, or of the newest by name.
pub fn log_dir(data: &Path) -> PathBuf {
    let epochs = std::fs::read_dir(data.join("logs/alpha/0")).unwrap();
    epochs.map(|epoch| epoch.unwrap().path()).max().unwrap()
}

/// Size under the published checkpoint; zero before the first.
pub fn published(data: &Path) -> u64 {
    let Ok(note) = std::fs::read(log_dir(data).join("checkpoint")) else { return 0 };
    SignedNote::parse(&note).unwrap().text().parse::<Checkpoint>().unwrap().size()
}

/// The notes that are kept, by size.
pub fn vouched(data: &Path) -> Vec<(u64, SignedNote)> {
    let Ok(names) = std::fs::read_dir(log_dir(data).join("vouched")) else { return Vec::new() };
    let mut notes: Vec<(u64, SignedNote)> = names
        .filter_map(|name| {
            let path = name.unwrap().path();
            let size = path.file_name()?.to_str()?.strip_suffix(".note")?.parse().ok()?;
            Some((size, SignedNote::parse(&std::fs::read(path).ok()?).unwrap()))
        })
        .collect();
    notes.sort_by_key(|(size, _)| *size);
    notes
}

/// Whether this witness has cosigned what is published now.
pub fn is_cosigned(data: &Path, key: &VerifierKey) -> bool {
    let size = published(data);
    vouched(data).iter().any(|(of, note)| *of == size && note.verify(std::slice::from_ref(key)).is_ok())
}

pub fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "waited for a minute: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a command prints that must do well.
pub fn said(args: &[&str]) -> String {
    let output = inferlog(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "inferlog {args:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Copies a directory, over what is there.
pub fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}
