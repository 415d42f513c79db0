//! The report for people, within [`WIDTH`] columns.

use super::report::{CoverageReport, FieldShare, Finding, Severity, SystemCoverage};
use crate::paint::Paint;
use crate::story::{States, articles};

/// Columns that a line may take.
const WIDTH: usize = 100;
/// Members shown unless all are asked for.
const FIELDS_SHOWN: usize = 12;
/// Routes and ways of capture shown.
const ROWS_SHOWN: usize = 12;
/// Columns before a finding's words.
const INDENT: usize = 12;

impl CoverageReport {
    /// The report as text, with colours for a terminal or without; with `all_fields` each member of each kind.
    pub fn to_text(&self, color: bool, all_fields: bool) -> String {
        let paint = Paint(color);
        let mut text = String::new();
        if self.systems.is_empty() {
            text.push_str("There is no log here.\n");
        }
        for system in &self.systems {
            let since = system.since.as_deref().or(self.since.as_deref());
            let head = format!("{}, profile {}", system.system, system.profile);
            let span = format!(
                "{} to {} UTC",
                since.map_or("the beginning".to_owned(), minute),
                minute(&self.until)
            );
            text.push_str(&format!("{}  {}\n\n", paint.title(&head), paint.dim(&span)));
            counts(&mut text, paint, system);
            routes(&mut text, paint, system);
            captures(&mut text, paint, system);
            fields(&mut text, paint, system, all_fields);
            findings(&mut text, paint, system);
        }
        if let Some(usage) = &self.usage {
            let differ = usage.rows.iter().filter(|row| !row.fits).count();
            let rows = usage.rows.len();
            text.push_str(&format!("Provider's export: {rows} days and models compared, {differ} differ"));
            if usage.outside > 0 {
                text.push_str(&format!(", {} outside the window's whole days", usage.outside));
            }
            text.push_str(".\n");
            if !usage.not_compared.is_empty() {
                let names = format!("Not in it, so not compared: {}", usage.not_compared.join(", "));
                wrap(&mut text, &names, 0);
            }
            text.push('\n');
        }
        wrap(&mut text, self.claim, 0);
        text
    }
}

fn counts(text: &mut String, paint: Paint, system: &SystemCoverage) {
    let counts = &system.counts;
    let unrecorded = counts.admitted - counts.decisions;
    let mut admitted = format!("{} admitted", grouped(counts.admitted));
    match (unrecorded, counts.admitted_unknown) {
        (0, false) => {}
        (0, true) => admitted.push_str(", and nobody knows how many more that passed unrecorded"),
        (lost, unknown) => {
            admitted.push_str(&format!(", {} of them unrecorded", grouped(lost)));
            admitted.push_str(if unknown { ", and nobody knows how many more" } else { "" });
        }
    }
    let lines = [
        (
            "decisions",
            format!(
                "{} recorded, {} closed, {} still open",
                grouped(counts.decisions),
                grouped(counts.closed),
                grouped(counts.open)
            ),
        ),
        ("", admitted),
        (
            "events",
            format!(
                "{} in {} entries; model calls {}, tool calls {}",
                grouped(counts.events),
                grouped(counts.entries),
                grouped(counts.model_calls),
                grouped(counts.tool_calls)
            ),
        ),
        ("contents", contents(system)),
        ("rhythm", rhythm(system)),
    ];
    for (name, line) in lines {
        text.push_str(&format!("  {}{line}\n", paint.dim(&format!("{name:<11}"))));
    }
    text.push('\n');
}

fn contents(system: &SystemCoverage) -> String {
    let states = &system.contents;
    let told = if *states == States::default() { "none".to_owned() } else { states.said() };
    if states.missing == 0 { told } else { format!("{told}; `inferlog verify` names what is missing") }
}

