//! Words about payloads: state, class, encoding, media type, role, and the reasons for absence.

use std::str::FromStr;

use crate::Id;
use crate::member::{FieldType, Member};
use crate::text::{TextError, text_enum, text_form};

text_enum! {
    /// Whether a payload is there.
    pub enum State {
        /// It is there.
        Present = "present",
        /// Left out by a redaction rule before it was recorded.
        Redacted = "redacted",
        /// Its key was destroyed under an order.
        Erased = "erased",
        /// Removed under a retention policy.
        Purged = "purged",
        /// Never reached the recorder.
        NotCaptured = "not_captured",
    }
}

text_enum! {
    /// Of what kind the content is.
    pub enum DataClass {
        /// About an identified or identifiable person, or not known to be otherwise.
        Personal = "personal",
        /// Personal data whose direct identifiers were replaced before it was recorded.
        Pseudonymous = "pseudonymous",
        /// Declared non-personal and content-addressed.
        Shared = "shared",
    }
}

text_enum! {
    /// What was done to the content before it was sealed.
    pub enum Encoding {
        /// Nothing.
        Identity = "identity",
        /// One zstd frame (RFC 8878).
        Zstd = "zstd",
    }
}

text_enum! {
    /// The form of the content. What is not listed is `application/octet-stream`.
    pub enum MediaType {
        /// JSON (RFC 8259).
        Json = "application/json",
        /// JSON objects, one a line.
        Ndjson = "application/x-ndjson",
        /// Server-sent events, as they came.
        EventStream = "text/event-stream",
        /// Text in UTF-8.
        Text = "text/plain",
        /// HTML.
        Html = "text/html",
        /// Length-prefixed gRPC messages.
        Grpc = "application/grpc",
        /// One protobuf message.
        Protobuf = "application/x-protobuf",
        /// CBOR (RFC 8949).
        Cbor = "application/cbor",
        /// An Arrow stream.
        Arrow = "application/vnd.apache.arrow.stream",
        /// A form, as it came.
        Form = "multipart/form-data",
        /// PDF.
        Pdf = "application/pdf",
        /// PNG.
        Png = "image/png",
        /// JPEG.
        Jpeg = "image/jpeg",
        /// WebP.
        Webp = "image/webp",
        /// MPEG audio.
        Mpeg = "audio/mpeg",
        /// WAVE audio.
        Wav = "audio/wav",
        /// MPEG-4.
        Mp4 = "video/mp4",
        /// Any bytes.
        Bytes = "application/octet-stream",
    }
}

impl MediaType {
    /// The listed type of a `content-type` header; parameters and case are ignored.
    pub fn from_header(header: &str) -> MediaType {
        let essence = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/grpc+proto" => MediaType::Grpc,
            "application/protobuf" => MediaType::Protobuf,
            "application/jsonl" | "application/x-jsonlines" => MediaType::Ndjson,
            _ if essence.ends_with("+json") => MediaType::Json,
            _ => essence.parse().unwrap_or(MediaType::Bytes),
        }
    }
}

