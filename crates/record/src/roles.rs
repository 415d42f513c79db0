//! Which payloads belong to which kind of event.

use crate::level::{M, R, r};
use crate::{Kind, Level, PayloadRole};

/// One role that a payload may have in events of a kind.
#[derive(Debug, Clone, Copy)]
pub struct RoleDoc {
    /// The role.
    pub role: PayloadRole,
    /// How much it matters that there is a reference, be it only one that says why the content is not there.
    pub level: Level,
    /// When the level applies; always, if `None`.
    pub when: Option<&'static str>,
    /// The provision it serves.
    pub serves: &'static str,
    /// Where it comes from, in the letters of record.md.
    pub source: &'static str,
}

macro_rules! roles {
    ($($role:ident => $level:ident $serves:literal $source:literal $(when $when:literal)?;)*) => {
        &[$(RoleDoc {
            role: PayloadRole::$role,
            level: $level,
            when: crate::member::when!($($when)?),
            serves: $serves,
            source: $source,
        }),*]
    };
}

/// Payloads that an event of any kind may have.
pub const COMMON_ROLES: &[RoleDoc] = roles! {
    ExternalIds => R "12(2), 21(2)" "O A N T P" when "others have ids for it";
    Headers => r "12(2)(a)" "P";
    Split => R "GDPR 5(1)(c), 25" "P" when "content was taken out to stand alone";
    Unlisted => R "12(2)(a)" "P" when "a field says unlisted";
};

impl Kind {
    /// The payloads that events of this kind have, beside [`COMMON_ROLES`].
    pub const fn payloads(self) -> &'static [RoleDoc] {
        match self {
            Kind::DecisionOpened => OPENED,
            Kind::DecisionJoined => JOINED,
            Kind::ContextAdded => CONTEXT,
            Kind::Delivery => DELIVERY,
            Kind::Inference => INFERENCE,
            Kind::Retrieval => RETRIEVAL,
            Kind::ToolCall => TOOL_CALL,
            Kind::Transform => TRANSFORM,
            Kind::Reasoning => REASONING,
            Kind::Output => OUTPUT,
            Kind::Human => HUMAN,
            Kind::DecisionClosed => CLOSED,
            Kind::Label => LABEL,
            Kind::BiometricMatch => BIOMETRIC,
            Kind::SystemChanged => CHANGED,
            Kind::Incident => INCIDENT,
            Kind::HoldPlaced | Kind::HoldReleased => HOLD,
            Kind::Erasure => ERASURE,
            Kind::Sampling => SAMPLING,
            Kind::Access => ACCESS,
            Kind::Drill | Kind::Alert => REPORT,
            Kind::RiskAccepted => RISK,
            Kind::RecorderStarted | Kind::RecorderStopped | Kind::SessionStarted | Kind::SessionEnded => &[],
            Kind::Purge | Kind::Gap | Kind::Clock => &[],
        }
    }
}

const OPENED: &[RoleDoc] = roles! {
    InputRaw => R "12(2)(a)" "S P";
    InputEnriched => r "12(2)(a)" "S";
};

const JOINED: &[RoleDoc] = roles! {
    InputRaw => R "12(2)(a)" "S P";
};

const CONTEXT: &[RoleDoc] = roles! {
    InputEnriched => r "12(2)(a)" "S";
};
const DELIVERY: &[RoleDoc] = roles! {
    OutputPart => R "12(2)(a)" "P" when "a piece was passed on";
};

const INFERENCE: &[RoleDoc] = roles! {
    InputAssembled => R "12(2)(a), 12(3)(c)" "O A N T";
    OutputRaw => R "12(2)(a), 86" "O A N T" when "the outcome is ok";
    ParamsRequested => R "12(2)(a)" "O A N T S";
    ParamsEffective => r "12(2)(a)" "O A N T S";
    Prompt => R "12(2)(a)" "A N T S" when "a prompt is not registered";
    Tools => r "12(2)(a)" "A N T";
    Explanation => r "86" "O S";
    Error => R "12(2)(a)" "O A N P" when "the outcome is failed";
};

const RETRIEVAL: &[RoleDoc] = roles! {
    RetrievalQuery => R "12(2)(a)" "T S";
    RetrievalDocument => R "12(2)(a)" "T S" when "documents were found";
    Error => R "12(2)(a)" "T S" when "the outcome is failed";
};

const TOOL_CALL: &[RoleDoc] = roles! {
    ToolArguments => R "12(2)(a)" "A N T S";
    ToolResult => R "12(2)(a)" "A N T S" when "the outcome is ok";
    Error => R "12(2)(a)" "A N T S" when "the outcome is failed";
};

const TRANSFORM: &[RoleDoc] = roles! {
    TransformIn => R "12(2)(a)" "S";
    TransformOut => R "12(2)(a)" "S" when "the outcome is ok";
    Error => R "12(2)(a)" "S" when "the outcome is failed";
};

const REASONING: &[RoleDoc] = roles! {
    Reasoning => R "12(2)(a)" "A N T S";
};

const OUTPUT: &[RoleDoc] = roles! {
    OutputRaw => r "12(2)(a), 86" "O A N T";
    OutputProcessed => R "12(2)(a), 14(4)(c), 86" "S";
    OutputFinal => R "12(2)(a), 14(4)(c), 86" "S";
    Explanation => r "86" "O S";
};

const HUMAN: &[RoleDoc] = roles! {
    HumanBefore => R "14(4)(d)–(e)" "S" when "the action changes the answer";
    HumanAfter => R "14(4)(d)–(e)" "S" when "the action changes the answer";
    HumanReason => R "14(4)(d)–(e)" "S";
};

const CLOSED: &[RoleDoc] = roles! {
    Error => R "12(2)(a)" "O A N P" when "the outcome is failed";
};

const LABEL: &[RoleDoc] = roles! {
    LabelValue => R "72" "S";
};

const BIOMETRIC: &[RoleDoc] = roles! {
    BiometricInput => M "12(3)(c)" "S" when "there was a match";
    BiometricRecord => r "12(3)(b)" "S";
};

const CHANGED: &[RoleDoc] = roles! {
    SystemOld => r "12(2)(a), 3(23)" "P C";
    SystemNew => r "12(2)(a), 3(23)" "P C";
};

const INCIDENT: &[RoleDoc] = roles! {
    IncidentReport => R "73" "S";
};

const HOLD: &[RoleDoc] = roles! {
    Order => R "73, 75a(6)(b)" "S" when "the basis is an authority's order";
};

const ERASURE: &[RoleDoc] = roles! {
    Order => r "GDPR 17" "S";
    Certificate => R "GDPR 17" "P" when "completed";
};

const SAMPLING: &[RoleDoc] = roles! {
    SamplingRationale => R "profile" "C";
    SamplingAcceptance => r "profile" "C";
};

const ACCESS: &[RoleDoc] = roles! {
    AccessQuery => r "profile" "P";
};

const REPORT: &[RoleDoc] = roles! {
    Report => r "72" "P";
};

const RISK: &[RoleDoc] = roles! {
    RiskReason => R "profile" "S";
};
