//! The degrade marker: what was set survives every failure and crash, and needs no space.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;

use inferlog_disk::sim::{Fault, How, Keep, SimFs, Torn};
use inferlog_disk::{Fs, create_dir_all, replace_file};
use inferlog_log::Marker;
use inferlog_log::marker::{Found, MARKER_BYTES};

const NODE: [u8; 16] = [0xAB; 16];
const SINCE_NS: u64 = 1_800_000_000_000_000_000;
const SET: Found = Found::Degraded { since_ns: SINCE_NS };
const PLACES: [&str; 2] = ["/data/degraded", "/twins/degraded-abababababababababababababababab"];

const HOWS: [How; 4] = [How::NoEffect, How::Applied, How::Partial, How::PowerLoss];

fn disk(seed: u64) -> SimFs {
    let fs = SimFs::new(seed);
    for dir in ["/data", "/twins"] {
        create_dir_all(&fs, Path::new(dir)).unwrap();
    }
    fs
}

fn open(fs: &SimFs, twins: bool) -> inferlog_log::Result<(Marker, Found)> {
    Marker::open(fs, Path::new("/data"), twins.then_some(Path::new("/twins")), NODE)
}

fn found(fs: &SimFs, twins: bool) -> Found {
    open(fs, twins).unwrap().1
}

#[test]
fn its_bytes_are_those_of_the_format() {
    for (found, state, since_ns) in [(Found::Clear, 0, 0), (SET, 1, SINCE_NS), (Found::Unreadable, 1, 0)] {
        let mut bytes = b"ILDEGRD1".to_vec();
        bytes.extend_from_slice(&[state, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&since_ns.to_be_bytes());
        bytes.extend_from_slice(&NODE);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_be_bytes());
        bytes.resize(4096, 0);
        assert_eq!(found.encode(NODE), bytes);
        assert_eq!(Found::decode(&bytes, NODE), found);
        assert_eq!(Found::decode(&bytes, [0; 16]), Found::Unreadable, "another node's");
        for at in 0..MARKER_BYTES {
            bytes[at] ^= 1;
            assert_eq!(Found::decode(&bytes, NODE), Found::Unreadable, "byte {at}");
            bytes[at] ^= 1;
        }
        for length in [0, 39, 43, 44, 4095] {
            assert_eq!(Found::decode(&bytes[..length], NODE), Found::Unreadable);
        }
        bytes.push(0);
        assert_eq!(Found::decode(&bytes, NODE), Found::Unreadable);
    }
}

/// What a life has done, as far as it got.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    set: bool,
    clearing: bool,
    cleared: bool,
    set_again: bool,
}

/// Sets, and perhaps clears and sets again; goes on after what failed.
fn life(fs: &SimFs, twins: bool, clears: bool) -> Done {
    let mut done = Done::default();
    let Ok((mut marker, _)) = open(fs, twins) else { return done };
    done.set = marker.set(SINCE_NS).is_ok();
    assert_eq!(done.set, marker.is_set());
    if !clears {
        return done;
    }
    done.clearing = true;
    done.cleared = marker.clear().is_ok();
    assert!(!(done.cleared && marker.is_set()));
    done.set_again = marker.set(SINCE_NS + 1).is_ok();
    done
}

/// Fails every call of a life every way and crashes; then every call of the opening after it, and crashes again.
#[test]
fn what_was_set_survives_every_failure_and_crash() {
    let mut sets = 0;
    for bits in 0..16_u64 {
        let [twins, clears, garbage, kills] = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        let calls = {
            let fs = disk(bits);
            life(&fs, twins, clears);
            fs.call_count()
        };
        for call in 0..calls {
            for how in HOWS {
                // Another seed, another crash.
                let fs = disk(bits << 32 | call);
                fs.set_torn(if garbage { Torn::Garbage } else { Torn::OldOrNew });
                fs.inject(Fault::at(call).how(how));
                let done = life(&fs, twins, clears);
                fs.clear_faults();
                sets += u64::from(done.set);
                check(&if kills { fs.kill() } else { fs.crash() }, twins, done);
            }
        }
    }
    assert!(sets > 100, "{sets}");
}

