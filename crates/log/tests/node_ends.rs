//! A node at its limits: disks that fill up at the wrong moment, threads that end, clocks that are set back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod world;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use inferlog_disk::sim::{Call, Fault, Op, SimFs};
use inferlog_disk::{ManualClock, RealFs, SeededRng};
use inferlog_log::wal::{Commit, Writer, scan};
use inferlog_log::{
    Append, AppendError, BirthSink, Env, HookError, Hooks, LogId, LogIdentity, LogReader, Node, NodeConfig,
    RawSignature, Signer,
};
use parking_lot::Mutex;
use world::{Births, OneKey, START_NS};

fn env(fs: &SimFs) -> Env {
    let clock = Arc::new(ManualClock::new(START_NS));
    Env { fs: Arc::new(fs.clone()), clock, rng: Arc::new(SeededRng::new(fs.call_count())) }
}

fn hooks() -> Hooks {
    Hooks { signer: Arc::new(OneKey::new()), births: Arc::new(Births::default()), twins: None }
}

fn config() -> NodeConfig {
    let mut config = NodeConfig::new("/data");
    config.segment_bytes = 64 << 10;
    config.integrate_ms = 5;
    config
}

fn append(text: &str) -> Append {
    let (entry, class) = (text.as_bytes().to_vec(), "default".to_owned());
    Append { entry, class, logged_at_ns: START_NS, ..Append::default() }
}

