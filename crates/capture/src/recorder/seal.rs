//! What a decision's payloads are sealed under; and that it is nothing, once that was destroyed.

use crate::recorder::{Inner, RecordError, System};
use hmac::{Hmac, Mac};
use inferlog_record::{Id, KeyId, Pseudonym, RetentionClass};
use inferlog_vault::{DecisionKey, Scope, SealContext, SealedPayload, Subject, VaultError};
use sha2::Sha256;
use std::collections::BTreeSet;

/// Keeps ids that are derived from callers' texts apart from all else that the key is used for.
const EVENT_ID_LABEL: &[u8] = b"inferlog/event-id/v1";

/// The keys of one decision. A clone is the same keys.
#[derive(Clone)]
pub(crate) struct Keys {
    decision: Id,
    /// Whom the payloads are about, as events name them.
    pseudonyms: Vec<Pseudonym>,
    /// Whether a person was erased whom it is about, and the key was withheld from that. No other key is made for it: none would
    /// be found when what was withheld goes, too.
    is_withheld: bool,
    state: State,
    /// Persons named by events of the present write, beside those whom the payloads are about.
    named: Vec<Subject>,
}

#[derive(Clone)]
enum State {
    /// Content is sealed.
    Alive(Alive),
    /// Destroyed before it came to this: by which erasure, if the log says so.
    Destroyed(Option<Id>),
}

#[derive(Clone)]
struct Alive {
    subjects: Vec<Subject>,
    /// The key in use, and the UTC day it is filed under: a page of keys is dropped with the payloads of its day.
    key: DecisionKey,
    day: u32,
    /// The key that the decision's first content was sealed under.
    first: Option<DecisionKey>,
}

impl Keys {
    /// A key for a decision that begins, or for one that nothing was sealed of yet.
    pub(crate) fn new(
        system: &System,
        decision: Id,
        class: &RetentionClass,
        subjects: Vec<Subject>,
    ) -> Result<Self, RecordError> {
        let day = system.inner.minter.now().day();
        let key = new_key(system, decision, class, day, &subjects)?;
        Ok(Self::alive(decision, Alive { subjects, key, day, first: None }))
    }

    /// The keys of a decision about these persons whose first content was sealed under this one, on this UTC day.
    pub(crate) fn resumed(decision: Id, key: DecisionKey, day: u32, about: &BTreeSet<Pseudonym>) -> Self {
        let (subjects, first) = (key.subjects().to_vec(), Some(key.clone()));
        let mut keys = Self::alive(decision, Alive { subjects, key, day, first });
        // Who was erased does not wrap a key any more that was withheld from that; the decision is about them all the same.
        let gone = about.iter().filter(|of| !keys.pseudonyms.contains(of)).copied().collect::<Vec<_>>();
        keys.is_withheld = !gone.is_empty();
        keys.pseudonyms.extend(gone);
        keys
    }

    /// Of a decision whose keys were destroyed.
    pub(crate) fn destroyed(decision: Id, pseudonyms: Vec<Pseudonym>, order: Option<Id>) -> Self {
        Self { decision, pseudonyms, is_withheld: false, state: State::Destroyed(order), named: Vec::new() }
    }

    fn alive(decision: Id, alive: Alive) -> Self {
        let pseudonyms = alive.subjects.iter().map(Subject::pseudonym).collect();
        Self { decision, pseudonyms, is_withheld: false, state: State::Alive(alive), named: Vec::new() }
    }

    /// Whom the payloads are about, as events name them.
    pub(crate) fn pseudonyms(&self) -> &[Pseudonym] {
        &self.pseudonyms
    }

