//! The second pass: payloads opened for identifiers and content. It needs the vault, lags behind the events, and is never in their
//! way: payloads are opened before the transaction begins, and a batch ends when its time is over.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_log::packs::{OpenPacks, day_name};
use inferlog_log::{LogIdentity, ReadError};
use inferlog_record::{Id, PayloadRole};
use inferlog_vault::{SealContext, Vault, VaultError, open_payload};
use serde_json::Value;

use super::Follower;
use super::ahead::class_term;
use super::source::Source;
use crate::engine::{Engine, Position};
use crate::error::{IndexError, Result};
use crate::fold::parse::{EntryJson, EventJson, RefJson};
use crate::rows::{ClearContent, EventNo, Identifier, KeyNo, Shared};

/// The longest that one batch opens payloads, milliseconds.
const BATCH_MS: u64 = 200;
/// The most entries of one batch.
const BATCH_ENTRIES: u64 = 4_096;
/// The most content in clear of one batch, bytes.
const BATCH_BYTES: usize = 32 << 20;
/// Content longer than this stays a reference, bytes.
pub(super) const CLEAR_CONTENT_BYTES_MAX: usize = 8 << 20;

/// What was opened.
#[derive(Default)]
struct Opened {
    identifiers: Vec<(Born, [u8; 16])>,
    contents: Vec<(Born, Id, String)>,
    /// Retention classes, each once.
    classes: Vec<String>,
    content_bytes: usize,
}

/// Where a payload was born.
#[derive(Clone, Copy)]
struct Born {
    decision: Id,
    event: EventNo,
    /// Its class's place among those that were seen.
    class: usize,
    key: KeyNo,
}

impl Opened {
    fn class(&mut self, class: &str) -> usize {
        let known = self.classes.iter().position(|known| known == class);
        known.unwrap_or_else(|| {
            self.classes.push(class.to_owned());
            self.classes.len() - 1
        })
    }
}

/// How opening one entry's payloads ended.
enum Looked {
    Done,
    /// A key's birth is not in this vault's pages yet.
    TooEarly,
}

impl<E: Engine> Follower<E> {
    /// Looks at payloads of one log by one transaction. True if nothing is left to look at for now.
    pub(super) fn identify(&mut self, at: usize) -> Result<bool> {
        let (Some(source), Some(vault)) = (self.sources.get_mut(at), self.options.vault.clone()) else {
            return Ok(true);
        };
        let Position { identified: from, next, .. } = source.position;
        if from >= next.min(source.size) {
            return Ok(true);
        }
        let roles =
            self.options.clear_content.iter().find(|(system, _)| system.as_str() == source.name.system);
        let clear = roles.map_or(&[][..], |(_, roles)| roles);
        let end = next.min(source.size);
        let (to, opened) = match source.read(from, end, (BATCH_ENTRIES, BATCH_BYTES)) {
            Ok(read) => {
                let looker = Looker::new(source, &vault, clear);
                looker.look(&read.entries(&source.name.origin)?, read.range.clone())?
            }
            // Its events were skipped, or it was damaged since: `verify` tells which.
            Err(IndexError::Read { source: ReadError::Malformed(_), .. }) => {
                (Source::after_bundle(from).min(end), Opened::default())
            }
            Err(error) => return Err(error),
        };
        if to == from {
            return Ok(true);
        }
        let position = self.engine.begin(&source.name)?;
        if position.identified != from {
            // Another follower was faster, or the store is a new one.
            self.engine.rollback()?;
            source.position = position;
            return Ok(false);
        }
        let written = write(&mut self.engine, &opened, Position { identified: to, ..position });
        if written.is_err() {
            self.engine.rollback()?;
        }
        source.position = written?;
        let position = source.position;
        self.status.log(&source.name, |log| log.at(position));
        Ok(to >= position.next)
    }
}

