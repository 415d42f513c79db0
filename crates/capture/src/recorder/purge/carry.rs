//! Carrying a purge out. The order of writes, and what a crash between two leaves:
//!
//! 1. the `purge` events of payloads, durable and under a checkpoint: from here on their ranges count as purged; nothing is gone yet. The
//!    next start finds that the keystore has not seen them, and goes on with 2; after a failure this process does, before its next purge
//!    or erasure;
//! 2. keys: pages of whole days, single keys of days that a range splits. The sealed bytes are there and open to nobody;
//! 3. packs, what is held first written to `kept/packs`: the next run goes on, for it asks for all that was ever announced;
//! 4. the `purge` event of entries, likewise;
//! 5. entries, what stays first written to `kept/entries`, then `pruned`, then the bundles: the next run goes on.
//!
//! Each step done again changes nothing. The gate is held alone in 1 and 2, and in 4: no hold comes between what was planned and what
//! is announced, and no key is born while pages of keys are dropped.

use super::entry::Light;
use super::plan::{ClassPass, Memory};
use super::view::View;
use crate::recorder::draft::NewEvent;
use crate::recorder::ledger::{Flagged, Told};
use crate::recorder::{RecordError, System};
use inferlog_log::Flags;
use inferlog_log::State;
use inferlog_log::prune::{PrunedEntries, plan_entries, prune_entries, purge_packs};
use inferlog_record::body::{Purge, Purged as What};
use inferlog_record::{ClearName, Count, Id, LIST_ITEMS_MAX, RetentionClass, SystemName};
use inferlog_vault::{Erasure, Scope};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};

impl ClassPass {
    /// What the log says of it.
    pub(super) fn event(&self, view: &View) -> Purge {
        let digests = self.packs.packs.iter().map(|pack| pack.sha256).take(LIST_ITEMS_MAX);
        Purge {
            bytes: Count(self.packs.bytes),
            class: Some(self.class.clone()),
            entries: Count(self.entries),
            first: Count(*self.range.start()),
            holds: self.holds.iter().copied().take(LIST_ITEMS_MAX).collect(),
            kept: Count(self.kept),
            last: Count(*self.range.end()),
            packs: digests.collect(),
            payloads: Count(self.payloads),
            policy: view.policy_id(),
            policy_sha256: view.policy.as_ref().map(|policy| policy.sha256),
            what: What::Payloads,
        }
    }

    /// What the vault is to destroy.
    fn erasure(&self, system: &SystemName, into: &mut Erasure) {
        let scope = |day: &u32| Scope { system: system.clone(), class: self.class.clone(), day: *day };
        into.scopes.extend(self.days.iter().map(scope));
        into.keys.extend(&self.keys);
        into.withhold.extend(&self.withhold);
    }
}

/// What the vault is to destroy for these.
pub(super) fn erasure(system: &SystemName, passes: &[ClassPass]) -> Erasure {
    let mut all = Erasure::default();
    passes.iter().for_each(|pass| pass.erasure(system, &mut all));
    all
}

/// A purge event, to be recorded.
pub(super) fn flagged(purge: Purge, flags: Flags) -> Flagged {
    Flagged(NewEvent::new(purge), flags)
}

/// Step 3, of all that was ever announced. How many packs, payloads and bytes went.
pub(super) fn carry_packs(system: &System, memory: &mut Memory, view: &View) -> Result<Packs, RecordError> {
    let pruner = system.state.log.pruner();
    let mut told = Packs::default();
    let classes: Vec<RetentionClass> = view.purged_classes();
    for class in classes {
        let Some(last) = view.done(class.as_str()).checked_sub(1) else { continue };
        let held = RefCell::new(&mut memory.held);
        let keep = |index: u64, _: [u8; 16]| held.borrow_mut().keeps(&view.reader, index, view.size);
        let gone = purge_packs(&pruner, class.as_str(), last, &keep)?;
        told.packs += gone.packs.len() as u64;
        told.payloads += gone.payloads;
        told.bytes += gone.bytes;
        told.damaged.extend(gone.damaged);
    }
    Ok(told)
}

/// What step 3 did.
#[derive(Clone, Debug, Default)]
pub(super) struct Packs {
    pub(super) packs: u64,
    pub(super) payloads: u64,
    pub(super) bytes: u64,
    pub(super) damaged: Vec<String>,
}

/// Which entries go, and which are kept.
pub(super) struct Entries {
    /// Entries of a class below its index go.
    through: BTreeMap<String, u64>,
    open: HashSet<Id>,
    /// What goes lies below.
    pub(super) upto: u64,
}

