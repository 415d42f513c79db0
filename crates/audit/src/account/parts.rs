//! What an account says of each kind of step.

use std::collections::BTreeMap;

use serde::Serialize;

use super::diff::Diff;
use super::model::Held;
use crate::story::Tokens;

/// One model call.
#[derive(Clone, Debug, Serialize)]
pub struct ModelCall {
    /// The step.
    pub step: usize,
    /// The name as asked for.
    pub requested: Option<String>,
    /// The name as answered.
    pub returned: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// SHA-256 of the model's weights or manifest.
    pub digest: Option<String>,
    /// What the server calls its configuration.
    pub fingerprint: Option<String>,
    /// The deployment that answered.
    pub deployment: Option<String>,
    /// Whether the names pin one model: `exact`, `alias`, `unknown`.
    pub identity: String,
    /// Why a name is absent, by its field.
    pub absent: BTreeMap<String, String>,
    /// Where the registry of the data directory leads.
    pub registered: Option<RegisteredModel>,
    /// Parameters as asked for.
    pub params_requested: Option<Held>,
    /// Parameters in force.
    pub params_effective: Option<Held>,
    /// What the model was sent.
    pub input: Option<Held>,
    /// What it answered.
    pub output: Option<Held>,
    /// The tools that it was offered.
    pub offered: Option<Held>,
    /// `ok`, `refused`, `failed`, `aborted`.
    pub outcome: String,
    /// What failed.
    pub error: Option<String>,
    /// Status of the model server's answer.
    pub status: Option<u16>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Tokens.
    pub tokens: Tokens,
    /// From the call to the answer's first byte, nanoseconds.
    pub time_to_first_byte_ns: Option<u64>,
    /// How long the call took, nanoseconds.
    pub took_ns: Option<u64>,
    /// Whether the answer came as a stream.
    pub stream: Option<bool>,
}

/// A model in the registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegisteredModel {
    /// Its name there.
    pub name: String,
    /// Its version there.
    pub version: String,
    /// SHA-256 of its file or manifest.
    pub digest: Option<String>,
    /// Where it is: a path or URL.
    pub location: String,
    /// Who says so.
    pub source: Option<String>,
    /// When it was registered.
    pub added_at: String,
    /// What leads there: `digest`, or `name` where the record has no digest to compare.
    pub by: &'static str,
    /// Length of the manifest that the registry holds, bytes.
    pub manifest_bytes: Option<u64>,
}

/// Registered tools that models were offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegisteredTools {
    /// The model calls that were offered them.
    pub steps: Vec<usize>,
    /// Name in the registry.
    pub name: String,
    /// Version there.
    pub version: String,
    /// SHA-256 of its JSON (RFC 8785).
    pub sha256: String,
    /// That JSON; absent if the registry does not hold it.
    pub json: Option<String>,
}

/// One prompt.
#[derive(Clone, Debug, Serialize)]
pub struct PromptUsed {
    /// The model calls that were given it.
    pub steps: Vec<usize>,
    /// Whose words: `system`, `user`, …
    pub role: String,
    /// Name in the registry.
    pub name: Option<String>,
    /// Version there.
    pub version: Option<String>,
    /// SHA-256 of the registered text.
    pub sha256: Option<String>,
    /// The registered text, found by its SHA-256: of a template the template, its values stand in the input.
    pub text: Option<String>,
    /// The content that holds it, where it is not registered.
    pub payload: Option<Held>,
    /// Where the words were found: `registry`, `payload`, `nowhere`.
    pub found_in: &'static str,
}

/// One query of an index.
#[derive(Clone, Debug, Serialize)]
pub struct RetrievalStep {
    /// The step.
    pub step: usize,
    /// The index.
    pub index: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// SHA-256 of the index or its manifest.
    pub digest: Option<String>,
    /// The data source behind it.
    pub source: Option<String>,
    /// How many documents were found, those not listed included.
    pub total: Option<u64>,
    /// How it ended.
    pub outcome: String,
    /// What failed.
    pub error: Option<String>,
    /// What was asked.
    pub query: Option<Held>,
    /// The documents, best first.
    pub documents: Vec<DocumentTold>,
}

