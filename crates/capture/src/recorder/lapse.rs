//! Lapses: requests that were answered and not recorded, under the failure policy `degrade`.
//!
//! Whoever lets such an answer go counts it here first ([`System::lapse`]). The count is in memory; that there is one is
//! durable before the first answer leaves: the degrade marker ([`inferlog_log::marker`]) is set. Once the log takes entries
//! again the counts become `gap` events, and when no count is left the marker is cleared. A process that dies before leaves
//! the marker, and the next one writes that the count is unknown.
//!
//! **No race.** The marker is only touched by who holds its lock. It counts as set (`is_marked`) from when it is until
//! somebody, under both locks, found that nothing is counted; a count that comes later waits for the lock and sets it again.
//!
//! **Unsure.** After a failed commit nobody knows whether an entry is in the log. Such answers, and such `gap` events, are kept
//! apart until the log was opened again and could be looked through: counts are exact.
//!
//! A node has one of these as long as its process lives, over every reopening of its log.

use crate::recorder::gap::Tails;
use crate::recorder::{RecordError, System};
use inferlog_disk::Fs;
use inferlog_log::marker::Found;
use inferlog_log::{Marker, NodeLock};
use inferlog_record::body::GapReason;
use inferlog_record::{ClearName, Id, SystemName, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests of a node that were answered and not recorded, and whose number is not in the log yet.
#[derive(Debug)]
pub struct Lapses {
    lock: NodeLock,
    marker: Arc<tokio::sync::Mutex<Marker>>,
    state: Mutex<State>,
    /// Recorders that were opened with it.
    lives: AtomicU64,
}

/// Where answers passed: the system and the route.
pub(crate) type Place = (SystemName, ClearName);

#[derive(Debug)]
struct State {
    /// Whether the marker is durably set, and stays so.
    is_marked: bool,
    /// Whether the marker may say more than is counted: it is to be cleared.
    is_stale: bool,
    counts: BTreeMap<Place, Lapse>,
    unsure: Vec<Unsure>,
    /// Where to look for what is unsure.
    tails: Option<Tails>,
}

/// What is counted of a place.
#[derive(Clone, Debug)]
pub(crate) struct Lapse {
    pub(crate) count: u64,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) why: GapReason,
    /// The event that tells of so many, while it is not known whether it is in the log; and which recorder wrote it.
    telling: Option<(Id, u64, u64)>,
}

/// An answer that may be recorded: if this event is in the log.
#[derive(Clone, Debug)]
struct Unsure {
    event: Id,
    life: u64,
    missed: Missed,
}

/// An answer that is given without a record.
#[derive(Clone, Debug)]
struct Missed {
    place: Place,
    at: Timestamp,
    why: GapReason,
}

impl System {
    /// Counts a request on this route that is answered though it is not recorded. On return that there is a gap is durable,
    /// and the answer may go. Where `event` is given the request was recorded if that event turns out to be in the log.
    ///
    /// # Errors
    /// If the marker can be set in no place: then nothing is counted, and the answer must not go.
    pub async fn lapse(
        &self,
        route: &ClearName,
        why: GapReason,
        event: Option<Id>,
    ) -> Result<(), RecordError> {
        let place = (self.name().clone(), route.clone());
        let missed = Missed { place, at: self.now(), why };
        let life = self.inner.life;
        self.inner.lapses.count(missed, event.map(|event| (event, life))).await
    }
}

impl Lapses {
    /// Opens the marker of a node, whose lock is held, and says what it was found to be. Blocks.
    pub(crate) fn open(
        fs: &dyn Fs,
        dir: &Path,
        twins: Option<&Path>,
        node: [u8; 16],
        lock: NodeLock,
    ) -> Result<(Arc<Self>, Found), RecordError> {
        let (marker, found) = Marker::open(fs, dir, twins, node)?;
        let state = State {
            is_marked: false,
            is_stale: found != Found::Clear,
            counts: BTreeMap::new(),
            unsure: Vec::new(),
            tails: None,
        };
        let marker = Arc::new(tokio::sync::Mutex::new(marker));
        Ok((Arc::new(Self { lock, marker, state: Mutex::new(state), lives: AtomicU64::new(0) }), found))
    }

    /// The lock of the node's directory: to open it again with.
    pub fn node_lock(&self) -> NodeLock {
        self.lock.clone()
    }

    /// How many answers passed that neither the log nor a gap in it tells of, as far as is known; and since when.
    pub fn untold(&self) -> Option<(u64, Timestamp)> {
        let state = self.state.lock();
        let counted = state.counts.values().map(|lapse| (lapse.count, lapse.from));
        let unsure = state.unsure.iter().map(|unsure| (1, unsure.missed.at));
        counted.chain(unsure).reduce(|one, other| (one.0 + other.0, one.1.min(other.1)))
    }

    /// Another recorder begins to work with it: its number.
    pub(crate) fn begin_life(&self) -> u64 {
        self.lives.fetch_add(1, Ordering::AcqRel)
    }

