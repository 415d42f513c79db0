//! A crash, or a failure, at every call to the file system, in every operation that writes.
//!
//! After each the keystore is opened anew, the log's births are absorbed again as recovery does, and every key that was in an
//! acknowledged frame must be there, but for those erased. The log is then recycled, and the machine crashes once more with
//! nothing kept that was not synced: what the keystore called durable must be.

use std::path::Path;

use inferlog_disk::sim::{Fault, How, Keep, SimFs};
use inferlog_vault::{Erasure, Result, Vault};

use crate::harness::{
    BACKUP, LOG, ORIGIN, Payload, People, Wal, create, id, open, people, root_of, scope, scope_of, system,
};

/// A keystore with people in it, everything integrated, a second backup due.
struct Setup {
    fs: SimFs,
    people: People,
}

fn setup() -> Setup {
    let fs = SimFs::new(1);
    drop(create(&fs).unwrap());
    let vault = open(&fs).unwrap();
    let mut people = people(&vault);
    people.wal.integrate(&vault).unwrap();
    people.wal.recycle(&vault);
    vault.backup(BACKUP.as_ref()).unwrap();
    Setup { fs, people }
}

/// What an operation leaves to check: frames that were acknowledged, and payloads sealed under their keys.
#[derive(Default)]
struct Acked {
    wal: Wal,
    payloads: Vec<Payload>,
}

impl Acked {
    fn decide(&mut self, vault: &Vault, day: u32, n: u64, who: &str) -> Result<()> {
        let subject = vault.subject(&system(), who.as_bytes())?;
        let key = vault.decision_key(&scope_of(day), id(n), &[subject])?;
        self.payloads.push(Payload::seal(&key, 1_000 + n, who));
        self.wal.append(&key);
        Ok(())
    }
}

type Operation = fn(&Vault, &People, &mut Acked) -> Result<()>;

/// What an operation erases.
type Erases = fn(&People) -> Erasure;

fn erase_alice(people: &People) -> Erasure {
    Erasure {
        subjects: vec![people.alice.reference()],
        keys: vec![people.of_nobody.key],
        ..Erasure::default()
    }
}

fn erase(vault: &Vault, people: &People, acked: &mut Acked) -> Result<()> {
    acked.decide(vault, 7, 50, "carol")?;
    acked.wal.integrate(vault)?;
    vault.erase(&erase_alice(people), (LOG, 9)).map(drop)
}

/// The same, but for what Alice and Bob share.
fn erase_but_shared(vault: &Vault, people: &People, acked: &mut Acked) -> Result<()> {
    acked.decide(vault, 7, 50, "carol")?;
    acked.wal.integrate(vault)?;
    vault.erase(&erase_alice_but_shared(people), (LOG, 9)).map(drop)
}

fn erase_alice_but_shared(people: &People) -> Erasure {
    Erasure { withhold: vec![people.of_both.key], ..erase_alice(people) }
}

fn integrate(vault: &Vault, _: &People, acked: &mut Acked) -> Result<()> {
    // New pages, more of old ones, and so many that page keys run out.
    for n in 0..24 {
        acked.decide(vault, n / 2, 50 + u64::from(n), &format!("{}", n % 5))?;
        if n % 8 == 3 {
            acked.wal.integrate(vault)?;
            acked.wal.recycle(vault);
        }
    }
    acked.wal.integrate(vault)
}

fn add_subject(vault: &Vault, people: &People, acked: &mut Acked) -> Result<()> {
    acked.decide(vault, 7, 50, "carol")?;
    acked.wal.integrate(vault)?;
    let dora = vault.subject(&system(), b"dora")?;
    vault.add_subject(people.of_bob.key, &dora)
}

fn rotate_and_back_up(vault: &Vault, _: &People, acked: &mut Acked) -> Result<()> {
    acked.decide(vault, 7, 50, "carol")?;
    vault.rotate_signing_key(ORIGIN)?;
    acked.wal.integrate(vault)?;
    vault.backup(BACKUP.as_ref())
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Power is lost during it.
    PowerLoss,
    /// The process is killed during it. What it wrote is readable, and as little durable as before.
    Kill,
    /// It reports an error; the keystore is opened anew in the same process, or in another.
    Error(How),
}

