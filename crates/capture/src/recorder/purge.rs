//! Purges: what a retention policy removes.
//!
//! [`Recorder::plan_purges`] says what is due, [`Recorder::purge`] removes it: payloads with their keys as whole days of a class come to be
//! due, then the entries themselves. What a standing hold covers stays, and so does all of a class that the policy in force does not name,
//! and of the class `permanent`. Nothing goes before every follower has read it, nor while the clock is in doubt
//! ([`crate::recorder::Frozen`]).
//!
//! How old an entry is comes from the order of the log (`calendar`), not from its stamp; when it is due from the policy (`due`); what
//! keeps it from the holds (`held`). `plan` puts these together, `carry` has the order of the writes.

mod ages;
mod calendar;
mod carry;
mod due;
mod entry;
mod held;
mod holdings;
mod plan;
mod run;
#[cfg(test)]
mod tests;
mod view;

pub use due::due_at;
pub use holdings::{ClassHoldings, ClassRule, DayHoldings, Holdings};
pub use run::Purged;

pub(crate) use ages::Ages;
pub(crate) use due::MARGIN_NS;
pub(crate) use plan::Memory;

use crate::recorder::clock_guard::Frozen;
use crate::recorder::draft::NewEvent;
use crate::recorder::ledger::{Flagged, Told};
use crate::recorder::policy::InForce;
use crate::recorder::{RecordError, Recorder, System};
use bytes::Bytes;
use calendar::SETTLED_BY;
use carry::Entries;
use inferlog_log::Flags;
use inferlog_record::body::Clock;
use inferlog_record::{ClearName, Count, Id, SystemName, Timestamp};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use view::View;

/// What is due in a system's log, and what stands in its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurgePlan {
    /// The system.
    pub system: SystemName,
    /// The policy in force, `<system>/<version>`; without one nothing is ever due.
    pub policy: Option<ClearName>,
    /// As of when.
    pub at: Timestamp,
    /// How much later than its target everything goes, seconds.
    pub margin_s: u64,
    /// Why nothing is removed now, whatever is due.
    pub frozen: Vec<FrozenBecause>,
    /// Every class that occurs, or that the policy names.
    pub classes: Vec<ClassPlan>,
    /// Entries that would go now, of what was purged of their payloads already.
    pub entries: u64,
    /// Bytes of files that these would free.
    pub entries_bytes: u64,
    /// How far each follower has read, of `size` entries.
    pub followers: Vec<(String, u64)>,
    /// Entries in the log.
    pub size: u64,
    /// Where it begins.
    pub first: u64,
    /// Older epochs of the system's log, of which nothing is removed.
    pub older_logs: u64,
}

/// Why nothing is removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenBecause {
    /// A fixed name.
    pub code: String,
    /// In words.
    pub why: String,
    /// Whether a time service that vouches for the clock settles it.
    pub settles_itself: bool,
    /// The entry that it is about.
    pub entry: Option<u64>,
}

/// What is due of a class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassPlan {
    /// The class.
    pub class: String,
    /// Whether the policy in force names it; else nothing of it is ever due.
    pub is_named: bool,
    /// First and last entry of the range that is due, if anything is.
    pub range: Option<(u64, u64)>,
    /// Entries whose payloads would go.
    pub entries: u64,
    /// The payloads.
    pub payloads: u64,
    /// Bytes of files that would be freed.
    pub bytes: u64,
    /// Packs that would go.
    pub packs: u64,
    /// Entries that holds keep of what is due.
    pub kept: u64,
    /// The holds.
    pub holds: Vec<Id>,
    /// When more is due, if nothing is changed.
    pub next_due: Option<Timestamp>,
    /// Entries of the range that are due and that these followers have not read.
    pub waits: Vec<String>,
    /// Packs that do not check and stay.
    pub damaged: Vec<String>,
}

impl From<&Frozen> for FrozenBecause {
    fn from(frozen: &Frozen) -> Self {
        let entry = match frozen {
            Frozen::Step { index, .. } => Some(*index),
            _ => None,
        };
        Self {
            code: frozen.code().to_owned(),
            why: frozen.to_string(),
            settles_itself: frozen.settles_itself(),
            entry,
        }
    }
}

