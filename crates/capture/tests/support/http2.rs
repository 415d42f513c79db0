//! HTTP/2 clients and upstreams, in clear.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

pub type AnyBody = BoxBody<Bytes, Infallible>;
pub type Sender = http2::SendRequest<AnyBody>;

pub fn whole(bytes: impl Into<Bytes>) -> AnyBody {
    Full::new(bytes.into()).boxed()
}

/// A body with trailers after it.
pub fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> AnyBody {
    Full::new(bytes.into()).with_trailers(async move { Some(Ok(trailers)) }).boxed()
}

/// Serves HTTP/1.1 and HTTP/2 with this function.
pub async fn upstream<F, A>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<AnyBody>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// A connection of HTTP/2 alone, with a window of so many bytes for each answer.
pub async fn connect(address: SocketAddr, window: u32) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window).initial_connection_window_size(1 << 24);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

pub fn post(address: SocketAddr, path: &str, body: AnyBody) -> Request<AnyBody> {
    Request::post(format!("http://{address}{path}")).body(body).unwrap()
}

/// All of a body, and its trailers.
pub async fn read<B: Body<Data = Bytes>>(body: B) -> (Bytes, Option<HeaderMap>)
where
    B::Error: std::fmt::Debug,
{
    let all = body.collect().await.unwrap();
    let trailers = all.trailers().cloned();
    (all.to_bytes(), trailers)
}
