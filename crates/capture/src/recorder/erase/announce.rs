//! Events of an erasure: what is withheld, the intent, the refusal.

use super::carry::Intended;
use super::plan::{Planned, Wanted};
use super::types::{EraseRequest, Erased, Outcome, Withheld};
use crate::recorder::draft::NewEvent;
use crate::recorder::hold::text;
use crate::recorder::ledger::{Flagged, Told};
use crate::recorder::{RecordError, System};
use bytes::Bytes;
use inferlog_log::Flags;
use inferlog_record::body::{Erasure as Stated, ErasurePhase, OrderKind, Refusal};
use inferlog_record::{Count, Id, KeyId, LIST_ITEMS_MAX, PayloadRole, Pseudonym, Timestamp};
use inferlog_vault::{ErasureReport, SubjectRef};
use std::collections::BTreeSet;

/// Why keys are withheld: the events that say so name one such set each.
type Ground = (Vec<Refusal>, Vec<Id>, Option<Timestamp>);

/// An erasure that is to be told.
pub(super) struct Announcement {
    subject: Option<SubjectRef>,
    decision: Option<Id>,
    order: OrderKind,
    resumes: Option<Id>,
    text: Option<Bytes>,
    actor: Option<Bytes>,
    planned: Planned,
}

impl Announcement {
    pub(super) fn new(wanted: Wanted, request: &EraseRequest, planned: Planned) -> Self {
        let (subject, decision) = match wanted {
            Wanted::Subject(subject) => (Some(subject), None),
            Wanted::Decision(decision) => (None, Some(decision)),
            Wanted::Erased(_) => (None, None),
        };
        let actor = request.actor.as_ref().map(|actor| Bytes::copy_from_slice(actor.as_bytes()));
        let (order, text) = (request.order, request.text.clone());
        Self { subject, decision, order, resumes: None, text, actor, planned }
    }

