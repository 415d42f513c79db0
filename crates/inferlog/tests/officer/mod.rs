//! What the tests of the compliance officer's commands share.

#![allow(unreachable_pub, reason = "a module of tests")]

/// A text in which ids, times, digests and keys are masked, so that two runs give the same.
pub fn masked(text: &str) -> String {
    without_ids(text).split_inclusive(|c: char| !is_of_a_word(c)).map(word).collect()
}

/// A text whose UUIDs are masked, wherever they stand.
fn without_ids(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while !rest.is_empty() {
        let (piece, next) = match rest.get(..36) {
            Some(found) if is_uuid(found) => ("ID", &rest[36..]),
            _ => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
        };
        out.push_str(piece);
        rest = next;
    }
    out
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-.:/+=".contains(c)
}

fn word(piece: &str) -> String {
    let word = piece.trim_end_matches(|c: char| !is_of_a_word(c));
    let rest = &piece[word.len()..];
    let bare = word.trim_end_matches([':', '.']);
    let end = &word[bare.len()..];
    let masked = match bare {
        bare if bare.len() >= 10
            && bare.as_bytes()[4] == b'-'
            && bare[..4].bytes().all(|b| b.is_ascii_digit()) =>
        {
            "TIME"
        }
        bare if bare.contains("/credit/0/") => "ORIGIN",
        bare if bare.len() >= 64 => "DIGEST",
        bare if is_key(bare) => "KEY",
        bare if bare.len() > 1 && bare.bytes().all(|byte| byte.is_ascii_digit()) => "N",
        bare => return format!("{bare}{end}{rest}"),
    };
    format!("{masked}{end}{rest}")
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `7.12`: page and record.
fn is_key(word: &str) -> bool {
    word.split_once('.').is_some_and(|(page, record)| {
        [page, record].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    })
}
