//! Why a payload or an entry is not there, or is still: the events behind it, told.

use std::collections::HashSet;

use inferlog_record::Id;

use super::model::{EntriesPurged, HeldBy, Removed, States, Story, WithheldFrom};
use super::payloads::MISSING;
use super::search::Hits;
use crate::error::Result;
use crate::fate::{Fate, Hold, PurgeTold, Removals, Withholding};
use crate::open::OpenLog;

/// The event that removed a payload.
pub(super) fn removed_by(fate: &Fate<'_>, removals: &Removals, found: &[(OpenLog, Hits)]) -> Option<Removed> {
    match fate {
        Fate::Kept => None,
        Fate::Purged(purge) => Some(purged_by(purge, found)),
        Fate::Erased(erasure) => {
            let completed = removals.completion(erasure.intent);
            Some(Removed {
                by: "erasure",
                event: erasure.event,
                log: origin(found, erasure.at.0),
                entry: erasure.at.1,
                at: erasure.logged_at.to_string(),
                order: Some(erasure.order.to_string()),
                completed_at: completed.map(|completed| completed.logged_at.to_string()),
                certificate: completed.and_then(|completed| Some(completed.certificate?.to_string())),
                policy: None,
            })
        }
    }
}

/// A purge, as the event that removed something.
pub(crate) fn purged_by(purge: &PurgeTold, found: &[(OpenLog, Hits)]) -> Removed {
    Removed {
        by: "purge",
        event: purge.event,
        log: origin(found, purge.at.0),
        entry: purge.at.1,
        at: purge.logged_at.to_string(),
        order: None,
        completed_at: None,
        certificate: None,
        policy: Some(purge.body.policy.to_string()),
    }
}

fn origin(found: &[(OpenLog, Hits)], log: usize) -> String {
    found.get(log).map_or_else(|| "another log".to_owned(), |(log, _)| log.origin.clone())
}

/// A hold, as what keeps a payload.
pub(super) fn held_by(hold: &Hold) -> HeldBy {
    HeldBy {
        hold: hold.hold,
        basis: hold.basis.to_string(),
        since: hold.placed_at.to_string(),
        incident: hold.incident,
    }
}

/// An erasure that a payload was withheld from.
pub(super) fn withheld_from(withholding: &Withholding) -> WithheldFrom {
    WithheldFrom {
        erasure: withholding.intent,
        because: withholding.refusals.iter().map(ToString::to_string).collect(),
        holds: withholding.holds.clone(),
        until: withholding.until.map(|until| until.to_string()),
    }
}

/// Says where entries of the decision may have been purged: a log without its first entries, of which the decision lacks some.
pub(super) fn entries_purged(
    story: &mut Story,
    found: &[(OpenLog, Hits)],
    removals: &Removals,
) -> Result<()> {
    if story.absent.is_empty() {
        return Ok(());
    }
    for (number, (log, hits)) in found.iter().enumerate() {
        let below = log.first()?;
        if hits.entries.is_empty() || below == 0 {
            continue;
        }
        let by = removals.purges().iter().filter(|purge| purge.is_of_entries() && purge.at.0 == number);
        story.entries_purged.push(EntriesPurged {
            log: log.origin.clone(),
            below,
            by: by.map(|purge| purged_by(purge, found)).collect(),
        });
    }
    let absent = std::mem::take(&mut story.absent);
    if story.entries_purged.is_empty() {
        story.problems.extend(absent);
    }
    Ok(())
}

/// Counts what became of each content.
pub(super) fn count(story: &mut Story) {
    let (mut seen, mut states) = (HashSet::<Id>::new(), States::default());
    for event in &story.events {
        states.spans_redacted += event.redactions.iter().map(|redaction| redaction.count).sum::<u64>();
        for payload in event.payloads.iter().filter(|payload| payload.first.is_none()) {
            if !seen.insert(payload.payload) {
                continue;
            }
            let is_held = !payload.held.is_empty() || !payload.withheld.is_empty();
            match payload.state.as_str() {
                "present" => {
                    states.present += 1;
                    states.held += u64::from(is_held);
                }
                "redacted" => states.redacted += 1,
                "erased" => states.erased += 1,
                "purged" => states.purged += 1,
                MISSING => states.missing += 1,
                _ => states.not_captured += 1,
            }
        }
    }
    story.states = states;
}

impl EntriesPurged {
    /// As sentences.
    pub fn said(&self) -> String {
        format!(
            "the entries of {} before {} are gone but for those kept, {}. What this decision recorded there cannot be told any more.",
            self.log,
            self.below,
            self.why()
        )
    }

    /// The purges behind it, as the end of a sentence.
    pub fn why(&self) -> String {
        purged_under(&self.by)
    }
}

/// The purges that took entries, as the end of a sentence.
pub(super) fn purged_under(by: &[Removed]) -> String {
    match by {
        [] => "and no purge that is at hand says why".to_owned(),
        by => by.iter().map(Removed::said).collect::<Vec<_>>().join("; "),
    }
}

impl Removed {
    /// As a sentence without its full stop.
    pub fn said(&self) -> String {
        let (event, entry, day) = (self.event, self.entry, self.at.get(..10).unwrap_or(&self.at));
        match (&self.policy, &self.order) {
            (Some(policy), _) => format!(
                "purged under the policy {policy} by the purge event {event} of entry {entry}, on {day}"
            ),
            (None, order) => {
                let order = order.as_deref().unwrap_or("unknown");
                let ended = match (&self.completed_at, &self.certificate) {
                    (Some(at), Some(certificate)) => format!(
                        "completed on {}, certificate {}…",
                        at.get(..10).unwrap_or(at),
                        certificate.get(..16).unwrap_or(certificate)
                    ),
                    (Some(at), None) => format!("completed on {}", at.get(..10).unwrap_or(at)),
                    (None, _) => "announced, and no event says that it was completed".to_owned(),
                };
                format!(
                    "erased under the erasure event {event} of entry {entry} (order: {order}), on {day}; {ended}"
                )
            }
        }
    }
}
