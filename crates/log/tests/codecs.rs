//! Every binary structure of the log: what is encoded is read back, and no bytes whatever make a reader panic or believe
//! what was changed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

use std::collections::BTreeMap;

use inferlog_log::wal::format::{
    BATCH_HEADER_BYTES, BatchHeader, PAGE_BYTES, SegmentHeader, frame_bytes, frames, free_header,
    is_free_header, put_frame,
};
use inferlog_log::{Append, Flags, LogId, PackTail, PayloadRecord, Payloads, State, records};
use inferlog_merkle::Hash;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn payloads() -> impl Strategy<Value = Payloads> {
    vec((any::<[u8; 16]>(), vec(any::<u8>(), 0..200)), 0..4).prop_map(|list| {
        let mut payloads = Payloads::default();
        list.iter().for_each(|(id, sealed)| payloads.push(*id, sealed));
        payloads
    })
}

prop_compose! {
    fn append()(
        entry in vec(any::<u8>(), 1..400),
        decision: [u8; 16],
        logged_at_ns: u64,
        flags: u16,
        class in "[a-z0-9][a-z0-9-]{0,30}",
        payloads in payloads(),
        births in vec(any::<u8>(), 0..100),
    ) -> Append {
        Append { entry, decision, logged_at_ns, flags: Flags(flags), class, payloads, births }
    }
}

prop_compose! {
    fn state()(
        log: [u8; 16],
        size: u64,
        root: [u8; 32],
        open in btree_map(any::<[u8; 16]>(), any::<u64>(), 0..8),
        erasures in vec(any::<u64>(), 0..8),
        packs in vec(("[a-z0-9/-]{0,60}", any::<u64>(), any::<u64>()), 0..4),
    ) -> State {
        let tail = |(name, pack_bytes, index_bytes)| PackTail { name, pack_bytes, index_bytes };
        let packs = packs.into_iter().map(tail).collect();
        State { log: LogId(log), size, root: Hash(root), open: BTreeMap::from_iter(open), erasures, packs }
    }
}

/// A batch of these appends, of two logs, and its header.
fn batch(appends: &[Append], number: u64, incarnation: u64) -> (BatchHeader, Vec<u8>) {
    let mut body = Vec::new();
    for (index, append) in (7..).zip(appends) {
        put_frame(&mut body, append, LogId([index as u8 % 2; 16]), index, incarnation, number);
    }
    let header =
        BatchHeader { frames: appends.len() as u32, number, incarnation, body_bytes: body.len() as u64 };
    (header, body)
}

/// One bit of the bytes, changed.
fn flip(bytes: &mut [u8], at: prop::sample::Index, bit: u8) {
    bytes[at.index(bytes.len())] ^= 1 << bit;
}