fn rhythm(system: &SystemCoverage) -> String {
    let rhythm = &system.rhythm;
    let hours = rhythm.hours_judged + rhythm.hours_unknown;
    match (hours, rhythm.hours_judged) {
        (0, _) => "no whole hour to judge".to_owned(),
        (_, 0) => {
            format!("{} of {hours} hours silent; too short a log to judge them by", rhythm.hours_silent)
        }
        (_, judged) => format!("{} of {hours} hours silent; {judged} could be judged", rhythm.hours_silent),
    }
}

/// A table: the first column to the left, the others to the right.
fn table(text: &mut String, paint: Paint, head: &[&str], rows: &[Vec<String>]) {
    let width = |place: usize| {
        let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count());
        cells.chain(head.get(place).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(place, (cell, width))| {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            if place == 0 { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    text.push_str(&format!("  {}\n", paint.dim(&line(&head))));
    for row in rows {
        text.push_str(&format!("  {}\n", line(row)));
    }
}

fn routes(text: &mut String, paint: Paint, system: &SystemCoverage) {
    if system.routes.is_empty() {
        return;
    }
    let row = |route: &super::report::RouteShare| {
        let of = |count: u64| percent(count, route.decisions);
        vec![
            cut(&route.route, 40),
            grouped(route.decisions),
            format!("{:.1} %", route.share * 100.0),
            grouped(route.joined),
            of(route.with_subject),
            of(route.with_session),
            of(route.with_human),
        ]
    };
    let rows: Vec<Vec<String>> = system.routes.iter().take(ROWS_SHOWN).map(row).collect();
    let head = ["route", "decisions", "share", "joined", "person", "session", "reviewed"];
    table(text, paint, &head, &rows);
    more(text, paint, system.routes.len(), ROWS_SHOWN, "routes");
}

fn captures(text: &mut String, paint: Paint, system: &SystemCoverage) {
    if system.captures.is_empty() {
        return;
    }
    let row = |capture: &super::report::CaptureShare| {
        let by = format!("{} by {} {}", capture.method, capture.adapter, capture.adapter_version);
        vec![cut(&by, 60), grouped(capture.events), format!("{:.1} %", capture.share * 100.0)]
    };
    let rows: Vec<Vec<String>> = system.captures.iter().take(ROWS_SHOWN).map(row).collect();
    table(text, paint, &["captured", "events", "share"], &rows);
    more(text, paint, system.captures.len(), ROWS_SHOWN, "ways of capture");
}

fn fields(text: &mut String, paint: Paint, system: &SystemCoverage, all: bool) {
    let lacks = |field: &&FieldShare| all || field.level != "r" && field.missing + field.explained > 0;
    let mut shown: Vec<&FieldShare> = system.fields.iter().filter(lacks).collect();
    if shown.is_empty() {
        return;
    }
    if !all {
        let share = |count: u64, of: u64| count.saturating_mul(1_000_000).checked_div(of);
        shown.sort_by_key(|field| {
            std::cmp::Reverse((share(field.missing, field.of), share(field.explained, field.of)))
        });
    }
    let row = |field: &&FieldShare| {
        vec![
            cut(&field.field, 52),
            field.level.to_owned(),
            grouped(field.of),
            percent(field.there, field.of),
            percent(field.explained, field.of),
            percent(field.missing, field.of),
        ]
    };
    let limit = if all { usize::MAX } else { FIELDS_SHOWN };
    let rows: Vec<Vec<String>> = shown.iter().take(limit).map(row).collect();
    let name = if all { "member" } else { "member not always there" };
    table(text, paint, &[name, "level", "of", "there", "explained", "missing"], &rows);
    more(text, paint, shown.len(), limit, "members (--fields shows all)");
}

fn more(text: &mut String, paint: Paint, all: usize, shown: usize, what: &str) {
    if let Some(left) = all.checked_sub(shown).filter(|left| *left > 0) {
        text.push_str(&format!("  {}\n", paint.dim(&format!("and {left} more {what}"))));
    }
    text.push('\n');
}

fn findings(text: &mut String, paint: Paint, system: &SystemCoverage) {
    let (accepted, open): (Vec<&Finding>, Vec<&Finding>) =
        system.findings.iter().partition(|finding| finding.is_accepted());
    open.iter().for_each(|found| finding(text, paint, found));
    for found in &accepted {
        let until =
            found.acceptance.as_ref().map_or("", |acceptance| acceptance.until.get(..10).unwrap_or(""));
        let line = format!("{:<INDENT$}{}  until {until}: {}", "  accepted", found.id, amount(found));
        text.push_str(&format!("{}\n", paint.dim(&line)));
    }
    if !accepted.is_empty() {
        text.push('\n');
    }
    for notice in &system.notices {
        wrap(text, notice, 2);
    }
    let of = |severity: Severity| open.iter().filter(|found| found.severity == severity).count();
    let told = [Severity::Critical, Severity::Warning, Severity::Info]
        .map(|severity| (of(severity), severity.name()));
    let mut parts: Vec<String> =
        told.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if !accepted.is_empty() {
        parts.push(format!("{} accepted", accepted.len()));
    }
    let line = match parts.is_empty() {
        true => paint.good("No finding."),
        false => paint.title(&format!("Findings: {}.", parts.join(", "))),
    };
    text.push_str(&format!("{line}\n\n"));
}

fn finding(text: &mut String, paint: Paint, found: &Finding) {
    let mark = format!("{:<width$}", found.severity.name(), width = INDENT - 2);
    let mark = match found.severity {
        Severity::Critical => paint.bad(&mark),
        Severity::Warning => paint.title(&mark),
        Severity::Info => paint.dim(&mark),
    };
    text.push_str(&format!("  {mark}{}\n", paint.name(&found.id)));
    wrap(text, &format!("{}: {}", amount(found), found.says), INDENT);
    let by = if found.level == "M" {
        "the law requires it of remote biometric identification"
    } else {
        "asked for by inferlog's profile"
    };
    let serves = match found.serves.as_str() {
        "" | "profile" => by.to_owned(),
        serves => format!("{by}, serves {}", articles(serves)),
    };
    text.push_str(&paint.dim(&indented(&serves, INDENT)));
    wrap(text, &format!("→ {}", found.todo), INDENT);
    if !found.examples.is_empty() {
        text.push_str(&paint.dim(&indented(&format!("e.g. {}", found.examples.join(", ")), INDENT)));
    }
    if let Some(acceptance) = &found.acceptance {
        let until = acceptance.until.get(..10).unwrap_or_default();
        text.push_str(&indented(&format!("! accepted until {until}: that is over, it counts again"), INDENT));
    }
    text.push('\n');
}

/// `3 of 1,204 model calls (0.2 %)`.
fn amount(found: &Finding) -> String {
    let count = match (found.count, found.count_unknown) {
        (0, true) => "an unknown number".to_owned(),
        (count, true) => format!("{} and an unknown number", grouped(count)),
        (count, false) => grouped(count),
    };
    match (found.of, found.of_what) {
        (Some(of), Some(what)) => {
            format!("{count} of {} {what} ({})", grouped(of), percent(found.count, of))
        }
        _ => count,
    }
}

fn indented(words: &str, indent: usize) -> String {
    let mut text = String::new();
    wrap(&mut text, words, indent);
    text
}

/// Words on lines of at most [`WIDTH`] columns.
fn wrap(text: &mut String, words: &str, indent: usize) {
    let mut column = 0;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            text.push('\n');
            column = 0;
        }
        if column == 0 {
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns - 1).collect();
    format!("{kept}…")
}

fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share that is neither rounded to nothing nor to all.
fn percent(count: u64, of: u64) -> String {
    match (count, of) {
        (_, 0) => "-".to_owned(),
        (0, _) => "0 %".to_owned(),
        (count, of) if count == of => "100 %".to_owned(),
        (count, of) => {
            let share = (count as f64 / of as f64 * 100.0).clamp(0.1, 99.9);
            format!("{share:.1} %")
        }
    }
}
