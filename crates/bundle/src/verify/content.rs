//! Content: disclosed bytes against the commitment in an entry, sealed bytes against their digest, shared bytes against theirs.
//! What is committed to and not disclosed is no fault.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_record::{Digest, Encoding, Id};
use inferlog_vault::{DataKey, SealContext, open_payload};
use sha2::Digest as _;

use super::files::hex_digest;
use super::report::{Check, Outcome};
use super::story::{Born, Story};
use super::{Verifier, json};
use crate::layout::{self, Disclosed, Disclosure, SealedPayload, SealedPayloads};

/// Data keys of the payloads that are disclosed and hold, and the length of their content.
pub(super) type Opened = BTreeMap<Id, (DataKey, usize)>;

/// `payload <id>`.
fn of(payload: Id) -> String {
    format!("payload {payload}")
}

impl Verifier<'_> {
    /// Disclosed content of a decision, or of the system's life.
    pub(super) fn openings(&mut self, path: &str, decision: Option<Id>, story: &Story) -> Opened {
        let mut opened = Opened::new();
        let Some(bytes) = self.read(path) else { return opened };
        let disclosed: Disclosed = match json::read(&bytes) {
            Ok(disclosed) => disclosed,
            Err(what) => {
                self.fault(Check::Openings, path, format!("it is not as docs/bundle.md says: {what}"));
                return opened;
            }
        };
        drop(bytes);
        if disclosed.decision != decision {
            self.fault_at(Check::Openings, path, "decision", "it is of another decision than its name says");
        }
        if disclosed.openings.is_empty() {
            self.fault(Check::Openings, path, "there is no opening in it");
        }
        let disclosure = self.facts.as_ref().map(|facts| facts.disclosure.clone());
        for opening in &disclosed.openings {
            let payload = opening.payload;
            let result = match story.born.get(&payload) {
                _ if opened.contains_key(&payload) => Err("it is opened twice".to_owned()),
                None => Err("no entry of this file's decision says that it was recorded".to_owned()),
                Some(born) => open(opening, born).and_then(|key| match () {
                    () if self.life.took(born) => {
                        Err("an erasure in the bundle destroyed its key, and it is opened".to_owned())
                    }
                    () if !covers(disclosure.as_ref(), story, payload, born) => {
                        Err("bundle.json does not say that content of its role and class is disclosed"
                            .to_owned())
                    }
                    () => Ok(key),
                }),
            };
            match result {
                Ok(key) => drop(opened.insert(payload, key)),
                Err(what) => self.fault_at(Check::Openings, path, of(payload), what),
            }
        }
        opened
    }

    /// Sealed bytes of a decision.
    pub(super) fn sealed(&mut self, path: &str, decision: Id, story: &Story, opened: &Opened) {
        let is_promised = self.facts.as_ref().is_some_and(|facts| facts.disclosure.sealed);
        if self.paths.contains(path) != is_promised && self.facts.is_some() {
            let what = match is_promised {
                true => "bundle.json says that sealed bytes are there, and they are not",
                false => "bundle.json says that no sealed bytes are there",
            };
            self.fault(Check::Sealed, path, what);
        }
        let Some(bytes) = self.read(path) else { return };
        let file: SealedPayloads = match json::read(&bytes) {
            Ok(file) => file,
            Err(what) => {
                return self.fault(Check::Sealed, path, format!("it is not as docs/bundle.md says: {what}"));
            }
        };
        drop(bytes);
        if file.decision != decision {
            self.fault_at(Check::Sealed, path, "decision", "it is of another decision than its name says");
        }
        let mut seen = BTreeSet::new();
        for sealed in &file.sealed {
            let payload = sealed.payload;
            let result = match story.born.get(&payload) {
                _ if seen.contains(&payload) => Err("it stands there twice".to_owned()),
                None => Err("no entry of this decision says that it was recorded".to_owned()),
                Some(born) => self.check_sealed(sealed, born, opened.get(&payload)),
            };
            seen.insert(payload);
            match result {
                Ok(()) => self.found.counts.sealed += 1,
                Err(what) => self.fault_at(Check::Sealed, path, of(payload), what),
            }
        }
        let left_out = story.born.iter().filter(|(id, born)| {
            born.sealed.is_some()
                && !seen.contains(id)
                && !self.life.took(born)
                && !self.life.purged(born, &story.facts)
        });
        let left_out: Vec<Id> = left_out.map(|(id, _)| *id).collect();
        for id in left_out {
            self.found
                .notice("sealed bytes that are not there", || format!("{path} does not have {}", of(id)));
        }
    }

    fn check_sealed(
        &self,
        sealed: &SealedPayload,
        born: &Born,
        key: Option<&(DataKey, usize)>,
    ) -> Result<(), String> {
        let digest = born.sealed.ok_or("its content is shared, and never was sealed")?;
        let bytes =
            STANDARD.decode(&sealed.base64).map_err(|error| format!("its bytes are not base64: {error}"))?;
        if <[u8; 32]>::from(sha2::Sha256::digest(&bytes)) != *digest.as_bytes() {
            return Err(
                "its SHA-256 is not the one in the entry: these are not the bytes that were recorded"
                    .to_owned(),
            );
        }
        // Whoever has bytes and key sees that the one opens the other, and to what was committed to.
        let (Some((key, length)), Some(commitment)) = (key, born.commitment) else { return Ok(()) };
        let Some(log) = self.logs.get(born.place.0) else { return Ok(()) };
        let origin = log.report.origin.as_str();
        let context = SealContext { origin, event: born.event, role: &born.role, payload: sealed.payload };
        let encoding = if born.is_zstd { Encoding::Zstd } else { Encoding::Identity };
        let content = open_payload(key, &context, &bytes, encoding, &commitment, *length);
        content.map(|_| ()).map_err(|error| format!("the disclosed key does not open them: {error}"))
    }

    /// Shared content, after all entries have passed.
    pub(super) fn shared(&mut self) {
        let start = "shared/".to_owned();
        let paths: Vec<String> =
            self.paths.range(start.clone()..).take_while(|path| path.starts_with(&start)).cloned().collect();
        let count = paths.len() as u64;
        for path in paths {
            let Some(name) = path.strip_prefix("shared/").and_then(hex_digest) else { continue };
            let Some(bytes) = self.read(&path) else { continue };
            if <[u8; 32]>::from(sha2::Sha256::digest(&bytes)) != name {
                self.fault(
                    Check::Shared,
                    &path,
                    "its SHA-256 is not its name: it is not what the entries speak of",
                );
            }
            if self.unnamed.contains(&name) {
                self.fault(Check::Shared, &path, "no entry of the bundle names it");
            }
        }
        self.found.counts.shared_files = count;
        if count > 0 {
            self.found.tell(
                Check::Shared,
                Outcome::Passed,
                format!("{count} files have the SHA-256 that entries name"),
            );
        }
    }

    /// Takes the SHA-256 that an entry names.
    pub(super) fn name_shared(&mut self, entry: &str) {
        if self.unnamed.is_empty() {
            return;
        }
        // A string of 64 digits: nothing else in an entry is one.
        for text in entry.split('"').filter(|text| text.len() == 64) {
            if let Some(digest) = hex_digest(text) {
                self.unnamed.remove(&digest);
            }
        }
    }

    /// How the checks of content ended.
    pub(super) fn tell_content(&mut self) {
        let counts = self.found.counts.clone();
        let undisclosed = counts.undisclosed;
        if counts.disclosed + counts.system_disclosed > 0 {
            let disclosed = counts.disclosed + counts.system_disclosed;
            let what = format!(
                "{disclosed} disclosed payloads are the content that was committed to; {undisclosed} are not disclosed"
            );
            self.found.tell(Check::Openings, Outcome::Passed, what);
        } else {
            let what = format!("nothing is disclosed; {undisclosed} payloads are committed to");
            self.found.tell(Check::Openings, Outcome::Absent, what);
        }
        if counts.sealed > 0 {
            let what = format!("{} sealed payloads have the SHA-256 that their entries say", counts.sealed);
            self.found.tell(Check::Sealed, Outcome::Passed, what);
        }
    }
}

