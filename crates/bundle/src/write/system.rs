//! The system's life around the decisions: what erased their content, what froze it, which recorder and which changes were in
//! force, who read or raised an alarm about them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use inferlog_audit::{Locator, ScanLocator};
use inferlog_merkle::entries;
use inferlog_record::body::{Aspect, Body, HoldPlaced, Purged, Scope};
use inferlog_record::{Event, Id};
use memchr::memmem::Finder;

use super::error::Result;
use super::logs::SourceLog;
use super::plan::{Known, Planned};

/// How far before a log's first entry of a decision its life is looked at, entries: for the recorder in force, and for holds.
pub const LOOK_BACK_ENTRIES: u64 = 1 << 20;
/// The most entries of one kind that a `system.json` has of a log: changes, holds and incidents, mentions. Erasures are all there.
pub const LIFE_ENTRIES_MAX: usize = 4_096;

/// How an entry of the system's life begins not: its members are sorted (format.md, section 4).
const OF_A_DECISION: &[u8] = br#"{"decision":"#;

/// What a log's `system.json` has.
#[derive(Default)]
pub(super) struct Life {
    /// Its entries, ascending.
    pub(super) indices: BTreeSet<u64>,
    /// How many more there are, by what they are.
    pub(super) left_out: BTreeMap<&'static str, u64>,
}

/// Where the erasures stand that concern the decisions' keys or persons, what of these was withheld, and the purges of what they hold.
pub(super) fn removals(
    logs: &[SourceLog],
    decisions: &[Planned],
    located: &ScanLocator,
    known: &Known,
) -> Result<BTreeSet<(usize, u64)>> {
    // They are the same for every decision.
    let Some(first) = decisions.first() else { return Ok(BTreeSet::new()) };
    let mut places = BTreeSet::new();
    for found in located.locate(first.summary.id).unwrap_or_default() {
        let Some(log) = logs.iter().position(|log| log.origin == found.origin) else { continue };
        let own = decisions.iter().flat_map(|decision| &decision.places).filter(|(at, _)| *at == log);
        let own: BTreeSet<u64> = own.map(|(_, index)| *index).collect();
        for index in found.erasures.into_iter().filter(|index| *index < logs[log].size()) {
            if logs[log].parsed(index)?.events.iter().any(|event| concerns(event, known, &own)) {
                places.insert((log, index));
            }
        }
    }
    Ok(places)
}

fn concerns(event: &Event, known: &Known, own: &BTreeSet<u64>) -> bool {
    match &event.body {
        Body::Erasure(body) => {
            body.keys.iter().any(|key| known.keys.contains(key))
                || body.subjects.iter().any(|subject| known.subjects.contains(subject))
        }
        Body::Purge(body) if body.first.0 <= body.last.0 => {
            let is_class = body.class.as_ref().is_none_or(|class| known.classes.contains(class));
            // Of a decision that lacks its beginning, that went before.
            let before = matches!(body.what, Purged::Entries) && known.is_cut;
            is_class && (before || own.range(body.first.0..=body.last.0).next().is_some())
        }
        _ => false,
    }
}

/// Gathers the life of each log.
pub(super) fn life(
    logs: &[SourceLog],
    decisions: &[Planned],
    located: &ScanLocator,
    removals: &BTreeSet<(usize, u64)>,
    known: &Known,
) -> Result<Vec<Life>> {
    let mut lives = Vec::with_capacity(logs.len());
    for (number, log) in logs.iter().enumerate() {
        let mut life = Life::default();
        life.indices.extend(removals.iter().filter(|(log, _)| *log == number).map(|(_, index)| *index));
        let own = decisions.iter().flat_map(|decision| &decision.places).filter(|(log, _)| *log == number);
        let (first, last) =
            own.fold((u64::MAX, 0), |(first, last), (_, index)| (first.min(*index), last.max(*index)));
        if first <= last {
            let around = Around::read(log, first, last)?;
            life.indices.extend(around.started.iter());
            life.add("holds and incidents", around.holds(known));
            life.add("changes of the system", changes(log, located, decisions, first..=last));
            life.add("accesses, alerts and others that name a decision", mentions(log, located, decisions)?);
        }
        lives.push(life);
    }
    Ok(lives)
}

impl Life {
    fn add(&mut self, what: &'static str, found: BTreeSet<u64>) {
        let more = found.len().saturating_sub(LIFE_ENTRIES_MAX);
        if more > 0 {
            self.left_out.insert(what, more as u64);
        }
        self.indices.extend(found.into_iter().take(LIFE_ENTRIES_MAX));
    }
}

fn changes(
    log: &SourceLog,
    located: &ScanLocator,
    decisions: &[Planned],
    period: std::ops::RangeInclusive<u64>,
) -> BTreeSet<u64> {
    let any = decisions.first().and_then(|first| located.locate(first.summary.id).ok()).unwrap_or_default();
    let found = any.into_iter().find(|found| found.origin == log.origin);
    found.into_iter().flat_map(|found| found.changes).filter(|index| period.contains(index)).collect()
}

