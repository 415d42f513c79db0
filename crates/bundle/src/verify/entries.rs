//! Entries and their proofs (RFC 9162, section 2.1.3.2), decision by decision; then the content that belongs to them.

use inferlog_merkle::{Hash, PROOF_HASHES_MAX, leaf_hash, verify_inclusion};
use inferlog_record::Id;

use super::files::decision_of;
use super::report::{Check, Outcome};
use super::story::{Absence, EntryText, Story};
use super::{Verifier, json};
use crate::layout::{self, Entries, ProvedEntry};

/// `log 0, entry 17`.
pub(super) fn at((log, index): (usize, u64)) -> String {
    format!("log {log}, entry {index}")
}

impl Verifier<'_> {
    /// Every decision, one after the other, with its content.
    pub(super) fn decisions(&mut self) {
        for folder in ["openings", "sealed"] {
            for id in self.ids(folder) {
                let path = format!("{folder}/{id}.json");
                if !self.paths.contains(&layout::decision(id)) {
                    let check = if folder == "sealed" { Check::Sealed } else { Check::Openings };
                    self.fault(check, &path, "there are no entries of this decision that would bind it");
                }
            }
        }
        let ids = self.ids("decisions");
        for id in &ids {
            self.decision(*id);
        }
        self.found.counts.decisions = ids.len() as u64;
        let counts = &self.found.counts;
        let what = format!("{} entries, each proved under its log's checkpoint", counts.entries);
        self.found.tell(Check::Entries, Outcome::Passed, what);
        self.finish_summary(ids.len() as u64);
        self.tell_content();
    }

    fn ids(&self, folder: &str) -> Vec<Id> {
        let start = format!("{folder}/");
        let paths = self.paths.range(start.clone()..).take_while(|path| path.starts_with(&start));
        paths.filter_map(|path| decision_of(path, folder)).collect()
    }

    fn decision(&mut self, id: Id) {
        let path = layout::decision(id);
        let mut story = Story::default();
        self.read_entries(&path, Some(id), &mut story);
        let opened = self.openings(&layout::openings(id), Some(id), &story);
        self.sealed(&layout::sealed(id), id, &story, &opened);
        self.summary(id, &story, opened.len() as u64);
        self.count(&story, &opened);
    }

    /// The entries of a file, each proved, and what they say.
    pub(super) fn read_entries(&mut self, path: &str, decision: Option<Id>, story: &mut Story) {
        let Some(bytes) = self.read(path) else { return };
        let entries: Entries = match json::read(&bytes) {
            Ok(entries) => entries,
            Err(what) => {
                return self.fault(Check::Entries, path, format!("it is not as docs/bundle.md says: {what}"));
            }
        };
        drop(bytes);
        if entries.decision != decision {
            self.fault_at(Check::Entries, path, "decision", "it is of another decision than its name says");
        }
        if entries.entries.is_empty() && decision.is_some() {
            self.fault(Check::Entries, path, "there is no entry in it");
        }
        let mut last = None;
        for proved in &entries.entries {
            let place = (proved.log, proved.index);
            if last.is_some_and(|last| place <= last) {
                self.fault_at(
                    Check::Entries,
                    path,
                    at(place),
                    "the entries do not ascend by log and index, or one stands twice",
                );
            }
            last = Some(place);
            self.found.counts.entries += 1;
            if let Err(what) = self.proves(proved) {
                self.fault_at(Check::Entries, path, at(place), what);
            }
            self.tell_entry(path, decision, proved, story);
        }
        for (place, what) in story.unfinished() {
            match decision {
                Some(_) => self.fault_at(Check::Entries, path, at(place), what),
                // Of the system's life a bundle has what concerns its decisions.
                None => self.found.notice("an entry in parts", || format!("{path}, {}: {what}", at(place))),
            }
        }
        for (id, place) in std::mem::take(&mut story.named) {
            self.named.entry(id).or_insert_with(|| format!("{path}, {}", at(place)));
        }
        self.events.extend(std::mem::take(&mut story.events));
    }

    /// Whether the entry's bytes lead to the root of the log's checkpoint.
    fn proves(&self, proved: &ProvedEntry) -> Result<(), String> {
        let log =
            self.logs.get(proved.log).ok_or_else(|| format!("bundle.json has no log {}", proved.log))?;
        let root = log.root.ok_or("its log has no root hash that a proof could lead to")?;
        if proved.proof.len() > PROOF_HASHES_MAX {
            return Err(format!("its proof has {} hashes, more than any tree asks for", proved.proof.len()));
        }
        let hash = |text: &String| {
            Hash::from_base64(text)
                .ok_or_else(|| format!("{text:?} in its proof is not the base64 of 32 bytes"))
        };
        let proof = proved.proof.iter().map(hash).collect::<Result<Vec<Hash>, String>>()?;
        verify_inclusion(&leaf_hash(proved.entry.as_bytes()), proved.index, log.report.size, &proof, &root)
            .map_err(|error| {
                format!("it is not proved: {error}. Entry or proof was changed, or it never stood in the log")
            })
    }

    fn tell_entry(&mut self, path: &str, decision: Option<Id>, proved: &ProvedEntry, story: &mut Story) {
        let place = (proved.log, proved.index);
        let entry = match EntryText::parse(&proved.entry) {
            Ok(entry) => entry,
            Err(what) => {
                return self.fault_at(Check::Entries, path, at(place), format!("it is not an entry: {what}"));
            }
        };
        if entry.decision != decision {
            let whose =
                entry.decision.map_or("the life of the system".to_owned(), |id| format!("decision {id}"));
            self.fault_at(Check::Entries, path, at(place), format!("it is of {whose}"));
        }
        for what in story.take(place, &entry) {
            match decision {
                Some(_) => self.fault_at(Check::Entries, path, at(place), what),
                None => self
                    .found
                    .notice("an entry of the system's life", || format!("{path}, {}: {what}", at(place))),
            }
        }
        if decision.is_none() {
            self.life.take(place, &entry);
        }
        self.name_shared(&proved.entry);
    }

    /// What became of each payload.
    fn count(&mut self, story: &Story, opened: &super::content::Opened) {
        let counts = &mut self.found.counts;
        counts.payloads += story.born.len() as u64;
        for (id, born) in &story.born {
            let count = match () {
                () if opened.contains_key(id) => &mut counts.disclosed,
                () if self.life.took(born) => &mut counts.erased,
                () if self.life.purged(born, &story.facts) => &mut counts.purged,
                () if born.sha256.is_some() => &mut counts.shared,
                () => &mut counts.undisclosed,
            };
            *count += 1;
        }
        for absence in story.absent.values() {
            let count = match absence {
                Absence::Erased => &mut counts.erased,
                Absence::Purged => &mut counts.purged,
                Absence::Redacted => &mut counts.redacted,
                Absence::NotCaptured => &mut counts.not_captured,
            };
            *count += 1;
        }
    }

    /// Names what entries speak of and the bundle does not have.
    pub(super) fn settle_named(&mut self) {
        let mut missing: Vec<(String, Id)> = self
            .named
            .drain()
            .filter(|(id, _)| !self.events.contains(id))
            .map(|(id, place)| (place, id))
            .collect();
        missing.sort();
        for (place, id) in missing {
            self.found.notice("an event that is not in the bundle", || {
                format!("{place} names the event {id}, which is not in the bundle")
            });
        }
    }
}
