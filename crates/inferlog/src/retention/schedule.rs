//! Removing what is due on a schedule: a thread of `serve`, on no request's path.
//!
//! It runs soon after the start, for what a process that did not run missed, and then at its time of day. Between two runs it looks at
//! the clock, so that one that is set is noticed, and carries on erasures whose legal duty has ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use inferlog_capture::config::{self, RetentionConfig};
use inferlog_capture::gateway::{RetentionSample, RetentionSamples};
use inferlog_capture::recorder::{PurgePlan, Purged};
use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::admin::kept;
use crate::current::Current;
use crate::output::Failure;

/// How long after the start the first run is: requests come first.
const START_WAIT: Duration = Duration::from_secs(60);
/// Time between two looks at the clock.
const LOOK_PERIOD: Duration = Duration::from_secs(60);
/// Time between two looks at what is kept.
const KEPT_PERIOD: Duration = Duration::from_secs(3_600);
/// What the thread adds to its niceness.
const NICENESS: i32 = 10;

/// When what is due is removed.
#[derive(Clone, Default)]
pub(crate) struct RetentionSchedule(Arc<Scheduled>);

#[derive(Default)]
struct Scheduled {
    config: RetentionConfig,
    samples: Mutex<BTreeMap<String, RetentionSample>>,
    is_stopping: AtomicBool,
}

impl RetentionSchedule {
    /// Reads `[retention]` of a configuration.
    pub(crate) fn read(configuration: &str) -> Result<Self, Failure> {
        let config = config::retention(configuration)?;
        Ok(Self(Arc::new(Scheduled { config, ..Scheduled::default() })))
    }

    /// What is configured.
    pub(crate) fn config(&self) -> &RetentionConfig {
        &self.0.config
    }

    /// For the gateway's metrics.
    pub(crate) fn samples(&self) -> RetentionSamples {
        let scheduled = self.0.clone();
        RetentionSamples(Arc::new(move || scheduled.samples.lock().values().cloned().collect()))
    }

    /// Begins. The thread ends with the process.
    pub(crate) fn start(&self, current: Current) {
        let (scheduled, runtime) = (self.0.clone(), Handle::current());
        let work = move || {
            // Not for the whole process: on Linux a thread has its own.
            if let Err(error) = rustix::process::nice(NICENESS) {
                tracing::debug!(%error, "retention keeps the priority of requests");
            }
            scheduled.keep(&current, &runtime);
        };
        if let Err(error) = std::thread::Builder::new().name("retention".to_owned()).spawn(work) {
            tracing::error!(%error, "no thread for retention: nothing is removed");
        }
    }

    /// Says that what fails from now on fails because the process ends.
    pub(crate) fn stop(&self) {
        self.0.is_stopping.store(true, Ordering::Release);
    }
}

impl Scheduled {
    fn keep(&self, current: &Current, runtime: &Handle) {
        let begin = Instant::now();
        let mut last: Option<u64> = None;
        let mut looked: Option<Instant> = None;
        let mut was_frozen = false;
        while !self.is_stopping.load(Ordering::Acquire) {
            let (slot, is_frozen) = runtime.block_on(self.slot(current));
            if std::mem::replace(&mut was_frozen, is_frozen) != is_frozen {
                looked = None;
            }
            let is_first = last.is_none() && begin.elapsed() >= START_WAIT;
            if self.config.automatic && (is_first || last.is_some_and(|last| slot > last)) {
                last = Some(slot);
                self.tell_failure("what is due could not be removed", runtime.block_on(self.run(current)));
                looked = None;
            }
            if looked.is_none_or(|at| at.elapsed() >= KEPT_PERIOD) {
                looked = Some(Instant::now());
                self.tell_failure(
                    "what is kept could not be looked at",
                    runtime.block_on(self.look(current)),
                );
            }
            std::thread::sleep(LOOK_PERIOD);
        }
    }

    /// Which of its runs is next, and whether the clock is in doubt.
    async fn slot(&self, current: &Current) -> (u64, bool) {
        let instance = current.get().await;
        let is_frozen = instance.recorder.clock_frozen().is_some();
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        let slot = instance.env.clock.now_ns().saturating_sub(ns(self.config.at)) / ns(self.config.every);
        (slot, is_frozen)
    }

    async fn run(&self, current: &Current) -> Result<(), Failure> {
        let instance = current.get().await;
        for resumed in instance.recorder.resume_withheld().await? {
            tracing::info!(system = %resumed.system, "an erasure was carried on: what withheld it has ended");
        }
        for done in instance.recorder.purge(None).await? {
            tell(&done);
            if done.frozen.is_empty() {
                let time = done.at.nanos() / 1_000_000_000;
                self.sample(done.system.as_str(), |sample| sample.time = Some(time));
            }
        }
        Ok(())
    }

    async fn look(&self, current: &Current) -> Result<(), Failure> {
        let instance = current.get().await;
        let plans: Vec<PurgePlan> = instance.recorder.plan_purges(None, None).await?;
        for plan in plans {
            self.sample(plan.system.as_str(), |sample| {
                sample.frozen = !plan.frozen.is_empty();
                sample.due = plan.classes.iter().map(|class| class.entries).sum();
            });
        }
        for kept in kept(&instance, None).await? {
            let of_class = |class: &inferlog_capture::recorder::ClassHoldings| {
                (class.class.clone(), class.log_bytes + class.pack_bytes)
            };
            let bytes = kept.holdings.classes.iter().map(of_class).collect();
            for class in kept.holdings.classes.iter().filter(|class| class.past_ceiling > 0) {
                tracing::warn!(
                    system = %kept.holdings.system, class = class.class, entries = class.past_ceiling,
                    "kept longer than the ceiling of the policy: look at `inferlog retention plan`"
                );
            }
            self.sample(kept.holdings.system.as_str(), |sample| sample.bytes = bytes);
        }
        Ok(())
    }

    fn sample(&self, system: &str, change: impl FnOnce(&mut RetentionSample)) {
        let mut samples = self.samples.lock();
        let empty = || RetentionSample {
            system: system.to_owned(),
            time: None,
            frozen: false,
            due: 0,
            bytes: Vec::new(),
        };
        change(samples.entry(system.to_owned()).or_insert_with(empty));
    }

    fn tell_failure(&self, what: &str, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => {}
            Err(error) if self.is_stopping.load(Ordering::Acquire) => tracing::debug!(%error, what),
            Err(error) => tracing::error!(%error, "{what}; it is tried again"),
        }
    }
}

/// Says in the process's own log what was removed, and loudly why nothing was.
fn tell(done: &Purged) {
    let system = &done.system;
    for frozen in &done.frozen {
        tracing::error!(%system, why = frozen.why, "nothing is removed: look at `inferlog retention plan`");
    }
    for left in &done.left {
        tracing::error!(%system, left, "due, and left");
    }
    if done.events.is_empty() {
        return tracing::debug!(%system, "nothing is due");
    }
    tracing::info!(
        %system, payloads = done.payloads, entries = done.entries, keys = done.keys, bytes = done.bytes, held = done.kept,
        waited_ms = done.waited_ms, "what was due was removed"
    );
}
