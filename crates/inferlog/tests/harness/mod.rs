//! What the whole-process tests share: a model server, a client that knows whether it got a whole answer, and `inferlog`
//! as a child process.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary under test.
pub const INFERLOG: &str = env!("CARGO_BIN_EXE_inferlog");

/// An answer that arrived whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub decision: Option<String>,
    pub body: Vec<u8>,
}

/// Sends one request on a connection of its own. `None` if anything short of a whole answer came back.
pub fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // In one piece: a second write would wait until the first one is acknowledged.
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    read_answer(&mut BufReader::new(stream))
}

fn read_answer(stream: &mut impl BufRead) -> Option<Answer> {
    let (first, headers) = read_head(stream)?;
    let status = first.split(' ').nth(1)?.parse().ok()?;
    let mut body = vec![0; header(&headers, "content-length")?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Answer { status, decision: header(&headers, "inferlog-decision-id"), body })
}

pub fn read_head(stream: &mut impl BufRead) -> Option<(String, Vec<(String, String)>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let first = line.trim_end().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return (line == "\r\n").then_some((first, headers)),
        }
    }
}

pub fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
}

/// A model server that answers the Open Inference Protocol after a little while, for as long as the test process lives.
pub fn start_model() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve_model(stream));
        }
    });
    address
}

fn serve_model(stream: TcpStream) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let (_, headers) = read_head(&mut reader)?;
        let mut body = vec![0; header(&headers, "content-length").unwrap_or_default().parse().unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        std::thread::sleep(Duration::from_millis(u64::from(fastrand::u8(0..6))));
        let answer = serde_json::json!({
            "model_name": "echo", "model_version": "1", "id": fastrand::u64(..).to_string(),
            "outputs": [{"name": "y", "datatype": "FP64", "shape": [1], "data": [fastrand::f64()]}],
        });
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all((head + &answer).as_bytes()).ok()?;
    }
}

/// The body of an inference request.
pub fn infer_body(number: u64) -> Vec<u8> {
    let body = serde_json::json!({
        "id": format!("call-{number}"),
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [number as f64, 0.5]}],
    });
    body.to_string().into_bytes()
}

/// A free port of the loopback interface, at an address that no other process binds: between two lives of a server, nobody
/// takes it, not for an outgoing connection either (those come from 127.0.0.1).
pub fn free_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    TcpListener::bind(SocketAddr::from(([127, 64 | high, middle, low], 0))).unwrap().local_addr().unwrap()
}

/// `inferlog serve`, in a process of its own; killed when dropped.
pub struct Serve(pub Child);

impl Serve {
    /// Starts it and waits until it is ready. `wrapper` runs it under another program.
    pub fn start(wrapper: &[&str], data: &Path, model: SocketAddr, listen: SocketAddr) -> Self {
        let upstream = format!("http://{model}");
        let routes = ["--system", "alpha", "--upstream", &upstream, "--subject-header", "x-applicant"];
        Self::start_with(wrapper, data, listen, &routes)
    }

    /// The same with routes of one's own: `--config`, say.
    pub fn start_with(wrapper: &[&str], data: &Path, listen: SocketAddr, routes: &[&str]) -> Self {
        let mut words: Vec<String> = wrapper.iter().map(|word| (*word).to_owned()).collect();
        words.push(INFERLOG.to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("serve").arg("--data").arg(data).args(routes);
        command.args(["--listen", &listen.to_string(), "--root-key", &root_key(data)]);
        let mut serve =
            Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let began = Instant::now();
        loop {
            if request(listen, "GET", "/readyz", &[], b"").is_some_and(|answer| answer.status == 200) {
                return serve;
            }
            if let Some(status) = serve.0.try_wait().unwrap() {
                let mut errors = String::new();
                serve.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
                panic!("serve ended with {status}: {errors}");
            }
            assert!(began.elapsed() < Duration::from_secs(60), "serve is not ready after a minute");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(&mut self) {
        self.kill_wrapped();
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }

    /// What runs under a wrapper would outlive it.
    fn kill_wrapped(&self) {
        let id = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let pid = rustix::process::Pid::from_raw(child).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }

    /// SIGTERM, and wait for the drain.
    pub fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "serve ended with {status} after SIGTERM");
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.kill_wrapped();
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The root key's place for a test: beside the data directory, not in the home of whoever runs the tests.
pub fn root_key(data: &Path) -> String {
    format!("file:{}", data.with_extension("root").display())
}

/// Runs a command of `inferlog` to its end.
pub fn inferlog(args: &[&str]) -> Output {
    Command::new(INFERLOG).args(args).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that must succeed and returns the JSON values it prints, one a line.
pub fn json_lines(args: &[&str]) -> Vec<serde_json::Value> {
    let output = inferlog(args);
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "inferlog {args:?}: {}\n{printed}\n{errors}", output.status);
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
