//! What a policy says.

use inferlog_detect::Kind;
use inferlog_record::{ClearName, DataClass, Millionths, PayloadRole, RetentionClass, SystemName};

use crate::Period;

/// The policy of one system, as its file says it. `sha256` of the file's bytes identifies it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The system.
    pub system: SystemName,
    /// Its version, which the organisation chooses; each is registered once.
    pub version: ClearName,
    /// What the system is: what the law asks of it follows.
    pub profile: Profile,
    /// Retention classes, at least one. The first is that of decisions which no other class names.
    pub classes: Vec<Retention>,
    /// What becomes of single fields and payloads, the first that fits.
    pub capture: Vec<CaptureRule>,
    /// Detectors that run over all text that no rule of `capture` decides.
    pub detectors: Vec<DetectorRule>,
    /// What becomes of content that detectors apply to and cannot read.
    pub unreadable: Unreadable,
    /// Roles whose content may stand in clear in an index; empty: none.
    pub clear_content: Vec<PayloadRole>,
    /// What becomes of answers that cannot be recorded, where a route does not say; a route may be stricter, never laxer.
    pub failure: Option<Failure>,
    /// Prices of storage, of a gigabyte (10^9 bytes) and month, by tier; and of tokens by model.
    pub prices: Vec<Price>,
    /// Which decisions are recorded; all, if `None`.
    pub sampling: Option<Sample>,
}

/// What the system is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// High-risk: Articles 12, 19 and 26(6) ask for its logs.
    #[default]
    HighRisk,
    /// Remote biometric identification (Annex III, point 1(a)): Article 12(3) too.
    Biometric,
    /// Not high-risk: the Act asks for no logs.
    Other,
}

/// How long records of a class are kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The class, as events name it.
    pub class: RetentionClass,
    /// Routes whose decisions are of this class; of the first class, all that no other names.
    pub routes: Vec<ClearName>,
    /// Never removed before.
    pub floor: Period,
    /// Removed from then on.
    pub target: Period,
    /// Removed by then, or it is reported.
    pub ceiling: Option<Period>,
    /// The law behind it, in the organisation's words.
    pub legal_basis: String,
    /// Whether a person's request may erase before the floor (Article 17(3)(b) GDPR).
    pub erasure: Erasable,
    /// Who answers for a floor below the legal one, and why; recorded with the policy.
    pub below_legal_floor: Option<String>,
}

/// Whether content may be erased on request before its class's floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Erasable {
    /// Always; a hold withholds all the same.
    #[default]
    Always,
    /// Not before the floor: a legal duty withholds it until then.
    AfterFloor,
}

/// What becomes of a field or a payload.
#[derive(Clone, Debug)]
pub struct CaptureRule {
    /// The rule's name: stands in the record beside its count.
    pub name: ClearName,
    /// Payloads of this role; of all, if `None`.
    pub role: Option<PayloadRole>,
    /// The JSON pointer (RFC 6901) of the field, `*` for every item of an array or member of an object; the whole payload, if `None`.
    pub pointer: Option<String>,
    /// What becomes of it.
    pub action: FieldAction,
}

/// What becomes of a field or a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldAction {
    /// Kept in its place and sealed; of this class.
    Keep(DataClass),
    /// A payload of its own, of this class; a mark stands in its place.
    Split(DataClass),
    /// Left out; a mark stands in its place.
    Drop,
}

/// What becomes of an answer that cannot be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failure {
    /// No record, no answer.
    #[default]
    Block,
    /// It is given, counted, and the count recorded as a gap.
    Degrade,
}

/// A detector, and what becomes of what it finds.
#[derive(Clone, Debug)]
pub struct DetectorRule {
    /// Its name: stands in the record beside its count, and in the mark.
    pub name: ClearName,
    /// What it looks for.
    pub kind: Kind,
    /// Payloads of these roles; of all, if empty.
    pub roles: Vec<PayloadRole>,
    /// What becomes of it: never [`FieldAction::Keep`].
    pub action: FieldAction,
}

/// What becomes of content that detectors apply to and cannot read: pictures, sound, tensors, protobuf, what is no UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreadable {
    /// Sealed as it is.
    #[default]
    Keep,
    /// Left out whole.
    Drop,
}

/// A price, in a currency (ISO 4217).
#[derive(Clone, Debug)]
pub enum Price {
    /// Of a gigabyte (10^9 bytes) kept for a month.
    Storage {
        /// Three capital letters.
        currency: String,
        /// Of a gigabyte and month.
        gigabyte_month: f64,
    },
    /// Of a model's tokens, as `inferlog stats --prices` takes it.
    Tokens {
        /// The model's name; with a `*` at its end, every name that begins so.
        model: String,
        /// From when, nanoseconds since 1970; zero for ever.
        from_ns: u64,
        /// Three capital letters.
        currency: String,
        /// Of a million tokens read.
        input: f64,
        /// Of a million tokens written.
        output: f64,
        /// Of a million tokens read from a cache; as `input`, if `None`.
        cached: Option<f64>,
    },
}

/// Which decisions are recorded. Errors, overrides and incidents always are.
#[derive(Clone, Debug)]
pub struct Sample {
    /// How it selects.
    pub method: Method,
    /// Why, in the organisation's words.
    pub rationale: String,
    /// By what the sample is accepted as sufficient.
    pub acceptance: String,
    /// Who approved it, as the organisation knows them; the record has a pseudonym.
    pub approver: String,
}

/// How a sampling policy selects.
#[derive(Clone, Debug)]
pub enum Method {
    /// Every `every`-th, from a random start.
    Systematic {
        /// At least 2.
        every: u32,
    },
    /// Each by a keyed digest of its id.
    Bernoulli {
        /// Of being selected.
        probability: Millionths,
    },
    /// Each stratum with its own probability.
    Stratified {
        /// At least one; a decision of none of them is always recorded.
        strata: Vec<Stratum>,
    },
}

/// A stratum: decisions of one route.
#[derive(Clone, Debug)]
pub struct Stratum {
    /// The route.
    pub route: ClearName,
    /// Of being selected.
    pub probability: Millionths,
}

impl Policy {
    /// `<system>/<version>`.
    pub fn id(&self) -> ClearName {
        ClearName::or_unlisted(&format!("{}/{}", self.system, self.version))
    }

    /// How long a decision is kept that came by this route: as the class says that names the route, else as the first one does.
    pub fn class_of(&self, route: Option<&ClearName>) -> &Retention {
        let named = |class: &&Retention| route.is_some_and(|route| class.routes.contains(route));
        // A policy that was read has a class at least.
        self.classes.iter().find(named).unwrap_or(&self.classes[0])
    }

    /// How long records of a class are kept; `None` if the policy does not name it: then they are never removed.
    pub fn class(&self, class: &RetentionClass) -> Option<&Retention> {
        self.classes.iter().find(|retention| retention.class == *class)
    }
}