    async fn count(self: &Arc<Self>, missed: Missed, unsure: Option<(Id, u64)>) -> Result<(), RecordError> {
        if self.state.lock().add(&missed, unsure) {
            return Ok(());
        }
        let mut marker = self.marker.clone().lock_owned().await;
        if self.state.lock().add(&missed, unsure) {
            return Ok(());
        }
        let lapses = self.clone();
        // To its end, though nobody waits any more: what is set is known to be set.
        let set = tokio::task::spawn_blocking(move || {
            lapses.state.lock().is_stale = true;
            if !marker.is_set() {
                marker.set(missed.at.nanos())?;
            }
            tracing::error!(
                system = %missed.place.0, route = %missed.place.1, why = %missed.why,
                "answers pass unrecorded from now on; they are counted"
            );
            let mut state = lapses.state.lock();
            state.is_marked = true;
            state.add(&missed, unsure);
            Ok(())
        });
        set.await?
    }

    /// Clears the marker if nothing is counted. What fails is tried again with the next call.
    pub(crate) async fn settle(self: &Arc<Self>) {
        if !self.state.lock().is_settled() {
            return;
        }
        let mut marker = self.marker.clone().lock_owned().await;
        {
            let mut state = self.state.lock();
            if !state.is_settled() {
                return;
            }
            // From here on what is to be counted waits for the marker.
            state.is_marked = false;
            state.is_stale = true;
        }
        let lapses = self.clone();
        let cleared = tokio::task::spawn_blocking(move || {
            let cleared = marker.clear();
            lapses.state.lock().is_stale = cleared.is_err();
            cleared
        });
        match cleared.await {
            Ok(Ok(())) => tracing::info!("nothing unrecorded is untold any more"),
            Ok(Err(error)) => tracing::warn!(%error, "the degrade marker cannot be cleared"),
            Err(error) => tracing::warn!(%error, "the degrade marker cannot be cleared"),
        }
    }

    /// Places of which something can be told now.
    pub(crate) fn places(&self) -> Vec<Place> {
        let state = self.state.lock();
        let tellable = |lapse: &Lapse| lapse.count > 0 && lapse.telling.is_none();
        state.counts.iter().filter(|(_, lapse)| tellable(lapse)).map(|(place, _)| place.clone()).collect()
    }

    /// What an event of this recorder is about to tell of a place.
    pub(crate) fn begin_telling(&self, place: &Place, event: Id, life: u64) -> Option<Lapse> {
        let mut state = self.state.lock();
        let lapse = state.counts.get_mut(place).filter(|lapse| lapse.telling.is_none() && lapse.count > 0)?;
        lapse.telling = Some((event, lapse.count, life));
        Some(lapse.clone())
    }

    /// The event is in the log, or it is not.
    pub(crate) fn end_telling(&self, place: &Place, event: Id, is_told: bool) {
        let mut state = self.state.lock();
        let Some(lapse) = state.counts.get_mut(place) else { return };
        let Some((_, told, _)) = lapse.telling.take_if(|(telling, ..)| *telling == event) else { return };
        if is_told {
            lapse.count -= told;
            // What was counted since came after what the event tells.
            lapse.from = lapse.to;
        }
        if lapse.count == 0 {
            state.counts.remove(place);
        }
    }

    /// Events of earlier recorders of which it is to be found out whether they are in the log, by system.
    pub(crate) fn unsure(&self, life: u64) -> Vec<(SystemName, Id)> {
        let state = self.state.lock();
        let answers = state.unsure.iter().map(|unsure| (&unsure.missed.place, unsure.event, unsure.life));
        let gaps = state.counts.iter().filter_map(|(place, lapse)| {
            let (event, _, life) = lapse.telling?;
            Some((place, event, life))
        });
        let earlier = answers.chain(gaps).filter(|(.., of)| *of < life);
        earlier.map(|(place, event, _)| (place.0.clone(), event)).collect()
    }

    /// It was found out.
    pub(crate) fn resolve(&self, event: Id, is_in_log: bool) {
        let gap = {
            let mut state = self.state.lock();
            if let Some(at) = state.unsure.iter().position(|unsure| unsure.event == event) {
                let answer = state.unsure.swap_remove(at);
                if !is_in_log {
                    state.add(&answer.missed, None);
                }
                return;
            }
            let is_it = |lapse: &Lapse| lapse.telling.is_some_and(|(telling, ..)| telling == event);
            state.counts.iter().find(|(_, lapse)| is_it(lapse)).map(|(place, _)| place.clone())
        };
        gap.into_iter().for_each(|place| self.end_telling(&place, event, is_in_log));
    }

    /// Where the logs ended before the recorder that was closed last is followed by another.
    pub(crate) fn tails(&self) -> Option<Tails> {
        self.state.lock().tails.clone()
    }

    pub(crate) fn set_tails(&self, tails: Option<Tails>) {
        self.state.lock().tails = tails;
    }
}

impl State {
    /// Counts an answer, if the marker is set.
    fn add(&mut self, missed: &Missed, unsure: Option<(Id, u64)>) -> bool {
        if !self.is_marked {
            return false;
        }
        if let Some((event, life)) = unsure {
            self.unsure.push(Unsure { event, life, missed: missed.clone() });
            return true;
        }
        let (from, to, why) = (missed.at, missed.at, missed.why);
        let new = || Lapse { count: 0, from, to, why, telling: None };
        let lapse = self.counts.entry(missed.place.clone()).or_insert_with(new);
        if lapse.count == 0 {
            (lapse.from, lapse.to, lapse.why) = (from, to, why);
        }
        lapse.count += 1;
        (lapse.from, lapse.to) = (lapse.from.min(from), lapse.to.max(to));
        true
    }

    /// Whether the marker is to be cleared.
    fn is_settled(&self) -> bool {
        self.counts.is_empty() && self.unsure.is_empty() && (self.is_marked || self.is_stale)
    }
}
