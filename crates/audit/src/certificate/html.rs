//! The certificate as a page, to print and to hand over.

use std::fmt::Write as _;

use super::Certificate;
use crate::account::html::document;
use crate::account::html::escape::escape;
use crate::account::html::words::{counted, moment, spaced};

const FOOTER: &str = "The signed text decides; what stands above it says the same in other words. inferlog provides the capability to erase \
and to prove it; whether the obligations of Regulation (EU) 2016/679 and of other law are met is for the organisation to judge.";

/// Keys that the page tells in words of its own.
const TOLD: [&str; 19] = [
    "origin",
    "system",
    "intent",
    "intent-log",
    "intent-entry",
    "announced",
    "completed",
    "order",
    "subject",
    "key",
    "decisions",
    "resumes",
    "withheld",
    "withheld-for",
    "withheld-until",
    "hold",
    "outside",
    "backup-horizon",
    "store",
];

impl Certificate {
    /// The certificate as a page that loads nothing and runs nothing. Whether its signature holds is not for a page to say.
    pub fn to_html(&self) -> String {
        let mut out = String::new();
        self.head(&mut out);
        self.erased(&mut out);
        self.kept(&mut out);
        self.done(&mut out);
        self.outside(&mut out);
        self.signed(&mut out);
        let title = format!("Erasure certificate {}", self.intent);
        document(&title, &title, "certificate", [&out, FOOTER])
    }

    fn head(&self, out: &mut String) {
        let decisions = match self.number("decisions") {
            Some(count) => counted(count, "decision"),
            None => "decisions".to_owned(),
        };
        let withheld = self.number("withheld").unwrap_or(0);
        let (class, sign, state) = match withheld {
            0 => ("good", "✓", "completed".to_owned()),
            some => ("caution", "▲", format!("completed, but for {}", counted(some, "decision"))),
        };
        let _ = writeln!(
            out,
            "<header>\n<p class=\"over\">Erasure certificate</p>\n<h1 style=\"font-family: inherit\">The content of {decisions} was made unreadable</h1>\n\
             <p class=\"under\">{} · <code>{}</code></p>\n</header>\n<section class=\"verdict\" style=\"margin-bottom: 1.6rem\" aria-label=\"In short\">\n<dl>\n\
             <div><dt>State</dt><dd><span class=\"pill {class}\"><i aria-hidden=\"true\">{sign}</i> {state}</span></dd></div>",
            escape(self.first("system").unwrap_or_default()),
            self.intent
        );
        for (name, value) in [
            ("Announced", self.first("announced").map(moment)),
            ("Completed", self.first("completed").map(moment)),
            ("On the order of", self.first("order").map(order)),
        ] {
            if let Some(value) = value {
                let _ = writeln!(out, "<div><dt>{name}</dt><dd><p>{}</p></dd></div>", escape(&value));
            }
        }
        out.push_str("</dl>\n</section>\n");
    }

    fn erased(&self, out: &mut String) {
        out.push_str(
            "<section>\n<h2>What was erased</h2>\n<p class=\"lead\">Keys without which the sealed content cannot be read by anybody. The \
             log’s entries stay, with times, names and pseudonyms in clear, and so do all proofs.</p>\n<dl class=\"facts\">\n",
        );
        let _ = list(out, "Person, by pseudonym", self.all("subject"));
        let _ = list(out, "Keys destroyed", self.all("key"));
        let _ = list(out, "Carries on the erasure", self.all("resumes"));
        out.push_str("</dl>\n</section>\n");
    }

    fn kept(&self, out: &mut String) {
        let withheld = self.number("withheld").unwrap_or(0);
        if withheld == 0 {
            return;
        }
        let _ = writeln!(
            out,
            "<section>\n<h2>What had to stay</h2>\n<p>The content of {} was not erased. It is erased when the last ground for keeping it has \
             fallen.</p>\n<dl class=\"facts\">",
            counted(withheld, "decision")
        );
        let grounds: Vec<String> = self.all("withheld-for").map(ground).collect();
        let _ = list(out, "Ground", grounds.iter().map(String::as_str));
        let _ = list(out, "Hold", self.all("hold"));
        let until: Vec<String> = self.all("withheld-until").map(moment).collect();
        let _ = list(out, "Not before", until.iter().map(String::as_str));
        out.push_str("</dl>\n</section>\n");
    }

