//! The plain reverse proxy: a request passed on, its answer passed back, nothing recorded.
//!
//! The gateway forwards requests that are no decisions so. It is also the baseline that the benchmark measures the gateway
//! against: the same server, the same client, the same headers, without the record.

use crate::headers;
use crate::route::Route;
use crate::upstream::{self, Client, UpstreamError};
use http::{Request, Response};
use http_body_util::{Either, Limited};
use hyper::body::Incoming;
use std::net::IpAddr;
use tokio::time::timeout;

/// Passes a request on and answers with what came back; both bodies are streamed, with the trailers at their ends.
pub async fn forward(
    client: &Client,
    route: &Route,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Incoming>, UpstreamError> {
    let (mut parts, body) = request.into_parts();
    let body = Either::Right(Either::Left(Limited::new(body, route.limits.request_bytes_max)));
    let request = upstream::request(route, &mut parts, peer, body)
        .ok_or_else(|| UpstreamError::Unreachable("the path makes no valid address there".into()))?;
    let answer = timeout(route.limits.answer_time_max, client.send(request)).await;
    let (mut parts, body) = answer.map_err(|_| UpstreamError::TimedOut)??.into_parts();
    headers::strip_hop_by_hop(&mut parts.headers);
    Ok(Response::from_parts(parts, body))
}