fn write<E: Engine>(engine: &mut E, opened: &Opened, position: Position) -> Result<Position> {
    let (identifiers, contents) = (opened.identifiers.iter(), opened.contents.iter());
    let mut decisions: Vec<Id> =
        identifiers.map(|row| row.0.decision).chain(contents.map(|row| row.0.decision)).collect();
    decisions.sort_unstable();
    decisions.dedup();
    let numbers: HashMap<Id, EventNo> =
        engine.load(&decisions)?.into_iter().map(|(id, row)| (id, row.no)).collect();
    let classes: Vec<Shared> = opened.classes.iter().map(|class| class_term(class)).collect();
    let classes = engine.intern(&classes)?;
    // Entries that were skipped may leave a decision out.
    let identifiers = opened.identifiers.iter().filter_map(|(born, digest)| {
        let Born { event, class, key, .. } = *born;
        let decision = *numbers.get(&born.decision)?;
        Some(Identifier { event, digest: *digest, decision, class: *classes.get(class)?, key })
    });
    let mut identifiers: Vec<Identifier> = identifiers.collect();
    identifiers.sort_unstable();
    identifiers.dedup();
    let contents = opened.contents.iter().filter_map(|(born, payload, content)| {
        let Born { event, class, key, .. } = *born;
        let (payload, decision, content) = (*payload, *numbers.get(&born.decision)?, content.clone());
        Some(ClearContent { payload, decision, event, class: *classes.get(class)?, key, content })
    });
    let mut contents: Vec<ClearContent> = contents.collect();
    contents.sort_unstable_by_key(|row| row.payload);
    engine.identify(&identifiers, &contents)?;
    engine.commit(position)?;
    Ok(position)
}

/// Opens the payloads of a batch.
struct Looker<'a> {
    source: &'a Source,
    vault: &'a Vault,
    /// Roles whose content may be in clear.
    clear: &'a [PayloadRole],
    /// Births of entries below this are in the vault's pages.
    absorbed: u64,
}

impl<'a> Looker<'a> {
    fn new(source: &'a Source, vault: &'a Vault, clear: &'a [PayloadRole]) -> Self {
        let identity = LogIdentity::load(&**source.reader.fs(), source.reader.dir());
        let absorbed = identity.ok().and_then(|log| vault.absorbed().get(&log.id().0).copied());
        Self { source, vault, clear, absorbed: absorbed.unwrap_or(0) }
    }

    /// Looks at entries of a range until the time is over. Returns the first that was not looked at; what is not among them is pruned.
    fn look(&self, entries: &[(u64, &[u8])], range: Range<u64>) -> Result<(u64, Opened)> {
        let until = Instant::now() + Duration::from_millis(BATCH_MS);
        let (mut opened, mut packs) = (Opened::default(), OpenPacks::default());
        for (index, bytes) in entries {
            // An entry that does not parse was skipped with its events.
            if let Ok(entry) = EntryJson::parse(bytes)
                && let Looked::TooEarly = self.entry(*index, &entry, &mut packs, &mut opened)?
            {
                return Ok((*index, opened));
            }
            if Instant::now() > until || opened.content_bytes > BATCH_BYTES {
                return Ok((index + 1, opened));
            }
        }
        Ok((range.end, opened))
    }

