//! Bodies read within size and time, and freed of their codings within a size.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use inferlog_capture::body::{End, read};
use inferlog_capture::decode::{DecodeError, decode};
use proptest::prelude::*;
use std::io::Write;
use std::time::Duration;
use tokio::time::Instant;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// Sends chunks, then ends as told.
async fn sent(chunks: Vec<&'static str>, then: &'static str) -> impl hyper::body::Body<Data = Bytes> {
    let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(16);
    for chunk in chunks {
        sender.send_data(Bytes::from_static(chunk.as_bytes())).await.unwrap();
    }
    match then {
        "abort" => sender.abort(std::io::Error::other("gone")),
        "stall" => std::mem::forget(sender),
        _ => drop(sender),
    }
    body
}

#[tokio::test]
async fn bodies_end_as_they_end() {
    let cases = [
        (vec![], "end", End::Complete, ""),
        (vec!["abc"], "end", End::Complete, "abc"),
        (vec!["ab", "cd", "", "e"], "end", End::Complete, "abcde"),
        (vec!["", "ab", "cdef", "gh"], "end", End::Complete, "abcdefgh"),
        (vec!["abcdefgh", "i"], "end", End::OverLimit { bytes_min: 9 }, ""),
        (vec!["abcd", "efghijkl"], "stall", End::OverLimit { bytes_min: 12 }, ""),
        (vec!["ab", "cd"], "abort", End::Aborted, "abcd"),
        (vec!["ab", "cd"], "stall", End::TimedOut, "abcd"),
    ];
    for (chunks, then, end, bytes) in cases {
        let case = format!("{chunks:?} then {then}");
        let deadline = Instant::now() + Duration::from_millis(if then == "stall" { 50 } else { 5000 });
        let got = read(sent(chunks, then).await, 8, deadline).await;
        assert_eq!((got.end, &got.bytes[..]), (end, bytes.as_bytes()), "{case}");
    }
}

#[tokio::test]
async fn a_length_that_is_announced_too_long_is_not_waited_for() {
    let body = Full::new(Bytes::from_static(b"123456789"));
    assert_eq!(read(body, 8, soon()).await.end, End::OverLimit { bytes_min: 9 });
}

#[tokio::test]
async fn a_lone_chunk_is_not_copied() {
    let bytes = Bytes::from(vec![7; 4096]);
    let read = read(Full::new(bytes.clone()).boxed(), 4096, soon()).await;
    assert_eq!(read.bytes.as_ptr(), bytes.as_ptr());
}

fn coded(coding: &str, plain: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    match coding {
        "gzip" | "x-gzip" => {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), level);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "deflate" => {
            let mut out = flate2::write::ZlibEncoder::new(Vec::new(), level);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "raw deflate" => {
            let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
            out.write_all(plain).unwrap();
            out.finish().unwrap()
        }
        "zstd" => zstd::encode_all(plain, 3).unwrap(),
        other => panic!("{other}"),
    }
}

/// `{"outputs":[]}` as brotli's own tool compresses it: a stored meta-block.
const BROTLI: &[u8] = b"\x8b\x06\x80{\"outputs\":[]}\x03";

fn headers(codings: &[&str]) -> HeaderMap {
    codings.iter().map(|coding| (CONTENT_ENCODING, coding.parse().unwrap())).collect()
}

#[test]
fn every_coding_is_undone_also_on_top_of_another() {
    let plain = b"{\"outputs\":[]}".repeat(100);
    for coding in ["gzip", "x-gzip", "deflate", "zstd"] {
        let body = Bytes::from(coded(coding, &plain));
        assert_eq!(decode(&headers(&[coding]), &body, 1400).unwrap(), plain, "{coding}");
        assert_eq!(decode(&headers(&[&coding.to_uppercase()]), &body, 1400).unwrap(), plain, "{coding}");
    }
    let raw = Bytes::from(coded("raw deflate", &plain));
    assert_eq!(decode(&headers(&["deflate"]), &raw, 1400).unwrap(), plain);
    let twice = Bytes::from(coded("gzip", &coded("zstd", &plain)));
    for listed in [&["zstd, gzip"][..], &["zstd", "identity,gzip"], &["zstd,,gzip "]] {
        assert_eq!(decode(&headers(listed), &twice, 1400).unwrap(), plain, "{listed:?}");
    }
    let members = Bytes::from([coded("gzip", b"ab"), coded("gzip", b"cd")].concat());
    assert_eq!(decode(&headers(&["gzip"]), &members, 10).unwrap(), "abcd");
    assert_eq!(decode(&headers(&["br"]), &Bytes::from_static(BROTLI), 100).unwrap(), "{\"outputs\":[]}");
    let untouched = Bytes::from_static(b"xyz");
    assert_eq!(decode(&headers(&["identity"]), &untouched, 1).unwrap().as_ptr(), untouched.as_ptr());
}

#[test]
fn what_cannot_be_undone_says_why() {
    let gzip = Bytes::from(coded("gzip", &[0; 5000]));
    let short = Bytes::from(coded("gzip", b"{\"inputs\":[]}"));
    let cases = [
        (vec!["compress"], gzip.clone(), DecodeError::UnknownCoding),
        (vec!["gzip,gzip,gzip,gzip"], gzip.clone(), DecodeError::UnknownCoding),
        (vec!["gzip"], Bytes::from_static(b"{\"inputs\":[]}"), DecodeError::Corrupt),
        (vec!["zstd"], Bytes::from_static(b"{\"inputs\":[]}"), DecodeError::Corrupt),
        (vec!["br"], Bytes::from_static(b"\xff\xff\xff\xff"), DecodeError::Corrupt),
        (vec!["gzip"], short.slice(..short.len() - 9), DecodeError::Corrupt),
        (vec!["gzip"], gzip, DecodeError::OverLimit),
    ];
    for (codings, body, expected) in cases {
        assert_eq!(decode(&headers(&codings), &body, 1000), Err(expected), "{codings:?}");
    }
}

#[test]
fn a_bomb_costs_no_more_than_the_limit() {
    // A gigabyte of zeros in a megabyte; a zstd frame that asks for a window of 2 GiB.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        gzip.write_all(&zeros).unwrap();
    }
    let gzip = Bytes::from(gzip.finish().unwrap());
    assert_eq!(decode(&headers(&["gzip"]), &gzip, 1 << 20), Err(DecodeError::OverLimit));
    let frame = Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]);
    assert_eq!(decode(&headers(&["zstd"]), &frame, 1 << 20), Err(DecodeError::Corrupt));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..4, head in 0usize..12) {
        let coding = ["gzip", "deflate", "br", "zstd"][at];
        // Behind a sound beginning, too.
        let mut whole = if coding == "br" { BROTLI.to_vec() } else { coded(coding, b"sound beginning, sound beginning") };
        whole.truncate(head);
        whole.extend(&body);
        for body in [Bytes::from(body), Bytes::from(whole)] {
            if let Ok(decoded) = decode(&headers(&[coding]), &body, 1000) {
                prop_assert!(decoded.len() <= 1000);
            }
        }
    }
}
