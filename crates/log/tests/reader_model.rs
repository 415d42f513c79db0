//! A reader of a log against a plain list of its entries: at every size near the edges of tiles, and once beyond 65,536
//! entries, where the tree has a third level of tiles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

mod world;

use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::{Append, LogReader, Payloads, ReadError};
use inferlog_merkle::{
    Hash, consistency_proof, inclusion_proof, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use world::{DAY_NS, Life, START_NS, World};

/// Appends a batch of so many small entries; every hundredth has a payload.
fn grow(world: &mut World, life: &mut Life, count: u64) {
    let first = world.models["alpha"].acked.len() as u64;
    let appends = (first..first + count).map(|index| {
        let mut payloads = Payloads::default();
        if index.is_multiple_of(100) {
            payloads.push(u128::from(index).to_be_bytes(), format!("payload of {index}").as_bytes());
        }
        let entry = format!("entry {index}").into_bytes();
        let logged_at_ns = START_NS + index / 30_000 * DAY_NS;
        let append = Append { entry, class: "default".into(), logged_at_ns, payloads, ..Append::default() };
        ("alpha".to_owned(), append)
    });
    assert!(world.commit(life, appends.collect()));
}

fn world() -> (World, Life) {
    let mut world = World::new(1);
    world.config.segment_bytes = 4 << 20;
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    (world, life)
}

fn reader(world: &World, life: &Life) -> LogReader {
    LogReader::new(Arc::new(world.fs.clone()) as Arc<dyn Fs>, life.logs["alpha"].1.clone())
}

/// RFC 9162, section 2.1.1, as it is written.
fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => inferlog_merkle::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(middle);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// Holds all that a reader gives against the list. `places` are entries to look at one by one.
fn check(world: &World, life: &Life, places: impl Iterator<Item = u64>) {
    let (reader, entries) = (reader(world, life), &world.models["alpha"].acked);
    let (_, checkpoint) = reader.checkpoint().unwrap().unwrap();
    let size = checkpoint.size();
    assert_eq!(size, entries.len() as u64);
    let leaves: Vec<Hash> = entries.iter().map(|append| leaf_hash(&append.entry)).collect();
    assert_eq!(checkpoint.root(), root_of(&leaves));
    for index in places.filter(|index| *index < size) {
        let append = &entries[index as usize];
        assert_eq!(reader.entry(index, size).unwrap(), append.entry);
        let proof = inclusion_proof(&reader, index, size).unwrap();
        verify_inclusion(&leaves[index as usize], index, size, &proof, &checkpoint.root()).unwrap();
        let (old, old_root) = (index + 1, root_of(&leaves[..=index as usize]));
        let proof = consistency_proof(&reader, old, size).unwrap();
        verify_consistency(old, size, &proof, &old_root, &checkpoint.root()).unwrap();
        let id = u128::from(index).to_be_bytes();
        let found = reader.payload("default", append.logged_at_ns, index, id).unwrap();
        let expected = index.is_multiple_of(100).then(|| format!("payload of {index}").into_bytes());
        assert_eq!(found, expected, "payload of entry {index}");
        // Under an older checkpoint too, though its partial tiles have given way to wider ones.
        assert_eq!(reader.entry(index, old).unwrap(), append.entry);
        assert_eq!(inferlog_merkle::root(&reader, old).unwrap(), old_root);
        let mut seen = index;
        let visit = |at, entry: &[u8]| {
            assert_eq!((at, entry), (seen, &entries[at as usize].entry[..]));
            seen += 1;
            seen < index + 300
        };
        reader.scan(index, size, visit).unwrap();
        assert_eq!(seen, size.min(index + 300));
    }
    assert!(matches!(reader.entry(size, size), Err(ReadError::NoEntry(at)) if at == size));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_way_to_grow_gives_the_same_log(
        rounds in prop::collection::vec(prop::collection::vec(1_u64..180, 1..4), 1..7), places in prop::collection::vec(0_u64..4000, 8),
    ) {
        let (mut world, mut life) = world();
        for batches in rounds {
            batches.into_iter().for_each(|count| grow(&mut world, &mut life, count));
            world.integrate(&mut life).unwrap();
            check(&world, &life, places.iter().copied());
        }
    }
}

#[test]
fn a_third_level_of_tiles() {
    let (mut world, mut life) = world();
    let edge = 65_536;
    // Past the first entries by rounds of any length, then one by one over the edge.
    for target in [10_000, 33_000, 50_001, edge - 2, edge - 1, edge, edge + 1, edge + 255, edge + 600] {
        while let left @ 1.. = target - world.models["alpha"].acked.len() as u64 {
            grow(&mut world, &mut life, left.min(1000));
        }
        world.integrate(&mut life).unwrap();
        let places =
            [0, 1, 255, 256, 29_999, 30_000, 65_300, edge - 1, edge, edge + 1, edge + 256, target - 1];
        check(&world, &life, places.into_iter());
    }
    let path = life.logs["alpha"].1.path().to_owned();
    assert_eq!(world.fs.read(&path.join("tile/2/000.p/1")).unwrap().len(), 32);
    assert!(world.fs.exists(&path.join("tile/1/000")).unwrap());
    assert!(!world.fs.exists(&path.join("tile/1/000.p")).unwrap());

    // Another life reads it all back.
    drop(life);
    world.fs = world.fs.crash();
    let mut life = world.start().unwrap();
    grow(&mut world, &mut life, 3);
    world.integrate(&mut life).unwrap();
    check(&world, &life, [edge + 602].into_iter());
}