/// Runs `operation` once for every call that it makes, and ends that call in every way.
fn break_every_call(operation: Operation, erases: Option<Erases>) {
    let errors = [How::NoEffect, How::Applied, How::Partial].map(End::Error);
    for end in [End::PowerLoss, End::Kill].into_iter().chain(errors) {
        break_every_call_so(operation, erases, end);
    }
}

fn break_every_call_so(operation: Operation, erases: Option<Erases>, end: End) {
    let setup = setup();
    let run = |fs: &SimFs, acked: &mut Acked| {
        let vault = open(fs)?;
        acked.wal = setup.people.wal.clone();
        operation(&vault, &setup.people, acked)
    };
    let calls = {
        let fs = setup.fs.fork(0);
        run(&fs, &mut Acked::default()).unwrap();
        fs.call_count()
    };
    assert!(calls > 20, "{calls}");
    for call in 0..calls {
        let fs = setup.fs.fork(call);
        let how = if let End::Error(how) = end { how } else { How::PowerLoss };
        fs.inject(Fault::at(call).how(how));
        let mut acked = Acked { wal: setup.people.wal.clone(), ..Acked::default() };
        let outcome = run(&fs, &mut acked);
        assert_eq!(fs.faults_fired(), 1, "call {call}");
        fs.clear_faults();
        let fs = if end == End::PowerLoss { fs.crash() } else { fs.kill() };
        let fs = check(&fs, &setup, &mut acked, &format!("call {call}, {end:?}, {outcome:?}"));
        if let Some(erases) = erases.filter(|erases| !erases(&setup.people).withhold.is_empty()) {
            // Before, after, and in between.
            assert_eq!(erases(&setup.people).withhold, [setup.people.of_both.key]);
            setup.people.of_both.assert_readable(&open(&fs).unwrap());
        }
        if let Some(erases) = erases {
            finish_erasure(&fs, &setup, &acked, outcome.is_ok(), erases);
        }
    }
}

/// Recovers twice, the second time from what is durable alone. Returns the file system after that.
fn check(fs: &SimFs, setup: &Setup, acked: &mut Acked, what: &str) -> SimFs {
    let vault = open(fs).unwrap_or_else(|error| panic!("{what}: {error}"));
    acked.wal.integrate(&vault).unwrap_or_else(|error| panic!("{what}: {error}"));
    check_readable(&vault, setup, acked, what);
    // Life goes on, on pages that were new when it was interrupted.
    for day in 400..403 {
        acked.decide(&vault, day, 900 + u64::from(day), "eve").unwrap();
    }
    acked.wal.integrate(&vault).unwrap();
    acked.wal.recycle(&vault);
    let fs = fs.crash_keeping(Keep::Nothing);
    let vault = open(&fs).unwrap_or_else(|error| panic!("{what}, then nothing kept: {error}"));
    acked.wal.absorb(&vault).unwrap();
    check_readable(&vault, setup, acked, &format!("{what}, then nothing kept"));
    fs
}

fn check_readable(vault: &Vault, setup: &Setup, acked: &Acked, what: &str) {
    for payload in acked.payloads.iter().chain([&setup.people.of_bob]) {
        let person = String::from_utf8_lossy(&payload.content);
        payload.read(vault).unwrap_or_else(|error| panic!("{what}: {person}: {error}"));
    }
    let bob = vault.find_subject(&system(), b"bob@example.org").unwrap().unwrap();
    assert_eq!(bob.reference(), setup.people.bob.reference());
    // All of the erasure happened or none of it.
    let erased =
        [&setup.people.of_alice, &setup.people.of_nobody].map(|payload| payload.read(vault).is_err());
    assert_eq!(erased[0], erased[1], "{what}");
    let alice = vault.find_subject(&system(), b"alice@example.org").unwrap();
    assert_eq!(alice.is_none(), erased[0], "{what}");
}

