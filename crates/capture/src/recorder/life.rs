//! The life of a system's log: when recording began and ended, what the clock was worth, what a crash left open.

use crate::recorder::decision::{capture_of_recorder, closed};
use crate::recorder::write::{bare_append, life_append};
use crate::recorder::{Inner, RecordError, System};
use inferlog_log::{Append, Flags, LogReader, RecoveredLog};
use inferlog_record::body::{
    Body, Clock, ExchangeEnd, LastEnd, Outcome, RecorderStarted, RecorderStopped, StopReason,
};
use inferlog_record::{ClearName, Count, Entry, Event, Id, Kind, NodeId, Signed, Timestamp};

impl System {
    /// Says that recording begins, closes what an earlier process left open, and says what the clock is worth.
    pub(crate) async fn start(&self, before: Option<&RecoveredLog>) -> Result<(), RecordError> {
        let last_end = before.map_or(LastEnd::First, |log| self.last_end(log));
        let config = &self.inner.config;
        let (policy, mut change) = self.begin_under()?;
        let mut started = self.life_event(RecorderStarted {
            build: config.build.clone(),
            configuration: config.configuration,
            last_end,
            node: self.inner.node_id(),
            policy,
            shard: self.shard(),
        })?;
        started.role = Some(config.role);
        started.purposes = config.purposes.clone().into();
        let mut pending =
            vec![self.state.log.submit(vec![life_append(&self.inner, started, Flags::RESERVED)?]).await?];
        let changes = change.take();
        if !changes.is_empty() {
            pending.push(self.state.log.submit(changes).await?);
        }
        let interrupted = before.map(|log| self.interrupted(log)).transpose()?.unwrap_or_default();
        let count = interrupted.len();
        for append in interrupted {
            // One by one: what is submitted together is refused together where room is short.
            pending.push(self.state.log.submit(vec![append]).await?);
        }
        for waiting in pending {
            waiting.durable().await?;
        }
        if let Some(log) = before.filter(|_| last_end == LastEnd::Unclean) {
            self.interrupt_sessions_left(log.size).await?;
        }
        change.keep();
        if count > 0 {
            tracing::warn!(system = %self.state.name, count, "decisions that a crash interrupted were closed");
        }
        match before.filter(|_| last_end == LastEnd::Unclean) {
            Some(log) => self.tell_uncounted(self.last_time(log)).await?,
            None => self.begin_counting(),
        }
        self.tell_clock().await
    }

    /// Says that recording ends in order: what was counted, that what is open ends, and that it stopped. All of it has room on a full
    /// disk. Where something of that cannot be said, the end is not said to be orderly: the next start says what is not known then.
    pub(crate) async fn stop(&self, reason: StopReason) -> Result<(), RecordError> {
        let (counted, ended) = (self.tell_last_sampling().await, self.interrupt_sessions().await);
        counted.and(ended)?;
        let stopped = RecorderStopped { node: self.inner.node_id(), reason, shard: self.shard() };
        let append = life_append(&self.inner, self.life_event(stopped)?, Flags::RESERVED)?;
        self.state.log.append(vec![append]).await?;
        Ok(())
    }

    /// Says what the clock is worth; later events name this one.
    pub(crate) async fn tell_clock(&self) -> Result<(), RecordError> {
        let state = self.inner.env.clock.sync_state();
        let clock = Clock {
            by: None,
            disregard_first: None,
            disregard_last: None,
            max_error_ns: state.as_ref().and_then(|state| state.max_error_ns).map(Count),
            offset_ns: state.as_ref().and_then(|state| state.offset_ns).map(Signed),
            source: state
                .as_ref()
                .map_or_else(|| ClearName::or_unlisted("none"), |s| ClearName::or_unlisted(&s.source)),
            synchronised: state.as_ref().is_some_and(|state| state.synchronised),
        };
        let event = self.life_event(clock)?;
        let id = event.id;
        self.state.log.append(vec![life_append(&self.inner, event, Flags::NONE)?]).await?;
        *self.state.clock.lock() = Some(id);
        Ok(())
    }

    pub(crate) fn life_event(&self, body: impl Into<Body>) -> Result<Event, RecordError> {
        let minter = &self.inner.minter;
        let mut event = Event::new(minter.id()?, self.state.name.clone(), minter.now(), body);
        event.clock = *self.state.clock.lock();
        event.retention = self.life_class(&event.body);
        Ok(event)
    }

    fn shard(&self) -> ClearName {
        ClearName::or_unlisted(self.state.log.dir().shard())
    }

    /// A log that an orderly end was the last to write to ended clean.
    fn last_end(&self, log: &RecoveredLog) -> LastEnd {
        let Some(last) = log.size.checked_sub(1) else { return LastEnd::First };
        let stopped =
            |entry: &Entry| entry.events.iter().any(|event| event.kind() == Some(Kind::RecorderStopped));
        match read_entry(&self.inner, log, last) {
            Ok(entry) if stopped(&entry) => LastEnd::Clean,
            Ok(_) => LastEnd::Unclean,
            Err(error) => {
                tracing::warn!(system = %self.state.name, %error, "the last entry cannot be read; the last end counts as unclean");
                LastEnd::Unclean
            }
        }
    }

    /// When an earlier process recorded last; now, if that cannot be told.
    pub(crate) fn last_time(&self, log: &RecoveredLog) -> Timestamp {
        let last = log.size.checked_sub(1).and_then(|last| read_entry(&self.inner, log, last).ok());
        last.and_then(|entry| Some(entry.events.last()?.logged_at)).unwrap_or_else(|| self.now())
    }

    /// The ends of decisions that were opened and never closed.
    fn interrupted(&self, log: &RecoveredLog) -> Result<Vec<Append>, RecordError> {
        log.open.iter().map(|(decision, index)| self.interrupt(log, *decision, *index)).collect()
    }

    fn interrupt(&self, log: &RecoveredLog, decision: [u8; 16], index: u64) -> Result<Append, RecordError> {
        let decision = Id::from_bytes(decision).map_err(|error| RecordError::Invalid(error.to_string()))?;
        let minter = &self.inner.minter;
        let body = closed(Outcome::Interrupted, ExchangeEnd::Interrupted);
        let mut event = Event::new(minter.id()?, self.state.name.clone(), minter.now(), body);
        event.capture = Some(capture_of_recorder());
        event.ended_at = Some(event.logged_at);
        let events = match read_entry(&self.inner, log, index) {
            // Of what was pruned no more is known than that it is open: no reason not to start.
            Err(RecordError::Read(error)) if error.is_pruned() => Vec::new(),
            opening => opening?.events,
        };
        let opens = [Some(Kind::DecisionOpened), Some(Kind::DecisionJoined)];
        if let Some(opened) = events.into_iter().find(|event| opens.contains(&event.kind())) {
            event.after = vec![opened.id].into();
            event.retention = opened.retention;
            event.subjects = opened.subjects;
            event.session = opened.session;
        }
        bare_append(&self.inner, decision, event)
    }
}

impl Inner {
    pub(crate) fn node_id(&self) -> NodeId {
        NodeId(self.node.identity().id())
    }
}

fn read_entry(inner: &Inner, log: &RecoveredLog, index: u64) -> Result<Entry, RecordError> {
    let reader = LogReader::new(inner.env.fs.clone(), log.dir.clone());
    Ok(Entry::from_bytes(&reader.entry(index, log.size)?)?)
}
