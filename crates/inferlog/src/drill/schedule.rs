//! Drills on a schedule: a thread of `serve`, on no request's path.
//!
//! When a system was drilled last is read from its log, where every drill stands, and from no file beside it: a run that was missed
//! while nothing served is made up for once after the start. The thread has a low priority and rests as long as it works.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use inferlog_audit::drill::{Comparison, DrawOptions, DrillReport, SystemReport, last_drills};
use inferlog_audit::{Openings, Unopened};
use inferlog_capture::config::{self, DrillConfig};
use inferlog_capture::gateway::{DrillSample, DrillSamples};
use inferlog_log::{Env, list_logs};
use inferlog_record::body::{AccessPurpose, AccessRole, DrillResult};
use inferlog_record::{Id, KeyId, Timestamp};
use inferlog_vault::DataKey;
use parking_lot::Mutex;
use tokio::runtime::Handle;

use super::{Keeper, Plan, Progress, Replays, Target, Wanted, run};
use crate::admin::{Act, DrillBegun, DrillDone, Reader, act};
use crate::commands::drill::{fresh, header_of};
use crate::current::Current;
use crate::output::Failure;

/// How long after the start the first drill may begin: requests come first.
const START_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long after a drill that could not be done the next attempt is.
const RETRY: Duration = Duration::from_secs(3_600);
/// Time between two looks at whether a system is due.
const LOOK_PERIOD_MAX: Duration = Duration::from_secs(60);
/// How long the thread works before it rests as long.
const WORK_TIME: Duration = Duration::from_millis(5);
/// Who drills, as the log's pseudonym of it is made.
const ACTOR: &str = "inferlog serve";
/// What the thread adds to its niceness.
const NICENESS: i32 = 10;
/// Findings that the process's own log tells one by one.
const FINDINGS_LOGGED_MAX: usize = 20;

/// What is drilled and when. Without anything by default.
#[derive(Clone, Default)]
pub(crate) struct Schedule(Option<Arc<Scheduled>>);

struct Scheduled {
    config: DrillConfig,
    samples: Mutex<BTreeMap<String, DrillSample>>,
    is_stopping: AtomicBool,
}

impl Schedule {
    /// Reads `[drill]` of a configuration.
    pub(crate) fn read(configuration: &str) -> Result<Self, Failure> {
        let Some(config) = config::drill(configuration)? else { return Ok(Self::default()) };
        let scheduled = Scheduled { config, samples: Mutex::default(), is_stopping: AtomicBool::new(false) };
        // What cannot be read or makes no address is told at once, not in a week.
        scheduled.targets()?;
        scheduled.headers()?;
        Ok(Self(Some(Arc::new(scheduled))))
    }

    /// For the gateway's metrics.
    pub(crate) fn samples(&self) -> Option<DrillSamples> {
        let scheduled = self.0.clone()?;
        Some(DrillSamples(Arc::new(move || scheduled.samples.lock().values().cloned().collect())))
    }

    /// Begins. The thread ends with the process.
    pub(crate) fn start(&self, current: Current) {
        let Some(scheduled) = self.0.clone() else { return };
        let runtime = Handle::current();
        let work = move || {
            // Not for the whole process: on Linux a thread has its own.
            if let Err(error) = rustix::process::nice(NICENESS) {
                tracing::debug!(%error, "drills keep the priority of requests");
            }
            scheduled.keep(&Served { current, runtime });
        };
        if let Err(error) = std::thread::Builder::new().name("drill".to_owned()).spawn(work) {
            tracing::error!(%error, "no thread for drills: none is done");
        }
    }

    /// Says that what fails from now on fails because the process ends.
    pub(crate) fn stop(&self) {
        if let Some(scheduled) = &self.0 {
            scheduled.is_stopping.store(true, Ordering::Release);
        }
    }
}

