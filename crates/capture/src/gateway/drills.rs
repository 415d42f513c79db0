//! Metrics of drills.

use super::metrics::SystemLabel;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;

/// The last drill of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillSample {
    /// The system.
    pub system: String,
    /// When it was recorded, seconds since 1970.
    pub time: u64,
    /// Whether it came to its end and found nothing.
    pub passed: bool,
    /// Decisions drawn.
    pub sampled: u64,
    /// Those of them that could not be reconstructed as required.
    pub failed: u64,
}

/// Answers how the last drills ended.
#[derive(Clone)]
pub struct DrillSamples(pub Arc<dyn Fn() -> Vec<DrillSample> + Send + Sync>);

impl fmt::Debug for DrillSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrillSamples")
    }
}

#[derive(Default)]
pub(super) struct DrillMetrics {
    time: Family<SystemLabel, Gauge>,
    passed: Family<SystemLabel, Gauge>,
    sampled: Family<SystemLabel, Gauge>,
    failed: Family<SystemLabel, Gauge>,
}

impl DrillMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let time = "When the last drill of a system was recorded, since 1970";
        registry.register_with_unit("drill_time", time, Unit::Seconds, self.time.clone());
        registry.register(
            "drill_passed",
            "0 if the last drill of a system found something, or could not be done",
            self.passed.clone(),
        );
        registry.register("drill_sampled", "Decisions that the last drill drew", self.sampled.clone());
        registry.register(
            "drill_failed",
            "Decisions that the last drill could not reconstruct as required",
            self.failed.clone(),
        );
    }

    pub(super) fn sample(&self, samples: Vec<DrillSample>) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for DrillSample { system, time, passed, sampled, failed } in samples {
            let label = SystemLabel { system };
            self.time.get_or_create(&label).set(gauge(time));
            self.passed.get_or_create(&label).set(passed.into());
            self.sampled.get_or_create(&label).set(gauge(sampled));
            self.failed.get_or_create(&label).set(gauge(failed));
        }
    }
}
