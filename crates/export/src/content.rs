//! Content that events speak of: where it was born, whether it can be opened, and what it is.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_audit::fate::DecisionFacts;
use inferlog_audit::{Openings, SharedContent, Unopened};
use inferlog_record::{
    Content, Event, Id, MediaType, PayloadRole, Pseudonym, Reference, RetentionClass, Sealed, Shared,
    Timestamp,
};
use inferlog_vault::{SealContext, open_payload};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::source::{ReadEntry, Source};
use crate::survey::{Removed, Taken};
use crate::text::one_line;

/// A sealed payload as it was born.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    /// Number of the log.
    pub(crate) log: usize,
    pub(crate) index: u64,
    /// Of the entry's first event, as is the time: by them the pack is found.
    pub(crate) class: RetentionClass,
    logged_at: Timestamp,
    event: Id,
    role: PayloadRole,
    pub(crate) sealed: Sealed,
    /// Whom its event is about.
    pub(crate) subjects: BTreeSet<Pseudonym>,
    /// What its entry says of the decision.
    pub(crate) facts: DecisionFacts,
}

impl Birth {
    /// The birth of a payload, if this is the event that recorded it.
    pub(crate) fn of(
        (log, index): (usize, u64),
        entry: &ReadEntry<'_>,
        event: &Event,
        reference: &Reference,
    ) -> Option<Self> {
        let Content::Sealed(sealed) = reference.content else { return None };
        let first = &entry.events.first()?.event;
        let mut facts = DecisionFacts { decision: entry.decision, events: Vec::new() };
        entry.events.iter().for_each(|told| facts.take(&told.event));
        Some(Self {
            log,
            index,
            class: first.retention.clone(),
            logged_at: first.logged_at,
            event: event.id,
            role: reference.role,
            sealed,
            subjects: event.subjects.iter().copied().collect(),
            facts,
        })
    }
}

/// Why content is not given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct NotOpened {
    /// `redacted`, `erased`, `purged`, `not_captured` as the record says, or a later erasure or purge; `missing` if it is nowhere and
    /// no event says why; `sealed` if nobody asked for content; `shared` if it
    /// stands in the registry; `elsewhere` if an event that was not read recorded it; `unreadable` if opening failed.
    pub(crate) state: &'static str,
    /// Why.
    pub(crate) why: String,
}

impl NotOpened {
    fn new(state: &'static str, why: impl ToString) -> Self {
        Self { state, why: why.to_string() }
    }
}

/// Opened content.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: MediaType,
}

/// Opens payloads.
pub(crate) struct Opener<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) removed: Removed,
    /// Content that is shared.
    pub(crate) shared: &'a SharedContent,
    /// Whoever gives openings; without, everything stays sealed.
    pub(crate) openings: Option<&'a dyn Openings>,
    /// The most content of one payload, bytes.
    pub(crate) content_bytes_max: usize,
}

