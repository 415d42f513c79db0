//! Where a number begins and ends: not inside anything longer.

/// Whether what stands before `at` does not go on there.
pub(crate) fn is_left(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let Some(&before) = at.checked_sub(1).and_then(|at| bytes.get(at)) else { return true };
    let further = at.checked_sub(2).and_then(|at| bytes.get(at)).copied().unwrap_or(b' ');
    match before {
        b'_' => false,
        b'-' => !further.is_ascii_alphanumeric(),
        b'.' | b'/' | b':' | b'%' => !further.is_ascii_digit(),
        b'$' => false,
        0x80.. => !is_word_before(text, at),
        _ => !before.is_ascii_alphanumeric(),
    }
}

/// Whether what ends before `at` does not go on there.
pub(crate) fn is_right(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let Some(&next) = bytes.get(at) else { return true };
    let further = bytes.get(at + 1).copied().unwrap_or(b' ');
    match next {
        b'_' => false,
        b'-' => !further.is_ascii_alphanumeric(),
        b'.' | b'/' | b':' => !further.is_ascii_digit(),
        b'%' => further == b'2' || further == b'3',
        0x80.. => !is_word_after(text, at),
        _ => !next.is_ascii_alphanumeric(),
    }
}

/// Whether a letter ends before `at`: of a script that puts spaces between its words.
fn is_word_before(text: &str, at: usize) -> bool {
    text.get(..at).and_then(|before| before.chars().next_back()).is_some_and(is_word)
}

fn is_word_after(text: &str, at: usize) -> bool {
    text.get(at..).and_then(|after| after.chars().next()).is_some_and(|c| is_word(c) || c == '€')
}

/// A letter or digit of a script that puts spaces between words.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() && is_spaced(c)
}

/// Whether a character is below the scripts of East Asia, which are written without spaces.
pub(crate) fn is_spaced(c: char) -> bool {
    c < '\u{2E80}'
}

/// The length of the space that stands at `at`, bytes: one space, or one that does not break.
pub(crate) fn space(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b' ', ..] => Some(1),
        // U+00A0; U+2007, U+2009, U+202F; U+2010 and U+2011 are hyphens, and `gap` has them.
        [0xC2, 0xA0, ..] => Some(2),
        [0xE2, 0x80, 0x87 | 0x89 | 0xAF, ..] => Some(3),
        _ => None,
    }
}

/// The length of the gap between groups of a number that stands at `at`, bytes, and its sort: spaces are all of one.
pub(crate) fn gap(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    match bytes.get(at..)? {
        [gap @ (b'-' | b'.'), ..] => Some((1, *gap)),
        [0xE2, 0x80, 0x90..=0x93, ..] => Some((3, b'-')),
        _ => space(bytes, at).map(|len| (len, b' ')),
    }
}
