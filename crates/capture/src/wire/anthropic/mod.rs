//! Anthropic's Messages API (platform.claude.com, "Messages" and "Streaming messages"), under any base path.
//!
//! `count_tokens` and the list of models answer without inference. Message Batches are inferences whose answers come on
//! another request: not of this wire, so they are [`Kind::Unknown`], as are other clouds' paths (`…:rawPredict`, `…/invoke`).

mod request;
mod response;

pub(super) use request::request;
pub(super) use response::response;

use super::table::Endpoint;
use super::{Call, Ending, Framing, Item, Kind, Operation, Supply};
use http::Method;

/// What ends a stream.
pub(super) const ENDING: Ending = Ending::Type(&["message_stop"]);

pub(super) fn classify(method: &Method, segments: &[String]) -> Kind {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (method, segments.as_slice()) {
        (&Method::HEAD | &Method::OPTIONS, _) => Kind::Control,
        (&Method::POST, [.., "v1", "messages"]) => {
            Kind::Inference(Call { operation: Operation::Messages, ..Call::default() })
        }
        (&Method::POST, [.., "v1", "messages", "count_tokens"]) => Kind::Control,
        (&Method::GET, [.., "v1", "models"] | [.., "v1", "models", _]) => Kind::Control,
        _ => Kind::Unknown,
    }
}

const SUPPLIES: &[(Item, Supply)] = &[
    (Item::ModelRequested, Supply::Always),
    (Item::ParamsRequested, Supply::Always),
    (Item::Input, Supply::Always),
    (Item::Prompts, Supply::Sometimes),
    (Item::Tools, Supply::Sometimes),
    (Item::ToolResults, Supply::Sometimes),
    (Item::ModelReturned, Supply::Always),
    (Item::ParamsEffective, Supply::Sometimes),
    (Item::ResponseId, Supply::Always),
    (Item::Output, Supply::Sometimes),
    (Item::Finish, Supply::Always),
    (Item::Usage, Supply::Always),
    (Item::UsageCached, Supply::Sometimes),
    (Item::UsageReasoning, Supply::Sometimes),
    (Item::ToolCalls, Supply::Sometimes),
    (Item::Reasoning, Supply::Sometimes),
    (Item::Refusal, Supply::Sometimes),
    (Item::Error, Supply::Sometimes),
    (Item::ErrorCode, Supply::Sometimes),
];

pub(super) const ENDPOINTS: &[Endpoint] = &[Endpoint {
    operation: Operation::Messages,
    path: "`POST …/v1/messages`",
    supplies: SUPPLIES,
    framings: &[Framing::Events],
    ending: ENDING,
    hidden: &[
        "parameters that the request leaves to the server",
        "thinking itself, from Claude 4 on: what comes is a summary, or a signature where it is left out; redacted thinking \
         is opaque",
        "the tools that the server runs itself (web search, code execution, MCP): their calls and results are in the answer, \
         when and where they ran is not",
        "what context editing and compaction took out of the messages before the model was given them",
        "the content of files that the request names by their id, and the state of a `container`",
    ],
}];