impl Opener<'_> {
    /// The content of a reference; `birth` is where it was recorded, if that was read.
    pub(crate) fn open(&self, reference: &Reference, birth: Option<&Birth>) -> Result<Opened, NotOpened> {
        match &reference.content {
            Content::Absent(absent) => Err(NotOpened::new(absent.state.as_str(), absent.reason)),
            Content::Shared(shared) => self.read_shared(shared),
            Content::First(_, state) if *state != inferlog_record::State::Present => {
                Err(NotOpened::new(state.as_str(), "as the event says that first recorded it"))
            }
            Content::First(first, _) if birth.is_none() => Err(NotOpened::new(
                "elsewhere",
                format!("recorded by event {first}, outside of what was read"),
            )),
            Content::First(..) | Content::Sealed(_) => match birth {
                Some(birth) => self.reveal(reference.payload, birth),
                None => Err(NotOpened::new("unreadable", "no entry bears it")),
            },
        }
    }

    /// Content that stands in clear among the objects of the registry, by its digest.
    fn read_shared(&self, shared: &Shared) -> Result<Opened, NotOpened> {
        if self.openings.is_none() {
            return Err(NotOpened::new("shared", format!("sha256:{}", shared.sha256)));
        }
        if usize::try_from(shared.size).map_or(true, |size| size > self.content_bytes_max) {
            let why =
                format!("its {} bytes are more than the {} asked for", shared.size, self.content_bytes_max);
            return Err(NotOpened::new("unreadable", why));
        }
        match self.shared.read(shared) {
            Ok(bytes) => Ok(Opened { bytes, media_type: shared.media_type }),
            Err(why) => Err(NotOpened::new("unreadable", why)),
        }
    }

    fn reveal(&self, payload: Id, birth: &Birth) -> Result<Opened, NotOpened> {
        match self.removed.of_payload(birth) {
            Some(Taken::Erased(event)) => {
                return Err(NotOpened::new("erased", format!("erased_by_order:{event}")));
            }
            Some(Taken::Purged(event)) => {
                return Err(NotOpened::new("purged", format!("purged_by_policy:{event}")));
            }
            None => {}
        }
        let Some(openings) = self.openings else {
            return Err(NotOpened::new("sealed", "content was not asked for"));
        };
        let unreadable = |error: &dyn std::fmt::Display| NotOpened::new("unreadable", error);
        let source = &self.sources[birth.log];
        let sealed = source.reader.payload(
            birth.class.as_str(),
            birth.logged_at.nanos(),
            birth.index,
            payload.into_bytes(),
        );
        let sealed = sealed.map_err(|error| unreadable(&error))?.ok_or_else(|| {
            NotOpened::new(
                "missing",
                "no pack holds it, though no event says that it is gone: run `inferlog verify`",
            )
        })?;
        let key = openings.data_key(birth.sealed.key_id, payload).map_err(|error| match error {
            Unopened::Erased => NotOpened::new("erased", Unopened::Erased),
            Unopened::Other(why) => NotOpened::new("unreadable", why),
        })?;
        let context =
            SealContext { origin: &source.origin, event: birth.event, role: birth.role.as_str(), payload };
        let Sealed { encoding, commitment, media_type, .. } = birth.sealed;
        open_payload(&key, &context, &sealed, encoding, &commitment, self.content_bytes_max)
            .map(|bytes| Opened { bytes, media_type })
            .map_err(|error| unreadable(&error))
    }
}

/// Content in the most readable form that keeps every byte, as `inferlog show --json` gives it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Readable {
    /// JSON, on one line.
    Json(Box<RawValue>),
    /// Text in UTF-8.
    Text(String),
    /// Any bytes.
    Base64(String),
}

impl Opened {
    /// Every byte is kept: JSON that stands on several lines is text.
    pub(crate) fn exact(self) -> Readable {
        match self.raw_json() {
            Some(json) if json.get().as_bytes() == self.bytes => Readable::Json(json),
            _ => self.readable_text(),
        }
    }

    /// JSON stays JSON, with its line ends as spaces.
    pub(crate) fn readable(self) -> Readable {
        match self.raw_json() {
            Some(json) => Readable::Json(json),
            None => self.readable_text(),
        }
    }

    fn raw_json(&self) -> Option<Box<RawValue>> {
        if self.media_type != MediaType::Json {
            return None;
        }
        let json = one_line(std::str::from_utf8(&self.bytes).ok()?)?;
        RawValue::from_string(json.into_owned()).ok()
    }

    fn readable_text(self) -> Readable {
        let (form, text) = self.text();
        if form == "base64" { Readable::Base64(text) } else { Readable::Text(text) }
    }

    /// The form, `text` or `base64`, and the content in it.
    pub(crate) fn text(self) -> (&'static str, String) {
        match String::from_utf8(self.bytes) {
            Ok(text) => ("text", text),
            Err(error) => ("base64", STANDARD.encode(error.as_bytes())),
        }
    }
}
