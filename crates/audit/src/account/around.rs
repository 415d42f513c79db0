//! What stands around a decision: the clock that stamped it, what changed in the system since, what names it.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_log::SEEK_MARGIN_NS;
use inferlog_merkle::TILE_WIDTH;
use inferlog_record::body::{Access, Body, SystemChanged};
use inferlog_record::{Entry, Event, Id, Timestamp};
use memchr::memmem::Finder;

use super::model::{Change, ClockTold, Mention};
use super::reader::text;
use crate::error::Result;
use crate::open::OpenLog;
use crate::story::{Gathered, Hits, Story};

/// Mentions that are told; of more the newest.
const MENTIONS_MAX: usize = 256;
/// Bundles around its time in which a `clock` event is looked for: first few, then more.
const CLOCK_BUNDLES: [u64; 3] = [1, 16, 256];

/// What stands around a decision.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// The `clock` events that its events name.
    pub clocks: Vec<ClockTold>,
    /// What appeared in the system for the first time with it or later, in the order of time.
    pub changes: Vec<Change>,
    /// What names it.
    pub mentions: Vec<Mention>,
    /// Mentions that are not told: the oldest.
    pub mentions_untold: u64,
}

/// Reads what stands around a decision.
pub(super) fn around(gathered: &Gathered, story: &Story) -> Result<Around> {
    let mut around = Around::default();
    let mut changes = BTreeMap::new();
    let began = story.started_at.as_deref().and_then(|began| began.parse::<Timestamp>().ok());
    for (log, hits) in &gathered.found {
        let since = Since { story, began, first: hits.entries.first().map(|(index, _)| *index) };
        let untold = hits.mentions.len().saturating_sub(MENTIONS_MAX);
        around.mentions_untold += untold as u64;
        let is_own = log.dir.system() == story.system;
        log.each(&indices(hits, untold, is_own), |index, bytes| {
            let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(index, error))?;
            let is_mention = hits.mentions.binary_search(&index).is_ok();
            for event in entry.events {
                if let Body::SystemChanged(body) = &event.body {
                    if is_own && since.holds(index, &event) || body.decision == Some(story.decision) {
                        changes.insert(
                            (event.logged_at, event.id),
                            change(&event, body, story.decision, log, index),
                        );
                    }
                } else if is_mention && let Some(label) = names(&event, story.decision) {
                    around.mentions.push(Mention {
                        kind: event.body.kind_text().to_owned(),
                        label,
                        logged_at: event.logged_at.to_string(),
                        event: event.id,
                        log: log.origin.clone(),
                        entry: index,
                    });
                }
            }
            Ok(())
        })?;
    }
    around.changes = changes.into_values().collect();
    around.clocks = clocks(gathered, story)?;
    Ok(around)
}

/// Entries to read: changes of the decision's own system since, and mentions but for the first ones.
fn indices(hits: &Hits, untold: usize, is_own: bool) -> Vec<u64> {
    let first = hits.entries.first().map(|(index, _)| *index);
    let is_since = |index: &&u64| is_own && first.is_none_or(|first| **index > first);
    let mentions = hits.mentions.iter().skip(untold);
    hits.changes
        .iter()
        .filter(is_since)
        .chain(mentions)
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// What counts as since the decision began.
struct Since<'a> {
    story: &'a Story,
    began: Option<Timestamp>,
    /// Its first entry in the log.
    first: Option<u64>,
}

impl Since<'_> {
    fn holds(&self, index: u64, event: &Event) -> bool {
        match (self.first, self.began) {
            (Some(first), _) => index > first,
            (None, Some(began)) => event.logged_at >= began,
            (None, None) => event.id.millis() >= self.story.decision.millis(),
        }
    }
}

fn change(event: &Event, body: &SystemChanged, decision: Id, log: &OpenLog, index: u64) -> Change {
    Change {
        aspect: body.aspect.to_string(),
        name: text(body.name.as_ref()),
        old: text(body.old.as_ref()),
        old_digest: text(body.old_digest.as_ref()),
        new: text(body.new.as_ref()),
        new_digest: text(body.new_digest.as_ref()),
        logged_at: event.logged_at.to_string(),
        by_this_decision: body.decision == Some(decision),
        event: event.id,
        log: log.origin.clone(),
        entry: index,
    }
}

