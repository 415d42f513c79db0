//! Periods of use, as an application tells of them. They are of a system, not of a decision.

use super::ApiError;
use super::fields::Fields;
use crate::recorder::{NewEvent, Recorder};
use inferlog_record::body::{SessionEnd, SessionEnded, SessionStarted};
use inferlog_record::{Capture, ClearName, Id, SystemName, Timestamp};
use serde_json::value::RawValue;

const STARTED: &str = "session.started";
const ENDED: &str = "session.ended";

/// Whether events of this kind are of a session.
pub(super) fn is_kind(kind: &str) -> bool {
    matches!(kind, STARTED | ENDED)
}

/// That a period of use began or ended.
#[derive(Debug)]
pub(super) struct SessionSaid {
    system: SystemName,
    at: Option<Timestamp>,
    what: What,
}

#[derive(Debug)]
enum What {
    Started(SessionStarted),
    Ended(Id, SessionEnded),
}

/// Reads an event of a session; `None` if it is of another kind.
pub(super) fn read(
    raw: &RawValue,
    at: &str,
    common: Option<SystemName>,
) -> Result<Option<SessionSaid>, ApiError> {
    let mut fields = Fields::read(raw, at)?;
    let Some(kind) = fields.text("kind")?.filter(|kind| is_kind(kind)) else { return Ok(None) };
    let Some(system) = fields.word("system")?.or(common) else {
        return Err(fields.wrong("system", "is missing: name the system that is used"));
    };
    let (at, what) = match kind.as_str() {
        STARTED => {
            let route = fields.text("route")?.map(|route| ClearName::new(&route));
            let route = route.transpose().map_err(|error| fields.wrong("route", error))?;
            (fields.time("started_at")?, What::Started(SessionStarted { route }))
        }
        _ => {
            let session = fields.needed("session")?;
            let end = fields.word("end")?.unwrap_or(SessionEnd::Ended);
            (fields.time("ended_at")?, What::Ended(session, SessionEnded { end }))
        }
    };
    fields.end()?;
    Ok(Some(SessionSaid { system, at, what }))
}

impl SessionSaid {
    /// Records it, durably: the session's id. No log is made for a system that has none.
    pub(super) async fn tell(self, recorder: &Recorder, capture: Capture) -> Result<Id, ApiError> {
        let systems = recorder.systems().await;
        let Some(system) = systems.into_iter().find(|system| *system.name() == self.system) else {
            let message = format!("there is no system {} here: name one that this node records", self.system);
            return Err(ApiError { status: 404, code: "no_system", message });
        };
        let told = |body: NewEvent| NewEvent { capture: Some(capture), ..body };
        match self.what {
            What::Started(body) => {
                let event = NewEvent { started_at: self.at, ..told(NewEvent::new(body)) };
                Ok(system.start_session(event).await?)
            }
            What::Ended(session, body) => {
                let event =
                    NewEvent { ended_at: self.at, session: Some(session), ..told(NewEvent::new(body)) };
                system.end_session(event).await?;
                Ok(session)
            }
        }
    }
}