    fn entry(
        &self,
        index: u64,
        entry: &EntryJson<'_>,
        packs: &mut OpenPacks,
        opened: &mut Opened,
    ) -> Result<Looked> {
        let (Some(decision), Some(first)) = (entry.decision, entry.events.first()) else {
            return Ok(Looked::Done);
        };
        let (retention, day) = (&*first.retention, day_name(first.logged_ns.unsigned_abs()));
        let Position { log, keystore, .. } = self.source.position;
        for (place, event) in entry.events.iter().enumerate() {
            let Some(event_no) = EventNo::new(log, index, place) else { continue };
            for reference in event.payloads.iter().filter(|reference| self.wants(reference)) {
                let Some(key_id) = reference.key_id else { continue };
                let data_key = match self.vault.data_key(key_id, reference.payload) {
                    Ok(key) => key,
                    Err(VaultError::NoSuchKey(_)) if index >= self.absorbed => return Ok(Looked::TooEarly),
                    // What is erased stays out. What is lost, or is none, `verify` tells.
                    Err(VaultError::Erased | VaultError::NoSuchKey(_) | VaultError::WrongKind(_)) => continue,
                    Err(error) => return Err(error.into()),
                };
                let (fs, dir) = (&**self.source.reader.fs(), self.source.reader.dir());
                let sealed = packs.find(fs, dir, (retention, &day), index, reference.payload.into_bytes());
                // Purged, or damaged: `verify` tells which.
                let Ok(Some(sealed)) = sealed else { continue };
                let Some(content) = self.open(event, reference, &data_key, &sealed) else { continue };
                let (class, key) = (opened.class(retention), KeyNo::new(keystore, key_id));
                let born = Born { decision, event: event_no, class, key };
                if reference.role.0 == "external_ids" {
                    self.identifiers(born, &content, opened);
                } else {
                    let content = clear(
                        content,
                        reference.media_type.as_ref().is_some_and(|r#type| r#type.0 == "application/json"),
                    );
                    opened.content_bytes += content.len();
                    opened.contents.push((born, reference.payload, content));
                }
            }
        }
        Ok(Looked::Done)
    }

    /// Ids that others have; and what may be in clear.
    fn wants(&self, reference: &RefJson<'_>) -> bool {
        let is_born_here =
            reference.state.0 == "present" && reference.first.is_none() && reference.sealed.is_some();
        let is_clear = self.clear.iter().any(|role| role.as_str() == reference.role.0);
        is_born_here && (is_clear || reference.role.0 == "external_ids")
    }

    fn open(
        &self,
        event: &EventJson<'_>,
        reference: &RefJson<'_>,
        key: &inferlog_vault::DataKey,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let context = SealContext {
            origin: &self.source.name.origin,
            event: event.id,
            role: &reference.role.0,
            payload: reference.payload,
        };
        let encoding = reference.encoding.as_ref()?.0.parse().ok()?;
        let commitment = reference.commitment?;
        open_payload(key, &context, sealed, encoding, &commitment, CLEAR_CONTENT_BYTES_MAX).ok()
    }

    /// Digests of every id in `{"name": "id" or ["id", …], …}`: under its name, and under any.
    fn identifiers(&self, born: Born, content: &[u8], opened: &mut Opened) {
        let Ok(Value::Object(ids)) = serde_json::from_slice(content) else { return };
        for (name, value) in &ids {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                for kind in [Some(name.as_str()), None] {
                    opened.identifiers.push((born, self.vault.index_digest(kind, text.as_bytes())));
                }
            }
        }
    }
}

/// Content as JSON that both engines take: itself if it is JSON, a string if it is text, else in base64. PostgreSQL refuses
/// `\u0000`, halves of surrogate pairs and numbers without bound: such content stands in base64 too.
fn clear(content: Vec<u8>, is_json: bool) -> String {
    let base64 = |content: &[u8]| serde_json::json!({"base64": STANDARD.encode(content)}).to_string();
    let Ok(text) = std::str::from_utf8(&content) else { return base64(&content) };
    if text.contains('\0') || (is_json && text.contains("\\u0000")) {
        return base64(&content);
    }
    if !is_json {
        return Value::from(text).to_string();
    }
    match serde_json::from_str::<Value>(text) {
        Ok(_) => text.to_owned(),
        Err(_) => base64(&content),
    }
}

#[cfg(test)]
mod tests {
    use super::clear;

    #[test]
    fn content_becomes_json_that_both_engines_take() {
        let cases: [(&[u8], bool, &str); 8] = [
            (b"{\"a\": 1}", true, "{\"a\": 1}"),
            (b"a \"b\"\n", false, "\"a \\\"b\\\"\\n\""),
            (b"12", false, "\"12\""),
            (b"{\"a\":", true, "{\"base64\":\"eyJhIjo=\"}"),
            (b"\xff", false, "{\"base64\":\"/w==\"}"),
            (b"a\0", false, "{\"base64\":\"YQA=\"}"),
            (b"\"\\u0000\"", true, "{\"base64\":\"Ilx1MDAwMCI=\"}"),
            (b"1e999", true, "{\"base64\":\"MWU5OTk=\"}"),
        ];
        for (content, is_json, expected) in cases {
            assert_eq!(clear(content.to_vec(), is_json), expected);
        }
    }
}
