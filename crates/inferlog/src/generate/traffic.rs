//! All systems' writes in the order of time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use inferlog_log::{Append, Flags};
use inferlog_record::body::LastEnd;
use inferlog_record::{ENTRY_BYTES_MAX, Entry, Id, TextError};

use super::decision::{Plan, Sessions};
use super::make::{BEGIN_NS, Maker, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, Write};
use super::systems::SYSTEMS;
use super::{GenerateError, Options, Written, life};

/// A clock is looked at this often.
const CLOCK_NS: u64 = 6 * NS_PER_HOUR;
/// A recorder ends in order, and begins again, this often.
const RESTART_NS: u64 = 14 * NS_PER_DAY;
/// Decisions that a reader may look at together.
const RECENT: usize = 5;

/// Entries in the order in which they are written: the system's place in [`SYSTEMS`], and what becomes durable together.
pub struct Traffic {
    maker: Maker,
    options: Options,
    begun: u64,
    next_begins: u64,
    next_clock: u64,
    next_restart: u64,
    /// What is still to come, earliest first.
    to_come: BinaryHeap<Reverse<Coming>>,
    sequence: u64,
    sessions: Sessions,
    recent: VecDeque<Id>,
    shown: BTreeMap<&'static str, &'static str>,
    written: Written,
}

/// A write at its time; of two at one time the one that was drawn first.
struct Coming {
    at: u64,
    sequence: u64,
    write: Write,
}

impl Traffic {
    /// The traffic of these options.
    pub fn new(options: &Options) -> Result<Self, TextError> {
        let mut traffic = Self {
            maker: Maker::new(options.seed, options.sealed)?,
            options: *options,
            begun: 0,
            next_begins: BEGIN_NS + NS_PER_SECOND,
            next_clock: BEGIN_NS,
            next_restart: BEGIN_NS + RESTART_NS,
            to_come: BinaryHeap::new(),
            sequence: 0,
            sessions: Sessions::default(),
            recent: VecDeque::new(),
            shown: BTreeMap::new(),
            written: Written::default(),
        };
        for system in 0..SYSTEMS.len() {
            let started = life::started(&mut traffic.maker, system, BEGIN_NS, LastEnd::First);
            traffic.later(started);
        }
        Ok(traffic)
    }

    /// What was given so far.
    pub fn written(&self) -> Written {
        Written { decisions: self.begun, ..self.written }
    }

    fn later(&mut self, write: Write) {
        self.sequence += 1;
        self.to_come.push(Reverse(Coming { at: write.at, sequence: self.sequence, write }));
    }

    /// Draws the next decision, and what its time brings with it.
    fn draw(&mut self) {
        let at = self.next_begins;
        let span = self.options.days.max(1) * NS_PER_DAY;
        self.next_begins += self.maker.exponential(span / self.options.decisions.max(1));
        while self.next_clock <= at {
            for system in 0..SYSTEMS.len() {
                let clock = life::clock(&mut self.maker, system, at);
                self.later(clock);
            }
            self.next_clock += CLOCK_NS;
        }
        while self.next_restart <= at {
            for system in 0..SYSTEMS.len() {
                let stopped = life::stopped(&mut self.maker, system, at);
                let again = life::started(&mut self.maker, system, at, LastEnd::Clean);
                self.later(stopped);
                self.later(again);
            }
            self.next_restart += RESTART_NS;
        }
        self.begun += 1;
        let progress = ((at - BEGIN_NS) / (span / 1_000)).min(999);
        let mut plan = Plan::draw(&mut self.maker, self.begun, at, progress, &mut self.sessions);
        for write in life::sessions(&mut self.maker, &mut self.sessions) {
            self.later(write);
        }
        for write in plan.writes(&mut self.maker, self.begun) {
            self.later(write);
        }
        let before = self.shown.insert(plan.model.name, plan.version);
        if before != Some(plan.version) {
            let changed = life::changed(&mut self.maker, &plan, before);
            self.later(changed);
        }
        self.recent.push_back(plan.id);
        while self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        for write in life::looks(&mut self.maker, &plan, self.recent.make_contiguous()) {
            self.later(write);
        }
    }

    /// An entry in as many parts as it needs.
    fn appends(&mut self, write: Write) -> Result<Vec<Append>, GenerateError> {
        let Write { at, decision, events, opens, closes, .. } = write;
        let flags = match (opens, closes) {
            (true, _) => Flags::OPENS,
            (_, true) => Flags::CLOSES,
            _ => Flags::NONE,
        };
        self.written.events += events.len() as u64;
        let append = |bytes: Vec<u8>| Append {
            entry: bytes,
            decision: decision.map_or([0; 16], Id::into_bytes),
            logged_at_ns: at,
            flags,
            class: "default".into(),
            ..Append::default()
        };
        let entry = Entry::new(decision, events);
        let bytes = entry.to_bytes()?;
        let mut appends = Vec::new();
        if bytes.len() <= ENTRY_BYTES_MAX {
            appends.push(append(bytes));
        } else {
            for part in entry.into_parts()? {
                appends.push(append(part.to_bytes()?));
            }
        }
        self.written.entries += appends.len() as u64;
        self.written.entry_bytes += appends.iter().map(|append| append.entry.len() as u64).sum::<u64>();
        Ok(appends)
    }
}

impl Iterator for Traffic {
    type Item = Result<(usize, Vec<Append>), GenerateError>;

    fn next(&mut self) -> Option<Self::Item> {
        // Whatever comes before the next decision begins has been drawn by then.
        while self.begun < self.options.decisions
            && self.to_come.peek().is_none_or(|Reverse(coming)| coming.at >= self.next_begins)
        {
            self.draw();
        }
        let Reverse(Coming { write, .. }) = self.to_come.pop()?;
        let system = write.system;
        Some(self.appends(write).map(|appends| (system, appends)))
    }
}

impl Ord for Coming {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Coming {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Coming {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Coming {}