/// What would wait for ever fails the test instead.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it must not wait for ever")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_integration_on_a_full_disk_is_told_when_the_node_closes() {
    let fs = SimFs::new(1);
    let node = Arc::new(Node::open(env(&fs), config(), hooks()).unwrap());
    let log = node.log("alpha").unwrap();
    log.append(vec![append("first")]).await.unwrap();
    node.integrate().await.unwrap();
    let full = |call: &Call| call.op == Op::Create && call.path.starts_with("/data/logs");
    fs.inject(Fault::on(full).kind(ErrorKind::StorageFull));
    log.append(vec![append("second")]).await.unwrap();
    let waiting = tokio::spawn({
        let node = node.clone();
        async move { node.integrate().await }
    });
    soon(async {
        while node.status().stalled.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    tokio::task::spawn_blocking(move || node.close()).await.unwrap();
    assert!(matches!(soon(waiting).await.unwrap(), Err(AppendError::Closed)));
}

/// A sink that breaks as no sink should.
struct Panics;

impl BirthSink for Panics {
    fn absorb(&self, _: &[u8]) -> Result<(), HookError> {
        panic!("a hook that panics")
    }

    fn sync(&self, _: &[([u8; 16], u64)]) -> Result<(), HookError> {
        Ok(())
    }
}

#[tokio::test]
async fn an_integrator_that_panics_poisons() {
    let fs = SimFs::new(2);
    let hooks = Hooks { births: Arc::new(Panics), ..hooks() };
    let node = Node::open(env(&fs), config(), hooks).unwrap();
    let log = node.log("alpha").unwrap();
    log.append(vec![Append { births: vec![1], ..append("first") }]).await.unwrap();
    assert!(matches!(soon(node.integrate()).await, Err(AppendError::Poisoned(_))));
    assert!(node.status().poisoned.is_some());
}

#[tokio::test]
async fn a_disk_that_is_full_when_a_segment_is_settled_does_not_poison() {
    for op in [Op::Write, Op::Rename] {
        let fs = SimFs::new(3);
        let node = Node::open(env(&fs), config(), hooks()).unwrap();
        let log = node.log("alpha").unwrap();
        // Its header says that it is free, then it is renamed.
        let settles = move |call: &Call| {
            let is_live = call.path.starts_with("/data/wal") && call.path.extension() == Some("wal".as_ref());
            is_live && call.op == op && (op != Op::Write || call.offset == 0)
        };
        fs.inject(Fault::on(settles).kind(ErrorKind::StorageFull).times(1));
        for _ in 0..12 {
            log.append(vec![append(&"x".repeat(40_000))]).await.unwrap();
            node.integrate().await.unwrap();
        }
        assert_eq!((fs.faults_fired(), node.status().poisoned), (1, None), "{op:?}");
        assert_eq!(LogReader::new(Arc::new(fs.clone()), log.dir().clone()).size().unwrap(), 12);
    }
}

#[tokio::test]
async fn segments_of_any_length_are_filled_and_changed() {
    for segment_bytes in [20_000, 65_537, 69_631] {
        let fs = SimFs::new(4);
        let node = Node::open(env(&fs), NodeConfig { segment_bytes, ..config() }, hooks()).unwrap();
        let log = node.log("alpha").unwrap();
        let longest = (segment_bytes as usize).min(65_535) - 5_000;
        for length in (0..4).map(|less| longest + 864 - less * 288).chain([1, 300, 4_000]) {
            match log.append(vec![append(&"x".repeat(length))]).await {
                Ok(_) | Err(AppendError::Invalid(_)) => {}
                Err(error) => panic!("{segment_bytes} {length}: {error}"),
            }
        }
        node.integrate().await.unwrap();
        let live: Vec<_> = fs.files().into_iter().filter(|(path, _)| path.starts_with("/data/wal")).collect();
        for (path, bytes) in live {
            assert!(bytes.len() as u64 <= segment_bytes.next_multiple_of(4096), "{} grew", path.display());
        }
        drop(node);
        Node::open(env(&fs), NodeConfig { segment_bytes, ..config() }, hooks()).unwrap();
    }
}

#[tokio::test]
async fn a_new_epoch_is_the_newest_though_the_clock_went_back() {
    let fs = SimFs::new(5);
    let clock = Arc::new(ManualClock::new(START_NS));
    let open = || Node::open(Env { clock: clock.clone(), ..env(&fs) }, config(), hooks()).unwrap();
    let node = open();
    node.log("alpha").unwrap().append(vec![append("old")]).await.unwrap();
    clock.set_now_ns(START_NS - 3_600_000_000_000);
    let new = node.new_epoch("alpha").unwrap().identity().origin.clone();
    drop(node);
    assert_eq!(open().log("alpha").unwrap().identity().origin, new);
}

/// Gives as many keys as it was rotated to, the slower the fewer.
#[derive(Default)]
struct Rotated(Mutex<u8>);

impl Signer for Rotated {
    fn public_keys(&self, _: &str) -> Result<Vec<[u8; 32]>, HookError> {
        let count = *self.0.lock();
        std::thread::sleep(Duration::from_millis(if count == 1 { 200 } else { 0 }));
        Ok((0..=count)
            .map(|seed| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes())
            .collect())
    }

    fn sign(&self, _: &str, _: &[u8]) -> Result<Vec<RawSignature>, HookError> {
        Ok(Vec::new())
    }
}

#[test]
fn rotations_at_the_same_time_list_every_key() {
    let (fs, signer) = (SimFs::new(6), Arc::new(Rotated::default()));
    let node = Node::open(env(&fs), config(), Hooks { signer: signer.clone(), ..hooks() }).unwrap();
    let log = node.log("alpha").unwrap();
    std::thread::scope(|scope| {
        *signer.0.lock() = 1;
        let first = scope.spawn(|| node.refresh_keys("alpha"));
        std::thread::sleep(Duration::from_millis(50));
        *signer.0.lock() = 2;
        node.refresh_keys("alpha").unwrap();
        first.join().unwrap().unwrap();
    });
    assert_eq!(LogIdentity::load(&fs, log.dir()).unwrap().vkeys.len(), 3);
}

/// A node that could not integrate for long has many segments: reading them must not take a file descriptor for each.
#[cfg(target_os = "linux")]
#[test]
fn a_long_wal_is_read_with_few_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let none = inferlog_log::wal::Scan { next_batch: 1, ..Default::default() };
    let mut writer = Writer::resume(Arc::new(RealFs), dir.path(), [1; 16], 32 << 10, &none).unwrap();
    for index in 0..150 {
        let append = append(&"x".repeat(20_000));
        writer.commit(&[Commit { log: LogId([2; 16]), index, append: &append }]).unwrap();
    }
    let mut most = 0;
    scan(&RealFs, dir.path(), [1; 16], |_, _, _| {
        most = most.max(std::fs::read_dir("/proc/self/fd").unwrap().count());
        Ok(())
    })
    .unwrap();
    assert!(most < 100, "{most} open files");
}
