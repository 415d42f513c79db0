//! Events attached: their decisions found, repetitions left out, outputs compared, all of one decision written at once.

use super::compare::{self, Words};
use super::form::{Batch, Given, read};
use super::{ApiError, BATCH_EVENTS_MAX};
use crate::recorder::{Done, NewEvent, Ongoing, RecordError, Recorder};
use crate::route::Route;
use crate::wire::Wire;
use bytes::Bytes;
use inferlog_record::body::Body;
use inferlog_record::{Capture, CaptureMethod, ClearName, Completeness, Count, Id, SystemName};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Bytes above which a batch is read off the threads that serve requests.
const READ_INLINE_BYTES_MAX: usize = 128 << 10;

/// How events come in.
#[derive(Clone, Debug)]
pub struct How {
    /// The way in, as the record names it.
    pub adapter: ClearName,
    /// Wires that only their routes know to read: name of the route, system, wire.
    pub wires: Arc<[(ClearName, SystemName, Wire)]>,
}

impl How {
    /// By this way in, to a node with these routes.
    pub fn new(adapter: &str, routes: &[Route]) -> Self {
        let wires = routes.iter().map(|route| (route.name.clone(), route.system.clone(), route.wire.clone()));
        Self { adapter: ClearName::or_unlisted(adapter), wires: wires.collect() }
    }
}

/// What was attached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// The decision, where there is one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Id>,
    /// The session that began or ended, where the batch says that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Id>,
    /// In the order of the batch.
    pub events: Vec<AttachedEvent>,
}

/// An event that is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AttachedEvent {
    /// Its decision.
    pub decision: Id,
    /// Its id in the log.
    pub id: Id,
    /// Its kind.
    pub kind: String,
    /// Index of the last entry of its write, in the log of its system.
    pub index: u64,
    /// Whether it had been recorded before, by its caller's id, and was not recorded again.
    pub duplicate: bool,
}

/// The events of one decision, with their places in the batch.
struct Group {
    ongoing: Ongoing,
    events: Vec<(usize, Given)>,
}

/// Attaches a batch of events (JSON, docs/events.md); they are durable when this returns. What it has begun goes on if the
/// future is dropped.
///
/// # Errors
/// Nothing is recorded of a batch that is wrong, or names an unknown decision. Where the record fails, what other decisions of
/// the batch have may be recorded; the message says so.
pub async fn attach(recorder: &Recorder, body: Bytes, how: &How) -> Result<Attached, ApiError> {
    let (minting, bytes) = (recorder.clone(), body.len());
    let reading = move || read(&body, &|| minting.mint());
    let batch = match bytes {
        0..=READ_INLINE_BYTES_MAX => reading()?,
        _ => tokio::task::spawn_blocking(reading).await.map_err(RecordError::from)??,
    };
    let given = match batch {
        Batch::Events(given) => given,
        Batch::Session(said) => {
            let session = Some(said.tell(recorder, capture(how)).await?);
            return Ok(Attached { decision: None, session, events: Vec::new() });
        }
    };
    let total = given.len();
    let groups = find(recorder, given).await?;
    let decision = groups.first().map(|group| group.ongoing.id()).filter(|_| groups.len() == 1);
    let mut writing = JoinSet::new();
    for group in groups {
        let (recorder, how) = (recorder.clone(), how.clone());
        writing.spawn(async move { group.write(&recorder, &how).await });
    }
    let (mut attached, mut failed): (Vec<(usize, AttachedEvent)>, Option<ApiError>) = Default::default();
    while let Some(written) = writing.join_next().await {
        match written.map_err(RecordError::from).map_err(ApiError::from).flatten() {
            Ok(events) => attached.extend(events),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if let Some(mut error) = failed {
        if !attached.is_empty() {
            let what =
                format!("; {} of the {total} events, of other decisions, are recorded", attached.len());
            error.message.push_str(&what);
        }
        return Err(error);
    }
    attached.sort_by_key(|(at, _)| *at);
    Ok(Attached { decision, session: None, events: attached.into_iter().map(|(_, event)| event).collect() })
}

/// The decisions of a batch, in the order in which it names them.
async fn find(recorder: &Recorder, given: Vec<Given>) -> Result<Vec<Group>, ApiError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<Id, usize> = HashMap::with_capacity(given.len().min(BATCH_EVENTS_MAX));
    for (at, event) in given.into_iter().enumerate() {
        let ongoing = recorder.ongoing(event.decision, event.system.as_ref()).await?;
        let place = *places.entry(event.decision).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.events.push((at, event)),
            None => groups.push(Group { ongoing, events: vec![(at, event)] }),
        }
    }
    Ok(groups)
}

