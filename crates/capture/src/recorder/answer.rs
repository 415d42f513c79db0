//! What a model call of a decision answered, from the log and the keystore.

use crate::recorder::trail::{Hit, Trail};
use crate::recorder::{Ongoing, RecordError, System};
use inferlog_log::{LogIdentity, LogReader};
use inferlog_record::body::{Body, Wire};
use inferlog_record::{
    ClearName, Content, Event, Id, MediaType, PayloadRole, RetentionClass, Sealed, Timestamp,
};
use inferlog_vault::{SealContext, VaultError, open_payload};
use std::ops::ControlFlow;

/// Longest answer that is opened, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// An answer as it was recorded.
pub(crate) struct Answer {
    /// The route that its request came by.
    pub(crate) route: Option<ClearName>,
    /// The wire; none of a call that an application told of.
    pub(crate) wire: Option<Wire>,
    pub(crate) status: Option<u16>,
    pub(crate) media_type: MediaType,
    pub(crate) bytes: Vec<u8>,
}

/// A model call, and where its answer is.
struct Call {
    event: Id,
    route: Option<ClearName>,
    wire: Option<Wire>,
    status: Option<u16>,
    answer: Option<Place>,
    /// Whether nothing was taken out of its content at the door: of the rest nobody can say what the model said.
    is_untouched: bool,
}

/// Where sealed content is.
struct Place {
    log: LogReader,
    index: u64,
    class: RetentionClass,
    logged_at: Timestamp,
    payload: Id,
    sealed: Sealed,
}

impl Ongoing {
    /// The answer of the decision's latest model call, or of the latest one among `wanted` if one of them is; `None` if it is
    /// not there as it was: none was captured, a policy took something out, or it was erased. Looks through the log to its end.
    pub(crate) async fn answer(&self, wanted: Vec<Id>) -> Result<Option<Answer>, RecordError> {
        self.system.inner.node.integrate().await?;
        let (system, decision) = (self.system.clone(), self.id());
        tokio::task::spawn_blocking(move || system.answer(decision, &wanted)).await?
    }
}

impl System {
    fn answer(&self, decision: Id, wanted: &[Id]) -> Result<Option<Answer>, RecordError> {
        let (mut calls, mut route): (Vec<Call>, _) = (Vec::new(), None);
        Trail::new(self, decision)?.walk(|hit| {
            for event in &hit.entry.events {
                note(event, &hit, &mut calls, &mut route);
            }
            ControlFlow::Continue(())
        })?;
        let named = calls.iter().rposition(|call| wanted.contains(&call.event));
        let Some(at) = named.or_else(|| calls.len().checked_sub(1)) else { return Ok(None) };
        let Call { event, route, wire, status, answer, is_untouched } = calls.swap_remove(at);
        let Some(place) = answer.filter(|_| is_untouched) else { return Ok(None) };
        let media_type = place.sealed.media_type;
        let bytes = self.open(event, place)?;
        Ok(bytes.map(|bytes| Answer { route, wire, status, media_type, bytes }))
    }

    /// Content from its pack; `None` if its key was destroyed.
    fn open(&self, event: Id, place: Place) -> Result<Option<Vec<u8>>, RecordError> {
        let Place { log, index, class, logged_at, payload, sealed } = place;
        let key = match self.inner.vault.data_key(sealed.key_id, payload) {
            Ok(key) => key,
            Err(VaultError::Erased) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = log.payload(class.as_str(), logged_at.nanos(), index, payload.into_bytes())?;
        let Some(bytes) = bytes else { return Ok(None) };
        let origin = LogIdentity::load(&**log.fs(), log.dir())?.origin;
        let context = SealContext { origin: &origin, event, role: PayloadRole::OutputRaw.as_str(), payload };
        let opened =
            open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, ANSWER_BYTES_MAX);
        opened
            .map(Some)
            .map_err(|error| RecordError::Invalid(format!("the answer in entry {index}: {error}")))
    }
}

fn note(event: &Event, hit: &Hit<'_>, calls: &mut Vec<Call>, route: &mut Option<ClearName>) {
    match &event.body {
        Body::DecisionOpened(opened) => route.clone_from(&opened.route),
        Body::DecisionJoined(joined) => route.clone_from(&joined.route),
        // An id may stand in the log twice after a retry: the first counts.
        Body::Inference(call) if calls.iter().all(|known| known.event != event.id) => {
            let answer = place(event, hit);
            calls.push(Call {
                event: event.id,
                route: route.clone(),
                wire: call.wire,
                status: call.status,
                answer,
                is_untouched: event.redactions.is_empty(),
            });
        }
        Body::Rest(_) => {
            if let Some(call) = calls.iter_mut().find(|call| call.event == event.id && call.answer.is_none())
            {
                call.answer = place(event, hit);
            }
        }
        _ => {}
    }
}

fn place(event: &Event, hit: &Hit<'_>) -> Option<Place> {
    let first = hit.entry.events.first()?;
    event.payloads.iter().find_map(|reference| match (reference.role, reference.content) {
        (PayloadRole::OutputRaw, Content::Sealed(sealed)) => Some(Place {
            log: hit.log.clone(),
            index: hit.index,
            class: first.retention.clone(),
            logged_at: first.logged_at,
            payload: reference.payload,
            sealed,
        }),
        _ => None,
    })
}
