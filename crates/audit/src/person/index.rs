//! The list of what a person is given. It is written row by row, for it may be long.

use inferlog_record::{Id, Pseudonym, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::html::escape::escape;
use crate::account::html::words::{counted, moment, spaced};
use crate::account::html::{document, words};

/// What the list says at its head.
#[derive(Clone, Debug, Serialize)]
pub struct PersonIndex {
    /// When it was made.
    pub made_at: Timestamp,
    /// The systems that know the person, and as whom.
    pub persons: Vec<(String, Pseudonym)>,
    /// Decisions in it.
    pub decisions: u64,
    /// Those of them that are about others too.
    pub shared: u64,
    /// Those of them whose contents are not given for that.
    pub withheld: u64,
}

/// A decision of the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonRow {
    /// The decision.
    pub decision: Id,
    /// The system.
    pub system: String,
    /// When it began.
    pub started_at: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Whether it is about others too.
    pub shared: bool,
    /// Whether its contents were left out for that.
    pub contents_withheld: bool,
    /// Contents that are given.
    pub contents: u64,
}

const TITLE: &str = "Your data";
const FOOTER: &str = "This is what the inference logs of these systems hold of you under the names that were asked for. Pseudonyms of \
other persons are left out. What other stores hold, and what else a request under Article 15 of Regulation (EU) 2016/679 asks for, is \
for the organisation to add.";
/// Where the rows stand in the page.
const ROWS: &str = "<!--rows-->";

/// The page up to its rows.
pub fn index_head(index: &PersonIndex) -> String {
    halves(index).0
}

/// The page after its rows.
pub fn index_foot(index: &PersonIndex) -> String {
    halves(index).1
}

fn halves(index: &PersonIndex) -> (String, String) {
    let systems: Vec<String> = index
        .persons
        .iter()
        .map(|(system, pseudonym)| format!("<p>{}, as <code>{pseudonym}</code></p>", escape(system)))
        .collect();
    let mut facts = vec![
        ("Made", escape(&moment(&index.made_at.to_string()))),
        ("Systems", systems.concat()),
        ("Decisions", counted(index.decisions, "decision")),
    ];
    if index.shared > 0 {
        let about = match index.shared {
            1 => "1 is about others too".to_owned(),
            many => format!("{} are about others too", words::grouped(many)),
        };
        let given = match index.withheld {
            0 => "the contents are given all the same".to_owned(),
            withheld => format!("the contents of {} are not given", words::grouped(withheld)),
        };
        facts.push(("Others", format!("{about}; {given}.")));
    }
    let facts: String =
        facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")).collect();
    let body = format!(
        "<header>\n<p class=\"over\">Inference log</p>\n<h1>{TITLE}</h1>\n</header>\n<section class=\"verdict\" style=\"margin-bottom: 1.6rem\" aria-label=\"In short\">\n\
         <dl>\n{facts}</dl>\n</section>\n<section>\n<h2>Decisions</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Decision</th>\
         <th>Began</th><th>System</th><th>Outcome</th><th class=\"num\">Contents</th></tr></thead>\n<tbody>\n{ROWS}</tbody></table></div>\n</section>\n"
    );
    let page = document(TITLE, TITLE, "person", [&body, FOOTER]);
    let (head, foot) = page.split_once(ROWS).unwrap_or((&page, ""));
    (head.to_owned(), foot.to_owned())
}

/// A row of the page.
pub fn index_row(row: &PersonRow) -> String {
    let id = row.decision;
    let outcome = row.outcome.as_deref().map_or_else(|| "not ended yet".to_owned(), spaced);
    let contents = match (row.contents_withheld, row.shared) {
        (true, _) => "not given: about others too".to_owned(),
        (false, true) => format!("{}; about others too", row.contents),
        (false, false) => row.contents.to_string(),
    };
    format!(
        "<tr><td><a href=\"decisions/{id}.html\"><code>{id}</code></a></td><td>{}</td><td>{}</td><td><span class=\"pill\">{}</span></td><td class=\"num\">{contents}</td></tr>\n",
        escape(&row.started_at.as_deref().map(moment).unwrap_or_default()),
        escape(&row.system),
        escape(&outcome)
    )
}
