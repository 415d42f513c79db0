//! What people did about the decision, what was learnt later, and what changed in the system since.

use std::fmt::Write as _;

use super::differences::difference;
use super::escape::escape;
use super::head::done_by;
use super::page::{Page, code, step_link};
use super::words;

pub(super) fn humans(page: &mut Page<'_>) {
    let account = page.account;
    page.section("people", "Human oversight", |page| {
        if account.humans.is_empty() {
            let absent = match account.entries_purged.is_empty() {
                true => "No human action is recorded of this decision.",
                false => "No human action is in the entries of this decision that are left.",
            };
            page.paragraph("absent", absent);
        }
        for human in &account.humans {
            page.step_heading(human.step, &done_by(human));
            if let Some(about) = human.about {
                let _ = writeln!(page.out, "<p class=\"same\">about {}</p>", step_link(about));
            }
            page.held(human.reason.as_ref());
            if let Some(diff) = &human.diff {
                let html = difference(account, diff);
                page.out.push_str(&html);
            }
            page.out.push_str("<div class=\"pair\">\n");
            page.held(human.before.as_ref());
            page.held(human.after.as_ref());
            page.out.push_str("</div>\n");
        }
        for label in &account.labels {
            let origin = words::spaced(&label.origin);
            let day = words::day(&label.logged_at).unwrap_or_else(|| label.logged_at.clone());
            page.step_heading(label.step, &format!("Label {}, from {origin}, {day}", label.name));
            page.held(label.value.as_ref());
        }
    });
}

pub(super) fn changes(page: &mut Page<'_>) {
    let account = page.account;
    page.section("changes", "Changes since", |page| {
        if account.changes.is_empty() {
            page.paragraph("absent", "No change of the system is recorded with this decision or after it.");
        } else {
            page.paragraph("lead", "What appeared in the system for the first time, with this decision or later.");
            page.out.push_str(
                "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">When</th><th scope=\"col\">What</th><th scope=\"col\">Before</th><th scope=\"col\">Since</th><th scope=\"col\">Entry</th></tr></thead>\n<tbody>\n",
            );
        }
        for change in &account.changes {
            let side = |name: &Option<String>, digest: &Option<String>| match (name, digest) {
                (Some(name), Some(digest)) => format!("{}<br>{}", code(name), short(digest)),
                (Some(name), None) => code(name),
                (None, Some(digest)) => short(digest),
                (None, None) => "<span class=\"dim\">—</span>".to_owned(),
            };
            let name = change.name.as_ref().map_or(String::new(), |name| format!(" of {name}"));
            let by = if change.by_this_decision { "<br><span class=\"dim\">shown by this decision</span>" } else { "" };
            let _ = writeln!(
                page.out,
                "<tr><td>{}</td><td>{}{}{by}</td><td>{}</td><td>{}</td><td class=\"num\">{}</td></tr>",
                escape(&words::day(&change.logged_at).unwrap_or_else(|| change.logged_at.clone())),
                escape(&words::spaced(&change.aspect)),
                escape(&name),
                side(&change.old, &change.old_digest),
                side(&change.new, &change.new_digest),
                words::grouped(change.entry)
            );
        }
        if !account.changes.is_empty() {
            page.out.push_str("</tbody></table></div>\n");
        }
        mentions(page);
    });
}

/// A digest's beginning; the whole of it where it is pointed at, and in print its beginning still names it.
fn short(digest: &str) -> String {
    let cut: String = digest.chars().take(16).collect();
    format!("<code title=\"{}\">{}…</code>", escape(digest), escape(&cut))
}

fn mentions(page: &mut Page<'_>) {
    let account = page.account;
    if account.mentions.is_empty() {
        return;
    }
    page.out.push_str("<h3>What names this decision and is not a part of it</h3>\n<ul>\n");
    for mention in &account.mentions {
        let _ = writeln!(
            page.out,
            "<li>{}: {} <span class=\"dim\">{}, entry {}</span></li>",
            escape(words::kind(&mention.kind)),
            escape(&mention.label),
            escape(&words::moment(&mention.logged_at)),
            words::grouped(mention.entry)
        );
    }
    page.out.push_str("</ul>\n");
    if account.mentions_untold > 0 {
        let more = format!("and {} older ones", words::grouped(account.mentions_untold));
        page.paragraph("absent", &more);
    }
}
