//! From what a caller says to what the log takes: ids, times, seals, references, entries.

use crate::recorder::door::{Door, Taken};
use crate::recorder::draft::NewEvent;
use crate::recorder::refer::{admit, take_out};
use crate::recorder::seal::Keys;
use crate::recorder::{Inner, RecordError, System};
use inferlog_log::{Append, Flags, Payloads};
use inferlog_record::body::Body;
use inferlog_record::{
    Content, ENTRY_BYTES_MAX, Entry, Event, Id, Kind, PayloadRole, Reference, RetentionClass, Timestamp,
    violations,
};
use inferlog_vault::Subject;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// What the events of one decision have in common, and what later ones need to know of earlier ones.
#[derive(Clone)]
pub(crate) struct Steps {
    pub(crate) decision: Id,
    pub(crate) class: RetentionClass,
    pub(super) keys: Keys,
    /// Each role's first content in this exchange, and the event that holds it.
    pub(super) seen: Vec<(PayloadRole, Reference, Id)>,
    last: Option<Id>,
    /// The period of use that it belongs to.
    pub(super) session: Option<Id>,
    /// Whether the decision was closed and nothing joined it since.
    is_closed: bool,
}

/// A place in what was said of a decision.
#[derive(Clone)]
pub(crate) struct Mark {
    seen: usize,
    last: Option<Id>,
    session: Option<Id>,
    is_closed: bool,
}

impl Steps {
    pub(crate) fn begin(
        system: &System,
        subjects: &[bytes::Bytes],
        class: RetentionClass,
    ) -> Result<Self, RecordError> {
        Self::begin_as(system, system.inner.minter.id()?, subjects, class)
    }

    /// The same under this id.
    pub(crate) fn begin_as(
        system: &System,
        decision: Id,
        subjects: &[bytes::Bytes],
        class: RetentionClass,
    ) -> Result<Self, RecordError> {
        let inner = &system.inner;
        let subjects: Vec<Subject> = subjects
            .iter()
            .map(|person| inner.vault.subject(&system.state.name, person))
            .collect::<Result<_, _>>()?;
        let keys = Keys::new(system, decision, &class, subjects)?;
        Ok(Self::new(decision, class, keys))
    }

    /// A decision that nothing was recorded of in this exchange.
    pub(crate) fn new(decision: Id, class: RetentionClass, keys: Keys) -> Self {
        Self { decision, class, keys, seen: Vec::new(), last: None, session: None, is_closed: false }
    }

    /// A decision that was begun before this process was.
    pub(crate) fn resumed(
        decision: Id,
        class: RetentionClass,
        keys: Keys,
        last: Option<Id>,
        is_closed: bool,
    ) -> Self {
        Self { last, is_closed, ..Self::new(decision, class, keys) }
    }

    /// The same in this period of use.
    pub(crate) fn in_session(self, session: Option<Id>) -> Self {
        Self { session, ..self }
    }

    /// The same decision for another exchange: what one recorded, the other does not refer to.
    pub(crate) fn fork(&self) -> Self {
        let (class, keys) = (self.class.clone(), self.keys.clone());
        let (last, session, is_closed) = (self.last, self.session, self.is_closed);
        Self { last, session, is_closed, ..Self::new(self.decision, class, keys) }
    }

    /// Goes on after what another exchange of the decision recorded.
    pub(crate) fn follow(&mut self, other: &Self) {
        self.last = other.last.or(self.last);
        self.session = other.session.or(self.session);
        self.is_closed = other.is_closed;
        self.keys = other.keys.clone();
    }

    /// Where it is now.
    pub(crate) fn mark(&self) -> Mark {
        Mark { seen: self.seen.len(), last: self.last, session: self.session, is_closed: self.is_closed }
    }

    /// Forgets what was said since: it was refused.
    pub(crate) fn go_back(&mut self, to: &Mark) {
        self.seen.truncate(to.seen);
        (self.last, self.session, self.is_closed) = (to.last, to.session, to.is_closed);
    }

    /// Does not go on after what another exchange said and the log refused. Where that was the opening of the decision, there
    /// is nothing to go on with.
    pub(crate) fn lack(&mut self, other: &Self, before: Option<&Mark>) {
        match before {
            Some(before) if self.last == other.last => {
                (self.last, self.session, self.is_closed) = (before.last, before.session, before.is_closed);
            }
            Some(_) => {}
            None => self.is_closed = true,
        }
    }

    /// Events recorded from now on come after this one.
    pub(crate) fn set_last(&mut self, last: Id) {
        self.last = Some(last);
    }

