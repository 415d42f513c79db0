//! Small marks that say how something stands: by shape, by colour and in words, so that none of them is needed.

use super::escape::escape;
use super::words;
use crate::account::graph::Tone;
use crate::account::model::Content;
use crate::story::states::told;

/// A mark with words.
pub(super) fn pill(tone: Tone, text: &str) -> String {
    let (class, sign) = match tone {
        Tone::Plain => ("plain", "·"),
        Tone::Good => ("good", "✓"),
        Tone::Human => ("human", "◆"),
        Tone::Caution => ("caution", "▲"),
        Tone::Bad => ("bad", "✕"),
    };
    format!("<span class=\"pill {class}\"><i aria-hidden=\"true\">{sign}</i> {}</span>", escape(text))
}

/// Why a content is not there.
pub(super) fn why_not(content: &Content, opened: bool) -> String {
    match (content.state.as_str(), content.reason.as_deref(), content.problem.as_deref()) {
        ("present", _, Some(problem)) => format!("Not opened: {problem}."),
        ("present", _, None) if !opened => {
            let size = content.size.map(|size| format!(" ({} sealed)", words::bytes(size as usize)));
            format!("Sealed{}: this account was made without the keys.", size.unwrap_or_default())
        }
        ("present", _, None) => "Not opened.".to_owned(),
        (state, ..) => capital(&told(state, &content.why())),
    }
}

/// The mark of a content that is not plainly there: shape and word, so that colour is not needed.
pub(super) fn state(content: &Content) -> String {
    let is_held = !content.held.is_empty() || !content.withheld.is_empty();
    let name = match content.state.as_str() {
        "present" if is_held => "held",
        "present" => return String::new(),
        other => other,
    };
    let class = match name {
        "held" => "human",
        "missing" => "bad",
        "erased" | "purged" => "caution",
        _ => "plain",
    };
    let (mark, name) = (content.mark(), escape(&words::spaced(name)));
    format!("<span class=\"pill {class}\"><i aria-hidden=\"true\">{mark}</i> {name}</span> ")
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