/// One document found.
#[derive(Clone, Debug, Serialize)]
pub struct DocumentTold {
    /// Rank, from 1.
    pub rank: u32,
    /// Score, in millionths.
    pub score_millionths: Option<i64>,
    /// The document, with its id in the source.
    pub payload: Held,
}

/// One attempt of a tool.
#[derive(Clone, Debug, Serialize)]
pub struct ToolStep {
    /// The step.
    pub step: usize,
    /// The tool.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Which attempt, from 1.
    pub attempt: Option<u32>,
    /// How it ended.
    pub outcome: String,
    /// What failed.
    pub error: Option<String>,
    /// How long it took, nanoseconds.
    pub latency_ns: Option<u64>,
    /// What it was given.
    pub arguments: Option<Held>,
    /// What it gave.
    pub result: Option<Held>,
    /// What it said when it failed.
    pub failure: Option<Held>,
}

/// One step of pre- or post-processing.
#[derive(Clone, Debug, Serialize)]
pub struct TransformStep {
    /// The step.
    pub step: usize,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// `pre`, `post`: before or after the model.
    pub stage: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// What failed.
    pub error: Option<String>,
    /// What went in.
    pub input: Option<Held>,
    /// What came out.
    pub output: Option<Held>,
    /// How the two differ, where both were opened.
    pub diff: Option<Diff>,
}

/// Intermediate reasoning.
#[derive(Clone, Debug, Serialize)]
pub struct ReasoningStep {
    /// The step.
    pub step: usize,
    /// `full`, `summary`, `opaque`.
    pub form: String,
    /// The words.
    pub payload: Option<Held>,
}

/// The stages of the output.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OutputTold {
    /// What models answered.
    pub raw: Vec<Held>,
    /// After post-processing.
    pub processed: Vec<Held>,
    /// What the user was shown.
    pub r#final: Vec<Held>,
    /// Explanations that came with it: SHAP values and the like.
    pub explanations: Vec<Held>,
    /// Whether raw and processed were the same bytes, by the last `output`: `true`, `false`, `unknown`.
    pub raw_processed: Option<String>,
    /// Whether processed and final were.
    pub processed_final: Option<String>,
    /// The last raw against the processed, and the processed against the final: where both were opened.
    pub diffs: Vec<Diff>,
}

/// What a person did.
#[derive(Clone, Debug, Serialize)]
pub struct HumanStep {
    /// The step.
    pub step: usize,
    /// `approve`, `reject`, `modify`, `override`, `reverse`, `disregard`, `escalate`, `stop`.
    pub action: String,
    /// Pseudonym of who did it.
    pub reviewer: Option<String>,
    /// The step that it is about; the whole decision, if absent.
    pub about: Option<usize>,
    /// When it was logged.
    pub logged_at: String,
    /// How long after the decision's end, nanoseconds; absent if before.
    pub after_end_ns: Option<u64>,
    /// The answer before.
    pub before: Option<Held>,
    /// The answer after.
    pub after: Option<Held>,
    /// Why.
    pub reason: Option<Held>,
    /// How the two differ, where both were opened.
    pub diff: Option<Diff>,
}

/// Ground truth or feedback.
#[derive(Clone, Debug, Serialize)]
pub struct LabelTold {
    /// The step.
    pub step: usize,
    /// What is labelled.
    pub name: String,
    /// Where it comes from.
    pub origin: String,
    /// The step that it is about; the decision's answer, if absent.
    pub about: Option<usize>,
    /// When it was logged.
    pub logged_at: String,
    /// Its value.
    pub value: Option<Held>,
}

/// In what surroundings the system ran.
#[derive(Clone, Debug, Serialize)]
pub struct ContextTold {
    /// The step that says so.
    pub step: usize,
    /// Production, staging and the like.
    pub environment: Option<String>,
    /// Build of the application.
    pub build: Option<String>,
    /// Where it ran.
    pub region: Option<String>,
    /// The arm of an experiment.
    pub variant: Option<String>,
    /// Feature flags that were on.
    pub flags: Vec<String>,
}
