//! `[timestamps]` and `inferlog timestamp` against `openssl ts`, over HTTP and by files, and what `verify` says of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "../../timestamp/tests/authority/mod.rs"]
mod authority;
mod harness;

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use authority::{Authority, GOOD};
use harness::{
    Serve, free_address, header, infer_body, inferlog, json_lines, read_head, request, start_model,
};
use serde_json::Value;

const EC: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// How the authority misbehaves.
const WELL: u64 = 0;
const OTHER_CHECKPOINT: u64 = 1;
const ERROR: u64 = 2;
const STRANGER: u64 = 3;
const OTHER_REQUEST: u64 = 4;

/// An authority that answers over HTTP, for as long as the test process lives.
struct Server {
    address: SocketAddr,
    manner: Arc<AtomicU64>,
    asked: Arc<AtomicU64>,
}

fn start(authority: Arc<Authority>, stranger: Arc<Authority>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (manner, asked) = (Arc::new(AtomicU64::new(WELL)), Arc::new(AtomicU64::new(0)));
    let (acts, counts) = (manner.clone(), asked.clone());
    std::thread::spawn(move || {
        let mut old = Vec::new();
        for stream in listener.incoming().flatten() {
            counts.fetch_add(1, Ordering::SeqCst);
            let _ = answer(stream, &authority, &stranger, acts.load(Ordering::SeqCst), &mut old);
        }
    });
    Server { address, manner, asked }
}

fn answer(
    stream: TcpStream,
    authority: &Authority,
    stranger: &Authority,
    manner: u64,
    old: &mut Vec<u8>,
) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let (first, headers) = read_head(&mut reader)?;
    assert!(first.starts_with("POST /tsa?policy=any HTTP/1.1"), "{first}");
    assert_eq!(header(&headers, "content-type").unwrap(), "application/timestamp-query");
    let mut query = vec![0; header(&headers, "content-length")?.parse().ok()?];
    reader.read_exact(&mut query).ok()?;
    let body = match manner {
        OTHER_CHECKPOINT => old.clone(),
        OTHER_REQUEST => {
            // The nonce's last byte: what follows it is certReq, three bytes.
            let at = query.len() - 4;
            query[at] ^= 1;
            authority.answer("tsa", &query, "")
        }
        STRANGER => stranger.answer("tsa", &query, ""),
        _ => authority.answer("tsa", &query, ""),
    };
    let status = if manner == ERROR { "503 Busy" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/timestamp-reply\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    writer.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    *old = body;
    Some(())
}

fn an_authority() -> Arc<Authority> {
    let authority = Authority::new();
    authority.certify("tsa", EC, GOOD);
    Arc::new(authority)
}

