//! The tree against its definition and against another implementation, for every size up to 300.
#![allow(clippy::unwrap_used, reason = "a failure fails the test")]

mod support;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use inferlog_merkle::{
    EMPTY_ROOT, HASH_BYTES, Hash, TREE_SIZE_MAX, TileLevel, TilePath, TreeEdge, TreeError, VerifyError,
    consistency_proof, inclusion_proof, leaf_hash, root, tiles_for_growth, verify_consistency,
    verify_inclusion,
};
use sha2::Sha256;
use support::{Naive, Tiles, entry};

const SIZE_MAX: u64 = 300;

fn hashes(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(HASH_BYTES).map(|hash| Hash::from_slice(hash).unwrap()).collect()
}

fn tiles_of(naive: &Naive, size: u64) -> Tiles {
    Tiles(tiles_for_growth(0, size).map(|path| (path, naive.tile(path))).collect())
}

/// Calls with every size, its tiles, the tree by definition, and the other implementation's tree.
fn for_every_size(check: impl Fn(usize, &Tiles, &Naive, &MemoryBackedTree<Sha256, Vec<u8>>)) {
    let naive = Naive::of_size(SIZE_MAX);
    let mut oracle = MemoryBackedTree::new();
    for size in 1..=SIZE_MAX {
        oracle.push(entry(size - 1));
        check(usize::try_from(size).unwrap(), &tiles_of(&naive, size), &naive, &oracle);
    }
}

#[test]
fn inclusion_proofs_match_the_definition_and_another_implementation() {
    assert_eq!(root(&Tiles::default(), 0).unwrap(), EMPTY_ROOT);
    assert!(inclusion_proof(&Tiles::default(), 0, 0).is_err());
    for_every_size(|n, tiles, naive, oracle| {
        let size = n as u64;
        let top = root(tiles, size).unwrap();
        assert_eq!(top, naive.mth(0, n), "root of {n}");
        assert_eq!(top.as_ref(), oracle.root().as_bytes().as_slice(), "root of {n}");
        for index in 0..n {
            let proof = inclusion_proof(tiles, index as u64, size).unwrap();
            assert_eq!(proof, naive.path(index, 0, n), "entry {index} of {n}");
            assert_eq!(proof, hashes(oracle.prove_inclusion(index).as_bytes()), "entry {index} of {n}");
            verify_inclusion(&naive.leaf(index), index as u64, size, &proof, &top).unwrap();
        }
    });
}

#[test]
fn consistency_proofs_match_the_definition_and_another_implementation() {
    assert_eq!(consistency_proof(&Tiles::default(), 0, 0).unwrap(), []);
    for_every_size(|n, tiles, naive, oracle| {
        let (size, top) = (n as u64, naive.mth(0, n));
        for old in 1..=n {
            let proof = consistency_proof(tiles, old as u64, size).unwrap();
            assert_eq!(proof, naive.subproof(old, 0, n, true), "{old} to {n}");
            if old < n {
                assert_eq!(proof, hashes(oracle.prove_consistency(n - old).as_bytes()), "{old} to {n}");
            }
            verify_consistency(old as u64, size, &proof, &naive.mth(0, old), &top).unwrap();
        }
        assert_eq!(consistency_proof(tiles, 0, size).unwrap(), []);
        verify_consistency(0, size, &[], &EMPTY_ROOT, &top).unwrap();
    });
}

#[test]
fn a_growing_edge_yields_the_tiles_and_roots_of_every_size_from_every_restart() {
    let naive = Naive::of_size(SIZE_MAX);
    let mut written = Tiles::default();
    let mut edge = TreeEdge::new();
    assert_eq!(edge.root(), EMPTY_ROOT);
    for size in 1..=SIZE_MAX {
        edge.push(naive.leaf(usize::try_from(size - 1).unwrap()));
        let mut grown: Vec<_> = edge.take_full().into_iter().map(|tile| (tile.path, tile.bytes)).collect();
        grown.extend(edge.partial(size - 1).map(|(path, bytes)| (path, bytes.to_vec())));
        grown.sort();
        let expected: Vec<_> =
            tiles_for_growth(size - 1, size).map(|path| (path, naive.tile(path))).collect();
        assert_eq!(grown, expected, "{size}");
        written.0.extend(grown);
        let top = naive.mth(0, usize::try_from(size).unwrap());
        assert_eq!((edge.size(), edge.root()), (size, top));
        assert_eq!(edge.partial(size).count(), 0);
        // Every other size goes on from the tiles alone.
        let loaded = TreeEdge::load(&written, size, top).unwrap();
        assert_eq!(loaded.root(), top);
        let partial = |edge: &TreeEdge| -> Vec<(TilePath, Vec<u8>)> {
            edge.partial(0).map(|(path, bytes)| (path, bytes.to_vec())).collect()
        };
        assert_eq!(partial(&loaded), partial(&edge));
        assert!(TreeEdge::tiles_needed(size).eq(edge.partial(0).map(|(path, _)| path)));
        if size % 2 == 0 {
            edge = loaded;
        }
    }
}

