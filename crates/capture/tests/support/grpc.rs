//! gRPC messages, framed.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::http2::{AnyBody, post, whole};
use bytes::Bytes;
use http::{HeaderMap, Request};
use std::io::Write;
use std::net::SocketAddr;

/// A `ModelInferRequest`: model `credit`, id `r-1`, parameter `t` true, an input `x` with typed contents.
pub const REQUEST: &[u8] =
    b"\x0a\x06credit\x1a\x03r-1\x22\x07\x0a\x01t\x12\x02\x08\x01\x2a\x13\x0a\x01x\x12\x05INT64\x1a\x01\x01\x2a\x04\x1a\x02\x01\x02";
/// A `ModelInferResponse`: model `credit`, version `3`, id `r-1`, an output `p` with typed contents.
pub const ANSWER: &[u8] =
    b"\x0a\x06credit\x12\x013\x1a\x03r-1\x2a\x12\x0a\x01p\x12\x05INT64\x1a\x01\x01\x2a\x03\x1a\x01\x01";

pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

pub fn gzipped(message: &[u8]) -> Bytes {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(message).unwrap();
    let mut framed = framed(&writer.finish().unwrap()).to_vec();
    framed[0] = 1;
    framed.into()
}

/// A request or answer with another id than `r-1`, of the same length.
pub fn with_id(message: &[u8], id: &str) -> Vec<u8> {
    let at = message.windows(3).position(|window| window == b"r-1").unwrap();
    let mut message = message.to_vec();
    message[at..at + 3].copy_from_slice(id.as_bytes());
    message
}

pub fn trailers(status: &str, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    if !message.is_empty() {
        trailers.insert("grpc-message", message.parse().unwrap());
    }
    trailers
}

pub fn call(address: SocketAddr, path: &str, body: Bytes) -> Request<AnyBody> {
    headed(post(address, path, whole(body)))
}

pub fn headed<B>(mut request: Request<B>) -> Request<B> {
    request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    request.headers_mut().insert("te", "trailers".parse().unwrap());
    request
}
