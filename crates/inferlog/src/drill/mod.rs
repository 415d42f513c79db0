//! A drill from beginning to end: choose, record that content is read, reconstruct, record what came of it. The same for the
//! command and for the schedule of `serve`.

mod replay;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use inferlog_audit::Openings;
use inferlog_audit::drill::{
    Choice, DrawOptions, Drawn, DrillOptions, DrillReport, DrillStep, Replayer, SystemReport, draw,
    drill_system, named,
};
use inferlog_log::Env;
use inferlog_merkle::VerifierKey;
use inferlog_record::body::DrillResult;
use inferlog_record::{Id, SystemName, Timestamp};
use inferlog_registry::{REGISTRY_DIR, Snapshot};

pub(crate) use self::replay::{Replays, Target};
pub(crate) use self::schedule::Schedule;
use crate::admin::{DrillBegun, DrillDone, Reader};
use crate::output::Failure;

/// What a drill is to do.
pub(crate) struct Plan {
    pub(crate) data: PathBuf,
    pub(crate) env: Env,
    pub(crate) wanted: Wanted,
    pub(crate) keys: Vec<VerifierKey>,
    pub(crate) hash_artefacts: bool,
    pub(crate) strict: bool,
    pub(crate) reader: Reader,
}

/// Which decisions.
pub(crate) enum Wanted {
    Sample(DrawOptions),
    Named(BTreeSet<Id>),
}

/// Whoever holds the keystore and the logs. Asked from a thread that may wait.
pub(crate) trait Keeper {
    /// Gives openings.
    fn openings(&self) -> &dyn Openings;
    /// Records that content is read; nothing may be opened before.
    fn begin(&self, begun: DrillBegun) -> Result<(), Failure>;
    /// Records what came of it.
    fn finish(&self, done: DrillDone) -> Result<Id, Failure>;
}

/// How far a drill is: of reading, or of reconstructing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Entries read of so many, to choose.
    Draw(u64, u64),
    /// Entries read of so many, to find what was chosen.
    Locate(u64, u64),
    /// Decisions done of so many of one system.
    Reconstruct(u64, u64),
}

/// Runs a drill.
///
/// A crash before the first access is recorded leaves nothing. After it, the log says that decisions were read for a drill and
/// has no outcome: the next drill does not rest on it.
pub(crate) fn run(
    plan: &Plan,
    keeper: &dyn Keeper,
    mut replays: Option<&mut Replays>,
    progress: &mut dyn FnMut(Progress),
) -> Result<DrillReport, Failure> {
    let began = Timestamp(plan.env.clock.now_ns());
    let drawn = choose(plan, progress)?;
    let choice = choice(&plan.wanted);
    let systems = by_name(&drawn)?;
    if !systems.is_empty() {
        let said = serde_json::to_string(&choice)?;
        keeper.begin(DrillBegun { reader: plan.reader.clone(), decisions: systems, choice: said })?;
    }
    let mut reports = Vec::new();
    let reconstructed = (|| {
        let registry = Snapshot::load(&plan.env.fs, &plan.data.join(REGISTRY_DIR))?;
        let options = DrillOptions {
            keys: plan.keys.clone(),
            openings: keeper.openings(),
            registry: &registry,
            hash_artefacts: plan.hash_artefacts,
            strict: plan.strict,
            until: until(&plan.wanted, began),
        };
        for system in &drawn.systems {
            let replayer = replays.as_deref_mut().map(|replays| replays as &mut dyn Replayer);
            let step = &mut |step| progress(step_of(step));
            reports.push(drill_system(&plan.env.fs, &plan.data, system, &options, replayer, step)?);
        }
        Ok::<(), Failure>(())
    })();
    let ended = Timestamp(plan.env.clock.now_ns());
    let mut report = DrillReport::new(choice, began, ended, reports);
    report.replayed = replays.is_some();
    report.artefacts_hashed = plan.hash_artefacts;
    if let Err(why) = reconstructed {
        give_up(keeper, &report, &drawn)?;
        return Err(why);
    }
    for at in 0..report.systems.len() {
        let system = &report.systems[at];
        if system.sampled > 0 && !system.system.is_empty() {
            report.systems[at].event = Some(keeper.finish(done(&report, system)?)?);
        }
    }
    Ok(report)
}

fn choose(plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Drawn, Failure> {
    let fs = &plan.env.fs;
    Ok(match &plan.wanted {
        Wanted::Sample(options) => {
            draw(fs, &plan.data, options, &mut |done, of| progress(Progress::Draw(done, of)))?
        }
        Wanted::Named(decisions) => {
            named(fs, &plan.data, decisions, &mut |done, of| progress(Progress::Draw(done, of)))?
        }
    })
}

fn choice(wanted: &Wanted) -> Choice {
    match wanted {
        Wanted::Sample(DrawOptions { since, until, seed, sample, .. }) => {
            Choice::Sample { seed: *seed, sample: *sample, since: *since, until: *until }
        }
        Wanted::Named(decisions) => Choice::Named { decisions: decisions.len() },
    }
}

fn until(wanted: &Wanted, now: Timestamp) -> Timestamp {
    match wanted {
        Wanted::Sample(options) => options.until,
        Wanted::Named(_) => now,
    }
}

fn by_name(drawn: &Drawn) -> Result<BTreeMap<SystemName, Vec<Id>>, Failure> {
    let mut systems = BTreeMap::new();
    for system in drawn.systems.iter().filter(|system| !system.system.is_empty()) {
        if !system.decisions.is_empty() {
            systems.insert(SystemName::new(&system.system)?, system.decisions.clone());
        }
    }
    Ok(systems)
}

fn step_of(step: DrillStep) -> Progress {
    match step {
        DrillStep::Locate { entries, total } => Progress::Locate(entries, total),
        DrillStep::Reconstruct { decisions, total } => Progress::Reconstruct(decisions, total),
    }
}

fn done(report: &DrillReport, system: &SystemReport) -> Result<DrillDone, Failure> {
    Ok(DrillDone {
        system: SystemName::new(&system.system)?,
        result: if system.passed { DrillResult::Passed } else { DrillResult::Failed },
        sampled: system.sampled,
        failed: system.failed,
        population: system.population,
        report: serde_json::to_string(&report.for_log(system))?,
    })
}

/// Says in each log that the drill did not finish: what was found until then does not count.
fn give_up(keeper: &dyn Keeper, report: &DrillReport, drawn: &Drawn) -> Result<(), Failure> {
    for system in
        drawn.systems.iter().filter(|system| !system.system.is_empty() && !system.decisions.is_empty())
    {
        let done = DrillDone {
            system: SystemName::new(&system.system)?,
            result: DrillResult::Incomplete,
            sampled: system.decisions.len() as u64,
            failed: 0,
            population: (!system.strata.is_empty()).then(|| system.population()),
            report: serde_json::to_string(&DrillReport {
                systems: Vec::new(),
                passed: false,
                ..report.clone()
            })?,
        };
        keeper.finish(done)?;
    }
    Ok(())
}