    /// Whether the decision was closed and nothing joined it since.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// What its payloads are sealed under.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Later frames need not carry the births of the keys in use.
    pub(crate) fn mark_durable(&self) {
        self.keys.mark_durable();
    }
}

/// Makes the appends for some events of a decision, to be submitted together. The caller holds the gate from before this
/// call until they are submitted: no erasure may come between a seal and its place in the log's order.
pub(crate) fn decision_appends(
    system: &System,
    steps: &mut Steps,
    events: Vec<NewEvent>,
) -> Result<Vec<Append>, RecordError> {
    appends(system, steps, Some(steps.decision), events)
}

/// Makes the appends for an event of the system's life that has content, sealed under the keys of `steps`, which are of this
/// event alone. The caller holds the gate, as for [`decision_appends`].
pub(crate) fn sealed_life_appends(
    system: &System,
    steps: &mut Steps,
    event: NewEvent,
) -> Result<Vec<Append>, RecordError> {
    appends(system, steps, None, vec![event])
}

fn appends(
    system: &System,
    steps: &mut Steps,
    decision: Option<Id>,
    events: Vec<NewEvent>,
) -> Result<Vec<Append>, RecordError> {
    let now = system.inner.minter.now();
    let seals = events.iter().any(|event| !event.is_bare());
    steps.keys.prepare(system, &steps.class, now.day(), seals)?;
    let mut sealed = Vec::new();
    let door = system.door()?;
    let events: Vec<Event> = events
        .into_iter()
        .map(|event| record(system, door.as_deref(), steps, (now, event), &mut sealed))
        .collect::<Result<_, _>>()?;
    let flags = flags(&events);
    let entry = Entry::new(decision, events);
    let mut appends = split(entry, sealed, &steps.class, now)?;
    if let Some(first) = appends.first_mut() {
        first.births = steps.keys.births(&system.inner)?;
        first.flags = first.flags.and(flags.0);
    }
    if let Some(last) = appends.last_mut() {
        last.flags = last.flags.and(flags.1);
    }
    Ok(appends)
}

/// Makes the append for one event of the system's life. It has no payloads.
pub(crate) fn life_append(inner: &Inner, event: Event, flags: Flags) -> Result<Append, RecordError> {
    check(inner, &event);
    let (now, class) = (event.logged_at, event.retention.clone());
    let entry = Entry::new(None, vec![event]).to_bytes()?;
    Ok(Append {
        entry,
        logged_at_ns: now.nanos(),
        flags,
        class: class.as_str().to_owned(),
        ..Append::default()
    })
}

/// Makes the append for one event of a decision that this process did not begin. It has no payloads, and may use the room
/// that is kept for ends.
pub(crate) fn bare_append(inner: &Inner, decision: Id, event: Event) -> Result<Append, RecordError> {
    check(inner, &event);
    let (now, class) = (event.logged_at, event.retention.as_str().to_owned());
    let flags = flags(std::slice::from_ref(&event)).1.and(Flags::RESERVED);
    let entry = Entry::new(Some(decision), vec![event]).to_bytes()?;
    let decision = decision.into_bytes();
    Ok(Append { entry, decision, logged_at_ns: now.nanos(), flags, class, ..Append::default() })
}

/// What the first entry of a write does to the table of open decisions, and what the last.
fn flags(events: &[Event]) -> (Flags, Flags) {
    let has = |kind| events.iter().any(|event| event.kind() == Some(kind));
    let opens =
        if has(Kind::DecisionOpened) || has(Kind::DecisionJoined) { Flags::OPENS } else { Flags::NONE };
    let closes = if has(Kind::DecisionClosed) { Flags::CLOSES } else { Flags::NONE };
    (opens, closes)
}