    /// Of what was withheld from an earlier erasure, and is free now.
    pub(super) fn resuming(resumes: Id, order: OrderKind, planned: Planned) -> Self {
        let planned = Planned { withheld: Vec::new(), ..planned };
        Self {
            subject: None,
            decision: None,
            order,
            resumes: Some(resumes),
            text: None,
            actor: None,
            planned,
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.planned.is_refused()
    }

    /// Whether there is nothing to take and nobody to forget.
    pub(super) fn is_empty(&self) -> bool {
        self.subject.is_none() && self.planned.free_keys().is_empty()
    }

    /// What every event of it says.
    fn stated(&self, phase: ErasurePhase) -> Stated {
        Stated {
            backup_horizon: None,
            by: None,
            certificate: None,
            decisions: Count(0),
            holds: Vec::new().into(),
            intent: None,
            keys: Vec::new().into(),
            order: self.order,
            phase,
            refusals: Vec::new().into(),
            resumes: self.resumes,
            root_epoch: None,
            stores: Vec::new().into(),
            subjects: Vec::new().into(),
            until: None,
            withheld: Count(0),
        }
    }

    fn event(&self, stated: Stated) -> NewEvent {
        let mut event = NewEvent::new(stated);
        event.reviewer = self.actor.clone();
        event
    }

    /// The grounds of everything that is withheld.
    fn all_grounds(&self) -> Ground {
        let withheld = &self.planned.withheld;
        let refusals = [Refusal::Hold, Refusal::LegalDuty];
        let why = refusals.into_iter().filter(|why| withheld.iter().any(|one| one.why.contains(why)));
        let holds: BTreeSet<Id> = withheld.iter().flat_map(|one| one.holds.iter().copied()).collect();
        let until = withheld.iter().filter_map(|one| one.until).min();
        (why.collect(), holds.into_iter().take(LIST_ITEMS_MAX).collect(), until)
    }

    fn count_withheld(&self) -> Count {
        Count(self.planned.withheld.len() as u64)
    }

    /// The intents: their keys, and how many decisions each concerns. One of a person; of decisions as many as their keys need.
    fn intents(&self) -> Vec<(Vec<KeyId>, u64)> {
        if let Some(subject) = self.subject {
            return vec![(vec![subject.key], self.planned.free.len() as u64)];
        }
        let mut intents: Vec<(Vec<KeyId>, u64)> = Vec::new();
        for (_, keys) in &self.planned.free {
            let keys: Vec<KeyId> = keys.iter().copied().collect();
            for some in keys.chunks(LIST_ITEMS_MAX) {
                match intents.last_mut().filter(|(last, _)| last.len() + some.len() <= LIST_ITEMS_MAX) {
                    Some((last, decisions)) => {
                        last.extend(some);
                        *decisions += 1;
                    }
                    None => intents.push((some.to_vec(), 1)),
                }
            }
        }
        intents
    }

    /// The events of what is withheld from this intent.
    fn withheld(&self, intent: Id) -> Vec<NewEvent> {
        let mut groups: Vec<(Ground, Vec<&Withheld>)> = Vec::new();
        for one in &self.planned.withheld {
            let ground = (one.why.clone(), one.holds.clone(), one.until);
            match groups.iter_mut().find(|(known, _)| *known == ground) {
                Some((_, group)) => group.push(one),
                None => groups.push((ground, vec![one])),
            }
        }
        let mut events = Vec::new();
        for ((refusals, holds, until), group) in groups {
            let mut pieces: Vec<(Vec<KeyId>, u64)> = Vec::new();
            for one in group {
                for some in one.keys.chunks(LIST_ITEMS_MAX) {
                    match pieces.last_mut().filter(|(last, _)| last.len() + some.len() <= LIST_ITEMS_MAX) {
                        Some((last, decisions)) => {
                            last.extend(some);
                            *decisions += 1;
                        }
                        None => pieces.push((some.to_vec(), 1)),
                    }
                }
            }
            for (keys, decisions) in pieces {
                events.push(self.event(Stated {
                    holds: holds.iter().copied().take(LIST_ITEMS_MAX).collect(),
                    intent: Some(intent),
                    keys: keys.into(),
                    refusals: refusals.clone().into(),
                    until,
                    withheld: Count(decisions),
                    ..self.stated(ErasurePhase::Withheld)
                }));
            }
        }
        events
    }

    /// What came of it so far, an [`Erased`] for each intent.
    pub(super) fn erased(self, system: &System, intended: &Intended, report: &ErasureReport) -> Vec<Erased> {
        let mut withheld = self.planned.withheld;
        let erased = intended.told.iter().filter_map(|told| {
            let stated = told.erasure()?;
            Some(Erased {
                system: system.name().clone(),
                intent: told.event.id,
                pseudonym: stated.subjects.first().copied(),
                decisions: stated.decisions.0,
                keys: stated.keys.to_vec(),
                withheld: std::mem::take(&mut withheld),
                outcome: Outcome::Waiting(Vec::new()),
                report: Some(report.clone()),
                certificate: None,
            })
        });
        erased.collect()
    }
}

impl System {
    /// Makes the intent durable, and what is withheld from it. From here on the erasure happens, whatever fails. The caller holds
    /// the gate alone.
    pub(super) async fn announce_erasure(
        &self,
        announcement: &mut Announcement,
    ) -> Result<Intended, RecordError> {
        let (refusals, holds, until) = announcement.all_grounds();
        let subjects: Vec<Pseudonym> = announcement.subject.iter().map(|of| of.pseudonym).collect();
        let (mut events, mut intents) = (Vec::new(), Vec::new());
        for (keys, decisions) in announcement.intents() {
            let id = self.mint()?;
            let mut event = announcement.event(Stated {
                decisions: Count(decisions),
                holds: holds.clone().into(),
                keys: keys.into(),
                refusals: refusals.clone().into(),
                subjects: subjects.clone().into(),
                until,
                withheld: announcement.count_withheld(),
                ..announcement.stated(ErasurePhase::Intent)
            });
            event.id = Some(id);
            // The words once: with the first.
            event.payloads.extend(text(PayloadRole::Order, announcement.text.take()));
            events.extend(announcement.withheld(id).into_iter().map(Flagged::from));
            events.push(Flagged(event, Flags::ERASURE));
            intents.push(id);
        }
        let told = self.tell_permanent(events).await?;
        let told: Vec<Told> = told.into_iter().filter(|told| intents.contains(&told.event.id)).collect();
        let withheld = announcement.planned.withheld.iter().flat_map(|one| one.keys.iter().copied());
        let intended = Intended::new(self.state.clone(), told, withheld.collect())?;
        let mut orders = self.inner.orders.lock();
        if let Some(first) = intents.first() {
            orders.subjects.extend(subjects.iter().map(|subject| (*subject, *first)));
            orders.decisions.extend(announcement.decision.map(|decision| (decision, *first)));
        }
        orders.intended.push(intended.clone());
        Ok(intended)
    }

    /// Says that nothing is erased, and why. The caller holds the gate.
    pub(super) async fn refuse(&self, announcement: Announcement) -> Result<Erased, RecordError> {
        let (refusals, holds, until) = announcement.all_grounds();
        let keys: Vec<KeyId> = match announcement.subject {
            Some(subject) => vec![subject.key],
            None => announcement.planned.withheld.iter().flat_map(|one| one.keys.iter().copied()).collect(),
        };
        let mut event = announcement.event(Stated {
            holds: holds.into(),
            keys: keys.into_iter().take(LIST_ITEMS_MAX).collect(),
            refusals: refusals.into(),
            subjects: announcement.subject.iter().map(|of| of.pseudonym).collect(),
            until,
            withheld: announcement.count_withheld(),
            ..announcement.stated(ErasurePhase::Refused)
        });
        event.payloads.extend(text(PayloadRole::Order, announcement.text.clone()));
        let told = self.tell_permanent(vec![event.into()]).await?;
        let refused = told.into_iter().next();
        let refused =
            refused.ok_or_else(|| RecordError::Invalid("a refusal that is no permanent event".into()))?;
        Ok(Erased {
            system: self.name().clone(),
            intent: refused.event.id,
            pseudonym: announcement.subject.map(|of| of.pseudonym),
            decisions: 0,
            keys: Vec::new(),
            withheld: announcement.planned.withheld,
            outcome: Outcome::Refused,
            report: None,
            certificate: None,
        })
    }
}
