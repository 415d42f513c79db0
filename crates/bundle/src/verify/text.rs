//! A report for people: how far the proofs reach and by whose word, then every check, then each fault with its place.

use std::fmt::{Display, Write as _};

use anstyle::{AnsiColor, Style};

use super::report::{BundleReport, KeySource, LogReport, Outcome, counted};

const TITLE: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default();
const NAME: Style = AnsiColor::Cyan.on_default();

/// Width of the longest name of a check.
const CHECK_WIDTH: usize = 12;

/// Text in a style, if colours are asked for.
struct Painter(bool);

impl Painter {
    fn with(&self, style: Style, text: impl Display) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

impl BundleReport {
    /// The report as text, with colours for a terminal or without. It never says merely that a bundle is valid: it says by whose
    /// keys, and what is not proved.
    pub fn to_text(&self, color: bool) -> String {
        let (mut out, paint) = (String::new(), Painter(color));
        self.logs.iter().for_each(|log| tell_log(&mut out, &paint, log));
        let _ = writeln!(out);
        for check in &self.checks {
            let (style, word) = match check.outcome {
                Outcome::Passed => (GOOD, "passed"),
                Outcome::Failed => (BAD, "FAILED"),
                Outcome::Unchecked => (UNSURE, "unchecked"),
                Outcome::Absent => (DIM, "none"),
            };
            let (name, word) = (check.check.as_str(), paint.with(style, format!("{word:<10}")));
            let _ = writeln!(out, "  {name:<CHECK_WIDTH$}  {word} {}", paint.with(DIM, &check.what));
        }
        self.tell_counts(&mut out);
        self.tell_verdict(&mut out, &paint);
        list(&mut out, &paint, "To know", self.notices.iter().map(String::as_str));
        list(&mut out, &paint, "Not proved by any bundle", self.not_proved.iter().copied());
        out
    }

    fn tell_counts(&self, out: &mut String) {
        let counts = &self.counts;
        let decisions = counted(counts.decisions, "decision");
        let _ = writeln!(out, "\n{decisions}, {} entries, {} payloads:", counts.entries, counts.payloads);
        let states = [
            (counts.disclosed, "disclosed"),
            (counts.undisclosed, "committed to and not disclosed"),
            (counts.shared, "shared"),
            (counts.erased, "erased"),
            (counts.purged, "purged"),
            (counts.redacted, "redacted"),
            (counts.not_captured, "not captured"),
        ];
        let told: Vec<String> = states
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let told = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
        let _ = writeln!(out, "  {told}");
        let life = [
            (counts.held, "legal hold", "in force"),
            (counts.announced, "erasure", "announced, and not completed as far as this bundle says"),
            (counts.withheld, "erasure", "from which a hold or a legal duty withheld keys"),
            (counts.refused, "erasure", "refused"),
            (counts.purges, "purge", "of such payloads"),
            (counts.incidents, "incident", "told of"),
        ];
        for (count, what, how) in life.into_iter().filter(|(count, ..)| *count > 0) {
            let _ = writeln!(out, "  {} {how}", counted(count, what));
        }
    }

    fn tell_verdict(&self, out: &mut String, paint: &Painter) {
        let is_own_word = self.logs.iter().any(|log| log.key_from == KeySource::Bundle);
        let verdict = match (self.ok, is_own_word) {
            (false, _) => paint.with(BAD, format!("{}.", counted(self.fault_count, "fault"))),
            (true, false) => paint.with(GOOD, "No fault: every record in it is the one that the log's key, which you gave, signed for."),
            (true, true) => paint.with(
                UNSURE,
                "No fault, by the bundle's own word: it is signed by the key that the bundle itself brings. Whoever made the bundle \
                 could have made the key: get the log's key from somebody you trust, and give it with --key.",
            ),
        };
        let _ = writeln!(out, "\n{verdict}");
        for fault in &self.faults {
            let place = fault.place.as_ref().map_or(String::new(), |place| format!(", {place}"));
            let check = fault.check.as_str();
            let _ = writeln!(
                out,
                "  {check}: {}{place}: {}",
                paint.with(NAME, shown(&fault.file)),
                shown(&fault.what)
            );
        }
        let left = self.fault_count - self.faults.len() as u64;
        if left > 0 {
            let _ = writeln!(out, "  and {left} more");
        }
        for against in &self.against {
            let style = match against.same {
                Some(true) => GOOD,
                Some(false) => BAD,
                None => UNSURE,
            };
            let _ = writeln!(out, "{}", paint.with(style, sentence(&shown(&against.what))));
        }
    }
}

fn tell_log(out: &mut String, paint: &Painter, log: &LogReport) {
    let _ = writeln!(out, "{}", paint.with(TITLE, shown(&log.origin)));
    let _ = writeln!(out, "  complete to {} entries, root {}", log.size, shown(&log.root));
    let whose = match log.key_from {
        KeySource::Given => "the key you gave",
        KeySource::Bundle => "the key that the bundle itself brings: its own word",
    };
    for key in &log.signed_by {
        let _ = writeln!(out, "  signed by {key} ({whose})");
    }
    for cosignature in &log.cosignatures {
        let at = cosignature.at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
        let checked = if cosignature.verified { "" } else { " (not checked: no key given)" };
        let _ =
            writeln!(out, "  cosigned by {} ({}){at}{checked}", shown(&cosignature.name), cosignature.key_id);
    }
    for stamp in &log.timestamps {
        let (at, by) = (stamp.at.as_deref().unwrap_or("?"), stamp.by.as_deref().unwrap_or("?"));
        let checked = if stamp.trusted { "" } else { " (whose word it is was not checked: no roots given)" };
        let _ = writeln!(out, "  timestamped at {at} by {}{checked}", shown(by));
    }
}

fn list<'a>(out: &mut String, paint: &Painter, title: &str, lines: impl Iterator<Item = &'a str>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = writeln!(out, "\n{}", paint.with(TITLE, title));
    }
    for line in lines {
        let _ = writeln!(out, "  {}", paint.with(DIM, shown(line)));
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map_or(String::new(), |first| first.to_uppercase().collect());
    format!("{first}{}.", chars.as_str())
}

/// Text of a hostile bundle, without what a terminal would obey.
fn shown(text: &str) -> String {
    let shown = |c: char| {
        let is_hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if is_hidden { '\u{fffd}' } else { c }
    };
    text.chars().map(shown).collect()
}
