//! Payloads opened one by one, where an index says that they stand.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_disk::Fs;
use inferlog_record::{Content, Entry, Id, MediaType, Shared};

use inferlog_vault::{SealContext, open_payload};
use serde_json::value::RawValue;

use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;
use crate::story::{Openings, PayloadContent, SharedContent};

/// A payload that is to be opened, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPayload {
    /// Its id.
    pub payload: Id,
    /// The origin of its log.
    pub origin: String,
    /// Indices of entries that may hold it.
    pub indices: Vec<u64>,
}

/// Opens payloads, each held against the commitment in its entry: content or why there is none, in the order in which they are
/// wanted. `bytes_max` bounds all of them together; what comes beyond is not opened.
///
/// # Errors
/// Damage that keeps the logs from being opened.
pub fn open_payloads(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    wanted: &[WantedPayload],
    openings: &dyn Openings,
    bytes_max: usize,
) -> Result<Vec<Result<PayloadContent, String>>> {
    let logs = OpenLog::all(fs, dir, &Select::default(), &[])?;
    let logs: HashMap<&str, &OpenLog> = logs.iter().map(|log| (log.origin.as_str(), log)).collect();
    let shared = SharedContent::new(fs, dir);
    let (mut left, mut opened) = (bytes_max, Vec::with_capacity(wanted.len()));
    for wanted in wanted {
        let content = match logs.get(wanted.origin.as_str()) {
            Some(log) => open((log, &shared), wanted, openings, left),
            None => Err(format!("its log {} is not in this data directory", wanted.origin)),
        };
        if let Ok((_, size)) = &content {
            left = left.saturating_sub(*size);
        }
        opened.push(content.map(|(content, _)| content));
    }
    Ok(opened)
}

fn open(
    (log, store): (&OpenLog, &SharedContent),
    wanted: &WantedPayload,
    openings: &dyn Openings,
    left: usize,
) -> Result<(PayloadContent, usize), String> {
    for index in &wanted.indices {
        let bytes = log.reader.entry(*index, log.size()).map_err(|error| error.to_string())?;
        let entry = Entry::from_bytes(&bytes).map_err(|error| error.to_string())?;
        let Some(first) = entry.events.first() else { continue };
        let (class, logged_at_ns) = (first.retention.to_string(), first.logged_at.nanos());
        for event in &entry.events {
            let mut references = event.payloads.iter();
            let Some(reference) = references.find(|reference| reference.payload == wanted.payload) else {
                continue;
            };
            let sealed = match &reference.content {
                Content::Sealed(sealed) => sealed,
                Content::Shared(shared) => return read_shared(store, shared, left),
                _ => return Err("its event holds no content of it".to_owned()),
            };
            if usize::try_from(sealed.size).is_ok_and(|size| size > left) {
                return Err("beyond what is opened at once: ask for fewer rows".to_owned());
            }
            let payload = wanted.payload;
            let bytes = log.reader.payload(&class, logged_at_ns, *index, payload.into_bytes());
            let bytes = bytes
                .map_err(|error| error.to_string())?
                .ok_or("no pack holds it: it was removed, or `inferlog verify` says what is wrong")?;
            let key = openings.data_key(sealed.key_id, payload).map_err(|error| error.to_string())?;
            let context =
                SealContext { origin: &log.origin, event: event.id, role: reference.role.as_str(), payload };
            let content = open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, left)
                .map_err(|error| error.to_string())?;
            let size = content.len();
            return Ok((PayloadContent::of(content, sealed.media_type), size));
        }
    }
    Err("the entry that the index names does not hold it: rebuild the index".to_owned())
}

fn read_shared(
    store: &SharedContent,
    shared: &Shared,
    left: usize,
) -> Result<(PayloadContent, usize), String> {
    if usize::try_from(shared.size).map_or(true, |size| size > left) {
        return Err("beyond what is opened at once: ask for fewer rows".to_owned());
    }
    let content = store.read(shared)?;
    let size = content.len();
    Ok((PayloadContent::of(content, shared.media_type), size))
}

impl PayloadContent {
    /// The most readable form that keeps every byte.
    pub(crate) fn of(content: Vec<u8>, media_type: MediaType) -> Self {
        let text = match String::from_utf8(content) {
            Ok(text) => text,
            Err(error) => return Self::Base64(STANDARD.encode(error.as_bytes())),
        };
        if media_type == MediaType::Json
            && let Ok(json) = serde_json::from_str::<Box<RawValue>>(&text)
            && json.get() == text
        {
            return Self::Json(json);
        }
        Self::Text(text)
    }
}
