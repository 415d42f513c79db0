//! What became of the contents of the window's decisions: there, held, erased, purged, redacted, not captured, missing.
//!
//! What was removed is told by the log's events (`fate`), which are read first. Whether a pack has what nothing removed is told by the
//! pack's index; where that has fewer contents of an entry than the entry says, each is looked for. Contents are not read: whether their
//! bytes are right is `verify`'s to tell.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use inferlog_log::LogError;
use inferlog_log::packs::{OpenPacks, PackName, day_name, indexed_entries, list_packs};
use inferlog_merkle::entries;
use inferlog_record::{Content, Entry, Id, KeyId, Pseudonym, Reference, State};

use super::scan::{Finders, decision};
use crate::error::Result;
use crate::fate::{At, Birth, DecisionFacts, Fate, Removals, of_log};
use crate::open::OpenLog;
use crate::story::States;

/// Decisions about erased persons, or under holds, of which it is remembered what their entries say, a kilobyte each at most as a rule; of
/// more, each entry speaks for itself.
const CONCERNED_MAX: usize = 1 << 18;
/// Indices of packs that are kept in memory: what entries that follow each other ask for.
const INDICES_MAX: usize = 8;

/// Counts contents of decisions.
pub(super) struct Contents {
    removals: Removals,
    erased: HashSet<Pseudonym>,
    /// What entries say of decisions about persons who were erased, or that a hold covers.
    concerned: HashMap<Id, Concerned>,
    is_cut: bool,
    packs: Vec<Packs>,
    states: States,
}

/// What the entries of a decision say together.
#[derive(Default)]
struct Concerned {
    facts: DecisionFacts,
    /// By key, whom the events are about whose contents it opens: any of them can have it destroyed.
    subjects: HashMap<KeyId, BTreeSet<Pseudonym>>,
}

/// The packs of a log.
#[derive(Default)]
struct Packs {
    listed: Vec<PackName>,
    open: OpenPacks,
    /// The entries of contents in those asked for last.
    indices: Vec<(PackName, Option<Vec<u64>>)>,
}

impl Contents {
    /// Reads what was erased, purged and held, and whom that concerns of the decisions in the window.
    ///
    /// # Errors
    /// Damage that keeps entries from being read.
    pub(super) fn new(logs: &[OpenLog], finders: &Finders, window: &Range<u64>) -> Result<Self> {
        let mut removals = Removals::default();
        let mut packs = Vec::new();
        for (number, log) in logs.iter().enumerate() {
            of_log(log, number, &[], 0..0, &mut removals)?;
            let (fs, dir) = (&**log.reader.fs(), &log.dir);
            let mut listed = list_packs(fs, dir)?;
            listed.sort_unstable();
            packs.push(Packs { listed, ..Packs::default() });
        }
        let destroying = removals.erasures().iter().filter(|told| told.destroys());
        let erased = destroying.flat_map(|told| told.subjects()).collect();
        let (concerned, is_cut) = (HashMap::new(), false);
        let mut contents = Self { removals, erased, concerned, is_cut, packs, states: States::default() };
        if !contents.erased.is_empty() || contents.removals.holds().next().is_some() {
            contents.concern(logs, finders, window)?;
        }
        Ok(contents)
    }

    /// Remembers what all entries of the window's decisions say, where an erasure of a person or a hold asks for it.
    fn concern(&mut self, logs: &[OpenLog], finders: &Finders, window: &Range<u64>) -> Result<()> {
        let mut wanted = HashSet::new();
        each(logs, |_, bytes| {
            if finders.time(bytes).is_some_and(|at| window.contains(&at)) {
                wanted.extend(decision(bytes));
            }
            Ok(())
        })?;
        each(logs, |(number, index), bytes| {
            let Some(id) = decision(bytes).filter(|id| wanted.contains(id)) else { return Ok(()) };
            let entry = Entry::from_bytes(bytes).map_err(|error| logs[number].malformed(index, error))?;
            let said = Concerned::by(id, &entry);
            let is_erased = said.facts.subjects().iter().any(|person| self.erased.contains(person));
            if !is_erased && self.removals.covering(&said.facts).next().is_none() {
                return Ok(());
            }
            if self.concerned.len() == CONCERNED_MAX && !self.concerned.contains_key(&id) {
                self.is_cut = true;
                return Ok(());
            }
            self.concerned.entry(id).or_default().add(said);
            Ok(())
        })
    }

