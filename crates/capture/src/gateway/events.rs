//! `POST /v1/events`: the application's half ([`crate::api`]), over the gateway's listener.

use crate::api::{self, ApiError, BATCH_BYTES_MAX, Denied, How};
use crate::body::{End, read};
use crate::gateway::delivery::Reply;
use crate::gateway::{Inner, answer};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use inferlog_record::MediaType;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The path.
pub(crate) const PATH: &str = "/v1/events";
/// How long a client may take to send a batch.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

impl Inner {
    /// Attaches what the request brings, or says why not.
    pub(crate) async fn events(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<Reply> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            let refused =
                answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "POST events here");
            return with(refused, ALLOW, "POST");
        }
        if let Err(denied) = self.config.api.check(peer, &head.headers) {
            return deny(denied);
        }
        let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        // A page in a browser may send other types without asking.
        if media_type.map(MediaType::from_header) != Some(MediaType::Json) {
            let what = "send JSON, with `content-type: application/json`";
            return answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", what);
        }
        let read = read(body, BATCH_BYTES_MAX, Instant::now() + BODY_TIME_MAX).await;
        match read.end {
            End::Complete => {}
            End::OverLimit { .. } => {
                return refuse(&ApiError::too_large(format!("send at most {BATCH_BYTES_MAX} bytes at once")));
            }
            End::TimedOut | End::Aborted => {
                return answer::error(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not come whole");
            }
        }
        let (recorder, how) = (self.recorder(), How::new("events-api", &self.config.routes));
        // In a task of its own: what a client that leaves has begun is noted as done.
        let attaching = async move { api::attach(&recorder, read.bytes, &how).await };
        let attached = self.tasks.spawn_on(attaching, &self.runtime).await;
        match attached {
            Ok(Ok(attached)) => match serde_json::to_string(&attached) {
                Ok(text) => with(Response::new(Reply::whole(text)), CONTENT_TYPE, "application/json"),
                Err(error) => {
                    answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string())
                }
            },
            Ok(Err(error)) => refuse(&error),
            Err(error) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
        }
    }
}

fn refuse(error: &ApiError) -> Response<Reply> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let refused = answer::error(status, error.code, &error.message);
    if status == StatusCode::SERVICE_UNAVAILABLE { with(refused, RETRY_AFTER, "5") } else { refused }
}

fn deny(denied: Denied) -> Response<Reply> {
    match denied {
        Denied::Unauthorized => {
            let what = "send `authorization: Bearer TOKEN` with the token that `[api]` in the gateway's configuration names";
            with(answer::error(StatusCode::UNAUTHORIZED, "unauthorized", what), WWW_AUTHENTICATE, "Bearer")
        }
        Denied::Forbidden => {
            let what = "events are taken from programs on the gateway's own machine, unless `[api] token_env = \"NAME\"` (or \
                        `token_file`) in its configuration names a token";
            answer::error(StatusCode::FORBIDDEN, "forbidden", what)
        }
    }
}

fn with(mut answer: Response<Reply>, name: HeaderName, value: &'static str) -> Response<Reply> {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_route_may_claim_the_path() {
        assert!(crate::config::RESERVED_PATHS.contains(&super::PATH));
    }
}
