//! What the tests share: logs that grow and fork, a witness's key, and a witness on any file system.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};
use inferlog_disk::{Fs, ManualClock, RealFs};
use inferlog_merkle::{
    Checkpoint, Hash, KeyKind, SignedNote, TileLevel, TilePath, TileSource, VerifierKey, consistency_proof,
    ed25519_signature_line, full_tile_root, leaf_hash, root,
};
use inferlog_witness::{Cosign, Request, Witness, add_log};

/// Where a witness of a test keeps its memory on a simulated file system.
pub const STATE: &str = "/state";
/// 2026-11-22T00:00:00Z.
pub const NOW_NS: u64 = 1_795_305_600_000_000_000;

/// A log: its leaves, and the key it signs with.
#[derive(Clone)]
pub struct TestLog {
    pub origin: String,
    key: SigningKey,
    leaves: Vec<Hash>,
}

impl TestLog {
    pub fn new(origin: &str, seed: u8) -> Self {
        Self { origin: origin.to_owned(), key: SigningKey::from_bytes(&[seed; 32]), leaves: Vec::new() }
    }

    /// The log with this many leaves, the first of its kind.
    pub fn of(size: u64) -> Self {
        let mut log = Self::new("example.org/log/0/20261122-00000000", 7);
        log.grow_to(size, "honest");
        log
    }

    /// Grows; logs that grow with another word fork.
    pub fn grow_to(&mut self, size: u64, word: &str) {
        for index in self.leaves.len() as u64..size {
            self.leaves.push(leaf_hash(format!("{word} {index}").as_bytes()));
        }
    }

    /// The same log as it was, to be grown otherwise.
    pub fn cut_to(&self, size: u64) -> Self {
        Self { leaves: self.leaves[..size as usize].to_vec(), ..self.clone() }
    }

    pub fn vkey(&self) -> VerifierKey {
        VerifierKey::new(&self.origin, KeyKind::Ed25519, &self.key.verifying_key().to_bytes()).unwrap()
    }

    pub fn root(&self, size: u64) -> Hash {
        root(self, size).unwrap()
    }

    pub fn sign(&self, text: String) -> SignedNote {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let public = self.key.verifying_key().to_bytes();
        let mut note = SignedNote::new(text).unwrap();
        note.push(ed25519_signature_line(&self.origin, &public, &signature).unwrap()).unwrap();
        note
    }

    pub fn checkpoint(&self, size: u64) -> SignedNote {
        self.sign(Checkpoint::new(&self.origin, size, self.root(size)).unwrap().to_string())
    }

    /// The request for this size, from that.
    pub fn request(&self, old: u64, size: u64) -> Request {
        let proof = consistency_proof(self, old, size).unwrap();
        Request::new(old, proof, self.checkpoint(size)).unwrap()
    }

    pub fn body(&self, old: u64, size: u64) -> Vec<u8> {
        self.request(old, size).to_string().into_bytes()
    }
}

impl TileSource for TestLog {
    type Error = Infallible;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, Infallible> {
        let bytes = |first: usize, width: usize| {
            self.leaves[first..first + width].iter().flat_map(|hash| hash.0).collect::<Vec<u8>>()
        };
        let (first, width) = (path.index() as usize * 256, usize::from(path.width()));
        Ok(match path.level() {
            TileLevel::Hashes(0) => bytes(first, width),
            // Test logs have at most 65,536 leaves: level 1 is the top.
            _ => (first..first + width)
                .flat_map(|tile| full_tile_root(&bytes(tile * 256, 256)).unwrap().0)
                .collect(),
        })
    }
}

/// Cosigns with a fixed key.
#[derive(Debug)]
pub struct TestCosigner {
    key: SigningKey,
    public: VerifierKey,
}

impl TestCosigner {
    pub fn new() -> Self {
        Self::of("witness.example/w1", [9; 32])
    }

    pub fn of(name: &str, seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        let public = VerifierKey::new(name, KeyKind::Cosignature, &key.verifying_key().to_bytes()).unwrap();
        Self { key, public }
    }
}

impl Cosign for TestCosigner {
    fn key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

pub fn key() -> VerifierKey {
    TestCosigner::new().public
}

/// A witness with these logs in a directory that exists.
pub fn witness_in(fs: Arc<dyn Fs>, dir: &Path, logs: &[&TestLog]) -> Witness {
    for log in logs {
        add_log(&*fs, dir, &log.origin, &[log.vkey()]).unwrap();
    }
    let clock = Arc::new(ManualClock::new(NOW_NS));
    Witness::open(fs, clock, dir.to_owned(), Arc::new(TestCosigner::new())).unwrap()
}

/// A witness on the real file system.
pub fn witness(dir: &Path, logs: &[&TestLog]) -> Witness {
    witness_in(Arc::new(RealFs), dir, logs)
}
