//! What Ollama's endpoints supply.

use super::ENDING;
use crate::wire::table::Endpoint;
use crate::wire::{Framing, Item, Operation, Supply};
use Supply::{Always, Sometimes};

const CHAT: &[(Item, Supply)] = &[
    (Item::ModelRequested, Always),
    (Item::ParamsRequested, Sometimes),
    (Item::Input, Always),
    (Item::Prompts, Sometimes),
    (Item::Tools, Sometimes),
    (Item::ToolResults, Sometimes),
    (Item::ModelReturned, Always),
    (Item::ParamsEffective, Sometimes),
    (Item::Output, Sometimes),
    (Item::Finish, Sometimes),
    (Item::Usage, Sometimes),
    (Item::ToolCalls, Sometimes),
    (Item::Reasoning, Sometimes),
    (Item::Error, Sometimes),
];

const GENERATE: &[(Item, Supply)] = &[
    (Item::ModelRequested, Always),
    (Item::ParamsRequested, Sometimes),
    (Item::Input, Sometimes),
    (Item::Prompts, Sometimes),
    (Item::ModelReturned, Always),
    (Item::ParamsEffective, Sometimes),
    (Item::Output, Sometimes),
    (Item::Finish, Sometimes),
    (Item::Usage, Sometimes),
    (Item::ToolCalls, Sometimes),
    (Item::Reasoning, Sometimes),
    (Item::Error, Sometimes),
];

const EMBED: &[(Item, Supply)] = &[
    (Item::ModelRequested, Always),
    (Item::ParamsRequested, Sometimes),
    (Item::Input, Always),
    (Item::ModelReturned, Sometimes),
    (Item::Output, Always),
    (Item::Usage, Sometimes),
    (Item::Error, Sometimes),
];

const MODELFILE: &str = "parameters, system prompt, template and messages that the model's Modelfile sets and the request does not";
const TAG: &str = "which weights a tag stands for at the time: a tag can be pulled or created anew";

pub(in crate::wire) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        operation: Operation::Chat,
        path: "`POST …/api/chat`",
        supplies: CHAT,
        framings: &[Framing::Lines],
        ending: ENDING,
        hidden: &[MODELFILE, TAG, "what the server cut from the messages to fit the model's context"],
    },
    Endpoint {
        operation: Operation::Generate,
        path: "`POST …/api/generate`",
        supplies: GENERATE,
        framings: &[Framing::Lines],
        ending: ENDING,
        hidden: &[MODELFILE, TAG],
    },
    Endpoint {
        operation: Operation::Embeddings,
        path: "`POST …/api/embed`, `…/api/embeddings`",
        supplies: EMBED,
        framings: &[],
        ending: ENDING,
        hidden: &[TAG],
    },
];