proptest! {
    #[test]
    fn frames_read_back_and_believe_no_change(
        appends in vec(append(), 1..6), number: u64, incarnation: u64, at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let (header, mut body) = batch(&appends, number, incarnation);
        prop_assert_eq!(body.len(), appends.iter().map(frame_bytes).sum::<usize>());
        let read = frames(&header, &body).unwrap();
        prop_assert_eq!(read.len(), appends.len());
        for ((index, append), frame) in (7..).zip(&appends).zip(&read) {
            let again = Append {
                entry: frame.entry.to_vec(),
                decision: frame.decision,
                logged_at_ns: frame.logged_at_ns,
                flags: Flags(frame.flags),
                class: frame.class.to_owned(),
                births: frame.births.to_vec(),
                payloads: append.payloads.clone(),
            };
            prop_assert_eq!(&again, append);
            prop_assert_eq!(frame.payloads, append.payloads.bytes());
            prop_assert_eq!((frame.index, frame.log), (index, LogId([index as u8 % 2; 16])));
        }
        // The same bytes in another segment, under another number, or with a frame more or less, are stale.
        prop_assert_eq!(frames(&BatchHeader { incarnation: incarnation ^ 1, ..header }, &body), None);
        prop_assert_eq!(frames(&BatchHeader { number: number ^ 1, ..header }, &body), None);
        prop_assert_eq!(frames(&BatchHeader { frames: header.frames + 1, ..header }, &body), None);
        prop_assert_eq!(frames(&header, &body[..body.len() - 1]), None);
        flip(&mut body, at, bit);
        prop_assert_eq!(frames(&header, &body), None);
    }

    #[test]
    fn headers_read_back_and_believe_no_change(
        node: [u8; 16], incarnation: u64, number: u64, count: u32, body_bytes: u64, at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let segment = SegmentHeader { node, incarnation, first_batch: number };
        let mut page = segment.encode();
        prop_assert_eq!((SegmentHeader::decode(&page), page.len() as u64), (Some(segment), PAGE_BYTES));
        flip(&mut page[..44], at, bit);
        prop_assert_eq!(SegmentHeader::decode(&page), None);
        prop_assert!(!is_free_header(&page));

        let batch = BatchHeader { frames: count, number, incarnation, body_bytes };
        let mut bytes = batch.encode();
        prop_assert_eq!(BatchHeader::decode(&bytes), Some(batch));
        prop_assert!(batch.span().is_multiple_of(PAGE_BYTES) || batch.span() == u64::MAX);
        prop_assert!(batch.span() >= body_bytes || batch.span() == u64::MAX);
        flip(&mut bytes, at, bit);
        prop_assert_eq!(BatchHeader::decode(&bytes), None);

        let mut free = free_header();
        prop_assert!(is_free_header(&free) && SegmentHeader::decode(&free).is_none());
        flip(&mut free, at, bit);
        prop_assert!(!is_free_header(&free));
    }

    #[test]
    fn state_reads_back_and_believes_no_change(state in state(), at: prop::sample::Index, bit in 0_u8..8) {
        let mut bytes = state.encode();
        prop_assert_eq!(State::decode(&bytes), Some(state));
        prop_assert_eq!(State::decode(&bytes[..at.index(bytes.len())]), None);
        flip(&mut bytes, at, bit);
        prop_assert_eq!(State::decode(&bytes), None);
    }

    #[test]
    fn payload_records_read_back_and_believe_no_change(
        list in vec((any::<[u8; 16]>(), vec(any::<u8>(), 0..200)), 1..6), at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let mut payloads = Payloads::default();
        list.iter().for_each(|(id, sealed)| payloads.push(*id, sealed));
        let read: Option<Vec<PayloadRecord<'_>>> = records(payloads.bytes()).collect();
        let read: Vec<_> = read.unwrap().into_iter().map(|record| (record.payload, record.sealed.to_vec())).collect();
        prop_assert_eq!(read, list.clone());
        let mut bytes = payloads.bytes().to_vec();
        flip(&mut bytes, at, bit);
        let spans: Vec<usize> = records(payloads.bytes()).flatten().map(|record| record.span()).collect();
        let whole = spans.iter().scan(0, |end, span| { *end += span; Some(*end) });
        // All before the damage, then one place that does not check, and nothing believed after it.
        let good = whole.take_while(|end| *end <= at.index(bytes.len())).count();
        let read: Vec<_> = records(&bytes).collect();
        prop_assert_eq!(read.iter().flatten().count(), good);
        prop_assert_eq!(read.last(), Some(&None));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..300), header: [u8; 24]) {
        _ = (SegmentHeader::decode(&bytes), BatchHeader::decode(&bytes), State::decode(&bytes), is_free_header(&bytes));
        let found = records(&bytes).collect::<Vec<_>>();
        prop_assert!(found.len() <= 1 + bytes.len() / 32);
        let number = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().unwrap());
        let header = BatchHeader { frames: 1, number: number(0), incarnation: number(8), body_bytes: number(16) };
        prop_assert_eq!(frames(&header, &bytes), None);
        prop_assert!(header.span() >= BATCH_HEADER_BYTES as u64);
    }

    /// With a checksum that fits, so that what lies behind it is reached.
    #[test]
    fn no_lengths_make_a_reader_panic(
        mut state in state().prop_map(|state| state.encode()), append in append(), number: u64,
        at: prop::sample::Index, value: u32,
    ) {
        let end = state.len() - 4;
        let place = at.index(end - 3);
        state[place..place + 4].copy_from_slice(&value.to_be_bytes());
        let crc = crc32c::crc32c(&state[..end]);
        state[end..].copy_from_slice(&crc.to_be_bytes());
        _ = State::decode(&state);

        let (header, mut body) = batch(&[append], number, 1);
        let place = 4 + at.index(body.len() - 7);
        body[place..place + 4].copy_from_slice(&value.to_be_bytes());
        let mut covered = [1_u64.to_be_bytes(), number.to_be_bytes()].concat();
        covered.extend_from_slice(&body[4..]);
        let crc = crc32c::crc32c(&covered);
        body[..4].copy_from_slice(&crc.to_be_bytes());
        for frame in frames(&header, &body).into_iter().flatten() {
            prop_assert!(frame.entry.len() + frame.payloads.len() + frame.births.len() < body.len());
        }
    }
}
