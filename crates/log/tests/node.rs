//! A node with its threads: acknowledgements, checkpoints, poison, full disks, restored backups.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use inferlog_disk::sim::{Fault, How, Op, SimFs};
use inferlog_disk::{ManualClock, SeededRng};
use inferlog_log::{Append, AppendError, Cursor, Env, Hooks, LogError, LogReader, Node, NodeConfig};
use world::{Births, OneKey, START_NS};

fn env(fs: &SimFs) -> Env {
    let clock = Arc::new(ManualClock::new(START_NS));
    Env { fs: Arc::new(fs.clone()), clock, rng: Arc::new(SeededRng::new(fs.call_count())) }
}

fn hooks(twins: Option<&str>) -> Hooks {
    Hooks {
        signer: Arc::new(OneKey::new()),
        births: Arc::new(Births::default()),
        twins: twins.map(Into::into),
    }
}

fn config(twins: Option<&str>) -> NodeConfig {
    let mut config = NodeConfig::new("/data");
    config.segment_bytes = 256 << 10;
    config.integrate_ms = 20;
    config.twins = twins.map(Into::into);
    config
}

fn open(fs: &SimFs) -> Result<Node, LogError> {
    Node::open(env(fs), config(None), hooks(None))
}

fn append(text: &str) -> Append {
    let (entry, class) = (text.as_bytes().to_vec(), "default".to_owned());
    Append { entry, class, logged_at_ns: START_NS, ..Append::default() }
}

