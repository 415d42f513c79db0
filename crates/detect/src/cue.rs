//! Words before a number that say what it is.

/// How far before a number its cue may end, bytes.
const CUE_BYTES_MAX: usize = 48;

/// Whether one of the cues, in lower case, stands shortly before `at`, or in the name of the field that holds the text. A cue
/// begins where a word does.
pub(crate) fn is_before(text: &str, at: usize, field: &str, cues: &[&str]) -> bool {
    let from = floor(text, at.saturating_sub(CUE_BYTES_MAX));
    let before = text.get(from..at).unwrap_or_default();
    // Another line's word is not about this one's number, unless it ends right before.
    let line = before.trim_end().rsplit('\n').next().unwrap_or_default();
    has(line, cues) || has(tail(field), cues)
}

/// Whether a text has one of the cues.
fn has(text: &str, cues: &[&str]) -> bool {
    if text.is_empty() {
        return false;
    }
    // `phoneNumber` and `phone_number` are words like `phone number`.
    let mut lower = String::with_capacity(text.len() + 8);
    let mut was_small = false;
    for c in text.chars() {
        if c.is_uppercase() && was_small {
            lower.push(' ');
        }
        was_small = c.is_lowercase();
        lower.extend(if c == '_' || c == '-' { ' ' } else { c }.to_lowercase());
    }
    cues.iter().any(|cue| {
        lower.match_indices(cue).any(|(at, _)| {
            let before = lower.get(..at).and_then(|before| before.chars().next_back());
            let after = lower.get(at + cue.len()..).and_then(|after| after.chars().next());
            let is_end = cue.len() > 4 || !after.is_some_and(char::is_alphabetic);
            !before.is_some_and(char::is_alphanumeric) && is_end
        })
    })
}

/// The end of a field's name that is looked at.
fn tail(field: &str) -> &str {
    field.get(floor(field, field.len().saturating_sub(CUE_BYTES_MAX))..).unwrap_or_default()
}

/// The first character boundary at or after a byte.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
