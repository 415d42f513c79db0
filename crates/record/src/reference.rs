//! Payload references: what an entry holds in a payload's place (format.md, section 4).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::member::{FieldType, Member, members};
use crate::{Count, DataClass, Digest, Encoding, Id, KeyId, MediaType, PayloadRole, Reason, State, Why};

/// Stands for content that the entry does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ReferenceFields", into = "ReferenceFields")]
pub struct Reference {
    /// The payload's own id.
    pub payload: Id,
    /// What the content is to the event.
    pub role: PayloadRole,
    /// The content, or why it is not there.
    pub content: Content,
}

/// What is known of a payload's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Sealed under the decision's key.
    Sealed(Sealed),
    /// Declared shared: content-addressed and stored once.
    Shared(Shared),
    /// First recorded by this other event of the same decision.
    First(Id, State),
    /// Not there.
    Absent(Absent),
}

/// A sealed payload (format.md, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Personal or pseudonymous; never shared.
    pub class: DataClass,
    /// From a fixed list.
    pub media_type: MediaType,
    /// What was done before sealing.
    pub encoding: Encoding,
    /// Length of the sealed plaintext: the bucket, bytes.
    pub size: u64,
    /// The decision's key.
    pub key_id: KeyId,
    /// Binds the content, reveals nothing once its key is gone.
    pub commitment: Digest,
    /// SHA-256 of the sealed bytes.
    pub sealed: Digest,
}

/// A shared payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// From a fixed list.
    pub media_type: MediaType,
    /// How it is stored.
    pub encoding: Encoding,
    /// Length of the content, bytes.
    pub size: u64,
    /// SHA-256 of the content.
    pub sha256: Digest,
}

/// A payload that is not there, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// Never `State::Present`.
    pub state: State,
    /// Why.
    pub reason: Reason,
}

impl Reference {
    /// A payload that was not captured.
    pub fn not_captured(payload: Id, role: PayloadRole, reason: Reason) -> Reference {
        Reference { payload, role, content: Content::Absent(Absent { state: State::NotCaptured, reason }) }
    }

    /// A payload of a late event, whose keys the erasure event `order` had destroyed before it came.
    pub fn erased(payload: Id, role: PayloadRole, order: Id) -> Reference {
        let absent = Absent { state: State::Erased, reason: Reason::ErasedByOrder(order) };
        Reference { payload, role, content: Content::Absent(absent) }
    }

    /// A payload that a redaction rule left out whole.
    pub fn redacted(payload: Id, role: PayloadRole) -> Reference {
        let reason = Why::RedactedByPolicy.into();
        Reference { payload, role, content: Content::Absent(Absent { state: State::Redacted, reason }) }
    }

    /// This content again, in another event of the same decision; `first` is the event that recorded it.
    pub fn again(&self, role: PayloadRole, first: Id) -> Reference {
        let content = match self.content {
            Content::First(first, state) => Content::First(first, state),
            _ => Content::First(first, self.state()),
        };
        Reference { payload: self.payload, role, content }
    }

    /// The state that the reference says.
    pub fn state(&self) -> State {
        match self.content {
            Content::Sealed(_) | Content::Shared(_) => State::Present,
            Content::First(_, state) => state,
            Content::Absent(absent) => absent.state,
        }
    }
}

impl Member for Reference {
    const TYPE: FieldType = FieldType::Reference;
}

members! {
    /// A reference as it stands in the entry.
    pub struct ReferenceFields {
        /// Of what kind the content is.
        class: Option<DataClass> => R "GDPR 5(1)(c)" "C" when "the content is recorded here";
        /// HMAC-SHA256 that binds the content (format.md, section 5).
        commitment: Option<Digest> => R "12(2)(a)" "P" when "sealed";
        /// What was done before sealing.
        encoding: Option<Encoding> => R "12(2)(a)" "P" when "the content is recorded here";
        /// The event of the same decision that first recorded the content.
        first: Option<Id> => R "12(2)(a)" "P" when "recorded by an earlier event";
        /// The decision's key.
        key_id: Option<KeyId> => R "GDPR 17" "P" when "sealed";
        /// From a fixed list.
        media_type: Option<MediaType> => R "12(2)(a)" "O A N S" when "the content is recorded here";
        /// The payload's own id.
        payload: Id => R "12(2)(a)" "P";
        /// Why the content is not there.
        reason: Option<Reason> => R "12(1)" "P" when "the state is not present";
        /// What the content is to the event.
        role: PayloadRole => R "12(2)(a)" "P";
        /// SHA-256 of the sealed bytes, as the pack holds them.
        sealed: Option<Digest> => R "12(2)(a)" "P" when "sealed";
        /// SHA-256 of shared content.
        sha256: Option<Digest> => R "12(2)(a)" "C" when "shared";
        /// Length in bytes: of the sealed plaintext (the bucket), or of the shared content.
        size: Option<Count> => R "12(2)(a)" "P" when "the content is recorded here";
        /// Whether the content is there.
        state: State => R "12(1)" "P";
    }
}

