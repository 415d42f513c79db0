//! A log as one run of retention sees it: how far it goes, what the ledger, the policy and the followers say.

use super::ages;
use super::calendar::{Calendar, last_of};
use super::due::{due_at, due_before, rule};
use super::entry::Light;
use crate::recorder::ledger::Ledger;
use crate::recorder::policy::InForce;
use crate::recorder::{RecordError, System};
use inferlog_disk::read_optional;
use inferlog_log::packs::{PACK_INDEX_BYTES, list_kept_packs};
use inferlog_log::{LogId, LogReader, cursors};
use inferlog_policy::Retention;
use inferlog_record::Timestamp;
use inferlog_record::body::Purged as What;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A log as one run of retention sees it.
pub(super) struct View {
    pub(super) reader: LogReader,
    pub(super) log: LogId,
    pub(super) size: u64,
    pub(super) ledger: Ledger,
    /// The policy in force; without one nothing is due.
    pub(super) policy: Option<Arc<InForce>>,
    /// By what time things are due, and how much later they go.
    pub(super) now: Timestamp,
    pub(super) margin_ns: u64,
    /// How far each follower has read.
    pub(super) cursors: Vec<(String, u64)>,
}

impl View {
    pub(super) fn of(
        system: &System,
        policy: Option<Arc<InForce>>,
        now: Timestamp,
        margin_ns: u64,
    ) -> Result<Self, RecordError> {
        let fs = &system.inner.env.fs;
        let reader = LogReader::new(fs.clone(), system.state.log.dir().clone());
        // What the ledger has not seen is not yet in the log that is read: it is taken first, and is behind, never ahead.
        let ledger = system.ledger();
        let cursors = cursors(fs, reader.dir())?;
        let (size, log) = (reader.size()?, system.log_id());
        Ok(Self { reader, log, size, ledger, policy, now, margin_ns, cursors })
    }

    /// The first entry that some follower has not read; nothing from there on is removed.
    pub(super) fn followed(&self) -> u64 {
        self.cursors.iter().map(|(_, next)| *next).min().unwrap_or(u64::MAX).min(self.size)
    }

    /// Whether what was planned as of `before` may still be done: under the same policy, and with nobody who has read less.
    pub(super) fn allows(&self, before: &Self) -> bool {
        let rules = |view: &Self| view.policy.as_ref().map(|policy| policy.sha256);
        rules(self) == rules(before) && self.followed() >= before.followed()
    }

    /// The first entry of a class that no purge of payloads covers yet.
    pub(super) fn done(&self, class: &str) -> u64 {
        let lasts = self.ledger.purges().filter(|told| told.log == self.log).filter_map(|told| {
            let purge = told.purge()?;
            let is_it = purge.what == What::Payloads
                && purge.class.as_ref().is_some_and(|purged| purged.as_str() == class);
            is_it.then_some(purge.last.0 + 1)
        });
        lasts.max().unwrap_or(0)
    }

    /// What is due of a class lies below this index.
    pub(super) fn due(&self, calendar: &Calendar, class: &Retention) -> u64 {
        self.due_below(calendar, class, self.followed())
    }

    /// The same were no follower waited for.
    pub(super) fn due_unfollowed(&self, calendar: &Calendar, class: &Retention) -> u64 {
        self.due_below(calendar, class, u64::MAX)
    }

    fn due_below(&self, calendar: &Calendar, class: &Retention, below: u64) -> u64 {
        let Some(policy) = &self.policy else { return 0 };
        due_before(calendar, &policy.policy, class, below, self.now, self.margin_ns)
    }

    /// When what was logged on a day comes to be due.
    pub(super) fn due_of(&self, class: &Retention, day: u32) -> Option<Timestamp> {
        let due = due_at(&self.policy.as_ref()?.policy, class, last_of(day));
        Some(Timestamp(due.nanos().saturating_add(self.margin_ns)))
    }

    /// The policy's classes.
    pub(super) fn classes(&self) -> &[Retention] {
        self.policy.as_ref().map_or(&[], |policy| &policy.policy.classes)
    }

    /// When the next entries of a class are due that were not purged.
    pub(super) fn next_due(&self, calendar: &Calendar, class: &Retention) -> Option<Timestamp> {
        let next = self.due_unfollowed(calendar, class).max(self.done(class.class.as_str()));
        self.due_of(class, calendar.day_of(next)?)
    }

    /// The rule for a class, if the policy names it.
    pub(super) fn rule(&self, class: &str) -> Option<&Retention> {
        rule(&self.policy.as_ref()?.policy, class)
    }

    pub(super) fn disregarded(&self) -> Vec<(u64, u64)> {
        ages::disregarded(&self.ledger, self.log)
    }
}

impl View {
    /// Gives every entry of a class from `from` to below `to`, with the day of its stamp.
    pub(super) fn each(
        &self,
        from: u64,
        to: u64,
        class: &str,
        mut visit: impl FnMut(u64, &Light<'_>, u32),
    ) -> Result<(), RecordError> {
        let mut failed = None;
        self.reader.scan(from, to.min(self.size), |index, bytes| {
            match Light::parse(bytes) {
                Ok(entry) => match entry.place() {
                    Some((found, at)) if found == class => visit(index, &entry, at.day()),
                    _ => {}
                },
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// The entries of a class whose payloads earlier purges kept.
    pub(super) fn kept_payloads(&self, class: &str) -> Result<BTreeSet<u64>, RecordError> {
        let fs = self.reader.fs();
        let mut kept = BTreeSet::new();
        for pack in list_kept_packs(&**fs, self.reader.dir())?.into_iter().filter(|pack| pack.class == class)
        {
            let bytes = read_optional(&**fs, &pack.index)?.unwrap_or_default();
            let indices = bytes.chunks_exact(PACK_INDEX_BYTES).filter_map(|record| record.first_chunk());
            kept.extend(indices.map(|index| u64::from_be_bytes(*index)));
        }
        Ok(kept)
    }

    /// Whether the system has this one log. Pages of keys are a system's: where another epoch's decisions have keys in them, they do not
    /// go as a whole.
    pub(super) fn is_alone(&self) -> bool {
        self.ledger.logs().count() <= 1
    }
}
