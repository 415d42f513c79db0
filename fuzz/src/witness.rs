//! What logs ask of a witness, what it remembers, and policies.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use ed25519_dalek::{Signer, SigningKey};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{ManualClock, create_dir_all};
use inferlog_merkle::{KeyKind, Policy, VerifierKey};
use inferlog_witness::{Cosign, Fork, Reply, Request, Witness, add_log};

const GOOD_LOG: &str = include_str!("../../fixtures/v1/witness/good/log");
const GOOD_NEWEST: &str = include_str!("../../fixtures/v1/witness/good/newest");
const GOOD_FORK: &[u8] = include_bytes!("../../fixtures/v1/witness/good/fork.json");
/// What it is asked first: to cosign the checkpoint that the frozen fork contradicts.
const FIRST: &[u8] = include_bytes!("../seeds/witness_requests/first");
const STATE: &str = "/state";

#[derive(Debug)]
struct FixedKey(SigningKey, VerifierKey);

impl Cosign for FixedKey {
    fn key(&self) -> &VerifierKey {
        &self.1
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

static LOG: LazyLock<VerifierKey> = LazyLock::new(|| GOOD_LOG.lines().nth(2).unwrap().parse().unwrap());

/// A witness that knows the frozen log. What it cosigned in one run it remembers in the next.
static WITNESS: LazyLock<Witness> = LazyLock::new(|| {
    let fs = Arc::new(SimFs::new(0));
    create_dir_all(&*fs, Path::new(STATE)).unwrap();
    add_log(&*fs, Path::new(STATE), LOG.name(), std::slice::from_ref(&*LOG)).unwrap();
    let key = SigningKey::from_bytes(&[9; 32]);
    let public = key.verifying_key().to_bytes();
    let public = VerifierKey::new("witness.example/w1", KeyKind::Cosignature, &public).unwrap();
    let clock = Arc::new(ManualClock::new(1_795_305_600_000_000_000));
    let witness = Witness::open(fs, clock, STATE.into(), Arc::new(FixedKey(key, public))).unwrap();
    assert_eq!(witness.add_checkpoint(FIRST).status(), 200);
    witness
});

/// A request, and the answers to it. What is cosigned was signed by the log, and is no fork of what was cosigned before.
pub fn witness_requests(data: &[u8]) {
    let parsed = Request::parse(data);
    if let Ok(request) = &parsed {
        assert_eq!(request.to_string().as_bytes(), data, "a request is written as it was read");
    }
    let answer = WITNESS.add_checkpoint(data);
    assert!(parsed.is_ok() || [400, 403, 404].contains(&answer.status()), "{answer:?}");
    assert!(answer.body().ends_with('\n') && answer.status() != 500);
    if answer.status() == 200 {
        let note = parsed.unwrap().note;
        assert!(
            GOOD_NEWEST.starts_with(&format!("{}\n", note.text())),
            "a text that was never signed, or a fork"
        );
        let reply = Reply::read(200, answer.body().as_bytes(), &note, WITNESS.key());
        assert!(matches!(reply, Reply::Cosigned { .. }));
    }
    if let Some(fork) = answer.fork() {
        fork.verify(std::slice::from_ref(&*LOG)).unwrap();
    }
    // What a witness may answer, and what it may have kept.
    for status in [200, 409, 422] {
        let note = inferlog_merkle::SignedNote::parse(GOOD_NEWEST.as_bytes()).unwrap();
        _ = Reply::read(status, data, &note, WITNESS.key());
    }
    if let Ok(fork) = Fork::parse(data)
        && fork.verify(std::slice::from_ref(&*LOG)).is_ok()
    {
        let good = Fork::parse(GOOD_FORK).unwrap();
        let text = |note: &str| note.split("\n\n").next().map(str::to_owned);
        let known = [text(&good.newest), text(&good.refused)];
        assert!(known.contains(&text(&fork.newest)) && known.contains(&text(&fork.refused)));
    }
}

/// A policy: one that is read is printed as one that says the same.
pub fn policies(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(policy) = text.parse::<Policy>() {
        let printed = policy.to_string();
        assert_eq!(printed.parse(), Ok(policy.clone()), "{printed}");
        assert_eq!(policy.satisfied(&[]), policy.quorum() == "none");
    }
}
