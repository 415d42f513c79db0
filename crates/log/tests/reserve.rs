//! The room that is kept for what must be closed on a full disk.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod world;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::sim::{Fault, How, Keep, Op};
use inferlog_log::wal::format::{BATCH_HEADER_BYTES, FRAME_HEADER_BYTES, PAGE_BYTES, frame_bytes};
use inferlog_log::wal::{RESERVE_BYTES, RESERVED_FRAME_BYTES_MAX};
use inferlog_log::{Append, AppendError, Flags, Node};
use world::{Life, START_NS, World};

fn append(text: &str) -> Append {
    let (entry, class) = (text.as_bytes().to_vec(), "default".to_owned());
    Append { entry, class, logged_at_ns: START_NS, ..Append::default() }
}

fn reserved(append: Append) -> Append {
    Append { flags: append.flags.and(Flags::RESERVED), ..append }
}

/// An append whose frame has so many bytes.
fn long(bytes: u64) -> Append {
    let mut append = append("long");
    let rest = bytes as usize - frame_bytes(&append) - 32;
    append.payloads.push([7; 16], &vec![7; rest]);
    assert_eq!(frame_bytes(&append) as u64, bytes);
    append
}

/// Whether the log took it. Nothing else may happen.
fn takes(world: &mut World, life: &mut Life, append: &Append) -> bool {
    let before = world.models["alpha"].acked.len();
    assert!(world.commit(life, vec![("alpha".into(), append.clone())]), "a full disk poisons nothing");
    world.models["alpha"].acked.len() > before
}

/// A node whose log takes no ordinary entry any more: the disk has no space but what is allocated.
fn full(segment_bytes: u64) -> (World, Life) {
    let mut world = World::new(segment_bytes);
    world.config.segment_bytes = segment_bytes;
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    fill(&mut world, &mut life);
    (world, life)
}

fn fill(world: &mut World, life: &mut Life) {
    world.fs.set_capacity(Some(0));
    for bytes in [500_000, PAGE_BYTES - BATCH_HEADER_BYTES as u64] {
        let bytes = bytes.min(world.config.segment_bytes / 2);
        while takes(world, life, &long(bytes)) {}
    }
    assert!(!takes(world, life, &append("refused")));
}

fn count(world: &mut World, life: &mut Life, append: &Append) -> u64 {
    (0..).take_while(|_| takes(world, life, append)).count() as u64
}

#[test]
fn the_reserve_takes_as_many_as_it_says() {
    let page = PAGE_BYTES - BATCH_HEADER_BYTES as u64;
    for (bytes, expected) in [(RESERVED_FRAME_BYTES_MAX, 15), (page, 256), (page + 1, 128)] {
        let (mut world, mut life) = full(8 << 20);
        assert!(!takes(&mut world, &mut life, &reserved(long(RESERVED_FRAME_BYTES_MAX + 1))), "too long");
        let both = vec![("alpha".into(), reserved(append("one"))), ("alpha".into(), append("other"))];
        assert!(world.commit(&mut life, both));
        let before = world.models["alpha"].acked.len();
        assert_eq!(count(&mut world, &mut life, &reserved(long(bytes))), expected);
        assert_eq!(world.models["alpha"].acked.len() as u64, before as u64 + expected);
        // All that was acknowledged is there after a crash, and nothing that was refused.
        drop(life);
        world.fs = world.fs.crash_keeping(Keep::Nothing);
        world.fs.set_capacity(None);
        let mut life = world.start().unwrap();
        assert!(takes(&mut world, &mut life, &append("again")));
        world.integrate(&mut life).unwrap();
    }
}

#[test]
fn any_entry_without_payloads_may_use_it() {
    let class = "c".repeat(31);
    let longest = Append { entry: vec![b'x'; inferlog_log::ENTRY_BYTES_MAX], class, ..append("") };
    assert!(frame_bytes(&longest) as u64 <= RESERVED_FRAME_BYTES_MAX);
    assert_eq!(frame_bytes(&longest), FRAME_HEADER_BYTES + 31 + inferlog_log::ENTRY_BYTES_MAX);
    let (mut world, mut life) = full(16 << 20);
    assert_eq!(count(&mut world, &mut life, &reserved(longest)), RESERVE_BYTES / (17 * PAGE_BYTES));
}

#[test]
fn when_space_returns_the_log_goes_on_and_the_reserve_is_whole() {
    let (mut world, mut life) = full(256 << 10);
    let closing = reserved(append("closing"));
    for round in 0..5 {
        assert_eq!(count(&mut world, &mut life, &closing), 8, "round {round}");
        world.fs.set_capacity(None);
        assert!(takes(&mut world, &mut life, &append("goes on")));
        if round % 2 == 0 {
            // Segments come back, and are used again.
            world.integrate(&mut life).unwrap();
        }
        if round == 3 {
            drop(life);
            world.fs = world.fs.crash();
            life = world.start().unwrap();
        }
        fill(&mut world, &mut life);
    }
}

/// While there is space the flag changes nothing: nobody uses up the reserve.
#[test]
fn with_space_it_is_left_alone() {
    let mut world = World::new(9);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    let mut segments = std::collections::BTreeSet::new();
    for number in 0..100 {
        let append = append("with space");
        assert!(takes(&mut world, &mut life, &if number % 2 == 0 { reserved(append) } else { append }));
        assert!(life.recovered.writer.reserved_bytes_left() >= (8 << 10) - 40);
        segments.insert(life.recovered.writer.position().incarnation);
    }
    assert!(segments.len() > 5);
}

