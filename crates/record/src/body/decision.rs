//! Where a decision begins and ends, and the session around it.

use crate::member::{List, members};
use crate::text::text_enum;
use crate::{ClearName, Count, Id};

members! {
    /// A request was admitted. The sealed input is the event's payload `input.raw`.
    #[derive(Default)]
    pub struct DecisionOpened {
        /// In what surroundings the system ran.
        context: Option<Context> => R "12(2)(a)" "S T C";
        /// How the request was made.
        method: Option<Method> => r "12(1)" "P";
        /// The configured route that admitted it.
        route: Option<ClearName> => R "12(1)" "C";
        /// The wire it spoke.
        wire: Option<Wire> => R "12(2)(a)" "P C";
    }
}

members! {
    /// A further request joined an open decision: by its caller's id, its trace or its session, as configured. The sealed
    /// input is the event's payload `input.raw`.
    #[derive(Default)]
    pub struct DecisionJoined {
        /// How the request was made.
        method: Option<Method> => r "12(1)" "P";
        /// The configured route that admitted it.
        route: Option<ClearName> => R "12(1)" "C";
        /// The wire it spoke.
        wire: Option<Wire> => R "12(2)(a)" "P C";
    }
}

members! {
    /// What of a streamed answer was passed on while the rest was still to come: a piece, the payload `output.part`. Or, with
    /// `end`, that passing on an answer failed while its decision goes on.
    #[derive(Default)]
    pub struct Delivery {
        /// How passing it on ended.
        end: Option<ExchangeEnd> => R "12(1)" "P" when "it ended before the answer was whole";
        /// The model call whose answer it is.
        of: Option<Id> => R "12(2)(a)" "P";
        /// Which piece, from 1; the pieces of one answer, put together, are the beginning of it.
        part: Option<u32> => R "12(2)(a)" "P" when "a piece was passed on";
    }
}

members! {
    /// In what surroundings the system ran.
    #[derive(Default)]
    pub struct Context {
        /// Build of the application.
        build: Option<ClearName> => r "12(2)(a)" "S T C";
        /// Production, staging and the like.
        environment: Option<ClearName> => R "12(2)(a)" "S T C";
        /// Feature flags that were on.
        flags: List<ClearName> => r "12(2)(a)" "S T C";
        /// Where it ran.
        region: Option<ClearName> => r "12(2)(a)" "S T C";
        /// The arm of an experiment.
        variant: Option<ClearName> => r "12(2)(a)" "S T C";
    }
}

members! {
    /// What the application knew of the decision's input and surroundings, and its request did not show. It stands beside what
    /// `decision.opened` says. The input after enrichment is the event's payload `input.enriched`.
    #[derive(Default)]
    pub struct ContextAdded {
        /// Build of the application.
        build: Option<ClearName> => r "12(2)(a)" "S";
        /// Production, staging and the like.
        environment: Option<ClearName> => r "12(2)(a)" "S";
        /// Feature flags that were on.
        flags: List<ClearName> => r "12(2)(a)" "S";
        /// Where it ran.
        region: Option<ClearName> => r "12(2)(a)" "S";
        /// The arm of an experiment.
        variant: Option<ClearName> => r "12(2)(a)" "S";
    }
}

members! {
    /// How the decision ended. A failed delivery is a later event; the one with the highest index counts.
    pub struct DecisionClosed {
        /// What failed; code and text are the payload `error`.
        error: Option<ErrorCode> => R "12(2)(a)" "O A N P" when "the outcome is failed";
        /// How the exchange with the client ended.
        exchange: Option<ExchangeEnd> => R "12(1)" "P" when "an exchange took place";
        /// How the decision ended.
        outcome: Outcome => R "12(1)" "P";
        /// Status of the upstream's answer: HTTP's, or gRPC's on a gRPC wire.
        status: Option<u16> => R "12(2)(a)" "O A N P" when "the upstream answered";
        /// From the request's first byte to the answer's first byte, nanoseconds.
        time_to_first_byte_ns: Option<Count> => r "12(2)(b)" "P";
    }
}

members! {
    /// A period of use began; its id is the event's `session`, its time `started_at`.
    #[derive(Default)]
    pub struct SessionStarted {
        /// The configured route or place of use.
        route: Option<ClearName> => r "12(3)(a)" "C";
    }
}

members! {
    /// A period of use ended; its id is the event's `session`, its time `ended_at`.
    pub struct SessionEnded {
        /// How it ended.
        end: SessionEnd => R "12(3)(a)" "P S";
    }
}

