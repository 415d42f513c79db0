//! From content to what stands for it in an event: through the door, sealed or stored, a reference.

use crate::recorder::door::{Door, Given, Passed, Taken};
use crate::recorder::draft::{NewContent, NewPayload};
use crate::recorder::write::Steps;
use crate::recorder::{Inner, RecordError, System};
use inferlog_record::{Content, Event, Id, MediaType, PayloadRole, Reference, Sealed, Why};
use inferlog_vault::SealContext;

/// Lets one payload of an event through the door.
pub(super) fn admit(
    system: &System,
    door: Option<&Door>,
    taken: &mut Taken,
    steps: &Steps,
    (event, payload): (Id, NewPayload),
    sealed: &mut Vec<(Id, Vec<u8>)>,
) -> Result<Reference, RecordError> {
    let NewPayload { id, role, content } = payload;
    let content = match (door, content) {
        (Some(door), NewContent::Sealed { media_type, class, bytes }) => {
            match door.pass(taken, role, Given { media_type, class, bytes }) {
                Passed::Sealed { media_type, class, bytes } => {
                    NewContent::Sealed { media_type, class, bytes }
                }
                Passed::Shared { media_type, bytes } => match system.inner.shared.put(media_type, &bytes) {
                    Some(shared) => {
                        let payload = id.map_or_else(|| system.inner.minter.id(), Ok)?;
                        return Ok(Reference { payload, role, content: Content::Shared(shared) });
                    }
                    None => NewContent::personal(media_type, bytes),
                },
                Passed::Redacted => {
                    let payload = id.map_or_else(|| system.inner.minter.id(), Ok)?;
                    return Ok(Reference::redacted(payload, role));
                }
            }
        }
        (_, content) => content,
    };
    refer(system, steps, event, NewPayload { id, role, content }, sealed)
}

/// Records what was taken out of an event's payloads: how often, and what stands alone now.
pub(super) fn take_out(
    system: &System,
    taken: &mut Taken,
    steps: &Steps,
    event: &mut Event,
    sealed: &mut Vec<(Id, Vec<u8>)>,
) -> Result<(), RecordError> {
    event.redactions = taken.counts().into();
    for (class, bytes) in taken.splits() {
        let content = NewContent::Sealed { media_type: MediaType::Json, class, bytes: bytes.into() };
        let payload = NewPayload { id: None, role: PayloadRole::Split, content };
        event.payloads.push(refer(system, steps, event.id, payload, sealed)?);
    }
    for (media_type, bytes) in taken.shared() {
        let stored = system.inner.shared.put(media_type, &bytes);
        let reference = match stored {
            Some(shared) => {
                let payload = system.inner.minter.id()?;
                Reference { payload, role: PayloadRole::Split, content: Content::Shared(shared) }
            }
            None => {
                let content = NewContent::personal(media_type, bytes);
                let payload = NewPayload { id: None, role: PayloadRole::Split, content };
                refer(system, steps, event.id, payload, sealed)?
            }
        };
        event.payloads.push(reference);
    }
    Ok(())
}

fn refer(
    system: &System,
    steps: &Steps,
    event: Id,
    payload: NewPayload,
    sealed: &mut Vec<(Id, Vec<u8>)>,
) -> Result<Reference, RecordError> {
    let inner = &system.inner;
    let NewPayload { id, role, content } = payload;
    let id = id.map_or_else(|| inner.minter.id(), Ok)?;
    let absent = |why: Why| Reference::not_captured(id, role, why.into());
    match content {
        NewContent::Absent(why) => Ok(absent(why)),
        NewContent::Again(first) => {
            // What this very event holds under the role comes before what an earlier one does.
            let mut held = steps.seen.iter().filter(|(role, ..)| *role == first);
            let found = held.clone().find(|(.., holder)| *holder == event).or_else(|| held.next());
            Ok(found.map_or_else(
                || absent(Why::NotProvided),
                |(_, reference, event)| reference.again(role, *event),
            ))
        }
        NewContent::Sealed { media_type, class, bytes } => {
            let context = SealContext {
                origin: &system.state.log.identity().origin,
                event,
                role: role.as_str(),
                payload: id,
            };
            let Some((key_id, done)) = steps.keys.seal(&context, &bytes)? else {
                return Ok(erased(inner, steps, id, role));
            };
            let content = Content::Sealed(Sealed {
                class,
                media_type,
                encoding: done.encoding,
                size: done.size,
                key_id,
                commitment: done.commitment,
                sealed: done.sealed,
            });
            sealed.push((id, done.bytes));
            Ok(Reference { payload: id, role, content })
        }
    }
}

/// The reference to content that came after the keys it would need were destroyed.
fn erased(inner: &Inner, steps: &Steps, payload: Id, role: PayloadRole) -> Reference {
    match steps.keys.order(inner) {
        Some(order) => Reference::erased(payload, role, order),
        None => Reference::not_captured(payload, role, Why::Unknown.into()),
    }
}
