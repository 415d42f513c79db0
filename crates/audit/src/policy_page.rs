//! A policy in plain words as a page of its own: it loads nothing and runs nothing, and is made to be printed.

use inferlog_policy::{Explanation, Finding, Item, Section, Severity};
use inferlog_record::Digest;
use std::fmt::Write as _;

use crate::account::html::document;
use crate::account::html::escape::escape;

/// What the page claims, at its end.
const FOOTER: &str = "This page says what the policy says, in other words; the text of the policy counts. inferlog carries out what it \
says, and records that it did. Whether it is what the law asks of this system is for the organisation, and its counsel, to judge.";

/// A policy in plain words, as HTML. `sha256` is that of its text. The same policy gives the same page.
pub fn policy_page(policy: &Explanation, sha256: Digest) -> String {
    let mut body = format!(
        "<header><p class=\"over\">Policy</p><h1>{}</h1><p class=\"under\">version {}</p></header>\n<p>{}</p>\n\
         <dl class=\"facts\"><div class=\"wide\"><dt>SHA-256 of its text</dt><dd><code>{sha256}</code></dd></div></dl>\n",
        escape(&policy.system),
        escape(&policy.version),
        escape(&policy.lead)
    );
    findings(&mut body, &policy.findings);
    policy.sections.iter().for_each(|part| section(&mut body, part));
    let title = format!("Policy of {}, version {}", policy.system, policy.version);
    document(&title, &title, "letter", [&body, FOOTER])
}

/// Writing to a string does not fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {
        let _ = write!($out, $($text)*);
    };
}

fn findings(out: &mut String, findings: &[Finding]) {
    if findings.is_empty() {
        return;
    }
    out.push_str("<section><h2>What was found in it</h2>\n<div class=\"verdict\"><dl>\n");
    for finding in findings {
        let class = match finding.severity {
            Severity::Refused => "bad",
            Severity::Warning => "caution",
            Severity::Note => "",
        };
        put!(
            out,
            "<div><dt><span class=\"pill {class}\">{}</span></dt><dd><b>{}</b>: {} <span class=\"dim\">({})</span></dd></div>\n",
            finding.severity.as_str(),
            escape(&finding.place),
            escape(&finding.what),
            escape(finding.source)
        );
    }
    out.push_str("</dl></div></section>\n");
}

fn section(out: &mut String, section: &Section) {
    put!(out, "<section><h2>{}</h2>\n<p>{}</p>\n", escape(section.heading), escape(&section.lead));
    let is_plain = section.items.iter().all(|item| item.rows.len() < 2);
    if is_plain && !section.items.is_empty() {
        out.push_str("<div class=\"verdict\"><dl>\n");
        section.items.iter().for_each(|one| line(out, one));
        out.push_str("</dl></div>\n");
    } else {
        section.items.iter().for_each(|one| item(out, one));
    }
    out.push_str("</section>\n");
}

/// What has one thing said of it: a line.
fn line(out: &mut String, item: &Item) {
    put!(out, "<div><dt>{}</dt><dd><p>{}</p>", escape(&item.name), escape(&item.about));
    for row in &item.rows {
        put!(out, "<p class=\"dim\">{}</p>", escape(&row.words));
    }
    out.push_str("</dd></div>\n");
}

/// What has several: a table of its own.
fn item(out: &mut String, item: &Item) {
    let about = match item.about.is_empty() {
        true => String::new(),
        false => format!(" <span class=\"dim\">{}</span>", escape(&item.about)),
    };
    put!(out, "<h3>{}{about}</h3>\n", escape(&item.name));
    if item.rows.is_empty() {
        return;
    }
    out.push_str("<div class=\"verdict\"><dl>\n");
    for row in &item.rows {
        put!(out, "<div><dt>{}</dt><dd>{}</dd></div>\n", escape(row.label), escape(&row.words));
    }
    out.push_str("</dl></div>\n");
}
