//! The event: what is common to all kinds.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::body::Body;
use crate::level::R;
use crate::member::{FieldDoc, List, Member, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Id, Kind, Pseudonym, Reference, RetentionClass, SystemName, Timestamp};

members! {
    @ [] cfg(all());
    /// One step of a decision, or of the system's life.
    pub struct Event {
        /// Events that came before it by cause, not only by time.
        after: List<Id> => R "12(2)(a)" "T S P" when "another event of the decision caused it";
        /// What it says, by its kind.
        body: Body => R "12(2)(a)" "O A N T P S";
        /// How it was captured.
        capture: Option<Capture> => R "12(2)" "P" when "a step of a decision";
        /// The latest `clock` event.
        clock: Option<Id> => R "profile" "P" when "there is one";
        /// When the step ended.
        ended_at: Option<Timestamp> => R "12(1), 12(3)(a)" "P" when "the step took time, or ended the decision or session";
        /// The event's own id.
        id: Id => R "12(1)" "P";
        /// When the Recorder took it.
        logged_at: Timestamp => R "12(1)" "P";
        /// The event that it is a part of.
        parent: Option<Id> => R "12(2)(a)" "T S P" when "it is a part of another event";
        /// Content that the event speaks of but does not hold.
        payloads: Vec<Reference> => R "12(2)(a)" "O A N T S" when "it speaks of content";
        /// Which purposes of Article 12(2) the record serves.
        purposes: List<Purpose> => R "12(2), 26" "C" when "the kind is decision.opened or recorder.started, whose word holds for what follows";
        /// What was taken out of its payloads before they were sealed.
        redactions: List<Redaction> => R "GDPR 5(1)(c), 25" "P" when "something was taken out";
        /// The retention class.
        retention: RetentionClass => R "18, 19, 26(6)" "C";
        /// What the organisation is to the system.
        role: Option<Role> => R "12(2), 26" "C" when "the kind is decision.opened or recorder.started, whose word holds for what follows";
        /// The sampling policy in force.
        sampling: Option<ClearName> => R "12(1)" "C" when "a sampling policy is configured";
        /// Its place among the events of its source.
        seq: Option<Count> => R "12(2)(a)" "T S P" when "its source numbers them";
        /// The period of use, minted by inferlog.
        session: Option<Id> => R "12(2)(a), 12(3)(a)" "T S P" when "it belongs to one";
        /// When the step began.
        started_at: Option<Timestamp> => R "12(1), 12(3)(a)" "P" when "the step took time, or began the decision or session";
        /// The natural persons that its payloads are about.
        subjects: List<Pseudonym> => r "86; GDPR 15, 17" "S C";
        /// The system.
        system: SystemName => R "12(2), 26" "C";
    }
}

/// The row of the member `kind`, which `body` decides.
pub(crate) const KIND: FieldDoc = FieldDoc {
    name: "kind",
    doc: "Which kind of event it is.",
    r#type: <Kind as Member>::TYPE,
    optional: false,
    level: R,
    when: None,
    serves: "12(1)",
    source: "P",
};

members! {
    /// How an event was captured.
    pub struct Capture {
        /// The adapter that understood the wire.
        adapter: ClearName => R "12(2)" "P";
        /// The adapter's version.
        adapter_version: ClearName => R "12(2)" "P";
        /// Bytes that were seen and not recorded.
        bytes_dropped: Count => R "12(2)" "P";
        /// Whether everything visible was recorded.
        completeness: Completeness => R "12(2)" "P";
        /// The way in.
        method: CaptureMethod => R "12(2)" "P";
    }
}

members! {
    /// What a rule of the policy did to the payloads of an event.
    pub struct Redaction {
        /// What was done.
        action: RedactionAction => R "GDPR 5(1)(c), 25" "P";
        /// How many times.
        count: Count => R "GDPR 5(1)(c), 25" "P";
        /// The detector, or the rule for a field, as the policy names it.
        rule: ClearName => R "GDPR 5(1)(c), 25" "C";
    }
}

text_enum! {
    /// What is done to content at the door.
    pub enum RedactionAction {
        /// A mark stands in its place; it is kept nowhere.
        Redacted = "redacted",
        /// A mark stands in its place; it is a payload of its own, of the role `split`.
        Split = "split",
        /// The field is left out.
        Dropped = "dropped",
    }
}

text_enum! {
    /// The way in.
    pub enum CaptureMethod {
        /// The gateway in front of the model server.
        Gateway = "gateway",
        /// The tower layer inside the application.
        Layer = "layer",
        /// An SDK or the REST API.
        Sdk = "sdk",
        /// OpenTelemetry.
        Otlp = "otlp",
        /// Brought in from another's record, CloudEvents included.
        Import = "import",
    }
}