impl Group {
    async fn write(self, recorder: &Recorder, how: &How) -> Result<Vec<(usize, AttachedEvent)>, ApiError> {
        let Self { ongoing, events } = self;
        let decision = ongoing.id();
        // Held until what is added is noted: of two requests with the same ids the second sees what the first did.
        let _turn = match events.iter().any(|(_, given)| given.key.is_some()) {
            true => Some(recorder.turn(decision).await),
            false => None,
        };
        let (mut attached, mut new, mut notes) = (Vec::new(), Vec::<NewEvent>::new(), Vec::new());
        for (at, Given { key, said, mut event, .. }) in events {
            let kind = event.body.kind_text().to_owned();
            if let Some(key) = &key {
                let noted = notes.iter().find(|(other, _)| other == key).map(|(_, done)| *done);
                if let Some(done) = noted.or_else(|| recorder.done(decision, key)) {
                    if done.said != said {
                        return Err(reused());
                    }
                    attached.push((
                        at,
                        AttachedEvent { decision, id: done.id, kind, index: done.index, duplicate: true },
                    ));
                    continue;
                }
            }
            let derived = key.as_deref().and_then(|key| ongoing.event_id(key));
            let id = derived.map_or_else(|| recorder.mint(), Ok)?;
            event.id = Some(id);
            event.capture = Some(capture(how));
            notes.extend(key.map(|key| (key, Done { id, index: 0, said })));
            attached.push((at, AttachedEvent { decision, id, kind, index: 0, duplicate: false }));
            new.push(event);
        }
        if new.is_empty() {
            return Ok(attached);
        }
        compare_outputs(&ongoing, &mut new, how).await?;
        let index = ongoing.add(new).await?;
        for (key, done) in notes {
            recorder.note_done(decision, &key, Done { index, ..done });
        }
        for (_, event) in &mut attached {
            // A repetition of what stands in this very batch has its index, too.
            if !event.duplicate || event.index == 0 {
                event.index = index;
            }
        }
        Ok(attached)
    }
}

fn reused() -> ApiError {
    let message = "an event of this decision was recorded under the same `id` and says something else: give each event \
                   an id of its own"
        .to_owned();
    ApiError { status: 409, code: "id_reused", message }
}

fn capture(how: &How) -> Capture {
    Capture {
        adapter: how.adapter.clone(),
        adapter_version: ClearName::or_unlisted(env!("CARGO_PKG_VERSION")),
        bytes_dropped: Count(0),
        completeness: Completeness::Complete,
        method: CaptureMethod::Sdk,
    }
}

/// Says of each output whether its stages are identical: with the model call that it follows, else with the latest.
async fn compare_outputs(ongoing: &Ongoing, new: &mut [NewEvent], how: &How) -> Result<(), ApiError> {
    let mut told: Option<Words> = None;
    for event in new {
        if let Some(words) = compare::told(event) {
            told = Some(words);
        }
        if !matches!(event.body, Body::Output(_)) {
            continue;
        }
        let raw = match &told {
            Some(words) if event.after.is_empty() => Some(words.clone()),
            _ => {
                let answer = ongoing.answer(event.after.clone()).await?;
                answer.and_then(|answer| Words::of(answer, ongoing.system().name(), how))
            }
        };
        compare::fill(event, raw.as_ref());
    }
    Ok(())
}
