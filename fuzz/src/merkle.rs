//! What other parties may hand over: notes, checkpoints, receipts, proofs, tiles.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use std::convert::Infallible;
use std::sync::LazyLock;

use inferlog_merkle::{
    Checkpoint, Hash, Receipt, SignedNote, TileLevel, TilePath, TileSource, TreeEdge, VerifierKey,
    check_bundle, consistency_proof, encode_entry, entries, full_tile_root, inclusion_proof, leaf_hash, root,
    verify_checkpoint, verify_consistency, verify_inclusion,
};

const GOOD_NOTE: &[u8] = include_bytes!("../../fixtures/v1/merkle/good/note");
const GOOD_CHECKPOINT: &[u8] = include_bytes!("../../fixtures/v1/merkle/good/checkpoint");
const GOOD_RECEIPT: &[u8] = include_bytes!("../../fixtures/v1/merkle/good/receipt.tlog-proof");
const ORIGIN: &str = "fixtures.inferlog.example/merkle";
const RECEIPT_INDEX: usize = 137;
/// Entries of the tree whose proofs are tried.
const TREE_SIZE: u64 = 300;

static KEYS: LazyLock<Vec<VerifierKey>> = LazyLock::new(|| {
    let log = include_str!("../../fixtures/v1/merkle/good/log.vkey");
    let witness = include_str!("../../fixtures/v1/merkle/good/witness.vkey");
    vec![log.trim_end().parse().unwrap(), witness.trim_end().parse().unwrap()]
});

/// A signed note, a checkpoint, a verifier key. What is believed is what the key's owner signed.
pub fn notes(data: &[u8]) {
    if let Ok(note) = SignedNote::parse(data) {
        assert_eq!(note.to_string().as_bytes(), data, "a note is written as it was read");
        if let Ok(checkpoint) = note.text().parse::<Checkpoint>() {
            assert_eq!(checkpoint.to_string(), note.text());
        }
        if note.verify(&KEYS).is_ok() {
            let signed = [GOOD_NOTE, GOOD_CHECKPOINT].map(|good| SignedNote::parse(good).unwrap());
            assert!(signed.iter().any(|good| good.text() == note.text()), "a text that was never signed");
        }
        _ = verify_checkpoint(&note, ORIGIN, &KEYS[..1], &KEYS[1..]);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(vkey) = text.parse::<VerifierKey>() {
            assert_eq!(vkey.to_string(), text);
        }
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            assert_eq!(checkpoint.to_string(), text);
        }
    }
}

/// A receipt. One that is believed is of the entry that it was made for.
pub fn receipts(data: &[u8]) {
    let Ok(receipt) = Receipt::parse(data) else { return };
    assert_eq!(receipt.to_string().as_bytes(), data, "a receipt is written as it was read");
    let tile = include_bytes!("../../fixtures/v1/merkle/good/tile/0/000");
    let leaf = Hash(tile[RECEIPT_INDEX * 32..][..32].try_into().unwrap());
    if receipt.verify(&leaf, ORIGIN, &KEYS[..1], &[]).is_ok() {
        let good = Receipt::parse(GOOD_RECEIPT).unwrap();
        assert_eq!((receipt.index(), receipt.note().text()), (good.index(), good.note().text()));
        assert_eq!(receipt.proof(), good.proof());
    }
}

/// Leaves of a tree, which are the source of its tiles.
struct Leaves(Vec<Hash>);

impl TileSource for Leaves {
    type Error = Infallible;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, Infallible> {
        let first = path.index() as usize * 256;
        let bytes = |first: usize, width: usize| {
            self.0[first..first + width].iter().flat_map(|hash| hash.0).collect::<Vec<u8>>()
        };
        Ok(match path.level() {
            TileLevel::Hashes(0) => bytes(first, path.width().into()),
            _ => full_tile_root(&bytes(0, 256)).unwrap().0.to_vec(),
        })
    }
}

static TREE: LazyLock<Leaves> =
    LazyLock::new(|| Leaves((0..TREE_SIZE).map(|index| leaf_hash(&index.to_be_bytes())).collect()));

/// Two sizes or indices, then hashes: as a proof of anything, and as the changes to a right one.
pub fn proofs(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<16>() else { return };
    let number = |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().unwrap());
    let hashes: Vec<Hash> = rest.chunks_exact(32).map(|hash| Hash(hash.try_into().unwrap())).collect();
    if let [leaf, top, proof @ ..] = hashes.as_slice() {
        _ = verify_inclusion(leaf, number(0), number(8), proof, top);
        _ = verify_consistency(number(0), number(8), proof, leaf, top);
    }

    let size = 1 + number(8) % TREE_SIZE;
    let index = number(0) % size;
    let (leaf, top) = (TREE.0[index as usize], root(&*TREE, size).unwrap());
    let inclusion = inclusion_proof(&*TREE, index, size).unwrap();
    verify_inclusion(&leaf, index, size, &inclusion, &top).unwrap();
    let (old, old_root) = (index + 1, root(&*TREE, index + 1).unwrap());
    let consistency = consistency_proof(&*TREE, old, size).unwrap();
    verify_consistency(old, size, &consistency, &old_root, &top).unwrap();
    // Any other hash in any place, and any hash more or less, is refused.
    for (at, hash) in hashes.iter().enumerate().take(8) {
        for (proof, is_inclusion) in [(&inclusion, true), (&consistency, false)] {
            let mut changed = proof.clone();
            match changed.get_mut(at) {
                Some(place) if place == hash => continue,
                Some(place) => *place = *hash,
                None => changed.push(*hash),
            }
            let believed = match is_inclusion {
                true => verify_inclusion(&leaf, index, size, &changed, &top).is_ok(),
                false => verify_consistency(old, size, &changed, &old_root, &top).is_ok(),
            };
            assert!(!believed, "a false proof is believed");
        }
    }
}

/// The path of a tile; a bundle and the tile that it belongs to; tiles of the right edge.
pub fn tiles(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(path) = text.parse::<TilePath>()
    {
        assert_eq!(path.to_string(), text);
        assert_eq!(path.full().to_string().parse(), Ok(path.full()));
        assert_eq!((path.full().index(), path.full().is_full()), (path.index(), true));
        assert_eq!(path.bundle().to_string().parse(), Ok(path.bundle()));
    }
    let all: Result<Vec<&[u8]>, _> = entries(data).collect();
    if let Ok(all) = all {
        let mut again = Vec::new();
        all.iter().for_each(|entry| encode_entry(&mut again, entry).unwrap());
        assert_eq!(again, data);
        let tile: Vec<u8> = all.iter().flat_map(|entry| leaf_hash(entry).0).collect();
        assert_eq!(check_bundle(data, &tile).is_ok(), (1..=256).contains(&all.len()));
    }
    _ = check_bundle(data, data);
    _ = full_tile_root(data);
    let claimed = Hash(*data.first_chunk().unwrap_or(&[0; 32]));
    let size = data.len() as u64 * 7;
    if let Ok(edge) = TreeEdge::load(&Fixed(data), size, claimed) {
        assert_eq!((edge.size(), edge.root()), (size, claimed));
    }
}

/// Gives the same bytes for every tile, as many as are asked for.
struct Fixed<'a>(&'a [u8]);

impl TileSource for Fixed<'_> {
    type Error = Infallible;

    fn read_tile(&self, path: TilePath) -> Result<Vec<u8>, Infallible> {
        Ok(self.0.iter().copied().cycle().take(usize::from(path.width()) * 32).collect())
    }
}
