//! What other witnesses published of the protocol, replayed (fixtures/v1/witness/transcripts.toml).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "reads the frozen file itself")]

mod support;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_disk::{ManualClock, RealFs};
use inferlog_merkle::VerifierKey;
use inferlog_witness::{Cosign as _, Reply, Request, Witness, add_log};
use support::{NOW_NS, TestCosigner};
use tempfile::tempdir;
use toml::Value;

/// The key of the witness in transparency-dev/witness's tests: what they sign with ours is what ours signs.
const WITNESS_SEED: &str = "AaLa/dfyBhyo/m0Z7WCi98ENVZWtrP8pxgRNrx7tIWiA";

#[test]
fn published_transcripts_pass() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/v1/witness/transcripts.toml");
    let file: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    let mut exchanges = 0;
    for transcript in file["transcript"].as_array().unwrap() {
        exchanges += replay(transcript);
    }
    assert!(exchanges >= 23, "only {exchanges} exchanges");
}

fn replay(transcript: &Value) -> usize {
    let source = transcript["source"].as_str().unwrap();
    let dir = tempdir().unwrap();
    for log in transcript["logs"].as_array().unwrap() {
        let key: VerifierKey = log["key"].as_str().unwrap().parse().unwrap();
        add_log(&RealFs, dir.path(), log["origin"].as_str().unwrap(), &[key]).unwrap();
    }
    let seed = STANDARD.decode(WITNESS_SEED).unwrap();
    let cosigner = Arc::new(TestCosigner::of("witness", seed[1..].try_into().unwrap()));
    let key = cosigner.key().clone();
    let clock = Arc::new(ManualClock::new(NOW_NS));
    let witness = Witness::open(Arc::new(RealFs), clock, dir.path().to_owned(), cosigner).unwrap();
    let exchanges = transcript["exchange"].as_array().unwrap();
    for exchange in exchanges {
        let (what, request) = (exchange["what"].as_str().unwrap(), exchange["request"].as_str().unwrap());
        let answer = witness.add_checkpoint(request.as_bytes());
        let status = exchange["status"].as_integer().unwrap();
        assert_eq!(i64::from(answer.status()), status, "{source}: {what}: {answer:?}");
        if let Some(body) = exchange.get("body") {
            assert_eq!(Some(answer.body().as_str()), body.as_str(), "{source}: {what}");
        }
        if status == 200 {
            let note = Request::parse(request.as_bytes()).unwrap().note;
            let reply = Reply::read(200, answer.body().as_bytes(), &note, &key);
            assert!(matches!(reply, Reply::Cosigned { .. }), "{source}: {what}: {reply:?}");
        }
    }
    exchanges.len()
}