text_enum! {
    /// What the content is to its event. Part of what is authenticated when the content is sealed.
    pub enum PayloadRole {
        /// The request as it came.
        InputRaw = "input.raw",
        /// The input after enrichment by the application.
        InputEnriched = "input.enriched",
        /// What the model was really sent.
        InputAssembled = "input.assembled",
        /// Parameters as asked for.
        ParamsRequested = "params.requested",
        /// Parameters in effect.
        ParamsEffective = "params.effective",
        /// One prompt.
        Prompt = "prompt",
        /// Tool definitions offered to the model.
        Tools = "tools",
        /// The answer as it came.
        OutputRaw = "output.raw",
        /// A piece of the answer, as it was passed on.
        OutputPart = "output.part",
        /// The answer after post-processing.
        OutputProcessed = "output.processed",
        /// What the user was shown.
        OutputFinal = "output.final",
        /// Explanation of the answer: SHAP values and the like.
        Explanation = "explanation",
        /// Identifiers of others for the same thing, as a JSON map.
        ExternalIds = "external_ids",
        /// Headers on the allow-list, as a JSON map.
        Headers = "headers",
        /// Texts that a field called `unlisted`, as a JSON map from field to text.
        Unlisted = "unlisted",
        /// Code, message and raw body of an error.
        Error = "error",
        /// The query of a retrieval.
        RetrievalQuery = "retrieval.query",
        /// One document found.
        RetrievalDocument = "retrieval.document",
        /// A tool's arguments.
        ToolArguments = "tool.arguments",
        /// A tool's result.
        ToolResult = "tool.result",
        /// What a transform took.
        TransformIn = "transform.in",
        /// What a transform gave.
        TransformOut = "transform.out",
        /// Intermediate reasoning.
        Reasoning = "reasoning",
        /// What a person saw before acting.
        HumanBefore = "human.before",
        /// What a person left after acting.
        HumanAfter = "human.after",
        /// The reason a person gave.
        HumanReason = "human.reason",
        /// The value of a label.
        LabelValue = "label.value",
        /// The input that led to a biometric match.
        BiometricInput = "biometric.input",
        /// The record of the reference database that matched.
        BiometricRecord = "biometric.record",
        /// What a part of the system was before a change.
        SystemOld = "system.old",
        /// What it is after.
        SystemNew = "system.new",
        /// Description of an incident.
        IncidentReport = "incident.report",
        /// The order behind a hold or an erasure.
        Order = "order",
        /// Why a sampling policy is as it is.
        SamplingRationale = "sampling.rationale",
        /// By what a sample is accepted.
        SamplingAcceptance = "sampling.acceptance",
        /// The certificate of an erasure.
        Certificate = "certificate",
        /// What was taken out of another payload of the event, to stand alone.
        Split = "split",
        /// The query of an access.
        AccessQuery = "access.query",
        /// Report of a drill or alert.
        Report = "report",
        /// Why a finding was accepted.
        RiskReason = "risk.reason",
    }
}

/// Why a payload is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// One of the fixed reasons.
    Because(Why),
    /// Erased under this erasure event.
    ErasedByOrder(Id),
    /// Removed by this purge event.
    PurgedByPolicy(Id),
}

text_enum! {
    /// Reasons that need no event to explain them.
    pub enum Why {
        /// Larger than the limit on what is captured.
        OverLimit = "over_limit",
        /// Not text, where only text is captured.
        NotText = "not_text",
        /// Capture of this content is switched off.
        DisabledByPolicy = "disabled_by_policy",
        /// A redaction rule leaves it out.
        RedactedByPolicy = "redacted_by_policy",
        /// Not selected by the sampling policy in force.
        NotSampled = "not_sampled",
        /// Cannot be seen from where it was captured: a server's own defaults, context that the server holds.
        NotVisible = "not_visible",
        /// The application attached none.
        NotProvided = "not_provided",
        /// The client left before it was whole.
        ClientAborted = "client_aborted",
        /// The upstream left before it was whole.
        UpstreamAborted = "upstream_aborted",
        /// Time ran out before it was whole.
        TimedOut = "timed_out",
        /// The bytes could not be understood.
        NotParsed = "not_parsed",
        /// There was no room, or no way, to store it.
        NotStored = "not_stored",
        /// Nobody can say.
        Unknown = "unknown",
    }
}

const ERASED_BY_ORDER: &str = "erased_by_order:";
const PURGED_BY_POLICY: &str = "purged_by_policy:";

impl Reason {
    fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
        match self {
            Reason::Because(why) => write(why.as_str()),
            Reason::ErasedByOrder(event) => write(&format!("{ERASED_BY_ORDER}{event}")),
            Reason::PurgedByPolicy(event) => write(&format!("{PURGED_BY_POLICY}{event}")),
        }
    }
}

impl From<Why> for Reason {
    fn from(why: Why) -> Reason {
        Reason::Because(why)
    }
}

impl FromStr for Reason {
    type Err = TextError;
    fn from_str(text: &str) -> Result<Reason, TextError> {
        if let Some(event) = text.strip_prefix(ERASED_BY_ORDER) {
            return event.parse().map(Reason::ErasedByOrder);
        }
        if let Some(event) = text.strip_prefix(PURGED_BY_POLICY) {
            return event.parse().map(Reason::PurgedByPolicy);
        }
        text.parse().map(Reason::Because)
    }
}

text_form!(Reason, "a reason");
impl Member for Reason {
    const TYPE: FieldType = FieldType::Reason;
}
