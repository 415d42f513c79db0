//! Both ends of the wire, led by the test: it sends a request, sees it arrive at the model server, and says what the answer is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request at the model server, to be answered.
pub struct Asked {
    pub body: String,
    stream: TcpStream,
}

/// A model server.
pub struct Model {
    pub address: SocketAddr,
    asked: Receiver<Asked>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub decision: String,
    pub body: String,
}

impl Model {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    let (_, body) = message(&stream, false)?;
                    sender.send(Asked { body, stream }).ok()
                });
            }
        });
        Self { address, asked }
    }

    /// The next request that arrives.
    pub fn asked(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).expect("the request arrives at the model")
    }
}

impl Asked {
    /// Answers as a whole.
    pub fn whole(mut self, status: &str, body: &str) {
        let length = body.len();
        let head = "content-type: application/json\r\nconnection: close";
        let answer = format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        self.stream.write_all(answer.as_bytes()).unwrap();
    }

    /// Begins to answer with a stream; dropped, it breaks off.
    pub fn begin(&mut self, piece: &str) {
        let head = "content-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked";
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{:x}\r\n{piece}\r\n", piece.len());
        self.stream.write_all(answer.as_bytes()).unwrap();
    }

    /// Answers with a stream, chopped into chunks of this many bytes.
    pub fn stream(mut self, body: &str, chunk: usize) {
        let head = "content-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked";
        let mut answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes();
        for chunk in body.as_bytes().chunks(chunk) {
            answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            answer.extend(chunk);
            answer.extend(b"\r\n");
        }
        answer.extend(b"0\r\n\r\n");
        self.stream.write_all(&answer).unwrap();
    }
}

/// Sends a request; the answer is there when the thread ends.
pub fn send(to: SocketAddr, path: &str, headers: &str, body: &str) -> JoinHandle<Answer> {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (head, body) = message(&stream, true).expect("an answer");
        let decision = head.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: "));
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            decision: decision.unwrap_or_default().to_owned(),
            body,
        }
    })
}

/// Head and body of a message; one that goes on `to_end` of the connection is read to there.
fn message(mut stream: &TcpStream, to_end: bool) -> Option<(String, String)> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = stream.read(&mut chunk).ok()?;
        bytes.extend_from_slice(&chunk[..read]);
        let at = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(at) = at.filter(|_| !to_end || read == 0) else {
            if read == 0 {
                return None;
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..at]).to_ascii_lowercase();
        let body = &bytes[at + 4..];
        if head.contains("transfer-encoding: chunked") {
            return Some((head, unchunked(body)?));
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some((head, String::from_utf8(body.to_vec()).ok()?));
        }
    }
}

/// The body of a chunked message; `None` if it did not come to its end.
fn unchunked(mut rest: &[u8]) -> Option<String> {
    let mut body = Vec::new();
    loop {
        let at = rest.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..at]).ok()?, 16).ok()?;
        if length == 0 {
            return String::from_utf8(body).ok();
        }
        body.extend_from_slice(rest.get(at + 2..at + 2 + length)?);
        rest = rest.get(at + 4 + length..)?;
    }
}