    /// Makes ready for a write, which seals something or not: what is logged today is sealed under a key of today, and nothing
    /// is once the decision was erased, be it that the log knew no key of it to name. The caller holds the gate.
    pub(crate) fn prepare(
        &mut self,
        system: &System,
        class: &RetentionClass,
        day: u32,
        seals: bool,
    ) -> Result<(), RecordError> {
        self.named.clear();
        if let Some(order) = system.inner.orders.lock().decisions.get(&self.decision) {
            self.state = State::Destroyed(Some(*order));
        }
        let State::Alive(alive) = &mut self.state else { return Ok(()) };
        if let Some(first) = alive.first.as_ref().filter(|first| !alive.key.is_alive() && first.is_alive()) {
            // A key that no entry names was not withheld with the others.
            alive.key = first.clone();
        }
        // A key that is dead stays: nothing more is sealed.
        let keeps = self.is_withheld || alive.key.outlives_subject();
        if seals && alive.day != day && !keeps && alive.key.is_alive() {
            alive.key = new_key(system, self.decision, class, day, &alive.subjects)?;
            alive.day = day;
        }
        alive.first.get_or_insert_with(|| alive.key.clone());
        Ok(())
    }

    /// Seals content, and says under which key; `None` if the keys were destroyed.
    pub(crate) fn seal(
        &self,
        context: &SealContext<'_>,
        content: &[u8],
    ) -> Result<Option<(KeyId, SealedPayload)>, RecordError> {
        let State::Alive(Alive { key, .. }) = &self.state else { return Ok(None) };
        match key.seal(context, content) {
            Ok(sealed) => Ok(Some((key.id(), sealed))),
            Err(VaultError::Erased) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nothing is sealed any more.
    pub(super) fn is_destroyed(&self, inner: &Inner) -> bool {
        match &self.state {
            State::Destroyed(_) => true,
            State::Alive(alive) => {
                !alive.key.is_alive() || inner.orders.lock().decisions.contains_key(&self.decision)
            }
        }
    }

    /// The erasure that destroyed the keys, where it is known.
    pub(super) fn order(&self, inner: &Inner) -> Option<Id> {
        if let State::Destroyed(Some(order)) = self.state {
            return Some(order);
        }
        let orders = inner.orders.lock();
        let order = self.pseudonyms.iter().find_map(|subject| orders.subjects.get(subject));
        order.or_else(|| orders.decisions.get(&self.decision)).copied()
    }

    /// The pseudonym of a person whom an event names and whom its payloads are not about. Their births ride in this write.
    pub(crate) fn name(&mut self, system: &System, identifier: &[u8]) -> Result<Pseudonym, RecordError> {
        let subject = system.inner.vault.subject(&system.state.name, identifier)?;
        let pseudonym = subject.pseudonym();
        self.named.push(subject);
        Ok(pseudonym)
    }

    /// What the next frame must carry.
    pub(super) fn births(&self, inner: &Inner) -> Result<Vec<u8>, RecordError> {
        let mut births = match &self.state {
            State::Alive(alive) => alive.key.births()?,
            State::Destroyed(_) => Vec::new(),
        };
        for subject in &self.named {
            births.extend(inner.vault.subject_births(subject)?);
        }
        Ok(births)
    }

    /// Later frames need not carry these births.
    pub(crate) fn mark_durable(&self) {
        if let State::Alive(alive) = &self.state {
            alive.key.mark_durable();
        }
        self.named.iter().for_each(Subject::mark_durable);
    }

    /// The id of the event that a caller calls so: the same whenever it is asked for, and nothing that the text could be
    /// guessed from. Its time is the decision's own; its random bits are HMAC-SHA256 under a key that the decision's first key
    /// gives as it gives those of payloads, by an id that no payload has. `None` once that key was destroyed.
    pub(crate) fn event_id(&self, text: &str) -> Option<Id> {
        let State::Alive(Alive { key, first, .. }) = &self.state else { return None };
        let key = first.as_ref().unwrap_or(key).data_key(self.decision).ok()?;
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(key.expose()).ok()?;
        let bytes = mac.chain_update(EVENT_ID_LABEL).chain_update(text.as_bytes()).finalize().into_bytes();
        let random = bytes.first_chunk::<10>()?;
        Some(Id::new(self.decision.millis(), random))
    }
}

fn new_key(
    system: &System,
    decision: Id,
    class: &RetentionClass,
    day: u32,
    subjects: &[Subject],
) -> Result<DecisionKey, RecordError> {
    let scope = Scope { system: system.state.name.clone(), class: class.clone(), day };
    Ok(system.inner.vault.decision_key(&scope, decision, subjects)?)
}
