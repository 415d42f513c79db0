//! Parsers of pages: everything comes back, and no bytes make them panic.

use inferlog_disk::SeededRng;
use inferlog_record::{Id, KeyId, Pseudonym, RetentionClass, SystemName};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::birth;
use super::header::{Header, Scope, Topic};
use super::plain::{self, DecisionPlain, LookupPlain, SubjectRef};
use super::record::{self, Record};
use crate::KeystoreId;
use crate::aead::Key;

const KEYSTORE: KeystoreId = KeystoreId([7; 16]);

fn header(topic: Topic) -> Header {
    Header { keystore: KEYSTORE, page: 0x0102_0304, generation: 5, topic }
}

fn topics() -> Vec<Topic> {
    let system = SystemName::new("credit").unwrap();
    let class = RetentionClass::new("ten-years").unwrap();
    let decisions = Topic::Decisions(Scope { system: system.clone(), class, day: 20_454 });
    vec![decisions, Topic::Subjects(system.clone()), Topic::Lookup(0xfe), Topic::Holds(system)]
}

fn subject(n: u8) -> SubjectRef {
    SubjectRef { pseudonym: Pseudonym::new([n; 16]), key: KeyId { page: 1 << 20, slot: n.into() } }
}

fn page(records: u16) -> (Vec<u8>, Key) {
    let (key, mut bytes) = (Key::new([3; 32]), Vec::new());
    for slot in 0..records {
        let at = KeyId { page: 9, slot };
        record::append_sealed(&mut bytes, &SeededRng::new(slot.into()), KEYSTORE, at, &key, &[1; 48])
            .unwrap();
    }
    (bytes, key)
}

#[test]
fn headers_come_back_and_every_flipped_bit_is_refused() {
    for topic in topics() {
        let (header, mut bytes) = (header(topic), Vec::new());
        header.encode(&mut bytes);
        assert_eq!(Header::parse(&bytes), Some((header, bytes.len())));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::parse(&bytes), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        (0..bytes.len()).for_each(|len| assert_eq!(Header::parse(&bytes[..len]), None));
    }
}

#[test]
fn births_come_back_in_order() {
    let (mut bytes, key) = (Vec::new(), Key::new([3; 32]));
    for (slot, topic) in topics().into_iter().enumerate() {
        let slot = slot as u16;
        birth::append(&mut bytes, &SeededRng::new(1), &header(topic), slot, &key, &[slot as u8; 20]).unwrap();
    }
    let births: Vec<_> = birth::parse(&bytes).map(Result::unwrap).collect();
    for (birth, (slot, topic)) in births.iter().zip(topics().into_iter().enumerate()) {
        assert_eq!((&birth.header, birth.record.slot), (&header(topic), slot as u16));
        let plain = birth.record.open(KEYSTORE, birth.header.page, &key).unwrap();
        assert_eq!(*plain, [slot as u8; 20]);
        // In no other place.
        assert!(birth.record.open(KEYSTORE, birth.header.page + 1, &key).is_none());
        assert!(Record { slot: 9, ..birth.record }.open(KEYSTORE, birth.header.page, &key).is_none());
        assert!(birth.record.open(KeystoreId([8; 16]), birth.header.page, &key).is_none());
    }
}

#[test]
fn plaintexts_come_back() {
    let decision = Id::new(1, &[2; 10]);
    for count in [0, 1, 255] {
        let subjects = (0..count).map(subject).collect();
        let plain = DecisionPlain { decision, subjects, wrapped: Zeroizing::new(vec![4; 60]) };
        assert_eq!(DecisionPlain::decode(&plain.encode().unwrap()), Some(plain));
    }
    let lookup = LookupPlain { digest: [5; 32], subject: subject(6) };
    assert_eq!(LookupPlain::decode(&lookup.encode()), Some(lookup));
    let keyed = plain::encode_keyed(&[1; 16], &Key::new([2; 32]));
    assert_eq!(plain::decode_keyed(&keyed), Some(([1; 16], Key::new([2; 32]))));
}

#[test]
fn what_does_not_open_is_left_out_and_the_rest_found() {
    let (bytes, key) = page(8);
    let len = bytes.len() / 8;
    let slots = |bytes: &[u8]| -> (Vec<u16>, bool) {
        let walk = record::authentic(bytes, KEYSTORE, 9, &key);
        (walk.records.iter().map(|record| record.slot).collect(), walk.whole)
    };
    assert_eq!(slots(&bytes), ((0..8).collect(), true));
    for at in 0..len {
        let mut damaged = bytes.clone();
        damaged[3 * len + at] ^= 0x40;
        assert_eq!(slots(&damaged), (vec![0, 1, 2, 4, 5, 6, 7], false), "byte {at} of the fourth");
    }
    assert_eq!(slots(&[&bytes[..len], &vec![0; 600], &bytes[len..]].concat()), ((0..8).collect(), false));
    assert_eq!(slots(&[&bytes[..], &bytes[..len]].concat()), ((0..8).collect(), false));
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..500), at in 0..300_usize) {
        let _ = Header::parse(&bytes);
        let _ = Record::split(&bytes);
        let _ = DecisionPlain::decode(&bytes);
        let _ = LookupPlain::decode(&bytes);
        let _ = plain::decode_keyed(&bytes);
        let _ = birth::parse(&bytes).count();
        let (mut page, key) = page(3);
        let at = at.min(page.len());
        page.splice(at..(at + bytes.len()).min(page.len()), bytes);
        let walk = record::authentic(&page, KEYSTORE, 9, &key);
        prop_assert!(walk.records.len() <= 3);
        let _ = record::walk(&page);
    }
}
