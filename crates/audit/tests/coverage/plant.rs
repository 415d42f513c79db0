//! What plants faults, and what is like them.

use std::collections::BTreeMap;
use std::path::Path;

use inferlog_audit::coverage::{Preset, Profile, Usage, UsageCounts};
use inferlog_record::body::{
    Aspect, Basis, BiometricMatch, Body, Clock, Erasure, ErasurePhase, Gap, GapReason, HoldPlaced, Human,
    HumanAction, Identical, Incident, IncidentCategory, IncidentPhase, LastEnd, MatchResult, OrderKind,
    Outcome, Output, Prompt, PromptRole, Purge, Purged, RecorderStarted, RecorderStopped, Scope, StepOutcome,
    StopReason, SystemChanged, ToolCall, Tri,
};
use inferlog_record::{
    Count, Digest, Event, Id, KeyId, NodeId, PayloadRole as Role, Pseudonym, Purpose, RetentionClass, Tally,
    Timestamp,
};
use inferlog_registry::{REGISTRY_DIR, Registration, Registry};

use crate::bench::Bench;
use crate::world::{DAY_NS, DIR, name};

pub fn gap(bench: &mut Bench, count: Tally) {
    let (from, to) = (Timestamp(bench.world.now_ns), Timestamp(bench.world.now_ns + 1_000));
    bench.life(Gap { count, from, route: Some(name("score")), to, why: GapReason::Overloaded });
}

pub fn ends(closed: &mut Option<Event>, outcome: Outcome) {
    if let Some(Body::DecisionClosed(body)) = closed.as_mut().map(|event| &mut event.body) {
        body.outcome = outcome;
    }
}

pub fn drop_role(event: &mut Event, role: Role) {
    event.payloads.retain(|reference| reference.role != role);
}

pub fn prompt(bench: &mut Bench, role: PromptRole) {
    let mut draft = bench.draft();
    let reference = bench.sealed(Role::Prompt);
    if let Body::Inference(body) = &mut draft.steps[0].body {
        let payload = Some(reference.payload);
        body.prompts = vec![Prompt { name: None, payload, role, sha256: None, version: None }].into();
    }
    draft.steps[0].payloads.push(reference);
    bench.write(draft);
}

pub type Give = fn(&mut Bench) -> inferlog_record::Reference;

pub fn tool_call(bench: &mut Bench, result: Give) -> Event {
    let body = ToolCall {
        attempt: Some(1),
        error: None,
        latency_ns: None,
        name: name("bureau"),
        outcome: StepOutcome::Ok,
        version: None,
    };
    let mut call = bench.step(body, &[], &[Role::ToolArguments]);
    let result = result(bench);
    call.payloads.push(result);
    call
}

pub fn tool(bench: &mut Bench, result: Give) {
    let mut draft = bench.draft();
    let call = tool_call(bench, result);
    draft.steps.push(call);
    bench.write(draft);
}

pub fn output(bench: &mut Bench, raw_processed: Tri) {
    let mut draft = bench.draft();
    let body = Output { identical: Identical { raw_processed, processed_final: Tri::True } };
    let shown = bench.step(body, &[draft.steps[0].id], &[Role::OutputProcessed, Role::OutputFinal]);
    draft.steps.push(shown);
    bench.write(draft);
}

/// Decisions of a route about somebody, and so many about nobody.
pub fn nobody(bench: &mut Bench, without: usize) {
    for number in 0..12 + without {
        let mut draft = bench.draft_on("loans");
        if number >= 12 {
            for event in [&mut draft.opened].into_iter().chain(&mut draft.steps).chain(&mut draft.closed) {
                event.subjects = Vec::new().into();
            }
        }
        bench.write(draft);
    }
}

pub fn started(bench: &mut Bench, last_end: LastEnd) {
    let body = RecorderStarted {
        policy: None,
        build: name("inferlog-0.1.0"),
        configuration: Digest([1; 32]),
        last_end,
        node: NodeId([1; 16]),
        shard: name("0"),
    };
    let mut event = bench.world.event(crate::bench::SYSTEM, body);
    event.role = Some(inferlog_record::Role::Provider);
    event.purposes = vec![Purpose::A].into();
    bench.life_event(event);
}

pub fn stopped(bench: &mut Bench, reason: StopReason) {
    bench.life(RecorderStopped { node: NodeId([1; 16]), reason, shard: name("0") });
}

