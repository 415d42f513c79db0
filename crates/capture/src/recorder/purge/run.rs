//! One run of retention over a system's log.

use super::FrozenBecause;
use super::calendar::Calendar;
use super::carry::{Entries, Packs, carry_packs, entries_event, erasure, flagged};
use super::plan::{ClassPass, Memory, again};
use super::view::View;
use crate::recorder::erase::Intended;
use crate::recorder::ledger::Told;
use crate::recorder::{RecordError, System};
use inferlog_log::Flags;
use inferlog_log::prune::PrunedEntries;
use inferlog_record::{Id, SystemName, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::sync::OwnedMutexGuard;

/// How often a run plans anew because holds were placed, or old days recorded, while it planned.
const PLANS_MAX: u32 = 5;

/// What a run of retention did in one system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Purged {
    /// The system.
    pub system: SystemName,
    /// When.
    pub at: Timestamp,
    /// Why it removed nothing, although something may be due.
    pub frozen: Vec<FrozenBecause>,
    /// The events that say what was removed.
    pub events: Vec<Id>,
    /// Entries whose payloads were purged.
    pub purged: u64,
    /// Their payloads.
    pub payloads: u64,
    /// Keys that were destroyed.
    pub keys: u64,
    /// Packs that are gone.
    pub packs: u64,
    /// Entries that are gone.
    pub entries: u64,
    /// Entries that holds kept of what is due.
    pub kept: u64,
    /// Bytes of files that were freed.
    pub bytes: u64,
    /// How long requests had to wait at most, milliseconds.
    pub waited_ms: u64,
    /// What stays although it is due: packs that do not check, what could not be overwritten.
    pub left: Vec<String>,
}

type Held = OwnedMutexGuard<Memory>;

impl System {
    pub(super) async fn purge(&self) -> Result<Purged, RecordError> {
        let mut memory = self.state.retention.clone().lock_owned().await;
        let mut done = Purged::nothing(self);
        if self.policy().is_none() {
            return Ok(done);
        }
        {
            let _gate = self.inner.gate.read().await;
            self.inner.check_open()?;
            // What was logged before has a record after it, and the log says what the clock is worth.
            self.tell_clock().await?;
        }
        if !self.inner.orders.lock().intended.is_empty() {
            // Before its packs go too.
            let _gate = self.inner.gate.write().await;
            self.inner.check_open()?;
            self.inner.finish_intended().await?;
        }
        self.inner.node.integrate().await?;
        for _ in 0..PLANS_MAX {
            let (back, planned) = self.plan_due(memory).await?;
            memory = back;
            let (view, passes) = match planned {
                Planned::Frozen(frozen) => return Ok(Purged { frozen, ..done }),
                Planned::Due(view, passes) => (*view, passes),
            };
            if passes.is_empty() {
                break;
            }
            let (back, is_done) = self.announce_payloads(memory, &view, passes, &mut done).await?;
            memory = back;
            if is_done {
                break;
            }
        }
        self.finish(memory, done).await
    }

    fn view(&self) -> Result<View, RecordError> {
        View::of(self, self.policy(), self.now(), self.inner.clock_guard.margin_ns())
    }

    async fn plan_due(&self, mut memory: Held) -> Result<(Held, Planned), RecordError> {
        let system = self.clone();
        let planned = move || {
            let view = system.view()?;
            memory.refresh(&view)?;
            let frozen = system.frozen(&view, &memory);
            if !frozen.is_empty() {
                let frozen = frozen.iter().map(FrozenBecause::from).collect();
                return Ok((memory, Planned::Frozen(frozen)));
            }
            // What is open for appending would change under the digests that the event states.
            let pruner = system.state.log.pruner();
            let calendar = memory.calendar.as_ref();
            for class in view.classes() {
                let due = calendar.map_or(0, |known| view.due(known, class));
                if let Some(last) = due.checked_sub(1) {
                    pruner.close_packs(class.class.as_str(), last)?;
                }
            }
            let passes = memory.pass(&view)?;
            memory.save(&view)?;
            Ok::<_, RecordError>((memory, Planned::Due(Box::new(view), passes)))
        };
        tokio::task::spawn_blocking(planned).await?
    }

    /// Steps 1 and 2, unless something came in between that what was planned does not fit: then nothing is done, and it says so.
    async fn announce_payloads(
        &self,
        memory: Held,
        planned: &View,
        passes: Vec<ClassPass>,
        done: &mut Purged,
    ) -> Result<(Held, bool), RecordError> {
        let _gate = self.inner.gate.write().await;
        let began = Instant::now();
        self.inner.check_open()?;
        self.inner.finish_intended().await?;
        self.inner.node.integrate().await?;
        let system = self.clone();
        let look = move || {
            let (mut memory, view) = (memory, system.view()?);
            let is_changed = memory.refresh(&view)?;
            let frozen = !system.frozen(&view, &memory).is_empty();
            let stands = |calendar: &Calendar| passes.iter().all(|pass| pass.stands(calendar));
            let fits = !is_changed && !frozen && memory.calendar.as_ref().is_some_and(stands);
            Ok::<_, RecordError>((memory, view, passes, fits))
        };
        let (memory, view, passes, fits) = tokio::task::spawn_blocking(look).await??;
        if !fits || !view.allows(planned) {
            return Ok((memory, false));
        }
        let events = passes.iter().map(|pass| flagged(pass.event(&view), Flags::ERASURE)).collect();
        let told = self.tell_permanent(events).await?;
        // What fails from here on this process carries out before it begins another purge or erasure, else the next start.
        let keys = erasure(self.name(), &passes);
        let intended = Intended::of_purge(self.state.clone(), told.clone(), keys);
        self.inner.orders.lock().intended.push(intended.clone());
        let report = self.inner.carry_out(&intended).await?;
        done.keys += report.keys_erased as u64;
        done.left.extend(report.leftovers);
        done.events.extend(told.iter().map(|told| told.event.id));
        for pass in &passes {
            done.purged += pass.entries;
            done.payloads += pass.payloads;
            done.kept += pass.kept;
        }
        done.waited(began.elapsed());
        Ok((memory, true))
    }

