//! The files: their names, the list of their SHA-256, the signature over it.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::Id;
use sha2::{Digest, Sha256};

use super::json::{self, Lenience};
use super::report::{Check, Outcome};
use super::{Progress, Verifier};
use crate::layout;
use crate::zip::name_fault;

/// Files that the list leaves out: itself, and what is made from it.
const UNLISTED: [&str; 4] = [layout::SUMS, layout::MANIFEST, layout::REPORT, layout::REPORT_NOTE];
/// Files that every bundle has, beside those of its logs and decisions.
const REQUIRED: [&str; 10] = [
    layout::README,
    layout::MANIFEST,
    layout::SUMS,
    layout::FACTS,
    layout::SUMMARIES,
    layout::FORMAT_DOC,
    layout::BUNDLE_DOC,
    layout::VERIFY_PY,
    layout::REPORT,
    layout::REPORT_NOTE,
];

/// What `SHA256SUMS` says.
#[derive(Debug, Default)]
pub(super) struct Sums {
    by_path: BTreeMap<String, [u8; 32]>,
    /// SHA-256 of the file itself.
    own: Option<[u8; 32]>,
}

impl Verifier<'_> {
    /// Names, and what is listed against what is there. Each file is hashed when it is read.
    pub(super) fn files(&mut self) {
        let paths = self.source.paths();
        self.found.counts.files = paths.len() as u64;
        for path in &paths {
            if let Some(fault) = name_fault(path) {
                self.fault(Check::Files, path, format!("no file of a bundle has this name: {fault}"));
            } else if !is_known(path) {
                self.fault(
                    Check::Files,
                    path,
                    "no file of this name belongs into a bundle: nothing that it says is checked",
                );
            }
            if !self.paths.insert(path.clone()) {
                self.fault(Check::Files, path, "it stands there twice: two readers may see two contents");
            }
        }
        self.read_sums();
        let listed: BTreeSet<String> = self.sums.by_path.keys().cloned().collect();
        let paths = self.paths.clone();
        for path in listed.difference(&paths) {
            self.fault(Check::Files, path, "SHA256SUMS lists it and it is not there: it was taken out");
        }
        let unlisted = paths.difference(&listed).filter(|path| !UNLISTED.contains(&path.as_str()));
        let is_known = self.sums.own.is_some();
        for path in unlisted.filter(|_| is_known) {
            self.fault(Check::Files, path, "SHA256SUMS does not list it: it was put in later");
        }
        for path in REQUIRED.into_iter().filter(|path| !paths.contains(*path) && !listed.contains(*path)) {
            self.fault(Check::Files, path, "it is not there, and every bundle has it");
        }
        let total = listed.len();
        self.found.tell(
            Check::Files,
            Outcome::Passed,
            format!("{total} files have the SHA-256 that SHA256SUMS lists"),
        );
    }

    fn read_sums(&mut self) {
        let Some(bytes) = self.read(layout::SUMS) else { return };
        self.sums.own = Some(Sha256::digest(&bytes).into());
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return self.fault(Check::Files, layout::SUMS, "it is no text");
        };
        let mut last = "";
        for (number, line) in (1..).zip(text.split_inclusive('\n')) {
            let place = format!("line {number}");
            let parsed = line.strip_suffix('\n').and_then(|line| line.split_once("  "));
            let digest = parsed.and_then(|(digest, _)| hex_digest(digest));
            let (Some((_, path)), Some(digest)) = (parsed, digest) else {
                self.fault_at(
                    Check::Files,
                    layout::SUMS,
                    place,
                    "it is not `<SHA-256, 64 lower-case digits>  <path>`",
                );
                continue;
            };
            match () {
                () if UNLISTED.contains(&path) => {
                    self.fault_at(
                        Check::Files,
                        layout::SUMS,
                        place,
                        format!("{path} cannot be listed: it is made from this list"),
                    );
                }
                () if path <= last => {
                    self.fault_at(
                        Check::Files,
                        layout::SUMS,
                        place,
                        "the paths are not sorted, or one stands twice",
                    );
                }
                () => drop(self.sums.by_path.insert(path.to_owned(), digest)),
            }
            last = path;
        }
    }

    /// The signature of every log over the list.
    pub(super) fn manifest(&mut self) {
        let Some(bytes) = self.read(layout::MANIFEST) else { return };
        let Some(own) = self.sums.own else { return };
        self.note_over(Check::Manifest, layout::MANIFEST, &bytes, layout::MANIFEST_DOMAIN, own, layout::SUMS);
        let what = format!("SHA256SUMS is signed by {}", self.whose());
        self.found.tell(Check::Manifest, Outcome::Passed, what);
    }

    /// The bytes of a file, counted and held against the list; `None` if it is not there or cannot be read, which is a fault.
    pub(super) fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        let bytes = match self.source.read(path) {
            Ok(bytes) => bytes?,
            Err(error) => {
                self.read.insert(path.to_owned());
                self.fault(Check::Files, path, format!("it cannot be read: {error}"));
                return None;
            }
        };
        if !self.read.insert(path.to_owned()) {
            return Some(bytes);
        }
        self.found.counts.bytes += bytes.len() as u64;
        let listed = self.sums.by_path.get(path);
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        if let Some(listed) = listed.filter(|listed| **listed != sha256) {
            let what = format!(
                "its SHA-256 is {}, SHA256SUMS lists {}: the file was changed",
                hex::encode(sha256),
                hex::encode(listed)
            );
            self.fault(Check::Files, path, what);
        }
        let (files, files_total) = (self.read.len() as u64, self.paths.len() as u64);
        (self.progress)(Progress { files, files_total, bytes: self.found.counts.bytes });
        Some(bytes)
    }

    /// The files that no check of its own reads.
    pub(super) fn others(&mut self) {
        let left: Vec<String> =
            self.paths.iter().filter(|path| !self.read.contains(*path)).cloned().collect();
        for path in left.iter().filter(|path| !UNLISTED.contains(&path.as_str())) {
            let Some(bytes) = self.read(path) else { continue };
            if path == layout::COVERAGE
                && let Err(what) = json::check(&bytes, Lenience::NullsAndFractions)
            {
                self.fault(
                    Check::Files,
                    path,
                    format!("it is not JSON that all readers take the same way: {what}"),
                );
            }
            if path == layout::VERIFY_PY && bytes != include_bytes!("../verify.py") {
                self.found.notice("a program in the bundle", || {
                    "verify.py is not the one that this build brings: look at it before you run it".to_owned()
                });
            }
        }
    }
}

