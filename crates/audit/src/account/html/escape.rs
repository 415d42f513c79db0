//! Text of others, made harmless and visible.
//!
//! What HTML reads as markup is escaped, in text and in attributes alike. What would change how text is read without being seen
//! (controls, bidirectional overrides, invisible and tag characters) is named instead of passed on: `⟨U+202E⟩`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes text for an element or for an attribute in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text in which all that is there can be seen.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // A line's end is one line's end.
            '\r' if chars.peek() == Some(&'\n') => {}
            c if is_hidden(c) => {
                let _ = write!(out, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Characters that show nothing and may change the reading of what is around them.
fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        // Not characters at all.
        || u32::from(c) & 0xfffe == 0xfffe
        || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_of_others_is_markup() {
        for (text, expected) in [
            (
                "</script><img src=x onerror=\"a('b')\">",
                "&lt;/script&gt;&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;",
            ),
            ("a & b &amp;", "a &amp; b &amp;amp;"),
            ("one\r\ntwo\tthree\rfour", "one\ntwo\tthree⟨U+000D⟩four"),
            ("\u{0}\u{1b}[31m\u{7f}\u{9b}", "⟨U+0000⟩⟨U+001B⟩[31m⟨U+007F⟩⟨U+009B⟩"),
            ("refund \u{202e}0001\u{202c}", "refund ⟨U+202E⟩0001⟨U+202C⟩"),
            ("\u{2066}\u{200b}\u{feff}\u{e0041}", "⟨U+2066⟩⟨U+200B⟩⟨U+FEFF⟩⟨U+E0041⟩"),
            ("größer, 日本, שלום, 👩\u{200d}⚕\u{fe0f}", "größer, 日本, שלום, 👩\u{200d}⚕\u{fe0f}"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }
}
