//! What became of each payload, and those that are there opened: sealed bytes from the pack, the opening from whoever gives it,
//! the content held against the commitment.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::{
    Content, Entry, Event, Id, KeyId, PayloadRole, Pseudonym, RetentionClass, Sealed, State,
};
use inferlog_vault::{SealContext, open_payload};

use super::model::{MissingPart, PayloadContent, Story, StoryPayload};
use super::removed::{held_by, removed_by, withheld_from};
use super::search::Hits;
use super::{Gathered, Openings, StoryOptions, Unopened};
use crate::error::Result;
use crate::fate::{Birth, DecisionFacts, Fate, Removals};
use crate::open::OpenLog;

/// The state of a payload that is nowhere although no event says so.
pub(crate) const MISSING: &str = "missing";
/// What is said of it.
pub(crate) const NO_PACK: &str =
    "no pack holds it, though no event says that it is gone: run `inferlog verify`";

/// A payload as it was born.
struct Born<'a> {
    log: &'a OpenLog,
    /// The log's number, and the entry.
    at: (usize, u64),
    /// Retention class and time by which the pack is found: those of the entry's first event.
    class: RetentionClass,
    logged_at_ns: u64,
    event: Id,
    role: PayloadRole,
    sealed: Sealed,
}

/// What is the same for all payloads of a decision.
struct Common<'a> {
    gathered: &'a Gathered,
    facts: DecisionFacts,
    /// By key, whom the events are about whose payloads it opens: any of them can have it destroyed.
    subjects: BTreeMap<KeyId, BTreeSet<Pseudonym>>,
    options: &'a StoryOptions<'a>,
}

/// Says what became of each payload, opens what can be opened, and says of the rest why not.
pub(super) fn open(story: &mut Story, gathered: &Gathered, options: &StoryOptions<'_>) -> Result<()> {
    let mut facts = DecisionFacts { decision: Some(story.decision), events: Vec::new() };
    let mut subjects = BTreeMap::new();
    let born = born(&gathered.found, &mut facts, &mut subjects)?;
    let common = Common { gathered, facts, subjects, options };
    let (mut missing, mut still) = (Vec::new(), Vec::new());
    for event in &mut story.events {
        for payload in &mut event.payloads {
            let Some(born) = born.get(&payload.payload).filter(|_| payload.state == State::Present.as_str())
            else {
                continue;
            };
            let why = common.payload(payload, born);
            if let Some(removed) = payload.removed.as_ref().filter(|_| payload.first.is_none())
                && common.opens(born, payload.payload)
            {
                still.push((removed.completed_at.is_some(), payload.role.clone(), removed.event));
            }
            // A later event's copy lacks what the first lacks; it is named once.
            if let Some(why) = why.filter(|_| payload.first.is_none()) {
                let explained = payload.removed.is_some();
                missing.push(lost((event.place, event.id), &event.kind, born, why, explained));
            }
        }
    }
    for (is_completed, role, event) in still {
        match is_completed {
            true => story.problems.push(format!(
                "{role} was erased, says event {event} and that it was completed; its key opens it all the same"
            )),
            false => story.notices.push(format!(
                "the key of {role} still opens it: what event {event} says is removed is not gone yet"
            )),
        }
    }
    story.missing.extend(missing);
    story.missing.sort_by_key(|part| (part.place.log, part.place.index));
    Ok(())
}

impl Common<'_> {
    /// Whether somebody still has the key of a payload and its sealed bytes.
    fn opens(&self, born: &Born<'_>, payload: Id) -> bool {
        let Some(openings) = self.options.openings else { return false };
        let reader = &born.log.reader;
        let sealed = reader.payload(born.class.as_str(), born.logged_at_ns, born.at.1, payload.into_bytes());
        openings.data_key(born.sealed.key_id, payload).is_ok() && matches!(sealed, Ok(Some(_)))
    }

    /// Says what became of one payload; why its content is not to be had, if it is not.
    fn payload(&self, payload: &mut StoryPayload, born: &Born<'_>) -> Option<String> {
        payload.media_type = Some(born.sealed.media_type.to_string());
        payload.size = Some(born.sealed.size);
        payload.key_id = Some(born.sealed.key_id.to_string());
        let removals: &Removals = &self.gathered.removals;
        let nobody = BTreeSet::new();
        let birth = Birth {
            at: born.at,
            key: born.sealed.key_id,
            class: &born.class,
            subjects: self.subjects.get(&born.sealed.key_id).unwrap_or(&nobody),
            facts: &self.facts,
        };
        let fate = removals.fate(&birth);
        if let Some(removed) = removed_by(&fate, removals, &self.gathered.found) {
            let (state, reason) = match fate {
                Fate::Purged(_) => (State::Purged, format!("purged_by_policy:{}", removed.event)),
                _ => (State::Erased, format!("erased_by_order:{}", removed.event)),
            };
            (payload.state, payload.reason) = (state.to_string(), Some(reason));
            let why = removed.said();
            payload.removed = Some(removed);
            return Some(why);
        }
        payload.held = removals.standing(&self.facts).map(held_by).collect();
        payload.withheld = removals.withholdings(&birth).iter().map(withheld_from).collect();
        reveal(payload, born, self.options.openings, self.options.content_bytes_max)
    }
}