fn until(what: &str, is_it: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_it() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} not after a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn metric(listen: SocketAddr, line: &str) -> Option<u64> {
    let page = request(listen, "GET", "/metrics", &[], b"")?;
    let page = String::from_utf8(page.body).ok()?;
    page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

fn ask(listen: SocketAddr) {
    let headers = [("content-type", "application/json"), ("x-applicant", "Ada")];
    let answer = request(listen, "POST", "/v2/models/echo/infer", &headers, &infer_body(1)).unwrap();
    assert_eq!(answer.status, 200);
}

fn config(dir: &Path, model: SocketAddr, tsa: SocketAddr, roots: &[u8]) -> PathBuf {
    std::fs::write(dir.join("roots.pem"), roots).unwrap();
    let (config, roots) = (dir.join("routes.toml"), dir.join("roots.pem"));
    let text = format!(
        "[[route]]\nname = \"echo\"\nsystem = \"alpha\"\nupstream = \"http://{model}\"\n\n\
         [timestamps]\nurl = \"http://{tsa}/tsa?policy=any\"\nroots = \"{}\"\nperiod = \"50ms\"\n",
        roots.display()
    );
    std::fs::write(&config, text).unwrap();
    config
}

fn verified(data: &Path, more: &[&str]) -> Value {
    let words = [&["verify", "--json", "--data", data.to_str().unwrap()], more].concat();
    let output = inferlog(&words);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn serve_has_checkpoints_stamped_and_says_when_it_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (good, stranger) = (an_authority(), an_authority());
    let tsa = start(good.clone(), stranger);
    let listen = free_address();
    let config = config(dir.path(), start_model(), tsa.address, &good.root());
    let routes = ["--config", config.to_str().unwrap(), "--log", "json"];
    let mut serve = Serve::start_with(&[], &data, listen, &routes);
    ask(listen);
    let size = |least: u64| {
        metric(listen, "inferlog_timestamp_size{system=\"alpha\"}").is_some_and(|size| size >= least)
    };
    until("a timestamp is kept", || size(1));
    assert_eq!(metric(listen, "inferlog_timestamp_up{system=\"alpha\"}"), Some(1));

    // A log that does not grow is not stamped again and again.
    std::thread::sleep(Duration::from_millis(500));
    let asked = tsa.asked.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(tsa.asked.load(Ordering::SeqCst), asked);

    // An answer to another request, an error, somebody else: nothing is kept, and it is told; requests go on.
    let failures =
        || metric(listen, "inferlog_timestamp_failures_total{system=\"alpha\"}").unwrap_or_default();
    for manner in [OTHER_CHECKPOINT, OTHER_REQUEST, ERROR, STRANGER] {
        let (before, failed) = (metric(listen, "inferlog_timestamp_size{system=\"alpha\"}"), failures());
        tsa.manner.store(manner, Ordering::SeqCst);
        ask(listen);
        until("the failure is counted", || failures() > failed);
        assert_eq!(metric(listen, "inferlog_timestamp_up{system=\"alpha\"}"), Some(0));
        assert_eq!(metric(listen, "inferlog_timestamp_size{system=\"alpha\"}"), before);
    }
    let before = metric(listen, "inferlog_timestamp_size{system=\"alpha\"}").unwrap();
    tsa.manner.store(WELL, Ordering::SeqCst);
    until("it stamps again", || size(before + 1));
    until("it is up", || metric(listen, "inferlog_timestamp_up{system=\"alpha\"}") == Some(1));
    serve.stop();
    let mut log = String::new();
    serve.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    for said in [
        "its imprint is not the SHA-256 of what is checked",
        "its nonce is not the one that was sent",
        "it answered 503",
        "does not lead to a root that you trust",
        "the timestamping authority stamps again",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }

    let roots = dir.path().join("roots.pem");
    let report = verified(&data, &["--tsa-roots", roots.to_str().unwrap()]);
    assert_eq!(report["ok"], true, "{report}");
    let stamped = &report["logs"][0]["statement"]["timestamped"][0];
    assert_eq!((&stamped["by"], &stamped["is_trusted"]), (&"CN=tsa,O=Tests".into(), &true.into()));
    let claimed = verified(&data, &[]);
    assert_eq!(claimed["logs"][0]["statement"]["timestamped"][0]["is_trusted"], false);
    assert_eq!(claimed["logs"][0]["statement"]["evidence"], Value::Null);

    // The next start goes on from what is kept.
    tsa.manner.store(ERROR, Ordering::SeqCst);
    let mut serve = Serve::start_with(&[], &data, listen, &routes);
    until("it is told", || size(1));
    assert_eq!(metric(listen, "inferlog_timestamp_size{system=\"alpha\"}"), stamped["size"].as_u64());
    serve.stop();
}

fn count(data: &Path) -> usize {
    let mut dirs = vec![data.join("logs")];
    let mut found = 0;
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else {
                found += usize::from(entry.path().extension().is_some_and(|ending| ending == "tsr"));
            }
        }
    }
    found
}

#[test]
fn files_carry_a_timestamp_where_there_is_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (listen, model) = (free_address(), start_model());
    let mut serve = Serve::start(&[], &data, model, listen);
    ask(listen);
    serve.stop();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let data_word = data.display().to_string();
    let asked = inferlog(&[
        "timestamp",
        "request",
        "--data",
        &data_word,
        "--output",
        &path("q.tsq"),
        "--policy",
        "1.2.3.4.5",
    ]);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));

    // The log goes on while the request is away.
    let mut serve = Serve::start(&[], &data, model, listen);
    ask(listen);
    let good = an_authority();
    let response = good.answer("tsa", &std::fs::read(path("q.tsq")).unwrap(), "");
    std::fs::write(path("r.tsr"), &response).unwrap();
    std::fs::write(path("roots.pem"), good.root()).unwrap();
    std::fs::write(path("others.pem"), Authority::new().root()).unwrap();
    let accept = |file: &str, roots: &str| {
        let (file, roots) = (path(file), path(roots));
        inferlog(&["timestamp", "accept", "--data", &data_word, &file, "--roots", &roots])
    };
    let refused = accept("r.tsr", "others.pem");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("does not lead to a root that you trust"));
    let other = inferlog_timestamp::request(b"another message", 1, None).unwrap();
    std::fs::write(path("other.tsr"), good.answer("tsa", &other, "")).unwrap();
    let refused = accept("other.tsr", "roots.pem");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("its imprint is not the SHA-256") && said.contains("no checkpoint that is kept"),
        "{said}"
    );
    assert_eq!(count(&data), 0);

    let line = &json_lines(&[
        "timestamp",
        "accept",
        "--data",
        &data_word,
        &path("r.tsr"),
        "--roots",
        &path("roots.pem"),
        "--json",
    ])[0];
    assert_eq!((&line["authority"], &line["policy"]), (&"CN=tsa,O=Tests".into(), &"1.2.3.4.5".into()));
    // Twice is once.
    assert!(accept("r.tsr", "roots.pem").status.success());
    assert_eq!(count(&data), 1);
    serve.stop();
    let report = verified(&data, &["--tsa-roots", &path("roots.pem")]);
    assert_eq!(report["ok"], true, "{report}");
    let stamped = &report["logs"][0]["statement"]["timestamped"][0];
    assert_eq!(stamped["size"], line["size"]);
    assert!(stamped["size"].as_u64() < report["logs"][0]["size"].as_u64());
}
