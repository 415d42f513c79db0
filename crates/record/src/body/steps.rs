//! The steps of a decision around the model call, and what people do about it.

use super::{ErrorCode, StepOutcome};
use crate::member::{List, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Digest, Id, Millionths, Pseudonym};

members! {
    /// One query of an index. Its payloads are `retrieval.query`, one `retrieval.document` for each document, `error`.
    pub struct Retrieval {
        /// The documents found, best first; at most 256 of them.
        documents: List<Document> => R "12(2)(a)" "T S" when "documents were found";
        /// What failed.
        error: Option<ErrorCode> => R "12(2)(a)" "T S" when "the outcome is failed";
        /// The index.
        index: Option<ClearName> => R "12(2)(a)" "T S C";
        /// SHA-256 of the index or its manifest.
        index_digest: Option<Digest> => r "12(2)(a)" "S C";
        /// The version of the index.
        index_version: Option<ClearName> => R "12(2)(a)" "S C";
        /// How the query ended.
        outcome: StepOutcome => R "12(2)(a)" "T S";
        /// The data source behind the index.
        source: Option<ClearName> => R "12(2)(a)" "T S C";
        /// How many documents were found, those not listed included.
        total: Option<Count> => r "12(2)(a)" "T S";
    }
}

members! {
    /// One document found; its id in the source is part of the payload.
    pub struct Document {
        /// The event's payload that holds it.
        payload: Id => R "12(2)(a)" "T S";
        /// Rank, from 1.
        rank: u32 => R "12(2)(a)" "T S";
        /// Score, in millionths.
        score_millionths: Option<Millionths> => R "12(2)(a)" "T S" when "the index gives one";
    }
}

members! {
    /// One call of a tool. Its payloads are `tool.arguments`, `tool.result` and `error`.
    pub struct ToolCall {
        /// Which attempt, from 1.
        attempt: Option<u32> => R "12(2)(a)" "T S";
        /// What failed.
        error: Option<ErrorCode> => R "12(2)(a)" "A N T S" when "the outcome is failed";
        /// How long it took, nanoseconds.
        latency_ns: Option<Count> => r "12(2)(b)" "T S";
        /// The tool.
        name: ClearName => R "12(2)(a)" "A N T S";
        /// How the call ended.
        outcome: StepOutcome => R "12(2)(a)" "A N T S";
        /// The tool's version.
        version: Option<ClearName> => r "12(2)(a)" "S C";
    }
}

members! {
    /// One step of pre- or post-processing. Its payloads are `transform.in`, `transform.out` and `error`.
    pub struct Transform {
        /// What failed.
        error: Option<ErrorCode> => R "12(2)(a)" "S" when "the outcome is failed";
        /// The step.
        name: ClearName => R "12(2)(a)" "S";
        /// How it ended.
        outcome: StepOutcome => R "12(2)(a)" "S";
        /// Before or after the model.
        stage: Option<Stage> => r "12(2)(a)" "S";
        /// The step's version.
        version: Option<ClearName> => R "12(2)(a)" "S C";
    }
}

members! {
    /// Intermediate reasoning that the system consumed: the payload `reasoning`.
    pub struct Reasoning {
        /// How much of it is there.
        form: ReasoningForm => R "12(2)(a)" "A N T S";
    }
}

members! {
    /// The final, user-facing answer. Its payloads are `output.processed`, `output.final` and `explanation`.
    #[derive(Default)]
    pub struct Output {
        /// Whether the stages of the answer are the same bytes; compared at capture, never assumed.
        identical: Identical => R "12(2)(a)" "derived";
    }
}

members! {
    /// Whether two stages of the answer are the same bytes.
    #[derive(Default)]
    pub struct Identical {
        /// `output.processed` and `output.final`.
        processed_final: Tri => R "12(2)(a)" "derived";
        /// `output.raw` and `output.processed`.
        raw_processed: Tri => R "12(2)(a)" "derived";
    }
}

