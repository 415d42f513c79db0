//! The incident sheet: one incident on one page, to be read in a meeting and printed for a file.

use std::fmt::Write as _;

use inferlog_record::body::{Basis, IncidentCategory, IncidentPhase, Scope};
use inferlog_record::{Id, Timestamp};
use serde::Serialize;

use super::model::{DAY_NS, HoldTold, IncidentTold, StatedAt};
use crate::account::html::document;
use crate::account::html::escape::escape;
use crate::account::html::words::{counted, lasted, moment};

/// What a sheet says.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentSheet {
    /// When it was made: time left is counted from here.
    pub made_at: Timestamp,
    /// The incident.
    pub incident: IncidentTold,
    /// The holds that freeze its records.
    pub holds: Vec<HoldTold>,
    /// Decisions that they cover, if that was counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered: Option<u64>,
    /// Reports that were opened.
    pub reports: Vec<OpenedReport>,
}

/// A report's text.
#[derive(Clone, Debug, Serialize)]
pub struct OpenedReport {
    /// The event that it came with.
    pub event: Id,
    /// The text, or why it is not there.
    pub text: Result<String, String>,
}

/// Time until a deadline, or since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeLeft {
    /// Nanoseconds left.
    Left(u64),
    /// Nanoseconds since it was over.
    Over(u64),
    /// A report was recorded, or the incident closed.
    Stopped,
}

const FOOTER: &str = "This sheet says what was recorded of an incident. inferlog does not know whether a report reached an authority, nor \
whether what happened is a serious incident in the sense of Regulation (EU) 2024/1689: whoever recorded it said so. Whether the \
obligations of the Regulation and of other law are met is for the organisation to judge.";

/// Where the clock comes from, and what it does not know.
pub const CLOCK_WORDS: &str = "is the most that Article 73 of Regulation (EU) 2024/1689 allows from becoming aware, counted here in days of 24 hours \
from the time that was recorded. It is a last date and no plan: a report is due as soon as a causal link is established or \
reasonably likely, and this clock does not know of that.";

impl IncidentTold {
    /// How much time is left for the report.
    pub fn left(&self, now: Timestamp) -> TimeLeft {
        match (self.is_due(), self.due_at.nanos().checked_sub(now.nanos())) {
            (false, _) => TimeLeft::Stopped,
            (true, Some(left)) => TimeLeft::Left(left),
            (true, None) => TimeLeft::Over(now.nanos() - self.due_at.nanos()),
        }
    }

    /// How it stands with the report: `12 days left`, `over since 3 h`, `reported`, `reported 2 h late`, `closed, no report recorded`.
    pub fn report_words(&self, now: Timestamp) -> String {
        match (self.left(now), self.reported_at()) {
            (TimeLeft::Left(left), _) => format!("{} left", lasted(left)),
            (TimeLeft::Over(over), _) => format!("over since {}", lasted(over)),
            (TimeLeft::Stopped, None) => "closed, no report recorded".to_owned(),
            (TimeLeft::Stopped, Some(at)) => match at.nanos().checked_sub(self.due_at.nanos()) {
                None | Some(0) => "reported".to_owned(),
                Some(late) => format!("reported {} late", lasted(late)),
            },
        }
    }

    /// When it was recorded that it was reported.
    pub fn reported_at(&self) -> Option<Timestamp> {
        let reported = self.steps.iter().find(|step| step.phase == IncidentPhase::Reported);
        reported.map(|step| step.stated.at)
    }
}

/// What happened, in words.
pub fn category_words(category: IncidentCategory) -> &'static str {
    match category {
        IncidentCategory::Death => "Death of a person",
        IncidentCategory::HealthHarm => "Serious harm to a person\u{2019}s health",
        IncidentCategory::CriticalInfrastructure => "Disruption of critical infrastructure",
        IncidentCategory::WidespreadInfringement => "Widespread infringement",
        IncidentCategory::FundamentalRights => "Infringement of fundamental rights obligations",
        IncidentCategory::PropertyOrEnvironment => "Serious harm to property or the environment",
    }
}

