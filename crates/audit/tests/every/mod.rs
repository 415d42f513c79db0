//! A log with a decision that has every state that a content can be in, and one whose entries were all purged.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

use std::path::Path;

use inferlog_audit::account::{Account, reconstruct};
use inferlog_audit::{Openings, Story, StoryOptions, story};
use inferlog_log::prune::{prune_entries, purge_packs};
use inferlog_record::body::{
    Aspect, Basis, Body, ContextAdded, Erasure, ErasurePhase, HoldPlaced, OrderKind, Outcome, Purge, Purged,
    Refusal, Scope, SystemChanged,
};
use inferlog_record::{
    Absent, Content, Count, Digest, Entry, Event, Id, MediaType, PayloadRole as Role, Pseudonym, Redaction,
    RedactionAction, Reference, RetentionClass, State, Why,
};

use crate::purge::{erasure, keeps, purge, with_pruner};
use crate::sealed::{Draft, Sealer, system};
use crate::world::{DAY_NS, DIR, closed, inference, name, opened};

pub struct States {
    pub sealer: Sealer,
    /// The one that has them all.
    pub decision: Id,
    /// One of those whose entries were all purged.
    pub gone: Id,
}

/// Writes an event of the system's life; its id.
fn life(sealer: &mut Sealer, body: impl Into<Body>) -> Id {
    let append = sealer.world.life("credit", body);
    let entry = Entry::from_bytes(&append.entry).unwrap();
    sealer.world.commit("credit", &[append]);
    sealer.world.tick(1_000_000);
    entry.events[0].id
}

fn text(sealer: &mut Sealer, draft: &mut Draft, event: &mut Event, role: Role, content: &str) {
    sealer.add(draft, event, role, MediaType::Text, content.as_bytes());
}

fn absent(sealer: &mut Sealer, role: Role, state: State, why: Why) -> Reference {
    let content = Content::Absent(Absent { state, reason: why.into() });
    Reference { payload: sealer.world.id(), role, content }
}

/// Decisions about others; the first one.
fn others(sealer: &mut Sealer, decisions: usize) -> Id {
    let mut first = None;
    for _ in 0..decisions {
        let (id, appends) = sealer.world.decision("credit", "default", 300);
        sealer.world.commit("credit", &appends);
        first.get_or_insert(id);
    }
    first.unwrap()
}

/// Day 1: what purges take, the opening with its entry. Day 3: what stays, what was never there, and what is nowhere. Another
/// person's part, erased.
pub fn states() -> States {
    let mut sealer = Sealer::new();
    life(
        &mut sealer,
        SystemChanged {
            aspect: Aspect::Policy,
            decision: None,
            name: None,
            new: Some(name("credit/3")),
            new_digest: Some(Digest([3; 32])),
            old: None,
            old_digest: None,
        },
    );
    let mut first = sealer.begin("ada");
    let decision = first.decision;
    let mut begun = sealer.world.event("credit", opened("loans"));
    text(&mut sealer, &mut first, &mut begun, Role::InputRaw, "please lend me 18,000 euros");
    sealer.write(&mut first, vec![begun]);
    let gone = others(&mut sealer, 128);
    let mut file = sealer.world.event("credit", ContextAdded::default());
    text(&mut sealer, &mut first, &mut file, Role::InputEnriched, "a customer since 2011");
    let file_id = file.id;
    let last = sealer.write(&mut first, vec![file]);
    others(&mut sealer, 128);
    sealer.world.tick(2 * DAY_NS);

    let mut ada = sealer.resume(decision, "ada");
    let call = call(&mut sealer, &mut ada, file_id);
    let call_id = call.id;
    sealer.write(&mut ada, vec![call]);
    let mut guarantor = sealer.resume(decision, "grace");
    let mut context = sealer.world.event("credit", ContextAdded::default());
    context.after = vec![call_id].into();
    text(&mut sealer, &mut guarantor, &mut context, Role::InputEnriched, "the guarantor earns 4,100 euros");
    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
    end.after = vec![context.id].into();
    sealer.write(&mut guarantor, vec![context, end]);

    let mut sealer = purged(sealer, last + 256);
    erased(&mut sealer, &guarantor);
    let hold = sealer.world.id();
    let scope = Scope { decisions: vec![decision].into(), ..Scope::default() };
    life(&mut sealer, HoldPlaced { basis: Basis::AuthorityOrder, by: None, hold, incident: None, scope });
    withheld(&mut sealer, &ada, hold);
    sealer.world.integrate();
    States { sealer, decision, gone }
}

