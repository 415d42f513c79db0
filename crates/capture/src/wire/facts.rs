//! What the bodies of an exchange say, free of any wire's own words.

use super::Gap;
use bytes::Bytes;
use inferlog_record::LIST_ITEMS_MAX;
use inferlog_record::body::{ErrorCode, FinishReason, PromptRole, ReasoningForm, Usage};

/// Prompts, results of tools, calls of tools and pieces of reasoning that are told of one message, each. Each is an event or an
/// item of a list, which holds no more; what lies beyond is in the message as it is recorded.
pub const TOLD_MAX: usize = LIST_ITEMS_MAX;

/// What a request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The model asked for, as sent.
    pub model: Option<String>,
    /// Its version asked for, as sent.
    pub version: Option<String>,
    /// Parameters of the inference: JSON, a slice of the body or an object of those of its members.
    pub params: Option<Bytes>,
    /// The caller's own id of the request.
    pub id: Option<String>,
    /// The input proper: JSON, a slice of the body.
    pub input: Option<Bytes>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The instructions, and the latest words of the user, in the order of the request; not the conversation between.
    pub prompts: Vec<PromptFact>,
    /// Tool definitions offered to the model: JSON, a slice of the body.
    pub tools: Option<Bytes>,
    /// What tools gave since the model's latest words, in the order of the request.
    pub tool_results: Vec<ToolResult>,
    /// The id of an earlier answer whose context the server holds: what the model was really sent is then not visible.
    pub previous: Option<String>,
    /// What could not be read, the first thing only.
    pub gap: Option<Gap>,
}

impl RequestFacts {
    /// Keeps of each list what is told of it ([`TOLD_MAX`]); that there was more is a gap.
    pub(crate) fn bound(&mut self) {
        let over = [bound(&mut self.prompts, "prompts"), bound(&mut self.tool_results, "results of tools")];
        self.gap = self.gap.take().or_else(|| over.into_iter().flatten().next());
    }
}

impl ResponseFacts {
    /// Keeps of each list what is told of it ([`TOLD_MAX`]); that there was more is a gap.
    pub(crate) fn bound(&mut self) {
        let over = [bound(&mut self.tool_calls, "tool_calls"), bound(&mut self.reasoning, "reasoning")];
        self.gap = self.gap.take().or_else(|| over.into_iter().flatten().next());
    }
}

fn bound<T>(list: &mut Vec<T>, name: &str) -> Option<Gap> {
    let is_over = list.len() > TOLD_MAX;
    list.truncate(TOLD_MAX);
    is_over.then(|| Gap::TooMany(name.to_owned()))
}

/// A prompt, as a registry might know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptFact {
    /// Whose words.
    pub role: PromptRole,
    /// The words: parts of text put together with a line's end between.
    pub text: String,
}

/// What a tool gave for a call that the model had asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The wire's id of the call; empty where the wire has none.
    pub call: String,
    /// The tool and the arguments, where the request repeats the call.
    pub asked: Option<ToolCallFact>,
    /// The result: text, or JSON of the wire's parts.
    pub content: Bytes,
    /// Whether the wire says that it is an error.
    pub is_error: bool,
}

/// A call of a tool that the model asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCallFact {
    /// The wire's id of the call; empty where the wire has none.
    pub call: String,
    /// The tool.
    pub name: String,
    /// The arguments: JSON as the model wrote it, which need not be valid.
    pub arguments: Bytes,
    /// The choice that asks for it, from 0.
    pub choice: u32,
}

/// What a response says; of a streamed one, what its events say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseFacts {
    /// The model that answered, as it calls itself.
    pub model: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What the server calls its configuration.
    pub fingerprint: Option<String>,
    /// Parameters that the server says were in force: JSON, a slice of the body or an object of those of its members.
    pub params: Option<Bytes>,
    /// The server's id of the response; in OIP the request's own.
    pub id: Option<String>,
    /// The output proper of the first choice: text, or JSON where it is no text.
    pub output: Option<Bytes>,
    /// How many choices there are; 0 where the wire has none.
    pub choices: u32,
    /// Why the model stopped, of the first choice.
    pub finish: Option<Finish>,
    /// Tokens.
    pub usage: Option<Usage>,
    /// Calls of tools that the model asks for, of all choices, in their order.
    pub tool_calls: Vec<ToolCallFact>,
    /// Reasoning that the answer holds, in its order.
    pub reasoning: Vec<ReasoningFact>,
    /// The words of a refusal.
    pub refusal: Option<Bytes>,
    /// The error's message: its text where it is a string, else its JSON, else the whole body.
    pub error: Option<Bytes>,
    /// What kind of error the body says it is; the status decides where it says nothing.
    pub error_code: Option<ErrorCode>,
    /// Whether a stream broke off: it has neither its terminator nor another sign of being whole.
    pub broken_off: bool,
    /// What could not be read, the first thing only.
    pub gap: Option<Gap>,
}

/// Why the model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// In the record's words.
    pub reason: FinishReason,
    /// In the wire's own.
    pub text: String,
}

/// One piece of reasoning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasoningFact {
    /// How much of it is there.
    pub form: ReasoningForm,
    /// The text, or what is opaque as it came.
    pub content: Bytes,
}