fn record(
    system: &System,
    door: Option<&Door>,
    steps: &mut Steps,
    (now, new): (Timestamp, NewEvent),
    sealed: &mut Vec<(Id, Vec<u8>)>,
) -> Result<Event, RecordError> {
    let inner = &system.inner;
    let id = new.id.map_or_else(|| inner.minter.id(), Ok)?;
    let mut event = Event::new(id, system.state.name.clone(), now, new.body);
    event.after = if new.after.is_empty() { steps.last.into_iter().collect() } else { new.after.into() };
    event.capture = new.capture;
    event.clock = *system.state.clock.lock();
    event.started_at = new.started_at;
    event.ended_at = new.ended_at;
    event.parent = new.parent;
    event.seq = new.seq;
    event.session = new.session.or(steps.session);
    steps.session = steps.session.or(new.session);
    event.retention = steps.class.clone();
    event.subjects = steps.keys.pseudonyms().to_vec().into();
    if let Some(person) = new.reviewer {
        match &mut event.body {
            Body::Human(human) => human.reviewer = Some(steps.keys.name(system, &person)?),
            Body::Access(access) => access.actor = Some(steps.keys.name(system, &person)?),
            Body::Clock(clock) => clock.by = Some(steps.keys.name(system, &person)?),
            Body::RiskAccepted(accepted) => accepted.by = Some(steps.keys.name(system, &person)?),
            Body::Erasure(erasure) => erasure.by = Some(steps.keys.name(system, &person)?),
            Body::HoldPlaced(placed) => placed.by = Some(steps.keys.name(system, &person)?),
            Body::HoldReleased(released) => released.by = Some(steps.keys.name(system, &person)?),
            Body::Incident(incident) => incident.by = Some(steps.keys.name(system, &person)?),
            Body::Sampling(sampling) => sampling.approver = Some(steps.keys.name(system, &person)?),
            _ => {}
        }
    }
    if let Body::BiometricMatch(found) = &mut event.body {
        let named = new.verifiers.iter().map(|person| steps.keys.name(system, person));
        found.verifiers = named.collect::<Result<Vec<_>, _>>()?.into();
    }
    if event.kind() == Some(Kind::DecisionOpened) {
        event.role = Some(inner.config.role);
        event.purposes = inner.config.purposes.clone().into();
        event.sampling = Some(system.sampling_id().unwrap_or_else(|| inner.config.sampling.clone()));
    }
    let mut taken = Taken::default();
    for payload in new.payloads {
        let reference = admit(system, door, &mut taken, steps, (event.id, payload), sealed)?;
        let is_first =
            |(role, _, holder): &(PayloadRole, Reference, Id)| *role == reference.role && *holder == event.id;
        if !steps.seen.iter().any(is_first) {
            steps.seen.push((reference.role, reference, event.id));
        }
        event.payloads.push(reference);
    }
    take_out(system, &mut taken, steps, &mut event, sealed)?;
    system.check_kept(&event)?;
    steps.last = Some(event.id);
    match event.kind() {
        Some(Kind::DecisionClosed) => steps.is_closed = true,
        Some(Kind::DecisionJoined) => steps.is_closed = false,
        _ => {}
    }
    check(inner, &event);
    Ok(event)
}

/// The entries of one write, each with the payloads that it refers to.
fn split(
    entry: Entry,
    sealed: Vec<(Id, Vec<u8>)>,
    class: &RetentionClass,
    now: Timestamp,
) -> Result<Vec<Append>, RecordError> {
    let decision = entry.decision.map(Id::into_bytes).unwrap_or_default();
    let append = |entry: Vec<u8>, payloads: Payloads| Append {
        entry,
        decision,
        logged_at_ns: now.nanos(),
        class: class.as_str().to_owned(),
        payloads,
        ..Append::default()
    };
    let bytes = entry.to_bytes()?;
    if bytes.len() <= ENTRY_BYTES_MAX {
        return Ok(vec![append(bytes, records(sealed.iter()))]);
    }
    let mut appends = Vec::new();
    let mut left: HashMap<Id, Vec<u8>> = sealed.into_iter().collect();
    for part in entry.into_parts()? {
        let references = part.events.iter().flat_map(|event| &event.payloads);
        let ids = references.filter(|reference| is_sealed(reference)).map(|reference| reference.payload);
        let held: Vec<_> = ids.filter_map(|id| left.remove_entry(&id)).collect();
        appends.push(append(part.to_bytes()?, records(held.iter())));
    }
    Ok(appends)
}

fn is_sealed(reference: &Reference) -> bool {
    matches!(reference.content, Content::Sealed(_))
}

fn records<'a>(sealed: impl Iterator<Item = &'a (Id, Vec<u8>)>) -> Payloads {
    let mut payloads = Payloads::default();
    sealed.for_each(|(id, bytes)| payloads.push(id.into_bytes(), bytes));
    payloads
}

/// Counts what an event lacks of inferlog's profile. It is recorded all the same: a record with a gap is worth more than none.
fn check(inner: &Inner, event: &Event) {
    let found = violations(event, inferlog_record::Level::Required);
    if found.is_empty() {
        return;
    }
    let before = inner.violations.fetch_add(found.len() as u64, Ordering::Relaxed);
    if before == 0 {
        let first = found[0].to_string();
        tracing::warn!(
            first,
            "an event lacks what the profile asks for; further ones are counted, not reported"
        );
    }
}
