//! Metrics of those who vouch for checkpoints.

use super::metrics::SystemLabel;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;

/// The witness of a sample, by its name in the policy, and the system.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct WitnessLabels {
    witness: String,
    system: String,
}

/// How a witness and a log stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessSample {
    /// The witness's name in the policy.
    pub witness: String,
    /// The system.
    pub system: String,
    /// Whether it cosigned when it was asked last.
    pub is_up: bool,
    /// Times it did not.
    pub failures: u64,
    /// Size of the newest checkpoint that it cosigned.
    pub size: u64,
    /// When, seconds since 1970.
    pub time: u64,
}

/// How the timestamping authority and a log stand to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampSample {
    /// The system.
    pub system: String,
    /// Whether it answered well when it was asked last.
    pub is_up: bool,
    /// Times it did not.
    pub failures: u64,
    /// Size of the newest checkpoint that it stamped.
    pub size: u64,
    /// The time it stamped, seconds since 1970.
    pub time: u64,
}

/// What is vouched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VouchedSample {
    /// Each witness and log.
    pub witnesses: Vec<WitnessSample>,
    /// Each system, and the size of its newest checkpoint whose cosignatures satisfy the policy.
    pub quorums: Vec<(String, u64)>,
    /// Each system with a timestamping authority.
    pub timestamps: Vec<TimestampSample>,
}

/// Answers what is vouched for.
#[derive(Clone)]
pub struct VouchedSamples(pub Arc<dyn Fn() -> VouchedSample + Send + Sync>);

impl fmt::Debug for VouchedSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VouchedSamples")
    }
}

#[derive(Default)]
pub(super) struct WitnessMetrics {
    up: Family<WitnessLabels, Gauge>,
    failures: Family<WitnessLabels, Counter>,
    size: Family<WitnessLabels, Gauge>,
    time: Family<WitnessLabels, Gauge>,
    quorum: Family<SystemLabel, Gauge>,
    stamp_up: Family<SystemLabel, Gauge>,
    stamp_failures: Family<SystemLabel, Counter>,
    stamp_size: Family<SystemLabel, Gauge>,
    stamp_time: Family<SystemLabel, Gauge>,
}

impl WitnessMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "witness_up",
            "0 while a witness does not cosign a system's checkpoints",
            self.up.clone(),
        );
        registry.register("witness_failures", "Times a witness did not cosign", self.failures.clone());
        registry.register(
            "witness_size",
            "Entries under the newest checkpoint that a witness cosigned",
            self.size.clone(),
        );
        registry.register_with_unit(
            "witness_time",
            "When a witness cosigned last, since 1970",
            Unit::Seconds,
            self.time.clone(),
        );
        registry.register(
            "vouched_size",
            "Entries under the newest checkpoint whose cosignatures satisfy the policy",
            self.quorum.clone(),
        );
        self.register_timestamps(registry);
    }

    fn register_timestamps(&self, registry: &mut Registry) {
        registry.register(
            "timestamp_up",
            "0 while the authority does not stamp a system's checkpoints",
            self.stamp_up.clone(),
        );
        registry.register(
            "timestamp_failures",
            "Times the authority did not stamp a system's checkpoint",
            self.stamp_failures.clone(),
        );
        registry.register(
            "timestamp_size",
            "Entries under the newest checkpoint that the authority stamped",
            self.stamp_size.clone(),
        );
        registry.register_with_unit(
            "timestamp_time",
            "The newest time that the authority stamped, since 1970",
            Unit::Seconds,
            self.stamp_time.clone(),
        );
    }

    pub(super) fn sample(&self, sample: VouchedSample) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for WitnessSample { witness, system, is_up, failures, size, time } in sample.witnesses {
            let labels = WitnessLabels { witness, system };
            self.up.get_or_create(&labels).set(is_up.into());
            let counter = self.failures.get_or_create(&labels).clone();
            counter.inc_by(failures.saturating_sub(counter.get()));
            self.size.get_or_create(&labels).set(gauge(size));
            self.time.get_or_create(&labels).set(gauge(time));
        }
        for (system, size) in sample.quorums {
            self.quorum.get_or_create(&SystemLabel { system }).set(gauge(size));
        }
        for TimestampSample { system, is_up, failures, size, time } in sample.timestamps {
            let label = SystemLabel { system };
            self.stamp_up.get_or_create(&label).set(is_up.into());
            let counter = self.stamp_failures.get_or_create(&label).clone();
            counter.inc_by(failures.saturating_sub(counter.get()));
            self.stamp_size.get_or_create(&label).set(gauge(size));
            self.stamp_time.get_or_create(&label).set(gauge(time));
        }
    }
}
