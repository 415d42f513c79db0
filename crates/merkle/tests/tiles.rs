//! Names of tiles, bundles, and the check that needs no key.
#![allow(clippy::unwrap_used, reason = "a failure fails the test")]

mod support;

use inferlog_merkle::{
    BundleError, BundleFault, ENTRY_BYTES_MAX, TileLevel, TilePath, TilePathError, check_bundle,
    encode_entry, entries, full_tile_root, tiles_for_growth,
};
use proptest::prelude::*;
use support::{Naive, entry};

fn bundle(range: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    range.for_each(|index| encode_entry(&mut bytes, &entry(index)).unwrap());
    bytes
}

#[test]
fn names_are_those_of_the_specification() {
    let table = [
        (TileLevel::Hashes(0), 0, 256, "tile/0/000"),
        (TileLevel::Hashes(0), 1_234_067, 8, "tile/0/x001/x234/067.p/8"),
        (TileLevel::Hashes(1), 999, 255, "tile/1/999.p/255"),
        (TileLevel::Hashes(63), 1000, 256, "tile/63/x001/000"),
        (TileLevel::Entries, 1_234_067, 256, "tile/entries/x001/x234/067"),
        (TileLevel::Entries, 5, 1, "tile/entries/005.p/1"),
        (TileLevel::Entries, u64::MAX, 256, "tile/entries/x018/x446/x744/x073/x709/x551/615"),
    ];
    for (level, index, width, name) in table {
        let path = TilePath::new(level, index, width).unwrap();
        assert_eq!(path.to_string(), name);
        assert_eq!(name.parse(), Ok(path));
        assert_eq!((path.level(), path.index(), path.width()), (level, index, width));
        assert_eq!(path.is_full(), width == 256);
        assert!(path.full().is_full());
    }
    assert_eq!(TilePath::new(TileLevel::Hashes(64), 0, 1), Err(TilePathError::Level(64)));
    assert_eq!(TilePath::new(TileLevel::Entries, 0, 0), Err(TilePathError::Width(0)));
    assert_eq!(TilePath::new(TileLevel::Entries, 0, 257), Err(TilePathError::Width(257)));
}

#[test]
fn other_spellings_are_refused() {
    let wrong = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/001/x000",
        "tile/0/x001",
        "tile/0/001/001",
        "tile/0/X001/000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/256/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/e/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0//000",
        "tile/0/../000",
        "tile/8/0/000 ",
        "tile/data/000",
        "Tile/0/000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/\u{0661}\u{0662}\u{0663}",
    ];
    for name in wrong {
        assert!(name.parse::<TilePath>().is_err(), "{name:?}");
    }
}

#[test]
fn growth_names_what_changes() {
    let names = |old, new| tiles_for_growth(old, new).map(|path| path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(0, 0), [""; 0]);
    assert_eq!(names(7, 7), [""; 0]);
    assert_eq!(names(0, 1), ["tile/0/000.p/1"]);
    assert_eq!(names(1, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(names(256, 257), ["tile/0/001.p/1"]);
    assert_eq!(names(255, 600), ["tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"]);
    assert_eq!(names(65_535, 65_536), ["tile/0/255", "tile/1/000", "tile/2/000.p/1"]);
    assert_eq!(TilePath::in_tree(TileLevel::Entries, 1, 256), None);
    let bundle = TilePath::in_tree(TileLevel::Hashes(0), 1, 300).unwrap().bundle();
    assert_eq!(Some(bundle), TilePath::in_tree(TileLevel::Entries, 1, 300));
    assert_eq!(bundle.to_string(), "tile/entries/001.p/44");
}

#[test]
fn entries_of_every_length_come_back() {
    let all = [vec![], vec![7; 1], vec![8; 256], vec![9; ENTRY_BYTES_MAX]];
    let mut bytes = Vec::new();
    all.iter().for_each(|entry| encode_entry(&mut bytes, entry).unwrap());
    assert_eq!(bytes[..5], [0, 0, 0, 1, 7]);
    assert!(entries(&bytes).map(Result::unwrap).eq(all.iter().map(Vec::as_slice)));
    let before = bytes.len();
    assert_eq!(encode_entry(&mut bytes, &[0; ENTRY_BYTES_MAX + 1]).unwrap_err().length, 65_536);
    assert_eq!(bytes.len(), before, "a refused entry leaves the bundle as it was");
    assert!(entries(&[]).next().is_none());
    let cut: Vec<_> = entries(&bytes[..4]).collect();
    assert_eq!(cut, [Ok([].as_slice()), Err(BundleError { position: 1 })]);
    assert_eq!(entries(&[0]).collect::<Vec<_>>(), [Err(BundleError { position: 0 })]);
}

#[test]
fn a_departure_is_located() {
    let naive = Naive::of_size(300);
    for (index, range) in [(0, 0..256), (1, 256..300)] {
        let tile = naive.tile(TilePath::in_tree(TileLevel::Hashes(0), index, 300).unwrap());
        let good = bundle(range.clone());
        check_bundle(&good, &tile).unwrap();
        let width = usize::try_from(range.end - range.start).unwrap();
        for position in 0..width {
            let mut damaged = tile.clone();
            damaged[position * 32 + position % 32] ^= 1 << (position % 8);
            assert_eq!(check_bundle(&good, &damaged), Err(BundleFault::Mismatch { position }));
        }
        for byte in 0..good.len() {
            let mut damaged = good.clone();
            damaged[byte] ^= 0x80;
            assert!(check_bundle(&damaged, &tile).is_err(), "byte {byte}");
        }
        let last = BundleFault::Ends { position: width - 1 };
        assert_eq!(check_bundle(&good[..good.len() - 1], &tile), Err(last));
        let more = bundle(range.start..range.end + 1);
        assert_eq!(check_bundle(&more, &tile), Err(BundleFault::GoesOn { position: width - 1 }));
        assert_eq!(check_bundle(&good, &tile[1..]), Err(BundleFault::Tile { length: width * 32 - 1 }));
    }
    assert_eq!(check_bundle(&[], &[]), Err(BundleFault::Tile { length: 0 }));
    assert_eq!(check_bundle(&[], &[0; 257 * 32]), Err(BundleFault::Tile { length: 257 * 32 }));
}

#[test]
fn a_full_tile_hashes_into_its_parent() {
    let naive = Naive::of_size(256);
    let tile = naive.tile(TilePath::in_tree(TileLevel::Hashes(0), 0, 256).unwrap());
    assert_eq!(full_tile_root(&tile), Some(naive.mth(0, 256)));
    assert_eq!(full_tile_root(&tile[32..]), None);
    assert_eq!(full_tile_root(&[]), None);
}

proptest! {
    #[test]
    fn every_name_comes_back(level in 0_u8..=64, index in any::<u64>(), shift in 0..64, width in 1_u16..=256) {
        let level = if level == 64 { TileLevel::Entries } else { TileLevel::Hashes(level) };
        let path = TilePath::new(level, index >> shift, width).unwrap();
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn what_parses_prints_the_same(text in "tile/([0-9]{1,2}|entries)(/x?[0-9]{2,4}){1,3}(\\.p/[0-9]{1,3})?") {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn any_bytes_are_entries_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut again = Vec::new();
        let read: Result<Vec<_>, _> = entries(&bytes).collect();
        if let Ok(read) = read {
            read.iter().for_each(|entry| encode_entry(&mut again, entry).unwrap());
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn any_bytes_are_held_against_any_tile(bundle in prop::collection::vec(any::<u8>(), 0..300), tile in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(check_bundle(&bundle, &tile).is_err());
    }
}
