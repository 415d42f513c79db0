//! What each endpoint can and cannot supply.

use crate::wire::table::Endpoint;
use crate::wire::{Call, Ending, Framing, Item, Operation, Supply};

pub(in crate::wire) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        operation: Operation::Chat,
        path: "`POST …/chat/completions`",
        supplies: CHAT,
        framings: &[Framing::Events],
        ending: DONE,
        hidden: &[
            DEFAULTS,
            "a model's reasoning, of which OpenAI states only how many tokens it took; compatible servers may state it",
            "tokens of a stream, unless the request asks for them (`stream_options`)",
        ],
    },
    Endpoint {
        operation: Operation::Completions,
        path: "`POST …/completions`",
        supplies: COMPLETIONS,
        framings: &[Framing::Events],
        ending: DONE,
        hidden: &[DEFAULTS],
    },
    Endpoint {
        operation: Operation::Embeddings,
        path: "`POST …/embeddings`",
        supplies: EMBEDDINGS,
        framings: &[],
        ending: Ending::Unmarked,
        hidden: &[],
    },
    Endpoint {
        operation: Operation::Responses,
        path: "`POST …/responses`",
        supplies: RESPONSES,
        framings: &[Framing::Events],
        ending: RESPONSE_OVER,
        hidden: &[
            "the context that the server holds (`previous_response_id`, `conversation`) and prompts that it keeps (`prompt`)",
            "the tools that the server runs itself (web and file search, code interpreter, MCP): their calls are in the answer, \
             when and where they ran is not",
            "reasoning itself: what comes is a summary, or encrypted",
            "the answer of a response made in the background: it is fetched by another request, which is control",
        ],
    },
];

const DEFAULTS: &str = "parameters that the request leaves to the server";

/// What ends a stream of Chat Completions and Completions.
const DONE: Ending = Ending::Data("[DONE]");

/// What ends a stream of Responses.
const RESPONSE_OVER: Ending = Ending::Type(&["response.completed", "response.incomplete", "response.failed"]);

const CHAT: &[(Item, Supply)] = &[
    // Under Azure's paths the deployment stands for it.
    (Item::ModelRequested, Supply::Sometimes),
    (Item::Deployment, Supply::Sometimes),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Always),
    (Item::Prompts, Supply::Sometimes),
    (Item::Tools, Supply::Sometimes),
    (Item::ToolResults, Supply::Sometimes),
    (Item::ModelReturned, Supply::Always),
    (Item::Fingerprint, Supply::Sometimes),
    (Item::ParamsEffective, Supply::Sometimes),
    (Item::ResponseId, Supply::Always),
    (Item::Output, Supply::Sometimes),
    (Item::Choices, Supply::Sometimes),
    (Item::Finish, Supply::Always),
    (Item::Usage, Supply::Sometimes),
    (Item::UsageCached, Supply::Sometimes),
    (Item::UsageReasoning, Supply::Sometimes),
    (Item::ToolCalls, Supply::Sometimes),
    (Item::Reasoning, Supply::Sometimes),
    (Item::Refusal, Supply::Sometimes),
    (Item::Error, Supply::Sometimes),
    (Item::ErrorCode, Supply::Sometimes),
];

const COMPLETIONS: &[(Item, Supply)] = &[
    (Item::ModelRequested, Supply::Sometimes),
    (Item::Deployment, Supply::Sometimes),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Always),
    (Item::Prompts, Supply::Sometimes),
    (Item::ModelReturned, Supply::Always),
    (Item::Fingerprint, Supply::Sometimes),
    (Item::ResponseId, Supply::Always),
    (Item::Output, Supply::Always),
    (Item::Choices, Supply::Sometimes),
    (Item::Finish, Supply::Always),
    (Item::Usage, Supply::Sometimes),
    (Item::UsageCached, Supply::Sometimes),
    (Item::Error, Supply::Sometimes),
    (Item::ErrorCode, Supply::Sometimes),
];

const EMBEDDINGS: &[(Item, Supply)] = &[
    (Item::ModelRequested, Supply::Sometimes),
    (Item::Deployment, Supply::Sometimes),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Always),
    (Item::ModelReturned, Supply::Always),
    // Compatible servers' (vLLM); OpenAI's own has none.
    (Item::ResponseId, Supply::Sometimes),
    (Item::Output, Supply::Always),
    (Item::Usage, Supply::Always),
    (Item::Error, Supply::Sometimes),
    (Item::ErrorCode, Supply::Sometimes),
];

const RESPONSES: &[(Item, Supply)] = &[
    // A prompt that the server keeps may name it, and hold the input.
    (Item::ModelRequested, Supply::Sometimes),
    (Item::ParamsRequested, Supply::Sometimes),
    (Item::Input, Supply::Sometimes),
    (Item::Prompts, Supply::Sometimes),
    (Item::Tools, Supply::Sometimes),
    (Item::ToolResults, Supply::Sometimes),
    (Item::Previous, Supply::Sometimes),
    (Item::ModelReturned, Supply::Always),
    (Item::ParamsEffective, Supply::Sometimes),
    (Item::ResponseId, Supply::Always),
    (Item::Output, Supply::Sometimes),
    (Item::Finish, Supply::Sometimes),
    (Item::Usage, Supply::Sometimes),
    (Item::UsageCached, Supply::Sometimes),
    (Item::UsageReasoning, Supply::Sometimes),
    (Item::ToolCalls, Supply::Sometimes),
    (Item::Reasoning, Supply::Sometimes),
    (Item::Refusal, Supply::Sometimes),
    (Item::Error, Supply::Sometimes),
    (Item::ErrorCode, Supply::Sometimes),
];

/// What ends the stream of a call.
pub(in crate::wire) fn ending(call: &Call) -> Ending {
    match call.operation {
        Operation::Responses => RESPONSE_OVER,
        _ => DONE,
    }
}
