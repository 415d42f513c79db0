//! A report for people: the verdict with what it rests on, then every fault with its place.

use std::fmt::Write as _;

use super::{Fault, KeySource, LogReport, Report};
use crate::paint::Paint;
use crate::story::states::times;

impl Report {
    /// The report as text, with colours for a terminal or without. It never says merely that a log is valid: it says what was
    /// compared with what.
    pub fn to_text(&self, color: bool) -> String {
        let (mut out, paint) = (String::new(), Paint(color));
        for log in &self.logs {
            let root = log.root.as_deref().unwrap_or("none yet");
            let _ = writeln!(out, "{}\n  {} entries, root {root}", paint.title(&log.origin), log.size);
            for signer in &log.signed_by {
                let whose = match log.key_from {
                    KeySource::Given => "the key you gave",
                    KeySource::Directory => "the key in the directory itself",
                };
                let _ = writeln!(out, "  signed by {signer} ({whose})");
            }
            for line in counts(log) {
                let _ = writeln!(out, "  {line}");
            }
            for line in log.statement.lines(log.size, log.key_from) {
                let _ = writeln!(out, "  {line}");
            }
        }
        let checked = format!("{} entries, {} payloads, {}", self.size, self.payloads, megabytes(self.bytes));
        if self.ok {
            let verdict = "No fault: every entry and payload is the one that the signed checkpoints cover.";
            let _ = writeln!(out, "\n{} Read: {checked}.", paint.good(verdict));
        } else {
            let count = if self.fault_count == 1 {
                "1 fault".to_owned()
            } else {
                format!("{} faults", self.fault_count)
            };
            let _ = writeln!(out, "\n{} Read: {checked}.", paint.bad(&format!("{count}.")));
            self.faults.iter().for_each(|one| fault(&mut out, paint, one));
            let left = self.fault_count - self.faults.len() as u64;
            if left > 0 {
                let _ = writeln!(out, "  and {left} more");
            }
        }
        for against in &self.against {
            let said = sentence(&against.what);
            let said = if against.unchanged { paint.good(&said) } else { paint.bad(&said) };
            let _ = match &*self.against {
                [_] => writeln!(out, "{said}"),
                _ => writeln!(out, "{}: {said}", against.file),
            };
        }
        if self.against.is_empty() {
            let what = "No checkpoint of yours was compared: what was cut off or rewritten before these checkpoints were \
                        signed cannot be seen. Keep a checkpoint, and give it with --against.";
            let _ = writeln!(out, "{what}");
        }
        list(
            &mut out,
            paint,
            "To know",
            &mut self.notices.iter().map(|notice| match &notice.log {
                Some(log) => format!("{log}: {}", notice.what),
                None => notice.what.clone(),
            }),
        );
        list(&mut out, paint, "Not covered", &mut self.not_covered.iter().map(|&what| what.to_owned()));
        out
    }
}

/// What was purged and kept of a log, and what its payloads came to.
fn counts(log: &LogReport) -> Vec<String> {
    let (found, mut lines) = (&log.payloads, Vec::new());
    if log.first > 0 {
        lines.push(format!(
            "begins at entry {}: {} entries purged, {} of these bundles kept",
            log.first, found.entries_purged, found.entries_kept
        ));
    }
    let kept = if found.kept > 0 { format!(" ({} kept from a purge)", found.kept) } else { String::new() };
    let mut parts = vec![format!("{} there{kept}", found.present)];
    let counts = [
        (found.erased, "erased"),
        (found.purged, "purged"),
        (found.redacted, "redacted"),
        (found.not_captured, "not captured"),
        (found.missing, "missing"),
    ];
    parts.extend(counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")));
    if found.spans_redacted > 0 {
        parts.push(format!("rules took something out {}", times(found.spans_redacted)));
    }
    if parts.len() > 1 || found.kept > 0 {
        lines.push(format!("payloads: {}", parts.join(", ")));
    }
    lines
}

fn fault(out: &mut String, paint: Paint, fault: &Fault) {
    let offset = fault.offset.map_or(String::new(), |offset| format!(", byte {offset}"));
    let index = fault.index.map_or(String::new(), |index| format!(", entry {index}"));
    let _ = writeln!(out, "  {}{offset}{index}: {}", paint.name(&fault.file), fault.what);
}

fn list(out: &mut String, paint: Paint, title: &str, lines: &mut dyn Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        let _ = writeln!(out, "\n{}", paint.title(title));
    }
    for line in lines {
        let _ = writeln!(out, "  {}", paint.dim(&line));
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map_or(String::new(), |first| first.to_uppercase().collect());
    format!("{first}{}.", chars.as_str())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
