//! Events before they are recorded: what a caller says of them. The Recorder adds ids, times and seals.

use bytes::Bytes;
use inferlog_record::body::{Body, DecisionOpened};
use inferlog_record::{Capture, Completeness, Count, DataClass, Id, MediaType, PayloadRole, Timestamp, Why};

/// A decision that begins.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// Identifiers of the natural persons concerned, as the caller knows them. The log sees pseudonyms only.
    pub subjects: Vec<Bytes>,
    /// What is said of the opening.
    pub opened: NewEvent,
    /// What the request says of steps that came before it: of tools that were called, say.
    pub more: Vec<NewEvent>,
    /// Whether further exchanges may join it: then it is recorded in any case, whatever a policy samples.
    pub may_be_joined: bool,
}

/// An event to be recorded.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id, where others refer to it before it is recorded ([`crate::recorder::System::mint`]); minted otherwise.
    pub id: Option<Id>,
    /// What it says, in clear.
    pub body: Body,
    /// Content it speaks of, to be sealed.
    pub payloads: Vec<NewPayload>,
    /// Identifier of the person who acted, in a `human`, `access` or `risk.accepted` event, as the caller knows them. The log sees a
    /// pseudonym only.
    pub reviewer: Option<Bytes>,
    /// Identifiers of the persons who verified a `biometric.match`, as the caller knows them. The log sees pseudonyms only.
    pub verifiers: Vec<Bytes>,
    /// How it was captured.
    pub capture: Option<Capture>,
    /// When the step began.
    pub started_at: Option<Timestamp>,
    /// When the step ended.
    pub ended_at: Option<Timestamp>,
    /// Events that caused it; the one recorded before it in the same exchange, if none is named.
    pub after: Vec<Id>,
    /// The event that it is a part of.
    pub parent: Option<Id>,
    /// Its place among the events of its source.
    pub seq: Option<Count>,
    /// The period of use; that of its decision, if none is named.
    pub session: Option<Id>,
}

/// Content of an event.
#[derive(Clone, Debug)]
pub struct NewPayload {
    /// Its id, where its event names it; minted otherwise.
    pub id: Option<Id>,
    /// What it is to the event.
    pub role: PayloadRole,
    /// The content.
    pub content: NewContent,
}

/// Content, or where it is, or why it is not there.
#[derive(Clone, Debug)]
pub enum NewContent {
    /// To be sealed.
    Sealed {
        /// Its form.
        media_type: MediaType,
        /// Its class; never [`DataClass::Shared`].
        class: DataClass,
        /// The bytes.
        bytes: Bytes,
    },
    /// The content that this exchange recorded first under the role; not stored again.
    Again(PayloadRole),
    /// Not there.
    Absent(Why),
}

impl NewDecision {
    /// A decision about nobody in particular.
    pub fn new(opened: impl Into<NewEvent>) -> Self {
        let (subjects, more) = (Vec::new(), Vec::new());
        Self { subjects, opened: opened.into(), more, may_be_joined: false }
    }
}

impl NewEvent {
    /// An event that says no more than its body.
    pub fn new(body: impl Into<Body>) -> Self {
        Self {
            id: None,
            body: body.into(),
            payloads: Vec::new(),
            reviewer: None,
            verifiers: Vec::new(),
            capture: None,
            started_at: None,
            ended_at: None,
            after: Vec::new(),
            parent: None,
            seq: None,
            session: None,
        }
    }

    /// Adds a payload.
    pub fn with(mut self, role: PayloadRole, content: NewContent) -> Self {
        self.payloads.push(NewPayload { id: None, role, content });
        self
    }

    /// Adds a payload that the event names by this id.
    pub fn with_id(mut self, id: Id, role: PayloadRole, content: NewContent) -> Self {
        self.payloads.push(NewPayload { id: Some(id), role, content });
        self
    }

    /// Whether it has no content to be sealed.
    pub(crate) fn is_bare(&self) -> bool {
        !self.payloads.iter().any(|payload| matches!(payload.content, NewContent::Sealed { .. }))
    }

    /// Bytes that sealing has to work on.
    pub(crate) fn bytes(&self) -> usize {
        let content = self.payloads.iter().map(|payload| match &payload.content {
            NewContent::Sealed { bytes, .. } => bytes.len(),
            NewContent::Again(_) | NewContent::Absent(_) => 0,
        });
        content.sum()
    }
}

/// What is left of events that end a decision, or an exchange of it, without their content: that there was no room for it
/// stands in its place. What says nothing without its content is left out.
pub fn bare(events: &[NewEvent]) -> Vec<NewEvent> {
    let ends = |event: &&NewEvent| {
        matches!(event.body, Body::Inference(_) | Body::Output(_) | Body::DecisionClosed(_))
            || matches!(&event.body, Body::Delivery(body) if body.end.is_some())
    };
    events.iter().filter(ends).map(|event| event.without_content(Why::NotStored)).collect()
}

impl NewEvent {
    /// The same without its content, for this reason.
    pub(crate) fn without_content(&self, why: Why) -> Self {
        let mut event = self.clone();
        for payload in event.payloads.iter_mut() {
            if let NewContent::Sealed { .. } = payload.content {
                payload.content = NewContent::Absent(why);
            }
        }
        if let Some(capture) = event.capture.as_mut().filter(|_| !self.is_bare()) {
            capture.completeness = Completeness::EventOnly;
        }
        event
    }
}

impl From<DecisionOpened> for NewEvent {
    fn from(body: DecisionOpened) -> Self {
        Self::new(body)
    }
}

impl NewContent {
    /// Content that may be about a person, which is what is to be assumed of all that is not known.
    pub fn personal(media_type: MediaType, bytes: impl Into<Bytes>) -> Self {
        Self::Sealed { media_type, class: DataClass::Personal, bytes: bytes.into() }
    }
}