impl Recorder {
    /// What is due now, or would be at a time, in every system or in the one named. Nothing is changed.
    pub async fn plan_purges(
        &self,
        only: Option<&SystemName>,
        at: Option<Timestamp>,
    ) -> Result<Vec<PurgePlan>, RecordError> {
        self.integrate().await?;
        let mut plans = Vec::new();
        for system in self.named(only).await? {
            plans.push(system.plan_purge(at).await?);
        }
        Ok(plans)
    }

    /// Removes what is due, in every system or in the one named. Goes on if the future is dropped; after an error it may be called
    /// again, and goes on where it ended.
    pub async fn purge(&self, only: Option<&SystemName>) -> Result<Vec<Purged>, RecordError> {
        let mut done = Vec::new();
        for system in self.named(only).await? {
            let purging = self.inner.runtime.spawn(async move { system.purge().await });
            done.push(purging.await??);
        }
        Ok(done)
    }

    /// A person says that the clock is right, or was wrong while a range of entries of the one system named was stamped: the events that
    /// say so. What froze purging is settled by it.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] if a range is given without a system, or if the log has no such entries.
    pub async fn settle_clock(
        &self,
        only: Option<&SystemName>,
        disregard: Option<RangeInclusive<u64>>,
        actor: Option<&str>,
    ) -> Result<Vec<(SystemName, Id)>, RecordError> {
        if disregard.is_some() && only.is_none() {
            return Err(RecordError::Invalid(
                "entries are disregarded in one system's log: name the system".into(),
            ));
        }
        let mut told = Vec::new();
        for system in self.named(only).await? {
            let (name, disregard) = (system.name().clone(), disregard.clone());
            let actor = actor.map(|actor| Bytes::copy_from_slice(actor.as_bytes()));
            let telling = self.inner.runtime.spawn(async move { system.settle(disregard, actor).await });
            told.push((name, telling.await??));
        }
        // Only when it is durable in every log that it concerns.
        self.inner.clock_guard.settle();
        Ok(told)
    }

    /// Looks at the clock: why purging is frozen in all systems, if it is.
    pub fn clock_frozen(&self) -> Option<Frozen> {
        self.inner.clock_guard.look()
    }

    async fn named(&self, only: Option<&SystemName>) -> Result<Vec<System>, RecordError> {
        let mut systems = self.systems().await;
        systems.sort_by(|one, other| one.name().cmp(other.name()));
        if let Some(name) = only {
            systems.retain(|system| system.name() == name);
            if systems.is_empty() {
                return Err(RecordError::Invalid(format!("there is no log of {name} here")));
            }
        }
        Ok(systems)
    }
}

impl System {
    async fn plan_purge(&self, at: Option<Timestamp>) -> Result<PurgePlan, RecordError> {
        let mut memory = self.state.retention.clone().lock_owned().await;
        let (system, at) = (self.clone(), at.unwrap_or_else(|| self.now()));
        let planned = move || {
            let policy = system.policy();
            let view = View::of(&system, policy.clone(), at, system.inner.clock_guard.margin_ns())?;
            memory.refresh(&view)?;
            let plan = plan_of(&system, &view, &mut memory, policy.as_deref())?;
            memory.save(&view)?;
            Ok::<_, RecordError>(plan)
        };
        tokio::task::spawn_blocking(planned).await?
    }

    /// Why nothing of its log is removed now.
    fn frozen(&self, view: &View, memory: &Memory) -> Vec<Frozen> {
        let steps = memory.calendar.iter().flat_map(|known| ages::steps(&view.ledger, view.log, known));
        let steps = steps.map(|step| Frozen::Step { index: step.index, by_ns: step.by_ns });
        self.inner.clock_guard.look().into_iter().chain(steps).collect()
    }

