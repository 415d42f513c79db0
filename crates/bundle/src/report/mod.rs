//! `report.html`: the page inside a bundle that reads and checks the bundle in a browser.
//!
//! The page is a pure function of the bundle's other files, so that a verifier makes it again and compares. Nothing of the
//! bundle is written into its markup: the files lie in it as JSON, byte for byte, and a script of its own (`page/*.js`, an
//! implementation that shares nothing with this crate's) checks them and shows only what it has read from them. A content
//! policy in the page forbids everything but that one script and that one style, by their SHA-256.
//!
//! Files up to [`EMBEDDED_BYTES_MAX`] in sum are all in the page. Above it only those that say what is in the bundle are; the
//! rest is read from the ZIP file that the reader chooses, decision by decision.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_audit::account::BASE_STYLE;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::layout::{self, Source};

/// Bundles whose files are not larger than this in sum, bytes, are in the page as a whole.
pub const EMBEDDED_BYTES_MAX: usize = 4 << 20;

/// `id` of the script element that holds the files.
pub const BUNDLE_ID: &str = "bundle";

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");

/// The script, in the order in which it is to be read.
const SCRIPT: &[&str] = &[
    include_str!("page/bytes.js"),
    include_str!("page/crypto.js"),
    include_str!("page/notes.js"),
    include_str!("page/merkle.js"),
    include_str!("page/timestamp.js"),
    include_str!("page/zip.js"),
    include_str!("page/layout.js"),
    include_str!("page/findings.js"),
    include_str!("page/check.js"),
    include_str!("page/decision.js"),
    include_str!("page/words.js"),
    include_str!("page/dom.js"),
    include_str!("page/story.js"),
    include_str!("page/steps.js"),
    include_str!("page/list.js"),
    include_str!("page/proof.js"),
    include_str!("page/result.js"),
    include_str!("page/main.js"),
];

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file of the bundle cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// Its path.
        path: String,
        /// Why.
        error: std::io::Error,
    },
}

/// A file in the page: its text, or its bytes where they are no UTF-8.
#[derive(Serialize)]
#[serde(untagged)]
enum Embedded {
    Text(String),
    Bytes { base64: String },
}

/// What is in the page.
#[derive(Serialize)]
struct Payload {
    files: BTreeMap<String, Embedded>,
    /// Whether these are all files of the bundle, `report.html` and `report.note` apart.
    whole: bool,
}

/// The page of a bundle: the same files give the same bytes. `report.html` and `report.note` are not read.
///
/// # Errors
/// [`ReportError::Read`] if a file cannot be read.
pub fn html(source: &dyn Source) -> Result<String, ReportError> {
    let mut paths = source.paths();
    paths.retain(|path| path != layout::REPORT && path != layout::REPORT_NOTE);
    let payload = payload(source, &paths)?;
    Ok(document(&embed(&payload)))
}

/// All files, or the few that say what the bundle holds.
fn payload(source: &dyn Source, paths: &[String]) -> Result<Payload, ReportError> {
    let mut files = BTreeMap::new();
    let (mut left, mut whole) = (EMBEDDED_BYTES_MAX, true);
    for path in paths {
        let bytes = read(source, path)?;
        if bytes.len() > left {
            whole = false;
            break;
        }
        left -= bytes.len();
        files.insert(path.clone(), embedded(bytes));
    }
    if !whole {
        files.clear();
        for path in paths.iter().filter(|path| is_overview(path)) {
            files.insert(path.clone(), embedded(read(source, path)?));
        }
    }
    Ok(Payload { files, whole })
}

fn read(source: &dyn Source, path: &str) -> Result<Vec<u8>, ReportError> {
    let bytes = source.read(path).and_then(|bytes| bytes.ok_or_else(|| std::io::ErrorKind::NotFound.into()));
    bytes.map_err(|error| ReportError::Read { path: path.to_owned(), error })
}

/// Files that a page has even if the bundle is too large to be in it: what is in the bundle, and by whose word.
fn is_overview(path: &str) -> bool {
    let named = [layout::MANIFEST, layout::SUMS, layout::FACTS, layout::SUMMARIES, layout::COVERAGE];
    let in_log = |rest: &str| rest == "checkpoint" || rest == "keys" || rest.starts_with("timestamps/");
    let of_log = path.strip_prefix("logs/").and_then(|path| path.split_once('/'));
    named.contains(&path) || of_log.is_some_and(|(_, rest)| in_log(rest))
}

fn embedded(bytes: Vec<u8>) -> Embedded {
    match String::from_utf8(bytes) {
        Ok(text) => Embedded::Text(text),
        Err(error) => Embedded::Bytes { base64: STANDARD.encode(error.as_bytes()) },
    }
}

/// JSON that can stand in a script element whatever it holds: `<` would end it, U+2028 and U+2029 end lines of scripts.
fn embed(payload: &Payload) -> String {
    #[expect(clippy::expect_used, reason = "strings in a map with strings as keys are JSON")]
    let json = serde_json::to_string(payload).expect("JSON of strings");
    let mut out = String::with_capacity(json.len() + json.len() / 32);
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// Puts the parts of the page together. The parts of the project come first: what is in the bundle cannot be taken for a mark.
fn document(bundle: &str) -> String {
    let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPT.concat());
    let style = [BASE_STYLE, STYLE].concat();
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        source_hash(&script),
        source_hash(&style)
    );
    let mut page = PAGE.to_owned();
    for (mark, text) in [
        ("{{policy}}", policy.as_str()),
        ("{{style}}", &style),
        ("{{script}}", &script),
        ("{{bundle}}", bundle),
    ] {
        page = page.replacen(mark, text, 1);
    }
    page
}

/// `sha256-<base64>`, as a content policy names an inline script (CSP Level 3, section 2.3.1).
fn source_hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