/// Replays the erasure, as recovery does, and lets the adversary look. What the backup place holds is settled by then too.
fn finish_erasure(fs: &SimFs, setup: &Setup, acked: &Acked, was_done: bool, erases: Erases) {
    let erasure = erases(&setup.people);
    let shared_stays = !erasure.withhold.is_empty();
    let vault = open(fs).unwrap();
    acked.wal.integrate(&vault).unwrap();
    if was_done {
        setup.people.of_alice.assert_erased(&vault);
    }
    let report = vault.erase(&erasure, (LOG, 9)).unwrap();
    assert!(report.backups.iter().all(|backup| backup.failed.is_none()), "{report:?}");
    assert!(report.leftovers.is_empty());
    setup.people.of_alice.assert_erased(&vault);
    setup.people.of_bob.assert_readable(&vault);

    let mut loot = crate::reader::Loot::default();
    let data = fs.files().into_iter().filter(|(path, _)| !path.starts_with(Path::new("/home")));
    loot.files = data.map(|(_, file)| file).collect();
    // With every file from before, too.
    loot.files.extend(setup.fs.files().into_values());
    loot.roots.push(crate::erasure::bare(&root_of(fs)));
    let read = loot.read();
    assert!(read.tables > 1, "the present table and the backup's");
    for payload in [&setup.people.of_alice, &setup.people.of_nobody] {
        assert_eq!(read.payload(payload), None);
    }
    assert_eq!(read.payload(&setup.people.of_both).is_some(), shared_stays);
    assert_eq!(setup.people.of_both.read(&vault).is_ok(), shared_stays);
    assert!(read.payload(&setup.people.of_bob).is_some());
    let names: Vec<_> =
        fs.files().into_keys().filter(|path| path.to_string_lossy().contains("table.")).collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn erasing() {
    break_every_call(erase, Some(erase_alice));
}

#[test]
fn erasing_but_for_what_is_withheld() {
    break_every_call(erase_but_shared, Some(erase_alice_but_shared));
}

#[test]
fn integrating_births() {
    break_every_call(integrate, None);
}

#[test]
fn adding_a_late_subject() {
    break_every_call(add_subject, None);
}

#[test]
fn rotating_a_signing_key_and_backing_up() {
    break_every_call(rotate_and_back_up, None);
}

#[test]
fn creating() {
    let calls = {
        let fs = SimFs::new(0);
        create(&fs).unwrap();
        fs.call_count()
    };
    for how in [How::PowerLoss, How::NoEffect, How::Applied] {
        for call in 0..calls {
            let fs = SimFs::new(call);
            fs.inject(Fault::at(call).how(how));
            let _ = create(&fs);
            fs.clear_faults();
            let fs = fs.crash();
            // A root key that was written before there was a keystore is moved away by hand, as the error says.
            let vault = match open(&fs).or_else(|_| create(&fs)) {
                Err(error) if error.to_string().contains("holds a root key already") => {
                    inferlog_disk::Fs::remove_file(&fs, crate::harness::ROOT.as_ref()).unwrap();
                    create(&fs).unwrap()
                }
                other => other.unwrap_or_else(|error| panic!("call {call}, {how:?}: {error}")),
            };
            assert!(vault.decision_key(&scope(), id(1), &[]).is_ok());
        }
    }
}

/// A crash in the recovery from a crash in an erasure.
#[test]
fn recovering() {
    let setup = setup();
    let calls = {
        let fs = setup.fs.fork(0);
        erase(
            &open(&fs).unwrap(),
            &setup.people,
            &mut Acked { wal: setup.people.wal.clone(), ..Acked::default() },
        )
        .unwrap();
        fs.call_count()
    };
    for call in (0..calls).step_by(3) {
        let fs = setup.fs.fork(call);
        fs.inject(Fault::at(call).how(How::PowerLoss));
        let mut acked = Acked { wal: setup.people.wal.clone(), ..Acked::default() };
        let _ = open(&fs).and_then(|vault| erase(&vault, &setup.people, &mut acked));
        fs.clear_faults();
        let crashed = fs.crash();
        let opening = {
            let fs = crashed.fork(call);
            open(&fs).unwrap();
            fs.call_count()
        };
        for second in 0..opening {
            let fs = crashed.fork(call * 1_000 + second);
            fs.inject(Fault::at(second).how(How::PowerLoss));
            assert!(open(&fs).is_err());
            fs.clear_faults();
            let what = format!("call {call}, then call {second} of the opening");
            let mut acked = Acked { wal: acked.wal.clone(), payloads: acked.payloads.clone() };
            let fs = check(&fs.crash(), &setup, &mut acked, &what);
            finish_erasure(&fs, &setup, &acked, false, erase_alice);
        }
    }
}
