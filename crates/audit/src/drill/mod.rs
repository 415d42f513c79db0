//! Reconstruction drills: can what was recorded still be told, from storage alone?
//!
//! [`draw`] chooses decisions at random from the log. [`drill_system`] reconstructs each as `reconstruct` does, with an account
//! that asks no index: where its entries stand is found by one reading of the logs for all of them ([`ScanLocator`]); every entry
//! is proved under a signed checkpoint, every content opened and held against its commitment, every prompt, set of tools and model
//! looked up in the registry, and the files of models looked for. What is wrong becomes a [`Finding`] with a class. Whoever
//! can reach the model gives a [`Replayer`], whose answers are held against the recorded ones by [`compare`].
//!
//! Memory grows with the sample, not with the logs: one account is held at a time. docs/drills.md describes it for readers.

mod check;
mod compare;
mod html;
mod last;
mod model;
mod sample;
mod text;
mod words;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::VerifierKey;
use inferlog_record::{Id, Timestamp};
use inferlog_registry::Snapshot;

pub use compare::{Compared, Comparison, DIFFERENCES_TOLD_MAX, Difference, EXACT, VOLATILE, compare};
pub use last::{LastDrill, last_drills};
pub use model::{
    Artefact, Checked, CheckpointUsed, Choice, DRILL_FORMAT, DecisionDrilled, DrillReport, Finding,
    FindingClass, ModelNames, Replay, ReplayResult, SystemReport,
};
pub use sample::{AGES, DrawOptions, Drawn, DrawnSystem, SAMPLE_MAX, Stratum, draw, named};

use crate::account::{Account, reconstruct};
use crate::error::{AuditError, Result};
use crate::report::KeySource;
use crate::select::Select;
use crate::story::{Located, Locator, Openings, ScanLocator, StoryOptions};
use check::{Artefacts, Demand, check};

/// Makes model calls again.
pub trait Replayer {
    /// What came of making each model call of an account again.
    fn replay(&mut self, account: &Account) -> Vec<Replay>;
}

/// What a drill rests on.
pub struct DrillOptions<'a> {
    /// Verifier keys that the caller holds.
    pub keys: Vec<VerifierKey>,
    /// Whoever gives openings.
    pub openings: &'a dyn Openings,
    /// What is registered.
    pub registry: &'a Snapshot,
    /// Whether the files of models are read and hashed.
    pub hash_artefacts: bool,
    /// Whether a record that lacks what the profile requires, and does not say why, is a finding.
    pub strict: bool,
    /// The time that the drill looks from.
    pub until: Timestamp,
}

/// How far a drill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrillStep {
    /// The logs are searched for the entries of what was drawn.
    Locate {
        /// Entries read.
        entries: u64,
        /// Of so many.
        total: u64,
    },
    /// Decisions are reconstructed.
    Reconstruct {
        /// Decisions done.
        decisions: u64,
        /// Of so many.
        total: u64,
    },
}

/// Reconstructs what was drawn of one system.
///
/// # Errors
/// Damage that keeps the system's logs from being searched. What is wrong with a decision is in the report.
pub fn drill_system(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    drawn: &DrawnSystem,
    options: &DrillOptions<'_>,
    mut replayer: Option<&mut dyn Replayer>,
    progress: &mut dyn FnMut(DrillStep),
) -> Result<SystemReport> {
    if drawn.system.is_empty() {
        return Ok(SystemReport::unknown(fs, dir, drawn));
    }
    let select = Select::system(&drawn.system);
    let located = ScanLocator::scan(fs, dir, &select, &drawn.decisions, |entries, total| {
        progress(DrillStep::Locate { entries, total });
    })?;
    let locator = Own(located);
    let story = StoryOptions {
        select,
        keys: options.keys.clone(),
        openings: Some(options.openings),
        locator: Some(&locator),
        ..StoryOptions::default()
    };
    let until_ms = options.until.nanos() / 1_000_000;
    let demand = Demand { until_ms, strict: options.strict };
    let mut artefacts = Artefacts::new(options.hash_artefacts);
    let mut report = SystemReport::new(drawn);
    let (mut checkpoints, total) = (BTreeSet::new(), drawn.decisions.len() as u64);
    for (done, decision) in (1..).zip(&drawn.decisions) {
        let age = (!drawn.strata.is_empty())
            .then(|| AGES[sample::age(until_ms.saturating_sub(decision.millis()))].0);
        let drilled = match reconstruct(fs, dir, *decision, &story, Some(options.registry)) {
            Ok(account) => {
                checkpoints.extend(account.proof.logs.iter().map(CheckpointUsed::of));
                let (findings, checked) = check(&account, demand, &mut artefacts);
                report.checked.add(&checked);
                let replays = replayer.as_deref_mut().map(|replayer| replayer.replay(&account));
                DecisionDrilled::new(*decision, age, findings, &checked).replayed(replays.unwrap_or_default())
            }
            Err(error) => DecisionDrilled::new(*decision, age, vec![lost(&error)], &Checked::default()),
        };
        report.take(drilled);
        progress(DrillStep::Reconstruct { decisions: done, total });
    }
    report.checkpoints = checkpoints.into_iter().collect();
    Ok(report)
}

