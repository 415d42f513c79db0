//! A bundle verified, by whoever trusts neither the exporter nor this machine's log: every file against the signed list, every
//! entry against a log's checkpoint, disclosed content against its commitment, and what is told about it all against what it
//! follows from. docs/bundle.md has the checks by name.
//!
//! Nothing here shares code with the writer but the structs of [`crate::layout`]. One file is in memory at a time, with the ids
//! of the events that passed. A fault does not end the verification: each is named with its file and its place.

mod against;
mod content;
mod entries;
mod files;
mod json;
mod life;
mod logs;
mod page;
mod report;
mod story;
mod summary;
mod text;
mod vouched;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use inferlog_merkle::{Policy, VerifierKey};
use inferlog_record::Id;
use inferlog_timestamp::Roots;

pub use page::BUILD;
pub use report::{
    AgainstReport, BundleReport, Check, CheckReport, CosignatureReport, Counts, FAULTS_LISTED_MAX, Fault,
    KeySource, LogReport, Outcome, TimestampReport,
};

use crate::layout::{self, Facts, Source, Summary};
use files::Sums;
use life::Life;
use logs::Log;
use report::{Findings, NOT_PROVED};

/// What the reader brings.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Verifier keys of logs. If there are any, every log of the bundle must be signed by one of them; if there are none, the
    /// keys in the bundle are believed, and the report says so.
    pub keys: Vec<VerifierKey>,
    /// Verifier keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// Who must have cosigned.
    pub policy: Option<Policy>,
    /// Roots of time-stamping authorities.
    pub tsa_roots: Option<Roots>,
    /// Checkpoints that the reader kept: signed notes, by the log or by a witness; or receipts (c2sp.org/tlog-proof).
    pub against: Vec<Vec<u8>>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Files read.
    pub files: u64,
    /// Of how many.
    pub files_total: u64,
    /// Bytes in those that were read.
    pub bytes: u64,
}

/// Verifies a bundle.
pub fn verify(
    source: &dyn Source,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> BundleReport {
    let mut verifier = Verifier::new(source, options, progress);
    verifier.files();
    verifier.facts();
    verifier.logs();
    verifier.manifest();
    for log in 0..verifier.logs.len() {
        verifier.checkpoint(log);
        verifier.timestamps(log);
    }
    verifier.compare_held();
    verifier.summaries();
    for log in 0..verifier.logs.len() {
        verifier.system(log);
    }
    verifier.decisions();
    verifier.shared();
    verifier.others();
    verifier.report();
    verifier.finish()
}

/// What is known while the files pass.
struct Verifier<'a> {
    source: &'a dyn Source,
    options: &'a VerifyOptions,
    progress: &'a mut dyn FnMut(Progress),
    found: Findings,
    /// Every file.
    paths: BTreeSet<String>,
    /// Those that were read and hashed.
    read: HashSet<String>,
    sums: Sums,
    facts: Option<Facts>,
    logs: Vec<Log>,
    life: Life,
    /// What decisions.json says; taken out as the decisions pass.
    rows: BTreeMap<Id, Summary>,
    /// Names below `shared/` that no entry has named yet.
    unnamed: HashSet<[u8; 32]>,
    /// Events that stand in an entry.
    events: HashSet<Id>,
    /// Events that an entry names, and the first place where; settled at the end.
    named: HashMap<Id, String>,
    against: Vec<AgainstReport>,
}

impl<'a> Verifier<'a> {
    fn new(
        source: &'a dyn Source,
        options: &'a VerifyOptions,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Self {
        Self {
            source,
            options,
            progress,
            found: Findings::default(),
            paths: BTreeSet::new(),
            read: HashSet::new(),
            sums: Sums::default(),
            facts: None,
            logs: Vec::new(),
            life: Life::default(),
            rows: BTreeMap::new(),
            unnamed: HashSet::new(),
            events: HashSet::new(),
            named: HashMap::new(),
            against: Vec::new(),
        }
    }

    fn fault(&mut self, check: Check, file: &str, what: impl Into<String>) {
        self.found.fault(check, file, None, what);
    }

    fn fault_at(&mut self, check: Check, file: &str, place: impl Into<String>, what: impl Into<String>) {
        self.found.fault(check, file, Some(place.into()), what);
    }

    /// `bundle.json`.
    fn facts(&mut self) {
        let Some(bytes) = self.read(layout::FACTS) else { return };
        let facts: Facts = match json::read(&bytes) {
            Ok(facts) => facts,
            Err(what) => {
                return self.fault(
                    Check::Files,
                    layout::FACTS,
                    format!("it is not as docs/bundle.md says: {what}"),
                );
            }
        };
        if facts.format != layout::BUNDLE_FORMAT {
            let what = format!(
                "the bundle is of format {}; this build reads {}",
                facts.format,
                layout::BUNDLE_FORMAT
            );
            self.fault_at(Check::Files, layout::FACTS, "format", what);
        }
        self.facts = Some(facts);
    }

    /// What is not in the way of any other check.
    fn finish(mut self) -> BundleReport {
        self.settle_named();
        let mut report = BundleReport {
            ok: false,
            checks: Vec::new(),
            faults: Vec::new(),
            fault_count: 0,
            notices: Vec::new(),
            counts: Counts::default(),
            logs: self.logs.into_iter().map(|log| log.report).collect(),
            disclosure: self.facts.as_ref().map(|facts| facts.disclosure.clone()),
            build: self.facts.map(|facts| facts.build),
            against: self.against,
            not_proved: NOT_PROVED,
        };
        self.found.finish(&mut report);
        report
    }
}
