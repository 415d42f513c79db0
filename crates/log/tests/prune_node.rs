//! A node that is purged while it records, and opened again; what it does when the purge cannot be.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use inferlog_disk::sim::{Fault, SimFs};
use inferlog_disk::{Fs, ManualClock, SeededRng};
use inferlog_log::prune::{prune_entries, purge_packs};
use inferlog_log::{Append, Env, Hooks, LogDir, LogReader, Node, NodeConfig, Payloads, ReadError, State};
use world::{Births, DAY_NS, OneKey, START_NS};

fn open(fs: &SimFs) -> Node {
    let clock = Arc::new(ManualClock::new(START_NS));
    let env = Env { fs: Arc::new(fs.clone()), clock, rng: Arc::new(SeededRng::new(fs.call_count())) };
    let mut config = NodeConfig::new("/data");
    config.segment_bytes = 256 << 10;
    config.integrate_ms = 1;
    let births = Arc::new(Births::default());
    Node::open(env, config, Hooks { signer: Arc::new(OneKey::new()), births, twins: None }).unwrap()
}

fn append(number: u64, day: u64) -> Append {
    let mut payloads = Payloads::default();
    payloads.push(u128::from(number).to_be_bytes(), format!("payload {number}").as_bytes());
    let (entry, class) = (format!("entry {number}").into_bytes(), "default".to_owned());
    Append { entry, class, logged_at_ns: START_NS + day * DAY_NS, payloads, ..Append::default() }
}

