//! Permanent events on their way into the log, and then into the ledger.

use super::{Told, class, kept};
use crate::recorder::draft::NewEvent;
use crate::recorder::seal::Keys;
use crate::recorder::write::{Steps, sealed_life_appends};
use crate::recorder::{RecordError, System};
use inferlog_log::{Append, Flags};
use inferlog_record::Entry;
use std::sync::atomic::Ordering;

/// A permanent event, and what it does to the tables that recovery needs.
pub(crate) struct Flagged(pub(crate) NewEvent, pub(crate) Flags);

impl From<NewEvent> for Flagged {
    fn from(event: NewEvent) -> Self {
        Self(event, Flags::NONE)
    }
}

impl System {
    /// Records permanent events, each in an entry of its own, all together, and takes them into the ledger when they are durable.
    /// Their content is sealed under a key that is theirs alone. The caller holds the gate, shared or alone, until this returns,
    /// in a task that nobody can drop: what is durable and not in the ledger would let an erasure pass a hold.
    pub(crate) async fn tell_permanent(&self, events: Vec<Flagged>) -> Result<Vec<Told>, RecordError> {
        self.inner.check_open()?;
        let made = self.permanent_appends(events).inspect_err(|error| self.inner.note(error));
        let (appends, steps) = made?;
        let entries: Vec<Entry> =
            appends.iter().map(|append| Entry::from_bytes(&append.entry)).collect::<Result<_, _>>()?;
        let first = match self.state.log.append(appends).await {
            Ok(appended) => appended.index,
            Err(error) => {
                let error = RecordError::from(error);
                // A refusal, for want of space or of what cannot be taken, leaves nothing. Of all else it is not certain whether
                // the log holds it: that is known when the log is opened anew.
                let is_refused = matches!(error.code(), "disk_full" | "not_recordable");
                self.state.ledger_doubtful.fetch_or(!is_refused, Ordering::AcqRel);
                return Err(error);
            }
        };
        steps.mark_durable();
        let mut told = Vec::with_capacity(entries.len());
        for (index, entry) in (first..).zip(entries) {
            told.extend(kept(entry).map(|event| Told { log: self.log_id(), index, event }));
        }
        let mut ledger = self.state.ledger.lock();
        told.iter().for_each(|told| ledger.add(told.clone()));
        Ok(told)
    }

    fn permanent_appends(&self, events: Vec<Flagged>) -> Result<(Vec<Append>, Steps), RecordError> {
        let seals = events.iter().any(|Flagged(event, _)| !event.is_bare());
        let mut steps = match seals {
            true => Steps::begin(self, &[], class())?,
            false => {
                let id = self.mint()?;
                Steps::new(id, class(), Keys::destroyed(id, Vec::new(), None))
            }
        };
        let mut appends = Vec::new();
        for Flagged(event, flags) in events {
            let mut one = sealed_life_appends(self, &mut steps, event)?;
            if let Some(first) = one.first_mut() {
                first.flags = first.flags.and(flags);
            }
            appends.append(&mut one);
        }
        Ok((appends, steps))
    }
}