/// The data key of a payload whose disclosed bytes are those that were committed to.
fn open(opening: &layout::Opened, born: &Born) -> Result<(DataKey, usize), String> {
    let commitment: Digest = born.commitment.ok_or("its content is shared, and has no key")?;
    let key = hex_digest(&opening.data_key).ok_or("its data key is not 64 lower-case hexadecimal digits")?;
    let content = match (&opening.text, &opening.base64) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(base64)) => {
            STANDARD.decode(base64).map_err(|error| format!("its bytes are not base64: {error}"))?
        }
        _ => return Err("it has text and base64, or neither".to_owned()),
    };
    let key = DataKey::from_bytes(key);
    if key.commitment(&content) != commitment {
        return Err(
            "these bytes under this key are not what the entry committed to: content or key was changed"
                .to_owned(),
        );
    }
    Ok((key, content.len()))
}

/// Whether bundle.json says that a payload like this is disclosed.
fn covers(disclosure: Option<&Disclosure>, story: &Story, payload: Id, born: &Born) -> bool {
    let Some(disclosure) = disclosure else { return true };
    let is_class = disclosure.classes.is_empty()
        || born.class.as_ref().is_some_and(|class| disclosure.classes.contains(class));
    let fits = |role: &String| {
        disclosure.roles.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some("") => true,
            Some(family) => family.ends_with('.') && role.starts_with(family),
            None => pattern == role,
        })
    };
    is_class && story.roles.get(&payload).is_some_and(|roles| roles.iter().any(fits))
}