    async fn settle(
        &self,
        disregard: Option<RangeInclusive<u64>>,
        actor: Option<Bytes>,
    ) -> Result<Id, RecordError> {
        let size = self.entries();
        if let Some(range) = disregard.as_ref().filter(|range| range.is_empty() || *range.end() >= size) {
            let (first, last) = (range.start(), range.end());
            return Err(RecordError::Invalid(format!(
                "the log has {size} entries: {first}..{last} is no range of them"
            )));
        }
        let state = self.inner.env.clock.sync_state();
        let mut event = NewEvent::new(Clock {
            by: None,
            disregard_first: disregard.as_ref().map(|range| Count(*range.start())),
            disregard_last: disregard.as_ref().map(|range| Count(*range.end())),
            max_error_ns: None,
            offset_ns: None,
            source: ClearName::or_unlisted(SETTLED_BY),
            synchronised: state.is_some_and(|state| state.synchronised),
        });
        event.reviewer = actor;
        let _gate = self.inner.gate.read().await;
        let id = self.mint()?;
        event.id = Some(id);
        self.tell_permanent(vec![Flagged(event, Flags::NONE)]).await?;
        Ok(id)
    }
}

fn plan_of(
    system: &System,
    view: &View,
    memory: &mut Memory,
    policy: Option<&InForce>,
) -> Result<PurgePlan, RecordError> {
    let passes = memory.pass(view)?;
    let entries = Entries::of(view, memory)?.plan(view, memory)?.map(|(told, _)| told).unwrap_or_default();
    let frozen = system.frozen(view, memory).iter().map(FrozenBecause::from).collect();
    let mut names: Vec<String> =
        memory.calendar.iter().flat_map(|known| known.classes()).map(str::to_owned).collect();
    names.extend(view.classes().iter().map(|class| class.class.to_string()));
    names.sort_unstable();
    names.dedup();
    let mut classes: Vec<ClassPlan> = names.into_iter().map(ClassPlan::none).collect();
    for plan in &mut classes {
        let Some(rule) = view.rule(&plan.class) else { continue };
        plan.is_named = true;
        let Some(calendar) = &memory.calendar else { continue };
        plan.next_due = view.next_due(calendar, rule);
        let due = view.due_unfollowed(calendar, rule);
        let behind = view.cursors.iter().filter(|(_, next)| *next < due);
        plan.waits = behind.map(|(name, _)| name.clone()).collect();
        let Some(pass) = passes.iter().find(|pass| pass.class.as_str() == plan.class) else { continue };
        plan.range = Some((*pass.range.start(), *pass.range.end()));
        (plan.entries, plan.payloads, plan.kept) = (pass.entries, pass.payloads, pass.kept);
        (plan.bytes, plan.packs) = (pass.packs.bytes, pass.packs.packs.len() as u64);
        plan.holds = pass.holds.iter().copied().collect();
        plan.damaged.clone_from(&pass.packs.damaged);
    }
    Ok(PurgePlan {
        system: system.name().clone(),
        policy: policy.map(|policy| policy.id.clone()),
        at: view.now,
        margin_s: view.margin_ns / 1_000_000_000,
        frozen,
        classes,
        entries: entries.entries,
        entries_bytes: entries.bytes,
        followers: view.cursors.clone(),
        size: view.size,
        first: view.reader.first()?,
        older_logs: (view.ledger.logs().count() as u64).saturating_sub(1),
    })
}

impl ClassPlan {
    fn none(class: String) -> Self {
        Self {
            class,
            is_named: false,
            range: None,
            entries: 0,
            payloads: 0,
            bytes: 0,
            packs: 0,
            kept: 0,
            holds: Vec::new(),
            next_due: None,
            waits: Vec::new(),
            damaged: Vec::new(),
        }
    }
}

/// Destroys the keys of a purge of payloads that was announced: called by a start whose keystore has not seen it, in the order of
/// the logs with the erasures, and before anybody records. The caller holds the gate alone, and every birth before the
/// announcement is in the pages.
pub(crate) async fn carry_out(system: &System, announced: &Told) -> Result<(), RecordError> {
    // Of what is in the pages, all that an entry names is published: nothing else is told from what is gone.
    system.inner.node.integrate().await?;
    let (system, announced) = (system.clone(), announced.clone());
    tokio::task::spawn_blocking(move || run::carry_out_keys(&system, &announced)).await?
}
