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
pub(crate) struct EntryJson<'a> {
    pub(crate) decision: Option<Id>,
    pub(crate) events: Vec<EventJson<'a>>,
    /// Which part of its write it is, from 1.
    pub(crate) part: u32,
}

/// One event.
pub(crate) struct EventJson<'a> {
    pub(crate) id: Id,
    pub(crate) kind: Cow<'a, str>,
    pub(crate) logged_ns: i64,
    pub(crate) started_ns: Option<i64>,
    pub(crate) ended_ns: Option<i64>,
    pub(crate) session: Option<Id>,
    pub(crate) retention: Cow<'a, str>,
    pub(crate) system: Cow<'a, str>,
    pub(crate) subjects: Vec<Pseudonym>,
    /// `None` of the rest of an event that an earlier part of its write began.
    pub(crate) body: Option<&'a str>,
    pub(crate) payloads: Vec<RefJson<'a>>,
    /// What many events share, as canonical JSON.
    pub(crate) common: String,
    /// The other members, without `payloads`.
    pub(crate) rest: String,
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
pub(crate) struct RefJson<'a> {
    #[serde(borrow)]
    pub(crate) class: Name<'a>,
    pub(crate) commitment: Option<Digest>,
    #[serde(borrow)]
    pub(crate) encoding: Name<'a>,
    pub(crate) first: Option<Id>,
    pub(crate) key_id: Option<KeyId>,
    #[serde(borrow)]
    pub(crate) media_type: Name<'a>,
    pub(crate) payload: Id,
    #[serde(borrow)]
    pub(crate) reason: Name<'a>,
    #[serde(borrow)]
    pub(crate) role: Text<'a>,
    pub(crate) sealed: Option<Digest>,
    pub(crate) sha256: Option<Digest>,
    pub(crate) size: Option<Count>,
    #[serde(borrow)]
    pub(crate) state: Text<'a>,
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
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
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
        let (mut id, mut kind, mut logged, mut system, mut retention) = (None, None, None, None, None);
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
                        "retention" => retention = Some(text(name, value)?),
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
            retention: retention.ok_or_else(|| lacks("retention"))?,
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
