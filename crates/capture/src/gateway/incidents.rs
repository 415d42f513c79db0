//! Metrics of incidents.

use super::metrics::SystemLabel;
use crate::recorder::System;
use inferlog_record::Timestamp;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Default)]
pub(super) struct IncidentMetrics {
    next_deadline: Family<SystemLabel, Gauge>,
}

impl IncidentMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let next = "When the report of an incident is due next, since 1970; nothing where none is due";
        registry.register_with_unit(
            "incident_next_deadline",
            next,
            Unit::Seconds,
            self.next_deadline.clone(),
        );
    }

    pub(super) fn sample(&self, system: &System) {
        let label = SystemLabel { system: system.name().to_string() };
        match system.next_deadline().map(Timestamp::nanos) {
            Some(at) => {
                let seconds = i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX);
                self.next_deadline.get_or_create(&label).set(seconds);
            }
            None => drop(self.next_deadline.remove(&label)),
        }
    }
}