/// Why a decision could not be reconstructed at all.
fn lost(error: &AuditError) -> Finding {
    let class = match error {
        AuditError::NoDecision(_) => FindingClass::NotFound,
        AuditError::DecisionPurged { .. } => FindingClass::Purged,
        _ => FindingClass::Unreadable,
    };
    let entry = match error {
        AuditError::Entry { index, .. } => Some(*index),
        _ => None,
    };
    Finding::new(class, None, entry, error.to_string())
}

/// What a reading of the logs found of the decisions themselves: what else names them is no part of a drill.
struct Own(ScanLocator);

impl Locator for Own {
    fn locate(&self, decision: Id) -> Result<Vec<Located>, String> {
        let located = self.0.locate(decision)?;
        let own = |located| Located { mentions: Vec::new(), changes: Vec::new(), ..located };
        Ok(located.into_iter().map(own).collect())
    }
}

impl SystemReport {
    fn new(drawn: &DrawnSystem) -> Self {
        Self {
            system: drawn.system.clone(),
            passed: true,
            population: (!drawn.strata.is_empty()).then(|| drawn.population()),
            strata: drawn.strata.clone(),
            sampled: 0,
            failed: 0,
            checked: Checked::default(),
            checkpoints: Vec::new(),
            decisions: Vec::new(),
            event: None,
        }
    }

    /// Of decisions that no log has: there never was one, or its entries were purged.
    fn unknown(fs: &Arc<dyn Fs>, dir: &Path, drawn: &DrawnSystem) -> Self {
        let mut report = Self::new(drawn);
        for decision in &drawn.decisions {
            let asked = crate::story::story(fs, dir, *decision, &StoryOptions::default());
            let error = asked.err().unwrap_or_else(|| AuditError::NoDecision(decision.to_string()));
            let finding = lost(&error);
            report.take(DecisionDrilled::new(*decision, None, vec![finding], &Checked::default()));
        }
        report
    }

    fn take(&mut self, drilled: DecisionDrilled) {
        self.sampled += 1;
        self.failed += u64::from(!drilled.passed);
        self.passed &= drilled.passed;
        for replay in &drilled.replays {
            *self.checked.replays.entry(replay.result.name()).or_default() += 1;
        }
        self.decisions.push(drilled);
    }
}

impl DecisionDrilled {
    fn new(decision: Id, age: Option<&'static str>, findings: Vec<Finding>, checked: &Checked) -> Self {
        let (entries, contents) = (checked.entries as usize, checked.contents as usize);
        let passed = findings.is_empty();
        Self { decision, age, passed, entries, contents, findings, replays: Vec::new() }
    }

    /// Adds model calls made again; one that answered otherwise is a finding.
    fn replayed(mut self, replays: Vec<Replay>) -> Self {
        for replay in &replays {
            if let ReplayResult::Different { .. } = replay.result {
                let (event, entry) = (Some(replay.event), Some(replay.entry));
                self.findings.push(Finding::new(
                    FindingClass::ReplayDiffers,
                    event,
                    entry,
                    replay.to_string(),
                ));
            }
        }
        self.passed = self.findings.is_empty();
        self.replays = replays;
        self
    }
}

impl CheckpointUsed {
    fn of(proof: &crate::story::StoryProof) -> Self {
        Self {
            log: proof.log.clone(),
            size: proof.size,
            root: proof.root.clone(),
            signed_by: proof.signed_by.clone(),
            key_given: proof.key_from == KeySource::Given,
        }
    }
}

impl Checked {
    /// Adds what was looked at elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.entries += other.entries;
        self.steps += other.steps;
        self.contents += other.contents;
        self.prompts += other.prompts;
        self.toolsets += other.toolsets;
        self.models += other.models;
        self.open += other.open;
        self.incomplete += other.incomplete;
        for (state, count) in &other.absent {
            *self.absent.entry(state.clone()).or_default() += count;
        }
        for (result, count) in &other.replays {
            *self.replays.entry(result).or_default() += count;
        }
        self.artefacts.extend(other.artefacts.iter().map(|(place, found)| (place.clone(), found.clone())));
    }
}

impl DrillReport {
    /// What the log of a system is to hold: its own part, without the values in which answers differ, for they are content.
    pub fn for_log(&self, system: &SystemReport) -> Self {
        let mut own = SystemReport { event: None, ..system.clone() };
        for replay in own.decisions.iter_mut().flat_map(|decision| &mut decision.replays) {
            replay.differences.clear();
        }
        Self {
            passed: own.passed,
            sampled: own.sampled,
            failed: own.failed,
            checked: own.checked.clone(),
            choice: self.choice.clone(),
            systems: vec![own],
            ..*self
        }
    }

    /// Puts the reports of all systems together.
    pub fn new(choice: Choice, began: Timestamp, ended: Timestamp, systems: Vec<SystemReport>) -> Self {
        let mut checked = Checked::default();
        systems.iter().for_each(|system| checked.add(&system.checked));
        Self {
            format: DRILL_FORMAT,
            passed: systems.iter().all(|system| system.passed),
            began,
            ended,
            choice,
            replayed: false,
            artefacts_hashed: false,
            sampled: systems.iter().map(|system| system.sampled).sum(),
            failed: systems.iter().map(|system| system.failed).sum(),
            checked,
            systems,
        }
    }
}
