//! Paths, strictly: what two servers might read in two ways is not read at all.

use percent_encoding::percent_decode_str;

/// The segments of a raw path, percent-decoded. `None` for a path that another server may resolve differently (empty or
/// dot segments, also in encoded form, RFC 3986 section 5.2.4), or whose bytes are not UTF-8.
pub(crate) fn segments(path: &str) -> Option<Vec<String>> {
    let rest = path.strip_prefix('/')?;
    if rest.is_empty() {
        return Some(Vec::new());
    }
    rest.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Option<String> {
    let text = percent_decode_str(raw).decode_utf8().ok()?;
    let ambiguous = text.is_empty() || text.split(['/', '\\']).any(|part| part == "." || part == "..");
    (!ambiguous).then(|| text.into_owned())
}
