//! The report on sampling as text.

use std::io::{self, Write};

use super::SamplingReport;

/// Writes the report for people to read.
pub fn write_sampling(out: &mut impl Write, reports: &[SamplingReport]) -> io::Result<()> {
    if reports.is_empty() {
        return writeln!(out, "Nothing was sampled: every decision is recorded.");
    }
    for (place, report) in reports.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        write_one(out, report)?;
    }
    Ok(())
}

fn write_one(out: &mut impl Write, report: &SamplingReport) -> io::Result<()> {
    writeln!(out, "{}  {} sampling under the policy {}", report.system, report.method, report.policy)?;
    if let (Some(from), Some(to)) = (report.from, report.to) {
        writeln!(out, "  counted from {from} to {to}")?;
    }
    writeln!(
        out,
        "  {:24} {:>12} {:>12} {:>12} {:>12}",
        "", "decisions", "selected", "kept anyway", "probability"
    )?;
    for stratum in &report.strata {
        let name = stratum.stratum.as_deref().unwrap_or(match report.strata.len() {
            1 => "all",
            _ => "of no stratum",
        });
        let probability =
            stratum.probability.map_or("-".to_owned(), |probability| format!("{probability:.6}"));
        writeln!(
            out,
            "  {name:24} {:>12} {:>12} {:>12} {probability:>12}",
            stratum.population, stratum.selected, stratum.always
        )?;
    }
    if report.strata.len() > 1 {
        writeln!(
            out,
            "  {:24} {:>12} {:>12} {:>12}",
            "together", report.population, report.selected, report.always
        )?;
    }
    match report.unseen_rate_max {
        Some(rate) => writeln!(
            out,
            "  A kind of decision of which none was selected: at most {} of {}, {:.4} %, with 95 % confidence, if {}.",
            report.unseen_max,
            report.population,
            rate * 100.0,
            report.holds_if
        )?,
        None => writeln!(out, "  No decision was counted.")?,
    }
    for lost in &report.uncounted {
        let time = |at: Option<inferlog_record::Timestamp>| at.map_or("?".to_owned(), |at| at.to_string());
        writeln!(
            out,
            "  From {} to {} nobody counted: recording ended in disorder. Nothing above is said of that time.",
            time(lost.from),
            time(lost.to)
        )?;
    }
    Ok(())
}
