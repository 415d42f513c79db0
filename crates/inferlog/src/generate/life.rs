//! The systems' own lives: recorders, clocks, changes, alarms, readers, holds.

use inferlog_record::body::{
    Access, AccessAction, AccessPurpose, AccessRole, Alert, Aspect, Basis, Clock, Gap, GapReason, HoldPlaced,
    LastEnd, RecorderStarted, RecorderStopped, Scope, SessionEnd, SessionEnded, SessionStarted, Severity,
    StopReason, SystemChanged,
};
use inferlog_record::{Count, Event, Id, NodeId, PayloadRole, Signed, Tally, Timestamp};

use super::decision::{Plan, Sessions};
use super::make::{Maker, NS_PER_HOUR, Write, name, profile};
use super::systems::{AGENT, ROUTES};

const NODE: NodeId = NodeId([0x1a; 16]);

/// An entry of one event.
pub(super) fn write(system: usize, at: u64, event: Event) -> Write {
    Write { system, at, decision: None, events: vec![event], opens: false, closes: false }
}

pub(super) fn started(maker: &mut Maker, system: usize, at: u64, last_end: LastEnd) -> Write {
    let body = RecorderStarted {
        build: name("inferlog/0.1.0"),
        configuration: [3; 32].into(),
        last_end,
        node: NODE,
        policy: None,
        shard: name("0"),
    };
    let mut event = maker.event(system, at, body);
    profile(&mut event);
    write(system, at, event)
}

pub(super) fn stopped(maker: &mut Maker, system: usize, at: u64) -> Write {
    let body = RecorderStopped { node: NODE, reason: StopReason::ALL[0], shard: name("0") };
    let event = maker.event(system, at, body);
    write(system, at, event)
}

/// What the clock is worth; events that come name this one.
pub(super) fn clock(maker: &mut Maker, system: usize, at: u64) -> Write {
    let body = Clock {
        by: None,
        disregard_first: None,
        disregard_last: None,
        max_error_ns: Some(Count(1_500_000)),
        offset_ns: Some(Signed(maker.rng.i64(-90_000..90_000))),
        source: name("chrony"),
        synchronised: true,
    };
    let event = maker.event(system, at, body);
    maker.clocks[system] = Some(event.id);
    write(system, at, event)
}

/// A version that its system has not shown before.
pub(super) fn changed(maker: &mut Maker, plan: &Plan, old: Option<&str>) -> Write {
    let body = SystemChanged {
        aspect: Aspect::ALL[0],
        decision: Some(plan.id),
        name: Some(name(plan.model.name)),
        new: Some(name(plan.version)),
        new_digest: None,
        old: old.map(name),
        old_digest: None,
    };
    let event = maker.event(plan.system, plan.begins, body);
    write(plan.system, plan.begins, event)
}

/// Now and then somebody or something looks at a decision.
pub(super) fn looks(maker: &mut Maker, plan: &Plan, recent: &[Id]) -> Vec<Write> {
    let at = plan.begins + NS_PER_HOUR;
    let mut events = Vec::new();
    if maker.rng.u32(0..2_000) == 0 {
        let body = Alert {
            about: Some(plan.id),
            from: None,
            monitor: name("score-out-of-range"),
            samples: None,
            severity: Severity::ALL[1],
            statistic: None,
            threshold_millionths: None,
            to: None,
            value_millionths: None,
        };
        events.push(maker.event(plan.system, at, body));
    }
    if maker.rng.u32(0..3_000) == 0 {
        let body = Access {
            action: AccessAction::Reconstruct,
            actor: Some(maker.person(u64::MAX)),
            count: Tally::Known(recent.len() as u64),
            decisions: recent.to_vec().into(),
            granted: true,
            purpose: AccessPurpose::Audit,
            role: AccessRole::Auditor,
        };
        let mut event = maker.event(plan.system, at, body);
        maker.refer(&mut event, &[PayloadRole::AccessQuery]);
        events.push(event);
    }
    if maker.rng.u32(0..10_000) == 0 {
        let scope = Scope { decisions: vec![plan.id].into(), ..Scope::default() };
        let hold = maker.id(at);
        let body = HoldPlaced { basis: Basis::AuthorityOrder, by: None, hold, incident: None, scope };
        let mut event = maker.event(plan.system, at, body);
        maker.refer(&mut event, &[PayloadRole::Order]);
        events.push(event);
    }
    if maker.rng.u32(0..50_000) == 0 {
        let body = Gap {
            count: Tally::Known(1 + maker.rng.u64(0..20)),
            from: Timestamp(plan.begins),
            route: Some(name(ROUTES[plan.system].0)),
            to: Timestamp(at),
            why: GapReason::Overloaded,
        };
        events.push(maker.event(plan.system, at, body));
    }
    events.into_iter().map(|event| write(plan.system, at, event)).collect()
}

/// The beginnings and ends of sessions that were drawn.
pub(super) fn sessions(maker: &mut Maker, sessions: &mut Sessions) -> Vec<Write> {
    let mut writes = Vec::new();
    for (session, at) in std::mem::take(&mut sessions.began) {
        let mut event = maker.event(AGENT, at, SessionStarted { route: Some(name(ROUTES[AGENT].0)) });
        (event.session, event.started_at) = (Some(session), Some(Timestamp(at)));
        writes.push(write(AGENT, at, event));
    }
    for (session, at) in std::mem::take(&mut sessions.ended) {
        let mut event = maker.event(AGENT, at, SessionEnded { end: SessionEnd::IdleTimeout });
        (event.session, event.ended_at) = (Some(session), Some(Timestamp(at)));
        writes.push(write(AGENT, at, event));
    }
    writes
}
