//! What a purge would remove: read from the calendar, the ledger and the entries that came to be due since the last one.

use super::ages;
use super::calendar::{Calendar, FILE};
use super::entry::Light;
use super::held::{Held, standing_at};
use super::view::View;
use crate::recorder::ledger::Told;
use crate::recorder::{RecordError, System};
use inferlog_disk::replace_file;
use inferlog_log::LogReader;
use inferlog_log::prune::{PurgedPacks, plan_packs};
use inferlog_policy::Retention;
use inferlog_record::{Id, KeyId, RetentionClass};
use inferlog_vault::Scope;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;

/// What retention remembers of a system's log between two runs. Lost with the process, it is derived again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) calendar: Option<Calendar>,
    pub(super) held: Held,
}

/// What is to go of one class.
#[derive(Debug)]
pub(super) struct ClassPass {
    pub(super) class: RetentionClass,
    /// First and last index of the range that the purge states.
    pub(super) range: RangeInclusive<u64>,
    /// Entries of the range whose payloads go, and that a hold keeps.
    pub(super) entries: u64,
    pub(super) kept: u64,
    /// Payloads of them.
    pub(super) payloads: u64,
    /// Holds that keep something.
    pub(super) holds: BTreeSet<Id>,
    /// Days whose pages of keys go as a whole.
    pub(super) days: Vec<u32>,
    /// Days that have entries in the range and after it, and the last of these.
    pub(super) split: BTreeMap<u32, u64>,
    /// Keys that go one by one.
    pub(super) keys: BTreeSet<KeyId>,
    /// Keys that stay, for a hold keeps them.
    pub(super) withhold: BTreeSet<KeyId>,
    pub(super) packs: PurgedPacks,
}

impl Memory {
    /// Brings the calendar up to the log, and the holds to what stands. Whether what holds keep changed.
    pub(super) fn refresh(&mut self, view: &View) -> Result<bool, RecordError> {
        let calendar = ages::read(&view.reader, self.calendar.take(), view.disregarded(), view.size)?;
        self.calendar = Some(calendar);
        self.held.refresh(&view.reader, &view.ledger.standing_holds(), view.size)
    }

    /// Keeps the calendar beside the log. A crash leaves the old file or the new one: either is true of what it says it read.
    pub(super) fn save(&self, view: &View) -> Result<(), RecordError> {
        let Some(calendar) = &self.calendar else { return Ok(()) };
        let path = view.reader.dir().path().join(FILE);
        Ok(replace_file(&**view.reader.fs(), &path, &calendar.to_bytes())?)
    }

    /// What is to go, by class; classes of which nothing is due are left out.
    pub(super) fn pass(&mut self, view: &View) -> Result<Vec<ClassPass>, RecordError> {
        let Self { calendar: Some(calendar), held } = self else { return Ok(Vec::new()) };
        let mut passes = Vec::new();
        for class in view.classes() {
            if class.class == RetentionClass::permanent() {
                continue;
            }
            passes.extend(class_pass(view, calendar, held, class)?);
        }
        Ok(passes)
    }
}

fn class_pass(
    view: &View,
    calendar: &Calendar,
    held: &mut Held,
    class: &Retention,
) -> Result<Option<ClassPass>, RecordError> {
    let name = class.class.as_str();
    let done = view.done(name);
    let due = view.due(calendar, class).max(done);
    let Some(last) = due.checked_sub(1) else { return Ok(None) };
    let mut pass = ClassPass::empty(calendar, &class.class, done..=last);
    let late = RefCell::new((BTreeSet::new(), held));
    let keep = |index: u64, _: [u8; 16]| {
        let (late, held) = &mut *late.borrow_mut();
        let keeps = held.keeps(&view.reader, index, view.size);
        // Of an earlier range: a hold kept it until now, or its pack went on after the range.
        if !keeps && index < done {
            late.insert(index);
        }
        keeps
    };
    pass.packs = plan_packs(&view.reader, name, last, &keep)?;
    let (late, held) = late.into_inner();
    pass.read(view, calendar, held)?;
    pass.take_late(view, held, &late)?;
    pass.spare_later(view)?;
    if !view.is_alone() {
        pass.days.clear();
    }
    let is_something = pass.entries > 0 || pass.payloads > 0 || pass.kept > 0;
    Ok(is_something.then_some(pass))
}

impl ClassPass {
    /// Whether what was logged since leaves it as it is: no entry after the range is of a day whose keys go.
    pub(super) fn stands(&self, calendar: &Calendar) -> bool {
        let last = *self.range.end();
        let is_late = |(day, row): (u32, super::calendar::Row)| row.last > last && self.days.contains(&day);
        self.split == calendar.split_days(&self.class, last)
            && !calendar.rows(self.class.as_str()).any(is_late)
    }

    fn empty(calendar: &Calendar, class: &RetentionClass, range: RangeInclusive<u64>) -> Self {
        Self {
            class: class.clone(),
            entries: 0,
            kept: 0,
            payloads: 0,
            holds: BTreeSet::new(),
            days: calendar.whole_days(class, &range),
            split: calendar.split_days(class, *range.end()),
            keys: BTreeSet::new(),
            withhold: BTreeSet::new(),
            packs: PurgedPacks::default(),
            range,
        }
    }

