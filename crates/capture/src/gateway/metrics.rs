//! Metrics, in the text format of Prometheus. Labels are configured names and fixed words; no caller's text is one.

use super::drills::DrillMetrics;
use super::incidents::IncidentMetrics;
use super::retention::RetentionMetrics;
use super::witnesses::{VouchedSample, WitnessMetrics};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Upper bounds of the histograms, seconds: from a cached answer to a slow model.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// The route of a sample.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct RouteLabel {
    route: String,
}

/// The route of a sample, and how its request ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct EndLabels {
    route: String,
    end: &'static str,
}

/// The system of a sample.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct SystemLabel {
    pub(crate) system: String,
}

/// The follower of a sample.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FollowerLabel {
    follower: String,
}

/// How something that follows the log is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowerSample {
    /// Its configured name.
    pub follower: String,
    /// Whether it works: false while it tries again after an error.
    pub is_up: bool,
    /// Times it failed.
    pub failures: u64,
    /// Entries under checkpoints that it has not followed yet.
    pub lag_entries: u64,
    /// Age of the oldest of them, seconds.
    pub lag_seconds: f64,
}

/// Answers how the followers are doing.
#[derive(Clone)]
pub struct FollowerSamples(pub Arc<dyn Fn() -> Vec<FollowerSample> + Send + Sync>);

impl fmt::Debug for FollowerSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FollowerSamples")
    }
}

/// How a request ended, as metrics count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Failed,
    Refused,
    Aborted,
    NotRecorded,
    Control,
    Passthrough,
}

const ENDS: [(End, &str); 7] = [
    (End::Answered, "answered"),
    (End::Failed, "failed"),
    (End::Refused, "refused"),
    (End::Aborted, "aborted"),
    (End::NotRecorded, "not_recorded"),
    (End::Control, "control"),
    (End::Passthrough, "passthrough"),
];

type FloatGauge = Gauge<f64, AtomicU64>;

/// All metrics of a gateway.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<EndLabels, Counter>,
    request: Family<RouteLabel, Histogram>,
    upstream: Family<RouteLabel, Histogram>,
    record: Family<RouteLabel, Histogram>,
    undelivered: Family<RouteLabel, Counter>,
    subjectless: Family<RouteLabel, Counter>,
    unrecorded: Family<RouteLabel, Counter>,
    pub(crate) degraded: Gauge,
    pub(crate) unmatched: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) entries: Family<SystemLabel, Gauge>,
    pub(crate) poisoned: Gauge,
    pub(crate) lag: FloatGauge,
    pub(crate) segments: Gauge,
    pub(crate) disk_free: Gauge,
    pub(crate) disk_reserve: Gauge,
    pub(crate) disk_low: Gauge,
    pub(crate) violations: Gauge,
    followers: FollowerMetrics,
    witnesses: WitnessMetrics,
    pub(super) drills: DrillMetrics,
    pub(super) retention: RetentionMetrics,
    pub(super) incidents: IncidentMetrics,
}

/// How followers are doing.
#[derive(Default)]
struct FollowerMetrics {
    up: Family<FollowerLabel, Gauge>,
    failures: Family<FollowerLabel, Counter>,
    lag_entries: Family<FollowerLabel, Gauge>,
    lag: Family<FollowerLabel, FloatGauge>,
}

/// The metrics of one route, ready to be counted.
pub(crate) struct LaneMetrics {
    ends: [Counter; ENDS.len()],
    pub(crate) request: Histogram,
    pub(crate) upstream: Histogram,
    pub(crate) record: Histogram,
    pub(crate) undelivered: Counter,
    pub(crate) subjectless: Counter,
    /// Requests that were answered without a record.
    pub(crate) unrecorded: Counter,
}

