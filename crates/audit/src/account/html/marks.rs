//! Small marks that say how something stands: by shape, by colour and in words, so that none of them is needed.

use super::escape::escape;
use super::words;
use crate::account::graph::Tone;
use crate::account::model::Content;

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
        ("erased", Some(reason), _) => match reason.strip_prefix("erased_by_order:") {
            Some(event) => format!("Erased: its key was destroyed under the erasure event {event}."),
            None => format!("Erased: {reason}."),
        },
        ("purged", Some(reason), _) => match reason.strip_prefix("purged_by_policy:") {
            Some(event) => format!("Removed under the retention policy, by the purge event {event}."),
            None => format!("Purged: {reason}."),
        },
        (state, reason, _) => {
            let state = words::spaced(state);
            let reason = reason.map(meaning).unwrap_or_else(|| "no reason is recorded".to_owned());
            format!("{}: {reason}", capital(&state))
        }
    }
}

/// What a reason of the record means.
fn meaning(reason: &str) -> String {
    let known = inferlog_record::Why::ALL.iter().zip(inferlog_record::Why::MEANINGS);
    let meaning = known.filter(|(why, _)| why.as_str() == reason).map(|(_, meaning)| meaning.trim()).next();
    match meaning {
        Some(meaning) => format!("{} ({reason})", crate::story::lower(meaning.trim_end_matches('.'))),
        None => reason.to_owned(),
    }
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
