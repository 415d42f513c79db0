//! Writing a bundle: chosen decisions with their proofs under one checkpoint per log, streamed into a ZIP file.
//!
//! The logs are searched once for all decisions; each is read once to know what belongs to it, and once more to be proved and
//! written. What is held in memory grows with the number of decisions, by some hundred bytes each, and with the largest one.
//! Everything that is written was checked first: entries against the checkpoint, content against its commitment. Damage ends the
//! writing with an error that says where it is. What hashes other files stands after them.

mod coverage;
mod decision;
mod error;
mod logs;
mod members;
mod page;
mod plan;
mod readme;
mod select;
mod system;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use inferlog_audit::Openings;
use inferlog_disk::Fs;
use inferlog_record::{Id, SystemName};
use inferlog_registry::{REGISTRY_DIR, RegistryError, Snapshot};
use sha2::{Digest as _, Sha256};

pub use error::WriteError;
use members::Members;
use plan::Plan;
pub use select::{Selection, select};
pub use system::{LIFE_ENTRIES_MAX, LOOK_BACK_ENTRIES};

use crate::layout::{self, Disclosure, Entries, Facts, Summaries};
use error::Result;

/// The most decisions of one bundle.
pub const DECISIONS_MAX: usize = 100_000;

/// What to write.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// The decisions, in any order.
    pub decisions: Vec<Id>,
    /// What of their content is disclosed.
    pub disclosure: Disclosure,
    /// The build that writes: `inferlog/0.1.0`.
    pub build: String,
}

/// Signs for a log.
pub trait SignText {
    /// Signature lines (c2sp.org/signed-note) of the log's newest keys over a text.
    ///
    /// # Errors
    /// Why it does not sign.
    fn sign(&self, origin: &str, text: &str) -> Result<String, String>;
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking for the decisions' entries: entries of the logs.
    Searching,
    /// Reading decisions.
    Reading,
    /// Proving and writing decisions.
    Writing,
    /// Judging what the logs have and lack of that time: entries.
    Judging,
    /// Making the page.
    Report,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is being done.
    pub phase: Phase,
    /// How many of what the phase counts are done.
    pub done: u64,
    /// Of how many.
    pub total: u64,
}

/// What was written.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Written {
    /// Decisions.
    pub decisions: u64,
    /// Payloads disclosed.
    pub disclosed: u64,
    /// Entries of decisions.
    pub entries: u64,
    /// Payloads that the disclosure covers and whose keys were destroyed.
    pub erased: u64,
    /// Payloads that the disclosure covers and a purge removed.
    pub purged: u64,
    /// What is not there, by what it is, and how many.
    pub left_out: BTreeMap<String, u64>,
    /// The logs, by number.
    pub logs: Vec<WrittenLog>,
    /// Payloads in the decisions' entries.
    pub payloads: u64,
    /// Files of shared content.
    pub shared: u64,
}

/// A log of a bundle.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WrittenLog {
    /// Signatures of the checkpoint by others than the log.
    pub cosignatures: usize,
    /// Its origin.
    pub origin: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// Timestamps of the checkpoint.
    pub timestamps: usize,
}

/// Finds the decisions and writes a bundle of them: [`Draft::new`], then [`Draft::write`].
///
/// # Errors
/// [`WriteError`]; what stands in `out` then is no bundle.
pub fn write<W: Read + Write + Seek>(
    fs: &Arc<dyn Fs>,
    data: &Path,
    options: &WriteOptions,
    openings: Option<&dyn Openings>,
    signer: &dyn SignText,
    out: W,
    progress: &mut dyn FnMut(Step),
) -> Result<Written> {
    Draft::new(fs, data, options, progress)?.write(openings, signer, out, progress)
}

/// A bundle whose decisions were found, and of which nothing is written yet: whoever discloses content records that in between.
pub struct Draft<'a> {
    fs: &'a Arc<dyn Fs>,
    data: &'a Path,
    options: &'a WriteOptions,
    plan: Plan,
}