impl LaneMetrics {
    pub(crate) fn count(&self, end: End) {
        self.ends[end as usize].inc();
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("inferlog"),
            requests: Family::default(),
            request: Family::new_with_constructor(seconds),
            upstream: Family::new_with_constructor(seconds),
            record: Family::new_with_constructor(seconds),
            undelivered: Family::default(),
            subjectless: Family::default(),
            unrecorded: Family::default(),
            degraded: Gauge::default(),
            unmatched: Counter::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            entries: Family::default(),
            poisoned: Gauge::default(),
            lag: Gauge::default(),
            segments: Gauge::default(),
            disk_free: Gauge::default(),
            disk_reserve: Gauge::default(),
            disk_low: Gauge::default(),
            violations: Gauge::default(),
            followers: FollowerMetrics::default(),
            witnesses: WitnessMetrics::default(),
            drills: DrillMetrics::default(),
            retention: RetentionMetrics::default(),
            incidents: IncidentMetrics::default(),
        };
        metrics.register_requests();
        metrics.register_log();
        metrics.register_followers();
        metrics.witnesses.register(&mut metrics.registry);
        metrics.drills.register(&mut metrics.registry);
        metrics.retention.register(&mut metrics.registry);
        metrics.incidents.register(&mut metrics.registry);
        metrics
    }

    fn register_requests(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "Requests by how they ended", self.requests.clone());
        registry.register_with_unit(
            "request",
            "From a request's head to its answer's release",
            Unit::Seconds,
            self.request.clone(),
        );
        registry.register_with_unit(
            "upstream",
            "From the call of the model server to its answer's last byte",
            Unit::Seconds,
            self.upstream.clone(),
        );
        registry.register_with_unit(
            "record_wait",
            "What an answer that was there waited for its record",
            Unit::Seconds,
            self.record.clone(),
        );
        registry.register(
            "undelivered",
            "Answers that were released and did not reach the client",
            self.undelivered.clone(),
        );
        registry.register(
            "subjectless",
            "Decisions without the person that the route says where to find",
            self.subjectless.clone(),
        );
        registry.register(
            "unrecorded",
            "Requests that were answered without a record, as their route's failure policy says",
            self.unrecorded.clone(),
        );
        registry.register(
            "unmatched",
            "Requests refused because no route knows them",
            self.unmatched.clone(),
        );
        registry.register("requests_in_flight", "Requests being answered", self.in_flight.clone());
        registry.register("connections", "Connections from clients", self.connections.clone());
    }

    fn register_log(&mut self) {
        let registry = &mut self.registry;
        registry.register("log_entries", "Entries in each system's log", self.entries.clone());
        registry.register(
            "log_poisoned",
            "1 if nothing can be recorded until the log is opened again",
            self.poisoned.clone(),
        );
        registry.register(
            "degraded",
            "1 while requests were answered without a record and no gap in the log says so yet",
            self.degraded.clone(),
        );
        registry.register_with_unit(
            "checkpoint_lag",
            "Age of the oldest durable entry that no checkpoint covers",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register("wal_segments", "Live segments of the write-ahead log", self.segments.clone());
        registry.register_with_unit(
            "disk_free",
            "Free space for the data directory",
            Unit::Bytes,
            self.disk_free.clone(),
        );
        registry.register_with_unit(
            "disk_reserve",
            "Free space below which disk_low is 1",
            Unit::Bytes,
            self.disk_reserve.clone(),
        );
        registry.register("disk_low", "1 if free space is below the reserve", self.disk_low.clone());
        registry.register(
            "profile_violations",
            "Times an event lacked what inferlog's profile asks for, since the start",
            self.violations.clone(),
        );
    }

    fn register_followers(&mut self) {
        let (registry, followers) = (&mut self.registry, &self.followers);
        registry.register(
            "follower_up",
            "0 while a follower tries again after an error",
            followers.up.clone(),
        );
        registry.register("follower_failures", "Times a follower failed", followers.failures.clone());
        registry.register(
            "follower_lag_entries",
            "Entries under checkpoints that a follower has not followed yet",
            followers.lag_entries.clone(),
        );
        registry.register_with_unit(
            "follower_lag",
            "Age of the oldest entry that a follower has not followed yet",
            Unit::Seconds,
            followers.lag.clone(),
        );
    }

    /// Takes how followers are doing.
    pub(crate) fn sample_followers(&self, samples: Vec<FollowerSample>) {
        for sample in samples {
            let label = FollowerLabel { follower: sample.follower };
            let followers = &self.followers;
            followers.up.get_or_create(&label).set(sample.is_up.into());
            let failures = followers.failures.get_or_create(&label).clone();
            failures.inc_by(sample.failures.saturating_sub(failures.get()));
            let entries = i64::try_from(sample.lag_entries).unwrap_or(i64::MAX);
            followers.lag_entries.get_or_create(&label).set(entries);
            followers.lag.get_or_create(&label).set(sample.lag_seconds);
        }
    }

    /// Takes what is vouched for.
    pub(crate) fn sample_vouched(&self, sample: VouchedSample) {
        self.witnesses.sample(sample);
    }

    /// The metrics of a route.
    pub(crate) fn lane(&self, route: &str) -> LaneMetrics {
        let label = RouteLabel { route: route.to_owned() };
        let end = |(_, end)| self.requests.get_or_create(&EndLabels { route: route.to_owned(), end }).clone();
        LaneMetrics {
            ends: ENDS.map(end),
            request: self.request.get_or_create(&label).clone(),
            upstream: self.upstream.get_or_create(&label).clone(),
            record: self.record.get_or_create(&label).clone(),
            undelivered: self.undelivered.get_or_create(&label).clone(),
            subjectless: self.subjectless.get_or_create(&label).clone(),
            unrecorded: self.unrecorded.get_or_create(&label).clone(),
        }
    }

    /// All metrics as text.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8 << 10);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