text_enum! {
    /// How a decision ended.
    pub enum Outcome {
        /// The answer was released to the client.
        Answered = "answered",
        /// The system refused to answer.
        Refused = "refused",
        /// No answer came about.
        Failed = "failed",
        /// The client left first.
        Aborted = "aborted",
        /// Opened and never finished; closed by recovery.
        Interrupted = "interrupted",
    }
}

text_enum! {
    /// How one step ended.
    pub enum StepOutcome {
        /// It gave a result.
        Ok = "ok",
        /// It was refused, by the model or by a rule.
        Refused = "refused",
        /// It gave an error.
        Failed = "failed",
        /// It was given up before it ended.
        Aborted = "aborted",
    }
}

text_enum! {
    /// How an exchange with a client ended.
    pub enum ExchangeEnd {
        /// Whole.
        Complete = "complete",
        /// The client left first.
        ClientAbort = "client_abort",
        /// The upstream left first.
        UpstreamAbort = "upstream_abort",
        /// Time ran out.
        Timeout = "timeout",
        /// A limit on size was passed.
        OverLimit = "over_limit",
        /// The process ended first.
        Interrupted = "interrupted",
        /// Nobody can say.
        Unknown = "unknown",
    }
}

text_enum! {
    /// What failed. Codes and texts of others are the payload `error`.
    pub enum ErrorCode {
        /// The upstream found the request malformed.
        BadRequest = "bad_request",
        /// Credentials are missing or wrong.
        Unauthorized = "unauthorized",
        /// Not allowed.
        Forbidden = "forbidden",
        /// No such model or route.
        NotFound = "not_found",
        /// Larger than allowed.
        TooLarge = "too_large",
        /// Too many requests.
        RateLimited = "rate_limited",
        /// A content filter stepped in.
        ContentFiltered = "content_filtered",
        /// Time ran out.
        Timeout = "timeout",
        /// No connection came about.
        ConnectFailed = "connect_failed",
        /// The connection broke.
        ConnectionLost = "connection_lost",
        /// The upstream is not ready.
        Unavailable = "unavailable",
        /// The upstream failed.
        UpstreamError = "upstream_error",
        /// The answer could not be understood.
        NotParsed = "not_parsed",
        /// It was given up.
        Cancelled = "cancelled",
        /// The recorder could not record, under the policy `block`.
        NotRecorded = "not_recorded",
        /// inferlog itself failed.
        Internal = "internal",
        /// Any other.
        Other = "other",
    }
}

text_enum! {
    /// How a request was made.
    pub enum Method {
        /// HTTP GET.
        Get = "get",
        /// HTTP POST.
        Post = "post",
        /// HTTP PUT.
        Put = "put",
        /// HTTP PATCH.
        Patch = "patch",
        /// HTTP DELETE.
        Delete = "delete",
        /// One gRPC request.
        Grpc = "grpc",
        /// A gRPC stream.
        GrpcStream = "grpc_stream",
        /// A call inside the application.
        Call = "call",
        /// Any other.
        Other = "other",
    }
}

text_enum! {
    /// The wire that a request or model call spoke.
    pub enum Wire {
        /// Open Inference Protocol v2 over REST.
        OipRest = "oip_rest",
        /// Open Inference Protocol v2 over gRPC.
        OipGrpc = "oip_grpc",
        /// KServe v1.
        KserveV1 = "kserve_v1",
        /// OpenAI Chat Completions.
        OpenaiChat = "openai_chat",
        /// OpenAI Completions.
        OpenaiCompletions = "openai_completions",
        /// OpenAI Embeddings.
        OpenaiEmbeddings = "openai_embeddings",
        /// OpenAI Responses.
        OpenaiResponses = "openai_responses",
        /// Anthropic Messages.
        AnthropicMessages = "anthropic_messages",
        /// Ollama chat.
        OllamaChat = "ollama_chat",
        /// Ollama generate.
        OllamaGenerate = "ollama_generate",
        /// Ollama embed.
        OllamaEmbed = "ollama_embed",
        /// OpenTelemetry spans or logs.
        Otlp = "otlp",
        /// CloudEvents of KServe's logger.
        CloudEvents = "cloudevents",
        /// Another, kept as bytes.
        Other = "other",
    }
}

text_enum! {
    /// How a session ended.
    pub enum SessionEnd {
        /// The user or the application ended it.
        Ended = "ended",
        /// Nothing happened for the configured time.
        IdleTimeout = "idle_timeout",
        /// The process ended first.
        Interrupted = "interrupted",
    }
}
