//! Both ends of a stream of gRPC calls, and a gateway between them.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::gateway::{Served, route, serve};
use crate::grpc::{framed, headed, trailers};
use crate::http2::{self, AnyBody, connect, post, upstream};
use crate::recording;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::{Frame, Incoming};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::timeout;

pub const STREAM: &str = "/inference.GRPCInferenceService/ModelStreamInfer";

/// A stream as its client sees it.
pub struct Open {
    pub to: Option<Sender<Bytes, Infallible>>,
    pub body: Incoming,
    _client: http2::Sender,
}

/// What the client gets next.
#[derive(Debug, PartialEq)]
pub enum Got {
    Message(Bytes),
    Trailers(String, String),
    Reset,
}

impl Open {
    /// Opens a stream with a first message.
    pub async fn new(served: &Served, first: &[u8]) -> Self {
        let mut client = connect(served.address, 1 << 20).await;
        let (mut to, body) = Channel::<Bytes, Infallible>::new(8);
        to.send_data(framed(first)).await.unwrap();
        let request = headed(post(served.address, STREAM, body.boxed()));
        let answer = client.send_request(request).await.unwrap();
        assert!(answer.headers().contains_key("inferlog-decision-id"), "{answer:?}");
        Self { to: Some(to), body: answer.into_body(), _client: client }
    }

    pub async fn ask(&mut self, message: &[u8]) {
        self.to.as_mut().unwrap().send_data(framed(message)).await.unwrap();
    }

    pub async fn next(&mut self) -> Got {
        loop {
            match timeout(Duration::from_secs(10), self.body.frame()).await.unwrap() {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => return Got::Message(bytes),
                    Err(frame) => {
                        let trailers = frame.into_trailers().unwrap();
                        let text = |name| {
                            let value: Option<&http::HeaderValue> = trailers.get(name);
                            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
                        };
                        return Got::Trailers(text("grpc-status"), text("grpc-message"));
                    }
                },
                Some(Err(_)) => return Got::Reset,
                None => panic!("the stream ended without trailers"),
            }
        }
    }
}

/// What a model does with its stream.
pub struct Model {
    pub body: Incoming,
    pub to: Sender<Bytes, Infallible>,
}

impl Model {
    pub async fn asked(&mut self) -> Option<Bytes> {
        loop {
            let frame = self.body.frame().await?.ok()?;
            // The end comes as an empty frame.
            if let Ok(bytes) = frame.into_data()
                && !bytes.is_empty()
            {
                return Some(bytes);
            }
        }
    }

    pub async fn answer(&mut self, message: &[u8]) {
        self.to.send_data(framed(message)).await.unwrap();
    }

    pub async fn end(mut self, status: &str, message: &str) {
        self.to.send(Frame::trailers(trailers(status, message))).await.unwrap();
    }
}

/// A gateway before a model that does this with every stream.
pub async fn before<F, A>(dir: &tempfile::TempDir, more: &str, act: F) -> Served
where
    F: Fn(Model) -> A + Send + Sync + Clone + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let upstream = upstream(move |request: Request<Incoming>| {
        let act = act.clone();
        async move {
            let (to, body) = Channel::<Bytes, Infallible>::new(1);
            tokio::spawn(act(Model { body: request.into_body(), to }));
            let mut answer: Response<AnyBody> = Response::new(body.boxed());
            answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            answer
        }
    });
    let keys = route(&format!("http://{}", upstream.await), &format!("wire = \"oip-grpc\"\n{more}"));
    serve(recording::open(dir.path()).await, &keys).await
}
