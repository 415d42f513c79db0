//! Receipts: what they prove, and that nothing else proves it.
#![allow(clippy::unwrap_used, reason = "a failure fails the test")]

mod support;

use inferlog_merkle::{
    Checkpoint, CheckpointError, Hash, KeyKind, NoteError, PROOF_HASHES_MAX, RECEIPT_BYTES_MAX, Receipt,
    ReceiptError, VerifyError,
};
use proptest::prelude::*;
use support::{Naive, TestKey};

const ORIGIN: &str = "example.com/log";

fn receipt(naive: &Naive, index: usize, size: usize, extra: Option<Vec<u8>>) -> Receipt {
    let checkpoint = Checkpoint::new(ORIGIN, size as u64, naive.mth(0, size)).unwrap();
    let note = TestKey::new(ORIGIN, 1).note(&checkpoint.to_string());
    Receipt::new(index as u64, naive.path(index, 0, size), note, extra).unwrap()
}

#[test]
fn a_receipt_proves_its_entry_and_no_other() {
    let naive = Naive::of_size(300);
    let keys = [TestKey::new(ORIGIN, 1).vkey(KeyKind::Ed25519)];
    for (index, size) in [(0, 1), (0, 300), (137, 300), (299, 300)] {
        for extra in [None, Some(b"context".to_vec())] {
            let receipt = receipt(&naive, index, size, extra.clone());
            let text = receipt.to_string();
            let read = Receipt::parse(text.as_bytes()).unwrap();
            assert_eq!(read, receipt);
            assert_eq!((read.index(), read.extra()), (index as u64, extra.as_deref()));
            assert_eq!(read.proof(), naive.path(index, 0, size));
            let verified = read.verify(&naive.leaf(index), ORIGIN, &keys, &[]).unwrap();
            assert_eq!((verified.checkpoint, verified.log.len()), (read.checkpoint().clone(), 1));

            let other = naive.leaf((index + 1) % 300);
            let error = read.verify(&other, ORIGIN, &keys, &[]).unwrap_err();
            assert!(matches!(error, ReceiptError::Proof(VerifyError::Root { .. })));
        }
    }
    let read = receipt(&naive, 3, 300, None);
    let error = read.verify(&naive.leaf(3), "example.com/other", &keys, &[]).unwrap_err();
    assert!(matches!(error, ReceiptError::Checkpoint(CheckpointError::Origin { .. })));
    let stranger = [TestKey::new(ORIGIN, 2).vkey(KeyKind::Ed25519)];
    let error = read.verify(&naive.leaf(3), ORIGIN, &stranger, &[]).unwrap_err();
    assert!(matches!(error, ReceiptError::Checkpoint(CheckpointError::Note(NoteError::NoKnownKey { .. }))));
}

#[test]
fn every_flipped_bit_of_a_receipt_is_refused() {
    let naive = Naive::of_size(300);
    let keys = [TestKey::new(ORIGIN, 1).vkey(KeyKind::Ed25519)];
    let text = receipt(&naive, 137, 300, None).to_string();
    for bit in 0..text.len() * 8 {
        let mut flipped = text.clone().into_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verdict = Receipt::parse(&flipped).and_then(|r| r.verify(&naive.leaf(137), ORIGIN, &keys, &[]));
        assert!(verdict.is_err(), "bit {bit}");
    }
    for length in 0..text.len() {
        assert!(Receipt::parse(&text.as_bytes()[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn other_spellings_are_refused() {
    let naive = Naive::of_size(2);
    let good = receipt(&naive, 1, 2, Some(vec![1])).to_string();
    assert!(good.starts_with("c2sp.org/tlog-proof@v1\nextra AQ==\nindex 1\n"));
    assert!(Receipt::parse(good.as_bytes()).is_ok());
    let changes = [
        ("@v1", "@v2"),
        ("@v1\n", "@v1\r\n"),
        ("extra AQ==", "extra "),
        ("extra AQ==", "extra AR=="),
        ("extra AQ==", "extra AQ"),
        ("extra AQ==", "extra"),
        ("extra AQ==", "extra AQ==\nextra AQ=="),
        ("index 1", "index 01"),
        ("index 1", "index +1"),
        ("index 1", "index"),
        ("index 1", "index "),
        ("index 1\n", ""),
        ("index 1", "Index 1"),
        ("index 1", "index 18446744073709551616"),
        ("index 1\n", "index 1\nAAAA\n"),
        ("index 1\n", "index 1\n\n"),
        ("\n2\n", "\n02\n"),
        ("extra AQ==\nindex 1", "index 1\nextra AQ=="),
    ];
    for (from, to) in changes {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good);
        assert!(Receipt::parse(changed.as_bytes()).is_err(), "{from:?} to {to:?}");
    }
    let one = naive.leaf(0).to_base64();
    let many = |count| good.replacen(&format!("{one}\n"), &format!("{one}\n").repeat(count), 1);
    assert!(Receipt::parse(many(PROOF_HASHES_MAX).as_bytes()).is_ok());
    assert_eq!(Receipt::parse(many(PROOF_HASHES_MAX + 1).as_bytes()), Err(ReceiptError::TooManyHashes));
    let long = vec![b'x'; RECEIPT_BYTES_MAX + 1];
    assert_eq!(Receipt::parse(&long), Err(ReceiptError::TooLong { length: RECEIPT_BYTES_MAX + 1 }));

    let note = TestKey::new(ORIGIN, 1).note("not a checkpoint\n");
    let error = Receipt::new(0, Vec::new(), note.clone(), None).unwrap_err();
    assert!(matches!(error, ReceiptError::Checkpoint(CheckpointError::Lines)));
    assert_eq!(Receipt::new(0, Vec::new(), note.clone(), Some(Vec::new())), Err(ReceiptError::EmptyExtra));
    let hashes = vec![Hash([0; 32]); PROOF_HASHES_MAX + 1];
    assert_eq!(Receipt::new(0, hashes, note, None), Err(ReceiptError::TooManyHashes));
}

proptest! {
    #[test]
    fn any_bytes_are_a_receipt_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Receipt::parse(&bytes).is_err());
    }

    #[test]
    fn what_parses_prints_the_same(
        start in "(extra [A-D]{2,4}=?=?\n)?index [0-9]{1,3}\n([A-D]{43}=\n){0,2}\n?",
        size in "[0-9]{1,2}",
    ) {
        let root = Hash([0; 32]).to_base64();
        let text = format!("c2sp.org/tlog-proof@v1\n{start}\no\n{size}\n{root}\n\n\u{2014} k AAAAAAA=\n");
        if let Ok(receipt) = text.parse::<Receipt>() {
            prop_assert_eq!(receipt.to_string(), text);
        }
    }

    #[test]
    fn every_receipt_comes_back(
        index in any::<u64>(),
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..=PROOF_HASHES_MAX),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..50)),
    ) {
        let checkpoint = Checkpoint::new(ORIGIN, 5, Hash([3; 32])).unwrap();
        let note = TestKey::new(ORIGIN, 1).note(&checkpoint.to_string());
        let receipt = Receipt::new(index, proof.into_iter().map(Hash).collect(), note, extra).unwrap();
        prop_assert_eq!(Receipt::parse(receipt.to_string().as_bytes()), Ok(receipt));
    }
}
