//! The binary, a model server for it to stand in front of, and a client.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Directories of one test, and the binary run in them.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The binary, with a home and a place for temporary files of its own, and nothing of the caller's environment that it reads.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inferlog"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("tmp"));
        for name in
            ["INFERLOG_DATA", "INFERLOG_ROOT_KEY", "INFERLOG_LOG", "XDG_CONFIG_HOME", "CLICOLOR_FORCE"]
        {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// Runs a command with `--data` at its end at a terminal, where `typed` is typed.
    pub fn typed(&self, args: &[&str], typed: &str) -> Run {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = std::fs::File::options().read(true).write(true).open(name).unwrap();
        let mut ours = std::fs::File::from(ours);
        ours.write_all(typed.as_bytes()).unwrap();
        let mut command = self.command(args);
        command.arg("--data").arg(self.data()).stdin(theirs);
        Run(command.output().unwrap())
    }

    /// Runs a command with `--data` at its end; it must do well.
    pub fn ok(&self, args: &[&str]) -> Run {
        let data = self.data();
        let args: Vec<&str> = args.iter().copied().chain(["--data", data.to_str().unwrap()]).collect();
        let run = self.run(&args);
        assert_eq!(run.status(), 0, "{args:?}\n{}{}", run.stdout(), run.stderr());
        run
    }

    /// Starts `serve` in front of `upstream`.
    pub fn serve(&self, upstream: SocketAddr, more: &[&str]) -> Serve {
        let (data, upstream) = (self.data(), format!("http://{upstream}"));
        let mut args =
            vec!["serve", "--data", data.to_str().unwrap(), "--system", "credit", "--upstream", &upstream];
        args.extend(["--listen", "127.0.0.1:0", "--subject-header", "x-applicant-id", "--log", "json"]);
        args.extend(more);
        Serve::start(self.command(&args))
    }

    /// Starts `serve` with routes of its own.
    pub fn serve_routes(&self, routes: &str) -> Serve {
        let (data, config) = (self.data(), self.path("routes.toml"));
        std::fs::write(&config, routes).unwrap();
        let [data, config] = [&data, &config].map(|path| path.to_str().unwrap());
        let args = ["serve", "--data", data, "--config", config, "--listen", "127.0.0.1:0", "--log", "json"];
        Serve::start(self.command(&args))
    }

    /// What stands in a file below the data directory.
    pub fn log_dir(&self) -> PathBuf {
        let mut dir = self.data().join("logs").join("credit").join("0");
        let epoch = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().file_name();
        dir.push(epoch);
        dir
    }
}

/// What a command did.
pub struct Run(Output);

impl Run {
    pub fn status(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    /// Demands an exit status.
    pub fn expect(&self, status: i32) {
        assert_eq!(self.status(), status, "{}{}", self.stdout(), self.stderr());
    }

    pub fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout()).unwrap_or_else(|error| panic!("{error}: {}", self.stdout()))
    }

    /// One JSON object a line.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A running `serve`; killed when dropped.
pub struct Serve {
    child: Child,
    pub address: SocketAddr,
    log: std::sync::mpsc::Receiver<Value>,
}

impl Serve {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (seen, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.unwrap();
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = seen.send(event);
            }
        });
        let mut address = None;
        while address.is_none() {
            let event = log.recv_timeout(Duration::from_secs(60)).expect("serve says where it listens");
            assert!(event.is_object(), "not structured: {event}");
            let message = event["message"].as_str().unwrap_or_default();
            address = message.strip_prefix("listening on http://").map(|address| address.parse().unwrap());
        }
        Self { child, address: address.unwrap(), log }
    }

    /// Sends one inference for a person, and answers status, decision id and body.
    pub fn infer(&self, person: &str, body: &str) -> (u16, String, Value) {
        let (head, body) =
            post(self.address, "/v2/models/credit/infer", &format!("x-applicant-id: {person}\r\n"), body);
        let id =
            head.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: ")).unwrap_or_default();
        (status(&head), id.to_owned(), serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }

    /// Ends it by SIGTERM and gives its exit status.
    pub fn stop(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(began.elapsed() < Duration::from_secs(40), "serve does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged since the last time.
    pub fn logged(&self) -> Vec<Value> {
        self.log.try_iter().collect()
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long the model server takes for a request that holds the word.
pub const DAWDLE: Duration = Duration::from_millis(800);

/// A model server that answers every request with a score, or with an error for an empty `inputs`.
pub fn model() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || while answer(&stream).is_some() {});
        }
    });
    address
}

fn answer(stream: &TcpStream) -> Option<()> {
    let body = read_message(stream)?.1;
    if body.contains("\"dawdle\"") {
        std::thread::sleep(DAWDLE);
    }
    let (status, answer) = match body.contains("\"inputs\":[]") {
        true => ("400 Bad Request", r#"{"error":"no inputs"}"#),
        false => (
            "200 OK",
            r#"{"model_name":"credit","model_version":"3","outputs":[{"name":"y","shape":[1],"datatype":"FP64","data":[0.7]}]}"#,
        ),
    };
    let length = answer.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    (&*stream).write_all((head + answer).as_bytes()).ok()
}

/// Reads a head and a body of the length that it says.
pub fn read_message(mut stream: &TcpStream) -> Option<(String, String)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Sends one POST; gives head and body of the answer.
pub fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> (String, String) {
    exchange(address, &format!("POST {path}"), headers, body)
}

pub fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let (head, body) = exchange(address, &format!("GET {path}"), "", "");
    (status(&head), body)
}

pub fn exchange(address: SocketAddr, line: &str, headers: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: test\r\n{headers}content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    read_message(&stream).expect("an answer")
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// An inference request for one applicant.
pub const REQUEST: &str = r#"{"id":"a-1","parameters":{"threshold":0.5},"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[48517.25,0.25]}]}"#;

/// A copy of a directory.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&entry.path(), &target),
            kind if kind.is_file() => drop(std::fs::copy(entry.path(), target).unwrap()),
            _ => {}
        }
    }
}
