//! What went in and what came out: input, retrieval, processing, reasoning, output.

use std::fmt::Write as _;

use super::differences::difference;
use super::escape::escape;
use super::page::{Page, code};
use super::words;
use crate::account::diff::Diff;
use crate::account::model::Held;
use crate::account::parts::{DocumentTold, RetrievalStep};

pub(super) fn input(page: &mut Page<'_>) {
    let stages = &page.account.input;
    page.section("input", "Input", |page| {
        let named = [
            ("input.raw", &stages.raw),
            ("input.enriched", &stages.enriched),
            ("input.assembled", &stages.assembled),
        ];
        named.into_iter().for_each(|(role, stage)| self::stage(page, role, stage));
        differences(page, &stages.diffs);
    });
}

/// The contents of a stage, or that there is none.
fn stage(page: &mut Page<'_>, role: &str, stage: &[Held]) {
    page.each(stage, "content", |page, held| page.held(Some(held)));
    if stage.is_empty() {
        let absent = match page.account.entries_purged.is_empty() {
            true => "Nothing is recorded of this stage.",
            false => "Nothing of this stage is in the entries that are left.",
        };
        let _ = writeln!(
            page.out,
            "<figure><figcaption><b>{}</b></figcaption><p class=\"absent\">{absent}</p></figure>",
            words::role(role)
        );
    }
}

fn differences(page: &mut Page<'_>, diffs: &[Diff]) {
    for diff in diffs {
        let html = difference(page.account, diff);
        page.out.push_str(&html);
    }
}

pub(super) fn retrievals(page: &mut Page<'_>) {
    let account = page.account;
    if account.retrievals.is_empty() {
        return;
    }
    page.section("retrieval", "Retrieval", |page| {
        page.each(&account.retrievals, "retrieval", |page, retrieval| {
            let index = retrieval.index.as_deref().unwrap_or("an index without a name");
            let version =
                retrieval.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
            page.step_heading(retrieval.step, &format!("{index}{version}"));
            page.facts(&[
                ("Source", retrieval.source.as_deref().map(escape)),
                ("Digest of the index", retrieval.digest.as_deref().map(code)),
                ("Found", found(retrieval)),
                ("Error", retrieval.error.as_deref().map(|error| escape(&words::spaced(error)))),
            ]);
            page.held(retrieval.query.as_ref());
            documents(page, &retrieval.documents);
        });
    });
}

fn found(retrieval: &RetrievalStep) -> Option<String> {
    let listed = retrieval.documents.len() as u64;
    Some(match retrieval.total {
        Some(total) if total > listed => {
            format!("{} listed of {} found", words::counted(listed, "document"), words::grouped(total))
        }
        _ => words::counted(listed, "document"),
    })
}

fn documents(page: &mut Page<'_>, documents: &[DocumentTold]) {
    if documents.is_empty() {
        return;
    }
    page.out.push_str(
        "<table class=\"documents\"><thead><tr><th scope=\"col\">Rank</th><th scope=\"col\">Score</th><th scope=\"col\">Document</th></tr></thead>\n<tbody>\n",
    );
    let highest =
        documents.iter().filter_map(|document| document.score_millionths).max().unwrap_or(0).max(1_000_000);
    for document in documents {
        let score = match document.score_millionths {
            Some(score) => {
                let permille = score.max(0).saturating_mul(1_000) / highest;
                let sign = if score < 0 { "−" } else { "" };
                format!(
                    "<span class=\"score\">{sign}{}.{:04}</span><span class=\"meter\" aria-hidden=\"true\"><i style=\"width:{}.{}%\"></i></span>",
                    score.unsigned_abs() / 1_000_000,
                    score.unsigned_abs() % 1_000_000 / 100,
                    permille / 10,
                    permille % 10
                )
            }
            None => "<span class=\"dim\">none</span>".to_owned(),
        };
        let _ = writeln!(page.out, "<tr><td class=\"num\">{}</td><td>{score}</td><td>", document.rank);
        page.content(&document.payload, &format!("Document {}", document.rank));
        page.out.push_str("</td></tr>\n");
    }
    page.out.push_str("</tbody></table>\n");
}

pub(super) fn transforms(page: &mut Page<'_>) {
    let account = page.account;
    if account.transforms.is_empty() {
        return;
    }
    page.section("processing", "Processing", |page| {
        page.each(&account.transforms, "step", |page, step| {
            let when = match step.stage.as_deref() {
                Some("pre") => ", before the model",
                Some("post") => ", after the model",
                _ => "",
            };
            let version =
                step.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
            page.step_heading(step.step, &format!("{}{version}{when}", step.name));
            match &step.diff {
                Some(diff) => differences(page, std::slice::from_ref(diff)),
                None => {
                    page.paragraph("absent", "What it changed cannot be said: not both sides were opened.")
                }
            }
            page.held(step.input.as_ref());
            page.held(step.output.as_ref());
        });
    });
}

pub(super) fn reasoning(page: &mut Page<'_>) {
    let account = page.account;
    if account.reasoning.is_empty() {
        return;
    }
    page.section("reasoning", "Reasoning", |page| {
        page.paragraph(
            "lead",
            "What the model wrote on its way. It is what the model produced, not how it came to its answer.",
        );
        page.each(&account.reasoning, "step", |page, step| {
            let form = match step.form.as_str() {
                "full" => "in full",
                "summary" => "a summary of it",
                _ => "opaque: only its provider can read it",
            };
            page.step_heading(step.step, form);
            page.held(step.payload.as_ref());
        });
    });
}

pub(super) fn output(page: &mut Page<'_>) {
    let output = &page.account.output;
    page.section("output", "Output", |page| {
        let same = |said: &Option<String>| match said.as_deref() {
            Some("true") => Some("the same bytes".to_owned()),
            Some("false") => Some("different".to_owned()),
            Some(_) => Some("not compared".to_owned()),
            None => None,
        };
        page.facts(&[
            ("Raw and processed", same(&output.raw_processed)),
            ("Processed and final", same(&output.processed_final)),
        ]);
        self::stage(page, "output.final", &output.r#final);
        differences(page, &output.diffs);
        for (role, stage) in [("output.raw", &output.raw), ("output.processed", &output.processed)] {
            self::stage(page, role, stage);
        }
        output.explanations.iter().for_each(|held| page.held(Some(held)));
    });
}