fn check(fs: &SimFs, twins: bool, done: Done) {
    // What the failed life left is no ground to stand on: what the next sets is durable all the same.
    let fork = fs.fork(2);
    open(&fork, twins).unwrap().0.set(SINCE_NS).unwrap();
    assert_eq!(found(&fork.crash_keeping(Keep::Nothing), twins), SET, "{done:?}");
    let is_set = done.set_again || (done.set && !done.clearing);
    let reopens = {
        let fork = fs.fork(1);
        let found = found(&fork, twins);
        assert!(!is_set || found != Found::Clear, "{done:?}: {found:?}");
        if done.cleared && !done.set_again {
            // Whoever failed to set it again does not know what it says.
            assert_ne!(found, SET, "{done:?}");
        }
        fork.call_count()
    };
    for call in 0..reopens {
        for how in HOWS {
            let fork = fs.fork(call);
            fork.inject(Fault::at(call).how(how));
            let _ = open(&fork, twins);
            fork.clear_faults();
            let found = found(&fork.crash(), twins);
            assert!(!is_set || found != Found::Clear, "{done:?}: lost at call {call} of opening: {found:?}");
        }
    }
}

#[test]
fn a_full_disk_takes_it_in_place() {
    let fs = disk(1);
    let (mut marker, found_first) = open(&fs, true).unwrap();
    assert_eq!(found_first, Found::Clear);
    fs.set_capacity(Some(0));
    marker.set(SINCE_NS).unwrap();
    marker.clear().unwrap();
    assert!(!marker.is_set());
    marker.set(SINCE_NS).unwrap();
    for place in PLACES {
        assert_eq!(fs.durable_files()[Path::new(place)], SET.encode(NODE));
    }
    let fs = fs.crash_keeping(Keep::Nothing);
    fs.set_capacity(None);
    assert_eq!(found(&fs, true), SET);
    assert_eq!(found(&fs, true), SET, "until it is cleared");
}

#[test]
fn one_place_sets_it_and_one_keeps_it_from_being_cleared() {
    for broken in PLACES {
        let fs = disk(2);
        let (mut marker, _) = open(&fs, true).unwrap();
        fs.inject(Fault::on(move |call| call.op.changes() && call.path == Path::new(broken)));
        marker.set(SINCE_NS).unwrap();
        assert!(marker.is_set());
        assert!(marker.clear().is_err());
        assert!(marker.is_set(), "set again in the place that works");
        fs.clear_faults();
        let fs = fs.crash_keeping(Keep::Nothing);
        let (mut marker, found) = open(&fs, true).unwrap();
        assert_eq!(found, SET);
        marker.clear().unwrap();
        assert_eq!(self::found(&fs.crash_keeping(Keep::Nothing), true), Found::Clear);
    }
}

#[test]
fn no_place_that_works_is_an_error() {
    for twins in [false, true] {
        let fs = disk(3);
        let (mut marker, _) = open(&fs, twins).unwrap();
        fs.inject(Fault::on(|call| call.op.syncs()));
        assert!(marker.set(SINCE_NS).is_err());
        assert!(!marker.is_set());
        fs.clear_faults();
        marker.set(SINCE_NS).unwrap();
        fs.inject(Fault::on(|call| call.op.syncs()).how(How::Applied));
        assert!(marker.clear().is_err());
        assert!(!marker.is_set(), "what it says is not known");
    }
}

#[test]
fn what_does_not_check_stays_unknown_until_it_is_cleared() {
    let whole = Found::Clear.encode(NODE);
    let mut flipped = whole.clone();
    flipped[8] ^= 1;
    for bytes in [&flipped[..], &whole[..100], &[], &Found::Clear.encode([1; 16])] {
        for place in PLACES {
            let fs = disk(4);
            replace_file(&fs, Path::new(place), bytes).unwrap();
            assert_eq!(found(&fs, true), Found::Unreadable);
            let fs = fs.crash_keeping(Keep::Nothing);
            let (mut marker, found) = open(&fs, true).unwrap();
            assert_eq!(found, Found::Unreadable, "opening must not settle it");
            assert_eq!(fs.read(Path::new(place)).unwrap().len(), MARKER_BYTES);
            marker.clear().unwrap();
            assert_eq!(self::found(&fs, true), Found::Clear);
        }
    }
}

#[test]
fn the_earliest_time_that_a_place_knows_counts() {
    let earlier = Found::Degraded { since_ns: SINCE_NS - 5 };
    for (one, two, both) in [
        (SET, earlier, earlier),
        (Found::Clear, SET, SET),
        (Found::Unreadable, SET, SET),
        (Found::Clear, Found::Unreadable, Found::Unreadable),
    ] {
        for places in [PLACES, [PLACES[1], PLACES[0]]] {
            let fs = disk(5);
            replace_file(&fs, Path::new(places[0]), &one.encode(NODE)).unwrap();
            replace_file(&fs, Path::new(places[1]), &two.encode(NODE)).unwrap();
            assert_eq!(found(&fs, true), both);
            // A place that was given up leaves the other with all that was known.
            assert_eq!(found(&fs, false), both);
        }
    }
}