impl<'a> Draft<'a> {
    /// Finds the decisions in the data directory `data`, and chooses the checkpoints.
    ///
    /// # Errors
    /// [`WriteError`], [`WriteError::NoDecision`] among others.
    pub fn new(
        fs: &'a Arc<dyn Fs>,
        data: &'a Path,
        options: &'a WriteOptions,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Self> {
        options.disclosure.check().map_err(WriteError::Disclosure)?;
        let decisions: BTreeSet<Id> = options.decisions.iter().copied().collect();
        let decisions: Vec<Id> = decisions.into_iter().collect();
        match decisions.len() {
            0 => return Err(WriteError::NoDecisions),
            found if found > DECISIONS_MAX => return Err(WriteError::TooMany { found, max: DECISIONS_MAX }),
            _ => {}
        }
        let plan = plan::plan(fs, data, &decisions, &options.disclosure, progress)?;
        Ok(Self { fs, data, options, plan })
    }

    /// The decisions of each system.
    pub fn systems(&self) -> BTreeMap<SystemName, Vec<Id>> {
        let mut systems: BTreeMap<SystemName, Vec<Id>> = BTreeMap::new();
        for decision in &self.plan.decisions {
            systems.entry(decision.system.clone()).or_default().push(decision.summary.id);
        }
        systems
    }

    /// Writes the bundle to `out`, an empty file. `openings` gives what is to be disclosed.
    ///
    /// # Errors
    /// [`WriteError`]; what stands in `out` then is no bundle.
    pub fn write<W: Read + Write + Seek>(
        self,
        openings: Option<&dyn Openings>,
        signer: &dyn SignText,
        out: W,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Written> {
        let Self { fs, data, options, plan } = self;
        if openings.is_none() && !options.disclosure.roles.is_empty() {
            return Err(WriteError::Disclosure("content is to be disclosed, and nobody opens it".to_owned()));
        }
        let mut bundle = Writing { members: Members::new(out), options, written: Written::default() };
        bundle.head(&plan)?;
        bundle.decisions(&plan, openings, progress)?;
        bundle.shared(fs, data, &plan)?;
        bundle.members.add_json(layout::COVERAGE, &coverage::report(fs, data, &plan, progress)?)?;
        bundle.docs()?;
        bundle.sums(&plan, signer)?;
        progress(Step { phase: Phase::Report, done: 0, total: 1 });
        let Writing { members, written, .. } = bundle;
        page::add(members.finish()?, |text| sign(&plan, signer, text))?;
        Ok(written)
    }
}

/// A bundle on its way.
struct Writing<'a, W: Write + Seek> {
    members: Members<W>,
    options: &'a WriteOptions,
    written: Written,
}

