//! A batch of events as it is posted: one event, an array of them, or an object with `events`.

use super::fields::{Fields, plain};
use super::session::{self, SessionSaid};
use super::{ApiError, BATCH_BYTES_MAX, BATCH_EVENTS_MAX, CALLER_ID_BYTES_MAX, kinds};
use crate::recorder::{NewEvent, RecordError};
use inferlog_record::{Id, SystemName};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// An event that is to be added to a decision.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) decision: Id,
    pub(super) system: Option<SystemName>,
    /// Its caller's own id.
    pub(super) key: Option<String>,
    /// SHA-256 of what the caller says, however it is spaced and ordered.
    pub(super) said: [u8; 32],
    pub(super) event: NewEvent,
}

/// What is posted at once.
#[derive(Debug)]
pub(super) enum Batch {
    /// What is added to decisions.
    Events(Vec<Given>),
    /// That a period of use began or ended.
    Session(SessionSaid),
}

/// What is said once for all events of a batch.
#[derive(Default)]
struct Common {
    decision: Option<Id>,
    system: Option<SystemName>,
}

/// Makes ids of payloads.
pub(super) type Mint<'a> = &'a dyn Fn() -> Result<Id, RecordError>;

/// Reads a batch. Nothing is taken of one that is wrong anywhere.
pub(super) fn read(body: &[u8], mint: Mint<'_>) -> Result<Batch, ApiError> {
    if body.len() > BATCH_BYTES_MAX {
        return Err(ApiError::too_large(format!("send at most {BATCH_BYTES_MAX} bytes at once")));
    }
    let text = std::str::from_utf8(body).map_err(|_| ApiError::malformed("the body is not UTF-8"))?;
    let raw: &RawValue =
        serde_json::from_str(text.trim()).map_err(|error| ApiError::malformed(plain(&error)))?;
    let mut common = Common::default();
    let events: Vec<(String, &RawValue)> = match raw.get().as_bytes().first() {
        Some(b'[') => {
            numbered(serde_json::from_str(raw.get()).map_err(|error| ApiError::malformed(plain(&error)))?)
        }
        Some(b'{') => {
            let mut batch = Fields::read(raw, "the batch")?;
            match batch.raw("events") {
                None => vec![("the event".to_owned(), raw)],
                Some(events) => {
                    let events = serde_json::from_str(events.get());
                    let events = events.map_err(|_| batch.wrong("events", "write an array of events"))?;
                    common = Common { decision: batch.word("decision")?, system: batch.word("system")? };
                    batch.end()?;
                    numbered(events)
                }
            }
        }
        _ => {
            return Err(ApiError::malformed(
                "write an event, an array of events, or an object with `events`",
            ));
        }
    };
    if events.len() > BATCH_EVENTS_MAX {
        return Err(ApiError::too_large(format!("send at most {BATCH_EVENTS_MAX} events at once")));
    }
    if events.is_empty() {
        return Err(ApiError::malformed("there is no event in it"));
    }
    if let [(at, raw)] = &events[..]
        && let Some(said) = session::read(raw, at, common.system.clone())?
    {
        return Ok(Batch::Session(said));
    }
    let events = events.into_iter().map(|(at, raw)| event(raw, at, &common, mint));
    Ok(Batch::Events(events.collect::<Result<_, _>>()?))
}

fn numbered(events: Vec<&RawValue>) -> Vec<(String, &RawValue)> {
    events.into_iter().enumerate().map(|(at, raw)| (format!("events[{at}]"), raw)).collect()
}

fn event(raw: &RawValue, at: String, common: &Common, mint: Mint<'_>) -> Result<Given, ApiError> {
    let mut fields = Fields::read(raw, at)?;
    let kind = fields.text("kind")?;
    if kind.as_deref().is_some_and(session::is_kind) {
        return Err(fields.wrong("kind", "is of a session: send it by itself"));
    }
    let Some(decision) = fields.word("decision")?.or(common.decision) else {
        return Err(fields.wrong("decision", "is missing: give the `inferlog-decision-id` of the answer"));
    };
    let system = fields.word("system")?.or_else(|| common.system.clone());
    let key = fields.text("id")?;
    if key.as_ref().is_some_and(|key| key.len() > CALLER_ID_BYTES_MAX) {
        return Err(fields.wrong("id", format_args!("write at most {CALLER_ID_BYTES_MAX} bytes")));
    }
    let said = match key {
        Some(_) => fingerprint(raw),
        None => [0; 32],
    };
    let event = kinds::read(kind.as_deref(), fields, mint)?;
    Ok(Given { decision, system, key, said, event })
}

/// The same for the same members and values, whether the decision is named here or for the whole batch.
fn fingerprint(raw: &RawValue) -> [u8; 32] {
    let said = match serde_json::from_str(raw.get()) {
        Ok(Value::Object(mut members)) => {
            members.retain(|name, _| !matches!(name.as_str(), "decision" | "system"));
            // Maps of serde_json are sorted.
            Value::Object(members).to_string()
        }
        // Nested too deep to be a value: as it stands.
        _ => raw.get().to_owned(),
    };
    Sha256::digest(said.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the documentation shows, and what a few wrong bytes make of it.
    #[test]
    fn whatever_comes_is_read_or_refused() {
        let page = include_str!("../../../../docs/events.md");
        let examples: Vec<&str> =
            page.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        let mint = || Ok(Id::new(1, &[1; 10]));
        let (mut rng, mut taken) = (fastrand::Rng::with_seed(1), 0);
        for example in &examples {
            for _ in 0..2_000 {
                let mut bytes = example.as_bytes().to_vec();
                for _ in 0..rng.usize(0..4) {
                    let at = rng.usize(..bytes.len());
                    bytes[at] = *rng.choice(b"{}[]\":,0e-\\n\xff").unwrap_or(&b' ');
                }
                let whole = [
                    &b"{\"decision\":\"0199a3f2-7c1e-7d3a-9f64-2f1f0c5e8a11\",\"events\":["[..],
                    &bytes,
                    b"]}",
                ]
                .concat();
                taken += usize::from(read(&whole, &mint).is_ok());
                if let Err(error) = read(&bytes, &mint) {
                    assert!(!error.message.contains("Lovelace") && error.message.len() < 1_000, "{error}");
                }
            }
        }
        assert!(examples.len() > 10 && taken > 1_000, "{taken}");
    }

    #[test]
    fn what_is_said_is_the_same_however_it_is_written() {
        let print = |text: &str| fingerprint(serde_json::from_str(text).unwrap());
        let one = print(r#"{"id":"a","kind":"label","value":{"b":1,"a":[1.50]}}"#);
        assert_eq!(one, print(r#"{ "value":{"a":[1.5],"b":1}, "kind":"label", "id":"a", "decision":"x" }"#));
        assert_ne!(one, print(r#"{"id":"a","kind":"label","value":{"b":2,"a":[1.5]}}"#));
        let deep = |number| format!("{}{number}{}", "[".repeat(200), "]".repeat(200));
        assert_ne!(print(&deep(1)), print(&deep(2)));
    }
}