/// The disk is found full at each step of going on in a new segment: whether or not the step took effect, what is
/// acknowledged afterwards is not lost.
#[test]
fn a_segment_that_could_not_be_begun_supersedes_nothing() {
    let (mut taken, mut poisoned) = (0, 0);
    for op in [Op::Create, Op::Allocate, Op::Write, Op::SyncData, Op::Rename, Op::SyncDir] {
        for how in [How::NoEffect, How::Applied, How::Partial] {
            for keep in [Keep::Nothing, Keep::Everything, Keep::Any] {
                let (mut world, mut life) = full(64 << 10);
                world.fs.set_capacity(None);
                let in_wal = Fault::on(move |call| call.op == op && call.path.starts_with("/data/wal"));
                world.fs.inject(in_wal.how(how).kind(ErrorKind::StorageFull).times(1));
                let mut goes_on = world.commit(&mut life, vec![("alpha".into(), append("refused"))]);
                assert_eq!(world.fs.faults_fired(), 1, "{op:?}");
                world.fs.set_capacity(Some(0));
                for _ in 0..2 {
                    let closing = vec![("alpha".into(), reserved(append("closing")))];
                    goes_on = goes_on && world.commit(&mut life, closing);
                    taken += u32::from(goes_on);
                }
                poisoned += u32::from(!goes_on);
                world.fs.set_capacity(None);
                world.fs = world.fs.crash_keeping(keep);
                world.start().unwrap_or_else(|error| panic!("{op:?} {how:?} {keep:?}: {error}"));
            }
        }
    }
    assert!(taken > 30 && poisoned > 5, "{taken} {poisoned}");
}

/// Recovery copies the last batch, which may be longer than the segments are now.
#[test]
fn a_recovered_segment_has_a_reserve() {
    let mut world = World::new(12);
    world.config.segment_bytes = 256 << 10;
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    assert!(takes(&mut world, &mut life, &long(200_000)));
    drop(life);
    world.fs = world.fs.crash();
    world.config.segment_bytes = 64 << 10;
    let mut life = world.start().unwrap();
    fill(&mut world, &mut life);
    assert_eq!(count(&mut world, &mut life, &reserved(append("closing"))), 2);
}

/// The machine that comes back with a full disk goes on where segments can be recycled.
#[test]
fn a_full_disk_can_be_reopened() {
    let mut world = World::new(10);
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    for _ in 0..60 {
        assert!(takes(&mut world, &mut life, &append("first")));
        world.integrate(&mut life).unwrap();
    }
    fill(&mut world, &mut life);
    assert_eq!(count(&mut world, &mut life, &reserved(append("closing"))), 2);
    // Not quite a segment's worth of space: too little to go on, for what is written could not be settled.
    world.fs.set_capacity(Some(1 << 30));
    let used = (1 << 30) - inferlog_disk::Fs::free_bytes(&world.fs, Path::new("/data")).unwrap();
    world.fs.set_capacity(Some(used + (60 << 10)));
    assert!(!takes(&mut world, &mut life, &append("refused")));
    drop(life);
    world.fs = world.fs.crash();
    let mut life = world.start().unwrap();
    assert!(takes(&mut world, &mut life, &reserved(append("started"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_refuses_what_is_ordinary_and_takes_what_closes() {
    let mut world = World::new(11);
    world.config.segment_bytes = 256 << 10;
    let open = |world: &World| Node::open(world.env(), world.config.clone(), world.hooks()).unwrap();
    let node = open(&world);
    let log = node.log("alpha").unwrap();
    world.fs.set_capacity(Some(0));
    let mut acked = 0;
    while log.append(vec![append(&"x".repeat(3_000))]).await.is_ok() {
        acked += 1;
    }
    // In one queue, so that they meet in batches.
    let mut waiting = Vec::new();
    for number in 0..60 {
        let (text, is_closing) = (format!("entry {number}"), number % 3 == 0);
        let one = if is_closing { reserved(append(&text)) } else { append(&text) };
        waiting.push((text, is_closing, log.submit(vec![one]).await.unwrap()));
    }
    let mut expected = Vec::new();
    for (text, is_closing, pending) in waiting {
        match pending.durable().await {
            Ok(at) => {
                assert!(is_closing);
                assert_eq!(at.index, acked + expected.len() as u64);
                expected.push(text.into_bytes());
            }
            Err(AppendError::Full(_)) => assert!(!is_closing || expected.len() >= 8, "{text} was refused"),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(expected.len() >= 8, "{}", expected.len());
    assert_eq!((log.len(), node.status().poisoned), (acked + expected.len() as u64, None));
    // More than all that is left.
    let all = (0..100).map(|_| reserved(append(&"y".repeat(2_000)))).collect();
    assert!(matches!(log.append(all).await, Err(AppendError::Full(_))));

    world.fs = world.fs.crash_keeping(Keep::Nothing);
    drop((log, node));
    world.fs.set_capacity(None);
    let node = open(&world);
    let log = node.log("alpha").unwrap();
    node.integrate().await.unwrap();
    let reader = inferlog_log::LogReader::new(Arc::new(world.fs.clone()), log.dir().clone());
    let mut found = Vec::new();
    let size = reader.size().unwrap();
    let each = |_, entry: &[u8]| {
        found.push(entry.to_vec());
        true
    };
    reader.scan(acked, size, each).unwrap();
    assert_eq!(found, expected);
    assert_eq!(log.append(vec![append("goes on")]).await.unwrap().index, size);
}
