//! What an event says beyond the fields common to all: one struct per kind, bounded clear fields only. Every text and
//! every JSON of a caller is a payload reference of the event instead.

mod decision;
mod keeping;
mod life;
mod model;
mod steps;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Kind;
use crate::member::{FieldDoc, FieldType, Member, See};

pub use decision::{
    Context, ContextAdded, DecisionClosed, DecisionJoined, DecisionOpened, Delivery, ErrorCode, ExchangeEnd,
    Method, Outcome, SessionEnd, SessionEnded, SessionStarted, StepOutcome, Wire,
};
pub use keeping::{
    Basis, Erasure, ErasurePhase, HoldPlaced, HoldReleased, Incident, IncidentCategory, IncidentPhase,
    OrderKind, Purge, Purged, Refusal, Scope, Store,
};
pub use life::{
    Access, AccessAction, AccessPurpose, AccessRole, Alert, Aspect, Clock, Drill, DrillResult, Gap,
    GapReason, Guarantee, LastEnd, RecorderStarted, RecorderStopped, RiskAccepted, Sampling, SamplingMethod,
    Severity, StopReason, SystemChanged,
};
pub use model::{
    AbsentReason, FinishReason, Inference, Model, ModelAbsent, ModelIdentity, Prompt, PromptRole, Toolset,
    Usage,
};
pub use steps::{
    BiometricMatch, Document, Exemption, Human, HumanAction, Identical, Label, LabelOrigin, MatchResult,
    Output, Reasoning, ReasoningForm, Retrieval, Stage, ToolCall, Transform, Tri,
};

macro_rules! bodies {
    ($($name:ident,)*) => {
        /// What an event says, by kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Body {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name(Box<$name>),)*
            /// The rest of an event that an earlier part of the same write began: only payloads stand here.
            Rest(Kind),
            /// An event of a kind that this version does not know; can be read, not written.
            Other(Box<str>),
        }

        $(impl From<$name> for Body {
            fn from(body: $name) -> Body {
                Body::$name(Box::new(body))
            }
        })*

        impl Body {
            /// The kind; `None` if this version does not know it.
            pub fn kind(&self) -> Option<Kind> {
                match self {
                    $(Body::$name(_) => Some(Kind::$name),)*
                    Body::Rest(kind) => Some(*kind),
                    Body::Other(_) => None,
                }
            }

            /// Reads the body of an event of this kind; `None` stands for a rest.
            pub(crate) fn read(kind: &str, body: Option<&RawValue>) -> Result<Body, serde_json::Error> {
                let Ok(kind) = kind.parse::<Kind>() else { return Ok(Body::Other(kind.into())) };
                let Some(body) = body else { return Ok(Body::Rest(kind)) };
                Ok(match kind {
                    $(Kind::$name => Body::$name(serde_json::from_str(body.get())?),)*
                })
            }
        }

        impl Member for Body {
            const TYPE: FieldType = FieldType::Body;

            fn see_absent(&self, path: &mut Vec<&'static str>, see: &mut See<'_>) {
                match self {
                    $(Body::$name(body) => body.see_absent(path, see),)*
                    Body::Rest(_) | Body::Other(_) => {}
                }
            }

            fn see_lists(
                &self,
                path: &mut Vec<&'static str>,
                see: &mut dyn FnMut(&[&'static str], usize),
            ) {
                match self {
                    $(Body::$name(body) => body.see_lists(path, see),)*
                    Body::Rest(_) | Body::Other(_) => {}
                }
            }
        }

        impl Serialize for Body {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Body::$name(body) => body.serialize(serializer),)*
                    Body::Rest(_) | Body::Other(_) => {
                        Err(serde::ser::Error::custom("an event without a body of its own"))
                    }
                }
            }
        }

        impl Kind {
            /// The fields of the body.
            pub const fn fields(self) -> &'static [FieldDoc] {
                match self {
                    $(Kind::$name => $name::FIELDS,)*
                }
            }
        }
    };
}

bodies! {
    DecisionOpened, DecisionJoined, ContextAdded, Inference, Retrieval, ToolCall, Transform, Reasoning, Output, Delivery, Human, DecisionClosed,
    RecorderStarted, RecorderStopped, Label, SessionStarted, SessionEnded, BiometricMatch, SystemChanged, Incident,
    HoldPlaced, HoldReleased, Erasure, Purge, Gap, Sampling, Clock, Access, Drill, Alert, RiskAccepted,
}

impl Body {
    /// The kind's text.
    pub fn kind_text(&self) -> &str {
        match self {
            Body::Other(kind) => kind,
            _ => self.kind().map_or("", Kind::as_str),
        }
    }

    /// Whether no policy removes the event: it is of the class [`permanent`](crate::RetentionClass::permanent).
    pub fn is_permanent(&self) -> bool {
        match self {
            Body::Clock(clock) => clock.disregard_first.is_some() || clock.disregard_last.is_some(),
            _ => matches!(
                self.kind(),
                Some(Kind::Erasure | Kind::HoldPlaced | Kind::HoldReleased | Kind::Incident | Kind::Purge)
            ),
        }
    }
}
