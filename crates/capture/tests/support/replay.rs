//! An upstream that sends what a transcript answered, whole or in any pieces, to the end or not.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::support::read_request;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::sleep;

/// The header of a request that says which answer it is to get: its number.
pub const NUMBER: &str = "x-replay";
/// Bytes of a piece where an answer comes slowly.
const SLOW_BYTES: usize = 60;
/// Between two pieces.
const PAUSE: Duration = Duration::from_millis(1);
/// Before a connection is reset: what was not read until then is lost.
const BEFORE_RESET: Duration = Duration::from_millis(10);

/// An answer, and the way it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status line and headers, but for what the framing needs; each line with its end.
    pub head: Arc<str>,
    /// All of the body.
    pub body: Bytes,
    pub framed: Framed,
    pub pace: Pace,
    pub end: End,
}

/// How the body's end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed {
    Chunked,
    Length,
    /// By the end of the connection.
    Close,
}

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Whole,
    /// In two writes.
    SplitAt(usize),
    /// Each byte by itself, in a chunk of its own where it is chunked.
    Bytes,
    /// Each byte by itself, those of the head and of the framing too.
    EveryByte,
    /// With pauses.
    Slow,
}

/// How the answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Whole,
    /// After so many bytes of the body the connection is closed.
    Closed(usize),
    /// After so many bytes of the body the connection is reset.
    Reset(usize),
}

impl Answer {
    /// What of the body is sent.
    pub fn sent(&self) -> Bytes {
        match self.end {
            End::Whole => self.body.clone(),
            End::Closed(at) | End::Reset(at) => self.body.slice(..at),
        }
    }

    fn head(&self) -> String {
        let framing = match self.framed {
            Framed::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
            Framed::Length => format!("content-length: {}\r\n", self.body.len()),
            Framed::Close => "connection: close\r\n".to_owned(),
        };
        // An answer may be whole without the end that was meant to cut it: nothing more is asked on its connection.
        let close =
            if self.end != End::Whole && self.framed != Framed::Close { "connection: close\r\n" } else { "" };
        format!("{}{framing}{close}\r\n", self.head)
    }

    /// What is written: the head, then each piece.
    fn writes(&self) -> Vec<Vec<u8>> {
        let sent = self.sent();
        let pieces: Vec<&[u8]> = match self.pace {
            Pace::Whole | Pace::EveryByte => vec![&sent],
            Pace::SplitAt(at) => {
                let (first, second) = sent.split_at(at);
                vec![first, second]
            }
            Pace::Bytes => sent.chunks(1).collect(),
            Pace::Slow => sent.chunks(SLOW_BYTES).collect(),
        };
        let mut writes = vec![self.head().into_bytes()];
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            writes.push(match self.framed {
                Framed::Chunked => {
                    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, &b"\r\n"[..]].concat()
                }
                Framed::Length | Framed::Close => piece.to_vec(),
            });
        }
        if self.framed == Framed::Chunked && self.end == End::Whole {
            writes.push(b"0\r\n\r\n".to_vec());
        }
        match self.pace {
            Pace::EveryByte => writes.concat().chunks(1).map(<[u8]>::to_vec).collect(),
            _ => writes,
        }
    }

    /// Sends it; whether the connection goes on.
    async fn send(&self, stream: &mut TcpStream) -> std::io::Result<bool> {
        for bytes in self.writes() {
            stream.write_all(&bytes).await?;
            match self.pace {
                Pace::SplitAt(_) | Pace::Slow => sleep(PAUSE).await,
                Pace::Whole | Pace::Bytes | Pace::EveryByte => yield_now().await,
            }
        }
        if let End::Reset(_) = self.end {
            sleep(BEFORE_RESET).await;
            stream.set_zero_linger()?;
        }
        Ok(self.end == End::Whole && self.framed != Framed::Close)
    }
}

/// Serves; a request gets the answer that its number has.
pub async fn upstream(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                while let Some(number) = number(&read_request(&mut stream).await) {
                    if !matches!(answer(number).send(&mut stream).await, Ok(true)) {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn number(request: &str) -> Option<usize> {
    let line = request.lines().find_map(|line| line.strip_prefix(NUMBER)?.strip_prefix(": "))?;
    Some(line.parse().unwrap())
}
