//! A client of the reader, traffic through the gateway meanwhile, and what may befall an index.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod statements;

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::support::{REQUEST, World, model, post};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A client.
#[derive(Clone)]
pub struct Reader {
    pub address: SocketAddr,
    pub token: Option<String>,
}

/// An answer, whole or not.
pub struct Answer {
    pub status: u16,
    head: String,
    body: Vec<u8>,
    pub is_whole: bool,
}

/// Options of `serve` that give it a reader, and the reader's client. With `more` the reader stands in a file, with routes to a
/// model.
pub fn config<'a>(world: &World, more: &str) -> (Vec<&'a str>, Reader) {
    // An address that no other process binds, nor takes for an outgoing connection: those come from 127.0.0.1.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let free = TcpListener::bind(SocketAddr::from(([127, 64 | high, middle, low], 0))).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let file = world.path("reader.token");
    std::fs::write(&file, TOKEN).unwrap();
    chmod(&file, 0o600);
    let reader = Reader { address, token: Some(TOKEN.into()) };
    if !more.is_empty() {
        let upstream = model();
        let routes = format!(
            "[[route]]\nname = \"credit\"\nupstream = \"http://{upstream}\"\nsystem = \"credit\"\n\n[reader]\nlisten = \"{address}\"\n\
             token_file = \"{}\"\n{more}",
            file.display()
        );
        return (vec![leak(routes)], reader);
    }
    let token = leak(format!("file:{}", file.display()));
    (vec!["--reader", leak(address.to_string()), "--reader-token", token], reader)
}

fn leak<'a>(text: String) -> &'a str {
    Box::leak(text.into_boxed_str())
}

pub fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl World {
    /// Starts `serve` with the one file that [`config`] made.
    pub fn serve_config(&self, config: &[&str]) -> crate::support::Serve {
        self.serve_routes(config[0])
    }
}

impl Reader {
    pub fn query(&self, sql: &str) -> Answer {
        self.ask("POST", "/v1/query", sql)
    }

    pub fn query_json(&self, body: &Value) -> Answer {
        self.send("POST", "/v1/query", "content-type: application/json\r\n", &body.to_string())
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, "", body)
    }

    fn connect(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let token =
            self.token.as_ref().map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: reader\r\nconnection: close\r\n{token}{headers}content-length: {length}\r\n\r\n"
        );
        // One that is refused early may not take the rest.
        let _ = stream.write_all((head + body).as_bytes());
        stream
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut bytes = Vec::new();
        let _ = self.connect(method, path, headers, body).read_to_end(&mut bytes);
        Answer::parse(&bytes)
    }

    /// The first line of an answer that does not end.
    pub fn first_line(&self, path: &str) -> String {
        let stream = BufReader::new(self.connect("GET", path, "", ""));
        stream.lines().map(Result::unwrap).find(|line| line.starts_with('{')).unwrap()
    }

    /// Asks, reads a little of the answer, and leaves.
    pub fn leave(&self, sql: &str) {
        let mut some = [0; 4096];
        assert!(self.connect("POST", "/v1/query", "", sql).read(&mut some).unwrap() > 0);
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let (mut body, mut is_whole) = (bytes[end..].to_vec(), true);
        if head.contains("transfer-encoding: chunked") {
            (body, is_whole) = unchunk(&body);
        }
        Self { status, head, body, is_whole }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Its first line.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.text().lines().next().unwrap_or_default())
            .unwrap_or_else(|_| panic!("{}", self.text()))
    }

    /// The code of the error in its last line.
    pub fn error(&self) -> String {
        let text = self.text();
        let last: Value = serde_json::from_str(text.trim_end().lines().last().unwrap_or_default()).unwrap();
        last["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The content of chunks, and whether the last one came (RFC 9112, section 7.1).
fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") else {
            return (content, false);
        };
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        let rest = &bytes[end + 2..];
        if size == 0 {
            return (content, true);
        }
        if rest.len() < size + 2 {
            content.extend_from_slice(&rest[..rest.len().min(size)]);
            return (content, false);
        }
        content.extend_from_slice(&rest[..size]);
        bytes = &rest[size + 2..];
    }
}

/// Requests through the gateway, one after another, each of which must be answered and recorded.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    sent: JoinHandle<u64>,
}

impl Traffic {
    pub fn start(gateway: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let sent = std::thread::spawn(move || {
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                let (head, body) =
                    post(gateway, "/v2/models/credit/infer", "x-applicant-id: kim\r\n", REQUEST);
                assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
                sent += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            sent
        });
        Self { stop, sent }
    }

    /// How many were answered.
    pub fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.sent.join().unwrap()
    }
}

/// How many workers of this test's servers run: processes with this word in their command line.
pub fn workers() -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == b"query-worker")).count()
}

/// Holds the index so that nobody else can read it, until dropped.
pub fn locked(data: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(data.join("index/index.sqlite")).unwrap();
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
    connection.execute_batch("BEGIN EXCLUSIVE; SELECT 1").unwrap();
    connection
}

/// Does something to the index that is not its writer's doing.
pub fn corrupt(data: &Path, how: &str) {
    let path = data.join("index/index.sqlite");
    if how == "newer" {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        return connection.pragma_update(None, "user_version", version + 1).unwrap();
    }
    // What is in the WAL would heal it.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let (length, page) = (file.metadata().unwrap().len(), 4096);
    match how {
        "header" => flip(&mut file, 0),
        "schema" => flip(&mut file, 100),
        "pages" => (1..length / page).for_each(|number| flip(&mut file, number * page)),
        "cut" => file.set_len(length / 2 / page * page).unwrap(),
        _ => unreachable!(),
    }
}

fn flip(file: &mut std::fs::File, at: u64) {
    let mut bytes = [0; 8];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    bytes.iter_mut().for_each(|byte| *byte ^= 0xff);
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&bytes).unwrap();
}
