//! What an index was told to leave out.

use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::{RecordError, System};
use inferlog_record::body::{Alert, Severity};
use inferlog_record::{ClearName, Count, DataClass, Id, MediaType, Millionths, PayloadRole};

/// The monitor that such an alarm names.
pub const FOLLOWER_SKIP: &str = "follower-skip";

impl System {
    /// Says in the system's log that somebody had a follower leave out so many of its entries, and waits until that is durable:
    /// the event's id. It is an `alert` of the monitor [`FOLLOWER_SKIP`]; the reason, free text, is its sealed payload.
    pub async fn tell_follower_skip(&self, entries: u64, reason: &str) -> Result<Id, RecordError> {
        let now = self.now();
        let alert = Alert {
            about: None,
            from: Some(now),
            monitor: ClearName::or_unlisted(FOLLOWER_SKIP),
            samples: Some(Count(entries)),
            severity: Severity::Warning,
            statistic: Some(ClearName::or_unlisted("entries-left-out")),
            threshold_millionths: Some(Millionths(0)),
            to: Some(now),
            value_millionths: Some(Millionths(
                i64::try_from(entries).unwrap_or(i64::MAX).saturating_mul(1_000_000),
            )),
        };
        let bytes = reason.as_bytes().to_vec().into();
        let content = NewContent::Sealed { media_type: MediaType::Text, class: DataClass::Personal, bytes };
        let id = self.mint()?;
        let event = NewEvent { id: Some(id), ..NewEvent::new(alert) }.with(PayloadRole::Report, content);
        self.tell_sealed(event).await?;
        Ok(id)
    }
}