#[tokio::test]
async fn concurrent_appends_take_consecutive_indices_and_come_under_a_checkpoint() {
    let fs = SimFs::new(1);
    let node = open(&fs).unwrap();
    let log = node.log("alpha").unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|writer| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut last = None;
                for number in 0..50 {
                    let text = format!("writer {writer} entry {number}");
                    let at = log.append(vec![append(&text), append(&text)]).await.unwrap().index;
                    assert!(
                        last.is_none_or(|last| at > last + 1),
                        "the two entries of an append are neighbours"
                    );
                    last = Some(at);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(log.len(), 800);
    node.integrate().await.unwrap();
    let reader = LogReader::new(Arc::new(fs.clone()), log.dir().clone());
    assert_eq!(reader.size().unwrap(), 800);
    let mut seen = std::collections::BTreeSet::new();
    let every = |_, entry: &[u8]| {
        seen.insert(entry.to_vec());
        true
    };
    reader.scan(0, 800, every).unwrap();
    assert_eq!(seen.len(), 400);
    assert_eq!(node.status().lag_ns, 0);
    node.close();
    assert!(matches!(log.append(vec![append("late")]).await, Err(AppendError::Closed)));
}

#[tokio::test]
async fn a_failed_sync_poisons_every_log_until_it_is_reopened() {
    let fs = SimFs::new(2);
    let node = open(&fs).unwrap();
    let (alpha, beta) = (node.log("alpha").unwrap(), node.log("beta").unwrap());
    alpha.append(vec![append("kept")]).await.unwrap();
    node.integrate().await.unwrap();
    fs.inject(Fault::on(|call| call.op == Op::SyncData && call.path.starts_with("/data/wal")).times(1));
    assert!(matches!(alpha.append(vec![append("lost")]).await, Err(AppendError::Poisoned(_))));
    assert!(matches!(beta.append(vec![append("refused")]).await, Err(AppendError::Poisoned(_))));
    assert!(node.status().poisoned.is_some());
    drop(node);
    let node = open(&fs).unwrap();
    assert!(node.log("alpha").unwrap().append(vec![append("again")]).await.unwrap().index >= 1);
    assert_eq!(node.status().poisoned, None);
}

#[tokio::test]
async fn an_integrator_that_fails_poisons_and_recovers() {
    let fs = SimFs::new(3);
    let node = open(&fs).unwrap();
    let log = node.log("alpha").unwrap();
    log.append(vec![append("one")]).await.unwrap();
    node.integrate().await.unwrap();
    fs.inject(
        Fault::on(|call| call.op == Op::SyncData && call.path.ends_with("tile/0/000.p/.tmp-2"))
            .how(How::NoEffect),
    );
    let _ = log.append(vec![append("two")]).await;
    assert!(matches!(node.integrate().await, Err(AppendError::Poisoned(_))));
    fs.clear_faults();
    drop(node);
    let node = open(&fs).unwrap();
    assert_eq!(node.log("alpha").unwrap().len(), 2);
}

#[tokio::test]
async fn a_full_disk_refuses_without_poison_and_goes_on_when_there_is_room() {
    let fs = SimFs::new(4);
    let node = open(&fs).unwrap();
    let log = node.log("alpha").unwrap();
    log.append(vec![append("first")]).await.unwrap();
    node.integrate().await.unwrap();
    let used: usize = fs.files().values().map(Vec::len).sum();
    fs.set_capacity(Some(used as u64));
    let big = "x".repeat(60_000);
    let mut refused = 0;
    for _ in 0..12 {
        match log.append(vec![append(&big)]).await {
            Ok(_) => {}
            Err(AppendError::Full(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    assert_eq!(node.status().poisoned, None);
    fs.set_capacity(None);
    log.append(vec![append("room again")]).await.unwrap();
    // The integrator tries again by itself.
    for _ in 0..100 {
        if node.integrate().await.is_ok() && node.status().stalled.is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let reader = LogReader::new(Arc::new(fs.clone()), log.dir().clone());
    assert_eq!(reader.size().unwrap(), log.len());
}

/// Promise 4: with the twin in another failure domain a restored old backup never forks.
#[tokio::test]
async fn a_restored_backup_refuses_to_sign_where_the_twin_is_elsewhere() {
    for elsewhere in [true, false] {
        let fs = SimFs::new(5);
        let twins = elsewhere.then_some("/elsewhere");
        let node = Node::open(env(&fs), config(twins), hooks(twins)).unwrap();
        let log = node.log("alpha").unwrap();
        log.append(vec![append("old")]).await.unwrap();
        node.integrate().await.unwrap();
        node.close();
        drop(node);
        let backup: Vec<_> = fs.files().into_iter().filter(|(path, _)| path.starts_with("/data")).collect();
        let node = Node::open(env(&fs), config(twins), hooks(twins)).unwrap();
        node.log("alpha").unwrap().append(vec![append("new")]).await.unwrap();
        node.integrate().await.unwrap();
        node.close();
        drop(node);
        restore(&fs, backup);
        let reopened = Node::open(env(&fs), config(twins), hooks(twins));
        match (elsewhere, reopened) {
            (true, Err(LogError::Forked { .. })) | (false, Ok(_)) => {}
            (_, other) => panic!("twin elsewhere: {elsewhere}: {:?}", other.err()),
        }
    }
}

/// The same, where other entries were written after the restore and before the twin was reachable.
#[tokio::test]
async fn a_fork_of_equal_or_greater_size_is_refused_too() {
    let fs = SimFs::new(6);
    let node = Node::open(env(&fs), config(Some("/elsewhere")), hooks(Some("/elsewhere"))).unwrap();
    let log = node.log("alpha").unwrap();
    log.append(vec![append("old")]).await.unwrap();
    node.integrate().await.unwrap();
    node.close();
    drop(node);
    let backup: Vec<_> = fs.files().into_iter().filter(|(path, _)| path.starts_with("/data")).collect();
    for (texts, twins) in [(vec!["a"], Some("/elsewhere")), (vec!["b", "c", "d"], None)] {
        let node = Node::open(env(&fs), config(twins), hooks(twins)).unwrap();
        for text in texts {
            node.log("alpha").unwrap().append(vec![append(text)]).await.unwrap();
        }
        node.integrate().await.unwrap();
        node.close();
        drop(node);
        if twins.is_some() {
            restore(&fs, backup.clone());
        }
    }
    let reopened = Node::open(env(&fs), config(Some("/elsewhere")), hooks(Some("/elsewhere")));
    assert!(matches!(reopened, Err(LogError::Forked { .. })), "{:?}", reopened.err());
}

fn restore(fs: &SimFs, backup: Vec<(std::path::PathBuf, Vec<u8>)>) {
    use inferlog_disk::Fs;
    for path in fs.files().into_keys().filter(|path| path.starts_with("/data")) {
        fs.remove_file(&path).unwrap();
    }
    for (path, bytes) in backup {
        let file = fs.open(&path, inferlog_disk::Open::CreateNew).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
    }
}

#[tokio::test]
async fn only_one_process_writes() {
    let fs = SimFs::new(7);
    let node = open(&fs).unwrap();
    assert!(matches!(open(&fs), Err(LogError::Locked(_))));
    drop(node);
    open(&fs).unwrap();
}

#[tokio::test]
async fn limits_are_refused_with_a_reason() {
    let fs = SimFs::new(8);
    let node = open(&fs).unwrap();
    let log = node.log("alpha").unwrap();
    let class = Append { class: "../escape".into(), ..append("x") };
    for bad in [append(""), append(&"x".repeat(65_536)), class] {
        assert!(matches!(log.append(vec![bad]).await, Err(AppendError::Invalid(_))));
    }
    let mut huge = append("x");
    huge.payloads.push([1; 16], &vec![0; 300 << 10]);
    assert!(matches!(log.append(vec![huge]).await, Err(AppendError::Invalid(_))));
    assert!(matches!(log.append(Vec::new()).await, Err(AppendError::Invalid(_))));
    assert!(log.append(vec![append(&"x".repeat(65_535))]).await.is_ok());
    for name in ["", "..", "a/b", "-x", "ü", &"x".repeat(64)] {
        assert!(matches!(node.log(name), Err(LogError::Name { .. })), "{name:?}");
    }
}

#[tokio::test]
async fn a_new_epoch_is_a_new_origin_and_the_old_one_stays_readable() {
    let fs = SimFs::new(9);
    let node = open(&fs).unwrap();
    let old = node.log("alpha").unwrap();
    old.append(vec![append("old")]).await.unwrap();
    let new = node.new_epoch("alpha").unwrap();
    assert_ne!(old.identity().origin, new.identity().origin);
    new.append(vec![append("new"), append("newer")]).await.unwrap();
    node.integrate().await.unwrap();
    for (log, size) in [(&old, 1), (&new, 2)] {
        let reader = LogReader::new(Arc::new(fs.clone()), log.dir().clone());
        assert_eq!(reader.size().unwrap(), size);
    }
}

#[tokio::test]
async fn a_cursor_survives_a_crash() {
    let fs = SimFs::new(10);
    let node = open(&fs).unwrap();
    let dir = node.log("alpha").unwrap().dir().clone();
    let cursor = Cursor::open(Arc::new(fs.clone()), &dir, "index").unwrap();
    assert_eq!(cursor.load().unwrap(), 0);
    cursor.store(17).unwrap();
    drop(node);
    let fs = fs.crash();
    assert_eq!(Cursor::open(Arc::new(fs.clone()), &dir, "index").unwrap().load().unwrap(), 17);
    assert!(Cursor::open(Arc::new(fs), &dir, "../index").is_err());
}
