//! JSON of others, made fit to stand in a line of ours.

use std::borrow::Cow;

use serde::de::IgnoredAny;

/// JSON nested deeper than this stands as text: many readers give up at a thousand levels, and take the whole line with them.
pub(crate) const JSON_DEPTH_MAX: usize = 128;

/// The document on one line, otherwise as it came: in JSON (RFC 8259, section 2) a line's end stands only between tokens, where
/// a space says the same. `None` for what is no JSON, or nested deeper than [`JSON_DEPTH_MAX`].
pub(crate) fn one_line(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    if depth(json) > JSON_DEPTH_MAX {
        return None;
    }
    let is_one = !json.contains(['\n', '\r']);
    Some(if is_one { Cow::Borrowed(json) } else { Cow::Owned(json.replace(['\n', '\r'], " ")) })
}

/// How deep a document that is JSON nests.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_on_one_line() {
        assert_eq!(one_line("{\r\n  \"a\": \"\\n\"\n}").as_deref(), Some("{    \"a\": \"\\n\" }"));
        assert_eq!(one_line(" 1 ").as_deref(), Some(" 1 "));
        for not_json in ["", "{", "{}{}", "NaN", "\"\n\"", "\"\\ud800"] {
            assert_eq!(one_line(not_json), None, "{not_json}");
        }
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(one_line(&nested(JSON_DEPTH_MAX)).is_some());
        assert_eq!(one_line(&nested(JSON_DEPTH_MAX + 1)), None);
        assert_eq!(depth(r#"["[[[\"[", {"]": [1]}]"#), 3);
    }
}
