//! What each wire can and cannot supply: said beside each adapter, read by the gateway to say why a name is absent, and
//! rendered as `docs/wires.md`. A test holds it against every recorded exchange under `fixtures/v1/wire/`.

use super::{
    Call, Ending, Framing, Operation, Wire, anthropic, kserve, oip, oip_grpc, ollama, openai, pointers,
};
use std::fmt::Write as _;

/// Something that a request or an answer may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Request: the model asked for.
    ModelRequested,
    /// Request: its version.
    VersionRequested,
    /// Request: the deployment, in the path.
    Deployment,
    /// Request: parameters of the inference.
    ParamsRequested,
    /// Request: the input proper.
    Input,
    /// Request: instructions, and the user's latest words.
    Prompts,
    /// Request: definitions of tools.
    Tools,
    /// Request: what tools gave.
    ToolResults,
    /// Request: the caller's id of it.
    RequestId,
    /// Request: an earlier answer whose context the server holds.
    Previous,
    /// Answer: the model that gave it.
    ModelReturned,
    /// Answer: its version.
    Version,
    /// Answer: what the server calls its configuration.
    Fingerprint,
    /// Answer: parameters that were in force.
    ParamsEffective,
    /// Answer: the server's id of it; in OIP the request's own.
    ResponseId,
    /// Answer: the output proper.
    Output,
    /// Answer: more than one choice.
    Choices,
    /// Answer: why the model stopped.
    Finish,
    /// Answer: tokens read or written.
    Usage,
    /// Answer: tokens read from a cache.
    UsageCached,
    /// Answer: tokens spent on reasoning.
    UsageReasoning,
    /// Answer: calls of tools.
    ToolCalls,
    /// Answer: reasoning.
    Reasoning,
    /// Answer: the words of a refusal.
    Refusal,
    /// Answer: an error's message.
    Error,
    /// Answer: what kind of error it is, beside the status.
    ErrorCode,
}

/// How often an endpoint says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// Whenever a request is answered with success, by the protocol.
    Always,
    /// The protocol has a place for it.
    Sometimes,
    /// The protocol has no place for it.
    Never,
}

/// One endpoint of a wire, as its adapter declares it.
pub(super) struct Endpoint {
    pub(super) operation: Operation,
    /// Methods and paths, as a reader of the table knows them.
    pub(super) path: &'static str,
    /// What it supplies; what is not listed it never does.
    pub(super) supplies: &'static [(Item, Supply)],
    /// How its answers may stream; not at all where there is none.
    pub(super) framings: &'static [Framing],
    /// What ends a stream.
    pub(super) ending: Ending,
    /// What goes on between client and model server that a gateway does not see.
    pub(super) hidden: &'static [&'static str],
}

impl Item {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 26] = [
        Self::ModelRequested,
        Self::VersionRequested,
        Self::Deployment,
        Self::ParamsRequested,
        Self::Input,
        Self::Prompts,
        Self::Tools,
        Self::ToolResults,
        Self::RequestId,
        Self::Previous,
        Self::ModelReturned,
        Self::Version,
        Self::Fingerprint,
        Self::ParamsEffective,
        Self::ResponseId,
        Self::Output,
        Self::Choices,
        Self::Finish,
        Self::Usage,
        Self::UsageCached,
        Self::UsageReasoning,
        Self::ToolCalls,
        Self::Reasoning,
        Self::Refusal,
        Self::Error,
        Self::ErrorCode,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::ModelRequested => "model asked for",
            Self::VersionRequested => "version asked for",
            Self::Deployment => "deployment",
            Self::ParamsRequested => "parameters asked for",
            Self::Input => "input",
            Self::Prompts => "prompts",
            Self::Tools => "tools offered",
            Self::ToolResults => "results of tools",
            Self::RequestId => "caller's id",
            Self::Previous => "earlier answer gone on from",
            Self::ModelReturned => "model that answered",
            Self::Version => "its version",
            Self::Fingerprint => "fingerprint of its configuration",
            Self::ParamsEffective => "parameters in force",
            Self::ResponseId => "answer's id",
            Self::Output => "output",
            Self::Choices => "several choices",
            Self::Finish => "reason why the model stopped",
            Self::Usage => "tokens",
            Self::UsageCached => "tokens from a cache",
            Self::UsageReasoning => "tokens of reasoning",
            Self::ToolCalls => "calls of tools",
            Self::Reasoning => "reasoning",
            Self::Refusal => "words of a refusal",
            Self::Error => "error's message",
            Self::ErrorCode => "kind of error, beside the status",
        }
    }
}

impl Supply {
    fn label(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Sometimes => "sometimes",
            Self::Never => "never",
        }
    }
}

impl Endpoint {
    fn supply(&self, item: Item) -> Supply {
        self.supplies.iter().find(|(listed, _)| *listed == item).map_or(Supply::Never, |(_, supply)| *supply)
    }
}

impl Wire {
    /// How often the endpoint of a call says an item.
    pub fn supply(&self, call: &Call, item: Item) -> Supply {
        let endpoints = self.endpoints();
        let endpoint = endpoints.iter().find(|endpoint| endpoint.operation == call.operation);
        endpoint.map_or(Supply::Never, |endpoint| endpoint.supply(item))
    }