/// The packs that `state` names are there.
fn check_state(fs: &dyn Fs, dir: &LogDir) {
    for tail in State::load(fs, dir).unwrap().packs {
        let path = dir.packs().join(format!("{}.pack", tail.name));
        assert!(fs.exists(&path).unwrap(), "{path:?} is named by `state` and gone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_log_is_purged_while_it_is_written_and_read() {
    let fs = SimFs::new(1);
    let node = open(&fs);
    let log = node.log("alpha").unwrap();
    for number in 0..600 {
        drop(log.submit(vec![append(number, number / 200)]).await.unwrap());
    }
    node.integrate().await.unwrap();
    let reader = LogReader::new(Arc::new(fs.clone()), log.dir().clone());
    let is_over = Arc::new(AtomicBool::new(false));
    // Appends of the days that are purged go on, a scan goes on, and so do purges.
    let writer = tokio::spawn({
        let log = log.clone();
        async move {
            for number in 600..900 {
                log.append(vec![append(number, number % 3)]).await.unwrap();
            }
        }
    });
    let scans = tokio::task::spawn_blocking({
        let (reader, is_over) = (reader.clone(), is_over.clone());
        move || {
            let mut scans = 0;
            while !is_over.load(Ordering::Acquire) || scans == 0 {
                let size = reader.size().unwrap();
                let (mut kept, mut next) = (0, 0);
                reader
                    .scan(0, size, |index, entry| {
                        assert_eq!(entry, format!("entry {index}").as_bytes());
                        kept += u64::from(index.is_multiple_of(10));
                        next = index + 1;
                        true
                    })
                    .unwrap();
                assert_eq!((kept, next), (size.div_ceil(10), size), "what is kept is seen at any time");
                scans += 1;
            }
            scans
        }
    });
    let purges = tokio::task::spawn_blocking({
        let pruner = log.pruner();
        move || {
            for last in [100, 250, 399, 599] {
                purge_packs(&pruner, "default", last, &|index, _| index.is_multiple_of(10)).unwrap();
                prune_entries(&pruner, last, &|index, _| index.is_multiple_of(10)).unwrap();
            }
        }
    });
    purges.await.unwrap();
    writer.await.unwrap();
    node.integrate().await.unwrap();
    let pruner = log.pruner();
    // Now that there are more entries.
    let prune = move || prune_entries(&pruner, 600, &|index, _| index.is_multiple_of(10)).unwrap().first;
    assert_eq!(tokio::task::spawn_blocking(prune).await.unwrap(), 512);
    is_over.store(true, Ordering::Release);
    assert!(scans.await.unwrap() > 0);
    check_state(&fs, log.dir());
    drop((log, node));
    check_what_is_left(&fs.crash());
}

/// Opens the node after a crash, and looks for all that was not to go.
fn check_what_is_left(fs: &SimFs) {
    let node = open(fs);
    let log = node.log("alpha").unwrap();
    assert_eq!(log.len(), 900);
    check_state(fs, log.dir());
    let reader = LogReader::new(Arc::new(fs.clone()), log.dir().clone());
    for number in (0..900).filter(|number| number % 10 == 0 || *number >= 600) {
        let day = if number < 600 { number / 200 } else { number % 3 };
        let at = START_NS + day * DAY_NS;
        let found = reader.payload("default", at, number, u128::from(number).to_be_bytes()).unwrap();
        assert_eq!(found, Some(format!("payload {number}").into_bytes()), "of entry {number}");
    }
    assert!(matches!(reader.entry(511, 900), Err(ReadError::Pruned { index: 511, first: 512 })));
    assert_eq!(reader.entry(510, 900).unwrap(), b"entry 510");
}

#[tokio::test]
async fn a_purge_that_fails_does_not_stop_the_node() {
    let fs = SimFs::new(2);
    let node = open(&fs);
    let log = node.log("alpha").unwrap();
    for number in 0..300 {
        log.append(vec![append(number, 0)]).await.unwrap();
    }
    node.integrate().await.unwrap();
    // What the integrator writes for the purge alone: `state`, while nothing is appended.
    fs.inject(Fault::on(|call| call.path.ends_with(".tmp-state")).times(1));
    let pruner = log.pruner();
    let purge = |pruner: inferlog_log::prune::Pruner| {
        tokio::task::spawn_blocking(move || purge_packs(&pruner, "default", 299, &|_, _| false))
    };
    assert!(purge(pruner.clone()).await.unwrap().is_err());
    assert_eq!(node.status().poisoned, None);
    log.append(vec![append(300, 0)]).await.unwrap();
    node.integrate().await.unwrap();
    // The pack has a record after the range now.
    assert_eq!(purge(pruner.clone()).await.unwrap().unwrap().packs.len(), 0);
    let reader = LogReader::new(Arc::new(fs.clone()), log.dir().clone());
    for number in 0..=300 {
        let found = reader.payload("default", START_NS, number, u128::from(number).to_be_bytes());
        assert!(found.unwrap().is_some(), "a payload of entry {number}");
    }
    drop(node);
    assert!(purge(pruner).await.unwrap().is_err(), "nobody has the packs of a closed node");
}

#[tokio::test]
async fn an_older_epoch_is_purged_through_the_same_node() {
    let fs = SimFs::new(3);
    let node = open(&fs);
    let old = node.log("alpha").unwrap();
    for number in 0..300 {
        old.append(vec![append(number, 0)]).await.unwrap();
    }
    node.integrate().await.unwrap();
    node.new_epoch("alpha").unwrap();
    drop(node);
    let node = open(&fs);
    let pruner = node.pruner(old.dir().clone());
    let purged = tokio::task::spawn_blocking(move || {
        let purged = purge_packs(&pruner, "default", u64::MAX, &|index, _| index == 7).unwrap();
        (purged, prune_entries(&pruner, u64::MAX, &|_, _| false).unwrap())
    });
    let (packs, entries) = purged.await.unwrap();
    assert_eq!((packs.packs.len(), packs.payloads, packs.kept), (1, 299, 1));
    // One full bundle, which is the last.
    assert_eq!((entries.first, entries.entries), (0, 0));
    check_state(&fs, old.dir());
    drop(node);
    open(&fs);
    let reader = LogReader::new(Arc::new(fs.clone()), old.dir().clone());
    assert!(reader.payload("default", START_NS, 7, 7_u128.to_be_bytes()).unwrap().is_some());
    assert!(reader.payload("default", START_NS, 8, 8_u128.to_be_bytes()).unwrap().is_none());
}