pub fn clock(bench: &mut Bench, synchronised: bool) {
    bench.life(Clock {
        by: None,
        disregard_first: None,
        disregard_last: None,
        max_error_ns: Some(Count(1_000)),
        offset_ns: None,
        source: name("chrony"),
        synchronised,
    });
}

/// Biometric identification, whose decisions on one route a person looks at.
pub fn reviewing(bench: &mut Bench) {
    bench.profile = Profile {
        profile: Preset::Biometric,
        interventions: Some(1.0),
        routes: vec!["reviewed".into()],
        ..Profile::default()
    };
}

pub fn approve(bench: &mut Bench) -> Event {
    let reviewer = Some(Pseudonym::new([8; 16]));
    bench.step(Human { about: None, action: HumanAction::Approve, reviewer }, &[], &[Role::HumanReason])
}

pub fn reviewed(bench: &mut Bench, is_reviewed: bool) {
    bench.begin_session(true);
    let draft = bench.draft_on("reviewed");
    let decision = bench.write(draft);
    bench.minutes(5);
    if is_reviewed {
        let approved = approve(bench);
        bench.events(decision, vec![approved]);
    }
    bench.end_session(true);
}

pub fn session(bench: &mut Bench, begins: bool, ends: bool) {
    reviewing(bench);
    bench.begin_session(begins);
    bench.clean();
    bench.end_session(ends);
}

pub fn matched(bench: &mut Bench, change: impl FnOnce(&mut BiometricMatch)) {
    match_with(bench, true, change);
}

pub fn match_with(bench: &mut Bench, has_input: bool, change: impl FnOnce(&mut BiometricMatch)) {
    let mut body = BiometricMatch {
        database: name("watchlist"),
        database_digest: Some(Digest([4; 32])),
        database_version: Some(name("2026-11")),
        exemption: None,
        result: MatchResult::Match,
        score_millionths: None,
        verifiers: vec![Pseudonym::new([5; 16]), Pseudonym::new([6; 16])].into(),
    };
    change(&mut body);
    let mut draft = bench.draft();
    let step = bench.step(body, &[], if has_input { &[Role::BiometricInput] } else { &[] });
    draft.steps.push(step);
    bench.write(draft);
}

/// Ten calls today, and what the provider counted.
pub fn usage(bench: &mut Bench, requests: u64) {
    for _ in 0..10 {
        bench.calling(|call| call.model.returned = Some(name("gpt-4o-2024-08-06")));
    }
    let counts = UsageCounts { requests: Some(requests), ..UsageCounts::default() };
    let usage = bench.options.usage.get_or_insert(Usage { rows: BTreeMap::new(), tolerance: 0.0 });
    usage.rows.insert((bench.world.now_ns / DAY_NS, "gpt-4o-2024-08-06".into()), counts);
}

/// An event that was logged so many days ago.
fn ago(bench: &mut Bench, days: u64, body: impl Into<Body>) -> Id {
    let mut event = bench.world.event(crate::bench::SYSTEM, body);
    event.started_at = None;
    event.logged_at = Timestamp(bench.world.now_ns - days * DAY_NS);
    bench.life_event(event)
}

fn stated(phase: ErasurePhase, intent: Option<Id>) -> Erasure {
    Erasure {
        backup_horizon: None,
        by: None,
        certificate: intent.map(|_| Digest([1; 32])),
        decisions: Count(1),
        holds: Vec::new().into(),
        intent,
        keys: vec![KeyId { page: 9, slot: 9 }].into(),
        order: OrderKind::Request,
        phase,
        refusals: Vec::new().into(),
        resumes: None,
        root_epoch: intent.map(|_| 1),
        stores: intent.map(|_| inferlog_record::body::Store::Keystore).into_iter().collect(),
        subjects: Vec::new().into(),
        until: None,
        withheld: Count(0),
    }
}

/// An erasure announced so many days ago.
pub fn erasure(bench: &mut Bench, days: u64) -> Id {
    ago(bench, days, stated(ErasurePhase::Intent, None))
}

pub fn completed(bench: &mut Bench, intent: Id) {
    ago(bench, 1, stated(ErasurePhase::Completed, Some(intent)));
}

/// A hold placed so many days ago.
pub fn hold(bench: &mut Bench, days: u64) -> Id {
    let hold = bench.world.id();
    let basis = Basis::AuthorityOrder;
    let scope = Scope { decisions: vec![bench.world.id()].into(), ..Scope::default() };
    ago(bench, days, HoldPlaced { basis, by: None, hold, incident: None, scope });
    hold
}