impl Entries {
    /// As of what was purged of payloads: an entry stays at least as long as what came with it.
    pub(super) fn of(view: &View, memory: &Memory) -> Result<Self, RecordError> {
        let mut through = BTreeMap::new();
        let calendar = memory.calendar.as_ref();
        for class in view.classes() {
            let name = class.class.as_str();
            let Some(calendar) = calendar.filter(|_| view.rule(name).is_some()) else { continue };
            let (done, due) = (view.done(name), view.due(calendar, class));
            // Of days without an entry of the class nothing was announced.
            let is_empty = !calendar.rows(name).any(|(_, row)| row.first < due && row.last >= done);
            through.insert(name.to_owned(), if is_empty { done.max(due) } else { done });
        }
        let open = State::load(&**view.reader.fs(), view.reader.dir())?.open;
        let open = open.keys().filter_map(|decision| Id::from_bytes(*decision).ok()).collect();
        let upto = through.values().copied().max().unwrap_or(0).min(view.followed());
        Ok(Self { through, open, upto })
    }

    fn keeps(&self, memory: &Memory, index: u64, bytes: &[u8]) -> bool {
        let Ok(entry) = Light::parse(bytes) else { return true };
        let Some((class, _)) = entry.place() else { return true };
        let is_over = self.through.get(class).is_some_and(|through| index < *through);
        !is_over
            || entry.decision.is_some_and(|decision| self.open.contains(&decision))
            || !memory.held.of(&entry).is_empty()
    }

    /// What would go now, and the first of it; `None` if nothing would. What is kept is counted from the first that goes on.
    pub(super) fn plan(
        &self,
        view: &View,
        memory: &Memory,
    ) -> Result<Option<(PrunedEntries, u64)>, RecordError> {
        let (lowest, kept) = (Cell::new(u64::MAX), Cell::new(0));
        // Asked in the order of the log.
        let keep = |index: u64, bytes: &[u8]| {
            let keeps = self.keeps(memory, index, bytes);
            match keeps {
                true => kept.set(kept.get() + u64::from(index > lowest.get())),
                false => lowest.set(lowest.get().min(index)),
            }
            keeps
        };
        let told = plan_entries(&view.reader, self.upto, &keep)?;
        let told = PrunedEntries { kept: kept.get(), ..told };
        Ok((told.entries > 0).then_some((told, lowest.get())))
    }

    /// Step 5, of entries in a range that was announced.
    pub(super) fn carry(
        &self,
        system: &System,
        memory: &mut Memory,
        (first, last): (u64, u64),
    ) -> Result<PrunedEntries, RecordError> {
        let calendar = RefCell::new(memory.calendar.take());
        let remembered = &*memory;
        let keep = |index: u64, bytes: &[u8]| {
            let keeps = index < first || index > last || self.keeps(remembered, index, bytes);
            if let (false, Some(calendar), Ok(entry)) =
                (keeps, calendar.borrow_mut().as_mut(), Light::parse(bytes))
            {
                calendar.remove(bytes, &entry);
            }
            keeps
        };
        // After an error the calendar is derived anew.
        let told = prune_entries(&system.state.log.pruner(), last + 1, &keep)?;
        memory.calendar = calendar.into_inner();
        if let Some(calendar) = memory.calendar.as_mut() {
            calendar.set_first(told.first);
        }
        Ok(told)
    }
}

/// What the log says of entries that go.
pub(super) fn entries_event(view: &View, told: &PrunedEntries, first: u64) -> Purge {
    Purge {
        bytes: Count(told.bytes),
        class: None,
        entries: Count(told.entries),
        first: Count(first),
        holds: view.ledger.standing_holds().iter().map(|hold| hold.hold).take(LIST_ITEMS_MAX).collect(),
        kept: Count(told.kept),
        last: Count(told.first.saturating_sub(1)),
        packs: Vec::new().into(),
        payloads: Count(0),
        policy: view.policy_id(),
        policy_sha256: view.policy.as_ref().map(|policy| policy.sha256),
        what: What::Entries,
    }
}

impl View {
    fn policy_id(&self) -> ClearName {
        self.policy.as_ref().map_or_else(ClearName::unlisted, |policy| policy.id.clone())
    }

    /// Classes of which payloads were ever purged.
    fn purged_classes(&self) -> Vec<RetentionClass> {
        let purged = self.ledger.purges().filter(|told| told.log == self.log);
        let mut classes: Vec<RetentionClass> =
            purged.filter_map(|told| told.purge()?.class.clone()).collect();
        classes.sort();
        classes.dedup();
        classes
    }

    /// The range of entries that was announced last and is not gone.
    pub(super) fn unfinished(&self) -> Result<Option<(u64, u64)>, RecordError> {
        let is_it = |told: &&Told| {
            told.log == self.log && told.purge().is_some_and(|purge| purge.what == What::Entries)
        };
        let last = self.ledger.purges().rfind(is_it).and_then(Told::purge);
        let first = self.reader.first()?;
        Ok(last.map(|purge| (purge.first.0, purge.last.0)).filter(|(_, last)| *last >= first))
    }
}
