//! Payloads that are there longer than the policy in force allows: past the ceiling of their class, and no hold keeps them.
//!
//! Packs are listed first: as a rule none is that old, and nothing more is read. Else the logs are read once more, for what decides it:
//! the time that the log's order gives a payload, never its own stamp, and what every entry of its decision says. That a purge was
//! recorded changes nothing: what a pack still has is there. What an erasure took the key of is not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::LogError;
use inferlog_log::packs::{OpenPacks, day_name, list_kept_packs, list_packs};
use inferlog_merkle::entries;
use inferlog_policy::{Period, Policy};
use inferlog_record::body::Body;
use inferlog_record::{Content, Entry, Event, Id, KeyId, Timestamp};
use inferlog_registry::{REGISTRY_DIR, Snapshot};

use super::DAY_NS;
use super::rules::{Finds, Rule, Sight};
use super::scan::{Finders, decision};
use crate::error::Result;
use crate::fate::{At, Birth, DecisionFacts, Removals};
use crate::open::OpenLog;

/// The registry of a directory; why it cannot be read, if it cannot.
pub(super) fn registry(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Snapshot, String> {
    Snapshot::load(fs, &dir.join(REGISTRY_DIR)).map_err(|error| error.to_string())
}

/// What of a system's packs is old enough to be asked about, and what the life of the system says of it.
#[derive(Debug)]
pub(super) struct Ceilings {
    now: Timestamp,
    /// By class.
    ceilings: BTreeMap<String, Period>,
    /// By day, the logs and classes whose packs of that day are past the ceiling by its stamps.
    old: BTreeMap<String, BTreeSet<(usize, String)>>,
    removals: Removals,
    /// Entries whose stamps do not count.
    disregarded: Vec<(usize, RangeInclusive<u64>)>,
}

/// A payload past its ceiling, as far as its own entry says.
struct Past {
    class: String,
    /// Its decision, or the event of the system's life that it belongs to.
    about: Id,
    key: KeyId,
}

impl Ceilings {
    /// `None` if nothing is that old; why the policy in force cannot be read, if it cannot.
    pub(super) fn new(
        registry: &Result<Snapshot, String>,
        system: &str,
        logs: &[OpenLog],
        now: Timestamp,
    ) -> Result<Result<Option<Self>, String>> {
        let ceilings = match registry.as_ref().map_err(Clone::clone).and_then(|known| in_force(known, system))
        {
            Ok(ceilings) => ceilings,
            Err(why) => return Ok(Err(why)),
        };
        let mut found = Self {
            now,
            ceilings,
            old: BTreeMap::new(),
            removals: Removals::default(),
            disregarded: Vec::new(),
        };
        if found.ceilings.is_empty() {
            return Ok(Ok(None));
        }
        for (number, log) in logs.iter().enumerate() {
            let (fs, dir) = (&**log.reader.fs(), &log.dir);
            for pack in list_packs(fs, dir)?.into_iter().chain(list_kept_packs(fs, dir)?) {
                let midnight = format!("{}T00:00:00.000000000Z", pack.day).parse::<Timestamp>();
                if midnight.is_ok_and(|day| found.is_past(&pack.class, day)) {
                    found.old.entry(pack.day).or_default().insert((number, pack.class));
                }
            }
        }
        Ok(Ok(Some(found).filter(|found| !found.old.is_empty())))
    }

    /// Whether the ceiling of a class is over for the whole day.
    fn is_past(&self, class: &str, day: Timestamp) -> bool {
        let last = Timestamp((day.nanos() / DAY_NS).saturating_add(1).saturating_mul(DAY_NS) - 1);
        self.ceilings.get(class).is_some_and(|ceiling| ceiling.end(last) < self.now)
    }

    /// Takes an event of the system's life.
    pub(super) fn learn(&mut self, at: At, event: &Event) {
        self.removals.learn(at, event);
        if let Body::Clock(clock) = &event.body
            && let (Some(first), Some(last)) = (clock.disregard_first, clock.disregard_last)
        {
            self.disregarded.push((at.0, first.0..=last.0));
        }
    }

    /// Reads the logs again, and tells what is past its ceiling.
    pub(super) fn end(&self, finders: &Finders, logs: &[OpenLog], finds: &mut Finds) -> Result<()> {
        let mut past = Vec::new();
        for (number, log) in logs.iter().enumerate() {
            if self.old.values().flatten().any(|(of, _)| *of == number) {
                self.past(finders, number, log, &mut past)?;
            }
        }
        let (held, erased) = self.spared(logs, &past)?;
        for one in past.iter().filter(|one| !held.contains(&one.about) && !erased.contains(&one.key)) {
            finds.add(&Sight::new(Rule::PastCeiling, &one.class, &one.about));
        }
        Ok(())
    }

    /// What packs of a log still have past the ceiling, and no hold or erasure is known of by the payload's own entry.
    fn past(&self, finders: &Finders, number: usize, log: &OpenLog, past: &mut Vec<Past>) -> Result<()> {
        // An entry is as old as the first after it, or itself, whose stamp is later than all before.
        let (mut newest, mut waiting, mut packs) = (0, Vec::new(), OpenPacks::default());
        log.bundles(0, log.size(), |first, bundle| {
            for (index, bytes) in (first..).zip(entries(bundle)) {
                let bytes = bytes.map_err(|error| log.malformed(index, error))?;
                let Some(stamp) = finders.time(bytes) else { continue };
                let day = day_name(stamp);
                if self.old.contains_key(&day) {
                    let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(index, error))?;
                    waiting.extend(self.there((number, index), &entry, &day, log, &mut packs)?);
                }
                let counts =
                    |(of, range): &(usize, RangeInclusive<u64>)| *of != number || !range.contains(&index);
                if stamp > newest && self.disregarded.iter().all(counts) {
                    newest = stamp;
                    past.extend(
                        waiting.drain(..).filter(|one: &Past| self.is_past(&one.class, Timestamp(stamp))),
                    );
                }
            }
            Ok(())
        })
    }

    /// The payloads of an entry that packs have, and that nothing in the entry itself spares.
    fn there(
        &self,
        at: At,
        entry: &Entry,
        day: &str,
        log: &OpenLog,
        packs: &mut OpenPacks,
    ) -> Result<Vec<Past>> {
        let mut there = Vec::new();
        let Some(class) = entry.events.first().map(|event| event.retention.as_str()) else {
            return Ok(there);
        };
        let (is_held, erased) = self.said(at, entry);
        let place = (at.0, class.to_owned());
        if is_held || !self.old.get(day).is_some_and(|old| old.contains(&place)) {
            return Ok(there);
        }
        for event in &entry.events {
            for reference in &event.payloads {
                let Content::Sealed(sealed) = reference.content else { continue };
                if erased.contains(&sealed.key_id) {
                    continue;
                }
                let id = reference.payload.into_bytes();
                let is_there = match packs.find(&**log.reader.fs(), &log.dir, (class, day), at.1, id) {
                    Ok(found) => found.is_some(),
                    // That it does not check is `verify`'s to tell.
                    Err(LogError::Damaged { .. }) => true,
                    Err(error) => return Err(error.into()),
                };
                if is_there {
                    let about = entry.decision.unwrap_or(event.id);
                    there.push(Past { class: class.to_owned(), about, key: sealed.key_id });
                }
            }
        }
        Ok(there)
    }

    /// The decisions among these that a hold keeps, and the keys that an erasure took, by what any of their entries says.
    fn spared(&self, logs: &[OpenLog], past: &[Past]) -> Result<(HashSet<Id>, HashSet<KeyId>)> {
        let (mut held, mut erased) = (HashSet::new(), HashSet::new());
        let wanted: HashSet<Id> = past.iter().map(|one| one.about).collect();
        if wanted.is_empty() || self.removals.is_empty() {
            return Ok((held, erased));
        }
        for (number, log) in logs.iter().enumerate() {
            log.bundles(0, log.size(), |first, bundle| {
                for (index, bytes) in (first..).zip(entries(bundle)) {
                    let bytes = bytes.map_err(|error| log.malformed(index, error))?;
                    let Some(decision) = decision(bytes).filter(|own| wanted.contains(own)) else { continue };
                    let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(index, error))?;
                    let (is_held, keys) = self.said((number, index), &entry);
                    held.extend(is_held.then_some(decision));
                    erased.extend(keys);
                }
                Ok(())
            })?;
        }
        Ok((held, erased))
    }

    /// Whether a hold that stands covers an entry, and which keys of it an erasure took.
    fn said(&self, at: At, entry: &Entry) -> (bool, BTreeSet<KeyId>) {
        let mut facts = DecisionFacts { decision: entry.decision, events: Vec::new() };
        entry.events.iter().for_each(|event| facts.take(event));
        let mut erased = BTreeSet::new();
        for event in &entry.events {
            let subjects = event.subjects.iter().copied().collect();
            for reference in &event.payloads {
                let Content::Sealed(sealed) = reference.content else { continue };
                let class = &event.retention;
                let birth = Birth { at, key: sealed.key_id, class, subjects: &subjects, facts: &facts };
                if self.removals.erasure_of(&birth).is_some() {
                    erased.insert(sealed.key_id);
                }
            }
        }
        (self.removals.standing(&facts).next().is_some(), erased)
    }
}

/// The ceilings of the policy in force, by class.
fn in_force(registry: &Snapshot, system: &str) -> Result<BTreeMap<String, Period>, String> {
    let Some(entry) = registry.policy(system) else { return Ok(BTreeMap::new()) };
    let text = registry.text(entry.sha256).map_err(|error| error.to_string())?;
    let policy = Policy::parse(&text).map_err(|error| error.to_string())?;
    let classes = policy.classes.iter();
    Ok(classes.filter_map(|class| Some((class.class.to_string(), class.ceiling?))).collect())
}