/// Whether docs/bundle.md has a file of this path.
fn is_known(path: &str) -> bool {
    if REQUIRED.contains(&path) || path == layout::COVERAGE {
        return true;
    }
    let Some((folder, rest)) = path.split_once('/') else { return false };
    match folder {
        "decisions" | "openings" | "sealed" => decision_of(path, folder).is_some(),
        "shared" => hex_digest(rest).is_some(),
        "logs" => rest.split_once('/').is_some_and(|(log, file)| {
            let timestamp = file.strip_prefix("timestamps/").and_then(|file| file.strip_suffix(".tsr"));
            is_number(log)
                && (matches!(file, "checkpoint" | "keys" | "system.json" | "openings.json")
                    || timestamp.is_some_and(is_number))
        }),
        _ => false,
    }
}

/// The decision that a file `<folder>/<id>.json` is of.
pub(super) fn decision_of(path: &str, folder: &str) -> Option<Id> {
    path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok()
}

/// A number in its one spelling.
fn is_number(text: &str) -> bool {
    text.parse::<usize>().is_ok_and(|number| number.to_string() == text)
}

/// 64 lower-case hexadecimal digits.
pub(super) fn hex_digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    (!text.bytes().any(|byte| byte.is_ascii_uppercase())).then_some(digest)
}
