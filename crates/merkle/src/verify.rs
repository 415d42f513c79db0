use crate::{EMPTY_ROOT, Hash, node_hash};

/// Hashes in the longest proof of a tree of 64-bit size.
pub const PROOF_HASHES_MAX: usize = 65;

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The tree has no such leaf.
    #[error("a tree of {size} entries has no entry {index}")]
    NoSuchLeaf {
        /// Index of the leaf.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The newer tree is smaller than the older.
    #[error("a tree of {old_size} entries does not grow into one of {new_size}")]
    Shrinks {
        /// Size of the older tree.
        old_size: u64,
        /// Size of the newer tree.
        new_size: u64,
    },
    /// The proof has too few or too many hashes for these sizes.
    #[error("the proof has the wrong number of hashes ({0})")]
    Length(usize),
    /// The proof leads to another root.
    #[error("the proof leads to the root {found} instead of {expected}")]
    Root {
        /// The root that was expected.
        expected: Hash,
        /// The root that the proof leads to.
        found: Hash,
    },
}

/// Checks that `leaf` is the hash of leaf `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    if index >= size {
        return Err(VerifyError::NoSuchLeaf { index, size });
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(VerifyError::Length(proof.len()));
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // The right edge rises without siblings up to where it is a right child. Here 0 < node, for 0 < last.
            (node, last) = (node >> node.trailing_zeros(), last >> node.trailing_zeros());
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 { Err(VerifyError::Length(proof.len())) } else { same_root(root, hash) }
}

/// Checks that the tree of `old_size` leaves with `old_root` is a prefix of that of `new_size` leaves with `new_root`
/// (RFC 9162 §2.1.4.2). The empty tree is a prefix of every tree, by an empty proof.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), VerifyError> {
    if old_size > new_size {
        return Err(VerifyError::Shrinks { old_size, new_size });
    }
    if old_size == new_size || old_size == 0 {
        let expected = if old_size == 0 { &EMPTY_ROOT } else { new_root };
        same_root(expected, *old_root)?;
        if new_size == 0 {
            same_root(&EMPTY_ROOT, *new_root)?;
        }
        return if proof.is_empty() { Ok(()) } else { Err(VerifyError::Length(proof.len())) };
    }
    let wrong_length = VerifyError::Length(proof.len());
    // An old tree that is perfect is itself the subtree to start from; the proof leaves its root out.
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(wrong_length)?
    };
    let up = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> up, (new_size - 1) >> up);
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            (node, last) = (node >> node.trailing_zeros(), last >> node.trailing_zeros());
        } else {
            new = node_hash(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(wrong_length);
    }
    same_root(old_root, old)?;
    same_root(new_root, new)
}

fn same_root(expected: &Hash, found: Hash) -> Result<(), VerifyError> {
    if *expected == found { Ok(()) } else { Err(VerifyError::Root { expected: *expected, found }) }
}