/// The model's answer, with what a policy's rules and detectors left out, took out and put apart, and a payload that is nowhere.
fn call(sealer: &mut Sealer, ada: &mut Draft, after: Id) -> Event {
    let mut call = sealer.world.event("credit", inference());
    call.after = vec![after].into();
    text(sealer, ada, &mut call, Role::OutputRaw, "declined: too little is left each month");
    let lost = Reference { payload: sealer.world.id(), role: Role::InputAssembled, ..call.payloads[0] };
    text(sealer, ada, &mut call, Role::Split, "DE89 3704 0044 0532 0130 00");
    call.payloads.push(absent(sealer, Role::Headers, State::Redacted, Why::RedactedByPolicy));
    call.payloads.push(absent(sealer, Role::ParamsEffective, State::NotCaptured, Why::NotVisible));
    call.payloads.push(lost);
    let taken = |rule: &str, action, count| Redaction { action, count: Count(count), rule: name(rule) };
    call.redactions = vec![
        taken("email", RedactionAction::Redacted, 3),
        taken("iban", RedactionAction::Split, 1),
        taken("religion", RedactionAction::Dropped, 1),
    ]
    .into();
    call
}

/// Purges the payloads of the first day, and the entries of the first bundle.
fn purged(mut sealer: Sealer, last: u64) -> Sealer {
    life(
        &mut sealer,
        Purge { last: Count(last), kept: Count(0), ..purge(Purged::Payloads, Some("default")) },
    );
    sealer.world.integrate();
    let day = (crate::world::START_NS / DAY_NS) as u32;
    let scope = inferlog_vault::Scope { system: system(), class: RetentionClass::default(), day };
    let scopes = inferlog_vault::Erasure { scopes: vec![scope], ..inferlog_vault::Erasure::default() };
    sealer.vault.erase(&scopes, ([0; 16], 0)).unwrap();
    let (entries, kept) = (Count(256), Count(0));
    life(&mut sealer, Purge { last: Count(255), entries, kept, ..purge(Purged::Entries, None) });
    sealer.world.integrate();
    let (world, ()) = with_pruner(sealer.world, "credit", |pruner| {
        purge_packs(pruner, "default", last, &|_, _| false).unwrap();
        let nobody = Id::from_bytes([0xff; 16]).unwrap_or_else(|_| Id::new(0, &[0; 10]));
        assert_eq!(prune_entries(pruner, 256, &keeps(nobody)).unwrap().entries, 256);
    });
    sealer.world = world;
    sealer
}

/// The guarantor asks for her data to be erased, and it is.
fn erased(sealer: &mut Sealer, guarantor: &Draft) {
    let who = guarantor.subject.reference();
    let intent = life(sealer, erasure(ErasurePhase::Intent, vec![who.key], vec![who.pseudonym], None));
    sealer.world.integrate();
    sealer.erase(&guarantor.subject);
    let done = erasure(ErasurePhase::Completed, vec![who.key], vec![who.pseudonym], Some(intent));
    life(sealer, Erasure { certificate: Some(Digest([9; 32])), ..done });
}

/// Ada asks for her data to be erased, and the hold withholds the key of what is left.
fn withheld(sealer: &mut Sealer, ada: &Draft, hold: Id) {
    let who = ada.subject.reference();
    let key =
        sealer.world.event("credit", erasure(ErasurePhase::Intent, vec![who.key], vec![who.pseudonym], None));
    let intent = Event { body: key.body.clone(), ..key };
    let spared = Erasure {
        holds: vec![hold].into(),
        order: OrderKind::Request,
        refusals: vec![Refusal::Hold].into(),
        withheld: Count(1),
        ..erasure(ErasurePhase::Withheld, vec![ada.key_id()], Vec::new(), Some(intent.id))
    };
    life(sealer, spared);
    let append = sealer.world.append(
        None,
        vec![intent],
        "default",
        Pseudonym::new([0; 16]),
        inferlog_log::Payloads::default(),
        inferlog_log::Flags::NONE,
    );
    sealer.world.commit("credit", &[append]);
}

impl States {
    pub fn options(&self) -> StoryOptions<'_> {
        StoryOptions { openings: Some(&self.sealer.vault as &dyn Openings), ..StoryOptions::default() }
    }

    pub fn story(&self) -> Story {
        story(&self.sealer.world.fs, Path::new(DIR), self.decision, &self.options()).unwrap()
    }

    pub fn account(&self) -> Account {
        let fs = &self.sealer.world.fs;
        reconstruct(fs, Path::new(DIR), self.decision, &self.options(), None).unwrap()
    }
}
