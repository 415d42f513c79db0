//! The account as one file for a browser: it asks for nothing else, runs nothing, and can be printed.
//!
//! Everything in it that others wrote is escaped and made visible ([`escape`]); a content policy in the file itself forbids
//! whatever would still slip through. Long contents are folded, very long ones cut with their length stated. The style is for
//! light and dark, for narrow windows and for paper.

mod differences;
pub(crate) mod escape;
mod flow;
mod head;
mod marks;
mod page;
mod people;
mod proof;
mod surroundings;
mod timeline;
mod tools;
pub(crate) mod words;

use self::escape::escape;
use self::page::Page;
use super::model::Account;

/// What pages of this house have in common: colours for light and dark, type, width. A page's own style comes after it.
pub const BASE_STYLE: &str = include_str!("base.css");

const STYLE: &str = concat!(include_str!("base.css"), include_str!("style.css"));

/// What the page claims, at its end.
const FOOTER: &str = "This account says what was recorded of one decision, and proves that the record is as it was written. It \
does not say that the decision was right, nor why a model weighs things as it does. inferlog provides the capability to record, \
keep and prove; whether the obligations of Regulation (EU) 2024/1689 and of other law are met is for the organisation to judge.";

/// The account as HTML. The same account gives the same text.
pub fn to_html(account: &Account) -> String {
    let mut page = Page::new(account);
    timeline::timeline(&mut page);
    timeline::graph(&mut page);
    surroundings::models(&mut page);
    surroundings::prompts(&mut page);
    flow::input(&mut page);
    flow::retrievals(&mut page);
    tools::tools(&mut page);
    flow::reasoning(&mut page);
    flow::transforms(&mut page);
    flow::output(&mut page);
    people::humans(&mut page);
    surroundings::context(&mut page);
    people::changes(&mut page);
    proof::proof(&mut page);
    proof::completeness(&mut page);
    proof::how_to_check(&mut page);
    let (body, sections) = (page.out, page.sections);
    let mut head = Page::new(account);
    head::head(&mut head);
    let links: Vec<String> =
        sections.iter().map(|(anchor, title)| format!("<a href=\"#{anchor}\">{title}</a>")).collect();
    let decision = account.identity.decision;
    let title = format!("Decision {decision} of {}", account.identity.system);
    let body = format!("{}<nav aria-label=\"Sections\">{}</nav>\n{body}", head.out, links.join(""));
    document(&title, &format!("Decision {decision}"), "account", [&body, FOOTER])
}

/// A page that loads nothing and runs nothing. `running` stands on top of each sheet of paper.
pub(crate) fn document(title: &str, running: &str, class: &str, [body, footer]: [&str; 2]) -> String {
    // In a style sheet only these need care, and a style sheet must not end early.
    let running: String = running.chars().filter(|c| c.is_alphanumeric() || " ·-.".contains(*c)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>\n{STYLE}\n@page {{ @top-left {{ content: \"{running}\" }} }}\n</style>\n\
         </head>\n<body class=\"{class}\">\n<main>\n{body}</main>\n<footer>\n<p>{}</p>\n</footer>\n</body>\n</html>\n",
        escape(title),
        escape(footer)
    )
}
