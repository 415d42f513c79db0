//! Metrics of retention.

use super::metrics::SystemLabel;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::sync::Arc;

/// What a system keeps, and whether what is due is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionSample {
    /// The system.
    pub system: String,
    /// When what was due was removed last, seconds since 1970.
    pub time: Option<u64>,
    /// Whether nothing is removed, for the clock is in doubt.
    pub frozen: bool,
    /// Entries whose payloads are due.
    pub due: u64,
    /// Bytes of entries and sealed payloads, by class.
    pub bytes: Vec<(String, u64)>,
}

/// Answers what systems keep.
#[derive(Clone)]
pub struct RetentionSamples(pub Arc<dyn Fn() -> Vec<RetentionSample> + Send + Sync>);

impl fmt::Debug for RetentionSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetentionSamples")
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ClassLabel {
    system: String,
    class: String,
}

#[derive(Default)]
pub(super) struct RetentionMetrics {
    time: Family<SystemLabel, Gauge>,
    frozen: Family<SystemLabel, Gauge>,
    due: Family<SystemLabel, Gauge>,
    bytes: Family<ClassLabel, Gauge>,
}

impl RetentionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let time = "When what was due was removed last, since 1970";
        registry.register_with_unit("retention_time", time, Unit::Seconds, self.time.clone());
        let frozen = "1 while nothing is removed, for the clock is in doubt";
        registry.register("retention_frozen", frozen, self.frozen.clone());
        let due = "Entries whose payloads are due to be removed";
        registry.register("retention_due", due, self.due.clone());
        let bytes = "Entries and sealed payloads that are kept";
        registry.register_with_unit("retention", bytes, Unit::Bytes, self.bytes.clone());
    }

    pub(super) fn sample(&self, samples: Vec<RetentionSample>) {
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for RetentionSample { system, time, frozen, due, bytes } in samples {
            let label = SystemLabel { system: system.clone() };
            if let Some(time) = time {
                self.time.get_or_create(&label).set(gauge(time));
            }
            self.frozen.get_or_create(&label).set(frozen.into());
            self.due.get_or_create(&label).set(gauge(due));
            for (class, bytes) in bytes {
                let system = system.clone();
                self.bytes.get_or_create(&ClassLabel { system, class }).set(gauge(bytes));
            }
        }
    }
}