text_enum! {
    /// Whether everything visible was recorded.
    pub enum Completeness {
        /// Everything.
        Complete = "complete",
        /// Some of it; the references say what is not there.
        Partial = "partial",
        /// Only that it happened.
        EventOnly = "event_only",
    }
}

text_enum! {
    /// A purpose of Article 12(2).
    pub enum Purpose {
        /// Identifying situations that may present a risk, or a substantial modification.
        A = "a",
        /// Facilitating the post-market monitoring.
        B = "b",
        /// Monitoring the operation.
        C = "c",
    }
}

text_enum! {
    /// What the organisation is to the system.
    pub enum Role {
        /// It provides the system.
        Provider = "provider",
        /// It uses the system.
        Deployer = "deployer",
    }
}

impl Event {
    /// An event with the required fields; the others are empty.
    pub fn new(id: Id, system: SystemName, logged_at: Timestamp, body: impl Into<Body>) -> Event {
        Event {
            after: List::default(),
            body: body.into(),
            capture: None,
            clock: None,
            ended_at: None,
            id,
            logged_at,
            parent: None,
            payloads: Vec::new(),
            purposes: List::default(),
            redactions: List::default(),
            retention: RetentionClass::default(),
            role: None,
            sampling: None,
            seq: None,
            session: None,
            started_at: None,
            subjects: List::default(),
            system,
        }
    }

    /// The kind; `None` if this version does not know it.
    pub fn kind(&self) -> Option<Kind> {
        self.body.kind()
    }

    /// What is needed to continue the event in another entry, without payloads.
    pub(crate) fn rest(&self, kind: Kind) -> Event {
        let mut rest = Event::new(self.id, self.system.clone(), self.logged_at, Body::Rest(kind));
        rest.retention = self.retention.clone();
        rest
    }
}

impl Serialize for Event {
    // Members in the order of RFC 8785, section 3.2.3.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Event", 20)?;
        macro_rules! unless_absent {
            ($($field:ident)*) => {
                $(if !self.$field.absent() { json.serialize_field(stringify!($field), &self.$field)?; })*
            };
        }
        unless_absent!(after);
        if !matches!(self.body, Body::Rest(_)) {
            json.serialize_field("body", &self.body)?;
        }
        unless_absent!(capture clock ended_at);
        json.serialize_field("id", &self.id)?;
        json.serialize_field("kind", self.body.kind_text())?;
        json.serialize_field("logged_at", &self.logged_at)?;
        unless_absent!(parent);
        if !self.payloads.is_empty() {
            json.serialize_field("payloads", &self.payloads)?;
        }
        unless_absent!(purposes redactions);
        json.serialize_field("retention", &self.retention)?;
        unless_absent!(role sampling seq session started_at subjects);
        json.serialize_field("system", &self.system)?;
        json.end()
    }
}

/// The event as it is read: the body waits until the kind is known.
#[derive(Deserialize)]
struct Wire<'a> {
    after: List<Id>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    capture: Option<Capture>,
    clock: Option<Id>,
    ended_at: Option<Timestamp>,
    id: Id,
    kind: String,
    logged_at: Timestamp,
    parent: Option<Id>,
    payloads: List<Reference>,
    purposes: List<Purpose>,
    redactions: List<Redaction>,
    retention: RetentionClass,
    role: Option<Role>,
    sampling: Option<ClearName>,
    seq: Option<Count>,
    session: Option<Id>,
    started_at: Option<Timestamp>,
    subjects: List<Pseudonym>,
    system: SystemName,
}

/// Reads an event from JSON text; not from a `serde_json::Value`, which has no text to borrow.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Event, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let body = Body::read(&wire.kind, wire.body)
            .map_err(|error| serde::de::Error::custom(format_args!("body of {}: {error}", wire.kind)))?;
        Ok(Event {
            after: wire.after,
            body,
            capture: wire.capture,
            clock: wire.clock,
            ended_at: wire.ended_at,
            id: wire.id,
            logged_at: wire.logged_at,
            parent: wire.parent,
            payloads: wire.payloads.0,
            purposes: wire.purposes,
            redactions: wire.redactions,
            retention: wire.retention,
            role: wire.role,
            sampling: wire.sampling,
            seq: wire.seq,
            session: wire.session,
            started_at: wire.started_at,
            subjects: wire.subjects,
            system: wire.system,
        })
    }
}
