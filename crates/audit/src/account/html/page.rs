//! A page being written: sections in reading order, every content once.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use inferlog_record::Id;

use super::escape::escape;
use super::words;
use crate::account::model::{Account, Content, Held};
use crate::story::PayloadContent;

/// The most of one content that the page holds, bytes.
pub(crate) const SHOWN_BYTES_MAX: usize = 64 << 10;
/// The most content that the page holds in all, bytes.
pub(crate) const PAGE_CONTENT_BYTES_MAX: usize = 8 << 20;
/// Longer contents are folded.
const OPEN_CHARS_MAX: usize = 900;
const OPEN_LINES_MAX: usize = 28;
/// Things of a section beyond which most are folded.
const THINGS_OPEN_MAX: usize = 40;
/// A text that stands on the page already is not repeated if it is at least this long, bytes.
const REPEATED_BYTES_MIN: usize = 80;
/// HTML of a value that takes a line of its own, bytes.
const WIDE_BYTES_MIN: usize = 60;
/// JSON up to this long stays on one line, bytes.
const JSON_LINE_BYTES_MAX: usize = 76;

/// What a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Text,
    Base64,
}

pub(super) struct Page<'a> {
    pub(super) account: &'a Account,
    pub(super) out: String,
    /// Sections so far: anchor and title.
    pub(super) sections: Vec<(&'static str, &'static str)>,
    /// Contents that stand on the page, and what they were called there.
    shown: BTreeMap<Id, Held>,
    /// Texts that stand on the page.
    texts: HashMap<&'a str, Held>,
    /// Bytes of content that there is still room for.
    room: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(account: &'a Account) -> Self {
        Self {
            account,
            out: String::new(),
            sections: Vec::new(),
            shown: BTreeMap::new(),
            texts: HashMap::new(),
            room: PAGE_CONTENT_BYTES_MAX,
        }
    }

    pub(super) fn section(
        &mut self,
        anchor: &'static str,
        title: &'static str,
        body: impl FnOnce(&mut Self),
    ) {
        self.sections.push((anchor, title));
        let _ = writeln!(self.out, "<section id=\"{anchor}\">\n<h2>{title}</h2>");
        body(self);
        self.out.push_str("</section>\n");
    }

    /// A paragraph; what stands in it is escaped.
    pub(super) fn paragraph(&mut self, class: &str, text: &str) {
        let _ = writeln!(self.out, "<p class=\"{class}\">{}</p>", escape(text));
    }

    /// A list of names and values: those that are there. Values are HTML.
    pub(super) fn facts(&mut self, rows: &[(&str, Option<String>)]) {
        self.out.push_str("<dl class=\"facts\">\n");
        for (name, value) in rows {
            if let Some(value) = value {
                let wide = if value.contains("<code>") && value.len() > WIDE_BYTES_MIN {
                    " class=\"wide\""
                } else {
                    ""
                };
                let _ = writeln!(self.out, "<div{wide}><dt>{name}</dt><dd>{value}</dd></div>");
            }
        }
        self.out.push_str("</dl>\n");
    }

    /// A heading of a step within a section, with its number and how it ended.
    pub(super) fn step_heading(&mut self, number: usize, title: &str) {
        let (mut more, mut pill) = (String::new(), String::new());
        if let Some(step) = self.account.step(number) {
            more = step.took_ns.filter(|ns| *ns > 0).map(words::lasted).unwrap_or_default();
            let ended = words::ended(step);
            if !ended.is_empty() {
                pill = super::marks::pill(words::tone(step), &ended);
            }
        }
        let _ = writeln!(
            self.out,
            "<h3>{} <span class=\"t\">{}</span> {pill} <span class=\"dim\">{more}</span></h3>",
            step_link(number),
            escape(title)
        );
    }

    /// Things one after another: the first of very many open, the others folded.
    pub(super) fn each<T>(&mut self, things: &[T], what: &str, mut one: impl FnMut(&mut Self, &T)) {
        let open = if things.len() > THINGS_OPEN_MAX { THINGS_OPEN_MAX / 2 } else { things.len() };
        let (first, more) = things.split_at(open);
        first.iter().for_each(|thing| one(self, thing));
        if !more.is_empty() {
            let count = words::counted(more.len() as u64, what);
            let _ = writeln!(self.out, "<details class=\"turn\"><summary>{count} more</summary>");
            more.iter().for_each(|thing| one(self, thing));
            self.out.push_str("</details>\n");
        }
    }

    pub(super) fn held(&mut self, held: Option<&Held>) {
        if let Some(held) = held {
            self.content(held, words::role(&held.role));
        }
    }

    /// A content under a name: itself, or where it stands, or why it does not.
    pub(super) fn content(&mut self, held: &Held, name: &str) {
        let Some(content) = self.account.content(held) else { return };
        if let Some(first) = self.shown.get(&held.payload).filter(|_| content.content.is_some()) {
            let _ = writeln!(
                self.out,
                "<p class=\"same\"><b>{}</b> the same content as {}</p>",
                escape(name),
                content_link(first)
            );
            return;
        }
        let is_first = self.shown.insert(held.payload, held.clone()).is_none();
        let anchor = if is_first { format!(" id=\"c-{}\"", held.payload) } else { String::new() };
        let _ = writeln!(
            self.out,
            "<figure class=\"content\"{anchor}><figcaption><b>{}</b> <span class=\"dim\">{} of {}{}</span></figcaption>",
            escape(name),
            escape(&held.role),
            step_link(held.step),
            if content.verified == Some(true) { " · ✓ as committed" } else { "" }
        );
        self.body(held, content);
        self.out.push_str("</figure>\n");
    }

    fn body(&mut self, held: &Held, content: &'a Content) {
        let Some(text) = content.text() else {
            let why = super::marks::why_not(content, self.account.verdict.opened);
            let _ = writeln!(
                self.out,
                "<p class=\"absent\">{}{}</p>",
                super::marks::state(content),
                escape(&why)
            );
            self.kept(content);
            return;
        };
        self.kept(content);
        if content.verified == Some(false) {
            let problem = content.problem.as_deref();
            let problem = problem.unwrap_or("it is not the content that the entry commits to");
            let _ = writeln!(self.out, "<p class=\"wrong\">{}</p>", escape(problem));
        }
        if text.len() >= REPEATED_BYTES_MIN {
            if let Some(first) = self.texts.get(text) {
                let _ = writeln!(self.out, "<p class=\"same\">Word for word {}.</p>", content_link(first));
                return;
            }
            self.texts.insert(text, held.clone());
        }
        let form = match content.content {
            Some(PayloadContent::Json(_)) => Form::Json,
            Some(PayloadContent::Base64(_)) => Form::Base64,
            _ => Form::Text,
        };
        self.text(text, form);
    }

    /// What keeps a content.
    fn kept(&mut self, content: &Content) {
        let kept = content.kept_by();
        if !kept.is_empty() {
            let mark = if content.content.is_some() { super::marks::state(content) } else { String::new() };
            let kept = escape(&super::marks::capital(&kept.join("; ")));
            let _ = writeln!(self.out, "<p class=\"absent\">{mark}{kept}.</p>");
        }
    }

    /// A text of the registry, which the record names by its digest.
    pub(super) fn registered(&mut self, text: &str, is_json: bool) {
        self.out.push_str(
            "<figure class=\"content\"><figcaption><b>As registered</b> <span class=\"dim\">found by its SHA-256</span></figcaption>\n",
        );
        self.text(text, if is_json { Form::Json } else { Form::Text });
        self.out.push_str("</figure>\n");
    }

    /// A text of others: whole, folded or cut.
    fn text(&mut self, text: &str, form: Form) {
        let limit = if form == Form::Base64 { JSON_LINE_BYTES_MAX } else { SHOWN_BYTES_MAX.min(self.room) };
        let shown = beginning(text, limit);
        self.room = self.room.saturating_sub(shown.len());
        let is_cut = shown.len() < text.len();
        let pretty = if form == Form::Json && !is_cut { indented(shown) } else { shown.to_owned() };
        let class = if form == Form::Text { "prose" } else { "code" };
        let pre = format!("<pre class=\"{class}\" dir=\"auto\">{}</pre>", escape(&pretty));
        let cut = if is_cut {
            let what = if form == Form::Base64 { " of base64" } else { "" };
            format!(
                "<p class=\"absent\">{}{what} in all; the first {} stand here. The whole of it: \
                 <code>inferlog reconstruct {} --format json</code></p>",
                words::bytes(text.len()),
                words::bytes(shown.len()),
                self.account.identity.decision
            )
        } else {
            String::new()
        };
        if is_cut || pretty.chars().count() > OPEN_CHARS_MAX || pretty.lines().count() > OPEN_LINES_MAX {
            let _ = writeln!(
                self.out,
                "<details><summary>{} <span class=\"dim\">{}</span></summary>{pre}{cut}</details>",
                words::bytes(text.len()),
                escape(&first_line(shown))
            );
        } else {
            let _ = writeln!(self.out, "{pre}");
        }
    }

    /// Contents that no section has shown, in the order of the steps.
    pub(super) fn unshown(&self) -> Vec<Held> {
        let holds = self.account.steps.iter().flat_map(|step| &step.holds);
        holds.filter(|held| !self.shown.contains_key(&held.payload)).cloned().collect()
    }
}