impl<W: Read + Write + Seek> Writing<'_, W> {
    /// What it is, and the logs.
    fn head(&mut self, plan: &Plan) -> Result<()> {
        let options = self.options;
        for (what, count) in plan.life.iter().flat_map(|life| &life.left_out) {
            *self.written.left_out.entry((*what).to_owned()).or_default() += count;
        }
        let facts = Facts {
            build: options.build.clone(),
            decisions: plan.decisions.len() as u64,
            disclosure: options.disclosure.clone(),
            format: layout::BUNDLE_FORMAT,
            logs: plan.logs.iter().map(logs::SourceLog::facts).collect(),
        };
        self.members.add(layout::README, readme::text(&facts, &self.written.left_out).as_bytes())?;
        self.members.add_json(layout::FACTS, &facts)?;
        for (number, log) in plan.logs.iter().enumerate() {
            let signed = &log.signed;
            self.members.add(&layout::checkpoint(number), signed.note.as_bytes())?;
            let keys: String = log.vkeys.iter().map(|vkey| format!("{vkey}\n")).collect();
            self.members.add(&layout::keys(number), keys.as_bytes())?;
            for (k, timestamp) in signed.timestamps.iter().enumerate() {
                self.members.add(&layout::timestamp(number, k), timestamp)?;
            }
            // What was said after the checkpoint is not under it.
            let indices = plan.life[number].indices.iter().filter(|index| **index < log.size());
            let entries = indices.map(|index| log.proved(number, *index)).collect::<Result<Vec<_>>>()?;
            self.members.add_json(&layout::system(number), &Entries { decision: None, entries })?;
            self.written.logs.push(log.described());
        }
        Ok(())
    }

    /// The decisions, one after the other, and a line for each.
    fn decisions(
        &mut self,
        plan: &Plan,
        openings: Option<&dyn Openings>,
        progress: &mut dyn FnMut(Step),
    ) -> Result<()> {
        let mut summaries = Summaries::default();
        let total = plan.decisions.len() as u64;
        for (done, decision) in (0..).zip(&plan.decisions) {
            progress(Step { phase: Phase::Writing, done, total });
            let id = decision.summary.id;
            let files = decision::files(plan, decision, &self.options.disclosure, openings)?;
            self.members.add_json(&layout::decision(id), &files.entries)?;
            let mut summary = decision.summary.clone();
            summary.disclosed = files.disclosed.openings.len() as u64;
            if summary.disclosed > 0 {
                self.members.add_json(&layout::openings(id), &files.disclosed)?;
            }
            if let Some(sealed) = &files.sealed {
                self.members.add_json(&layout::sealed(id), sealed)?;
            }
            self.written.decisions += 1;
            self.written.entries += summary.entries;
            self.written.payloads += summary.payloads;
            self.written.disclosed += summary.disclosed;
            self.written.erased += files.erased;
            self.written.purged += files.purged;
            summaries.decisions.push(summary);
        }
        self.members.add_json(layout::SUMMARIES, &summaries)
    }

    /// Registered prompts, tools and shared documents that the disclosure covers, and the policies in force.
    fn shared(&mut self, fs: &Arc<dyn Fs>, data: &Path, plan: &Plan) -> Result<()> {
        if plan.shared.is_empty() {
            return Ok(());
        }
        let registry = Snapshot::load(fs, &data.join(REGISTRY_DIR))?;
        for sha256 in &plan.shared {
            match registry.object(*sha256) {
                Ok(bytes) => {
                    self.members.add(&layout::shared(&sha256.to_string()), &bytes)?;
                    self.written.shared += 1;
                }
                // It stands in the entries by its digest: whoever has it can show it.
                Err(RegistryError::Object { .. }) => {
                    let what = format!("{sha256}, which the registry does not hold");
                    self.written.left_out.insert(what, 1);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What a stranger needs to read it.
    fn docs(&mut self) -> Result<()> {
        self.members.add(layout::FORMAT_DOC, include_bytes!("../../../../docs/format.md"))?;
        self.members.add(layout::BUNDLE_DOC, include_bytes!("../../../../docs/bundle.md"))?;
        self.members.add(layout::VERIFY_PY, include_bytes!("../verify.py"))
    }

    /// The sums, and the signature over them.
    fn sums(&mut self, plan: &Plan, signer: &dyn SignText) -> Result<()> {
        let sums = self.members.sums();
        self.members.put(layout::SUMS, sums.as_bytes())?;
        let manifest = sign(plan, signer, &signed_text(layout::MANIFEST_DOMAIN, sums.as_bytes()))?;
        self.members.put(layout::MANIFEST, manifest.as_bytes())
    }
}

/// The text of a note over a file.
fn signed_text(domain: &str, file: &[u8]) -> String {
    format!("{domain}\n{}\n", hex::encode(Sha256::digest(file)))
}

/// A note that every log of the bundle signs.
fn sign(plan: &Plan, signer: &dyn SignText, text: &str) -> Result<String> {
    let mut note = format!("{text}\n");
    for log in &plan.logs {
        let failed = |what| WriteError::Sign { log: log.origin.clone(), what };
        note.push_str(&signer.sign(&log.origin, text).map_err(failed)?);
    }
    Ok(note)
}
