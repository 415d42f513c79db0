//! What is judged of a system's life: recorders, gaps, the clock, sessions, and hours without a decision.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use inferlog_record::body::{Body, LastEnd, StopReason};
use inferlog_record::{Event, Id, Tally, Timestamp};

use super::events::day;
use super::profile::Profile;
use super::report::{Rhythm, Severity};
use super::rhythm::{self, Silence};
use super::rules::{Finds, Rule, Sight};

const HOUR_NS: u64 = 3_600_000_000_000;
/// A period of use may go on so long before its end is missed, nanoseconds.
const SESSION_NS: u64 = 24 * HOUR_NS;

/// A recorder began or ended.
#[derive(Clone, Debug)]
struct Mark {
    at: u64,
    shard: String,
    is_running: bool,
    is_unclean: bool,
}

/// The life of one system.
#[derive(Debug)]
pub(super) struct Life<'a> {
    profile: &'a Profile,
    /// What is judged, nanoseconds.
    window: Range<u64>,
    /// From when on the log was read.
    read_from: u64,
    now_ns: u64,
    /// Decisions opened in each hour that was read.
    hours: BTreeMap<u64, u64>,
    marks: Vec<Mark>,
    gaps: Vec<Range<u64>>,
    /// Sessions that began and have not ended, with the time.
    running: HashMap<Id, u64>,
    /// Sessions that are known to have begun.
    begun: HashSet<Id>,
    pub(super) gap_count: u64,
    pub(super) gap_unknown: bool,
}

impl<'a> Life<'a> {
    pub(super) fn new(profile: &'a Profile, window: Range<u64>, read_from: u64, now_ns: u64) -> Self {
        Self {
            profile,
            window,
            read_from,
            now_ns,
            hours: BTreeMap::new(),
            marks: Vec::new(),
            gaps: Vec::new(),
            running: HashMap::new(),
            begun: HashSet::new(),
            gap_count: 0,
            gap_unknown: false,
        }
    }

    /// A decision was opened at this time, in the window or before.
    pub(super) fn opened(&mut self, at: Timestamp) {
        if at.nanos() < self.window.end {
            *self.hours.entry(at.nanos() / HOUR_NS).or_default() += 1;
        }
    }

    /// Takes an event of the system's life, from before the window, out of it, or after.
    pub(super) fn take(&mut self, event: &Event, finds: &mut Finds) {
        let at = event.logged_at.nanos();
        let in_window = self.window.contains(&at);
        match &event.body {
            Body::RecorderStarted(body) => {
                let is_unclean = body.last_end == LastEnd::Unclean;
                self.marks.push(Mark { at, shard: body.shard.to_string(), is_running: true, is_unclean });
                if in_window && is_unclean {
                    finds.add(&Sight::new(Rule::UncleanEnd, &day(event.logged_at), &event.logged_at));
                }
            }
            Body::RecorderStopped(body) => {
                let shard = body.shard.to_string();
                self.marks.push(Mark { at, shard, is_running: false, is_unclean: false });
                if in_window && body.reason == StopReason::Failed {
                    finds.add(&Sight::new(Rule::RecorderFailed, &day(event.logged_at), &event.logged_at));
                }
            }
            Body::Gap(body) if in_window => {
                let route = body.route.as_ref().map_or("all", |route| route.as_str());
                let what = format!("{}/{route}/{}", body.why, day(body.from));
                let count = if let Tally::Known(count) = body.count { count } else { 0 };
                let span = format!("{} to {}", body.from, body.to);
                let noted = finds.add(&Sight { count, ..Sight::new(Rule::Gap, &what, &span) });
                if body.count == Tally::Unknown {
                    noted.unknown();
                    self.gap_unknown = true;
                }
                self.gap_count += count;
                self.gaps.push(body.from.nanos()..body.to.nanos().max(body.from.nanos() + 1));
            }
            Body::Clock(body) if in_window && !body.synchronised => {
                finds.add(&Sight::new(Rule::ClockUnsynchronised, body.source.as_str(), &event.logged_at));
            }
            Body::SessionStarted(_) => {
                if let Some(session) = event.session.filter(|_| self.profile.expects_sessions()) {
                    self.begun.insert(session);
                    if in_window {
                        self.running.insert(session, at);
                    }
                }
            }
            Body::SessionEnded(_) => {
                if let Some(session) = event.session.filter(|_| self.profile.expects_sessions()) {
                    self.running.remove(&session);
                    if in_window {
                        self.needs_begun(session, finds);
                    }
                }
            }
            _ => {}
        }
    }