    /// Takes of the pages of days that others have keys in too, what no entry names any more, of whatever log: of what was pruned since.
    fn take_unnamed(&mut self, system: &System, view: &View, days: BTreeSet<u32>) -> Result<(), RecordError> {
        if days.is_empty() {
            return Ok(());
        }
        let scope = |day: &u32| Scope { system: system.name().clone(), class: self.class.clone(), day: *day };
        let pages: HashSet<u32> = days.iter().flat_map(|day| system.inner.vault.pages(&scope(day))).collect();
        for (_, dir) in view.ledger.logs() {
            let reader = LogReader::new(view.reader.fs().clone(), dir.clone());
            let mut failed = None;
            reader.scan(0, reader.size()?, |_, bytes| {
                match Light::parse(bytes) {
                    Ok(entry) => {
                        let stays = |key: &KeyId| pages.contains(&key.page) && !self.keys.contains(key);
                        self.withhold.extend(entry.keys().filter(stays));
                    }
                    Err(error) => failed = Some(error),
                }
                failed.is_none()
            })?;
            failed.map_or(Ok(()), Err)?;
        }
        self.days.extend(days);
        Ok(())
    }

    /// Reads the entries of the range, and those before it that have keys in the same pages.
    fn read(&mut self, view: &View, calendar: &Calendar, held: &Held) -> Result<(), RecordError> {
        let (name, done, due) = (self.class.clone(), *self.range.start(), *self.range.end() + 1);
        let goes = |day: &u32| self.days.contains(day) || self.split.contains_key(day);
        let rows = calendar.rows(name.as_str()).filter(|(day, _)| goes(day));
        let start = rows.map(|(_, row)| row.first).fold(done, u64::min);
        let one_by_one = !view.is_alone();
        view.each(start, due, name.as_str(), |index, entry, day| {
            let holds = held.of(entry);
            match index < done {
                // A page of keys goes with all that is in it.
                true if !holds.is_empty() => self.withhold.extend(entry.keys()),
                true => {}
                false => self.take(entry, holds, one_by_one || self.split.contains_key(&day)),
            }
        })
    }

    /// Leaves keys that entries after the range share: they go with these.
    fn spare_later(&mut self, view: &View) -> Result<(), RecordError> {
        let due = *self.range.end() + 1;
        let end = self.split.values().max().map_or(due, |last| last + 1);
        let name = self.class.clone();
        view.each(due, end, name.as_str(), |_, entry, day| {
            if self.split.contains_key(&day) {
                for key in entry.keys() {
                    self.keys.remove(&key);
                }
            }
        })
    }

    fn take(&mut self, entry: &Light<'_>, holds: BTreeSet<Id>, is_split: bool) {
        if !holds.is_empty() {
            self.kept += 1;
            self.withhold.extend(entry.keys());
            self.holds.extend(holds);
            return;
        }
        self.entries += 1;
        for key in entry.keys() {
            self.payloads += 1;
            if is_split {
                self.keys.insert(key);
            }
        }
    }

    /// What earlier purges left, for a hold kept it.
    fn take_late(&mut self, view: &View, held: &Held, late: &BTreeSet<u64>) -> Result<(), RecordError> {
        if late.is_empty() {
            return Ok(());
        }
        let kept = view.kept_payloads(self.class.as_str())?;
        for index in late.intersection(&kept) {
            let bytes = match view.reader.entry(*index, view.size) {
                Ok(bytes) => bytes,
                Err(error) if error.is_pruned() => continue,
                Err(error) => return Err(error.into()),
            };
            let entry = Light::parse(&bytes)?;
            let keys: HashSet<KeyId> = entry.keys().collect();
            if keys.is_empty() || !held.of(&entry).is_empty() {
                continue;
            }
            self.entries += 1;
            self.payloads += entry.keys().count() as u64;
            self.keys.extend(keys);
            self.range = 0..=*self.range.end();
        }
        Ok(())
    }
}

/// The keys of a purge that was announced before: of what is left of its entries, of days that were logged before all that is left, and
/// of days that it reached into whatever no entry names. The holds are those that stood then. Everything that was recorded is published.
pub(super) fn again(
    system: &System,
    view: &View,
    class: RetentionClass,
    range: RangeInclusive<u64>,
    announced: &Told,
) -> Result<ClassPass, RecordError> {
    let mut memory = Memory::default();
    memory.refresh(view)?;
    let calendar = memory.calendar.unwrap_or_default();
    let mut held = Held::default();
    held.refresh(&view.reader, &standing_at(&view.ledger, announced.event.id), announced.index)?;
    let mut pass = ClassPass::empty(&calendar, &class, range);
    pass.read(view, &calendar, &held)?;
    pass.spare_later(view)?;
    view.each(0, *pass.range.end() + 1, class.as_str(), |_, entry, _| {
        if !held.of(entry).is_empty() {
            pass.withhold.extend(entry.keys());
        }
    })?;
    let last = *pass.range.end();
    let later: BTreeSet<u32> =
        calendar.rows(class.as_str()).filter(|(_, row)| row.last > last).map(|(day, _)| day).collect();
    let reached = calendar.day_of(last).unwrap_or(u32::MAX);
    let mut others = BTreeSet::new();
    for day in system.inner.vault.days(system.name(), &class) {
        if later.contains(&day) {
            others.extend((day <= reached).then_some(day));
        } else if !pass.days.contains(&day) {
            // Of these days all entries were pruned since, but for what is kept: their pages hold what came to be due before.
            pass.days.push(day);
        }
    }
    if !view.is_alone() {
        others.extend(pass.days.drain(..));
    }
    pass.take_unnamed(system, view, others)?;
    Ok(pass)
}
