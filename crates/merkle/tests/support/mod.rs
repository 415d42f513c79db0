//! What the tests share: a tree by the words of RFC 6962, slow and plain, and keys that sign.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "every test file uses a part of it, and a failure here fails the test"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use ed25519_dalek::{Signer, SigningKey};
use inferlog_merkle::{
    EMPTY_ROOT, Hash, KeyKind, NoteSignature, SignedNote, TileLevel, TilePath, TileSource, VerifierKey,
    ed25519_signature_line, leaf_hash, node_hash,
};

/// The entry that the tests put at an index: of varying length, the empty one included.
pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index} ").into_bytes().repeat(usize::try_from(index % 7).unwrap())
}

/// A tree by the definitions of RFC 6962 §2.1: recursion over ranges of leaves, nothing else.
#[derive(Default)]
pub(crate) struct Naive {
    leaves: Vec<Hash>,
    known: RefCell<BTreeMap<(usize, usize), Hash>>,
}

impl Naive {
    pub(crate) fn of_size(size: u64) -> Self {
        Self { leaves: (0..size).map(|index| leaf_hash(&entry(index))).collect(), ..Self::default() }
    }

    pub(crate) fn leaf(&self, index: usize) -> Hash {
        self.leaves[index]
    }

    /// MTH(D[start:end]).
    pub(crate) fn mth(&self, start: usize, end: usize) -> Hash {
        match end - start {
            0 => EMPTY_ROOT,
            1 => self.leaves[start],
            n => {
                if let Some(hash) = self.known.borrow().get(&(start, end)) {
                    return *hash;
                }
                let k = start + largest_power_below(n);
                let hash = node_hash(&self.mth(start, k), &self.mth(k, end));
                self.known.borrow_mut().insert((start, end), hash);
                hash
            }
        }
    }

    /// PATH(m, D[start:end]), §2.1.1.
    pub(crate) fn path(&self, m: usize, start: usize, end: usize) -> Vec<Hash> {
        let n = end - start;
        if n == 1 {
            return Vec::new();
        }
        let k = largest_power_below(n);
        let (mut path, sibling) = if m < k {
            (self.path(m, start, start + k), self.mth(start + k, end))
        } else {
            (self.path(m - k, start + k, end), self.mth(start, start + k))
        };
        path.push(sibling);
        path
    }

    /// SUBPROOF(m, D[start:end], b), §2.1.2.
    pub(crate) fn subproof(&self, m: usize, start: usize, end: usize, b: bool) -> Vec<Hash> {
        let n = end - start;
        if m == n {
            return if b { Vec::new() } else { vec![self.mth(start, end)] };
        }
        let k = largest_power_below(n);
        let (mut proof, rest) = if m <= k {
            (self.subproof(m, start, start + k, b), self.mth(start + k, end))
        } else {
            (self.subproof(m - k, start + k, end, false), self.mth(start, start + k))
        };
        proof.push(rest);
        proof
    }

    /// A tile by the formula of c2sp.org/tlog-tiles, Merkle Tree.
    pub(crate) fn tile(&self, path: TilePath) -> Vec<u8> {
        let TileLevel::Hashes(level) = path.level() else { unreachable!("entries are not hashes") };
        let span = 256_usize.pow(u32::from(level));
        let first = usize::try_from(path.index()).unwrap() * 256;
        let nodes = first..first + usize::from(path.width());
        nodes.flat_map(|node| self.mth(node * span, (node + 1) * span).0).collect()
    }
}

fn largest_power_below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// Tiles in memory, those written and no others.
#[derive(Default)]
pub(crate) struct Tiles(pub(crate) BTreeMap<TilePath, Vec<u8>>);

impl TileSource for Tiles {
    type Error = io::Error;

    fn read_tile(&self, path: TilePath) -> io::Result<Vec<u8>> {
        let tile = self.0.get(&path).or_else(|| self.0.get(&path.full()));
        tile.cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, path.to_string()))
    }
}

/// A key that signs under a name.
pub(crate) struct TestKey {
    pub(crate) name: String,
    key: SigningKey,
}

impl TestKey {
    pub(crate) fn new(name: &str, seed: u8) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(&[seed; 32]) }
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    pub(crate) fn vkey(&self, kind: KeyKind) -> VerifierKey {
        VerifierKey::new(&self.name, kind, &self.public()).unwrap()
    }

    pub(crate) fn sign(&self, text: &str) -> NoteSignature {
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        ed25519_signature_line(&self.name, &self.public(), &signature).unwrap()
    }

    /// A cosignature by the words of c2sp.org/tlog-cosignature, Ed25519 signed message.
    pub(crate) fn cosign(&self, time: u64, text: &str) -> NoteSignature {
        let signature = self.key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes()).to_bytes();
        let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
        NoteSignature::new(&self.name, self.vkey(KeyKind::Cosignature).key_id(), bytes).unwrap()
    }

    pub(crate) fn note(&self, text: &str) -> SignedNote {
        let mut note = SignedNote::new(text.to_owned()).unwrap();
        note.push(self.sign(text)).unwrap();
        note
    }
}
