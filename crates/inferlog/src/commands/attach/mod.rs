//! `inferlog human`, `label`, `output` and their like: what a gateway cannot see is attached to a decision.

mod args;
mod draft;

use std::io::Write;

use args::{CommonArgs, EventsCommand};
pub(crate) use args::{
    ContextArgs, EventsArgs, HumanArgs, LabelArgs, OutputArgs, RetrievalArgs, ToolCallArgs, TransformArgs,
};
use draft::Draft;

use crate::admin::{Act, Door, Events};
use crate::cli::OpenArgs;
use crate::output::{self, Failure, GOOD, Verdict, styled};

pub(crate) fn human(args: &HumanArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("human", &args.common)?
        .put("action", Some(args.action))?
        .put("reviewer", args.reviewer.as_ref())?
        .put("about", args.about)?
        .content("before", args.before.as_ref())?
        .content("after", args.after.as_ref())?
        .content("reason", args.reason.as_ref())?;
    attach_one(&args.common, &draft)
}

pub(crate) fn label(args: &LabelArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("label", &args.common)?
        .put("name", Some(&args.name))?
        .put("origin", Some(args.origin))?
        .put("about", args.about)?
        .content("value", Some(&args.value))?;
    attach_one(&args.common, &draft)
}

pub(crate) fn output(args: &OutputArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("output", &args.common)?
        .content("processed", args.processed.as_ref())?
        .content("final", args.shown.as_ref())?
        .content("explanation", args.explanation.as_ref())?;
    attach_one(&args.common, &draft)
}

pub(crate) fn context(args: &ContextArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("context", &args.common)?
        .put("environment", args.environment.as_ref())?
        .put("build", args.build.as_ref())?
        .put("region", args.region.as_ref())?
        .put("variant", args.variant.as_ref())?
        .put("flags", Some(&args.flags).filter(|flags| !flags.is_empty()))?
        .content("input", args.input.as_ref())?;
    attach_one(&args.common, &draft)
}

pub(crate) fn retrieval(args: &RetrievalArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("retrieval", &args.common)?
        .put("index", args.index.as_ref())?
        .put("index_version", args.index_version.as_ref())?
        .put("source", args.source.as_ref())?
        .content("query", args.query.as_ref())?
        .contents("document", "documents", &args.documents)?
        .step(&args.step)?;
    attach_one(&args.common, &draft)
}

pub(crate) fn tool_call(args: &ToolCallArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("tool_call", &args.common)?
        .put("name", Some(&args.name))?
        .put("version", args.version.as_ref())?
        .put("attempt", args.attempt)?
        .put("latency_ms", args.latency_ms)?
        .content("arguments", args.arguments.as_ref())?
        .content("result", args.result.as_ref())?
        .step(&args.step)?;
    attach_one(&args.common, &draft)
}

pub(crate) fn transform(args: &TransformArgs) -> Result<Verdict, Failure> {
    let draft = Draft::new("transform", &args.common)?
        .put("name", Some(&args.name))?
        .put("version", args.version.as_ref())?
        .put("stage", args.stage)?
        .content("in", args.taken.as_ref())?
        .content("out", args.given.as_ref())?
        .step(&args.step)?;
    attach_one(&args.common, &draft)
}

pub(crate) fn events(args: &EventsArgs) -> Result<Verdict, Failure> {
    match &args.command {
        EventsCommand::Close(args) => {
            let draft = Draft::new("decision.closed", &args.common)?
                .put("outcome", Some(args.outcome))?
                .put("error", args.error.as_ref())?;
            attach_one(&args.common, &draft)
        }
        EventsCommand::Add(args) => {
            let read = match args.file.as_str() {
                "-" => std::io::read_to_string(std::io::stdin()),
                path => std::fs::read_to_string(path),
            };
            let batch = read.map_err(|error| Failure::new(format!("cannot read {}: {error}", args.file)))?;
            attach(&args.open, batch, args.json)
        }
    }
}

fn attach_one(common: &CommonArgs, draft: &Draft) -> Result<Verdict, Failure> {
    attach(&common.open, draft.to_json()?, common.json)
}

fn attach(open: &OpenArgs, batch: String, as_json: bool) -> Result<Verdict, Failure> {
    let told = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(open).await?;
        let told: Result<Events, Failure> = door.ask(Act::Events { batch }).await;
        door.close().await?;
        told
    })?;
    let events = match told {
        Events::Attached(events) => events,
        Events::Refused { code, error } if code == "no_decision" => {
            writeln!(output::stderr(), "{error}")?;
            return Ok(Verdict::No);
        }
        Events::Refused { error, .. } => return Err(Failure::new(error)),
    };
    let mut out = output::stdout();
    if as_json {
        writeln!(out, "{}", serde_json::json!({ "events": events }))?;
        return Ok(Verdict::Well);
    }
    for event in events {
        let how = if event.duplicate { "recorded before" } else { "recorded" };
        writeln!(out, "{} {}: event {} of entry {}", styled(GOOD, how), event.kind, event.id, event.index)?;
    }
    Ok(Verdict::Well)
}
