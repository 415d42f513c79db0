//! Calls of tools: attempts of one call stand together.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::escape;
use super::page::{Page, step_link};
use crate::account::model::Account;

/// An attempt and the one before it of the same tool: the newest before it that has a lower number, did not succeed and was not
/// tried again yet.
pub(crate) fn retries(account: &Account) -> Vec<(usize, usize)> {
    let mut open: BTreeMap<&str, Vec<(u32, usize)>> = BTreeMap::new();
    let mut retries = Vec::new();
    for tool in &account.tools {
        let attempt = tool.attempt.unwrap_or(1);
        let before = open.entry(&tool.name).or_default();
        if attempt > 1
            && let Some(at) = before.iter().rposition(|(number, _)| number + 1 == attempt)
        {
            retries.push((before.remove(at).1, tool.step));
        }
        if tool.outcome != "ok" {
            before.push((attempt, tool.step));
        }
    }
    retries
}

pub(super) fn tools(page: &mut Page<'_>) {
    let account = page.account;
    if account.tools.is_empty() {
        return;
    }
    page.section("tools", "Tool calls", |page| {
        let retries = retries(account);
        page.each(&account.tools, "call", |page, tool| {
            let version =
                tool.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
            let attempt = tool.attempt.map_or(String::new(), |attempt| format!(", attempt {attempt}"));
            page.step_heading(tool.step, &format!("{}{version}{attempt}", tool.name));
            let before = retries.iter().find(|(_, after)| *after == tool.step).map(|(before, _)| *before);
            let after = retries.iter().find(|(before, _)| *before == tool.step).map(|(_, after)| *after);
            let tied = [("tries again", before), ("tried again in", after)];
            for (word, other) in tied {
                if let Some(other) = other {
                    let _ = writeln!(page.out, "<p class=\"same\">↻ {word} {}</p>", step_link(other));
                }
            }
            if let Some(error) = tool.error.as_deref().filter(|_| after.is_none() && tool.outcome != "ok") {
                let said = format!("It failed for good: {}.", super::words::spaced(error));
                let _ = writeln!(page.out, "<p class=\"same\">{}</p>", escape(&said));
            }
            page.out.push_str("<div class=\"pair\">\n");
            page.held(tool.arguments.as_ref());
            page.held(tool.result.as_ref());
            page.held(tool.failure.as_ref());
            page.out.push_str("</div>\n");
        });
    });
}
