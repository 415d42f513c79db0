//! Evidence bundles: whole archives, and single files in the place of those of a good one.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::LazyLock;

use inferlog_bundle::layout::Source;
use inferlog_bundle::verify::{VerifyOptions, verify};
use inferlog_bundle::zip::{MEMBER_BYTES_MAX, ZipSource};

const GOOD: &[u8] = include_bytes!("../../fixtures/v1/bundle/good.zip");
const KEY: &str = include_str!("../../fixtures/v1/bundle/log.vkey");

/// The good bundle without its page, which takes most of the time.
static FILES: LazyLock<Files> = LazyLock::new(|| {
    let source = ZipSource::new(Cursor::new(GOOD)).unwrap();
    let paths = source.paths().into_iter().filter(|path| path != "report.html");
    Files(paths.map(|path| (path.clone(), source.read(&path).unwrap().unwrap())).collect())
});

#[derive(Clone)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

fn known() -> VerifyOptions {
    VerifyOptions { keys: vec![KEY.trim().parse().unwrap()], ..VerifyOptions::default() }
}

/// An archive. What is read of it is bounded, and what is believed was signed.
pub fn archives(data: &[u8]) {
    let Ok(source) = ZipSource::new(Cursor::new(data)) else { return };
    let paths = source.paths();
    assert!(paths.windows(2).all(|pair| pair[0] < pair[1]), "names are sorted, and each stands once");
    for path in &paths {
        assert!(!path.split('/').any(|part| ["", ".", ".."].contains(&part)), "{path} leads elsewhere");
        if let Ok(bytes) = source.read(path) {
            assert!(bytes.unwrap().len() as u64 <= MEMBER_BYTES_MAX);
        }
    }
    let report = verify(&source, &known(), &mut |_| {});
    assert!(!report.ok || source.read("SHA256SUMS").unwrap() == FILES.read("SHA256SUMS").unwrap());
    assert!(!report.to_text(false).is_empty());
}

/// Which file, then what stands in it. It is a fault there unless it is what stood there.
pub fn files(data: &[u8]) {
    let Some((number, bytes)) = data.split_first() else { return };
    let path = FILES.0.keys().nth(usize::from(*number) % FILES.0.len()).unwrap();
    let mut files = FILES.clone();
    files.0.insert(path.clone(), bytes.to_vec());
    let report = verify(&files, &known(), &mut |_| {});
    let is_same = FILES.0[path] == bytes;
    let is_blamed = report.faults.iter().any(|fault| fault.file == *path);
    // The list is held against the manifest, and the note over the page against a page that is not there.
    let is_judged_elsewhere = ["SHA256SUMS", "report.note"].contains(&path.as_str());
    assert!(is_same || is_blamed || is_judged_elsewhere, "{path} was changed: {:?}", report.faults);
    assert!(!report.ok, "the page is missing");
    assert!(!report.to_text(true).is_empty());
}
