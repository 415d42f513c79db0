//! Files beside a log that are derived from it, and that something may be removed by: two lines, a JSON object and the SHA-256 of its
//! bytes in hex (docs/format.md, section 6). A damaged disk may leave a figure that is still a figure; the digest tells.

use inferlog_record::Digest;
use sha2::{Digest as _, Sha256};

/// The bytes of a file that says this, in one line of JSON.
pub fn with_digest(json: &str) -> Vec<u8> {
    format!("{json}\n{}\n", digest(json)).into_bytes()
}

/// The JSON of a file; `None` if any byte of it is not as it was written.
pub fn checked(bytes: &[u8]) -> Option<&str> {
    let (json, told) = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split_once('\n')?;
    (told == digest(json)).then_some(json)
}

fn digest(json: &str) -> String {
    Digest(Sha256::digest(json.as_bytes()).into()).to_string()
}
