//! Payloads opened: sealed bytes from the pack, the opening from whoever gives it, the content held against the commitment.

use std::collections::BTreeMap;

use inferlog_record::{Content, Entry, Event, Id, PayloadRole, Sealed, State};
use inferlog_vault::{SealContext, open_payload};

use super::model::{MissingPart, PayloadContent, Story, StoryPayload};
use super::search::{ErasureHit, Hits};
use super::{Openings, StoryOptions, Unopened};
use crate::error::Result;
use crate::open::OpenLog;

/// What is said of a payload that was removed and no event says so.
pub(crate) const NO_PACK: &str =
    "no pack holds it, though no event says that it is gone: run `inferlog verify`";

/// A payload as it was born.
struct Born<'a> {
    log: &'a OpenLog,
    erasures: &'a [(String, ErasureHit)],
    index: u64,
    /// Retention class and time by which the pack is found: those of the entry's first event.
    class: String,
    logged_at_ns: u64,
    event: Id,
    role: PayloadRole,
    sealed: Sealed,
    subjects: Vec<String>,
}

/// Opens what can be opened, and says of the rest why not.
pub(super) fn open(
    story: &mut Story,
    found: &[(OpenLog, Hits)],
    erasures: &[(String, ErasureHit)],
    options: &StoryOptions<'_>,
) -> Result<()> {
    let born = born(found, erasures)?;
    let mut missing = Vec::new();
    for event in &mut story.events {
        for payload in &mut event.payloads {
            let Some(origin) =
                born.get(&payload.payload).filter(|_| payload.state == State::Present.as_str())
            else {
                continue;
            };
            describe(payload, origin);
            let erasure = origin.erasure(payload.payload);
            let why = match erasure {
                Some(erasure) => {
                    payload.state = State::Erased.to_string();
                    payload.reason = Some(format!("erased_by_order:{}", erasure.event));
                    Some(format!(
                        "erased under the erasure event {} of entry {}",
                        erasure.event, erasure.index
                    ))
                }
                None => options
                    .openings
                    .and_then(|openings| reveal(payload, origin, openings, options.content_bytes_max)),
            };
            // A later event's copy lacks what the first lacks; it is named once.
            if let Some(why) = why.filter(|_| payload.first.is_none()) {
                let kind = &event.kind;
                missing.push(lost((event.place, event.id), kind, origin, why, erasure.is_some()));
            }
        }
    }
    story.missing.extend(missing);
    story.missing.sort_by_key(|part| (part.place.log, part.place.index));
    Ok(())
}

/// Every sealed payload of the decision, by id.
fn born<'a>(
    found: &'a [(OpenLog, Hits)],
    erasures: &'a [(String, ErasureHit)],
) -> Result<BTreeMap<Id, Born<'a>>> {
    let mut born = BTreeMap::new();
    for (log, hits) in found {
        for (index, bytes) in &hits.entries {
            let entry = Entry::from_bytes(bytes).map_err(|error| log.malformed(*index, error))?;
            let Some(Event { retention, logged_at, .. }) = entry.events.first() else { continue };
            for event in &entry.events {
                for reference in &event.payloads {
                    let Content::Sealed(sealed) = reference.content else { continue };
                    born.entry(reference.payload).or_insert_with(|| Born {
                        log,
                        erasures,
                        index: *index,
                        class: retention.to_string(),
                        logged_at_ns: logged_at.nanos(),
                        event: event.id,
                        role: reference.role,
                        sealed,
                        subjects: event.subjects.iter().map(ToString::to_string).collect(),
                    });
                }
            }
        }
    }
    Ok(born)
}

impl Born<'_> {
    /// The first erasure since that destroyed a key of this payload and did not withhold it. It may stand in a later epoch of
    /// the log: keys are the node's.
    fn erasure(&self, payload: Id) -> Option<&ErasureHit> {
        let found = self.erasures.iter().find(|(log, erasure)| {
            let is_key = erasure.body.keys.contains(&self.sealed.key_id);
            let is_subject =
                erasure.body.subjects.iter().any(|subject| self.subjects.contains(&subject.to_string()));
            let is_later = *log != self.log.origin || erasure.index > self.index;
            is_later && (is_key || is_subject) && !erasure.withheld.contains(&payload)
        });
        found.map(|(_, erasure)| erasure)
    }
}

fn describe(payload: &mut StoryPayload, born: &Born<'_>) {
    payload.media_type = Some(born.sealed.media_type.to_string());
    payload.size = Some(born.sealed.size);
    payload.key_id = Some(born.sealed.key_id.to_string());
}

/// Opens one payload; why not, if not.
fn reveal(
    payload: &mut StoryPayload,
    born: &Born<'_>,
    openings: &dyn Openings,
    limit: usize,
) -> Option<String> {
    let log = born.log;
    let sealed = log.reader.payload(&born.class, born.logged_at_ns, born.index, payload.payload.into_bytes());
    let sealed = match sealed {
        Ok(Some(sealed)) => sealed,
        Ok(None) => {
            return fail(payload, None, NO_PACK);
        }
        Err(error) => return fail(payload, None, &error.to_string()),
    };
    let key = match openings.data_key(born.sealed.key_id, payload.payload) {
        Ok(key) => key,
        Err(error @ Unopened::Erased) => return fail(payload, None, &error.to_string()),
        Err(Unopened::Other(why)) => return fail(payload, None, &why),
    };
    let context = SealContext {
        origin: &log.origin,
        event: born.event,
        role: born.role.as_str(),
        payload: payload.payload,
    };
    match open_payload(&key, &context, &sealed, born.sealed.encoding, &born.sealed.commitment, limit) {
        Ok(content) => {
            payload.content = Some(PayloadContent::of(content, born.sealed.media_type));
            payload.verified = Some(true);
            None
        }
        Err(error) => fail(payload, Some(false), &error.to_string()),
    }
}

fn fail(payload: &mut StoryPayload, verified: Option<bool>, why: &str) -> Option<String> {
    payload.verified = verified;
    payload.problem = Some(why.to_owned());
    Some(why.to_owned())
}

fn lost(
    (place, event): (super::Place, Id),
    kind: &str,
    born: &Born<'_>,
    why: String,
    explained: bool,
) -> MissingPart {
    let kind_rows = kind.parse::<inferlog_record::Kind>().map_or(&[][..], inferlog_record::Kind::payloads);
    let row = kind_rows.iter().chain(inferlog_record::COMMON_ROLES).find(|row| row.role == born.role);
    MissingPart {
        place,
        event,
        field: format!("{kind}.payloads[{}]", born.role),
        why,
        explained,
        serves: row.map_or("", |row| row.serves).to_owned(),
        level: row.map_or("", |row| row.level.letter()),
    }
}
