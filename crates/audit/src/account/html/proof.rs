//! Whether the record is complete, whether it is proved, and how to check that oneself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::escape;
use super::marks::pill;
use super::page::{Page, code, step_link};
use super::words;
use crate::account::graph::Tone;
use crate::account::verdict::MissingItem;
use crate::report::KeySource;
use crate::story::states::{LEGEND, taken_out};

/// Steps beyond which the table is folded.
const STEPS_OPEN_MAX: usize = 200;

pub(super) fn proof(page: &mut Page<'_>) {
    let account = page.account;
    page.section("proof", "Proof", |page| {
        page.paragraph(
            "lead",
            "Each step stands in an entry of an append-only log. An entry is proved if its inclusion proof leads to the root of a checkpoint that the log’s key signed.",
        );
        for log in &account.proof.logs {
            let keys: Vec<String> = log.signed_by.iter().map(|key| code(key)).collect();
            let from = match log.key_from {
                KeySource::Given => "given by whoever made this account",
                KeySource::Directory => "from the directory itself: it proves nothing against somebody who can write there",
            };
            page.facts(&[
                ("Log", Some(code(&log.log))),
                ("Checkpoint", Some(format!("{} entries", words::grouped(log.size)))),
                ("Root", Some(code(&log.root))),
                ("Signed by", Some(if keys.is_empty() { pill(Tone::Bad, "nobody whose key is known") } else { keys.join("<br>") })),
                ("Key", Some(from.to_owned())),
                ("Problem", log.problem.as_deref().map(|problem| pill(Tone::Bad, problem))),
            ]);
        }
        let is_long = account.steps.len() > STEPS_OPEN_MAX;
        if is_long {
            let count = words::counted(account.steps.len() as u64, "step");
            let _ = writeln!(page.out, "<details class=\"turn\"><summary>{count}</summary>");
        }
        page.out.push_str(
            "<div class=\"scroll\"><table class=\"proof\"><thead><tr><th scope=\"col\">Step</th><th scope=\"col\">What</th><th scope=\"col\" class=\"num\">Entry</th><th scope=\"col\">Included</th><th scope=\"col\" class=\"num\">Checkpoint</th><th scope=\"col\">Serves</th></tr></thead>\n<tbody>\n",
        );
        for step in &account.steps {
            let log = account.proof.logs.get(step.proof.log);
            let size = log.map_or(String::new(), |log| words::grouped(log.size));
            let several = if account.proof.logs.len() > 1 { format!("log {}, ", step.proof.log + 1) } else { String::new() };
            let entries: Vec<String> = step.proof.entries.iter().map(|entry| words::grouped(*entry)).collect();
            let included = if step.proof.included { pill(Tone::Good, "yes") } else { pill(Tone::Bad, "no") };
            let _ = writeln!(
                page.out,
                "<tr><td>{}</td><td>{}</td><td class=\"num\">{}</td><td>{included}</td><td class=\"num\">{several}{size}</td><td class=\"dim\">{}</td></tr>",
                step_link(step.number),
                escape(words::kind(&step.kind)),
                entries.join(", "),
                escape(&words::articles(&step.serves))
            );
        }
        page.out.push_str(if is_long { "</tbody></table></div></details>\n" } else { "</tbody></table></div>\n" });
    });
}

pub(super) fn completeness(page: &mut Page<'_>) {
    let verdict = &page.account.verdict;
    page.section("completeness", "Completeness", |page| {
        states(page);
        if verdict.missing.is_empty() {
            page.paragraph("lead", "Nothing that the record’s profile asks for is missing.");
        } else {
            page.out.push_str(
                "<div class=\"scroll\"><table class=\"missing\"><thead><tr><th scope=\"col\">Step</th><th scope=\"col\">What is missing</th><th scope=\"col\">Why</th><th scope=\"col\">Would serve</th><th scope=\"col\">Level</th></tr></thead>\n<tbody>\n",
            );
        }
        // What many steps lack alike is said once.
        let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut alike: Vec<(&MissingItem, Vec<usize>)> = Vec::new();
        for item in &verdict.missing {
            let at = *places.entry((&item.field, &item.why)).or_insert(alike.len());
            if at == alike.len() {
                alike.push((item, Vec::new()));
            }
            alike[at].1.extend(item.step);
        }
        alike.iter().for_each(|(item, steps)| missing(page, item, steps));
        if !verdict.missing.is_empty() {
            page.out.push_str("</tbody></table></div>\n");
            page.paragraph(
                "dim",
                "M: required by law of the systems it names. R: required by inferlog’s own profile. r: recommended.",
            );
        }
        page.paragraph("dim", verdict.claim);
        for notice in &page.account.notices {
            page.paragraph("dim", notice);
        }
    });
}

