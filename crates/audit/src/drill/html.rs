//! A drill's report as one file for a browser: it loads nothing, runs nothing, and can be printed.

use std::fmt::Write as _;

use super::model::{DecisionDrilled, DrillReport, Finding, Replay, ReplayResult, SystemReport};
use super::words::{
    CLAIM, FINDINGS_SHOWN_MAX, again, capital, drawn, entries, facts, place, reasons, verdict,
};
use crate::account::html::words::{grouped, moment, spaced};
use crate::account::html::{document, escape::escape};

/// Decisions beyond which the list of them is folded.
const DECISIONS_OPEN_MAX: usize = 20;
/// Decisions that the page lists; all are in the JSON.
const DECISIONS_SHOWN_MAX: usize = 1_000;

impl DrillReport {
    /// The report as a page. The same report gives the same text. What a model's answers differ in is quoted.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        head(&mut out, self);
        findings(&mut out, self);
        strata(&mut out, self);
        replays(&mut out, self);
        checkpoints(&mut out, self);
        decisions(&mut out, self);
        repeat(&mut out, self);
        let day = self.began.to_string();
        let title = format!("Reconstruction drill of {}", day.get(..10).unwrap_or(&day));
        document(&title, &title, "drill", [&out, CLAIM])
    }
}

fn head(out: &mut String, report: &DrillReport) {
    let systems: Vec<&str> = report.systems.iter().map(name).collect();
    let _ = writeln!(
        out,
        "<header>\n<p class=\"over\">Reconstruction drill</p>\n<h1>{}</h1>\n<p class=\"under\">{} · {}</p>\n</header>",
        escape(&verdict(report)),
        escape(&systems.join(", ")),
        escape(&moment(&report.began.to_string()))
    );
    let result = match report.passed {
        true => pill("good", "passed"),
        false => pill("bad", "failed"),
    };
    let failed = match report.failed {
        0 => String::new(),
        failed => format!("<p><a href=\"#findings\">{} with findings</a></p>", decisions_of(failed)),
    };
    let _ = writeln!(
        out,
        "<section id=\"verdict\" class=\"verdict\" aria-label=\"In short\">\n<dl>\n<div><dt>Result</dt><dd>{result}{failed}</dd></div>"
    );
    for (name, value) in facts(report) {
        let _ = writeln!(out, "<div><dt>{}</dt><dd><p>{}</p></dd></div>", capital(name), escape(&value));
    }
    out.push_str("</dl>\n</section>\n");
}

fn findings(out: &mut String, report: &DrillReport) {
    let failed = report.systems.iter().flat_map(|system| {
        system.decisions.iter().filter(|decision| !decision.passed).map(move |decision| (system, decision))
    });
    let failed: Vec<(&SystemReport, &DecisionDrilled)> = failed.collect();
    out.push_str("<section id=\"findings\">\n<h2>Findings</h2>\n");
    if failed.is_empty() {
        out.push_str("<p>None.</p>\n");
    }
    for (system, decision) in failed.iter().take(FINDINGS_SHOWN_MAX) {
        let _ = writeln!(
            out,
            "<h3><code>{}</code> <span class=\"dim\">{}</span></h3>",
            decision.decision,
            escape(name(system))
        );
        for finding in &decision.findings {
            one(out, decision, finding);
        }
    }
    if let Some(more) = failed.len().checked_sub(FINDINGS_SHOWN_MAX).filter(|more| *more > 0) {
        let _ = writeln!(
            out,
            "<p class=\"absent\">{} more have findings: the JSON has them all.</p>",
            grouped(more as u64)
        );
    }
    out.push_str("</section>\n");
}

