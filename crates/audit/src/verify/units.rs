//! The one pass over a log's entries and payloads, by several threads. A unit of work is a run of bundles and the records of
//! every pack that belong to their entries; units are handed out in order, so that packs are read forwards and memory does
//! not grow with the log.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use inferlog_log::packs::{PACK_HEADER_BYTES, PackName, list_kept_packs, list_packs};
use inferlog_merkle::TILE_WIDTH;
use parking_lot::Mutex;

use super::bundle::{self, Contents, Parent, Place};
use super::join::Join;
use super::kept;
use super::log::Log;
use super::missing::{self, MISSING_MAX, Missing};
use super::progress::Tracker;
use super::rows::{Rows, Slice};
use crate::fate::{LifeFinder, Removals};
use crate::report::{FaultKind, PayloadCounts};

/// Bundles in a unit; their level-0 tiles have one parent.
const UNIT_BUNDLES: u64 = 16;
const MAGIC: &[u8; 8] = b"ILPACK01";

/// What the pass found, beside faults.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) counts: PayloadCounts,
    /// Bytes read of bundles and packs.
    pub(super) bytes: u64,
    pub(super) removals: Removals,
    /// Of each pruned bundle, which entries were kept; ascending.
    pub(super) pruned: Vec<(u64, kept::Kept)>,
    /// Pruned bundles whose files are still there.
    pub(super) leftovers: u64,
    missing: Vec<Missing>,
    /// Whether `removals` has what the whole log says.
    is_all_known: bool,
}

struct Unit {
    bundles: Range<u64>,
    slices: Vec<Slice>,
}

/// Units that wait for a thread.
struct Queue {
    next: u64,
    bundles: u64,
    /// Packs that no unit has reached, by their first entry.
    waiting: VecDeque<PackName>,
    /// Packs of which records are left. Few: a log grows in few packs at a time.
    active: Vec<Rows>,
    /// Lengths that count of packs that may still grow: of the pack, of the index.
    tails: HashMap<String, (u64, u64)>,
}

/// Checks every entry and payload under the checkpoint.
pub(super) fn check(log: &Log<'_>, threads: usize, tracker: &Tracker<'_>) -> Totals {
    let queue = Mutex::new(Queue::new(log));
    let totals = Mutex::new(Totals::default());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work(log, &queue, &totals, tracker));
        }
        work(log, &queue, &totals, tracker);
    });
    let mut totals = totals.into_inner();
    let missing = std::mem::take(&mut totals.missing);
    missing::settle(log, &totals.removals, missing, &mut totals.counts);
    totals.pruned.sort_unstable_by_key(|(number, _)| *number);
    totals
}

fn work(log: &Log<'_>, queue: &Mutex<Queue>, totals: &Mutex<Totals>, tracker: &Tracker<'_>) {
    loop {
        let unit = queue.lock().take(log);
        let Some(unit) = unit else { return };
        let bundles = unit.bundles.end - unit.bundles.start;
        let (mut contents, slices) = (read(log, unit.bundles), unit.slices);
        let found = join(log, &mut contents, &slices);
        tracker.add(bundles, found.bytes);
        totals.lock().merge(log, found);
    }
}

/// Checks the bundles of a unit.
fn read(log: &Log<'_>, bundles: Range<u64>) -> Contents {
    let above = bundles.start / u64::from(TILE_WIDTH);
    let path = log.tile_path(1, above);
    // A tile that is missing or too short is reported once, when its own level is checked.
    let bytes = path.and_then(|path| log.read(path).ok()).map_or(Vec::new(), |read| read.bytes);
    let parent = Parent { path, bytes, is_right: log.is_right(1, above) };
    let mut contents = Contents::default();
    for number in bundles {
        bundle::check(log, &parent, number, &mut contents);
    }
    contents
}

/// Holds the records of a unit against its entries.
fn join(log: &Log<'_>, contents: &mut Contents, slices: &[Slice]) -> Totals {
    let mut found = Totals {
        bytes: contents.bytes,
        counts: contents.counts,
        removals: std::mem::take(&mut contents.removals),
        pruned: std::mem::take(&mut contents.pruned),
        leftovers: contents.leftovers,
        ..Totals::default()
    };
    for slice in slices {
        let (class, day) = (slice.pack.name.class.as_bytes(), slice.pack.name.day.as_bytes());
        if !contents.places.iter().any(|place| place.class == class && place.day == day) {
            contents.places.push(Place { class: class.to_vec(), day: day.to_vec(), expects: Vec::new() });
        }
        let start = slice.rows.first().map_or(slice.end, |row| row.offset);
        // Rows may claim anything.
        found.bytes += slice.end.min(slice.pack.len).saturating_sub(start);
    }
    for place in &mut contents.places {
        let is_here = |slice: &&Slice| {
            slice.pack.name.class.as_bytes() == place.class && slice.pack.name.day.as_bytes() == place.day
        };
        let mut join = Join::new(log.sink, &mut place.expects, &contents.unread);
        for slice in slices.iter().filter(is_here) {
            if let Err(error) = join.slice(slice) {
                log.unreadable(&slice.pack.name.pack, &error);
                join.damaged.extend(slice.rows.iter().map(|row| row.index));
            }
        }
        found.counts.present += join.met;
        found.counts.kept += join.kept;
        let mut damaged = join.damaged;
        damaged.sort_unstable();
        let unmet = place.expects.iter().filter(|expect| !expect.is_met);
        let unmet = unmet.filter(|expect| damaged.binary_search(&expect.index).is_err());
        found.missing.extend(unmet.map(|expect| Missing { index: expect.index, payload: expect.payload }));
    }
    found
}

