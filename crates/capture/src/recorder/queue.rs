//! What is written for a decision: built, sealed, queued, and put back where it is refused.

use crate::recorder::draft::NewEvent;
use crate::recorder::identities::Firsts;
use crate::recorder::write::{Mark, Steps, decision_appends};
use crate::recorder::{RecordError, System};
use inferlog_log::{Append, AppendError, Appended, Flags, Payloads, Pending};
use inferlog_record::Why;

/// Content above which sealing is moved off the threads that serve requests, bytes. Below, moving costs more than sealing.
const SEAL_INLINE_BYTES_MAX: usize = 128 << 10;

/// A write that has its place in the log's order.
pub(super) struct Written {
    pending: Pending,
    firsts: Firsts,
    /// Where the decision was before it: it is there again if the write is refused.
    pub(super) before: Mark,
}

/// Which room of the log a write may use.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Room {
    Ordinary,
    /// What is kept for ends, where the disk is full ([`Flags::RESERVED`]). For events without content alone.
    Reserved,
}

impl Written {
    pub(super) async fn durable(self) -> Result<Appended, AppendError> {
        let appended = self.pending.durable().await?;
        self.firsts.keep();
        Ok(appended)
    }
}

impl System {
    pub(super) async fn build(
        &self,
        steps: &mut Steps,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Append>, RecordError> {
        self.try_build(steps, events).await.inspect_err(|error| self.inner.note(error))
    }

    async fn try_build(&self, steps: &mut Steps, events: Vec<NewEvent>) -> Result<Vec<Append>, RecordError> {
        // What is shared is stored, durably, before it is referred to.
        let stores = self.door()?.is_some_and(|door| door.shares());
        if !stores && events.iter().map(NewEvent::bytes).sum::<usize>() <= SEAL_INLINE_BYTES_MAX {
            return decision_appends(self, steps, events);
        }
        let (system, mut copy) = (self.clone(), steps.clone());
        let built = tokio::task::spawn_blocking(move || {
            let appends = decision_appends(&system, &mut copy, events)?;
            Ok::<_, RecordError>((appends, copy))
        });
        let (appends, after) = built.await??;
        *steps = after;
        Ok(appends)
    }

    pub(super) async fn write(
        &self,
        steps: &mut Steps,
        events: Vec<NewEvent>,
        room: Room,
    ) -> Result<Written, RecordError> {
        let before = steps.mark();
        let written = self.queue(steps, events, room).await;
        match written {
            Ok((pending, firsts)) => Ok(Written { pending, firsts, before }),
            Err(error) => {
                steps.go_back(&before);
                Err(error)
            }
        }
    }

    async fn queue(
        &self,
        steps: &mut Steps,
        mut events: Vec<NewEvent>,
        room: Room,
    ) -> Result<(Pending, Firsts), RecordError> {
        let _gate = self.inner.gate.read().await;
        self.inner.check_open()?;
        self.check_joined(steps, &events)?;
        self.check_matches(steps.session, Some(steps), &events)?;
        self.hide_names(&mut events)?;
        if room == Room::Reserved {
            // A name that was hidden is content now.
            events.iter_mut().for_each(|event| *event = event.without_content(Why::NotStored));
        }
        let mut firsts = Firsts::of(self, steps.decision, &events)?;
        let mut appends = firsts.take();
        appends.extend(self.build(steps, events).await?);
        if room == Room::Reserved && appends.iter().all(|append| append.payloads == Payloads::default()) {
            appends.iter_mut().for_each(|append| append.flags = append.flags.and(Flags::RESERVED));
        }
        Ok((self.state.log.submit(appends).await?, firsts))
    }
}