/// What became of the contents, with a legend of the states that occur.
fn states(page: &mut Page<'_>) {
    let states = page.account.states;
    for purged in &page.account.entries_purged {
        page.paragraph("wrong", &format!("Purged: {}", purged.said()));
    }
    if !states.is_worth_telling() {
        return;
    }
    let counts = [
        ("present", states.present.saturating_sub(states.held)),
        ("held", states.held),
        ("redacted", states.redacted),
        ("erased", states.erased),
        ("purged", states.purged),
        ("not captured", states.not_captured),
        ("missing", states.missing),
    ];
    page.out.push_str("<div class=\"scroll\"><table class=\"missing\"><thead><tr><th scope=\"col\">State</th><th scope=\"col\" class=\"num\">Contents</th><th scope=\"col\">Means</th></tr></thead>\n<tbody>\n");
    for ((name, mark, meaning), (_, count)) in LEGEND.into_iter().zip(counts) {
        let class = match name {
            "present" => "good",
            "held" => "human",
            "erased" | "purged" => "caution",
            "missing" => "bad",
            _ => "plain",
        };
        let _ = writeln!(
            page.out,
            "<tr><td><span class=\"pill {class}\"><i aria-hidden=\"true\">{mark}</i> {name}</span></td><td class=\"num\">{count}</td><td>{meaning}</td></tr>"
        );
    }
    page.out.push_str("</tbody></table></div>\n");
    if states.spans_redacted > 0 {
        let spans = words::counted(states.spans_redacted, "place");
        page.paragraph(
            "dim",
            &format!(
                "In contents that are there, rules took something out in {spans} before it was recorded."
            ),
        );
        for step in page.account.steps.iter().filter(|step| !step.redactions.is_empty()) {
            let said = escape(&taken_out(&step.redactions));
            let _ = writeln!(page.out, "<p class=\"dim\">{} {said}</p>", step_link(step.number));
        }
    }
}

fn missing(page: &mut Page<'_>, item: &MissingItem, steps: &[usize]) {
    let mark = if item.explained { String::new() } else { pill(Tone::Bad, "no reason") };
    let _ = writeln!(
        page.out,
        "<tr><td>{}</td><td><code>{}</code></td><td>{} {mark}</td><td>{}</td><td>{}</td></tr>",
        super::page::step_links(steps),
        escape(&item.field),
        escape(&item.why),
        escape(&words::articles(&item.serves)),
        escape(item.level)
    );
}

pub(super) fn how_to_check(page: &mut Page<'_>) {
    let decision = page.account.identity.decision;
    let logs = &page.account.proof.logs;
    page.section("check", "How to check this yourself", |page| {
        page.out.push_str(
            "<p>Nothing on this page has to be believed. Ask for the log’s verifier key on a way of its own, and for the decision’s receipts; \
             neither opens any content.</p>\n<ol class=\"check\">\n",
        );
        let steps = [
            ("The whole log against its signed checkpoint, every byte:", "inferlog verify --data DIR --key VKEY".to_owned()),
            ("This decision’s receipts, to take away:", format!("inferlog receipt {decision} --data DIR --output receipts")),
            ("A receipt, offline and without the log:", "inferlog receipt check receipts/INDEX.tlog-proof --key VKEY".to_owned()),
            ("This account, made anew from the log:", format!("inferlog reconstruct {decision} --data DIR --format html")),
        ];
        for (what, command) in steps {
            let _ = writeln!(page.out, "<li>{} <pre class=\"code\">{}</pre></li>", escape(what), escape(&command));
        }
        page.out.push_str("</ol>\n");
        for log in logs {
            let _ = writeln!(
                page.out,
                "<p class=\"dim\">The log {} is a directory in the form of c2sp.org/tlog-tiles and its receipts are c2sp.org/tlog-proof: tools of others read both.</p>",
                code(&log.log)
            );
        }
    });
}
