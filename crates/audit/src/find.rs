//! Decisions in a row: one line each, the newest last. Memory grows with the decisions that are open at one time, not with the
//! log: a log is read twice, first for ends that came after the end.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::Runs;
use inferlog_merkle::entries;
use inferlog_record::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::json::{EntryScan, EventScan};
use crate::open::OpenLog;
use crate::paint::Paint;
use crate::select::Select;
use crate::story::{outcome, since};

/// Which decisions.
#[derive(Clone, Debug, Default)]
pub struct FindOptions {
    /// Which logs to look in.
    pub select: Select,
    /// Begun at or after.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
    /// Ended so: `answered`, `refused`, `failed`, `aborted`, `interrupted`; `open` for those that have not ended.
    pub outcome: Option<String>,
    /// The model's name holds this text.
    pub model: Option<String>,
    /// About this person, by pseudonym.
    pub subject: Option<String>,
    /// The newest ones, at most so many.
    pub limit: Option<usize>,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundDecision {
    /// Its id.
    pub decision: String,
    /// The system.
    pub system: String,
    /// How it ended, by the `decision.closed` with the highest index; `null` while it is open.
    pub outcome: Option<String>,
    /// The model, as the last model call names it: as answered, else as asked for.
    pub model: Option<String>,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// The configured route that admitted it.
    pub route: Option<String>,
    /// Pseudonyms of the persons that it is about.
    pub subjects: Vec<String>,
    /// Entries up to the one that closed it.
    pub entries: u64,
}

/// Gives each decision to `visit`, in the order in which they ended, those that are open last; until it breaks off. Returns how
/// many were given.
pub fn find(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    options: &FindOptions,
    visit: &mut dyn FnMut(FoundDecision) -> ControlFlow<()>,
) -> Result<u64> {
    let mut streams = Vec::new();
    for log in OpenLog::all(fs, dir, &options.select, &[])? {
        streams.push(Stream::new(log, options)?);
    }
    let mut newest = VecDeque::new();
    let mut given = 0;
    while let Some(found) = next(&mut streams)? {
        match options.limit {
            Some(limit) => {
                newest.push_back(found);
                if newest.len() > limit {
                    newest.pop_front();
                }
            }
            None => {
                given += 1;
                if visit(found).is_break() {
                    return Ok(given);
                }
            }
        }
    }
    for found in newest {
        given += 1;
        if visit(found).is_break() {
            break;
        }
    }
    Ok(given)
}

/// The decision that ended first of those that come next in each log.
fn next(streams: &mut [Stream<'_>]) -> Result<Option<FoundDecision>> {
    for stream in streams.iter_mut() {
        stream.fill()?;
    }
    let first =
        streams.iter_mut().filter(|stream| !stream.ready.is_empty()).min_by_key(|stream| stream.ready[0].0);
    Ok(first.and_then(|stream| stream.ready.pop_front()).map(|(_, found)| found))
}

/// The decisions of one log.
struct Stream<'a> {
    log: OpenLog,
    options: &'a FindOptions,
    /// What is still to be read of it.
    runs: Runs,
    /// By decision, those that have begun and not ended.
    open: HashMap<Vec<u8>, FoundDecision>,
    /// The last end of decisions that ended more than once.
    late: HashMap<Vec<u8>, Closed>,
    /// With the time of their end.
    ready: VecDeque<(u64, FoundDecision)>,
    is_done: bool,
}

#[derive(Clone, Debug)]
struct Closed {
    outcome: String,
    ended_at: String,
}

#[derive(Deserialize)]
struct EventTimes<'a> {
    started_at: Option<&'a str>,
    ended_at: Option<&'a str>,
    logged_at: &'a str,
}

#[derive(Deserialize)]
struct OpenedBody<'a> {
    route: Option<&'a str>,
}

#[derive(Deserialize)]
struct ClosedBody<'a> {
    outcome: &'a str,
}

