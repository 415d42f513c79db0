//! An upstream that answers as its test says, piece by piece.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::support::read_request;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A connection whose request came: what the test writes, the client of the connection gets.
pub struct Asked {
    pub request: String,
    stream: TcpStream,
}

pub struct Upstream {
    pub address: SocketAddr,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    let _ = sender.send(Asked { request, stream });
                });
            }
        });
        Self { address, asked }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn asked(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }
}

impl Asked {
    /// The head of an answer whose body is chunked.
    pub async fn head(&mut self, content_type: &str, more: &str) {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n{more}\r\n"
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// One chunk.
    pub async fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.raw(format!("{:x}\r\n", bytes.len()).as_bytes()).await;
        self.raw(bytes).await;
        self.raw(b"\r\n").await;
    }

    /// One chunk, unless the connection is gone.
    pub async fn try_chunk(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let bytes = bytes.as_ref();
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.stream.write_all(&chunk).await.is_ok()
    }

    /// The end of the body.
    pub async fn end(&mut self) {
        self.raw(b"0\r\n\r\n").await;
    }

    /// Whether the peer closed the connection.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest).await;
    }
}

/// A client that reads as it likes.
pub struct Client {
    stream: TcpStream,
    pub seen: String,
    pub raw: Vec<u8>,
}

impl Client {
    pub async fn send(address: SocketAddr, request: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        Self { stream, seen: String::new(), raw: Vec::new() }
    }

    /// Reads until this text came.
    pub async fn until(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.more().await, "the connection ended before {text:?}: {}", self.seen);
        }
    }

    /// Reads until these bytes came.
    pub async fn until_bytes(&mut self, bytes: &[u8]) {
        while !self.raw.windows(bytes.len()).any(|window| window == bytes) {
            assert!(self.more().await, "the connection ended before {bytes:?}: {}", self.seen);
        }
    }

    /// Reads to the end of the connection.
    pub async fn rest(&mut self) -> String {
        while self.more().await {}
        self.seen.clone()
    }

    /// Whether nothing comes for a moment.
    pub async fn is_quiet(&mut self) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(150), self.more()).await.is_err()
    }

    async fn more(&mut self) -> bool {
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk).await {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.raw.extend_from_slice(&chunk[..read]);
                self.seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
                true
            }
        }
    }

    pub fn leave(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// A chat request with more headers.
pub fn chat(body: &str, headers: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// One event of a chat stream.
pub fn delta(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"m-2024-08-06\",\"choices\":[{{\"index\":0,\
         \"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    )
}

pub const STOP: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"m-2024-08-06\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub const DONE: &str = "data: [DONE]\n\n";
pub const ASK: &str =
    "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