/// The definition is too slow here; the tree of 70,000 is checked by its own proofs, by its root from fresh hashing, and by
/// the Go verifier (interop_go.rs).
#[test]
fn a_tree_of_three_levels_holds_together() {
    const SIZE: u64 = 70_000;
    let (mut edge, mut tiles, mut roots) = (TreeEdge::new(), Tiles::default(), Vec::new());
    for index in 0..SIZE {
        edge.push(leaf_hash(&entry(index)));
        tiles.0.extend(edge.take_full().into_iter().map(|tile| (tile.path, tile.bytes)));
        roots.push(edge.root());
    }
    tiles.0.extend(edge.partial(0).map(|(path, bytes)| (path, bytes.to_vec())));
    // The example of c2sp.org/tlog-tiles, Partial Tiles.
    let names = |full| tiles.0.keys().filter(move |path| path.is_full() == full).map(ToString::to_string);
    assert_eq!(names(true).count(), 273 + 1);
    assert!(names(false).eq(["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]));
    assert!(tiles_for_growth(0, SIZE).eq(tiles.0.keys().copied()));
    let top = edge.root();
    assert_eq!(root(&tiles, SIZE).unwrap(), top);
    for index in [0, 1, 255, 256, 65_535, 65_536, 69_887, 69_888, SIZE - 1] {
        let proof = inclusion_proof(&tiles, index, SIZE).unwrap();
        verify_inclusion(&leaf_hash(&entry(index)), index, SIZE, &proof, &top).unwrap();
    }
    for old in [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 69_999, SIZE] {
        let proof = consistency_proof(&tiles, old, SIZE).unwrap();
        verify_consistency(old, SIZE, &proof, &roots[usize::try_from(old).unwrap() - 1], &top).unwrap();
    }
    // An older tree is read from the full tiles of the newer, where its partial ones are gone.
    for old in [1_u64, 255, 256, 65_535, 65_536] {
        assert_eq!(root(&tiles, old).ok(), Some(roots[usize::try_from(old).unwrap() - 1]), "{old}");
    }
}

#[test]
fn no_changed_proof_verifies() {
    let naive = Naive::of_size(SIZE_MAX);
    for size in [1, 2, 3, 7, 8, 13, 255, 256, 257, 300_usize] {
        let top = naive.mth(0, size);
        for index in [0, 1, size / 2, size - 1].into_iter().filter(|index| *index < size) {
            let proof = naive.path(index, 0, size);
            let leaf = naive.leaf(index);
            let check = |leaf: &Hash, index: usize, size: usize, proof: &[Hash], top: &Hash| {
                verify_inclusion(leaf, index as u64, size as u64, proof, top)
            };
            check(&leaf, index, size, &proof, &top).unwrap();
            each_change(&proof, |changed| assert!(check(&leaf, index, size, changed, &top).is_err()));
            each_flip(&leaf, |leaf| assert!(check(leaf, index, size, &proof, &top).is_err()));
            each_flip(&top, |top| assert!(check(&leaf, index, size, &proof, top).is_err()));
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(check(&leaf, other, size, &proof, &top).is_err(), "{index} as {other} of {size}");
            }
            assert!(check(&leaf, index, index, &proof, &top).is_err());
        }
        for old in [1, 2, size / 2, size - 1].into_iter().filter(|old| (1..size).contains(old)) {
            let proof = naive.subproof(old, 0, size, true);
            let before = naive.mth(0, old);
            let check = |old: usize, proof: &[Hash], before: &Hash, top: &Hash| {
                verify_consistency(old as u64, size as u64, proof, before, top)
            };
            check(old, &proof, &before, &top).unwrap();
            each_change(&proof, |changed| assert!(check(old, changed, &before, &top).is_err()));
            each_flip(&before, |before| assert!(check(old, &proof, before, &top).is_err()));
            each_flip(&top, |top| assert!(check(old, &proof, &before, top).is_err()));
            for other in (0..size + 2).filter(|other| *other != old) {
                assert!(check(other, &proof, &before, &top).is_err(), "{old} as {other} of {size}");
            }
        }
    }
}

fn each_flip(hash: &Hash, mut check: impl FnMut(&Hash)) {
    for bit in 0..HASH_BYTES * 8 {
        let mut flipped = *hash;
        flipped.0[bit / 8] ^= 1 << (bit % 8);
        check(&flipped);
    }
}

/// Every flipped bit, every hash left out, doubled, or exchanged with the next.
fn each_change(proof: &[Hash], check: impl Fn(&[Hash])) {
    for place in 0..proof.len() {
        each_flip(&proof[place], |flipped| {
            let mut changed = proof.to_vec();
            changed[place] = *flipped;
            check(&changed);
        });
        let mut changed = proof.to_vec();
        changed.remove(place);
        check(&changed);
        let mut changed = proof.to_vec();
        changed.insert(place, proof[place]);
        check(&changed);
        if place + 1 < proof.len() {
            let mut changed = proof.to_vec();
            changed.swap(place, place + 1);
            check(&changed);
        }
    }
    check(&[proof, &[EMPTY_ROOT]].concat());
}

#[test]
fn trivial_proofs_are_checked_too() {
    let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
    verify_consistency(0, 0, &[], &EMPTY_ROOT, &EMPTY_ROOT).unwrap();
    verify_consistency(5, 5, &[], &a, &a).unwrap();
    assert!(verify_consistency(0, 0, &[], &EMPTY_ROOT, &a).is_err());
    assert!(verify_consistency(0, 5, &[], &b, &a).is_err());
    assert!(verify_consistency(0, 5, &[a], &EMPTY_ROOT, &a).is_err());
    assert!(verify_consistency(5, 5, &[], &b, &a).is_err());
    assert!(verify_consistency(5, 5, &[a], &a, &a).is_err());
    assert_eq!(verify_consistency(6, 5, &[], &a, &a), Err(VerifyError::Shrinks { old_size: 6, new_size: 5 }));
    assert_eq!(verify_inclusion(&a, 0, 0, &[], &a), Err(VerifyError::NoSuchLeaf { index: 0, size: 0 }));
}

#[test]
fn sizes_at_the_end_of_64_bits_are_answered() {
    let hash = leaf_hash(b"a");
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
        for index in [0, 1, size / 2, size - 1] {
            for length in [0, 1, 62, 63, 64, 65, 66] {
                assert!(verify_inclusion(&hash, index, size, &vec![hash; length], &hash).is_err());
                assert!(verify_consistency(index, size, &vec![hash; length], &hash, &hash).is_err());
            }
            assert!(inclusion_proof(&Tiles::default(), index, size).is_err());
            assert!(index == 0 || consistency_proof(&Tiles::default(), index, size).is_err());
        }
        assert!(root(&Tiles::default(), size).is_err());
        assert!(TreeEdge::load(&Tiles::default(), size, hash).is_err());
    }
    let grown = tiles_for_growth((1 << 63) - 1, 1 << 63).last().unwrap();
    assert_eq!(grown.to_string(), "tile/7/000.p/128");
}

#[test]
fn damaged_tiles_and_impossible_questions_are_named() {
    let naive = Naive::of_size(SIZE_MAX);
    let (size, top) = (SIZE_MAX, naive.mth(0, 300));
    let mut tiles = tiles_of(&naive, size);
    let edge = TilePath::in_tree(TileLevel::Hashes(0), 1, size).unwrap();

    tiles.0.get_mut(&edge).unwrap()[0] ^= 1;
    let error = TreeEdge::load(&tiles, size, top).unwrap_err();
    assert!(matches!(error, TreeError::RootMismatch { size: SIZE_MAX, expected, .. } if expected == top));
    tiles.0.get_mut(&edge).unwrap().pop();
    let error = TreeEdge::load(&tiles, size, top).unwrap_err();
    assert_eq!(error.to_string(), "tile/0/001.p/44 holds 1407 bytes instead of 44 hashes");
    tiles.0.remove(&edge);
    assert_eq!(root(&tiles, size).unwrap_err().to_string(), "cannot read tile/0/001.p/44");

    let error = inclusion_proof(&tiles, 300, 300).unwrap_err();
    assert!(matches!(error, TreeError::NoSuchLeaf { index: 300, size: 300 }));
    let error = consistency_proof(&tiles, 301, 300).unwrap_err();
    assert!(matches!(error, TreeError::Shrinks { old_size: 301, new_size: 300 }));
    let error = TreeEdge::load(&tiles, TREE_SIZE_MAX + 1, top).unwrap_err();
    assert!(matches!(error, TreeError::TooLarge { .. }));
}