/// An incident of which the organisation became aware so many days ago, or the report of one.
pub fn incident(bench: &mut Bench, days: u64, reported: Option<Id>) -> Id {
    let incident = reported.unwrap_or_else(|| bench.world.id());
    let category = IncidentCategory::HealthHarm;
    let body = Incident {
        aware_at: Timestamp(bench.world.now_ns - days * DAY_NS),
        by: None,
        category,
        days: category.days(),
        hold: None,
        incident,
        phase: if reported.is_some() { IncidentPhase::Reported } else { IncidentPhase::Aware },
    };
    ago(bench, days - 1, body);
    incident
}

pub fn changed(bench: &mut Bench, aspect: Aspect) {
    bench.life(SystemChanged {
        aspect,
        decision: None,
        name: None,
        new: Some(name("credit/2")),
        new_digest: Some(Digest([2; 32])),
        old: None,
        old_digest: None,
    });
}

/// A policy that allows a day, and nothing has purged.
pub fn ceiling(bench: &mut Bench) {
    let text = "system = \"credit\"\nversion = \"2\"\n\n[[class]]\nname = \"default\"\nfloor = \"1 day\"\n\
                target = \"1 day\"\nceiling = \"1 day\"\nlegal_basis = \"a test\"\n";
    let registry = Registry::open(bench.world.fs.clone(), &Path::new(DIR).join(REGISTRY_DIR)).unwrap();
    registry
        .add(&Registration::policy(name("credit"), name("2"), text), Timestamp(bench.world.now_ns))
        .unwrap();
}

/// Decisions whose payloads are in packs, under that policy.
pub fn packed(bench: &mut Bench, decisions: usize) -> Vec<Id> {
    ceiling(bench);
    bench.packs = true;
    let written = (0..decisions).map(|_| bench.clean()).collect();
    bench.packs = false;
    // The next stamp is later: what was written is as old as that.
    bench.clean();
    written
}

/// Decisions that are frozen, each by another scope.
pub fn frozen(bench: &mut Bench) {
    let decisions = packed(bench, 2);
    // Of one of them a later entry alone says whom it is about.
    let person = Pseudonym::new([0x5a; 16]);
    let mut late = approve(bench);
    late.subjects = vec![person].into();
    bench.events(decisions[1], vec![late]);
    let by_person = Scope { subjects: vec![person].into(), ..Scope::default() };
    let by_name = Scope { decisions: vec![decisions[0]].into(), ..Scope::default() };
    for scope in [by_person, by_name] {
        let hold = bench.world.id();
        bench.life(HoldPlaced { basis: Basis::LegalClaim, by: None, hold, incident: None, scope });
    }
}

/// A hold on one decision.
pub fn hold_on(bench: &mut Bench, decision: Id) -> Id {
    let (hold, basis) = (bench.world.id(), Basis::LegalClaim);
    let scope = Scope { decisions: vec![decision].into(), ..Scope::default() };
    bench.life(HoldPlaced { basis, by: None, hold, incident: None, scope });
    hold
}

/// A purge of everything so far, that nobody carried out.
pub fn purged(bench: &mut Bench) {
    let last = Count(bench.world.size(crate::bench::SYSTEM) - 1);
    bench.life(Purge {
        what: Purged::Payloads,
        bytes: Count(1),
        class: Some(RetentionClass::default()),
        entries: Count(0),
        first: Count(0),
        holds: Vec::new().into(),
        kept: Count(0),
        last,
        packs: Vec::new().into(),
        payloads: Count(1),
        policy: name("credit/2"),
        policy_sha256: None,
    });
}

/// The key of all that the bench seals was destroyed.
pub fn erased(bench: &mut Bench) {
    let keys = vec![KeyId { page: 0, slot: 1 }].into();
    let intent = bench.life(Erasure { keys, ..stated(ErasurePhase::Intent, None) });
    completed(bench, intent);
}

/// Somebody says that the stamps of these entries were wrong.
pub fn disregard(bench: &mut Bench, first: u64, last: u64) {
    bench.life(Clock {
        by: None,
        disregard_first: Some(Count(first)),
        disregard_last: Some(Count(last)),
        max_error_ns: None,
        offset_ns: None,
        source: name("operator"),
        synchronised: true,
    });
}
