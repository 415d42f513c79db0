//! The draft as a page: for screen and paper, blanks marked.

use std::fmt::Write as _;

use super::plain::{TITLE, blank};
use super::{Explanation, ExplanationPart};
use crate::account::html::{document, escape::escape};

/// What the page claims, at its end.
const FOOTER: &str =
    "A draft, made from a log. It becomes an explanation when the deployer has completed and checked it.";

impl Explanation {
    /// The draft as one file for a browser; it loads nothing and runs nothing.
    pub fn to_html(&self) -> String {
        let mut body = format!(
            "<header>\n<p class=\"over\">{TITLE} · not yet completed</p>\n<h1>{}</h1>\n</header>\n",
            self.decision
        );
        for (number, section) in (1..).zip(&self.sections) {
            let _ = writeln!(body, "<section>\n<h2>{number}. {}</h2>", escape(&section.title));
            for part in &section.parts {
                let _ = match part {
                    ExplanationPart::Says(text) => writeln!(body, "<p>{}</p>", escape(text)),
                    ExplanationPart::List(items) => {
                        let items: String =
                            items.iter().map(|item| format!("<li>{}</li>", escape(item))).collect();
                        writeln!(body, "<ul>{items}</ul>")
                    }
                    ExplanationPart::Blank(text) => {
                        writeln!(body, "<p class=\"blank\">{}</p>", escape(&blank(text)))
                    }
                    ExplanationPart::Withheld(text) => {
                        writeln!(body, "<p class=\"absent\">{}</p>", escape(text))
                    }
                    ExplanationPart::Quote(name, text) => writeln!(
                        body,
                        "<figure class=\"content\"><figcaption><b>{}</b></figcaption><pre class=\"prose\" dir=\"auto\">{}</pre></figure>",
                        escape(name),
                        escape(text)
                    ),
                };
            }
            body.push_str("</section>\n");
        }
        let title = format!("{TITLE}: decision {}", self.decision);
        document(&title, &format!("Draft · decision {}", self.decision), "letter", [&body, FOOTER])
    }
}
