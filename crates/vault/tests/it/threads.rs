//! Everything at once: no key is lost, no subject doubled, and nobody waits for ever.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, RwLock};

use inferlog_disk::sim::{Keep, SimFs};
use inferlog_vault::{Erasure, Vault, VaultError};

use crate::harness::{BACKUP, LOG, Payload, create, id, open, open_at, scope_of, system};

#[test]
fn threads_that_ask_for_one_identifier_get_one_subject() {
    let vault = create(&SimFs::new(1)).unwrap();
    let barrier = Barrier::new(8);
    let found: BTreeSet<_> = std::thread::scope(|threads| {
        let ask = || {
            barrier.wait();
            (0..50)
                .map(|n| vault.subject(&system(), format!("{n}").as_bytes()).unwrap().reference())
                .collect()
        };
        let handles: Vec<_> = (0..8).map(|_| threads.spawn(ask)).collect();
        handles.into_iter().flat_map(|handle| -> Vec<_> { handle.join().unwrap() }).collect()
    });
    assert_eq!(found.len(), 50);
}

/// What the threads share: the gate that keeps births back while an erasure runs, as the log's writer does.
struct Shared {
    vault: Vault,
    gate: RwLock<()>,
    payloads: Mutex<Vec<Payload>>,
    done: AtomicBool,
}

impl Shared {
    /// Decides, absorbs, and reads a few of the others' decisions.
    fn work(&self, thread: u64) {
        for n in 0..300 {
            let person = format!("person {}", (n * 7 + thread) % 40);
            let subject = self.vault.subject(&system(), person.as_bytes()).unwrap();
            let day = (n / 100) as u32;
            let key = match self.vault.decision_key(&scope_of(day), id(thread << 32 | n), &[subject]) {
                Err(VaultError::Erased) => continue,
                key => key.unwrap(),
            };
            let _gate = self.gate.read().unwrap();
            if !key.is_alive() {
                continue;
            }
            let payload = Payload::seal(&key, n, &person);
            self.vault.absorb(&key.births().unwrap()).unwrap();
            key.mark_durable();
            payload.assert_readable(&self.vault);
            self.payloads.lock().unwrap().push(payload);
        }
    }

    fn until_done(&self, mut each: impl FnMut(u64)) {
        for round in 1.. {
            each(round);
            if self.done.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Erases a person, and forgets the decisions about them.
    fn erase(&self, round: u64) {
        let person = format!("person {}", round % 40);
        let Some(subject) = self.vault.find_subject(&system(), person.as_bytes()).unwrap() else { return };
        let _gate = self.gate.write().unwrap();
        let erasure = Erasure { subjects: vec![subject.reference()], ..Erasure::default() };
        self.vault.erase(&erasure, (LOG, round)).unwrap();
        self.payloads.lock().unwrap().retain(|payload| {
            let erased = matches!(payload.read(&self.vault), Err(VaultError::Erased));
            assert!(!erased || payload.content == person.as_bytes());
            !erased
        });
    }
}

#[test]
fn deciding_absorbing_syncing_erasing_and_backing_up_at_once() {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let (gate, payloads, done) = (RwLock::new(()), Mutex::default(), AtomicBool::new(false));
    let shared = Shared { vault: open(&fs).unwrap(), gate, payloads, done };
    std::thread::scope(|threads| {
        let shared = &shared;
        let workers: Vec<_> = (0..3).map(|thread| threads.spawn(move || shared.work(thread))).collect();
        threads.spawn(|| shared.until_done(|round| shared.vault.sync_absorbed(&[(LOG, round)]).unwrap()));
        threads.spawn(|| shared.until_done(|round| shared.erase(round)));
        threads.spawn(|| shared.until_done(|_| shared.vault.backup(BACKUP.as_ref()).unwrap()));
        let ends: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        // Also after a panic, or the others would go on for ever.
        shared.done.store(true, Ordering::Release);
        ends.into_iter().for_each(|end| end.unwrap());
    });
    shared.vault.sync_absorbed(&[]).unwrap();
    shared.vault.backup(BACKUP.as_ref()).unwrap();
    let fs = fs.crash_keeping(Keep::Nothing);
    let payloads = shared.payloads.into_inner().unwrap();
    assert!(payloads.len() > 100, "{}", payloads.len());
    for vault in [open(&fs).unwrap(), open_at(&fs, BACKUP.as_ref()).unwrap()] {
        payloads.iter().for_each(|payload| payload.assert_readable(&vault));
    }
}
