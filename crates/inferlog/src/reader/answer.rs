//! Answers: whole, or as a worker writes them.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use inferlog_index::query::{QueryError, QueryFault};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Body;
use crate::query::Worker;

/// How long a client may take for the next piece of an answer, before it counts as gone.
const CLIENT_TIME_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether a client is still there while a worker has nothing for it.
const CLIENT_LOOK_PERIOD: Duration = Duration::from_secs(2);
/// The longest answer, bytes.
pub(super) const ANSWER_BYTES_MAX: u64 = 1 << 30;
/// What the last line of an answer that breaks off has to leave.
const FLUSH_TIME: Duration = Duration::from_millis(100);
/// Bytes of an answer that are read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for a client.
const PIECES_MAX: usize = 4;

/// Whose verdict comes at the end of a stream.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// A statement's.
    Query,
    /// A command's.
    Command,
}

/// A refusal, or a failure, before anything was given out.
pub(super) fn refuse(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    whole(status, "application/json", json!({ "error": { "code": code, "message": message } }).to_string())
}

/// The answer where there is no index to be asked.
pub(super) fn no_index() -> Response<Body> {
    refuse(StatusCode::SERVICE_UNAVAILABLE, "no_index", "no index follows the log here (--index none)")
}

/// The answer to a statement that has none.
pub(super) fn failed(error: &QueryError) -> Response<Body> {
    whole(status(error.code), "application/json", json!({ "error": error }).to_string())
}

fn status(code: QueryFault) -> StatusCode {
    match code {
        QueryFault::BadSql | QueryFault::NotAllowed => StatusCode::BAD_REQUEST,
        QueryFault::Time | QueryFault::Memory | QueryFault::Disk | QueryFault::Output => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// An answer that is there as a whole.
pub(super) fn whole(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    headers(&mut response, media_type);
    response
}

fn headers(response: &mut Response<Body>, media_type: &'static str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// What a worker writes, as it comes. It is waited for until it has written something or ended: an answer that fails before
/// its first piece is a failure with a status of its own; one that fails later breaks off, after a line that says why, where
/// the answer is in lines of JSON. `turn` is held until the answer is over.
pub(super) async fn stream(
    mut worker: Worker,
    kind: Kind,
    media_type: &'static str,
    turn: OwnedSemaphorePermit,
) -> Response<Body> {
    let mut piece = vec![0; PIECE_BYTES];
    let read = match worker.read(&mut piece).await {
        Ok(0) => return at_once(worker, kind, media_type).await,
        Ok(read) => read,
        Err(error) => return failed(&error),
    };
    piece.truncate(read);
    let (sender, body) = Channel::new(PIECES_MAX);
    tokio::spawn(async move {
        let _turn = turn;
        pass_on(worker, kind, media_type, sender, piece.into()).await;
    });
    let mut response = Response::new(Either::Right(body));
    headers(&mut response, media_type);
    response
}

/// An answer of nothing, or why there is none.
async fn at_once(worker: Worker, kind: Kind, media_type: &'static str) -> Response<Body> {
    match verdict(worker, kind).await {
        Ok(()) => whole(StatusCode::OK, media_type, ""),
        Err(Failed::Query(error)) => failed(&error),
        Err(Failed::Command(Some(1), said)) => refuse(StatusCode::NOT_FOUND, "no_such_decision", &said),
        Err(Failed::Command(_, said)) => refuse(StatusCode::UNPROCESSABLE_ENTITY, "failed", &said),
    }
}

async fn pass_on(
    mut worker: Worker,
    kind: Kind,
    media_type: &'static str,
    mut sender: Sender<Bytes, io::Error>,
    first: Bytes,
) {
    let (mut piece, mut sent) = (first, 0);
    loop {
        sent += piece.len() as u64;
        // A client that is gone, or that rests too long, ends the worker.
        if !is_taken(&mut sender, piece).await {
            return;
        }
        if sent > ANSWER_BYTES_MAX {
            let what = format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20);
            let error =
                QueryError::new(QueryFault::Output, what).hint("ask for less, or on the command line");
            return break_off(sender, media_type, &json!({ "error": error })).await;
        }
        let mut next = vec![0; PIECE_BYTES];
        let read = loop {
            match timeout(CLIENT_LOOK_PERIOD, worker.read(&mut next)).await {
                Ok(read) => break read,
                // A piece of nothing is never sent; whether it could be tells whether anybody is there.
                Err(_) if is_taken(&mut sender, Bytes::new()).await => {}
                Err(_) => return,
            }
        };
        match read {
            Ok(0) => break,
            Ok(read) => next.truncate(read),
            Err(error) => return break_off(sender, media_type, &json!({ "error": error })).await,
        }
        piece = next.into();
    }
    match verdict(worker, kind).await {
        Ok(()) => {}
        Err(Failed::Query(error)) => break_off(sender, media_type, &json!({ "error": error })).await,
        Err(Failed::Command(_, message)) => {
            let error = json!({ "error": { "code": "failed", "message": message } });
            break_off(sender, media_type, &error).await;
        }
    }
}

/// Gives a piece to a client; false if it is gone, or rests too long.
async fn is_taken(sender: &mut Sender<Bytes, io::Error>, piece: Bytes) -> bool {
    matches!(timeout(CLIENT_TIME_MAX, sender.send_data(piece)).await, Ok(Ok(())))
}

/// Ends an answer so that nobody takes it for whole: the connection breaks off.
async fn break_off(mut sender: Sender<Bytes, io::Error>, media_type: &str, error: &serde_json::Value) {
    if media_type == super::query::NDJSON {
        let line = Bytes::from(format!("{error}\n"));
        drop(timeout(CLIENT_TIME_MAX, sender.send_data(line)).await);
        // What was sent is flushed while there is nothing more to send; an error throws it away.
        tokio::time::sleep(FLUSH_TIME).await;
    }
    sender.abort(io::Error::other("the answer is not whole"));
}

enum Failed {
    Query(QueryError),
    Command(Option<i32>, String),
}

async fn verdict(worker: Worker, kind: Kind) -> Result<(), Failed> {
    if kind == Kind::Query {
        return worker.end().await.map(drop).map_err(Failed::Query);
    }
    let (status, said) = worker.status().await.map_err(|error| Failed::Command(None, error.to_string()))?;
    match status.success() {
        true => Ok(()),
        false => {
            let said = said.trim().trim_start_matches("error: ").to_owned();
            Err(Failed::Command(status.code(), said))
        }
    }
}
