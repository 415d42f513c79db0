//! What the commands that attach something take, and what their help says.

use clap::{Args, Subcommand};
use inferlog_record::body::{HumanAction, LabelOrigin, Outcome, Stage, StepOutcome};
use inferlog_record::{Id, SystemName};

use crate::cli::OpenArgs;

/// What all of these commands take.
#[derive(Args)]
pub(crate) struct CommonArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The decision, from the answer's header `inferlog-decision-id` or from `find`.
    #[arg(long, value_name = "ID")]
    pub(crate) decision: Id,
    /// The system that the decision is of; another's is refused.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Your own id of this event: said again, it is not recorded twice.
    #[arg(long, value_name = "TEXT")]
    pub(crate) id: Option<String>,
    /// An event that this one follows from; may be given several times [default: the one recorded last]
    #[arg(long, value_name = "EVENT")]
    pub(crate) follows: Vec<Id>,
    /// When it began, as in 2026-01-31T09:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) started_at: Option<String>,
    /// When it ended.
    #[arg(long, value_name = "TIME")]
    pub(crate) ended_at: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Record what a person did about a decision.
///
/// Approved it, overrode it, stopped the system: at once or years later. The reviewer is known to the log by a random pseudonym;
/// all content is sealed with the decision's. While `serve` runs the request goes through its admin.sock. The exit status is 1
/// if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Content is a text, @FILE, or - for standard input. With json: before it, it is JSON; with text: before it,
a text whatever it begins with. A file is JSON, an image and the like by its ending, else text.

Examples:
  inferlog human --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --action approve --reviewer kim@example.org
  inferlog human --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --action override --reviewer kim@example.org \\
      --before @shown.json --after @corrected.json --reason 'income was misread'")]
pub(crate) struct HumanArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// approve, reject, modify, override, reverse, disregard, escalate or stop.
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: HumanAction,
    /// Who did it, by any identifier that stays the same.
    #[arg(long, value_name = "WHO")]
    pub(crate) reviewer: Option<String>,
    /// The event that it is about [default: the whole decision]
    #[arg(long, value_name = "EVENT")]
    pub(crate) about: Option<Id>,
    /// What the person saw.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) before: Option<String>,
    /// What the person left.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) after: Option<String>,
    /// Why.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) reason: Option<String>,
}

/// Record ground truth or feedback on a decision.
///
/// At any time: how it really turned out, what the user thought of it. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog label --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --name repaid --origin ground_truth --value json:true")]
pub(crate) struct LabelArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// What is labelled: letters, digits and . _ : / @ -, as it will stand in records.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Where it comes from: ground_truth, feedback, review or model.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: LabelOrigin,
    /// The value: text, json:…, @FILE or -.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) value: String,
    /// The event that it is about [default: the decision's answer]
    #[arg(long, value_name = "EVENT")]
    pub(crate) about: Option<Id>,
}

/// Record what became of the model's answer.
///
/// What post-processing made of it, and what the user was shown. Whether these are the same bytes, and the same as the model's
/// words, is computed and recorded. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog output --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --processed @checked.txt --final @shown.txt")]
pub(crate) struct OutputArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// The answer after post-processing: text, json:…, @FILE or -.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) processed: Option<String>,
    /// What the user was shown.
    #[arg(long = "final", value_name = "CONTENT")]
    pub(crate) shown: Option<String>,
    /// An explanation of it: SHAP values and the like.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) explanation: Option<String>,
}

/// Record surroundings and input that the request did not show.
///
/// Names stand in clear; the input is sealed. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog context --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --environment production --build 1.4.2 --input @enriched.json")]
pub(crate) struct ContextArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// Production, staging and the like.
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Build of the application.
    #[arg(long, value_name = "NAME")]
    pub(crate) build: Option<String>,
    /// Where it ran.
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
    /// The arm of an experiment.
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    /// A feature flag that was on; may be given several times.
    #[arg(long = "flag", value_name = "NAME")]
    pub(crate) flags: Vec<String>,
    /// The input after enrichment: text, json:…, @FILE or -.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) input: Option<String>,
}

/// Record a query of an index, and what it found.
///
/// Documents with scores and ids go through `events add`. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog retrieval --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --index policies --index-version 2026-11 \\
      --query 'early repayment' --document @rule-7.txt --document @rule-9.txt")]
pub(crate) struct RetrievalArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// The index.
    #[arg(long, value_name = "NAME")]
    pub(crate) index: Option<String>,
    /// Its version.
    #[arg(long, value_name = "NAME")]
    pub(crate) index_version: Option<String>,
    /// The data source behind it.
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Option<String>,
    /// The query: text, json:…, @FILE or -.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) query: Option<String>,
    /// A document that it found, the best first; may be given several times.
    #[arg(long = "document", value_name = "CONTENT")]
    pub(crate) documents: Vec<String>,
    #[command(flatten)]
    pub(crate) step: StepArgs,
}

/// Record a call of a tool.
///
/// The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog tool-call --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --name bureau.lookup --attempt 1 \\
      --arguments 'json:{\"id\":4711}' --result @bureau.json")]
pub(crate) struct ToolCallArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// The tool.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Its version.
    #[arg(long, value_name = "NAME")]
    pub(crate) version: Option<String>,
    /// Which attempt, from 1.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) attempt: Option<u32>,
    /// How long it took, milliseconds.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) latency_ms: Option<f64>,
    /// Its arguments: text, json:…, @FILE or -.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) arguments: Option<String>,
    /// What it gave.
    #[arg(long, value_name = "CONTENT")]
    pub(crate) result: Option<String>,
    #[command(flatten)]
    pub(crate) step: StepArgs,
}

/// Record a step of pre- or post-processing.
///
/// The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog transform --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --name mask-names --version 3 --stage pre \\
      --in @letter.txt --out @masked.txt")]
pub(crate) struct TransformArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// The step.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Its version.
    #[arg(long, value_name = "NAME")]
    pub(crate) version: Option<String>,
    /// pre or post: before or after the model.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<Stage>,
    /// What it took: text, json:…, @FILE or -.
    #[arg(long = "in", value_name = "CONTENT")]
    pub(crate) taken: Option<String>,
    /// What it gave.
    #[arg(long = "out", value_name = "CONTENT")]
    pub(crate) given: Option<String>,
    #[command(flatten)]
    pub(crate) step: StepArgs,
}

/// How a step ended.
#[derive(Args)]
pub(crate) struct StepArgs {
    /// ok, refused, failed or aborted [default: ok, or failed with --error]
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<StepOutcome>,
    /// What failed: timeout, bad_request, unavailable and the like.
    #[arg(long, value_name = "CODE")]
    pub(crate) error: Option<String>,
}

/// Attach a batch of events from a file, or close a decision.
#[derive(Args)]
pub(crate) struct EventsArgs {
    #[command(subcommand)]
    pub(crate) command: EventsCommand,
}

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    Add(AddArgs),
    Close(CloseArgs),
}

/// Attach a batch of events from a file.
///
/// JSON as POST /v1/events takes it: one event, an array, or an object with `events`; docs/events.md has an example of every
/// kind. What is of one decision is recorded together or not at all. The exit status is 1 if there is no such decision.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog events add --data /var/lib/inferlog labels.json")]
pub(crate) struct AddArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The file; - for standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say how a decision ended that goes on over several requests.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog events close --data /var/lib/inferlog --decision 0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11 --outcome answered")]
pub(crate) struct CloseArgs {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    /// answered, refused, failed or aborted.
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Outcome,
    /// What failed.
    #[arg(long, value_name = "CODE")]
    pub(crate) error: Option<String>,
}
