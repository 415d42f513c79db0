//! One decision that has every state that a content can be in, told in every form.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod purge;
mod sealed;
mod world;

use std::path::Path;

use inferlog_audit::account::{Account, reconstruct, to_html};
use inferlog_audit::{Openings, Story, StoryOptions, TextOptions, story};
use inferlog_record::body::{
    Aspect, Basis, Erasure, ErasurePhase, HoldPlaced, OrderKind, Outcome, Purge, Purged, Refusal, Scope,
    SystemChanged,
};
use inferlog_record::{
    Absent, Content, Count, Digest, Event, Id, MediaType, PayloadRole as Role, Redaction, RedactionAction,
    Reference, State, Why,
};
use purge::{erasure, purge};
use sealed::{Draft, Sealer};
use world::{DAY_NS, DIR, closed, inference, name, opened};

struct States {
    sealer: Sealer,
    decision: Id,
}

/// Writes an event of the system's life; its id.
fn life(sealer: &mut Sealer, body: impl Into<inferlog_record::body::Body>) -> Id {
    let append = sealer.world.life("credit", body);
    let entry = inferlog_record::Entry::from_bytes(&append.entry).unwrap();
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

/// Day 1: what a purge takes. Day 3: what stays, what was never there, and what is nowhere. Another person's part, erased.
fn states() -> States {
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
    let begun_id = begun.id;
    let last = sealer.write(&mut first, vec![begun]);
    sealer.world.tick(2 * DAY_NS);

    let mut ada = sealer.resume(decision, "ada");
    let mut call = sealer.world.event("credit", inference());
    call.after = vec![begun_id].into();
    text(&mut sealer, &mut ada, &mut call, Role::OutputRaw, "declined: too little is left each month");
    let headers = absent(&mut sealer, Role::Headers, State::Redacted, Why::RedactedByPolicy);
    let params = absent(&mut sealer, Role::ParamsEffective, State::NotCaptured, Why::NotVisible);
    call.payloads.push(headers);
    call.payloads.push(params);
    let lost = Reference { payload: sealer.world.id(), role: Role::InputAssembled, ..call.payloads[0] };
    call.payloads.push(lost);
    let taken = |rule: &str, action, count| Redaction { action, count: Count(count), rule: name(rule) };
    call.redactions =
        vec![taken("email", RedactionAction::Redacted, 3), taken("iban", RedactionAction::Split, 1)].into();
    let call_id = call.id;
    sealer.write(&mut ada, vec![call]);
    let mut guarantor = sealer.resume(decision, "grace");
    let mut context = sealer.world.event("credit", inferlog_record::body::ContextAdded::default());
    context.after = vec![call_id].into();
    text(&mut sealer, &mut guarantor, &mut context, Role::InputEnriched, "the guarantor earns 4,100 euros");
    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
    end.after = vec![context.id].into();
    sealer.write(&mut guarantor, vec![context, end]);

    life(&mut sealer, Purge { last: Count(last), ..purge(Purged::Payloads, Some("default")) });
    let who = guarantor.subject.reference();
    let intent = life(&mut sealer, erasure(ErasurePhase::Intent, vec![who.key], vec![who.pseudonym], None));
    sealer.world.integrate();
    sealer.erase(&guarantor.subject);
    let done = erasure(ErasurePhase::Completed, vec![who.key], vec![who.pseudonym], Some(intent));
    life(&mut sealer, Erasure { certificate: Some(Digest([9; 32])), ..done });
    let hold = sealer.world.id();
    let scope = Scope { decisions: vec![decision].into(), ..Scope::default() };
    life(&mut sealer, HoldPlaced { basis: Basis::AuthorityOrder, by: None, hold, incident: None, scope });
    withheld(&mut sealer, &ada, hold);
    sealer.world.integrate();
    States { sealer, decision }
}

/// Ada asks for her data to be erased, and the hold withholds the key of what is left.
fn withheld(sealer: &mut Sealer, ada: &Draft, hold: Id) {
    let who = ada.subject.reference();
    let key =
        sealer.world.event("credit", erasure(ErasurePhase::Intent, Vec::new(), vec![who.pseudonym], None));
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
        inferlog_record::Pseudonym::new([0; 16]),
        inferlog_log::Payloads::default(),
        inferlog_log::Flags::NONE,
    );
    sealer.world.commit("credit", &[append]);
}

impl States {
    fn options(&self) -> StoryOptions<'_> {
        StoryOptions { openings: Some(&self.sealer.vault as &dyn Openings), ..StoryOptions::default() }
    }

    fn story(&self) -> Story {
        story(&self.sealer.world.fs, Path::new(DIR), self.decision, &self.options()).unwrap()
    }

    fn account(&self) -> Account {
        let fs = &self.sealer.world.fs;
        reconstruct(fs, Path::new(DIR), self.decision, &self.options(), None).unwrap()
    }
}

#[test]
fn every_state_is_told_apart() {
    let told = states();
    let story = told.story();
    let states = &story.states;
    assert_eq!(
        (states.present, states.held, states.redacted, states.erased, states.purged),
        (1, 1, 1, 1, 1),
        "{}",
        story.to_text(TextOptions::default())
    );
    assert_eq!((states.not_captured, states.missing, states.spans_redacted), (1, 1, 4));
    insta::assert_snapshot!("show", story.to_text(TextOptions { color: false, full: true }));
    let account = told.account();
    assert_eq!(account.states, *states);
    insta::assert_snapshot!("text", account.to_text(TextOptions::default()));
    insta::assert_snapshot!("markdown", account.to_markdown());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&account.contents).unwrap());
    let prov = account.to_prov();
    for said in ["erased under the erasure event", "purged under the policy credit/3", "held by"] {
        assert!(prov.contains(said), "{said}: {prov}");
    }
    let html = to_html(&account);
    if let Some(path) = std::env::var_os("STATES_HTML") {
        std::fs::write(path, &html).unwrap();
    }
    for mark in [
        "⊘</i> erased",
        "⊖</i> purged",
        "◉</i> held",
        "▬</i> redacted",
        "○</i> not captured",
        "‼</i> missing",
    ] {
        assert!(html.contains(mark), "{mark}");
    }
}

#[test]
fn verify_counts_them() {
    let told = states();
    let report = world::look::check(&told.sealer.sim);
    // What is missing is the one fault; the purge has not been carried out, and is said not to be.
    assert_eq!(report.fault_count, 1, "{:#?}", report.faults);
    let counts = &report.logs[0].payloads;
    assert_eq!((counts.missing, counts.redacted, counts.not_captured, counts.spans_redacted), (1, 1, 1, 4));
    assert!(report.notices.iter().any(|notice| notice.what.contains("announced, and no event says")));
}
