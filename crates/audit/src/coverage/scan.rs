//! One pass over the logs of a system.

use std::ops::Range;

use inferlog_merkle::entries;
use inferlog_record::body::Body;
use inferlog_record::{Entry, Event, Id, Kind, Timestamp};
use memchr::memmem::Finder;

use super::accepted::Accepted;
use super::ceiling::Ceilings;
use super::contents::Contents;
use super::decisions::Decisions;
use super::events::Events;
use super::keeping::{Keeping, KeepingFinder};
use super::life::Life;
use super::profile::Profile;
use super::report::{Counts, LogRead, SystemCoverage};
use super::rules::{Finds, Of};
use super::usage::Counted;
use super::{BASELINE_DAYS, CoverageOptions, DAY_NS, since};
use crate::error::Result;
use crate::fate::At;
use crate::open::OpenLog;

/// How an entry of a decision begins: its members are sorted (format.md, section 4).
const DECISION: &[u8] = br#"{"decision":""#;
const ID_BYTES: usize = 36;
const LOGGED_AT: &[u8] = br#""logged_at":""#;
const TIME_BYTES: usize = 30;

/// What is read, and what is known so far.
pub(super) struct Scan<'a> {
    profile: &'a Profile,
    window: Range<u64>,
    read_from: u64,
    /// When the first entry of all was logged.
    first: Option<u64>,
    finders: Finders,
    finds: Finds,
    events: Events,
    decisions: Decisions<'a>,
    life: Life<'a>,
    keeping: Keeping,
    ceilings: Option<Ceilings>,
    contents: Contents,
    accepted: Accepted,
    usage: Option<Counted>,
    entries: u64,
    /// Parts of a write that is not whole yet.
    parts: Vec<Entry>,
    notices: Vec<String>,
}

/// A system that was read.
pub(super) struct Ended {
    pub(super) coverage: SystemCoverage,
    pub(super) accepted: Accepted,
    pub(super) counted: Counted,
}

/// What tells of an entry without reading it as JSON.
pub(super) struct Finders {
    accepted: Finder<'static>,
    keeping: KeepingFinder,
    logged_at: Finder<'static>,
    opened: Finder<'static>,
}

/// When an entry was logged, beside the window.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Region {
    Before,
    Baseline,
    Window,
    After,
}

