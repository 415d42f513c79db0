//! A drill's report for a terminal.

use std::fmt::Write as _;

use super::model::{DecisionDrilled, DrillReport, Replay, SystemReport};
use super::words::{CLAIM, FINDINGS_SHOWN_MAX, again, drawn, facts, place, reasons, verdict};
use crate::account::html::escape::visible;
use crate::paint::Paint;

/// Differences of one answer that are shown; more are in the JSON and on the page.
const DIFFERENCES_SHOWN_MAX: usize = 5;

impl DrillReport {
    /// The report as text, with colours for a terminal or without. What a model's answers differ in is quoted.
    pub fn to_text(&self, color: bool) -> String {
        let (mut out, paint) = (String::new(), Paint(color));
        let said = verdict(self);
        let said = if self.passed { paint.good(&said) } else { paint.bad(&said) };
        let _ = writeln!(out, "{said}\n");
        for system in &self.systems {
            let name = if system.system.is_empty() { "in no log" } else { &system.system };
            let _ = writeln!(out, "  {}{name}: {}", paint.dim("drawn     "), drawn(system));
        }
        for (name, value) in facts(self) {
            let _ = writeln!(out, "  {}{value}", paint.dim(&format!("{name:<10}")));
        }
        let mut left = FINDINGS_SHOWN_MAX;
        for system in &self.systems {
            findings(&mut out, paint, system, &mut left);
        }
        not_replayed(&mut out, paint, self);
        for system in &self.systems {
            if let Some(event) = system.event {
                let _ = writeln!(
                    out,
                    "\n{}",
                    paint.dim(&format!("Recorded as {event} in the log of {}.", system.system))
                );
            }
        }
        if let Some(again) = again(self) {
            let _ = writeln!(out, "{}", paint.dim(&format!("The same decisions again: {again}")));
        }
        let _ = writeln!(out, "{}", paint.dim(CLAIM));
        out
    }
}

fn findings(out: &mut String, paint: Paint, system: &SystemReport, left: &mut usize) {
    let failed: Vec<&DecisionDrilled> = system.decisions.iter().filter(|decision| !decision.passed).collect();
    if failed.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n{}",
        paint.title(if system.system.is_empty() { "in no log" } else { &system.system })
    );
    for (shown, decision) in failed.iter().enumerate() {
        if *left == 0 {
            let more = failed.len() - shown;
            let _ = writeln!(out, "  and {more} more with findings: --json has them all");
            return;
        }
        *left -= 1;
        let _ = writeln!(out, "  {}", paint.title(&decision.decision.to_string()));
        for finding in &decision.findings {
            let place = place(finding);
            let _ = writeln!(out, "    {}  {}", paint.bad(finding.class.name()), paint.dim(&place));
            let _ = writeln!(out, "      {}", visible(&finding.what));
            let mut differences =
                decision.replays.iter().filter(|replay| Some(replay.event) == finding.event);
            if finding.class == super::FindingClass::ReplayDiffers
                && let Some(replay) = differences.next()
            {
                quoted(out, paint, replay);
            }
            let _ = writeln!(out, "      {}", paint.dim(finding.advice));
        }
    }
}

fn quoted(out: &mut String, paint: Paint, replay: &Replay) {
    for difference in replay.differences.iter().take(DIFFERENCES_SHOWN_MAX) {
        let at = if difference.at.is_empty() { "the answer" } else { &difference.at };
        let _ = writeln!(
            out,
            "        {}  {} → {}",
            paint.name(&visible(at)),
            paint.changed(&visible(&difference.recorded), true, false),
            paint.changed(&visible(&difference.replayed), false, false)
        );
    }
}

/// Why model calls were not made again.
fn not_replayed(out: &mut String, paint: Paint, report: &DrillReport) {
    let reasons = reasons(report);
    if !reasons.is_empty() {
        let _ = writeln!(out, "\n{}", paint.title("Not replayable"));
    }
    for (why, count) in reasons {
        let _ = writeln!(out, "  {count}: {}", visible(why));
    }
}