/// Entries of the system's life that name one of the decisions.
fn mentions(log: &SourceLog, located: &ScanLocator, decisions: &[Planned]) -> Result<BTreeSet<u64>> {
    let mut named = BTreeSet::new();
    for decision in decisions {
        let found = located.locate(decision.summary.id).unwrap_or_default();
        let here = found.into_iter().filter(|found| found.origin == log.origin);
        named.extend(here.flat_map(|found| found.mentions).filter(|index| *index < log.size()));
    }
    let mut life = BTreeSet::new();
    for index in named {
        if !log.entry(index)?.starts_with(OF_A_DECISION) {
            life.insert(index);
        }
    }
    Ok(life)
}

/// What stands around the decisions in a log.
#[derive(Default)]
struct Around {
    /// Where recorders began that were in force, and the last change of the policy before.
    started: BTreeSet<u64>,
    kept: Vec<Kept>,
}

/// A hold placed or released, or an incident.
struct Kept {
    index: u64,
    hold: Option<Id>,
    incident: Option<Id>,
    /// What it freezes, where it was placed.
    scope: Option<Scope>,
}

impl Around {
    fn read(log: &SourceLog, first: u64, last: u64) -> Result<Self> {
        let finders = [
            &b"\"kind\":\"recorder.started\""[..],
            b"\"kind\":\"hold.",
            b"\"kind\":\"incident\"",
            b"\"aspect\":\"policy\"",
        ]
        .map(Finder::new);
        let told = |bytes: &[u8]| finders.iter().any(|finder| finder.find(bytes).is_some());
        let (mut around, mut in_force, mut policy) = (Self::default(), None, None);
        log.each_bundle(first.saturating_sub(LOOK_BACK_ENTRIES), log.size(), |start, bundle| {
            if !told(bundle) {
                return Ok(());
            }
            for (index, bytes) in (start..).zip(entries(bundle)).filter(|(index, _)| *index < log.size()) {
                let bytes = bytes.map_err(|error| log.at(index, error))?;
                if bytes.starts_with(OF_A_DECISION) || !told(bytes) {
                    continue;
                }
                for event in log.parse(index, bytes)?.events {
                    match event.body {
                        Body::RecorderStarted(_) if index < first => in_force = Some(index),
                        Body::SystemChanged(body) if body.aspect == Aspect::Policy && index < first => {
                            policy = Some(index);
                        }
                        Body::RecorderStarted(_) if index <= last => drop(around.started.insert(index)),
                        Body::HoldPlaced(body) => {
                            let HoldPlaced { hold, incident, scope, .. } = *body;
                            around.kept.push(Kept { index, hold: Some(hold), incident, scope: Some(scope) });
                        }
                        Body::HoldReleased(body) => {
                            around.kept.push(Kept {
                                index,
                                hold: Some(body.hold),
                                incident: None,
                                scope: None,
                            });
                        }
                        Body::Incident(body) => {
                            let (hold, incident) = (body.hold, Some(body.incident));
                            around.kept.push(Kept { index, hold, incident, scope: None });
                        }
                        _ => {}
                    }
                }
            }
            Ok(())
        })?;
        around.started.extend(in_force);
        around.started.extend(policy);
        Ok(around)
    }

    /// The holds that freeze any of the decisions, their release, and the incidents behind them.
    fn holds(&self, known: &Known) -> BTreeSet<u64> {
        let placed =
            self.kept.iter().filter(|kept| kept.scope.as_ref().is_some_and(|scope| known.is_in(scope)));
        let (mut holds, mut incidents): (HashSet<Id>, HashSet<Id>) = Default::default();
        for kept in placed {
            holds.extend(kept.hold);
            incidents.extend(kept.incident);
        }
        let is_meant = |kept: &&Kept| {
            kept.hold.is_some_and(|hold| holds.contains(&hold))
                || kept.incident.is_some_and(|incident| incidents.contains(&incident))
        };
        self.kept.iter().filter(is_meant).map(|kept| kept.index).collect()
    }
}

impl Known {
    /// Whether any of the decisions may be in the scope of a hold.
    fn is_in(&self, scope: &Scope) -> bool {
        let Some((first, last)) = self.span else { return false };
        let named =
            scope.decisions.is_empty() || scope.decisions.iter().any(|id| self.decisions.contains(id));
        let of_class =
            scope.classes.is_empty() || scope.classes.iter().any(|class| self.classes.contains(class));
        let of_person =
            scope.subjects.is_empty() || scope.subjects.iter().any(|id| self.subjects.contains(id));
        let in_time = scope.from.is_none_or(|from| from <= last) && scope.to.is_none_or(|to| to > first);
        named && of_class && of_person && in_time
    }
}
