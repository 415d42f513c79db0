//! Holds: what is in the scope of one that stands is neither erased nor purged; and incidents, which they are often placed for.

use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::ledger::{Flagged, StandingHold, ToldIncident};
use crate::recorder::{RecordError, Recorder, System};
use bytes::Bytes;
use inferlog_record::body::{Basis, HoldPlaced, HoldReleased, Incident, Scope};
use inferlog_record::{DataClass, Id, LIST_ITEMS_MAX, MediaType, PayloadRole, Timestamp};

/// A hold to be placed.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// On what ground.
    pub basis: Basis,
    /// The incident behind it.
    pub incident: Option<Id>,
    /// What is frozen: whatever any of these covers; an event each. A scope's lists may be longer than an event takes.
    pub scopes: Vec<Scope>,
    /// The order's words: sealed with the first event.
    pub order_text: Option<Bytes>,
    /// Who places it, as the caller knows them. The log sees a pseudonym only.
    pub actor: Option<String>,
}

impl System {
    /// The holds that stand.
    pub fn holds(&self) -> Vec<StandingHold> {
        self.ledger().standing_holds()
    }

    /// Places a hold, and waits until it is durable: its id. What an erasure or a purge announced before stays announced; nothing
    /// that a later one would take is taken while it stands.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] if it has no scope.
    pub async fn place_hold(&self, hold: NewHold) -> Result<Id, RecordError> {
        let id = self.mint()?;
        let mut events = Vec::new();
        for scope in hold.scopes.iter().flat_map(pieces) {
            let placed = HoldPlaced { basis: hold.basis, by: None, hold: id, incident: hold.incident, scope };
            let mut event = NewEvent::new(placed);
            event.reviewer = hold.actor.clone().map(Bytes::from);
            events.push(event);
        }
        let Some(first) = events.first_mut() else {
            return Err(RecordError::Invalid("a hold needs a scope; an empty one covers all".into()));
        };
        first.payloads.extend(text(PayloadRole::Order, hold.order_text));
        self.tell_alone(events).await?;
        Ok(id)
    }

    /// Releases a hold, waits until that is durable, and then carries erasures on that it alone withheld: the event's id. Where they
    /// fail they are tried again at the next start, and whenever [`Recorder::resume_withheld`] is called.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] if no such hold stands.
    pub async fn release_hold(
        &self,
        hold: Id,
        basis: Basis,
        order_text: Option<Bytes>,
        actor: Option<&str>,
    ) -> Result<Id, RecordError> {
        if !self.holds().iter().any(|standing| standing.hold == hold) {
            return Err(RecordError::Invalid(format!("no hold {hold} stands in {}", self.name())));
        }
        let mut event = NewEvent::new(HoldReleased { basis, by: None, hold });
        event.reviewer = actor.map(|actor| Bytes::copy_from_slice(actor.as_bytes()));
        event.payloads.extend(text(PayloadRole::Order, order_text));
        let id = self.tell_alone(vec![event]).await?;
        let recorder = Recorder { inner: self.inner.clone() };
        if let Err(error) = recorder.resume_released().await {
            tracing::warn!(system = %self.name(), %hold, %error, "erasures that the hold withheld could not be carried on");
        }
        Ok(id)
    }

    /// Every incident that was told.
    pub fn incidents(&self) -> Vec<ToldIncident> {
        self.ledger().incidents()
    }

    /// When the report of an incident is due next; `None` where none is.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.incidents().iter().filter_map(ToldIncident::due_at).min()
    }

    /// Says what is known of an incident, or how its handling stands, and waits until that is durable: the event's id. `report` is
    /// sealed.
    pub async fn tell_incident(
        &self,
        incident: Incident,
        report_text: Option<Bytes>,
        actor: Option<&str>,
    ) -> Result<Id, RecordError> {
        let mut event = NewEvent::new(incident);
        event.reviewer = actor.map(|actor| Bytes::copy_from_slice(actor.as_bytes()));
        event.payloads.extend(text(PayloadRole::IncidentReport, report_text));
        self.tell_alone(vec![event]).await
    }

    /// Records permanent events, whoever stops waiting: the id of the first.
    async fn tell_alone(&self, events: Vec<NewEvent>) -> Result<Id, RecordError> {
        let system = self.clone();
        let told = self.inner.runtime.spawn(async move {
            let _gate = system.inner.gate.read().await;
            system.tell_permanent(events.into_iter().map(Flagged::from).collect()).await
        });
        let told = told.await??;
        let none = || RecordError::Invalid("the event is not of a kind that is kept for good".into());
        told.first().map(|told| told.event.id).ok_or_else(none)
    }
}

/// The words of an order or a report, to be sealed.
pub(crate) fn text(role: PayloadRole, bytes: Option<Bytes>) -> Option<crate::recorder::NewPayload> {
    let media_type = MediaType::Text;
    let content = NewContent::Sealed { media_type, class: DataClass::Personal, bytes: bytes? };
    Some(crate::recorder::NewPayload { id: None, role, content })
}

/// A scope as scopes that fit an event each, and cover the same together.
fn pieces(scope: &Scope) -> Vec<Scope> {
    let mut pieces = vec![scope.clone()];
    pieces = split(pieces, |scope| &mut scope.decisions.0);
    pieces = split(pieces, |scope| &mut scope.subjects.0);
    split(pieces, |scope| &mut scope.classes.0)
}

fn split<T: Clone>(scopes: Vec<Scope>, list: impl Fn(&mut Scope) -> &mut Vec<T>) -> Vec<Scope> {
    let mut pieces = Vec::new();
    for mut scope in scopes {
        let items = std::mem::take(list(&mut scope));
        if items.is_empty() {
            pieces.push(scope);
            continue;
        }
        for some in items.chunks(LIST_ITEMS_MAX) {
            let mut piece = scope.clone();
            *list(&mut piece) = some.to_vec();
            pieces.push(piece);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;
    use inferlog_record::{Pseudonym, RetentionClass, Timestamp};

    #[test]
    fn pieces_of_a_scope_cover_what_it_covers() {
        let decisions: Vec<Id> = (0..600).map(|n| Id::new(n, &[0; 10])).collect();
        let subjects: Vec<Pseudonym> =
            (0..300_u16).map(|n| Pseudonym::new([n.to_le_bytes(); 8].concat().try_into().unwrap())).collect();
        let (to, class) = (Some(Timestamp(9)), RetentionClass::default());
        let scope = Scope {
            decisions: decisions.clone().into(),
            subjects: subjects.clone().into(),
            to,
            ..Scope::default()
        };
        let pieces = pieces(&scope);
        assert_eq!(pieces.len(), 6);
        assert!(pieces.iter().all(|piece| piece.decisions.len() <= 256 && piece.subjects.len() <= 256));
        let covers = |decision: Id, at: u64, subject: Pseudonym| {
            pieces.iter().any(|piece| piece.covers(Some(decision), &class, Timestamp(at), &[subject]))
        };
        for decision in &decisions {
            assert!(covers(*decision, 8, subjects[299]) && covers(*decision, 8, subjects[0]));
        }
        assert!(!covers(decisions[0], 9, subjects[0]));
        assert!(!covers(Id::new(600, &[0; 10]), 8, subjects[0]));
        assert!(!covers(decisions[0], 8, Pseudonym::new([255; 16])));
    }
}