/// On what ground, in words.
pub fn basis_words(basis: Basis) -> &'static str {
    match basis {
        Basis::Incident => "an incident",
        Basis::AuthorityOrder => "an authority\u{2019}s order",
        Basis::LegalClaim => "a legal claim",
        Basis::Internal => "the organisation\u{2019}s own decision",
    }
}

/// What scopes freeze, in words: `12 decisions`, `all records logged from 1 March 2026, 00:00:00.000 UTC`.
pub fn scope_words(scopes: &[Scope]) -> String {
    let named: u64 = scopes.iter().map(|scope| scope.decisions.len() as u64).sum();
    let Some(first) = scopes.first() else { return "nothing".to_owned() };
    let mut words = match named {
        0 => "all records".to_owned(),
        named => counted(named, "named decision"),
    };
    if !first.subjects.is_empty() {
        let _ = write!(words, " about {}", counted(first.subjects.len() as u64, "person"));
    }
    if !first.classes.is_empty() {
        let classes: Vec<&str> = first.classes.iter().map(|class| class.as_str()).collect();
        let _ = write!(words, " of class {}", classes.join(", "));
    }
    let time = |time: Timestamp| moment(&time.to_string());
    let _ = match (first.from, first.to) {
        (Some(from), Some(to)) => write!(words, " logged from {} to before {}", time(from), time(to)),
        (Some(from), None) => write!(words, " logged from {} on", time(from)),
        (None, Some(to)) => write!(words, " logged before {}", time(to)),
        (None, None) => Ok(()),
    };
    words
}

