//! Who read what: recorded before it is given out.

use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::write::{Steps, sealed_life_appends};
use crate::recorder::{RecordError, System};
use inferlog_log::Pending;
use inferlog_record::body::{Access, RiskAccepted};
use inferlog_record::{DataClass, Id, MediaType, PayloadRole};

impl System {
    /// Says in the system's log that somebody read its records, and waits until that is durable: the event's id. `actor` is who
    /// it was, as the caller knows them; the log sees a pseudonym. `query` is what was asked, in words that may name persons: it
    /// is sealed under a key of its own.
    pub async fn tell_access(
        &self,
        access: Access,
        actor: Option<&str>,
        query: Option<&str>,
    ) -> Result<Id, RecordError> {
        let id = self.mint()?;
        let mut event = NewEvent { id: Some(id), ..NewEvent::new(access) };
        event.reviewer = actor.map(|actor| actor.as_bytes().to_vec().into());
        if let Some(query) = query {
            let bytes = query.as_bytes().to_vec().into();
            let content =
                NewContent::Sealed { media_type: MediaType::Text, class: DataClass::Personal, bytes };
            event = event.with(PayloadRole::AccessQuery, content);
        }
        self.tell_sealed(event).await?;
        Ok(id)
    }

    /// Says in the system's log that somebody answers for a finding of its coverage, and waits until that is durable: the event's id.
    /// `actor` is who, as the caller knows them; the log sees a pseudonym. `reason` is sealed under a key of its own.
    pub async fn tell_accepted(
        &self,
        accepted: RiskAccepted,
        actor: Option<&str>,
        reason: &str,
    ) -> Result<Id, RecordError> {
        let id = self.mint()?;
        let mut event = NewEvent { id: Some(id), ..NewEvent::new(accepted) };
        event.reviewer = actor.map(|actor| actor.as_bytes().to_vec().into());
        let bytes = reason.as_bytes().to_vec().into();
        let content = NewContent::Sealed { media_type: MediaType::Text, class: DataClass::Personal, bytes };
        self.tell_sealed(event.with(PayloadRole::RiskReason, content)).await?;
        Ok(id)
    }

    /// Says something in the system's log whose content is sealed under a key of its own, and waits until it is durable.
    pub(crate) async fn tell_sealed(&self, event: NewEvent) -> Result<(), RecordError> {
        let (pending, steps) = {
            let _gate = self.inner.gate.read().await;
            self.inner.check_open()?;
            self.submit_sealed(event).await?
        };
        pending.durable().await?;
        steps.mark_durable();
        Ok(())
    }

    /// The same for a caller who holds the gate: what is to be waited for, and the steps that are durable then.
    pub(crate) async fn submit_sealed(&self, event: NewEvent) -> Result<(Pending, Steps), RecordError> {
        let made = Steps::begin(self, &[], self.life_class(&event.body)).and_then(|mut steps| {
            let appends = sealed_life_appends(self, &mut steps, event)?;
            Ok((appends, steps))
        });
        let (appends, steps) = made.inspect_err(|error| self.inner.note(error))?;
        Ok((self.state.log.submit(appends).await?, steps))
    }
}