members! {
    /// What a person did about the decision. Its payloads are `human.before`, `human.after` and `human.reason`.
    pub struct Human {
        /// The event that it is about; the whole decision, if absent.
        about: Option<Id> => r "14(4)(d)–(e)" "S";
        /// What was done.
        action: HumanAction => R "14(4)(d)–(e)" "S";
        /// Who did it.
        reviewer: Option<Pseudonym> => R "14(5), 26(2)" "S";
    }
}

members! {
    /// Ground truth or feedback that arrived later; its value is the payload `label.value`.
    pub struct Label {
        /// The event that it is about; the decision's answer, if absent.
        about: Option<Id> => r "72" "S";
        /// What is labelled, as configured.
        name: ClearName => R "72" "S C";
        /// Where it comes from.
        origin: LabelOrigin => R "72" "S";
    }
}

members! {
    /// One comparison with a biometric reference database. Its payloads are `biometric.input`, the input data for
    /// which the search has led to a match, and `biometric.record`.
    pub struct BiometricMatch {
        /// The reference database.
        database: ClearName => M "12(3)(b)" "S C";
        /// SHA-256 of the database or its manifest.
        database_digest: Option<Digest> => R "12(3)(b)" "S C";
        /// The version of the database.
        database_version: Option<ClearName> => R "12(3)(b)" "S C";
        /// Why fewer than two persons verified.
        exemption: Option<Exemption> => M "12(3)(d), 14(5)" "S C" when "fewer than two persons verified a match";
        /// What the comparison gave.
        result: MatchResult => M "12(3)(c)" "S";
        /// Similarity, in millionths.
        score_millionths: Option<Millionths> => r "12(3)(c)" "S";
        /// The natural persons who verified the result; two or more.
        verifiers: List<Pseudonym> => M "12(3)(d), 14(5)" "S" when "there was a match and no exemption applies";
    }
}

text_enum! {
    /// Before or after the model.
    pub enum Stage {
        /// Before.
        Pre = "pre",
        /// After.
        Post = "post",
    }
}

text_enum! {
    /// How much of a model's reasoning is there.
    pub enum ReasoningForm {
        /// All of it.
        Full = "full",
        /// A summary.
        Summary = "summary",
        /// Encrypted or signed by its provider: kept, not readable.
        Opaque = "opaque",
    }
}

text_enum! {
    /// A comparison that may not have been possible.
    pub enum Tri {
        /// They are the same.
        True = "true",
        /// They differ.
        False = "false",
        /// Not compared.
        Unknown = "unknown",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that declares the enum takes no attributes on values")]
impl Default for Tri {
    fn default() -> Tri {
        Tri::Unknown
    }
}

impl From<bool> for Tri {
    fn from(same: bool) -> Tri {
        if same { Tri::True } else { Tri::False }
    }
}

text_enum! {
    /// What a person did.
    pub enum HumanAction {
        /// Let the answer stand.
        Approve = "approve",
        /// Turned it down.
        Reject = "reject",
        /// Changed it.
        Modify = "modify",
        /// Put another in its place.
        Override = "override",
        /// Undid its effect.
        Reverse = "reverse",
        /// Decided not to use it.
        Disregard = "disregard",
        /// Passed it on.
        Escalate = "escalate",
        /// Stopped the system.
        Stop = "stop",
    }
}

text_enum! {
    /// Where a label comes from.
    pub enum LabelOrigin {
        /// What really happened.
        GroundTruth = "ground_truth",
        /// A user's feedback.
        Feedback = "feedback",
        /// A reviewer's judgement.
        Review = "review",
        /// Another model.
        Model = "model",
    }
}

text_enum! {
    /// What a biometric comparison gave.
    pub enum MatchResult {
        /// A match.
        Match = "match",
        /// No match.
        NoMatch = "no_match",
        /// Neither.
        Inconclusive = "inconclusive",
    }
}

text_enum! {
    /// The areas in which Union or national law may find verification by two persons disproportionate (14(5)).
    pub enum Exemption {
        /// Law enforcement.
        LawEnforcement = "law_enforcement",
        /// Migration.
        Migration = "migration",
        /// Border control.
        BorderControl = "border_control",
        /// Asylum.
        Asylum = "asylum",
    }
}