impl IncidentSheet {
    /// The sheet as a page that loads nothing and runs nothing.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        self.deadline(&mut out);
        self.frozen(&mut out);
        self.history(&mut out);
        self.check(&mut out);
        let title = format!("Incident {}", self.incident.incident);
        document(&title, &title, "incident", [&out, FOOTER])
    }

    fn head(&self, out: &mut String) {
        let incident = &self.incident;
        let _ = writeln!(
            out,
            "<header>\n<p class=\"over\">Incident sheet</p>\n<h1 style=\"font-family: inherit\">{}</h1>\n<p class=\"under\">{} · <code>{}</code></p>\n</header>",
            escape(category_words(incident.category)),
            escape(&incident.system),
            incident.incident
        );
        let left = incident.left(self.made_at);
        let (class, sign) = match left {
            TimeLeft::Left(left) if left > 2 * DAY_NS => ("caution", "▲"),
            TimeLeft::Stopped if incident.reported_at().is_some_and(|at| at <= incident.due_at) => {
                ("good", "✓")
            }
            _ => ("bad", "✕"),
        };
        let standing = self.holds.iter().filter(|hold| hold.stands()).count() as u64;
        let frozen = match (standing, self.covered) {
            (0, _) => "nothing: no hold of this incident stands".to_owned(),
            (holds, Some(covered)) => {
                format!("{} under {}", counted(covered, "decision"), counted(holds, "hold"))
            }
            (holds, None) => counted(holds, "hold"),
        };
        let pill = format!(
            "<span class=\"pill {class}\"><i aria-hidden=\"true\">{sign}</i> {}</span>",
            escape(&incident.report_words(self.made_at))
        );
        let _ = writeln!(
            out,
            "<section class=\"verdict\" style=\"margin-bottom: 1.6rem\" aria-label=\"In short\">\n<dl>\n<div><dt>Report</dt><dd>{pill}</dd></div>"
        );
        for (name, value) in [
            ("At the latest", moment(&incident.due_at.to_string())),
            ("Aware since", moment(&incident.aware_at.to_string())),
            ("Stage", incident.phase.as_str().to_owned()),
            ("Frozen", frozen),
            ("As of", moment(&self.made_at.to_string())),
        ] {
            let _ = writeln!(out, "<div><dt>{name}</dt><dd><p>{}</p></dd></div>", escape(&value));
        }
        out.push_str("</dl>\n</section>\n");
    }

    fn deadline(&self, out: &mut String) {
        let days = counted(u64::from(self.incident.days), "day");
        let _ = writeln!(out, "<section>\n<h2>The clock</h2>\n<p>{days} {CLOCK_WORDS}</p>\n</section>");
    }

    fn frozen(&self, out: &mut String) {
        out.push_str("<section>\n<h2>Frozen records</h2>\n");
        if self.holds.is_empty() {
            out.push_str("<p class=\"absent\">No hold was placed for it.</p>\n");
        } else {
            out.push_str(
                "<p class=\"lead\">While a hold stands nothing that it covers is erased or purged.</p>\n",
            );
        }
        for hold in &self.holds {
            let released = hold.released.as_ref().map(|end| {
                format!(
                    "{}, on the ground of {}{}",
                    moment(&end.stated.at.to_string()),
                    basis_words(end.basis),
                    by(&end.stated)
                )
            });
            let placed = hold.placed.first().map(by).unwrap_or_default();
            out.push_str("<dl class=\"facts\">\n");
            for (name, value) in [
                ("Hold", Some(hold.hold.to_string())),
                ("Ground", Some(basis_words(hold.basis).to_owned())),
                ("Freezes", Some(scope_words(&hold.scopes))),
                ("Placed", Some(format!("{}{placed}", moment(&hold.placed_at.to_string())))),
                ("Released", Some(released.unwrap_or_else(|| "no: it stands".to_owned()))),
            ] {
                if let Some(value) = value {
                    let _ =
                        writeln!(out, "<div class=\"wide\"><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
                }
            }
            out.push_str("</dl>\n");
        }
        out.push_str("</section>\n");
    }

    fn history(&self, out: &mut String) {
        out.push_str(
            "<section>\n<h2>What was recorded</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>When</th><th>Stage</th><th>By</th><th>Event</th>\
             <th class=\"num\">Entry</th></tr></thead>\n<tbody>\n",
        );
        for step in &self.incident.steps {
            let by = step.stated.by.map_or_else(|| "not said".to_owned(), |by| by.to_string());
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td><span class=\"pill\">{}</span></td><td><code>{by}</code></td><td><code>{}</code></td><td class=\"num\">{}</td></tr>",
                escape(&moment(&step.stated.at.to_string())),
                step.phase.as_str(),
                step.stated.event,
                step.stated.index
            );
        }
        out.push_str("</tbody></table></div>\n");
        for step in &self.incident.steps {
            let Some(report) = &step.report else { continue };
            let _ = writeln!(out, "<h3>Report with the stage “{}”</h3>", step.phase.as_str());
            let opened = self.reports.iter().find(|opened| opened.event == step.stated.event);
            let _ = match (opened.map(|opened| &opened.text), &report.missing) {
                (Some(Ok(text)), _) => writeln!(out, "<blockquote><p>{}</p></blockquote>", escape(text)),
                (Some(Err(why)), _) | (None, Some(why)) => {
                    writeln!(out, "<p class=\"absent\">Not here: {}.</p>", escape(why))
                }
                (None, None) => {
                    writeln!(out, "<p class=\"absent\">Sealed in the log; not opened for this sheet.</p>")
                }
            };
        }
        out.push_str("</section>\n");
    }

    fn check(&self, out: &mut String) {
        let Some(first) = self.incident.steps.first() else { return };
        let _ = writeln!(
            out,
            "<section>\n<h2>To check this</h2>\n<p>The record stands in the log</p>\n<pre class=\"code\">{}</pre>\n<p>The decisions that are frozen, \
             with proofs that need no trust in whoever hands them over:</p>\n<pre class=\"code\">inferlog export bundle --data DIR --incident {} \
             --output incident.zip</pre>\n</section>",
            escape(&first.stated.log),
            self.incident.incident
        );
    }
}

fn by(stated: &StatedAt) -> String {
    stated.by.map(|by| format!(", by {by}")).unwrap_or_default()
}
