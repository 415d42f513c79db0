//! A log of which payloads and entries were purged as the log crate does it, with a hold and an erasure in it.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_log::prune::{Pruner, prune_entries, purge_packs};
use inferlog_record::body::{
    Basis, Body, Erasure, ErasurePhase, HoldPlaced, HoldReleased, OrderKind, Purge, Purged, Scope,
};
use inferlog_record::{Count, Entry, Id, KeyId, Pseudonym, RetentionClass};
use parking_lot::Mutex;

use crate::world::{DAY_NS, World, name};

/// A log of 777 entries, its first two bundles pruned.
pub struct Pruned {
    pub fs: SimFs,
    pub world: World,
    /// The decisions, in order.
    pub decisions: Vec<Id>,
    /// The one that a hold keeps.
    pub held: Id,
    pub hold: Id,
    /// Its two entries.
    pub held_entries: [u64; 2],
}

/// The last entry that is purged.
pub const LAST: u64 = 511;

/// Gives the right to prune to `prune`, and takes it back.
pub fn with_pruner<T>(mut world: World, system: &str, prune: impl FnOnce(&Pruner) -> T) -> (World, T) {
    let (fs, dir) = (world.fs.clone(), world.dir(system).clone());
    let owner = Arc::new(Mutex::new(world.recovered.integrator));
    let pruner = Pruner::new(fs, dir, owner.clone());
    let result = prune(&pruner);
    drop(pruner);
    world.recovered.integrator = Arc::into_inner(owner).unwrap().into_inner();
    (world, result)
}

/// What a purge keeps: what is permanent, and what is held.
pub fn keeps(held: Id) -> impl Fn(u64, &[u8]) -> bool {
    move |_, bytes| {
        let entry = Entry::from_bytes(bytes).unwrap();
        let is_permanent = |body: &Body| {
            matches!(
                body,
                Body::Erasure(_)
                    | Body::Purge(_)
                    | Body::HoldPlaced(_)
                    | Body::HoldReleased(_)
                    | Body::Incident(_)
            )
        };
        entry.decision == Some(held) || entry.events.iter().any(|event| is_permanent(&event.body))
    }
}

impl Pruned {
    /// The log before anything is purged: a hold stands, a person was erased.
    pub fn before() -> Self {
        let (fs, mut world) = World::sim(1 << 20);
        world.create("credit");
        let mut decisions = Vec::new();
        let mut held_entries = [0; 2];
        for number in 0..256 {
            let (id, appends) = world.decision("credit", "default", 300);
            let first = world.commit("credit", &appends);
            if number == 20 {
                held_entries = [first, first + 1];
            }
            decisions.push(id);
            if number == 100 {
                world.tick(DAY_NS);
            }
        }
        world.tick(2 * DAY_NS);
        let (held, hold) = (decisions[20], world.id());
        let scope = Scope { decisions: vec![held].into(), ..Scope::default() };
        let mut pruned = Self { fs, world, decisions, held, hold, held_entries };
        pruned.say(HoldPlaced { basis: Basis::AuthorityOrder, by: None, hold, incident: None, scope });
        // Somebody else's key was destroyed.
        let person = Pseudonym::new([7; 16]);
        let elsewhere = KeyId { page: 900, slot: 1 };
        let announced = erasure(ErasurePhase::Intent, vec![elsewhere], vec![person], None);
        let intent = pruned.say_named(announced).1;
        pruned.say(erasure(ErasurePhase::Completed, vec![elsewhere], vec![person], Some(intent)));
        for _ in 0..130 {
            let (id, appends) = pruned.world.decision("credit", "default", 300);
            pruned.world.commit("credit", &appends);
            pruned.decisions.push(id);
        }
        pruned.world.integrate();
        pruned
    }

    /// The same, its first two bundles and their payloads purged.
    pub fn new() -> Self {
        Self::before().purge_payloads().purge_entries()
    }

    /// Records an event of the system's life that no policy removes.
    pub fn say(&mut self, body: impl Into<Body>) -> u64 {
        self.say_named(body).0
    }

    /// The same; its index and its event.
    pub fn say_named(&mut self, body: impl Into<Body>) -> (u64, Id) {
        let append = self.world.life("credit", body);
        let mut entry = Entry::from_bytes(&append.entry).unwrap();
        entry.events[0].retention = RetentionClass::permanent();
        let append =
            inferlog_log::Append { entry: entry.to_bytes().unwrap(), class: "permanent".into(), ..append };
        self.world.tick(1_000_000);
        (self.world.commit("credit", &[append]), entry.events[0].id)
    }

    pub fn purge_payloads(mut self) -> Self {
        self.say(Purge { kept: Count(2), ..purge(Purged::Payloads, Some("default")) });
        self.world.integrate();
        let held = self.held_entries;
        let (world, told) = with_pruner(self.world, "credit", |pruner| {
            purge_packs(pruner, "default", LAST, &|index, _| held.contains(&index)).unwrap()
        });
        assert!(told.packs.len() >= 2 && told.kept == 2, "{told:?}");
        Self { world, ..self }
    }

    pub fn purge_entries(mut self) -> Self {
        self.say(Purge { kept: Count(2), entries: Count(510), ..purge(Purged::Entries, None) });
        self.world.integrate();
        let (world, told) = with_pruner(self.world, "credit", |pruner| {
            prune_entries(pruner, LAST + 1, &keeps(self.held)).unwrap()
        });
        assert_eq!((told.first, told.entries, told.kept), (512, 510, 2));
        Self { world, ..self }
    }

    /// The person of a decision, and the key of what it holds.
    pub fn person(&self, index: u64) -> (Pseudonym, KeyId) {
        let reader = inferlog_log::LogReader::new(self.world.fs.clone(), self.world.dir("credit").clone());
        let entry = Entry::from_bytes(&reader.entry(index, self.world.size("credit")).unwrap()).unwrap();
        let event = &entry.events[0];
        let sealed = event.payloads.iter().find_map(|reference| match reference.content {
            inferlog_record::Content::Sealed(sealed) => Some(sealed),
            _ => None,
        });
        (event.subjects[0], sealed.unwrap().key_id)
    }
}

pub fn purge(what: Purged, class: Option<&str>) -> Purge {
    Purge {
        what,
        bytes: Count(1),
        class: class.map(|class| RetentionClass::new(class).unwrap()),
        entries: Count(510),
        first: Count(0),
        holds: Vec::new().into(),
        kept: Count(2),
        last: Count(LAST),
        packs: Vec::new().into(),
        payloads: Count(510),
        policy: name("credit/3"),
        policy_sha256: None,
    }
}

pub fn released(hold: Id) -> HoldReleased {
    HoldReleased { basis: Basis::AuthorityOrder, by: None, hold }
}

pub fn erasure(
    phase: ErasurePhase,
    keys: Vec<KeyId>,
    subjects: Vec<Pseudonym>,
    intent: Option<Id>,
) -> Erasure {
    Erasure {
        backup_horizon: None,
        by: None,
        certificate: None,
        decisions: Count(1),
        holds: Vec::new().into(),
        intent,
        keys: keys.into(),
        order: OrderKind::Request,
        phase,
        refusals: Vec::new().into(),
        resumes: None,
        root_epoch: None,
        stores: Vec::new().into(),
        subjects: subjects.into(),
        until: None,
        withheld: Count(0),
    }
}