#[derive(Deserialize)]
struct InferenceBody<'a> {
    #[serde(borrow)]
    model: ModelNames<'a>,
}

#[derive(Deserialize)]
struct ModelNames<'a> {
    requested: Option<&'a str>,
    returned: Option<&'a str>,
}

impl<'a> Stream<'a> {
    fn new(log: OpenLog, options: &'a FindOptions) -> Result<Self> {
        let start = options.since.map_or(Ok(0), |since| log.start(since.nanos()))?;
        let late = late(&log, start)?;
        let (open, ready) = (HashMap::new(), VecDeque::new());
        let runs = log.reader.bundles(start, log.size());
        Ok(Self { log, options, runs, open, late, ready, is_done: false })
    }

    /// Reads on until something is ready or the log ends.
    fn fill(&mut self) -> Result<()> {
        while self.ready.is_empty() && !self.is_done {
            let Some(run) = self.runs.next() else {
                self.is_done = true;
                let mut open: Vec<FoundDecision> = self.open.drain().map(|(_, found)| found).collect();
                open.sort_by(|one, other| {
                    (&one.started_at, &one.decision).cmp(&(&other.started_at, &other.decision))
                });
                let wanted = open.into_iter().filter(|found| self.options.wants(found));
                self.ready.extend(wanted.map(|found| (u64::MAX, found)));
                break;
            };
            let run = run.map_err(|source| self.log.unreadable(source))?;
            self.bundle(run.first, run.bytes())?;
        }
        Ok(())
    }

    fn bundle(&mut self, first: u64, bundle: &[u8]) -> Result<()> {
        let mut scan = EntryScan::default();
        for (index, entry) in (first..).zip(entries(bundle)) {
            let entry = entry.map_err(|error| self.log.malformed(index, error))?;
            scan.read(entry).map_err(|malformed| self.log.malformed(index, malformed))?;
            let Some(decision) = scan.decision else { continue };
            let mut end = None;
            for (number, event) in scan.events.iter().enumerate() {
                let ended = self.event(index, decision, event, number == 0)?;
                end = ended.or(end);
            }
            if let Some((time, closed)) = end
                && let Some(mut found) = self.open.remove(decision)
            {
                let closed = self.late.remove(decision).unwrap_or(closed);
                (found.outcome, found.ended_at) = (Some(closed.outcome), Some(closed.ended_at));
                if self.options.wants(&found) {
                    self.ready.push_back((time, found));
                }
            }
        }
        Ok(())
    }