    fn done(&self, out: &mut String) {
        out.push_str("<section>\n<h2>What was done</h2>\n<dl class=\"facts\">\n");
        for (store, what) in self.all("store").map(|store| store.split_once(", ").unwrap_or((store, ""))) {
            let _ = writeln!(
                out,
                "<div class=\"wide\"><dt>{}</dt><dd>{}</dd></div>",
                escape(&capital(if store == "wal" { "write-ahead log" } else { store })),
                escape(&sentence(what))
            );
        }
        // What a later version says, and this page does not know.
        for (key, value) in self.lines.iter().filter(|(key, _)| !TOLD.contains(&key.as_str())) {
            let name = capital(&key.replace('-', " "));
            let _ = writeln!(
                out,
                "<div class=\"wide\"><dt>{}</dt><dd>{}</dd></div>",
                escape(&name),
                escape(&sentence(value))
            );
        }
        out.push_str("</dl>\n</section>\n");
    }

    fn outside(&self, out: &mut String) {
        out.push_str(
            "<section>\n<h2>What is outside</h2>\n<p class=\"lead\">Places that inferlog does not reach. This certificate says nothing of \
             them.</p>\n<ul>\n",
        );
        for what in self.all("outside") {
            let _ = writeln!(out, "<li>{}</li>", escape(&sentence(what)));
        }
        out.push_str("</ul>\n");
        let horizon = match self.first("backup-horizon") {
            Some(horizon) if horizon.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("The last backup that may hold the keys is gone by {}.", moment(horizon))
            }
            _ => "How long backups are kept was not configured: no time is named after which none holds the keys.".to_owned(),
        };
        let _ = writeln!(out, "<p>{}</p>\n</section>", escape(&horizon));
    }

    fn signed(&self, out: &mut String) {
        let note = String::from_utf8_lossy(&self.bytes);
        let _ = writeln!(
            out,
            "<section>\n<h2>The signed text</h2>\n<p>Announced in entry {} of the log <code>{}</code>; the event that completed it holds \
             the SHA-256 of this text. With the text in a file it is checked by</p>\n<pre class=\"code\">inferlog verify --certificate FILE --key \
             VKEY\ninferlog verify --certificate FILE --data DIR</pre>\n<p>or by any tool that reads signed notes (c2sp.org/signed-note).</p>\n\
             <pre class=\"code\">{}</pre>\n</section>",
            escape(self.first("intent-entry").unwrap_or("?")),
            escape(self.first("intent-log").unwrap_or_else(|| self.origin())),
            escape(&note)
        );
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.first(key)?.parse().ok()
    }
}

/// A name and its values, if it has any.
fn list<'a>(out: &mut String, name: &str, values: impl Iterator<Item = &'a str>) -> std::fmt::Result {
    let values: Vec<String> = values.map(|value| format!("<code>{}</code>", escape(value))).collect();
    if values.is_empty() {
        return Ok(());
    }
    writeln!(out, "<div class=\"wide\"><dt>{name}</dt><dd>{}</dd></div>", values.join("<br>"))
}

fn order(order: &str) -> String {
    match order {
        "request" => "the person, at their request".to_owned(),
        "authority" => "an authority".to_owned(),
        "court" => "a court".to_owned(),
        "policy" => "a policy of the organisation".to_owned(),
        "unlawful" => "the organisation: it should never have been recorded".to_owned(),
        other => spaced(other),
    }
}

fn ground(ground: &str) -> String {
    match ground {
        "hold" => "a hold stands".to_owned(),
        "legal_duty" => "a legal duty of the policy in force asks for it".to_owned(),
        other => spaced(other),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn sentence(text: &str) -> String {
    let text = capital(text);
    if text.is_empty() || text.ends_with(['.', '?']) { text } else { format!("{text}.") }
}
