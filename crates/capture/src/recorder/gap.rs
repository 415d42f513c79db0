//! Gaps: what the log says of answers that passed unrecorded.

use crate::recorder::lapse::{Lapses, Place};
use crate::recorder::write::life_append;
use crate::recorder::{Inner, RecordError, Recorder, System};
use inferlog_disk::Fs;
use inferlog_log::marker::Found;
use inferlog_log::{AppendError, Flags, LogDir, LogReader, RecoveredLog, list_logs};
use inferlog_record::body::{Gap, GapReason};
use inferlog_record::{Entry, Id, SystemName, Tally, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Time between two attempts to tell a gap, unless configured otherwise.
pub const GAP_PERIOD: Duration = Duration::from_secs(1);
/// The same while answers go on passing unrecorded though the log takes gaps: it doubles up to this.
const GAP_PERIOD_MAX: Duration = Duration::from_secs(60);

/// How many entries of each log were published.
pub(crate) type Tails = BTreeMap<LogDir, u64>;

/// How many entries of each log are published now: what a later opening may find in the WAL comes after. Blocks.
pub(crate) fn tails(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Tails, RecordError> {
    let mut tails = Tails::new();
    for log in list_logs(&**fs, dir)? {
        let size = LogReader::new(fs.clone(), log.clone()).size()?;
        tails.insert(log, size);
    }
    Ok(tails)
}

impl System {
    /// Says that an earlier process may have answered without a record, and that nobody knows how often.
    pub(crate) async fn tell_unknown(&self, found: Found, log: &RecoveredLog) -> Result<(), RecordError> {
        let since = match found {
            Found::Clear => return Ok(()),
            Found::Degraded { since_ns } => Timestamp(since_ns),
            Found::Unreadable => self.last_time(log),
        };
        let to = self.now().max(since);
        let gap = Gap { count: Tally::Unknown, from: since, route: None, to, why: GapReason::UncleanEnd };
        let append = life_append(&self.inner, self.life_event(gap)?, Flags::RESERVED)?;
        self.state.log.append(vec![append]).await?;
        tracing::warn!(system = %self.name(), "answers of the last process passed unrecorded: a gap is recorded, its size is unknown");
        Ok(())
    }

    /// Says how many answers of a route passed unrecorded. The caller holds the gate.
    async fn tell(&self, place: &Place, flags: Flags) -> Result<(), RecordError> {
        let lapses = &self.inner.lapses;
        let event = self.inner.minter.id()?;
        let Some(lapse) = lapses.begin_telling(place, event, self.inner.life) else { return Ok(()) };
        let gap = Gap {
            count: Tally::Known(lapse.count),
            from: lapse.from,
            route: Some(place.1.clone()),
            to: lapse.to,
            why: lapse.why,
        };
        let made = self.life_event(gap).and_then(|made| {
            let made = inferlog_record::Event { id: event, ..made };
            life_append(&self.inner, made, flags)
        });
        let pending = match made {
            Ok(append) => self.state.log.submit(vec![append]).await.map_err(RecordError::from),
            Err(error) => Err(error),
        };
        let told = match pending {
            Ok(pending) => pending.durable().await,
            Err(error) => {
                lapses.end_telling(place, event, false);
                return Err(error);
            }
        };
        match told {
            Ok(_) => {
                lapses.end_telling(place, event, true);
                let (system, route) = place;
                tracing::warn!(%system, %route, count = lapse.count, "a gap was recorded: so many answers passed unrecorded");
                Ok(())
            }
            // It may be in the log: the next opening finds out.
            Err(error @ (AppendError::Poisoned(_) | AppendError::Closed)) => Err(error.into()),
            Err(error) => {
                lapses.end_telling(place, event, false);
                Err(error.into())
            }
        }
    }
}

impl Recorder {
    /// The requests that were answered and are not recorded. To be handed to the recorder that follows this one.
    pub fn lapses(&self) -> &Arc<Lapses> {
        &self.inner.lapses
    }

    /// Says of every lapse how many answers passed; the marker is cleared when all is told. Whether it said anything. With
    /// `flags` it may use the room that is kept for ends. The caller holds the gate.
    pub(crate) async fn tell_lapses(&self, flags: Flags) -> bool {
        let lapses = &self.inner.lapses;
        let mut has_told = false;
        for place in lapses.places() {
            let system = self.known(&place.0).await;
            let told = match &system {
                Some(system) => system.tell(&place, flags).await,
                None => continue,
            };
            match told {
                Ok(()) => has_told = true,
                Err(error) => tracing::debug!(%error, system = %place.0, "a gap cannot be told yet"),
            }
        }
        lapses.settle().await;
        has_told
    }

    async fn known(&self, name: &SystemName) -> Option<System> {
        let systems = self.inner.systems.lock().await;
        let state = systems.get(name)?.clone();
        Some(System { inner: self.inner.clone(), state })
    }

    /// Finds out which of the events that an earlier recorder of this process left unsure are in the log.
    pub(crate) async fn resolve_lapses(&self) -> Result<(), RecordError> {
        let lapses = self.inner.lapses.clone();
        let unsure = lapses.unsure(self.inner.life);
        let Some(tails) = lapses.tails().filter(|_| !unsure.is_empty()) else { return Ok(()) };
        // What was recovered is published; what was recorded since is not asked for.
        let inner = self.inner.clone();
        let found = tokio::task::spawn_blocking(move || {
            let wanted: BTreeSet<Id> = unsure.iter().map(|(_, event)| *event).collect();
            let mut found = BTreeSet::new();
            for log in inner.node.recovered() {
                if unsure.iter().any(|(system, _)| system.as_str() == log.dir.system()) {
                    let from = tails.get(&log.dir).copied().unwrap_or(0);
                    let reader = LogReader::new(inner.env.fs.clone(), log.dir.clone());
                    look(&reader, from, log.size, &wanted, &mut found)?;
                }
            }
            Ok::<_, RecordError>((wanted, found))
        });
        let (wanted, found) = found.await??;
        wanted.into_iter().for_each(|event| lapses.resolve(event, found.contains(&event)));
        Ok(())
    }
}

/// Which of the wanted events are in the entries from `from` on.
fn look(
    reader: &LogReader,
    from: u64,
    size: u64,
    wanted: &BTreeSet<Id>,
    found: &mut BTreeSet<Id>,
) -> Result<(), RecordError> {
    let mut failed = None;
    reader.scan(from, size, |_, bytes| {
        match Entry::from_bytes(bytes) {
            Ok(entry) => {
                found.extend(entry.events.iter().map(|event| event.id).filter(|id| wanted.contains(id)));
            }
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Tells gaps as soon as the log takes entries again, as long as the recorder lives.
pub(crate) async fn tell_gaps(inner: Weak<Inner>) {
    let Some(period) = inner.upgrade().map(|inner| inner.config.gap_period) else { return };
    let mut wait = period;
    loop {
        tokio::time::sleep(wait).await;
        let Some(inner) = inner.upgrade() else { return };
        let recorder = Recorder { inner };
        let _gate = recorder.inner.gate.read().await;
        if recorder.inner.check_open().is_err() {
            return;
        }
        if let Err(error) = recorder.resolve_lapses().await {
            tracing::warn!(%error, "it could not be found out which answers are recorded");
        }
        // Not from the reserve: where that is all there is, the disk is still full.
        let has_told = recorder.tell_lapses(Flags::NONE).await;
        wait = if has_told { (wait * 2).min(GAP_PERIOD_MAX.max(period)) } else { period };
    }
}
