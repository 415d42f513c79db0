//! How two texts differ, as HTML: what went is struck through, what came is underlined.

use super::escape::escape;
use super::words::counted;
use crate::account::diff::{Diff, DiffLine, Side};
use crate::account::model::Account;
use crate::story::PayloadContent;

/// Lines of a difference beyond which it is folded.
const LINES_OPEN_MAX: usize = 24;

/// A difference; that there is none, where there is none.
pub(super) fn difference(account: &Account, diff: &Diff) -> String {
    let title = escape(&diff.title);
    if diff.too_long {
        return format!("<p class=\"absent\">{title}: too long to be compared here.</p>\n");
    }
    if diff.same {
        return format!("<p class=\"same\"><b>{title}</b> the same words.</p>\n");
    }
    let is_json = [diff.from, diff.to].iter().any(|payload| {
        let content = account.contents.get(payload).and_then(|content| content.content.as_ref());
        matches!(content, Some(PayloadContent::Json(_))) && diff.compared == "text"
    });
    let class = if is_json { "code" } else { "prose" };
    let mut out = format!(
        "<figure class=\"diff\"><figcaption><b>{title}</b> <span class=\"dim\">what differs; compared: {}</span></figcaption>\n",
        escape(diff.compared)
    );
    let is_long = diff.lines.len() > LINES_OPEN_MAX;
    if is_long {
        let count = |side: Side| diff.lines.iter().filter(|line| line.side == side).count() as u64;
        out.push_str(&format!(
            "<details><summary>{} went, {} came</summary>",
            counted(count(Side::Removed), "line"),
            counted(count(Side::Added), "line")
        ));
    }
    out.push_str(&format!("<pre class=\"{class}\" dir=\"auto\">"));
    let mut lines = diff.lines.iter().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().filter(|next| line.side == Side::Removed && next.side == Side::Added);
        match next.and_then(|next| merged(line, next)) {
            Some(both) => {
                out.push_str(&both);
                lines.next();
            }
            None => out.push_str(&whole(line)),
        }
        out.push('\n');
    }
    out.push_str(if is_long { "</pre></details></figure>\n" } else { "</pre></figure>\n" });
    out
}

/// A line that one side has, or both.
fn whole(line: &DiffLine) -> String {
    let text: String = line.pieces.iter().map(|piece| escape(&piece.text)).collect();
    match line.side {
        Side::Same => text,
        Side::Removed => format!("<del>{text}</del>"),
        Side::Added => format!("<ins>{text}</ins>"),
    }
}

/// One line for two that have most words in common; `None` if what they call common is not.
fn merged(old: &DiffLine, new: &DiffLine) -> Option<String> {
    let mut out = String::new();
    let [mut old, mut new] = [old, new].map(|line| line.pieces.iter().peekable());
    let mut common = 0;
    while old.peek().is_some() || new.peek().is_some() {
        while let Some(piece) = old.next_if(|piece| piece.differs) {
            out.push_str(&format!("<del>{}</del>", escape(&piece.text)));
        }
        while let Some(piece) = new.next_if(|piece| piece.differs) {
            out.push_str(&format!("<ins>{}</ins>", escape(&piece.text)));
        }
        match (old.next(), new.next()) {
            (Some(one), Some(other)) if one.text == other.text => {
                common += one.text.trim().len();
                out.push_str(&escape(&one.text));
            }
            (None, None) => {}
            _ => return None,
        }
    }
    (common > 0).then_some(out)
}
