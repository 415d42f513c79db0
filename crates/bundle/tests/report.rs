//! The page as text: what is in it, that it is always the same, that nothing of a bundle can become markup. How it behaves is for
//! `interop/browser/test_report.py`, which takes the pages that are written here.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_bundle::layout::Source;
use inferlog_bundle::report::{EMBEDDED_BYTES_MAX, html};
use sha2::{Digest as _, Sha256};

/// Files by path.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn of(files: &[(&str, &[u8])]) -> Self {
        Self(files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect())
    }
}

impl Source for Files {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

/// A file that is listed and not there.
struct Hole;

impl Source for Hole {
    fn paths(&self) -> Vec<String> {
        vec!["bundle.json".into()]
    }

    fn read(&self, _: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// What stands between two marks.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let rest = &page[page.find(from).unwrap() + from.len()..];
    &rest[..rest.find(to).unwrap()]
}

fn embedded(page: &str) -> serde_json::Value {
    let json = between(page, "<script type=\"application/json\" id=\"bundle\">", "</script>");
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_same_files_give_the_same_page() {
    let mut files = Files::of(&[("bundle.json", b"{}\n"), ("manifest", b"m\n"), ("SHA256SUMS", b"s\n")]);
    let page = html(&files).unwrap();
    assert_eq!(page, html(&files.clone()).unwrap());
    files.0.insert("report.html".into(), b"anything".to_vec());
    files.0.insert("report.note".into(), b"anything".to_vec());
    assert_eq!(page, html(&files).unwrap(), "it is a function of the other files");
    files.0.insert("bundle.json".into(), b"{ }\n".to_vec());
    assert_ne!(page, html(&files).unwrap());
}

#[test]
fn nothing_of_a_bundle_is_markup() {
    let hostile = "</script><script>alert(1)</script><!--<script>{{script}}{{bundle}}\u{2028}\u{2029}\u{202e}\u{0}\r\n\"\\";
    let files =
        Files::of(&[("openings/x.json", hostile.as_bytes()), ("logs/0/timestamps/0.tsr", b"\xff\x00<")]);
    let page = html(&files).unwrap();
    let plain = html(&Files::default()).unwrap();
    for mark in ["<script", "</script", "<!--", "\u{2028}", "\u{2029}", "\u{0}"] {
        assert_eq!(page.matches(mark).count(), plain.matches(mark).count(), "{mark:?}");
    }
    let files = &embedded(&page)["files"];
    assert_eq!(files["openings/x.json"], hostile, "and every byte of it is there");
    assert_eq!(files["logs/0/timestamps/0.tsr"]["base64"], STANDARD.encode(b"\xff\x00<"));
}

#[test]
fn the_policy_allows_this_script_and_this_style_alone() {
    let page = html(&Files::of(&[("bundle.json", b"{}\n")])).unwrap();
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\">");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let script = hash(between(&page, "<script>", "</script>"));
    let style = hash(between(&page, "<style>", "</style>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'"
        )
    );
    assert!(!page.contains("innerHTML") && !page.contains("insertAdjacentHTML"), "text is put in as text");
    assert!(!page.contains("{{"), "every mark is filled");
    for asks in ["fetch(", "XMLHttpRequest", "WebSocket", "src=", "import("] {
        assert!(!page.contains(asks), "{asks}");
    }
}

#[test]
fn a_large_bundle_leaves_its_decisions_in_the_zip() {
    let mut files = Files::of(&[
        ("SHA256SUMS", b"s"),
        ("bundle.json", b"b"),
        ("coverage.json", b"c"),
        ("decisions.json", b"d"),
        ("logs/0/checkpoint", b"p"),
        ("logs/0/keys", b"k"),
        ("logs/0/openings.json", b"o"),
        ("logs/0/system.json", b"y"),
        ("logs/0/timestamps/0.tsr", b"t"),
        ("manifest", b"m"),
    ]);
    let small: usize = files.0.values().map(Vec::len).sum();
    files.0.insert("decisions/x.json".into(), vec![b'x'; EMBEDDED_BYTES_MAX - small]);
    let page = html(&files).unwrap();
    assert_eq!(embedded(&page)["whole"], true);
    assert_eq!(embedded(&page)["files"].as_object().unwrap().len(), 11);
    files.0.insert("verify.py".into(), b"v".to_vec());
    let page = html(&files).unwrap();
    let shown = embedded(&page);
    assert_eq!(shown["whole"], false);
    let paths: Vec<&str> = shown["files"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "SHA256SUMS",
            "bundle.json",
            "coverage.json",
            "decisions.json",
            "logs/0/checkpoint",
            "logs/0/keys",
            "logs/0/timestamps/0.tsr",
            "manifest"
        ]
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_eq!(html(&Hole).unwrap_err().to_string(), "bundle.json: entity not found");
}

/// The page of no bundle: the browser's tests put bundles into it.
#[test]
fn the_browser_gets_a_page() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("empty.html"), html(&Files::default()).unwrap()).unwrap();
}
