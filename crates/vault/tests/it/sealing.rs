//! Sealing: what opens, and what must not.

use inferlog_disk::sim::SimFs;
use inferlog_record::{Digest, Encoding};
use inferlog_vault::{DataKey, DecisionKey, OpenError, SealContext, SealedPayload, open_payload, padme};
use proptest::prelude::*;

use crate::harness::{context, create, id, scope};

const LIMIT: usize = 1 << 22;

fn key() -> DecisionKey {
    create(&SimFs::new(0)).unwrap().decision_key(&scope(), id(1), &[]).unwrap()
}

fn open(key: &DataKey, context: &SealContext<'_>, sealed: &SealedPayload) -> Result<Vec<u8>, OpenError> {
    open_payload(key, context, &sealed.bytes, sealed.encoding, &sealed.commitment, LIMIT)
}

#[test]
fn content_of_every_size_comes_back() {
    let key = key();
    for len in [0, 1, 127, 128, 247, 248, 249, 1_000, 4_096, 65_536, 1_000_003] {
        let text: Vec<u8> = (0..len).map(|n: u32| b"abcdefgh"[n as usize % 7]).collect();
        let noise: Vec<u8> = (0..len).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
        for content in [text, noise] {
            let context = context(id(1), id(2));
            let sealed = key.seal(&context, &content).unwrap();
            assert_eq!(sealed.bytes.len() as u64, 12 + sealed.size + 16);
            assert_eq!(padme(sealed.size), sealed.size);
            assert!(sealed.size <= padme(8 + u64::from(len)));
            assert_eq!(open(&key.data_key(id(2)).unwrap(), &context, &sealed).unwrap(), content);
        }
    }
}

#[test]
fn text_is_compressed_and_short_content_is_not() {
    let key = key();
    let long = key.seal(&context(id(1), id(2)), &b"credit decision ".repeat(100)).unwrap();
    assert_eq!((long.encoding, long.size), (Encoding::Zstd, 256));
    let short = key.seal(&context(id(1), id(2)), b"no").unwrap();
    assert_eq!((short.encoding, short.size), (Encoding::Identity, 256));
}

#[test]
fn nothing_opens_in_another_place() {
    let key = key();
    let place = context(id(1), id(2));
    let sealed = key.seal(&place, b"the applicant is declined").unwrap();
    let data_key = key.data_key(id(2)).unwrap();
    let elsewhere = [
        SealContext { origin: "org/credit/1/20260101-00000000", ..place },
        SealContext { event: id(3), ..place },
        SealContext { role: "output.raw", ..place },
        SealContext { payload: id(3), ..place },
        // The same bytes in a row, divided elsewhere.
        SealContext { origin: &place.origin[..place.origin.len() - 1], role: "0input.raw", ..place },
    ];
    for context in elsewhere {
        assert_eq!(open(&data_key, &context, &sealed), Err(OpenError::Unsealed), "{context:?}");
    }
    let other = key.data_key(id(3)).unwrap();
    assert_eq!(open(&other, &place, &sealed), Err(OpenError::Unsealed));
    assert_eq!(open(&data_key, &place, &sealed).unwrap(), b"the applicant is declined");
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let key = key();
    let place = context(id(1), id(2));
    let sealed = key.seal(&place, b"the applicant is declined").unwrap();
    let data_key = key.data_key(id(2)).unwrap();
    for bit in 0..sealed.bytes.len() * 8 {
        let mut changed = sealed.clone();
        changed.bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&data_key, &place, &changed), Err(OpenError::Unsealed), "bit {bit}");
    }
    for bit in 0..256 {
        let mut changed = sealed.clone();
        changed.commitment.0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&data_key, &place, &changed), Err(OpenError::Commitment), "bit {bit}");
        let mut opening = *data_key.expose();
        opening[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&DataKey::from_bytes(opening), &place, &sealed), Err(OpenError::Unsealed));
    }
    for len in 0..sealed.bytes.len() {
        let mut cut = sealed.clone();
        cut.bytes.truncate(len);
        assert_eq!(open(&data_key, &place, &cut), Err(OpenError::Unsealed), "cut to {len}");
    }
}

/// AES-GCM-SIV alone does not commit to its key; the commitment does. Here the sealer cheats: it seals one content and commits
/// to another, or commits under another key.
#[test]
fn the_commitment_binds_key_and_content() {
    let key = key();
    let place = context(id(1), id(2));
    let sealed = key.seal(&place, b"approved").unwrap();
    let data_key = key.data_key(id(2)).unwrap();
    for commitment in [data_key.commitment(b"declined"), key.data_key(id(3)).unwrap().commitment(b"approved")]
    {
        let cheat = SealedPayload { commitment, ..sealed.clone() };
        assert_eq!(open(&data_key, &place, &cheat), Err(OpenError::Commitment));
    }
    assert_eq!(data_key.commitment(b"approved"), sealed.commitment);
}

#[test]
fn a_limit_and_a_false_encoding_are_refused() {
    let key = key();
    let place = context(id(1), id(2));
    let data_key = key.data_key(id(2)).unwrap();
    for content in [vec![b'x'; 100], vec![b'x'; 100_000]] {
        let sealed = key.seal(&place, &content).unwrap();
        let limit = content.len() - 1;
        let opened =
            open_payload(&data_key, &place, &sealed.bytes, sealed.encoding, &sealed.commitment, limit);
        assert_eq!(opened, Err(OpenError::TooLong { limit }));
        let false_encoding = match sealed.encoding {
            Encoding::Identity => Encoding::Zstd,
            Encoding::Zstd => Encoding::Identity,
        };
        let changed = SealedPayload { encoding: false_encoding, ..sealed };
        assert!(open(&data_key, &place, &changed).is_err());
    }
}

#[test]
fn a_payload_key_opens_its_payload_alone() {
    let key = key();
    let keys: std::collections::BTreeSet<_> =
        (0..100).map(|n| *key.data_key(id(n)).unwrap().expose()).collect();
    assert_eq!(keys.len(), 100);
    assert_eq!(format!("{:?}", key.data_key(id(1)).unwrap()), "DataKey(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_content_comes_back_and_any_bytes_are_survived(
        content in prop::collection::vec(any::<u8>(), 0..3_000),
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        commitment in any::<[u8; 32]>(),
    ) {
        let key = key();
        let place = context(id(1), id(2));
        let data_key = key.data_key(id(2)).unwrap();
        let sealed = key.seal(&place, &content).unwrap();
        prop_assert_eq!(open(&data_key, &place, &sealed).unwrap(), content);
        for encoding in [Encoding::Identity, Encoding::Zstd] {
            let opened = open_payload(&data_key, &place, &bytes, encoding, &Digest(commitment), LIMIT);
            prop_assert!(opened.is_err());
        }
    }
}
