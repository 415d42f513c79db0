//! Findings that somebody answers for: `risk.accepted` events, the latest of each finding counts.

use std::collections::BTreeMap;

use inferlog_record::body::Body;
use inferlog_record::{Event, Timestamp};

use super::report::{Acceptance, Finding};

/// The latest acceptance of each finding.
#[derive(Debug, Default)]
pub(super) struct Accepted(BTreeMap<String, (Timestamp, Timestamp, Acceptance)>);

impl Accepted {
    pub(super) fn take(&mut self, event: &Event) {
        let Body::RiskAccepted(body) = &event.body else { return };
        let acceptance = Acceptance {
            at: event.logged_at.to_string(),
            by: body.by.map(|by| by.to_string()),
            event: event.id.to_string(),
            finding: body.finding.to_string(),
            in_force: false,
            until: body.until.to_string(),
        };
        let latest = (event.logged_at, body.until, acceptance);
        match self.0.get_mut(body.finding.as_str()) {
            Some(known) if known.0 > event.logged_at => {}
            Some(known) => *known = latest,
            None => drop(self.0.insert(body.finding.to_string(), latest)),
        }
    }

    /// Says of each finding whether it is accepted, and gives all acceptances.
    pub(super) fn end(self, now: Timestamp, findings: &mut [Finding]) -> Vec<Acceptance> {
        let acceptances: Vec<Acceptance> = self
            .0
            .into_values()
            .map(|(_, until, acceptance)| Acceptance { in_force: now < until, ..acceptance })
            .collect();
        for finding in findings {
            finding.acceptance =
                acceptances.iter().find(|acceptance| acceptance.finding == finding.id).cloned();
        }
        acceptances
    }
}