    fn endpoints(&self) -> &'static [Endpoint] {
        match self {
            Self::OipV2 => oip::ENDPOINTS,
            Self::OipGrpc => oip_grpc::ENDPOINTS,
            Self::KserveV1 => kserve::ENDPOINTS,
            Self::OpenAi => openai::ENDPOINTS,
            Self::Anthropic => anthropic::ENDPOINTS,
            Self::Ollama => ollama::ENDPOINTS,
            Self::Json(_) => pointers::ENDPOINTS,
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::OipV2 => "Open Inference Protocol v2 over REST",
            Self::OipGrpc => "Open Inference Protocol v2 over gRPC",
            Self::KserveV1 => "KServe v1",
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic Messages",
            Self::Ollama => "Ollama",
            Self::Json(_) => "Any JSON over HTTP, read by configured pointers",
        }
    }
}

/// The page `docs/wires.md`.
pub fn table() -> String {
    let mut page = INTRODUCTION.to_owned();
    let wires = [
        Wire::OipV2,
        Wire::OipGrpc,
        Wire::KserveV1,
        Wire::OpenAi,
        Wire::Anthropic,
        Wire::Ollama,
        Wire::Json(Box::default()),
    ];
    for wire in wires {
        section(&mut page, &wire);
    }
    page
}

const INTRODUCTION: &str = "# Wires: what each can and cannot supply

Made from the adapters by `UPDATE=1 cargo test -p inferlog-capture --test wire_table`; a test compares it, and holds every line
against the recorded exchanges under `fixtures/v1/wire/`: what is *never* said is in none of them, what is *always* said is in
every one that succeeded, what is *sometimes* said is in one at least.

- *always*: whenever a request is answered with success, by the protocol.
- *sometimes*: the protocol has a place for it. Where a name of the model is left out, the record says `not_answered`.
- *never*: the protocol has no place for it. Where that is a name of the model, the record says `not_on_wire`.

The bodies themselves are recorded whatever they say, with all members, events and fields that are not read here.

## What a client may have seen before the record is durable

A streamed answer passes piece by piece at the speed of the model. What is held back until the record is durable is its
terminator, which the tables name: a client that has seen the terminator has an answer that is recorded. Before it, it may have
seen every piece that came before the terminator.

| the answer | held back | a client may have seen |
| --- | --- | --- |
| a stream with a terminator | the piece that is the terminator, and what follows it; an error, until something else than the \
terminator follows it | all pieces before it |
| a stream without one | the end of the body | all bytes, but not that they are all |
| not a stream, with `content-length` | at least the last byte | no whole answer |
| a gRPC call | all of it | nothing |
| a gRPC stream | each message until it is recorded; the trailers until all is | all messages before it |

With the route option `stream = \"buffer\"` nothing is passed on before the record is durable.
";

fn section(page: &mut String, wire: &Wire) {
    let endpoints = wire.endpoints();
    // Writing to a String does not fail.
    _ = write!(page, "\n## `{}`: {}\n\n|", wire.name(), wire.title());
    for endpoint in endpoints {
        _ = write!(page, " | {}", endpoint.path);
    }
    _ = write!(page, " |\n| ---{} |\n", " | ---".repeat(endpoints.len()));
    for item in Item::ALL {
        row(page, item.label(), endpoints, |endpoint| endpoint.supply(item).label().to_owned());
    }
    row(page, "**streams as**", endpoints, framings);
    row(page, "**held back**", endpoints, terminator);
    let mut hidden: Vec<&str> = endpoints.iter().flat_map(|endpoint| endpoint.hidden).copied().collect();
    let mut seen = Vec::new();
    hidden.retain(|text| {
        !seen.contains(text) && {
            seen.push(text);
            true
        }
    });
    if !hidden.is_empty() {
        page.push_str("\nA gateway does not see:\n\n");
    }
    for text in hidden {
        _ = writeln!(page, "- {text}");
    }
}

fn row(page: &mut String, label: &str, endpoints: &[Endpoint], cell: impl Fn(&Endpoint) -> String) {
    _ = write!(page, "| {label}");
    for endpoint in endpoints {
        _ = write!(page, " | {}", cell(endpoint));
    }
    page.push_str(" |\n");
}

fn framings(endpoint: &Endpoint) -> String {
    let framings: Vec<&str> = endpoint
        .framings
        .iter()
        .map(|framing| match framing {
            Framing::Events => "server-sent events",
            Framing::Lines => "JSON lines",
        })
        .collect();
    if framings.is_empty() { "–".to_owned() } else { framings.join(" or ") }
}

fn terminator(endpoint: &Endpoint) -> String {
    match endpoint.ending {
        _ if endpoint.framings.is_empty() => "–".to_owned(),
        Ending::Data(data) => format!("the event `data: {data}`"),
        Ending::Type(types) => {
            let types: Vec<String> = types.iter().map(|kind| format!("`{kind}`")).collect();
            format!("the event {}", types.join(" or "))
        }
        Ending::Flag(name) => format!("the line with `\"{name}\":true`"),
        Ending::Unmarked => "the end of the body".to_owned(),
    }
}