impl<'a> Scan<'a> {
    /// # Errors
    /// A log's first entry cannot be read.
    pub(super) fn new(
        options: &'a CoverageOptions,
        profile: &'a Profile,
        logs: &[OpenLog],
        until: Timestamp,
    ) -> Result<Self> {
        let finders = Finders {
            accepted: Finder::new(br#""kind":"risk.accepted""#),
            keeping: KeepingFinder::default(),
            logged_at: Finder::new(LOGGED_AT),
            opened: Finder::new(br#""kind":"decision.opened""#),
        };
        let mut first: Option<u64> = None;
        for log in logs.iter().filter(|log| log.size() > 0) {
            if let Some(at) = finders.time_of(log, 0)? {
                first = Some(first.map_or(at, |first| first.min(at)));
            }
        }
        let window = since(options, until, first)..until.nanos();
        let read_from = window.start.saturating_sub(BASELINE_DAYS * DAY_NS);
        let now_ns = options.now.nanos();
        let contents = Contents::new(logs, &finders, &window)?;
        let mut notices = Vec::new();
        for log in logs {
            let begin = log.first()?;
            if begin > 0 && finders.time_of(log, begin)?.is_some_and(|at| at >= window.start) {
                notices.push(format!(
                    "{} begins at entry {begin}: what was purged before is neither counted nor judged",
                    log.origin
                ));
            }
        }
        Ok(Self {
            profile,
            window: window.clone(),
            read_from,
            first,
            finders,
            finds: Finds::default(),
            events: Events::default(),
            decisions: Decisions::new(profile, now_ns, window.clone()),
            life: Life::new(profile, window, read_from, now_ns),
            keeping: Keeping::new(now_ns),
            ceilings: None,
            contents,
            accepted: Accepted::default(),
            usage: options.usage.as_ref().map(|_| Counted::default()),
            entries: 0,
            parts: Vec::new(),
            notices,
        })
    }

    /// Judges the age of what packs have too; says why it cannot be judged.
    pub(super) fn with_ceilings(mut self, ceilings: Result<Option<Ceilings>, String>) -> Self {
        match ceilings {
            Ok(ceilings) => self.ceilings = ceilings,
            Err(why) => {
                let what = format!("whether payloads are past the policy's ceilings is not judged: {why}");
                self.notices.push(what);
            }
        }
        self
    }

    /// Reads the log of this number to its end. `visit` is told how many entries each bundle had.
    pub(super) fn read(&mut self, number: usize, log: &OpenLog, visit: &mut dyn FnMut(u64)) -> Result<()> {
        log.bundles(0, log.size(), |first, bundle| {
            let mut read = 0;
            for (index, entry) in (first..).zip(entries(bundle)) {
                let entry = entry.map_err(|error| log.malformed(index, error))?;
                self.entry((number, index), entry, log)?;
                read += 1;
            }
            visit(read);
            Ok(())
        })?;
        self.parts.clear();
        Ok(())
    }

    fn region(&self, at: u64) -> Region {
        match at {
            at if at < self.read_from => Region::Before,
            at if at < self.window.start => Region::Baseline,
            at if at < self.window.end => Region::Window,
            _ => Region::After,
        }
    }

    fn entry(&mut self, place: At, bytes: &[u8], log: &OpenLog) -> Result<()> {
        let malformed = |what: String| log.malformed(place.1, what);
        let Some(at) = self.finders.time(bytes) else { return Err(malformed("it has no time".to_owned())) };
        let region = self.region(at);
        let own = own(bytes);
        // Most of what is not in the window is passed over without being read as JSON.
        let is_read = match (region, own) {
            (Region::Window, _) | (Region::After | Region::Baseline, None) => true,
            (Region::Before, None) => {
                self.finders.accepted.find(bytes).is_some() || self.finders.keeping.finds(bytes)
            }
            (Region::Before, Some(_)) => false,
            (Region::Baseline, Some(_)) => {
                if self.finders.opened.find(bytes).is_some() {
                    self.life.opened(Timestamp(at));
                }
                false
            }
            (Region::After, Some(_)) => decision(bytes).is_some_and(|id| self.decisions.holds(id)),
        };
        if !is_read {
            return Ok(());
        }
        self.entries += u64::from(region == Region::Window);
        let entry = Entry::from_bytes(bytes).map_err(|error| malformed(error.to_string()))?;
        if region == Region::Window {
            self.contents.take(place, &entry, log)?;
        }
        if entry.of == 1 {
            self.write(place, &entry, region);
            return Ok(());
        }
        if entry.part == 1 {
            self.parts.clear();
        }
        let is_last = entry.part == entry.of;
        self.parts.push(entry);
        if is_last {
            let joined = Entry::join(std::mem::take(&mut self.parts));
            let entry = joined.map_err(|error| malformed(error.to_string()))?;
            self.write(place, &entry, region);
        }
        Ok(())
    }

    /// All that became durable together.
    fn write(&mut self, place: At, entry: &Entry, region: Region) {
        for event in &entry.events {
            if matches!(event.body, Body::RiskAccepted(_)) {
                self.accepted.take(event);
            }
            match entry.decision {
                Some(decision) => self.of_decision(decision, event, region),
                None => self.of_life(place, event, region),
            }
        }
        if let Some(decision) = entry.decision {
            self.decisions.written(decision, &mut self.finds);
        }
    }

    fn of_decision(&mut self, decision: Id, event: &Event, region: Region) {
        let in_window = region == Region::Window;
        if in_window {
            self.events.take(event, &decision, &mut self.finds);
            if let Some(session) = event.session {
                self.life.in_session(session, &mut self.finds);
            }
            if event.kind() == Some(Kind::DecisionOpened) {
                self.life.opened(event.logged_at);
            }
            if let (Some(usage), Body::Inference(body)) = (&mut self.usage, &event.body) {
                usage.take(event, body);
            }
        }
        self.decisions.take(decision, event, in_window, &mut self.finds);
    }

    fn of_life(&mut self, place: At, event: &Event, region: Region) {
        if let Some(ceilings) = &mut self.ceilings {
            ceilings.learn(place, event);
        }
        self.keeping.take(event, region == Region::Window, &mut self.finds);
        if region == Region::Before {
            return;
        }
        if region == Region::Window {
            self.events.take(event, &event.id, &mut self.finds);
        }
        self.life.take(event, &mut self.finds);
    }

    /// The report of the system, but for what a provider counted and what is accepted.
    ///
    /// # Errors
    /// Damage that keeps entries from being read again.
    pub(super) fn end(mut self, system: String, logs: &[OpenLog]) -> Result<Ended> {
        let routes = self.decisions.end(&mut self.finds);
        if let Some(ceilings) = &self.ceilings {
            ceilings.end(&self.finders, logs, &mut self.finds)?;
        }
        self.keeping.end(&mut self.finds);
        let rhythm = self.life.end(self.first.unwrap_or(self.window.start), &mut self.finds);
        if self.decisions.is_cut {
            let what = "more decisions lacked something than fit in memory: some were judged without what came later";
            self.notices.push(what.to_owned());
        }
        let (contents, notice) = self.contents.end();
        self.notices.extend(notice);
        let (decisions, events) = (&self.decisions, &self.events);
        let finds = std::mem::take(&mut self.finds);
        let findings = finds.end(|of| match of {
            Of::Decisions => decisions.decisions,
            Of::Hours => rhythm.hours_judged,
            of => events.population(of),
        });
        let counts = Counts {
            admitted: self.decisions.decisions + self.life.gap_count,
            admitted_unknown: self.life.gap_unknown,
            closed: self.decisions.closed,
            decisions: self.decisions.decisions,
            entries: self.entries,
            events: self.events.events,
            model_calls: self.events.count(Kind::Inference),
            open: self.decisions.open,
            tool_calls: self.events.count(Kind::ToolCall),
        };
        let coverage = SystemCoverage {
            acceptances: Vec::new(),
            captures: self.events.captures(),
            contents,
            counts,
            fields: self.events.fields(),
            findings,
            kinds: std::mem::take(&mut self.events.kinds),
            logs: logs.iter().map(|log| LogRead { origin: log.origin.clone(), size: log.size() }).collect(),
            notices: self.notices,
            profile: self.profile.profile.name().to_owned(),
            rhythm,
            routes,
            since: Some(Timestamp(self.window.start).to_string()).filter(|_| self.first.is_some()),
            system,
        };
        Ok(Ended { coverage, accepted: self.accepted, counted: self.usage.unwrap_or_default() })
    }
}

impl Finders {
    /// When the first entry that is there at or after `index` was logged.
    fn time_of(&self, log: &OpenLog, index: u64) -> Result<Option<u64>> {
        let run = log.reader.bundles(index, log.size()).next().transpose();
        let run = run.map_err(|source| log.unreadable(source))?;
        let entry = run.as_ref().and_then(|run| entries(run.bytes()).next()?.ok());
        Ok(entry.and_then(|entry| self.time(entry)))
    }

    /// When the first event of an entry was logged. No text within an entry can hold the member before it: texts of others are sealed.
    pub(super) fn time(&self, entry: &[u8]) -> Option<u64> {
        let start = self.logged_at.find(entry)? + LOGGED_AT.len();
        let text = std::str::from_utf8(entry.get(start..start + TIME_BYTES)?).ok()?;
        text.parse::<Timestamp>().ok().map(Timestamp::nanos)
    }
}

/// The text of the decision's id that an entry begins with; none in the life of the system.
fn own(entry: &[u8]) -> Option<&[u8]> {
    entry.strip_prefix(DECISION).and_then(|rest| rest.get(..ID_BYTES))
}

/// The decision of an entry.
pub(super) fn decision(entry: &[u8]) -> Option<Id> {
    std::str::from_utf8(own(entry)?).ok()?.parse().ok()
}