/// Every sealed payload of the decision, by id, and what its events say of it.
fn born<'a>(
    found: &'a [(OpenLog, Hits)],
    facts: &mut DecisionFacts,
    subjects: &mut BTreeMap<KeyId, BTreeSet<Pseudonym>>,
) -> Result<BTreeMap<Id, Born<'a>>> {
    let mut born = BTreeMap::new();
    for (number, (log, hits)) in found.iter().enumerate() {
        for (index, bytes) in &hits.entries {
            let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(*index, error))?;
            let Some(Event { retention, logged_at, .. }) = entry.events.first() else { continue };
            for event in &entry.events {
                facts.take(event);
                for reference in &event.payloads {
                    let Content::Sealed(sealed) = reference.content else { continue };
                    subjects.entry(sealed.key_id).or_default().extend(event.subjects.iter());
                    born.entry(reference.payload).or_insert_with(|| Born {
                        log,
                        at: (number, *index),
                        class: retention.clone(),
                        logged_at_ns: logged_at.nanos(),
                        event: event.id,
                        role: reference.role,
                        sealed,
                    });
                }
            }
        }
    }
    Ok(born)
}

/// Looks for the sealed bytes of a payload, and opens them where somebody gives openings; why not, if not.
fn reveal(
    payload: &mut StoryPayload,
    born: &Born<'_>,
    openings: Option<&dyn Openings>,
    limit: usize,
) -> Option<String> {
    let log = born.log;
    let id = payload.payload.into_bytes();
    let sealed = match log.reader.payload(born.class.as_str(), born.logged_at_ns, born.at.1, id) {
        Ok(Some(sealed)) => sealed,
        Ok(None) => {
            payload.state = MISSING.to_owned();
            return fail(payload, None, NO_PACK);
        }
        Err(error) => return fail(payload, None, &error.to_string()),
    };
    let key = match openings?.data_key(born.sealed.key_id, payload.payload) {
        Ok(key) => key,
        Err(error @ Unopened::Erased) => return fail(payload, None, &error.to_string()),
        Err(Unopened::Other(why)) => return fail(payload, None, &why),
    };
    let context = SealContext {
        origin: &log.origin,
        event: born.event,
        role: born.role.as_str(),
        payload: payload.payload,
    };
    match open_payload(&key, &context, &sealed, born.sealed.encoding, &born.sealed.commitment, limit) {
        Ok(content) => {
            payload.content = Some(PayloadContent::of(content, born.sealed.media_type));
            payload.verified = Some(true);
            None
        }
        Err(error) => fail(payload, Some(false), &error.to_string()),
    }
}

fn fail(payload: &mut StoryPayload, verified: Option<bool>, why: &str) -> Option<String> {
    payload.verified = verified;
    payload.problem = Some(why.to_owned());
    Some(why.to_owned())
}

fn lost(
    (place, event): (super::Place, Id),
    kind: &str,
    born: &Born<'_>,
    why: String,
    explained: bool,
) -> MissingPart {
    let kind_rows = kind.parse::<inferlog_record::Kind>().map_or(&[][..], inferlog_record::Kind::payloads);
    let row = kind_rows.iter().chain(inferlog_record::COMMON_ROLES).find(|row| row.role == born.role);
    MissingPart {
        place,
        event,
        field: format!("{kind}.payloads[{}]", born.role),
        why,
        explained,
        serves: row.map_or("", |row| row.serves).to_owned(),
        level: row.map_or("", |row| row.level.letter()),
    }
}
