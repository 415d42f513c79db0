//! A witness over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use inferlog_witness::{Answer, REQUEST_BYTES_MAX, Witness};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{ServeArgs, state};
use crate::commands::serve::Signals;
use crate::http_server::{self, Body, text_response};
use crate::logging;
use crate::output::{Failure, Verdict};

/// How long a request's body may take; its head has half a minute.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

pub(super) fn run(args: &ServeArgs) -> Result<Verdict, Failure> {
    logging::init(args.log);
    tokio::runtime::Runtime::new()?.block_on(serve(args))
}

async fn serve(args: &ServeArgs) -> Result<Verdict, Failure> {
    let witness = Arc::new(state::open(&args.state.state)?);
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::new(format!("cannot listen on {}: {error}: give another --listen", args.listen))
    })?;
    let address = listener.local_addr()?;
    let prefix: Arc<str> = args.prefix.trim_matches('/').into();
    let mut stop = Signals::new()?;
    tracing::info!(vkey = %witness.key(), "cosigning at http://{address}/{prefix}");
    let answering = {
        let witness = witness.clone();
        move |request| {
            let (witness, prefix) = (witness.clone(), prefix.clone());
            async move { answer(witness, &prefix, request).await }
        }
    };
    tokio::select! {
        () = http_server::serve(listener, answering) => {}
        () = stop.next() => tracing::info!("stopped: what was cosigned is remembered"),
    }
    Ok(Verdict::Well)
}

async fn answer(witness: Arc<Witness>, prefix: &str, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if path == "/healthz" {
        return text_response(StatusCode::OK, "ok\n");
    }
    let below = path.trim_start_matches('/').strip_prefix(prefix).unwrap_or_default().trim_start_matches('/');
    match (request.method(), below) {
        (&Method::POST, "add-checkpoint") => add_checkpoint(witness, request.into_body()).await,
        (_, "add-checkpoint") => {
            let mut refused = text_response(StatusCode::METHOD_NOT_ALLOWED, "POST a checkpoint here\n");
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            refused
        }
        (&Method::GET, below) if below.ends_with("/checkpoint") => {
            let folder = below.trim_end_matches("/checkpoint").to_owned();
            checkpoint(witness, folder).await
        }
        _ => text_response(
            StatusCode::NOT_FOUND,
            "POST add-checkpoint, GET <origin hash>/checkpoint, GET /healthz\n",
        ),
    }
}

async fn add_checkpoint(witness: Arc<Witness>, body: Incoming) -> Response<Body> {
    let body = match timeout(BODY_TIME_MAX, Limited::new(body, REQUEST_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let what = format!("a request has {REQUEST_BYTES_MAX} bytes at most\n");
            return text_response(StatusCode::PAYLOAD_TOO_LARGE, &what);
        }
        Ok(Err(_)) => return text_response(StatusCode::BAD_REQUEST, "the body broke off\n"),
        Err(_) => return text_response(StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
    };
    // It waits for the disk. Once begun it ends, though the client goes away.
    let answered = tokio::task::spawn_blocking(move || witness.add_checkpoint(&body)).await;
    let answer = answered.unwrap_or_else(|error| Answer::Failed(error.to_string()));
    tell(&answer);
    let mut response = Response::new(Full::new(Bytes::from(answer.body())));
    *response.status_mut() =
        StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type()));
    response
}

/// Logs what matters to the witness's operator. A request's text is shown only where a known log signed it.
fn tell(answer: &Answer) {
    match answer {
        Answer::Cosigned { origin, size, .. } => tracing::info!(origin, size, "cosigned"),
        Answer::Failed(why) => tracing::error!(why, "not cosigned: it could not be remembered"),
        other => tracing::info!(status = other.status(), "not cosigned"),
    }
    if let Some(fork) = answer.fork() {
        let (kind, newest, refused) = (format!("{:?}", fork.kind), &fork.newest, &fork.refused);
        match fork.is_proof() {
            true => {
                tracing::error!(kind, newest, refused, "PROOF OF A FORK; `inferlog witness forks` shows it")
            }
            false => tracing::warn!(kind, newest, refused, "a checkpoint came without a proof that holds"),
        }
    }
}

async fn checkpoint(witness: Arc<Witness>, folder: String) -> Response<Body> {
    match tokio::task::spawn_blocking(move || witness.checkpoint(&folder)).await {
        Ok(Ok(Some(newest))) => text_response(StatusCode::OK, &newest.note.to_string()),
        Ok(Ok(None)) => text_response(StatusCode::NOT_FOUND, "no checkpoint of this log was cosigned\n"),
        Ok(Err(error)) => {
            tracing::error!(%error, "a checkpoint cannot be read");
            text_response(StatusCode::INTERNAL_SERVER_ERROR, "the checkpoint cannot be read\n")
        }
        Err(_) => text_response(StatusCode::INTERNAL_SERVER_ERROR, "the checkpoint cannot be read\n"),
    }
}
