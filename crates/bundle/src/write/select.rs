//! Which decisions: by time and system, or by an incident.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::entries;
use inferlog_record::body::{Body, Scope};
use inferlog_record::{Entry, Event, Id, SystemName, Timestamp};
use memchr::memmem::Finder;

use super::error::{Result, WriteError};
use super::logs::SourceLog;
use super::{Phase, Step};

/// A choice of decisions that a log is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of this system; of all, if absent.
    pub system: Option<SystemName>,
    /// Opened at or after.
    pub since: Option<Timestamp>,
    /// Opened before.
    pub until: Option<Timestamp>,
    /// Of this incident: decisions in the scope of the holds that it is the ground of.
    pub incident: Option<Id>,
}

impl Selection {
    /// Whether it chooses nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What an entry must hold to be looked at.
const OPENED: &[u8] = br#""kind":"decision.opened""#;

/// The decisions that fit, by id.
///
/// # Errors
/// [`WriteError::NoIncident`]; damage that keeps the logs from being read.
pub fn select(
    fs: &Arc<dyn Fs>,
    data: &Path,
    selection: &Selection,
    progress: &mut dyn FnMut(Step),
) -> Result<Vec<Id>> {
    let mut logs = SourceLog::all(fs, data)?;
    logs.retain(|log| selection.system.as_ref().is_none_or(|system| system.as_str() == log.dir.system()));
    let scopes = match selection.incident {
        Some(incident) => Some(scopes(&logs, incident)?),
        None => None,
    };
    let total = logs.iter().map(SourceLog::size).sum();
    let (mut chosen, mut done) = (BTreeSet::new(), 0);
    for log in &logs {
        // The scope of a hold may be about any event of a decision, not its first alone.
        let finder = scopes.is_none().then(|| Finder::new(OPENED));
        let from = match selection.since {
            Some(since) if scopes.is_none() => {
                log.reader.seek_time(since.nanos(), log.size()).map_err(|error| log.at(0, error))?
            }
            _ => 0,
        };
        log.each_bundle(from, log.size(), |first, bundle| {
            for (index, bytes) in (first..).zip(entries(bundle)).filter(|(index, _)| *index < log.size()) {
                let bytes = bytes.map_err(|error| log.at(index, error))?;
                if finder.as_ref().is_none_or(|finder| finder.find(bytes).is_some()) {
                    let entry = log.parse(index, bytes)?;
                    chosen.extend(entry.decision.filter(|_| selection.fits(&entry, scopes.as_deref())));
                }
            }
            progress(Step { phase: Phase::Searching, done: done + first, total });
            Ok(())
        })?;
        done += log.size();
    }
    Ok(chosen.into_iter().collect())
}

impl Selection {
    /// Whether an entry says that its decision is chosen.
    fn fits(&self, entry: &Entry, scopes: Option<&[Scope]>) -> bool {
        let in_time = |event: &Event| {
            self.since.is_none_or(|since| event.logged_at >= since)
                && self.until.is_none_or(|until| event.logged_at < until)
        };
        entry.events.iter().any(|event| match scopes {
            Some(scopes) => {
                in_time(event) && scopes.iter().any(|scope| freezes(scope, entry.decision, event))
            }
            None => matches!(event.body, Body::DecisionOpened(_)) && in_time(event),
        })
    }
}

/// Whether a hold of this scope freezes an event.
fn freezes(scope: &Scope, decision: Option<Id>, event: &Event) -> bool {
    let named = scope.decisions.is_empty() || decision.is_some_and(|id| scope.decisions.contains(&id));
    let of_class = scope.classes.is_empty() || scope.classes.contains(&event.retention);
    let of_person = scope.subjects.is_empty() || event.subjects.iter().any(|id| scope.subjects.contains(id));
    let in_time = scope.from.is_none_or(|from| event.logged_at >= from)
        && scope.to.is_none_or(|to| event.logged_at < to);
    named && of_class && of_person && in_time
}

/// What the holds of an incident freeze: those that name it, and those that it names.
fn scopes(logs: &[SourceLog], incident: Id) -> Result<Vec<Scope>> {
    let finder = Finder::new(br#""kind":"hold.placed""#);
    let told = Finder::new(br#""kind":"incident""#);
    let (mut holds, mut placed, mut is_known) = (BTreeSet::new(), Vec::new(), false);
    for log in logs {
        log.each_bundle(0, log.size(), |first, bundle| {
            for (index, bytes) in (first..).zip(entries(bundle)).filter(|(index, _)| *index < log.size()) {
                let bytes = bytes.map_err(|error| log.at(index, error))?;
                if finder.find(bytes).is_none() && told.find(bytes).is_none() {
                    continue;
                }
                for event in log.parse(index, bytes)?.events {
                    match event.body {
                        Body::Incident(body) if body.incident == incident => {
                            is_known = true;
                            holds.extend(body.hold);
                        }
                        Body::HoldPlaced(body) => placed.push(*body),
                        _ => {}
                    }
                }
            }
            Ok(())
        })?;
    }
    let of_it =
        placed.into_iter().filter(|hold| hold.incident == Some(incident) || holds.contains(&hold.hold));
    let scopes: Vec<Scope> = of_it.map(|hold| hold.scope).collect();
    if scopes.is_empty() && !is_known { Err(WriteError::NoIncident(incident)) } else { Ok(scopes) }
}
