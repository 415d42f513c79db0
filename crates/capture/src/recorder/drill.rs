//! What came of a drill, as an event of the system's life.

use crate::recorder::draft::{NewContent, NewEvent};
use crate::recorder::{RecordError, System};
use inferlog_record::body::Drill;
use inferlog_record::{DataClass, Digest, Id, MediaType, PayloadRole};
use sha2::Digest as _;

impl System {
    /// Says in the system's log what came of a drill, and waits until that is durable: the event's id. `report` is JSON without any
    /// content of decisions: it is sealed under a key of its own, which no erasure of a person destroys. Its SHA-256 stands in clear.
    pub async fn tell_drill(&self, drill: Drill, report: &str) -> Result<Id, RecordError> {
        let id = self.mint()?;
        let digest = Digest(sha2::Sha256::digest(report.as_bytes()).into());
        let body = Drill { sha256: Some(digest), ..drill };
        let bytes = report.as_bytes().to_vec().into();
        let content =
            NewContent::Sealed { media_type: MediaType::Json, class: DataClass::Pseudonymous, bytes };
        let event = NewEvent { id: Some(id), ..NewEvent::new(body) }.with(PayloadRole::Report, content);
        self.tell_sealed(event).await?;
        Ok(id)
    }
}