    /// Steps 3 to 5.
    async fn finish(&self, mut memory: Held, mut done: Purged) -> Result<Purged, RecordError> {
        let system = self.clone();
        let carried = move || {
            let view = system.view()?;
            memory.refresh(&view)?;
            let packs = carry_packs(&system, &mut memory, &view)?;
            let mut entries = PrunedEntries::default();
            if let Some(range) = view.unfinished()? {
                entries = Entries::of(&view, &memory)?.carry(&system, &mut memory, range)?;
                memory.save(&view)?;
            }
            Ok::<_, RecordError>((memory, packs, entries))
        };
        let (memory, packs, entries) = tokio::task::spawn_blocking(carried).await??;
        done.went(&packs, &entries);
        let (memory, announced) = self.announce_entries(memory, &mut done).await?;
        let Some(told) = announced else { return Ok(done) };
        done.events.push(told.event.id);
        let system = self.clone();
        let carried = move || {
            let (mut memory, view) = (memory, system.view()?);
            memory.refresh(&view)?;
            let range = told.purge().map(|purge| (purge.first.0, purge.last.0)).unwrap_or_default();
            let gone = Entries::of(&view, &memory)?.carry(&system, &mut memory, range)?;
            memory.save(&view)?;
            Ok::<_, RecordError>(gone)
        };
        let gone = tokio::task::spawn_blocking(carried).await??;
        done.went(&Packs::default(), &gone);
        Ok(done)
    }

    /// Step 4, if entries are to go.
    async fn announce_entries(
        &self,
        memory: Held,
        done: &mut Purged,
    ) -> Result<(Held, Option<Told>), RecordError> {
        let (system, mut memory) = (self.clone(), memory);
        let planned = move || {
            let view = system.view()?;
            memory.refresh(&view)?;
            let gone = Entries::of(&view, &memory)?.plan(&view, &memory)?;
            Ok::<_, RecordError>((memory, view, gone))
        };
        let (memory, view, gone) = tokio::task::spawn_blocking(planned).await??;
        let Some((gone, first)) = gone else { return Ok((memory, None)) };
        let _gate = self.inner.gate.write().await;
        let began = Instant::now();
        self.inner.check_open()?;
        self.inner.node.integrate().await?;
        let system = self.clone();
        let look = move || {
            let mut memory = memory;
            let now = system.view()?;
            let is_changed = memory.refresh(&now)? || !system.frozen(&now, &memory).is_empty();
            let is_changed = is_changed || !now.allows(&view);
            Ok::<_, RecordError>((memory, view, is_changed))
        };
        let (memory, view, is_changed) = tokio::task::spawn_blocking(look).await??;
        if is_changed {
            // The next run takes what is left.
            return Ok((memory, None));
        }
        let event = flagged(entries_event(&view, &gone, first), Flags::NONE);
        let told = self.tell_permanent(vec![event]).await?;
        self.inner.node.integrate().await?;
        done.waited(began.elapsed());
        Ok((memory, told.into_iter().next()))
    }
}

enum Planned {
    Frozen(Vec<FrozenBecause>),
    Due(Box<View>, Vec<ClassPass>),
}

impl Purged {
    fn nothing(system: &System) -> Self {
        Self {
            system: system.name().clone(),
            at: system.now(),
            frozen: Vec::new(),
            events: Vec::new(),
            purged: 0,
            payloads: 0,
            keys: 0,
            packs: 0,
            entries: 0,
            kept: 0,
            bytes: 0,
            waited_ms: 0,
            left: Vec::new(),
        }
    }

    fn waited(&mut self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.waited_ms = self.waited_ms.max(ms);
    }

    fn went(&mut self, packs: &Packs, entries: &PrunedEntries) {
        self.packs += packs.packs;
        self.entries += entries.entries;
        self.bytes += packs.bytes + entries.bytes;
        self.left
            .extend(packs.damaged.iter().map(|pack| format!("{pack} does not check: run `inferlog verify`")));
    }
}

/// Step 2 again, of a purge that the keystore has not seen.
pub(super) fn carry_out_keys(system: &System, announced: &Told) -> Result<(), RecordError> {
    let Some(purge) = announced.purge() else { return Ok(()) };
    let Some(class) = purge.class.clone() else { return Ok(()) };
    let view = View::of(system, None, system.now(), 0)?;
    let pass = again(system, &view, class, purge.first.0..=purge.last.0, announced)?;
    let keys = erasure(system.name(), std::slice::from_ref(&pass));
    system.inner.vault.erase(&keys, (announced.log.0, announced.index))?;
    Ok(())
}