/// A link to a content that stands on the page.
fn content_link(held: &Held) -> String {
    format!("<a href=\"#c-{}\">{} of #{}</a>", held.payload, escape(&held.role), held.step)
}

/// Links to steps: the first of many.
pub(super) fn step_links(steps: &[usize]) -> String {
    const STEPS_MAX: usize = 12;
    let mut links: Vec<String> = steps.iter().take(STEPS_MAX).map(|step| step_link(*step)).collect();
    if steps.len() > STEPS_MAX {
        links.push(format!("and {} more", words::grouped((steps.len() - STEPS_MAX) as u64)));
    }
    links.join(" ")
}

/// A link to a step of the timeline.
pub(super) fn step_link(number: usize) -> String {
    format!("<a class=\"no\" href=\"#step-{number}\">#{number}</a>")
}

/// `<code>`, cut in the middle where it is long: digests, keys.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

/// The beginning of a text, at most so many bytes, whole characters.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn first_line(text: &str) -> String {
    const CHARS_MAX: usize = 70;
    let line = text.trim_start().lines().next().unwrap_or_default();
    let cut: String = line.chars().take(CHARS_MAX).collect();
    if cut.len() < line.len() { cut + "…" } else { cut }
}

/// JSON over several lines where it is long.
fn indented(json: &str) -> String {
    if json.len() <= JSON_LINE_BYTES_MAX { json.to_owned() } else { crate::account::diff::indented(json) }
}
