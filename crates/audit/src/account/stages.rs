//! Input and output by stages, transforms, and what people changed: the contents that are held against each other.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::body::Body;
use inferlog_record::{Id, PayloadRole as Role};

use super::diff::{Diff, diff};
use super::model::{Content, Held, Stages};
use super::parts::{HumanStep, OutputTold, TransformStep};
use super::reader::{Reader, text};

/// Comparisons of one section; a decision of thousands of turns has no more.
const DIFFS_MAX: usize = 32;

type Contents = BTreeMap<Id, Content>;

/// The stages of the input.
pub(super) fn input(reader: &Reader<'_>, contents: &Contents) -> Stages {
    let [raw, enriched, assembled] =
        [Role::InputRaw, Role::InputEnriched, Role::InputAssembled].map(|role| reader.all(role));
    let mut diffs = Vec::new();
    // Each stage is held against the newest of the stage before, of a step that came before.
    for held in &enriched {
        if let Some(before) = newest(&raw, held) {
            diffs.extend(compare(contents, "raw → enriched", before, held));
        }
    }
    for held in &assembled {
        let (title, before) = match (newest(&enriched, held), newest(&raw, held)) {
            (Some(enriched), Some(raw)) if raw.step > enriched.step => ("raw → assembled", Some(raw)),
            (Some(enriched), _) => ("enriched → assembled", Some(enriched)),
            (None, raw) => ("raw → assembled", raw),
        };
        let before = before.filter(|before| before.payload != held.payload);
        diffs.extend(before.and_then(|before| compare(contents, title, before, held)));
        if diffs.len() >= DIFFS_MAX {
            break;
        }
    }
    diffs.truncate(DIFFS_MAX);
    Stages { raw, enriched, assembled, diffs }
}

/// The newest of a stage that came before.
fn newest<'h>(stage: &'h [Held], held: &Held) -> Option<&'h Held> {
    let after = stage.partition_point(|other| other.step <= held.step);
    stage.get(after.checked_sub(1)?)
}

/// The stages of the output.
pub(super) fn output(reader: &Reader<'_>, contents: &Contents) -> OutputTold {
    let roles = [Role::OutputRaw, Role::OutputProcessed, Role::OutputFinal, Role::Explanation];
    let [mut raw, processed, r#final, explanations] = roles.map(|role| reader.all(role));
    // An `output` may name again what the model call recorded.
    let mut seen = BTreeSet::new();
    raw.retain(|held| seen.insert(held.payload));
    let identical = reader.events().filter_map(|(_, event)| match &event.body {
        Body::Output(body) => Some(&body.identical),
        _ => None,
    });
    let identical = identical.last();
    let (last_raw, last_processed) = (raw.last(), processed.last());
    let mut diffs = Vec::new();
    let mut add = |title, from: Option<&Held>, to: Option<&Held>| {
        diffs.extend(from.zip(to).and_then(|(from, to)| compare(contents, title, from, to)));
    };
    add("raw → processed", last_raw, last_processed);
    match last_processed {
        Some(processed) => add("processed → final", Some(processed), r#final.last()),
        None => add("raw → final", last_raw, r#final.last()),
    }
    OutputTold {
        raw_processed: identical.map(|identical| identical.raw_processed.to_string()),
        processed_final: identical.map(|identical| identical.processed_final.to_string()),
        raw,
        processed,
        r#final,
        explanations,
        diffs,
    }
}

/// Steps of pre- and post-processing.
pub(super) fn transforms(reader: &Reader<'_>, contents: &Contents) -> Vec<TransformStep> {
    let mut transforms = Vec::new();
    for (told, event) in reader.events() {
        let Body::Transform(body) = &event.body else { continue };
        let (input, output) = (told.one(Role::TransformIn), told.one(Role::TransformOut));
        let both = input.as_ref().zip(output.as_ref()).filter(|_| transforms.len() < DIFFS_MAX);
        let diff = both.and_then(|(input, output)| compare(contents, "in → out", input, output));
        transforms.push(TransformStep {
            step: told.step.order,
            name: body.name.to_string(),
            version: text(body.version.as_ref()),
            stage: text(body.stage.as_ref()),
            outcome: body.outcome.to_string(),
            error: text(body.error.as_ref()),
            input,
            output,
            diff,
        });
    }
    transforms
}

/// What people did.
pub(super) fn humans(reader: &Reader<'_>, contents: &Contents) -> Vec<HumanStep> {
    let mut humans = Vec::new();
    for (told, event) in reader.events() {
        let Body::Human(body) = &event.body else { continue };
        let (before, after) = (told.one(Role::HumanBefore), told.one(Role::HumanAfter));
        let both = before.as_ref().zip(after.as_ref()).filter(|_| humans.len() < DIFFS_MAX);
        let diff = both.and_then(|(before, after)| compare(contents, "before → after", before, after));
        humans.push(HumanStep {
            step: told.step.order,
            action: body.action.to_string(),
            reviewer: text(body.reviewer.as_ref()),
            about: body.about.and_then(|about| reader.number(about)),
            logged_at: event.logged_at.to_string(),
            after_end_ns: reader
                .first_end
                .and_then(|end| event.logged_at.nanos().checked_sub(end.nanos()))
                .filter(|after| *after > 0),
            before,
            after,
            reason: told.one(Role::HumanReason),
            diff,
        });
    }
    humans
}

fn compare(contents: &Contents, title: &str, from: &Held, to: &Held) -> Option<Diff> {
    let [old, new] = [from, to].map(|held| contents.get(&held.payload));
    diff(title, (from.payload, old?), (to.payload, new?))
}
