//! What one seal costs: `cargo bench -p inferlog-vault`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people")]

use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{Clock, OsRng, SystemClock};
use inferlog_record::{Id, RetentionClass, SystemName};
use inferlog_vault::{FileRoot, KeystoreId, Scope, SealContext, Vault, open_payload};

fn main() {
    let fs = Arc::new(SimFs::new(1));
    let roots = Box::new(FileRoot::without_modes(fs.clone(), "/root".into()));
    let (rng, clock) = (Arc::new(OsRng), Arc::new(SystemClock));
    let id = KeystoreId::random(&OsRng).unwrap();
    let vault = Vault::create(fs, rng, clock, "/keystore".as_ref(), id, roots).unwrap();
    let system = SystemName::new("bench").unwrap();
    let scope = Scope { system: system.clone(), class: RetentionClass::default(), day: 20_000 };
    let decision = Id::new(1, &[1; 10]);
    let subject = vault.subject(&system, b"somebody").unwrap();
    let key = vault.decision_key(&scope, decision, std::slice::from_ref(&subject)).unwrap();
    let context = SealContext {
        origin: "org/bench/0/20260101-00000000",
        event: decision,
        role: "input.raw",
        payload: decision,
    };

    let json = (0..26).map(|n| {
        format!(r#"{{"role":"user","content":"message number {n} of a talk that goes on and on"}},"#)
    });
    let json: String = json.collect::<String>().chars().take(2_048).collect();
    let noise: Vec<u8> = (0..2_048_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    measure("seal 2 KB of JSON", || drop(key.seal(&context, json.as_bytes()).unwrap()));
    measure("seal 2 KB of noise", || drop(key.seal(&context, &noise).unwrap()));
    measure("seal 100 bytes", || drop(key.seal(&context, &noise[..100]).unwrap()));
    let sealed = key.seal(&context, json.as_bytes()).unwrap();
    let data_key = key.data_key(decision).unwrap();
    measure("open 2 KB of JSON", || {
        open_payload(&data_key, &context, &sealed.bytes, sealed.encoding, &sealed.commitment, 1 << 20)
            .unwrap();
    });
    measure("find a subject", || drop(vault.subject(&system, b"somebody").unwrap()));
    measure("make a decision's key with a subject, and its birth", || {
        let key = vault.decision_key(&scope, decision, std::slice::from_ref(&subject)).unwrap();
        assert!(!key.births().unwrap().is_empty());
        key.mark_durable();
    });
    let mut births =
        (0..30_000).map(|_| vault.decision_key(&scope, decision, &[]).unwrap().births().unwrap());
    measure("absorb a birth, once it was made", || {
        vault.absorb(&births.next().unwrap()).unwrap();
    });
}

fn measure(what: &str, mut work: impl FnMut()) {
    const ROUNDS: u32 = 20_000;
    (0..ROUNDS / 10).for_each(|_| work());
    let start = SystemClock.boot_ns();
    (0..ROUNDS).for_each(|_| work());
    println!("{what}: {:.2} µs", (SystemClock.boot_ns() - start) as f64 / 1e3 / f64::from(ROUNDS));
}