/// What an event of the system's life says of the decision that it names; `None` if it does not name it.
fn names(event: &Event, decision: Id) -> Option<String> {
    match &event.body {
        Body::Alert(body) if body.about == Some(decision) => {
            Some(format!("{}, {}", body.monitor, body.severity))
        }
        Body::Access(body) if body.decisions.contains(&decision) => Some(reads(body)),
        Body::HoldPlaced(body) if body.scope.decisions.contains(&decision) => {
            Some(format!("{}, hold {}", words(&body.basis), body.hold))
        }
        _ => None,
    }
}

fn reads(body: &Access) -> String {
    let refused = if body.granted { "" } else { ", refused" };
    let actor = body.actor.map_or(String::new(), |actor| format!(" by {actor}"));
    format!("{}{actor} as {} for {}{refused}", words(&body.action), body.role, words(&body.purpose))
}

fn words(name: &impl ToString) -> String {
    name.to_string().replace('_', " ")
}

/// The `clock` events that the story's events name, in the order in which they are named.
fn clocks(gathered: &Gathered, story: &Story) -> Result<Vec<ClockTold>> {
    #[derive(serde::Deserialize)]
    struct Named {
        clock: Option<Id>,
    }
    let mut seen = BTreeSet::new();
    let mut clocks = Vec::new();
    for step in &story.events {
        let named = serde_json::from_str::<Named>(step.event.get()).ok().and_then(|named| named.clock);
        let Some(id) = named.filter(|id| seen.insert(*id)) else { continue };
        let log = gathered.found.get(step.place.log).map(|(log, _)| log);
        let found = log.map(|log| find_clock(log, id)).transpose()?.flatten();
        clocks.push(found.unwrap_or(ClockTold {
            event: id,
            logged_at: None,
            synchronised: None,
            source: None,
            offset_ns: None,
            max_error_ns: None,
            log: None,
            entry: None,
        }));
    }
    Ok(clocks)
}

/// Looks for a `clock` event about the time in its id: it was logged a moment later.
fn find_clock(log: &OpenLog, id: Id) -> Result<Option<ClockTold>> {
    let text = format!("\"id\":\"{id}\"");
    let wanted = Finder::new(&text);
    let time_ns = (id.millis() + 1).saturating_mul(1_000_000);
    let place = log.start(time_ns.saturating_add(SEEK_MARGIN_NS))?;
    let mut searched = place..place;
    for bundles in CLOCK_BUNDLES {
        let width = bundles * u64::from(TILE_WIDTH);
        let around = place.saturating_sub(width)..place.saturating_add(2 * width);
        for (from, to) in [(around.start, searched.start), (searched.end, around.end)] {
            let mut found = None;
            log.bundles(from, to, |first, bundle| {
                if found.is_none() && wanted.find(bundle).is_some() {
                    found = clock_in(log, first, bundle, id)?;
                }
                Ok(())
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        searched = around;
    }
    Ok(None)
}

fn clock_in(log: &OpenLog, first: u64, bundle: &[u8], id: Id) -> Result<Option<ClockTold>> {
    for (index, bytes) in (first..).zip(inferlog_merkle::entries(bundle)) {
        let bytes = bytes.map_err(|error| log.malformed(index, error))?;
        if Finder::new(&id.to_string()).find(bytes).is_none() {
            continue;
        }
        let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(index, error))?;
        let event = entry.events.iter().find(|event| event.id == id);
        if let Some((event, Body::Clock(clock))) = event.map(|event| (event, &event.body)) {
            return Ok(Some(ClockTold {
                event: id,
                logged_at: Some(event.logged_at.to_string()),
                synchronised: Some(clock.synchronised),
                source: Some(clock.source.to_string()),
                offset_ns: clock.offset_ns.map(|offset| offset.0),
                max_error_ns: clock.max_error_ns.map(|error| error.0),
                log: Some(log.origin.clone()),
                entry: Some(index),
            }));
        }
    }
    Ok(None)
}