/// A reference whose members do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("reference to payload {payload}: {problem}")]
pub struct ReferenceError {
    /// The payload.
    pub payload: Id,
    /// What does not fit.
    pub problem: &'static str,
}

impl From<Reference> for ReferenceFields {
    fn from(reference: Reference) -> ReferenceFields {
        let Reference { payload, role, content } = reference;
        let bare = ReferenceFields {
            class: None,
            commitment: None,
            encoding: None,
            first: None,
            key_id: None,
            media_type: None,
            payload,
            reason: None,
            role,
            sealed: None,
            sha256: None,
            size: None,
            state: State::Present,
        };
        match content {
            Content::Sealed(content) => ReferenceFields {
                class: Some(content.class),
                commitment: Some(content.commitment),
                encoding: Some(content.encoding),
                key_id: Some(content.key_id),
                media_type: Some(content.media_type),
                sealed: Some(content.sealed),
                size: Some(Count(content.size)),
                ..bare
            },
            Content::Shared(content) => ReferenceFields {
                class: Some(DataClass::Shared),
                encoding: Some(content.encoding),
                media_type: Some(content.media_type),
                sha256: Some(content.sha256),
                size: Some(Count(content.size)),
                ..bare
            },
            Content::First(first, state) => ReferenceFields { first: Some(first), state, ..bare },
            Content::Absent(Absent { state, reason }) => {
                ReferenceFields { state, reason: Some(reason), ..bare }
            }
        }
    }
}

impl TryFrom<ReferenceFields> for Reference {
    type Error = ReferenceError;

    fn try_from(fields: ReferenceFields) -> Result<Reference, ReferenceError> {
        let ReferenceFields { payload, role, .. } = fields;
        let content = content(&fields).map_err(|problem| ReferenceError { payload, problem })?;
        Ok(Reference { payload, role, content })
    }
}

fn content(fields: &ReferenceFields) -> Result<Content, &'static str> {
    if let Some(first) = fields.first {
        let bare = ReferenceFields::from(Reference {
            payload: fields.payload,
            role: fields.role,
            content: Content::First(first, fields.state),
        });
        let fits = bare == *fields;
        return fits
            .then_some(Content::First(first, fields.state))
            .ok_or("beside first stand only payload, role and state");
    }
    match (fields.state, fields.reason) {
        (State::Present, None) => present(fields),
        (State::Present, Some(_)) => Err("a payload that is present has no reason"),
        (_, None) => Err("a payload that is not present needs a reason"),
        (state, Some(reason)) => absent(fields, Absent { state, reason }),
    }
}

fn present(fields: &ReferenceFields) -> Result<Content, &'static str> {
    let class = fields.class.ok_or("class is missing")?;
    let media_type = fields.media_type.ok_or("media_type is missing")?;
    let encoding = fields.encoding.ok_or("encoding is missing")?;
    let size = fields.size.ok_or("size is missing")?.0;
    let secrets = (fields.key_id, fields.commitment, fields.sealed);
    match (class, secrets, fields.sha256) {
        (DataClass::Shared, (None, None, None), Some(sha256)) => {
            Ok(Content::Shared(Shared { media_type, encoding, size, sha256 }))
        }
        (DataClass::Shared, ..) => {
            Err("shared content has sha256, and neither key_id, commitment nor sealed")
        }
        (_, (Some(key_id), Some(commitment), Some(sealed)), None) => {
            Ok(Content::Sealed(Sealed { class, media_type, encoding, size, key_id, commitment, sealed }))
        }
        _ => Err("sealed content has key_id, commitment and sealed, and no sha256"),
    }
}

fn absent(fields: &ReferenceFields, absent: Absent) -> Result<Content, &'static str> {
    let content = Content::Absent(absent);
    let bare = ReferenceFields::from(Reference { payload: fields.payload, role: fields.role, content });
    if bare != *fields {
        return Err("a payload that is not there has only payload, reason, role and state");
    }
    match (absent.state, absent.reason) {
        (State::Erased, Reason::ErasedByOrder(_)) | (State::Purged, Reason::PurgedByPolicy(_)) => Ok(content),
        (State::Erased, _) => Err("state erased needs the erasure event as its reason"),
        (State::Purged, _) => Err("state purged needs the purge event as its reason"),
        (_, Reason::Because(_)) => Ok(content),
        _ => Err("this reason goes with state erased or purged only"),
    }
}