    /// Takes one event; the time and manner of the decision's end, if it is that.
    fn event(
        &mut self,
        index: u64,
        decision: &[u8],
        event: &EventScan<'_>,
        is_first: bool,
    ) -> Result<Option<(u64, Closed)>> {
        if event.kind == b"decision.opened" && !event.body.is_empty() {
            let opened: OpenedBody<'_> = self.parse(index, event.body)?;
            let times: EventTimes<'_> = self.parse(index, event.json)?;
            let found = FoundDecision {
                decision: String::from_utf8_lossy(decision).into_owned(),
                system: self.log.dir.system().to_owned(),
                outcome: None,
                model: None,
                started_at: times.started_at.unwrap_or(times.logged_at).to_owned(),
                ended_at: None,
                route: opened.route.map(str::to_owned),
                subjects: self.subjects(index, event)?,
                entries: 0,
            };
            if self.options.is_begun_then(&found.started_at) {
                self.open.entry(decision.to_vec()).or_insert(found);
            }
        }
        let model = (event.kind == b"inference" && !event.body.is_empty())
            .then(|| self.parse::<InferenceBody<'_>>(index, event.body));
        let model = model.transpose()?.and_then(|body| body.model.returned.or(body.model.requested));
        let subjects = if event.subjects.is_empty() { Vec::new() } else { self.subjects(index, event)? };
        if let Some(found) = self.open.get_mut(decision) {
            found.entries += u64::from(is_first);
            found.model = model.map(str::to_owned).or(found.model.take());
            for subject in subjects {
                if !found.subjects.contains(&subject) {
                    found.subjects.push(subject);
                }
            }
        }
        closed(&self.log, index, event)
    }

    fn subjects(&self, index: u64, event: &EventScan<'_>) -> Result<Vec<String>> {
        if event.subjects.is_empty() { Ok(Vec::new()) } else { self.parse(index, event.subjects) }
    }

    fn parse<'j, T: Deserialize<'j>>(&self, index: u64, json: &'j [u8]) -> Result<T> {
        serde_json::from_slice(json).map_err(|error| self.log.malformed(index, error))
    }
}

/// The end that an event states, with the time it was logged.
fn closed(log: &OpenLog, index: u64, event: &EventScan<'_>) -> Result<Option<(u64, Closed)>> {
    if event.kind != b"decision.closed" || event.body.is_empty() {
        return Ok(None);
    }
    let malformed = |error: serde_json::Error| log.malformed(index, error);
    let body: ClosedBody<'_> = serde_json::from_slice(event.body).map_err(malformed)?;
    let times: EventTimes<'_> = serde_json::from_slice(event.json).map_err(malformed)?;
    let logged = times.logged_at.parse::<Timestamp>().map_or(0, Timestamp::nanos);
    let ended_at = times.ended_at.unwrap_or(times.logged_at).to_owned();
    Ok(Some((logged, Closed { outcome: body.outcome.to_owned(), ended_at })))
}

/// Ends of decisions that had ended before: the last of each counts.
fn late(log: &OpenLog, start: u64) -> Result<HashMap<Vec<u8>, Closed>> {
    let mut open: HashMap<Vec<u8>, ()> = HashMap::new();
    let mut late = HashMap::new();
    log.bundles(start, log.size(), |first, bundle| {
        let mut scan = EntryScan::default();
        for (index, entry) in (first..).zip(entries(bundle)) {
            let entry = entry.map_err(|error| log.malformed(index, error))?;
            scan.read(entry).map_err(|malformed| log.malformed(index, malformed))?;
            let Some(decision) = scan.decision else { continue };
            for event in &scan.events {
                if event.kind == b"decision.opened" {
                    open.insert(decision.to_vec(), ());
                }
                if event.kind == b"decision.closed"
                    && open.remove(decision).is_none()
                    && let Some((_, closed)) = closed(log, index, event)?
                {
                    late.insert(decision.to_vec(), closed);
                }
            }
        }
        Ok(())
    })?;
    Ok(late)
}

impl FindOptions {
    fn is_begun_then(&self, started_at: &str) -> bool {
        let Ok(started) = started_at.parse::<Timestamp>() else { return false };
        self.since.is_none_or(|since| started >= since) && self.until.is_none_or(|until| started < until)
    }

    fn wants(&self, found: &FoundDecision) -> bool {
        let outcome = found.outcome.as_deref().unwrap_or("open");
        self.outcome.as_deref().is_none_or(|wanted| wanted == outcome)
            && self
                .model
                .as_deref()
                .is_none_or(|wanted| found.model.as_ref().is_some_and(|model| model.contains(wanted)))
            && self.subject.as_ref().is_none_or(|wanted| found.subjects.contains(wanted))
    }
}

impl FoundDecision {
    /// The decision on one line, with colours for a terminal or without.
    pub fn to_text(&self, color: bool) -> String {
        let paint = Paint(color);
        let took = since(Some(&self.started_at), self.ended_at.as_deref()).unwrap_or_default();
        let started = self.started_at.get(..23).unwrap_or(&self.started_at);
        let ended = outcome(paint, self.outcome.as_deref());
        // Colours have no width.
        let pad = " ".repeat(12_usize.saturating_sub(outcome(Paint(false), self.outcome.as_deref()).len()));
        let model = self.model.as_deref().unwrap_or("-");
        format!("{}  {started}Z  {ended}{pad}  {took:>9}  {:<16}  {model}", self.decision, self.system)
    }
}
