//! Decisions whose payloads are sealed by a real vault, as the Recorder writes them.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, SeededRng};
use inferlog_log::{Append, BirthSink, Flags, HookError, Payloads};
use inferlog_record::{
    Content, DataClass, Entry, Event, Id, MediaType, PayloadRole, Reference, RetentionClass, Sealed,
    SystemName,
};
use inferlog_vault::{DecisionKey, Erasure, FileRoot, KeystoreId, Scope, SealContext, Subject, Vault};

use crate::world::{DIR, START_NS, World};

/// Takes births into a vault.
#[derive(Clone)]
struct Births(Vault);

impl BirthSink for Births {
    fn absorb(&self, births: &[u8]) -> Result<(), HookError> {
        self.0.absorb(births)?;
        Ok(())
    }

    fn sync(&self, marks: &[([u8; 16], u64)]) -> Result<(), HookError> {
        Ok(self.0.sync_absorbed(marks)?)
    }
}

pub fn system() -> SystemName {
    SystemName::new("credit").unwrap()
}

pub struct Sealer {
    pub world: World,
    pub vault: Vault,
    pub sim: SimFs,
    origin: String,
}

/// A decision being written.
pub struct Draft {
    pub decision: Id,
    pub subject: Subject,
    key: DecisionKey,
    sealed: Vec<(Id, Vec<u8>)>,
}

/// Where the root key lies, outside the data directory.
pub const ROOT: &str = "/root.key";

impl Draft {
    /// The key of what is sealed for it.
    pub fn key_id(&self) -> inferlog_record::KeyId {
        self.key.id()
    }
}

impl Sealer {
    pub fn new() -> Self {
        Self::with_segments(1 << 20)
    }

    pub fn with_segments(segment_bytes: u64) -> Self {
        let sim = SimFs::new(1);
        let fs: Arc<dyn Fs> = Arc::new(sim.clone());
        let keystore = Path::new(DIR).join("keystore");
        let rng = Arc::new(SeededRng::new(2));
        let roots = Box::new(FileRoot::without_modes(fs.clone(), PathBuf::from(ROOT)));
        let clock = Arc::new(ManualClock::new(START_NS));
        let vault = Vault::create(fs.clone(), rng, clock, &keystore, KeystoreId([5; 16]), roots).unwrap();
        let mut world = World::new(fs, Path::new(DIR), segment_bytes, Arc::new(Births(vault.clone())));
        let origin = world.create("credit");
        Self { world, vault, sim, origin }
    }

    pub fn begin(&mut self, person: &str) -> Draft {
        let decision = self.world.id();
        self.resume(decision, person)
    }

    /// Adds to a decision under a key of this day and this person.
    pub fn resume(&mut self, decision: Id, person: &str) -> Draft {
        let subject = self.vault.subject(&system(), person.as_bytes()).unwrap();
        let day = (self.world.now_ns / crate::world::DAY_NS) as u32;
        let scope = Scope { system: system(), class: RetentionClass::default(), day };
        let key = self.vault.decision_key(&scope, decision, std::slice::from_ref(&subject)).unwrap();
        Draft { decision, subject, key, sealed: Vec::new() }
    }

    /// Seals content into a payload of the event.
    pub fn add(
        &mut self,
        draft: &mut Draft,
        event: &mut Event,
        role: PayloadRole,
        media_type: MediaType,
        content: &[u8],
    ) {
        let payload = self.world.id();
        let context = SealContext { origin: &self.origin, event: event.id, role: role.as_str(), payload };
        let sealed = draft.key.seal(&context, content).unwrap();
        let content = Content::Sealed(Sealed {
            class: DataClass::Personal,
            media_type,
            encoding: sealed.encoding,
            size: sealed.size,
            key_id: draft.key.id(),
            commitment: sealed.commitment,
            sealed: sealed.sealed,
        });
        event.payloads.push(Reference { payload, role, content });
        draft.sealed.push((payload, sealed.bytes));
    }

    /// Commits events in one write, over as many entries as they need.
    pub fn write(&mut self, draft: &mut Draft, mut events: Vec<Event>) -> u64 {
        for event in &mut events {
            event.subjects.push(draft.subject.pseudonym());
        }
        let mut sealed = std::mem::take(&mut draft.sealed);
        let parts = Entry::new(Some(draft.decision), events).into_parts().unwrap();
        let mut appends = Vec::new();
        for part in parts {
            let mut payloads = Payloads::default();
            for reference in part.events.iter().flat_map(|event| &event.payloads) {
                if let Some(at) = sealed.iter().position(|(id, _)| *id == reference.payload)
                    && matches!(reference.content, Content::Sealed(_))
                {
                    let (id, bytes) = sealed.remove(at);
                    payloads.push(id.into_bytes(), &bytes);
                }
            }
            appends.push(Append {
                entry: part.to_bytes().unwrap(),
                decision: draft.decision.into_bytes(),
                logged_at_ns: self.world.now_ns,
                flags: Flags::NONE,
                class: "default".into(),
                payloads,
                births: Vec::new(),
            });
        }
        // What other events refer to is written with them.
        draft.sealed = sealed;
        appends[0].births = draft.key.births().unwrap();
        let index = self.world.commit("credit", &appends);
        draft.key.mark_durable();
        index
    }

    /// Destroys a person's key.
    pub fn erase(&self, subject: &Subject) {
        let erasure = Erasure { subjects: vec![subject.reference()], ..Erasure::default() };
        self.vault.erase(&erasure, ([0; 16], 0)).unwrap();
    }
}