impl Totals {
    fn merge(&mut self, log: &Log<'_>, found: Self) {
        self.counts.add(found.counts);
        self.bytes += found.bytes;
        self.removals.merge(found.removals);
        self.pruned.extend(found.pruned);
        self.leftovers += found.leftovers;
        self.missing.extend(found.missing);
        if self.missing.len() > MISSING_MAX {
            // More than memory should hold until the end, where the events stand that explain them: these are searched for now.
            self.know_all(log);
            let missing = std::mem::take(&mut self.missing);
            missing::settle(log, &self.removals, missing, &mut self.counts);
        }
    }

    /// Searches the whole log for what was removed, once.
    fn know_all(&mut self, log: &Log<'_>) {
        if std::mem::replace(&mut self.is_all_known, true) {
            return;
        }
        let (finder, removals) = (LifeFinder::default(), &mut self.removals);
        kept::each(log, 0..log.bundles(), |index, entry| {
            if finder.finds(entry) {
                // One that does not parse is reported where it is checked.
                let _ = removals.take((0, index), entry);
            }
        });
    }
}

impl Queue {
    fn new(log: &Log<'_>) -> Self {
        let mut packs = list_packs(&**log.fs, log.dir).unwrap_or_else(|error| {
            log.sink.file(&log.dir.packs(), FaultKind::Unreadable, error.to_string());
            Vec::new()
        });
        packs.extend(list_kept_packs(&**log.fs, log.dir).unwrap_or_else(|error| {
            log.sink.file(&log.dir.kept_packs(), FaultKind::Unreadable, error.to_string());
            Vec::new()
        }));
        packs.sort_by_key(|pack| pack.first);
        let tails = log.state.iter().flat_map(|state| &state.packs);
        let tails = tails.map(|tail| (tail.name.clone(), (tail.pack_bytes, tail.index_bytes)));
        Self {
            next: 0,
            bundles: log.bundles(),
            waiting: packs.into(),
            active: Vec::new(),
            tails: tails.collect(),
        }
    }

    fn take(&mut self, log: &Log<'_>) -> Option<Unit> {
        if self.next >= self.bundles {
            return None;
        }
        let bundles = self.next..(self.next + UNIT_BUNDLES).min(self.bundles);
        self.next = bundles.end;
        let end = (bundles.end * u64::from(TILE_WIDTH)).min(log.size);
        while self.waiting.front().is_some_and(|pack| pack.first < end) {
            let opened = self.waiting.pop_front().and_then(|name| self.open(log, name));
            self.active.extend(opened);
        }
        let mut slices = Vec::new();
        self.active.retain_mut(|rows| match rows.slice(end, log.sink) {
            Ok(slice) => {
                slices.extend(slice);
                !rows.is_done()
            }
            Err(error) => {
                log.unreadable(&error.path, &error);
                false
            }
        });
        Some(Unit { bundles, slices })
    }

    /// Opens a pack and checks its header.
    fn open(&self, log: &Log<'_>, name: PackName) -> Option<Rows> {
        let path = name.pack.clone();
        // What was kept is written whole.
        let is_kept = path.starts_with(log.dir.kept_packs());
        let tail = format!("{}/{}/{:020}", name.class, name.day, name.first);
        let lens = self.tails.get(&tail).copied().filter(|_| !is_kept);
        let mut header = Vec::with_capacity(PACK_HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&log.id.0);
        header.extend_from_slice(&name.first.to_be_bytes());
        header.resize(PACK_HEADER_BYTES, 0);
        let opened = Rows::open(log.fs, name, lens, is_kept, log.sink).and_then(|rows| {
            let mut found = vec![0; PACK_HEADER_BYTES];
            let length = rows.pack().file.read_at(&mut found, 0)?;
            let wrong = header.iter().zip(&found).position(|(expected, found)| expected != found);
            if let Some(at) = wrong.or((length < PACK_HEADER_BYTES).then_some(length)) {
                log.sink.byte(&path, at as u64, FaultKind::Pack, "the header of this pack does not check");
            }
            Ok(rows)
        });
        opened.map_err(|error| log.unreadable(&path, &error)).ok()
    }
}
