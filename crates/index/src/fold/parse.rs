//! An entry as the index reads it: every member as it stands, those it knows parsed. Kinds and members that this version does not
//! know are rows too.

use std::borrow::Cow;
use std::fmt;

use inferlog_record::{Count, Digest, ENTRY_VERSION, Id, KeyId, Pseudonym, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::body::{Name, Text};

/// One entry.
pub(super) struct EntryJson<'a> {
    pub(super) decision: Option<Id>,
    pub(super) events: Vec<EventJson<'a>>,
    /// Which part of its write it is, from 1.
    pub(super) part: u32,
}

/// One event.
pub(super) struct EventJson<'a> {
    pub(super) id: Id,
    pub(super) kind: Cow<'a, str>,
    pub(super) logged_ns: i64,
    pub(super) started_ns: Option<i64>,
    pub(super) ended_ns: Option<i64>,
    pub(super) session: Option<Id>,
    pub(super) system: Cow<'a, str>,
    pub(super) subjects: Vec<Pseudonym>,
    /// `None` of the rest of an event that an earlier part of its write began.
    pub(super) body: Option<&'a str>,
    pub(super) payloads: Vec<RefJson<'a>>,
    /// What many events share, as canonical JSON.
    pub(super) common: String,
    /// The other members, without `payloads`.
    pub(super) rest: String,
}

#[derive(Deserialize)]
struct EntryWire<'a> {
    decision: Option<Id>,
    #[serde(borrow)]
    events: Vec<Members<'a>>,
    part: Option<u32>,
    v: u32,
}

/// A payload reference, whose words may be those of a later version.
#[derive(Deserialize)]
pub(super) struct RefJson<'a> {
    #[serde(borrow)]
    pub(super) class: Name<'a>,
    pub(super) commitment: Option<Digest>,
    #[serde(borrow)]
    pub(super) encoding: Name<'a>,
    pub(super) first: Option<Id>,
    pub(super) key_id: Option<KeyId>,
    #[serde(borrow)]
    pub(super) media_type: Name<'a>,
    pub(super) payload: Id,
    #[serde(borrow)]
    pub(super) reason: Name<'a>,
    #[serde(borrow)]
    pub(super) role: Text<'a>,
    pub(super) sealed: Option<Digest>,
    pub(super) sha256: Option<Digest>,
    pub(super) size: Option<Count>,
    #[serde(borrow)]
    pub(super) state: Text<'a>,
}

/// The members of an object, as they stand and in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Text(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'a> EntryJson<'a> {
    /// Reads an entry; refuses what is not one.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let wire: EntryWire<'a> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if wire.v != ENTRY_VERSION {
            return Err(format!("version {} of the format; this program knows {ENTRY_VERSION}", wire.v));
        }
        let events = wire.events.into_iter().map(EventJson::parse).collect::<Result<_, _>>()?;
        Ok(Self { decision: wire.decision, events, part: wire.part.unwrap_or(1) })
    }
}

impl<'a> EventJson<'a> {
    fn parse(members: Members<'a>) -> Result<Self, String> {
        let (mut common, mut rest) = (Object::new(), Object::new());
        let (mut id, mut kind, mut logged, mut system) = (None, None, None, None);
        let (mut started_ns, mut ended_ns, mut session, mut body) = (None, None, None, None);
        let (mut subjects, mut payloads) = (Vec::new(), Vec::new());
        for (name, value) in &members.0 {
            match &**name {
                "id" => id = Some(read(name, value)?),
                "logged_at" => logged = Some(time(name, value)?),
                "started_at" => started_ns = Some(time(name, value)?),
                "ended_at" => ended_ns = Some(time(name, value)?),
                "payloads" => payloads = read(name, value)?,
                "capture" | "clock" | "kind" | "purposes" | "retention" | "role" | "sampling" | "system" => {
                    match &**name {
                        "kind" => kind = Some(text(name, value)?),
                        "system" => system = Some(text(name, value)?),
                        _ => {}
                    }
                    common.push(name, value);
                }
                other => {
                    match other {
                        "body" => body = Some(value.get()),
                        "session" => session = Some(read(name, value)?),
                        "subjects" => subjects = read(name, value)?,
                        _ => {}
                    }
                    rest.push(name, value);
                }
            }
        }
        let lacks = |name: &str| format!("an event lacks {name}");
        Ok(Self {
            id: id.ok_or_else(|| lacks("id"))?,
            kind: kind.ok_or_else(|| lacks("kind"))?,
            logged_ns: logged.ok_or_else(|| lacks("logged_at"))?,
            system: system.ok_or_else(|| lacks("system"))?,
            started_ns,
            ended_ns,
            session,
            subjects,
            body,
            payloads,
            common: common.end(),
            rest: rest.end(),
        })
    }
}

/// Members as they stand, put together again: canonical, for they come in their order.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn push(&mut self, name: &str, value: &RawValue) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.reserve(name.len() + value.get().len() + 5);
        match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            true => {
                self.0.push('"');
                self.0.push_str(name);
                self.0.push('"');
            }
            false => self.0.push_str(&serde_json::Value::from(name).to_string()),
        }
        self.0.push(':');
        self.0.push_str(value.get());
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(value.get()).map_err(|error| format!("{name}: {error}"))
}

fn text<'a>(name: &str, value: &'a RawValue) -> Result<Cow<'a, str>, String> {
    read::<Text<'a>>(name, value).map(|text| text.0)
}

/// Nanoseconds since 1970. What lies beyond the year 2262 becomes the last moment that fits.
fn time(name: &str, value: &RawValue) -> Result<i64, String> {
    let time: Timestamp = read(name, value)?;
    Ok(i64::try_from(time.nanos()).unwrap_or(i64::MAX))
}
