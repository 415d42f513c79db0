//! A log's word: its keys, its signed checkpoint, and what it signed of the bundle.

use inferlog_merkle::{Checkpoint, CheckpointError, Hash, SignedNote, VerifierKey};

use super::Verifier;
use super::report::{Check, KeySource, LogReport, Outcome};
use crate::layout;

/// Keys of one log that are read; a log has one, and one more for each change of its key.
const KEYS_MAX: usize = 1_000;

/// One log of the bundle.
pub(super) struct Log {
    /// Root hash of the tree that its proofs lead to; `None` if bundle.json has none.
    pub(super) root: Option<Hash>,
    /// Keys that may have signed for it.
    pub(super) keys: Vec<VerifierKey>,
    /// Its checkpoint, if it could be read.
    pub(super) note: Option<SignedNote>,
    pub(super) report: LogReport,
}

impl Log {
    /// Whether the reader brought keys, and none of this log.
    fn is_unknown(&self) -> bool {
        self.report.key_from == KeySource::Given && self.keys.is_empty()
    }
}

impl Verifier<'_> {
    /// The logs, as bundle.json lists them, and their keys.
    pub(super) fn logs(&mut self) {
        let facts = self.facts.as_ref().map(|facts| facts.logs.clone()).unwrap_or_default();
        if self.facts.is_some() && facts.is_empty() {
            self.fault_at(
                Check::Files,
                layout::FACTS,
                "logs",
                "the bundle is of no log: nothing in it is proved by anything",
            );
        }
        for (number, log) in facts.into_iter().enumerate() {
            let root = Hash::from_base64(&log.root);
            if root.is_none() {
                let what = format!("the root hash {:?} is not the base64 of 32 bytes", log.root);
                self.fault_at(Check::Files, layout::FACTS, format!("logs[{number}].root"), what);
            }
            if self.logs.iter().any(|other| other.report.origin == log.origin) {
                let what = format!("the log {} stands there twice", log.origin);
                self.fault_at(Check::Files, layout::FACTS, format!("logs[{number}].origin"), what);
            }
            let (keys, key_from) = self.keys_of(number, &log.origin);
            let report = LogReport {
                origin: log.origin,
                size: log.size,
                root: log.root,
                signed_by: Vec::new(),
                key_from,
                cosignatures: Vec::new(),
                timestamps: Vec::new(),
            };
            self.logs.push(Log { root, keys, note: None, report });
        }
        self.check_numbers();
    }

    /// The reader's keys of this log; those in the bundle if the reader has none at all.
    fn keys_of(&mut self, number: usize, origin: &str) -> (Vec<VerifierKey>, KeySource) {
        let path = layout::keys(number);
        let own = self.own_keys(&path, origin);
        if self.options.keys.is_empty() {
            return (own, KeySource::Bundle);
        }
        let given: Vec<VerifierKey> =
            self.options.keys.iter().filter(|key| key.name() == origin).cloned().collect();
        if given.is_empty() {
            let names: Vec<&str> = self.options.keys.iter().map(VerifierKey::name).collect();
            let what = format!(
                "it is of the log {origin}, and the keys you gave are of others: {}",
                names.join(", ")
            );
            self.fault(Check::Checkpoint, &layout::checkpoint(number), what);
        } else if !own.is_empty() && !given.iter().any(|key| own.contains(key)) {
            self.found.notice("a key", || format!("{path} does not list the key that you gave for {origin}"));
        }
        (given, KeySource::Given)
    }

    /// The keys that the bundle lists for a log.
    fn own_keys(&mut self, path: &str, origin: &str) -> Vec<VerifierKey> {
        if !self.paths.contains(path) {
            self.fault(Check::Files, path, "it is not there, and every log of a bundle has it");
        }
        let Some(bytes) = self.read(path) else { return Vec::new() };
        let Ok(text) = String::from_utf8(bytes) else {
            self.fault(Check::Manifest, path, "it is no text");
            return Vec::new();
        };
        if !text.ends_with('\n') {
            self.fault(Check::Manifest, path, "it does not end in a newline: it was cut off");
        }
        let mut keys = Vec::new();
        let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
        if lines.clone().nth(KEYS_MAX).is_some() {
            self.fault(Check::Manifest, path, format!("it has more than {KEYS_MAX} keys"));
        }
        for (number, line) in (1..).zip(lines.take(KEYS_MAX)) {
            let place = format!("line {number}");
            match line.parse::<VerifierKey>() {
                Err(error) => self.fault_at(Check::Manifest, path, place, error.to_string()),
                Ok(key) if key.name() != origin => {
                    let what = format!("the key is of {}, not of the log {origin}", key.name());
                    self.fault_at(Check::Manifest, path, place, what);
                }
                Ok(key) if keys.contains(&key) => {
                    self.fault_at(Check::Manifest, path, place, "the key stands there twice")
                }
                Ok(key) => keys.push(key),
            }
        }
        keys
    }

    /// Files of logs that bundle.json does not have.
    fn check_numbers(&mut self) {
        if self.facts.is_none() {
            return;
        }
        let is_stray = |path: &&String| {
            let number = path.strip_prefix("logs/").and_then(|rest| rest.split_once('/'));
            let number = number.and_then(|(log, _)| log.parse::<usize>().ok());
            number.is_some_and(|number| number >= self.logs.len())
        };
        let strays: Vec<String> = self.paths.iter().filter(is_stray).cloned().collect();
        for path in strays {
            self.fault(Check::Files, &path, "bundle.json has no log of this number");
        }
    }

    /// The signed checkpoint that every proof of the log is under, and who cosigned it.
    pub(super) fn checkpoint(&mut self, number: usize) {
        let path = layout::checkpoint(number);
        if !self.paths.contains(&path) {
            self.fault(
                Check::Checkpoint,
                &path,
                "it is not there: no proof of this log leads to anything that was signed",
            );
        }
        let Some(bytes) = self.read(&path) else { return };
        let parsed = SignedNote::parse(&bytes).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|note| {
            let checkpoint: Checkpoint =
                note.text().parse().map_err(|error: CheckpointError| error.to_string())?;
            Ok((note, checkpoint))
        });
        let (note, checkpoint) = match parsed {
            Ok(parsed) => parsed,
            Err(what) => return self.fault(Check::Checkpoint, &path, what),
        };
        let told = &self.logs[number].report;
        let differs = [
            ("origin", checkpoint.origin() != told.origin),
            ("size", checkpoint.size() != told.size),
            ("root hash", checkpoint.root().to_base64() != told.root),
        ];
        for (what, _) in differs.iter().filter(|(_, differs)| *differs) {
            let what = format!("its {what} is not the one that bundle.json says: one of them was changed");
            self.fault(Check::Checkpoint, &path, what);
        }
        match note.verify(&self.logs[number].keys) {
            // It was told with the keys.
            _ if self.logs[number].is_unknown() => {}
            Ok(verified) => {
                self.logs[number].report.signed_by =
                    verified.iter().map(|signature| signature.key.to_string()).collect();
            }
            Err(error) => self.fault(Check::Checkpoint, &path, error.to_string()),
        }
        self.found.tell(
            Check::Checkpoint,
            Outcome::Passed,
            format!("every checkpoint is signed by {}", self.whose()),
        );
        self.cosignatures(number, &path, &note);
        self.logs[number].note = Some(note);
    }

    /// A note that every log of the bundle signs, over the SHA-256 of a file.
    pub(super) fn note_over(
        &mut self,
        check: Check,
        path: &str,
        bytes: &[u8],
        domain: &str,
        sha256: [u8; 32],
        of: &str,
    ) {
        let note = match SignedNote::parse(bytes) {
            Ok(note) => note,
            Err(error) => return self.fault(check, path, error.to_string()),
        };
        if note.text() != format!("{domain}\n{}\n", hex::encode(sha256)) {
            self.fault(
                check,
                path,
                format!("it is not a statement about {of} as it is here: {of} was changed, or this was"),
            );
        }
        for number in 0..self.logs.len() {
            // A log of which the reader has no key is a fault already, and nothing of it can be checked.
            if self.logs[number].is_unknown() {
                continue;
            }
            if let Err(error) = note.verify(&self.logs[number].keys) {
                let what = format!("{}: {error}", self.logs[number].report.origin);
                self.fault(check, path, what);
            }
        }
        if self.logs.is_empty() {
            self.fault(check, path, "no log of the bundle is known that could have signed it");
        }
    }

    /// Whose keys they are that signatures were verified with.
    pub(super) fn whose(&self) -> &'static str {
        match self.options.keys.is_empty() {
            true => "keys that the bundle itself brings: the bundle's own word",
            false => "the keys you gave",
        }
    }
}
