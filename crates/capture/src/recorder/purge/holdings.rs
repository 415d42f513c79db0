//! What a system's log holds, by class and day.

use super::calendar::last_of;
use super::plan::Memory;
use super::view::View;
use crate::recorder::{RecordError, Recorder, System};
use inferlog_disk::{DiskError, Fs, Open};
use inferlog_log::packs::{PackName, list_kept_packs, list_packs};
use inferlog_record::{ClearName, SystemName, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What a system's log holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holdings {
    /// The system.
    pub system: SystemName,
    /// The policy in force.
    pub policy: Option<ClearName>,
    /// As of when.
    pub at: Timestamp,
    /// What it holds, by class.
    pub classes: Vec<ClassHoldings>,
    /// Bytes of hashes, checkpoints and what is derived beside the log.
    pub other_bytes: u64,
    /// Bytes of older epochs of the log, of which nothing is removed.
    pub older_bytes: u64,
}

/// What a log holds of one class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassHoldings {
    /// The class.
    pub class: String,
    /// How the policy in force keeps it; nothing, if it does not name it.
    pub rule: Option<ClassRule>,
    /// Entries.
    pub entries: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Bytes of sealed payloads.
    pub pack_bytes: u64,
    /// Of these, what was kept when the rest of its day was purged.
    pub kept_bytes: u64,
    /// The day of the oldest entry, as its time.
    pub oldest: Option<Timestamp>,
    /// When the oldest is due, the margin included; past, if it is due now.
    pub next_due: Option<Timestamp>,
    /// Entries of days, by their stamps, that are past the class's ceiling; those that a hold keeps too.
    pub past_ceiling: u64,
    /// By day.
    pub days: Vec<DayHoldings>,
}

/// How a policy keeps a class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassRule {
    /// Never removed before.
    pub floor: String,
    /// Removed from then on.
    pub target: String,
    /// Removed by then.
    pub ceiling: Option<String>,
    /// The law behind it.
    pub legal_basis: String,
}

/// What a log holds of one class and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayHoldings {
    /// The UTC day by the stamps, days since 1970.
    pub day: u32,
    /// Entries.
    pub entries: u64,
    /// Bytes of entries and sealed payloads.
    pub bytes: u64,
    /// When it is due, the margin included; never, if the policy does not name the class.
    pub due: Option<Timestamp>,
}

impl Recorder {
    /// What every system's log holds, or that of the one named.
    pub async fn holdings(&self, only: Option<&SystemName>) -> Result<Vec<Holdings>, RecordError> {
        self.integrate().await?;
        let mut all = Vec::new();
        for system in self.named(only).await? {
            let mut memory = system.state.retention.clone().lock_owned().await;
            let looking = tokio::task::spawn_blocking(move || system.holdings(&mut memory));
            all.push(looking.await??);
        }
        Ok(all)
    }
}

impl System {
    fn holdings(&self, memory: &mut Memory) -> Result<Holdings, RecordError> {
        let policy = self.policy();
        let view = View::of(self, policy.clone(), self.now(), self.inner.clock_guard.margin_ns())?;
        memory.refresh(&view)?;
        memory.save(&view)?;
        let fs = &**view.reader.fs();
        let packs = sizes(fs, list_packs(fs, view.reader.dir())?)?;
        let kept = sizes(fs, list_kept_packs(fs, view.reader.dir())?)?;
        let mut names: Vec<String> =
            packs.keys().chain(kept.keys()).map(|(class, _)| class.clone()).collect();
        names.extend(memory.calendar.iter().flat_map(|known| known.classes()).map(str::to_owned));
        names.extend(view.classes().iter().map(|class| class.class.to_string()));
        names.sort_unstable();
        names.dedup();
        let classes: Vec<ClassHoldings> =
            names.into_iter().map(|name| of_class(&view, memory, &packs, &kept, name)).collect();
        let all: u64 = tree_bytes(fs, view.reader.dir().path())?;
        let told: u64 = classes.iter().map(|class| class.log_bytes + class.pack_bytes).sum();
        let mut older_bytes = 0;
        for (_, dir) in view.ledger.logs().filter(|(log, _)| *log != view.log) {
            older_bytes += tree_bytes(fs, dir.path())?;
        }
        Ok(Holdings {
            system: self.name().clone(),
            policy: policy.map(|policy| policy.id.clone()),
            at: view.now,
            classes,
            other_bytes: all.saturating_sub(told),
            older_bytes,
        })
    }
}