fn one(out: &mut String, decision: &DecisionDrilled, finding: &Finding) {
    let _ = writeln!(
        out,
        "<p>{} <span class=\"dim\">{}</span><br>{}<br><span class=\"dim\">{}</span></p>",
        pill("bad", &spaced(finding.class.name())),
        escape(&place(finding)),
        escape(&finding.what),
        escape(finding.advice)
    );
    if finding.class == super::FindingClass::ReplayDiffers {
        let replay = decision.replays.iter().find(|replay| Some(replay.event) == finding.event);
        replay.into_iter().for_each(|replay| differences(out, replay));
    }
}

fn differences(out: &mut String, replay: &Replay) {
    if replay.differences.is_empty() {
        return;
    }
    out.push_str("<div class=\"scroll\"><table>\n<thead><tr><th>Where</th><th>Recorded</th><th>Now</th></tr></thead>\n<tbody>\n");
    for difference in &replay.differences {
        let at = if difference.at.is_empty() { "the answer" } else { &difference.at };
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(at),
            escape(&difference.recorded),
            escape(&difference.replayed)
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn strata(out: &mut String, report: &DrillReport) {
    if report.systems.iter().all(|system| system.strata.is_empty()) {
        return;
    }
    out.push_str(
        "<section id=\"sample\">\n<h2>What was drawn</h2>\n<p class=\"lead\">From the logs themselves, whose openings of decisions were \
         counted. Within a row each decision was as likely as any other.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>System</th>\
         <th>Age</th><th class=\"num\">Decisions</th><th class=\"num\">Drawn</th><th class=\"num\">With findings</th></tr></thead>\n<tbody>\n",
    );
    for system in &report.systems {
        for stratum in &system.strata {
            let failed =
                system.decisions.iter().filter(|one| !one.passed && one.age == Some(stratum.age)).count();
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
                escape(name(system)),
                stratum.age,
                grouped(stratum.population),
                grouped(stratum.drawn as u64),
                grouped(failed as u64)
            );
        }
    }
    out.push_str("</tbody></table></div>\n</section>\n");
}

fn replays(out: &mut String, report: &DrillReport) {
    if !report.replayed {
        return;
    }
    out.push_str(
        "<section id=\"replays\">\n<h2>Model calls made again</h2>\n<p class=\"lead\">The recorded input was sent to the model server, \
         and its answer held against the recorded one; ids, times and counts of tokens were passed over.</p>\n",
    );
    let mut results: Vec<String> = Vec::new();
    for (result, count) in &report.checked.replays {
        let class = match *result {
            "same" => "good",
            "within_tolerance" | "not_replayable" => "caution",
            _ => "bad",
        };
        results.push(format!("{} {}", grouped(*count), pill(class, &spaced(result))));
    }
    let _ = writeln!(
        out,
        "<p>{}</p>",
        if results.is_empty() { "No model call.".to_owned() } else { results.join(", ") }
    );
    let reasons = reasons(report);
    if !reasons.is_empty() {
        out.push_str("<h3>Not replayable</h3>\n<ul>\n");
        for (why, count) in reasons {
            let _ = writeln!(out, "<li>{}: {}</li>", grouped(count), escape(why));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}

fn checkpoints(out: &mut String, report: &DrillReport) {
    out.push_str("<section id=\"proof\">\n<h2>Proved under</h2>\n");
    let checkpoints: Vec<_> = report.systems.iter().flat_map(|system| &system.checkpoints).collect();
    if checkpoints.is_empty() {
        out.push_str("<p>Nothing was proved.</p>\n");
    }
    for checkpoint in checkpoints {
        let whose = if checkpoint.key_given {
            "a key that was given"
        } else {
            "a key that stands in the directory itself"
        };
        let signers: Vec<String> =
            checkpoint.signed_by.iter().map(|key| format!("<code>{}</code>", escape(key))).collect();
        let _ = writeln!(
            out,
            "<dl class=\"facts\">\n<div class=\"wide\"><dt>Log</dt><dd><code>{}</code></dd></div>\n<div><dt>Size</dt><dd>{}</dd></div>\n\
             <div><dt>Whose word the key is</dt><dd>{whose}</dd></div>\n<div class=\"wide\"><dt>Root hash</dt><dd><code>{}</code></dd></div>\n\
             <div class=\"wide\"><dt>Signed by</dt><dd>{}</dd></div>\n</dl>",
            escape(&checkpoint.log),
            entries(checkpoint.size),
            escape(&checkpoint.root),
            signers.join("<br>")
        );
    }
    out.push_str("</section>\n");
}

fn decisions(out: &mut String, report: &DrillReport) {
    out.push_str("<section id=\"decisions\">\n<h2>Decisions</h2>\n");
    for system in &report.systems {
        let _ = writeln!(
            out,
            "<h3>{}</h3>\n<p class=\"dim\">{}</p>",
            escape(name(system)),
            escape(&drawn(system))
        );
        let is_long = system.decisions.len() > DECISIONS_OPEN_MAX;
        if is_long {
            let _ = writeln!(out, "<details><summary>All {}</summary>", decisions_of(system.sampled));
        }
        out.push_str(
            "<div class=\"scroll\"><table class=\"proof\">\n<thead><tr><th>Decision</th><th>Age</th><th class=\"num\">Entries</th>\
             <th class=\"num\">Contents</th><th>Result</th></tr></thead>\n<tbody>\n",
        );
        for decision in system.decisions.iter().take(DECISIONS_SHOWN_MAX) {
            let _ = writeln!(
                out,
                "<tr><td><code>{}</code></td><td>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td><td>{}{}</td></tr>",
                decision.decision,
                decision.age.unwrap_or("named"),
                decision.entries,
                decision.contents,
                if decision.passed { pill("good", "passed") } else { pill("bad", "failed") },
                decision.replays.iter().map(mark).collect::<String>()
            );
        }
        out.push_str("</tbody></table></div>\n");
        if let Some(more) = system.decisions.len().checked_sub(DECISIONS_SHOWN_MAX).filter(|more| *more > 0) {
            let _ = writeln!(
                out,
                "<p class=\"absent\">{} more: the JSON has them all.</p>",
                grouped(more as u64)
            );
        }
        if is_long {
            out.push_str("</details>\n");
        }
    }
    out.push_str("</section>\n");
}

fn mark(replay: &Replay) -> String {
    let class = match replay.result {
        ReplayResult::Same { .. } => "good",
        ReplayResult::WithinTolerance { .. } | ReplayResult::NotReplayable { .. } => "caution",
        ReplayResult::Different { .. } => "bad",
    };
    format!(" {}", pill(class, &format!("replay {}", spaced(replay.result.name()))))
}

fn repeat(out: &mut String, report: &DrillReport) {
    out.push_str("<section id=\"repeat\">\n<h2>To check this</h2>\n");
    if let Some(again) = again(report) {
        let _ = writeln!(
            out,
            "<p>The same decisions are drawn by</p>\n<pre class=\"code\">{}</pre>",
            escape(&again)
        );
    }
    out.push_str("<p>One decision is told in full by</p>\n<pre class=\"code\">inferlog reconstruct DECISION --data DIR</pre>\n");
    for system in &report.systems {
        if let Some(event) = system.event {
            let _ = writeln!(
                out,
                "<p class=\"dim\">Recorded as the event <code>{event}</code> in the log of {}.</p>",
                escape(name(system))
            );
        }
    }
    out.push_str("</section>\n");
}

fn name(system: &SystemReport) -> &str {
    if system.system.is_empty() { "in no log" } else { &system.system }
}

fn decisions_of(count: u64) -> String {
    crate::account::html::words::counted(count, "decision")
}

/// A mark with words, by shape and by colour.
fn pill(class: &str, text: &str) -> String {
    let sign = match class {
        "good" => "✓",
        "caution" => "▲",
        _ => "✕",
    };
    format!("<span class=\"pill {class}\"><i aria-hidden=\"true\">{sign}</i> {}</span>", escape(text))
}