    /// Counts what an entry, or a part of one, brought of a decision in the window.
    ///
    /// # Errors
    /// Packs cannot be read.
    pub(super) fn take(&mut self, at: At, entry: &Entry, log: &OpenLog) -> Result<()> {
        let (Some(decision), Some(first)) = (entry.decision, entry.events.first()) else { return Ok(()) };
        let (class, logged_at) = (&first.retention, first.logged_at.nanos());
        // Where all are remembered, nothing is asked of the others.
        let own = if self.is_cut { Concerned::by(decision, entry) } else { Concerned::default() };
        let Concerned { facts, subjects } = self.concerned.get(&decision).unwrap_or(&own);
        let (nobody, is_held) = (BTreeSet::new(), self.removals.standing(facts).next().is_some());
        let (mut kept, mut states) = (BTreeSet::new(), States::default());
        for event in &entry.events {
            states.spans_redacted += event.redactions.iter().map(|redaction| redaction.count.0).sum::<u64>();
            for reference in &event.payloads {
                let sealed = match &reference.content {
                    Content::Sealed(sealed) => sealed,
                    Content::Shared(_) => {
                        states.present += 1;
                        continue;
                    }
                    Content::First(..) => continue,
                    Content::Absent(absent) => {
                        match absent.state {
                            State::Redacted => states.redacted += 1,
                            State::Erased => states.erased += 1,
                            State::Purged => states.purged += 1,
                            State::Present | State::NotCaptured => states.not_captured += 1,
                        }
                        continue;
                    }
                };
                let subjects = subjects.get(&sealed.key_id).unwrap_or(&nobody);
                let birth = Birth { at, key: sealed.key_id, class, subjects, facts };
                match self.removals.fate(&birth) {
                    Fate::Erased(_) => states.erased += 1,
                    Fate::Purged(_) => states.purged += 1,
                    Fate::Kept => {
                        let is_held = is_held || !self.removals.withholdings(&birth).is_empty();
                        kept.insert((reference.payload.into_bytes(), is_held));
                    }
                }
            }
        }
        let Some(packs) = self.packs.get_mut(at.0) else { return Ok(()) };
        let place = (class.as_str(), logged_at);
        let is_whole = kept.is_empty() || packs.count(log, place, at.1)? >= kept.len() as u64;
        for (payload, is_held) in kept {
            if is_whole || packs.have(log, place, at.1, payload)? {
                states.present += 1;
                states.held += u64::from(is_held);
            } else {
                states.missing += 1;
            }
        }
        self.states.add(states);
        Ok(())
    }

    /// What was counted; a notice where not everything could be told apart.
    pub(super) fn end(&self) -> (States, Option<String>) {
        let what = "more decisions concern erased persons, or are under holds, than fit in memory: contents of some are counted by what their \
                    own entry says of persons and holds";
        (self.states, self.is_cut.then(|| what.to_owned()))
    }
}

/// The key of a content that is sealed.
fn key_of(reference: &Reference) -> Option<KeyId> {
    match &reference.content {
        Content::Sealed(sealed) => Some(sealed.key_id),
        _ => None,
    }
}

/// Every entry of some logs.
fn each(logs: &[OpenLog], mut visit: impl FnMut(At, &[u8]) -> Result<()>) -> Result<()> {
    for (number, log) in logs.iter().enumerate() {
        log.bundles(0, log.size(), |first, bundle| {
            for (index, bytes) in (first..).zip(entries(bundle)) {
                visit((number, index), bytes.map_err(|error| log.malformed(index, error))?)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

impl Concerned {
    /// What one entry says.
    fn by(decision: Id, entry: &Entry) -> Self {
        let facts = DecisionFacts { decision: Some(decision), events: Vec::new() };
        let mut said = Self { facts, subjects: HashMap::new() };
        for event in &entry.events {
            said.facts.take(event);
            for key in event.payloads.iter().filter_map(key_of) {
                said.subjects.entry(key).or_default().extend(event.subjects.iter());
            }
        }
        said
    }

    fn add(&mut self, other: Self) {
        self.facts.decision = other.facts.decision;
        self.facts.events.extend(other.facts.events);
        for (key, persons) in other.subjects {
            self.subjects.entry(key).or_default().extend(persons);
        }
    }
}

impl Packs {
    /// Whether a pack, or what was kept of one, has a content.
    fn have(
        &mut self,
        log: &OpenLog,
        (class, logged_at): (&str, u64),
        index: u64,
        payload: [u8; 16],
    ) -> Result<bool> {
        let (fs, day) = (&**log.reader.fs(), day_name(logged_at));
        if matches!(self.open.find(fs, &log.dir, (class, &day), index, payload), Ok(Some(_))) {
            return Ok(true);
        }
        // A purge may have put it elsewhere since these were opened.
        match log.reader.payload(class, logged_at, index, payload) {
            Ok(found) => Ok(found.is_some()),
            // That it does not check is `verify`'s to tell.
            Err(LogError::Damaged { .. }) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// How many contents of an entry the pack of its class and day has, as the pack's index says.
    fn count(&mut self, log: &OpenLog, (class, logged_at): (&str, u64), index: u64) -> Result<u64> {
        let day = day_name(logged_at);
        let asked = (class, day.as_str(), index);
        let above = self.listed.partition_point(|pack| (&*pack.class, &*pack.day, pack.first) <= asked);
        let Some(pack) = above.checked_sub(1).and_then(|at| self.listed.get(at)) else { return Ok(0) };
        if (&*pack.class, &*pack.day) != (class, &*day) {
            return Ok(0);
        }
        let known = self.indices.iter().position(|(known, _)| known == pack);
        let position = match known {
            Some(position) => position,
            None => {
                if self.indices.len() == INDICES_MAX {
                    self.indices.remove(0);
                }
                self.indices.push((pack.clone(), indexed_entries(&**log.reader.fs(), pack)?));
                self.indices.len() - 1
            }
        };
        let Some((_, Some(had))) = self.indices.get(position) else { return Ok(0) };
        let (from, to) =
            (had.partition_point(|entry| *entry < index), had.partition_point(|entry| *entry <= index));
        Ok((to - from) as u64)
    }
}
