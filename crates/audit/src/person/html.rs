//! A decision for the person as a page.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Personal, PersonalContent, PersonalStep};
use crate::account::html::document;
use crate::account::html::escape::escape;
use crate::account::html::words::{self, moment, spaced};
use crate::story::PayloadContent;

/// The most of one content that the page shows, bytes; the JSON beside it has all.
const SHOWN_BYTES_MAX: usize = 64 << 10;

const FOOTER: &str = "This page gives what the inference log of this system holds of this decision and of you. Pseudonyms of other \
persons are left out. The file of the same name in JSON has the same, without omissions for length.";

impl Personal {
    /// The decision as a page that loads nothing and runs nothing.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        head(&mut out, self);
        for step in &self.steps {
            one(&mut out, step);
        }
        let title = format!("Your data: decision {}", self.decision);
        document(&title, &title, "letter", [&out, FOOTER])
    }
}

fn head(out: &mut String, personal: &Personal) {
    let time = |time: &Option<String>| time.as_deref().map(moment);
    let _ = writeln!(
        out,
        "<header>\n<p class=\"over\">Your data</p>\n<h1>{}</h1>\n<p class=\"under\">{}</p>\n</header>\n\
         <section class=\"verdict\" style=\"margin-bottom: 1.6rem\" aria-label=\"In short\">\n<dl>",
        personal.decision,
        escape(&personal.system)
    );
    let model = personal.model.as_ref().map(|model| match &personal.model_version {
        Some(version) => format!("{model}, version {version}"),
        None => model.clone(),
    });
    let outcome = personal.outcome.clone().unwrap_or_else(|| "not ended yet".to_owned());
    for (name, value) in [
        ("Began", time(&personal.started_at)),
        ("Ended", time(&personal.ended_at)),
        ("Outcome", Some(spaced(&outcome))),
        ("Model", model),
        ("Others", personal.shared.then(|| others(personal).to_owned())),
        ("Record", Some(proved(personal.proved).to_owned())),
    ] {
        if let Some(value) = value {
            let _ = writeln!(out, "<div><dt>{name}</dt><dd><p>{}</p></dd></div>", escape(&value));
        }
    }
    out.push_str("</dl>\n</section>\n");
}

fn others(personal: &Personal) -> &'static str {
    match personal.contents_withheld {
        true => "This decision is about others too: its contents are not given.",
        false => "This decision is about others too.",
    }
}

fn proved(proved: bool) -> &'static str {
    match proved {
        true => "Its entries are in the signed log, as they were written.",
        false => "Its entries could not be proved to be in the signed log.",
    }
}

fn one(out: &mut String, step: &PersonalStep) {
    let _ = writeln!(
        out,
        "<section>\n<h2>{}. {}</h2>\n<p class=\"dim\">{}</p>",
        step.order,
        escape(words::kind(&step.kind)),
        escape(&moment(&step.logged_at))
    );
    let mut rows = Vec::new();
    flat(&step.says, "", &mut rows);
    if !rows.is_empty() {
        out.push_str("<dl class=\"facts\">\n");
        for (name, value) in rows {
            let _ = writeln!(
                out,
                "<div class=\"wide\"><dt>{}</dt><dd>{}</dd></div>",
                escape(&spaced(&name)),
                escape(&value)
            );
        }
        out.push_str("</dl>\n");
    }
    step.contents.iter().for_each(|content| shown(out, content));
    out.push_str("</section>\n");
}

/// Names and values, however deep they stand.
fn flat(value: &Value, name: &str, rows: &mut Vec<(String, String)>) {
    let under = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}, {member}") };
    match value {
        Value::Null => {}
        Value::Object(members) => {
            members.iter().for_each(|(member, value)| flat(value, &under(member), rows));
        }
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            if !items.is_empty() {
                rows.push((name.to_owned(), items.join(", ")));
            }
        }
        Value::Array(items) => {
            (1..).zip(items).for_each(|(number, item)| flat(item, &under(&format!("{number}")), rows));
        }
        value => rows.push((name.to_owned(), plain(value))),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(out: &mut String, content: &PersonalContent) {
    let _ = writeln!(out, "<h3>{}</h3>", escape(words::role(&content.role)));
    let text = match &content.content {
        Some(PayloadContent::Json(json)) => {
            let value: Result<Value, _> = serde_json::from_str(json.get());
            value
                .and_then(|value| serde_json::to_string_pretty(&value))
                .unwrap_or_else(|_| json.get().to_owned())
        }
        Some(PayloadContent::Text(text) | PayloadContent::Base64(text)) => text.clone(),
        None => {
            let why = content.why.as_deref().map(|why| format!(" ({})", spaced(why))).unwrap_or_default();
            let what = match content.state.as_str() {
                "as_before" => "As in the step that recorded it first.".to_owned(),
                state => format!("Not here: {}{why}.", spaced(state)),
            };
            let _ = writeln!(out, "<p class=\"absent\">{}</p>", escape(&what));
            return;
        }
    };
    let longest = SHOWN_BYTES_MAX.min(text.len());
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let _ = writeln!(out, "<pre class=\"code\">{}</pre>", escape(&text[..end]));
    if end < text.len() {
        let _ = writeln!(
            out,
            "<p class=\"absent\">{} bytes more: the JSON has them all.</p>",
            words::grouped((text.len() - end) as u64)
        );
    }
}
