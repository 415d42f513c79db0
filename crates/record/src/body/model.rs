//! One model call.

use super::{ErrorCode, StepOutcome, Wire};
use crate::member::{List, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Digest, Id};

members! {
    /// One model call. Its payloads are `input.assembled`, `output.raw`, `params.requested`, `params.effective`,
    /// `prompt`, `tools` and `error`.
    pub struct Inference {
        /// How many answers the model gave, where the wire has several.
        choices: Option<Count> => r "12(2)(a)" "A" when "the wire has several";
        /// What failed.
        error: Option<ErrorCode> => R "12(2)(a)" "O A N P" when "the outcome is failed";
        /// Why the model stopped; of the first choice.
        finish_reason: Option<FinishReason> => R "12(2)(a)" "A N T" when "the wire says it";
        /// Which model.
        model: Model => R "12(2)(a)" "O A N T";
        /// How the call ended.
        outcome: StepOutcome => R "12(2)(a)" "O A N P";
        /// The prompts, in the order the model was given them.
        prompts: List<Prompt> => R "12(2)(a)" "A N T S" when "the model takes prompts";
        /// Status of the model server's answer: HTTP's, or gRPC's on a gRPC wire.
        status: Option<u16> => R "12(2)(a)" "O A N P" when "the model server answered";
        /// Whether the answer came as a stream.
        stream: Option<bool> => r "12(2)(a)" "P";
        /// From the call to the answer's first byte, nanoseconds.
        time_to_first_byte_ns: Option<Count> => r "12(2)(b)" "P";
        /// The registered tool sets that the model was offered, whole or one tool by one.
        toolsets: List<Toolset> => R "12(2)(a)" "C" when "registered tools were offered";
        /// Tokens.
        usage: Option<Usage> => r "12(2)(b)" "A N T";
        /// The wire that was spoken.
        wire: Option<Wire> => r "12(2)(a)" "P";
    }
}

members! {
    /// Which model answered. A name that is not there has its reason in `absent`.
    pub struct Model {
        /// Why names are not there.
        absent: Option<ModelAbsent> => R "12(2)(a)" "P" when "a name is absent";
        /// The deployment or served entity that answered.
        deployment: Option<ClearName> => R "12(2)(a)" "O C registry" when "absent does not say why";
        /// SHA-256 of the model's weights or manifest.
        digest: Option<Digest> => R "12(2)(a)" "C registry" when "absent does not say why";
        /// What the server calls its configuration (`system_fingerprint`).
        fingerprint: Option<ClearName> => R "12(2)(a)" "A" when "absent does not say why";
        /// Whether the names pin one model.
        identity: ModelIdentity => R "12(2)(a)" "derived";
        /// The name as asked for.
        requested: Option<ClearName> => R "12(2)(a)" "O A N T" when "absent does not say why";
        /// The name as answered.
        returned: Option<ClearName> => R "12(2)(a)" "O A N T" when "absent does not say why";
        /// The version.
        version: Option<ClearName> => R "12(2)(a)" "O C registry" when "absent does not say why";
    }
}

members! {
    /// Why a name of the model is not there.
    #[derive(Default)]
    pub struct ModelAbsent {
        /// Why `deployment` is absent.
        deployment: Option<AbsentReason> => R "12(2)(a)" "P" when "deployment is absent";
        /// Why `digest` is absent.
        digest: Option<AbsentReason> => R "12(2)(a)" "P" when "digest is absent";
        /// Why `fingerprint` is absent.
        fingerprint: Option<AbsentReason> => R "12(2)(a)" "P" when "fingerprint is absent";
        /// Why `requested` is absent.
        requested: Option<AbsentReason> => R "12(2)(a)" "P" when "requested is absent";
        /// Why `returned` is absent.
        returned: Option<AbsentReason> => R "12(2)(a)" "P" when "returned is absent";
        /// Why `version` is absent.
        version: Option<AbsentReason> => R "12(2)(a)" "P" when "version is absent";
    }
}

members! {
    /// One prompt: registered (name, version, SHA-256), or a payload.
    pub struct Prompt {
        /// Name in the registry.
        name: Option<ClearName> => R "12(2)(a)" "C S" when "registered";
        /// The event's payload that holds it.
        payload: Option<Id> => R "12(2)(a)" "A N T" when "not registered";
        /// Whose words.
        role: PromptRole => R "12(2)(a)" "A N T S";
        /// SHA-256 of the registered text.
        sha256: Option<Digest> => R "12(2)(a)" "C S" when "registered";
        /// Version in the registry.
        version: Option<ClearName> => R "12(2)(a)" "C S" when "registered";
    }
}

members! {
    /// A registered tool, or list of tools.
    pub struct Toolset {
        /// Name in the registry.
        name: ClearName => R "12(2)(a)" "C";
        /// SHA-256 of its JSON in the form of RFC 8785.
        sha256: Digest => R "12(2)(a)" "C";
        /// Version in the registry.
        version: ClearName => R "12(2)(a)" "C";
    }
}

members! {
    /// Tokens, as the model server counted them.
    #[derive(Default)]
    pub struct Usage {
        /// Read from a cache, part of `input`.
        cached: Option<Count> => r "12(2)(b)" "A N T";
        /// Read.
        input: Option<Count> => r "12(2)(b)" "A N T";
        /// Written.
        output: Option<Count> => r "12(2)(b)" "A N T";
        /// Spent on reasoning, part of `output`.
        reasoning: Option<Count> => r "12(2)(b)" "A N T";
    }
}

text_enum! {
    /// Whether the model's names pin one model.
    pub enum ModelIdentity {
        /// They pin one: dated, numbered, or by digest.
        Exact = "exact",
        /// They may mean another model tomorrow.
        Alias = "alias",
        /// There is no name.
        Unknown = "unknown",
    }
}

text_enum! {
    /// Why a name is absent.
    pub enum AbsentReason {
        /// The wire has no place for it.
        NotOnWire = "not_on_wire",
        /// The wire has a place, and the answer left it empty.
        NotAnswered = "not_answered",
        /// The request left it to the server.
        NotAsked = "not_asked",
        /// The model is not in the registry.
        NotRegistered = "not_registered",
        /// Not configured.
        NotConfigured = "not_configured",
        /// The answer could not be understood.
        NotParsed = "not_parsed",
        /// No answer came.
        NoAnswer = "no_answer",
    }
}

text_enum! {
    /// Why a model stopped.
    pub enum FinishReason {
        /// A natural end, or a stop sequence.
        Stop = "stop",
        /// A limit on tokens.
        Length = "length",
        /// It calls tools.
        ToolCalls = "tool_calls",
        /// A content filter stepped in.
        ContentFilter = "content_filter",
        /// It refused.
        Refusal = "refusal",
        /// It paused a long turn.
        Pause = "pause",
        /// It failed.
        Error = "error",
        /// It was given up.
        Cancelled = "cancelled",
        /// Another reason; its text is a payload.
        Other = "other",
    }
}

text_enum! {
    /// Whose words a prompt is.
    pub enum PromptRole {
        /// The system prompt.
        System = "system",
        /// The developer's instructions.
        Developer = "developer",
        /// The user's words.
        User = "user",
        /// Earlier words of the model.
        Assistant = "assistant",
        /// A tool's result.
        Tool = "tool",
        /// Examples.
        FewShot = "few_shot",
        /// Another.
        Other = "other",
    }
}
