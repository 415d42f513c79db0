//! The frozen examples: requests and responses that were written once are read for ever.
//!
//! `UPDATE=1` writes those that are missing, with `openssl ts` as the authority. It never replaces one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

mod authority;

use std::fs;
use std::path::{Path, PathBuf};

use authority::{Authority, GOOD};
use inferlog_timestamp::{Roots, TimestampError, inspect, request, verify};

const NONCE: u64 = 0xfedc_ba98_7654_3210;
const NAMES: [&str; 2] = ["rsa", "ecdsa"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/timestamp")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}; UPDATE=1 writes it"))
}

fn write_missing() {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(!path.exists(), "{name} is frozen");
        fs::write(path, bytes).unwrap();
    };
    if folder().join("good").exists() {
        return;
    }
    let checkpoint =
        "fixtures.inferlog.example/timestamp\n300\n/v8nB//vI5QJ8wIlFLyxUsFgHzBuCBIAzUWqNGkUyNs=\n";
    write("good/checkpoint-text", checkpoint.as_bytes());
    let asked = request(checkpoint.as_bytes(), NONCE, Some("1.2.3.4.1")).unwrap();
    write("good/request.tsq", &asked);
    let authority = Authority::new();
    write("good/roots.pem", &authority.root());
    write("corrupt/roots.pem", &Authority::new().root());
    authority.certify("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048", GOOD);
    authority.certify("ecdsa", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", GOOD);
    let options = ["", "ess_cert_id_alg = sha256"];
    for (name, options) in NAMES.iter().zip(options) {
        write(&format!("good/{name}.tsr"), &authority.answer(name, &asked, options));
    }
    let mut changed = read("good/rsa.tsr");
    *changed.last_mut().unwrap() ^= 1;
    write("corrupt/signature.tsr", &changed);
    let cut = read("good/ecdsa.tsr");
    write("corrupt/cut.tsr", &cut[..cut.len() - 1]);
    let other = request(b"another message", NONCE, None).unwrap();
    write("corrupt/imprint.tsr", &authority.answer("ecdsa", &other, ""));
    let refused = request(checkpoint.as_bytes(), NONCE, Some("1.2.3.4.9")).unwrap();
    write("corrupt/refused.tsr", &authority.answer("ecdsa", &refused, ""));
    let (from, to) = ("20200101000000Z", "20210101000000Z");
    authority.certify_at("old", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", GOOD, from, to);
    write("corrupt/expired.tsr", &authority.answer("old", &asked, ""));
}

#[test]
fn what_was_frozen_is_read_and_written() {
    if std::env::var_os("UPDATE").is_some() {
        write_missing();
    }
    let message = read("good/checkpoint-text");
    assert_eq!(request(&message, NONCE, Some("1.2.3.4.1")).unwrap(), read("good/request.tsq"));
    let roots = Roots::from_pem(&read("good/roots.pem")).unwrap();
    for name in NAMES {
        let response = read(&format!("good/{name}.tsr"));
        let stamp = verify(&response, &message, Some(NONCE), &roots).unwrap();
        assert_eq!(stamp.authority, format!("CN={name},O=Tests"));
        assert_eq!(stamp.policy, "1.2.3.4.1");
        assert!(stamp.time.starts_with("2026-11-22T"), "{}", stamp.time);
    }
}

#[test]
fn what_was_corrupted_is_refused_for_its_reason() {
    let message = read("good/checkpoint-text");
    let roots = Roots::from_pem(&read("good/roots.pem")).unwrap();
    let refused = |name: &str| verify(&read(name), &message, Some(NONCE), &roots).unwrap_err();
    assert_eq!(refused("corrupt/signature.tsr"), TimestampError::Signature);
    assert_eq!(refused("corrupt/cut.tsr"), TimestampError::Malformed("the response"));
    assert_eq!(refused("corrupt/imprint.tsr"), TimestampError::Imprint);
    assert!(matches!(refused("corrupt/refused.tsr"), TimestampError::Refused(_)));
    assert!(matches!(refused("corrupt/expired.tsr"), TimestampError::Expired(_)));
    let others = Roots::from_pem(&read("corrupt/roots.pem")).unwrap();
    let error = verify(&read("good/rsa.tsr"), &message, Some(NONCE), &others).unwrap_err();
    assert!(matches!(error, TimestampError::Untrusted(_)), "{error:?}");
    inspect(&read("good/rsa.tsr"), &message).unwrap();
    Roots::from_pem(b"no certificate").unwrap_err();
    Roots::from_pem(&message).unwrap_err();
}