    /// An event of the window belongs to this session.
    pub(super) fn in_session(&mut self, session: Id, finds: &mut Finds) {
        if self.profile.expects_sessions() {
            self.needs_begun(session, finds);
        }
    }

    fn needs_begun(&mut self, session: Id, finds: &mut Finds) {
        // One that began before what was read may have its beginning there.
        if session.millis().saturating_mul(1_000_000) >= self.read_from && self.begun.insert(session) {
            self.session(Rule::SessionStart, session, finds);
        }
    }

    fn session(&self, rule: Rule, session: Id, finds: &mut Finds) {
        let noted = finds.add(&Sight::new(rule, "", &session));
        if self.profile.is_biometric() {
            noted.severity(Severity::Critical).law();
        }
    }

    /// The log ends here; `first` is when its first entry was logged.
    pub(super) fn end(&mut self, first: u64, finds: &mut Finds) -> Rhythm {
        let mut ended: Vec<Id> = self
            .running
            .iter()
            .filter(|(_, at)| self.now_ns.saturating_sub(**at) >= SESSION_NS)
            .map(|(session, _)| *session)
            .collect();
        ended.sort_unstable();
        ended.into_iter().for_each(|session| self.session(Rule::SessionEnd, session, finds));
        self.silence(first, finds)
    }

    fn silence(&mut self, first: u64, finds: &mut Finds) -> Rhythm {
        let to = self.window.end / HOUR_NS;
        let from = self.window.start.max(first).div_ceil(HOUR_NS).min(to);
        let read = self.read_from.max(first).div_ceil(HOUR_NS).min(from);
        let in_window: u64 = self.hours.range(self.window.start / HOUR_NS..).map(|(_, count)| count).sum();
        let before: u64 = self.hours.range(..self.window.start / HOUR_NS).map(|(_, count)| count).sum();
        if in_window == 0 && before > 0 {
            let span = format!("{} to {}", Timestamp(self.window.start), Timestamp(self.window.end));
            finds.add(&Sight::new(Rule::NothingRecorded, "", &span));
        }
        let (silences, rhythm) = rhythm::judge(&self.hours, read..to, from..to);
        self.marks.sort_by_key(|mark| mark.at);
        let stopped = self.stopped();
        for silence in silences.iter().filter(|_| in_window > 0 || before == 0) {
            self.silent(silence, &stopped, finds);
        }
        rhythm
    }

    fn silent(&self, silence: &Silence, stopped: &[Range<u64>], finds: &mut Finds) {
        let span = silence.hours.start * HOUR_NS..silence.hours.end * HOUR_NS;
        let hours = silence.hours.end - silence.hours.start;
        let [from, to] = [span.start, span.end].map(|at| Timestamp(at).to_string());
        let what = from.get(..13).unwrap_or(&from).to_owned();
        let example = format!("{} to {}", from.get(..16).unwrap_or(&from), to.get(..16).unwrap_or(&to));
        let overlap = |ranges: &[Range<u64>]| {
            let of = |range: &Range<u64>| range.end.min(span.end).saturating_sub(range.start.max(span.start));
            ranges.iter().map(of).sum::<u64>()
        };
        let next = self.marks.iter().find(|mark| mark.is_running && mark.at > span.start);
        let (severity, because) = if next.is_some_and(|next| next.is_unclean && next.at < span.end + HOUR_NS)
        {
            (Severity::Critical, "; it ended with a start after an unclean end")
        } else if overlap(stopped) * 2 >= span.end - span.start {
            (Severity::Info, "; the recorder was stopped in order")
        } else if overlap(&self.gaps) > 0 {
            (Severity::Info, "; a gap of that time is recorded")
        } else {
            (Severity::Warning, "")
        };
        let expected = silence.expected;
        let sight = Sight { count: hours, ..Sight::new(Rule::SilentHours, &what, &example) };
        finds.add(&sight).severity(severity).says(|| {
            format!("no decision, where the system's rhythm lets expect about {expected:.0}{because}")
        });
    }

    /// When no recorder of the system ran, after an orderly end.
    fn stopped(&self) -> Vec<Range<u64>> {
        let mut running: BTreeMap<&str, bool> = BTreeMap::new();
        let (mut stopped, mut since) = (Vec::new(), None);
        for mark in &self.marks {
            running.insert(&mark.shard, mark.is_running);
            let runs = running.values().any(|runs| *runs);
            match since {
                None if !runs => since = Some(mark.at),
                Some(from) if runs => {
                    stopped.push(from..mark.at);
                    since = None;
                }
                _ => {}
            }
        }
        stopped.extend(since.map(|from| from..u64::MAX));
        stopped
    }
}
