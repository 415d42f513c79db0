//! A keystore on a simulated disk, a stand-in for the log that carries its births, and payloads to read back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use inferlog_disk::sim::SimFs;
use inferlog_disk::{ManualClock, SeededRng};
use inferlog_record::{Id, KeyId, RetentionClass, SystemName};
use inferlog_vault::{
    DecisionKey, FileRoot, KeystoreId, Result, RootKey, Scope, SealContext, SealedPayload, Subject, Vault,
    VaultError, open_payload,
};

pub(crate) const KEYSTORE: &str = "/data/keystore";
pub(crate) const BACKUP: &str = "/mnt/backup";
pub(crate) const ROOT: &str = "/home/inferlog.root";
pub(crate) const ORIGIN: &str = "org/credit/0/20260101-00000000";
pub(crate) const LOG: [u8; 16] = [9; 16];
pub(crate) const DAY: u32 = 20_454;

pub(crate) fn system() -> SystemName {
    SystemName::new("credit").unwrap()
}

pub(crate) fn scope() -> Scope {
    scope_of(DAY)
}

pub(crate) fn scope_of(day: u32) -> Scope {
    Scope { system: system(), class: RetentionClass::default(), day }
}

pub(crate) fn id(n: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    Id::new(1_767_225_600_000, &random)
}

/// Every opening draws other randomness, as a real one would.
pub(crate) fn rng() -> Arc<SeededRng> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Arc::new(SeededRng::new(SEED.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn roots(fs: &SimFs) -> Box<FileRoot> {
    Box::new(FileRoot::without_modes(Arc::new(fs.clone()), ROOT.into()))
}

pub(crate) fn create(fs: &SimFs) -> Result<Vault> {
    let clock = Arc::new(ManualClock::new(1_767_225_600_000_000_000));
    let id = KeystoreId([0x5a; 16]);
    Vault::create(Arc::new(fs.clone()), rng(), clock, KEYSTORE.as_ref(), id, roots(fs))
}

pub(crate) fn open(fs: &SimFs) -> Result<Vault> {
    Ok(open_at(fs, KEYSTORE.as_ref())?.with_backups(vec![PathBuf::from(BACKUP)]))
}

pub(crate) fn open_at(fs: &SimFs, dir: &Path) -> Result<Vault> {
    let clock = Arc::new(ManualClock::new(1_767_225_600_000_000_000));
    Vault::open(Arc::new(fs.clone()), rng(), clock, dir, roots(fs))
}

pub(crate) fn root_of(fs: &SimFs) -> RootKey {
    let files = fs.files();
    RootKey::parse(std::str::from_utf8(&files[&PathBuf::from(ROOT)]).unwrap()).unwrap()
}

/// A payload that was sealed, and what it says.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) key: KeyId,
    pub(crate) decision: Id,
    pub(crate) payload: Id,
    pub(crate) sealed: SealedPayload,
    pub(crate) content: Vec<u8>,
}

impl Payload {
    pub(crate) fn seal(key: &DecisionKey, n: u64, content: &str) -> Self {
        let payload = id(n);
        let sealed = key.seal(&context(key.owner(), payload), content.as_bytes()).unwrap();
        Self { key: key.id(), decision: key.owner(), payload, sealed, content: content.into() }
    }

    /// Opens it with the key that the vault has, and checks the content.
    pub(crate) fn read(&self, vault: &Vault) -> Result<()> {
        let data_key = vault.data_key(self.key, self.payload)?;
        let SealedPayload { bytes, encoding, commitment, .. } = &self.sealed;
        let context = context(self.decision, self.payload);
        let content = open_payload(&data_key, &context, bytes, *encoding, commitment, 1 << 20).unwrap();
        assert_eq!(content, self.content);
        Ok(())
    }

    #[track_caller]
    pub(crate) fn assert_readable(&self, vault: &Vault) {
        if let Err(error) = self.read(vault) {
            panic!("{} is not readable: {error}", String::from_utf8_lossy(&self.content));
        }
    }

    #[track_caller]
    pub(crate) fn assert_erased(&self, vault: &Vault) {
        match self.read(vault) {
            Err(VaultError::Erased) => {}
            other => panic!("{}: {other:?}", String::from_utf8_lossy(&self.content)),
        }
    }
}

/// The context of a payload in these tests: the event has its decision's id.
pub(crate) fn context(event: Id, payload: Id) -> SealContext<'static> {
    SealContext { origin: ORIGIN, event, role: "input.raw", payload }
}

/// The births that the log holds: durable, in order, until they are recycled.
#[derive(Clone, Default)]
pub(crate) struct Wal {
    frames: Vec<Option<Vec<u8>>>,
}

impl Wal {
    /// A frame with the key's births is acknowledged.
    pub(crate) fn append(&mut self, key: &DecisionKey) {
        self.frames.push(Some(key.births().unwrap()));
        key.mark_durable();
    }

    pub(crate) fn len(&self) -> u64 {
        self.frames.len() as u64
    }

    /// What recovery and integration do: absorbs every birth that is not known to be in the pages.
    pub(crate) fn absorb(&self, vault: &Vault) -> Result<()> {
        let from = vault.absorbed().get(&LOG).copied().unwrap_or(0);
        for index in from..self.len() {
            let frame = self.frames[index as usize].as_ref();
            let births = frame.expect("births below the absorbed index alone were recycled");
            let intake = vault.absorb(births)?;
            assert_eq!(intake.lost, 0);
        }
        Ok(())
    }

    pub(crate) fn integrate(&self, vault: &Vault) -> Result<()> {
        self.absorb(vault)?;
        vault.sync_absorbed(&[(LOG, self.len())])
    }

    /// Reuses the segments: what the keystore calls absorbed is gone from here.
    pub(crate) fn recycle(&mut self, vault: &Vault) {
        let to = vault.absorbed().get(&LOG).copied().unwrap_or(0);
        self.frames[..to as usize].iter_mut().for_each(|frame| *frame = None);
    }

    pub(crate) fn births(&self) -> Vec<Vec<u8>> {
        self.frames.iter().flatten().cloned().collect()
    }
}

/// Decisions about Alice, about Bob, about both, about nobody.
#[derive(Clone)]
pub(crate) struct People {
    pub(crate) alice: Subject,
    pub(crate) bob: Subject,
    pub(crate) of_alice: Payload,
    pub(crate) of_bob: Payload,
    pub(crate) of_both: Payload,
    pub(crate) of_nobody: Payload,
    pub(crate) wal: Wal,
}

pub(crate) fn people(vault: &Vault) -> People {
    let alice = vault.subject(&system(), b"alice@example.org").unwrap();
    let bob = vault.subject(&system(), b"bob@example.org").unwrap();
    let mut wal = Wal::default();
    let mut decide = |n: u64, subjects: &[Subject], content: &str| {
        let key = vault.decision_key(&scope(), id(n), subjects).unwrap();
        wal.append(&key);
        Payload::seal(&key, 100 + n, content)
    };
    let of_alice = decide(1, std::slice::from_ref(&alice), "Alice asks for a loan of 10,000");
    let of_bob = decide(2, std::slice::from_ref(&bob), "Bob asks for a loan of 20,000");
    let of_both = decide(3, &[alice.clone(), bob.clone()], "Alice and Bob ask for a loan of 30,000");
    let of_nobody = decide(4, &[], "somebody asks for the rate");
    People { alice, bob, of_alice, of_bob, of_both, of_nobody, wal }
}