type Sizes = BTreeMap<(String, u32), u64>;

fn of_class(view: &View, memory: &Memory, packs: &Sizes, kept: &Sizes, class: String) -> ClassHoldings {
    let rule = view.rule(&class);
    let mut days: BTreeMap<u32, DayHoldings> = BTreeMap::new();
    let empty = |day: u32| DayHoldings { day, entries: 0, bytes: 0, due: None };
    let mut held = ClassHoldings {
        class: class.clone(),
        rule: rule.map(|rule| ClassRule {
            floor: rule.floor.to_string(),
            target: rule.target.to_string(),
            ceiling: rule.ceiling.map(|ceiling| ceiling.to_string()),
            legal_basis: rule.legal_basis.clone(),
        }),
        entries: 0,
        log_bytes: 0,
        pack_bytes: 0,
        kept_bytes: 0,
        oldest: None,
        next_due: None,
        past_ceiling: 0,
        days: Vec::new(),
    };
    for (day, row) in memory.calendar.iter().flat_map(|known| known.rows(&class)) {
        held.entries += row.entries;
        held.log_bytes += row.bytes;
        let of_day = days.entry(day).or_insert_with(|| empty(day));
        of_day.entries += row.entries;
        of_day.bytes += row.bytes;
        let ceiling = rule.and_then(|rule| rule.ceiling);
        if ceiling.is_some_and(|ceiling| ceiling.end(last_of(day)) < view.now) {
            held.past_ceiling += row.entries;
        }
    }
    for (sizes, is_kept) in [(packs, false), (kept, true)] {
        for ((_, day), bytes) in sizes.iter().filter(|((of, _), _)| *of == class) {
            held.pack_bytes += bytes;
            held.kept_bytes += if is_kept { *bytes } else { 0 };
            days.entry(*day).or_insert_with(|| empty(*day)).bytes += bytes;
        }
    }
    let due = |day: u32| view.due_of(rule?, day);
    days.values_mut().for_each(|of_day| of_day.due = due(of_day.day));
    held.days = days.into_values().collect();
    let oldest = held.days.iter().find(|day| day.entries > 0);
    held.oldest = oldest.map(|day| start_of(day.day));
    held.next_due = oldest.and_then(|day| day.due);
    held
}

fn start_of(day: u32) -> Timestamp {
    Timestamp(u64::from(day).saturating_mul(super::calendar::DAY_NS))
}

/// Bytes of packs and their indices, by class and day.
fn sizes(fs: &dyn Fs, packs: Vec<PackName>) -> Result<Sizes, RecordError> {
    let mut sizes = Sizes::new();
    for pack in packs {
        let midnight: Option<Timestamp> = format!("{}T00:00:00.000000000Z", pack.day).parse().ok();
        let bytes = len(fs, &pack.pack)? + len(fs, &pack.index)?;
        *sizes.entry((pack.class, midnight.unwrap_or_default().day())).or_default() += bytes;
    }
    Ok(sizes)
}

/// A file's length; none, if it is not there any more.
fn len(fs: &dyn Fs, path: &Path) -> Result<u64, DiskError> {
    match fs.open(path, Open::Read) {
        Err(error) if error.is_not_found() => Ok(0),
        file => file?.len(),
    }
}

/// Bytes of all files below a directory.
fn tree_bytes(fs: &dyn Fs, dir: &Path) -> Result<u64, RecordError> {
    let entries = match fs.read_dir(dir) {
        Err(error) if error.is_not_found() => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        bytes += if entry.is_dir { tree_bytes(fs, &entry.path)? } else { len(fs, &entry.path)? };
    }
    Ok(bytes)
}
