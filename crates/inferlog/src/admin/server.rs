//! The serving side of `admin.sock`.

use std::io;
use std::path::Path;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::task::JoinHandle;

use super::act::{Act, act_following};
use super::socket::AdminSocket;
use crate::current::Current;
use crate::http_server::{Body, json_response, serve};
use crate::output::Failure;

/// Longest request, bytes: an object of the registry, every byte of it escaped (`\u0000`), and more.
const REQUEST_BYTES_MAX: usize = 32 << 20;

/// Serves a data directory's `admin.sock` until dropped.
pub(crate) struct AdminServer {
    task: JoinHandle<()>,
    _socket: AdminSocket,
}

impl AdminServer {
    /// Begins to serve. The caller holds the directory's lock, through `current`.
    pub(crate) fn start(data: &Path, current: impl Into<Current>) -> io::Result<Self> {
        let current = current.into();
        let (socket, listener) = AdminSocket::bind(data)?;
        let task = tokio::spawn(serve(listener, move |request| answer(current.clone(), request)));
        Ok(Self { task, _socket: socket })
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(current: Current, request: Request<Incoming>) -> Response<Body> {
    if (request.method(), request.uri().path()) != (&Method::POST, super::PATH) {
        return refuse(StatusCode::NOT_FOUND, "not a path of admin.sock: is the command of another version?");
    }
    // In a task of its own: a client that leaves does not stop half of an erasure.
    let done = tokio::spawn(async move {
        let body = Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Failure::new(error.to_string()))?.to_bytes();
        let asked: Act = serde_json::from_slice(&body)?;
        match asked {
            // One for each payload of an export, whose beginning was told.
            Act::Opening { .. } => {
                tracing::debug!(act = asked.name(), "an opening is asked for through admin.sock")
            }
            _ => tracing::info!(act = asked.name(), "a command came through admin.sock"),
        }
        act_following(&*current.get().await, current.followers(), asked).await
    });
    match done.await {
        Ok(Ok(value)) => json_response(StatusCode::OK, &value),
        Ok(Err(failure)) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &failure.to_string()),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refuse(status: StatusCode, error: &str) -> Response<Body> {
    json_response(status, &json!({ "error": error }))
}
