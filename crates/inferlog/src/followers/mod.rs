//! What follows the log: the indices of a serving process, and what commands do with one.
//!
//! A follower never stands between a request and its answer. It reads what checkpoints cover, on a thread of its own, and keeps
//! its cursor where its rows are; a store that is down, full, locked or damaged is tried again until it is not. When the
//! process opens its directory anew (`current`), followers begin anew with the keystore that came of it.

mod forget;
mod ready;
mod report;
mod required;
mod skip;
mod store;
mod thread;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use inferlog::{Instance, policies_in_force};
use inferlog_capture::gateway::{FollowerSample, FollowerSamples};
use inferlog_disk::Fs;
use inferlog_index::{FollowOptions, skipped};
use inferlog_log::{LogIdentity, LogReader, list_logs};
use inferlog_record::{PayloadRole, SystemName};
use parking_lot::Mutex;

pub(crate) use self::forget::{ForgetAsked, ForgetDone, forget};
pub(crate) use self::ready::{freshen, local_report, ready, ready_for_id, rebuild};
pub(crate) use self::report::{FollowerReport, LogReport, SkippedReport};
pub(crate) use self::required::complete;
use self::required::orphans;
pub(crate) use self::skip::{SkipAsked, SkipDone, skip};
pub(crate) use self::store::{IndexChoice, Store};
use self::thread::Running;
use crate::output::Failure;

/// How long a reader waits for an index that is behind.
const FRESH_TIME_MAX: Duration = Duration::from_secs(10);
const FRESH_LOOK: Duration = Duration::from_millis(10);

/// The followers of a serving process. Cheap to clone; without any by default.
#[derive(Clone, Default)]
pub(crate) struct Followers(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stores: Vec<Store>,
    running: Mutex<Vec<Running>>,
    /// The directory that they were started over.
    data: Mutex<Option<(Arc<dyn Fs>, PathBuf)>>,
}

impl Followers {
    /// One for each store; none runs yet.
    pub(crate) fn new(stores: Vec<Store>) -> Self {
        Self(Arc::new(Inner { stores, running: Mutex::default(), data: Mutex::default() }))
    }

    /// Starts them over a directory that this process holds. Those that run are ended first: blocks.
    pub(crate) fn start(&self, instance: &Instance) {
        self.stop();
        let clear_content = clear_content(instance);
        let mut running = self.0.running.lock();
        for (place, store) in self.0.stores.iter().enumerate() {
            let before = self.0.stores[..place].iter().filter(|other| other.kind() == store.kind()).count();
            let name = match before {
                0 => store.kind().to_owned(),
                before => format!("{}-{}", store.kind(), before + 1),
            };
            let options = FollowOptions {
                name,
                clear_content: clear_content.clone(),
                vault: Some(instance.vault.clone()),
                ..FollowOptions::default()
            };
            match Running::start(instance.env.fs.clone(), instance.data.clone(), store.clone(), options) {
                Ok(follower) => running.push(follower),
                Err(error) => tracing::error!(%store, %error, "no thread for a follower: it does not follow"),
            }
        }
        drop(running);
        for orphan in self.orphans(&instance.env.fs, &instance.data) {
            tracing::warn!(
                follower = orphan.name,
                "a follower that is not configured has a cursor: erasures and purges wait for it until it follows again, or \
                 until `inferlog followers forget` says that nobody needs it"
            );
        }
        *self.0.data.lock() = Some((instance.env.fs.clone(), instance.data.clone()));
    }

    /// Followers that logs of `data` wait for and that this process does not run; what waits for them is not counted.
    fn orphans(&self, fs: &Arc<dyn Fs>, data: &Path) -> Vec<FollowerReport> {
        orphans(fs, data, &self.reports()).unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be told whom erasures and purges wait for");
            Vec::new()
        })
    }

    /// Ends them in order, within some seconds. Blocks.
    pub(crate) fn stop(&self) {
        let mut running = std::mem::take(&mut *self.0.running.lock());
        running.iter().for_each(Running::ask_to_stop);
        running.iter_mut().for_each(Running::join);
    }

    /// How they are doing.
    pub(crate) fn reports(&self) -> Vec<FollowerReport> {
        self.0.running.lock().iter().map(Running::report).collect()
    }

    /// The same, with what each store was told to leave out. Blocks.
    pub(crate) fn full_reports(&self, data: &Path) -> Vec<FollowerReport> {
        let mut reports = self.reports();
        for (report, store) in reports.iter_mut().zip(&self.0.stores) {
            // A store that does not answer says so as the follower's state.
            let skipped = store.reader(data).and_then(|mut reader| skipped(&mut reader));
            report.skipped = skipped.into_iter().flatten().map(SkippedReport::from).collect();
        }
        reports
    }

    /// The stores they follow into.
    pub(crate) fn stores(&self) -> &[Store] {
        &self.0.stores
    }

    /// For the gateway's metrics.
    pub(crate) fn samples(&self) -> FollowerSamples {
        let followers = self.clone();
        let sample = |report: &FollowerReport| FollowerSample {
            follower: report.name.clone(),
            is_up: !report.is_failing(),
            failures: report.failures,
            lag_entries: report.lag_entries(),
            lag_seconds: report.lag_seconds(),
        };
        FollowerSamples(Arc::new(move || {
            let mut samples: Vec<FollowerSample> = followers.reports().iter().map(sample).collect();
            // Who is waited for and not run is down.
            let data = followers.0.data.lock().clone();
            let orphans = data.map(|(fs, data)| followers.orphans(&fs, &data)).unwrap_or_default();
            samples.extend(orphans.iter().map(|orphan| FollowerSample { is_up: false, ..sample(orphan) }));
            samples
        }))
    }

    /// Waits until the store covers the logs' checkpoints as they are now, external ids included if `identified`, some seconds at
    /// most; what it says of itself then. `None` if nothing follows into it. Blocks.
    pub(crate) fn wait(
        &self,
        instance: &Instance,
        store: &str,
        identified: bool,
    ) -> Result<Option<FollowerReport>, Failure> {
        let mut sizes = Vec::new();
        for dir in list_logs(&*instance.env.fs, &instance.data)? {
            let origin = LogIdentity::load(&*instance.env.fs, &dir)?.origin;
            sizes.push((origin, LogReader::new(instance.env.fs.clone(), dir).size()?));
        }
        let began = Instant::now();
        loop {
            let Some(report) = self.reports().into_iter().find(|report| report.store == store) else {
                return Ok(None);
            };
            let has = |(origin, size): &(String, u64)| {
                let mut logs = report.logs.iter().filter(|log| log.log == *origin);
                *size == 0 || logs.any(|log| log.next >= *size && (!identified || log.identified >= *size))
            };
            if sizes.iter().all(has) || report.is_failing() || began.elapsed() > FRESH_TIME_MAX {
                return Ok(Some(report));
            }
            std::thread::sleep(FRESH_LOOK);
        }
    }
}

/// The roles whose content may stand in indices in clear, of each system whose policy in force names some.
fn clear_content(instance: &Instance) -> BTreeMap<SystemName, Vec<PayloadRole>> {
    let policies = policies_in_force(&instance.registry).unwrap_or_else(|error| {
        tracing::error!(%error, "no content stands in indices in clear until the policies can be read");
        Vec::new()
    });
    let named =
        policies.into_iter().map(|known| (known.policy.system.clone(), known.policy.clear_content.clone()));
    named.filter(|(_, roles)| !roles.is_empty()).collect()
}