impl Scheduled {
    fn keep(&self, served: &Served) {
        let every = self.config.every;
        // What an attempt left no event of: a system without decisions, a drill that could not be done.
        let mut tried: BTreeMap<String, Instant> = BTreeMap::new();
        std::thread::sleep(every.min(START_WAIT_MAX));
        loop {
            match self.due(served) {
                Ok(mut due) => {
                    due.retain(|system| tried.get(system).is_none_or(|at| *at <= Instant::now()));
                    if !due.is_empty() {
                        let wait = self.drill(served, &due).unwrap_or(every.min(RETRY));
                        tried.extend(due.into_iter().map(|system| (system, Instant::now() + wait)));
                    }
                }
                Err(error) if self.is_stopping() => tracing::debug!(%error, "drills end"),
                Err(error) => tracing::error!(%error, "the last drill cannot be read from the log"),
            }
            if self.is_stopping() {
                return;
            }
            std::thread::sleep(every.min(LOOK_PERIOD_MAX));
        }
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// The systems whose last drill is too long ago; what the others' said becomes the metric.
    fn due(&self, served: &Served) -> Result<Vec<String>, Failure> {
        let (env, data) = served.place();
        let every_ns = u64::try_from(self.config.every.as_nanos())?;
        let since = Timestamp(env.clock.now_ns().saturating_sub(every_ns));
        let last = last_drills(&env.fs, &data, since)?;
        let named = &self.config.systems;
        let mut due = Vec::new();
        for log in list_logs(&*env.fs, &data)? {
            let system = log.system();
            if !named.is_empty() && !named.iter().any(|name| name.as_str() == system) {
                continue;
            }
            match last.get(system) {
                Some(last) => self.tell(DrillSample {
                    system: system.to_owned(),
                    time: last.logged_at.nanos() / 1_000_000_000,
                    passed: last.result == DrillResult::Passed,
                    sampled: last.sampled,
                    failed: last.failed,
                }),
                None if !due.iter().any(|known| known == system) => due.push(system.to_owned()),
                None => {}
            }
        }
        Ok(due)
    }

    fn tell(&self, sample: DrillSample) {
        self.samples.lock().insert(sample.system.clone(), sample);
    }

    /// Drills these systems. How long they need not be looked at again; `None` if it could not be done.
    fn drill(&self, served: &Served, systems: &[String]) -> Option<Duration> {
        let mut pace = Pace::new();
        let done = self.plan(served, systems).and_then(|(plan, mut replays)| {
            if let Some(replays) = &replays {
                replays.check()?;
            }
            served.publish()?;
            run(&plan, served, replays.as_mut(), &mut |_: Progress| pace.rest())
        });
        match done {
            Ok(report) => {
                report.systems.iter().for_each(loud);
                self.tell_all(&report);
                Some(self.config.every)
            }
            Err(error) => {
                if !self.is_stopping() {
                    tracing::error!(%error, ?systems, "a reconstruction drill could not be done");
                    self.not_done(served, systems);
                }
                None
            }
        }
    }

    /// The metrics of a drill that came to its end.
    fn tell_all(&self, report: &DrillReport) {
        for system in report.systems.iter().filter(|system| system.sampled > 0) {
            self.tell(DrillSample {
                system: system.system.clone(),
                time: report.ended.nanos() / 1_000_000_000,
                passed: system.passed,
                sampled: system.sampled,
                failed: system.failed,
            });
        }
    }

    /// The metric of a drill that could not be done: it did not pass, and no record says when it was.
    fn not_done(&self, served: &Served, systems: &[String]) {
        let time = served.place().0.clock.now_ns() / 1_000_000_000;
        for system in systems {
            self.tell(DrillSample { system: system.clone(), time, passed: false, sampled: 0, failed: 0 });
        }
    }

    fn plan(&self, served: &Served, systems: &[String]) -> Result<(Plan, Option<Replays>), Failure> {
        let (env, data) = served.place();
        let config = &self.config;
        let comparison = Comparison {
            tolerance: config.tolerance,
            similarity: config.similarity,
            ignored: config.ignore.clone(),
        };
        let targets = self.targets()?;
        let replays = match targets.is_empty() {
            true => None,
            false => Some(Replays::new(&targets, self.headers()?, comparison, &served.runtime)?),
        };
        let wanted = DrawOptions {
            systems: systems.to_vec(),
            since: None,
            until: Timestamp(env.clock.now_ns()),
            seed: fresh(&env)?,
            sample: config.sample,
        };
        let reader = Reader {
            role: AccessRole::Service,
            purpose: AccessPurpose::Drill,
            actor: Some(ACTOR.to_owned()),
        };
        let plan = Plan {
            data,
            env,
            wanted: Wanted::Sample(wanted),
            keys: Vec::new(),
            hash_artefacts: config.check_artefacts,
            strict: config.strict,
            reader,
        };
        Ok((plan, replays))
    }

    fn targets(&self) -> Result<Vec<Target>, Failure> {
        let target =
            |(route, url): (&String, &String)| format!("{route}={url}").parse().map_err(Failure::new);
        self.config.replay.iter().map(target).collect()
    }

    fn headers(&self) -> Result<http::HeaderMap, Failure> {
        let header =
            |(name, place): (&String, &String)| header_of(&format!("{name}={place}")).map_err(Failure::new);
        self.config.replay_headers.iter().map(header).collect()
    }
}

/// Says in the process's own log how the drill of a system ended: loudly, if something is wrong.
fn loud(report: &SystemReport) {
    let SystemReport { system, sampled, failed, .. } = report;
    let event = report.event.map(|event| event.to_string()).unwrap_or_default();
    match (report.passed, sampled) {
        (true, 0) => return tracing::debug!(%system, "there is no decision to drill yet"),
        (true, _) => return tracing::info!(%system, sampled, event, "a reconstruction drill passed"),
        (false, _) => tracing::error!(%system, sampled, failed, event, "a reconstruction drill failed"),
    }
    let findings = report
        .decisions
        .iter()
        .flat_map(|decision| decision.findings.iter().map(move |finding| (decision.decision, finding)));
    for (decision, finding) in findings.take(FINDINGS_LOGGED_MAX) {
        tracing::error!(
            %system, %decision, class = finding.class.name(), what = finding.what, advice = finding.advice,
            "a finding of the drill"
        );
    }
}

/// Rests as long as it worked.
struct Pace(Instant);

impl Pace {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn rest(&mut self) {
        let worked = self.0.elapsed();
        if worked >= WORK_TIME {
            std::thread::sleep(worked.min(Duration::from_secs(1)));
            self.0 = Instant::now();
        }
    }
}

/// The directory that this process serves. Held for a moment at a time, so that it can be opened again when its log fails.
struct Served {
    current: Current,
    runtime: Handle,
}

impl Served {
    fn place(&self) -> (Env, std::path::PathBuf) {
        let instance = self.runtime.block_on(self.current.get());
        (instance.env.clone(), instance.data.clone())
    }

    /// Signs a checkpoint over all that is acknowledged.
    fn publish(&self) -> Result<(), Failure> {
        let published = async { self.current.get().await.recorder.integrate().await };
        Ok(self.runtime.block_on(published)?)
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, asked: Act) -> Result<T, Failure> {
        let answer = async { act(&*self.current.get().await, asked).await };
        Ok(serde_json::from_value(self.runtime.block_on(answer)?)?)
    }
}

impl Openings for Served {
    fn data_key(&self, key: KeyId, payload: Id) -> Result<DataKey, Unopened> {
        let instance = self.runtime.block_on(self.current.get());
        Openings::data_key(&instance.vault, key, payload)
    }
}

impl Keeper for Served {
    fn openings(&self) -> &dyn Openings {
        self
    }

    fn begin(&self, begun: DrillBegun) -> Result<(), Failure> {
        self.ask::<serde_json::Value>(Act::BeginDrill { begun }).map(drop)
    }

    fn finish(&self, done: DrillDone) -> Result<Id, Failure> {
        self.ask(Act::FinishDrill { done })
    }
}
