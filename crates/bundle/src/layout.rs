//! Paths and JSON files of a bundle (docs/bundle.md). Unknown members are refused: a bundle says nothing that is not checked.

use inferlog_record::{DataClass, Id, PayloadRole};
use serde::{Deserialize, Serialize};

/// Version of this format.
pub const BUNDLE_FORMAT: u32 = 1;
/// First line of the text of the note [`MANIFEST`].
pub const MANIFEST_DOMAIN: &str = "inferlog bundle v1";
/// First line of the text of the note [`REPORT_NOTE`].
pub const REPORT_DOMAIN: &str = "inferlog bundle report v1";

/// What this is and how to check it, for a person.
pub const README: &str = "README.txt";
/// Signed note over the SHA-256 of [`SUMS`].
pub const MANIFEST: &str = "manifest";
/// SHA-256 of every file but itself, [`MANIFEST`], [`REPORT`] and [`REPORT_NOTE`], as `sha256sum` writes them, sorted by path.
pub const SUMS: &str = "SHA256SUMS";
/// [`Facts`].
pub const FACTS: &str = "bundle.json";
/// [`Summaries`].
pub const SUMMARIES: &str = "decisions.json";
/// The coverage report of the time that the decisions span.
pub const COVERAGE: &str = "coverage.json";
/// The log's format, for whoever writes a verifier.
pub const FORMAT_DOC: &str = "docs/format.md";
/// The bundle's format.
pub const BUNDLE_DOC: &str = "docs/bundle.md";
/// A verifier in Python's standard library.
pub const VERIFY_PY: &str = "verify.py";
/// The page that reads and checks the bundle in a browser.
pub const REPORT: &str = "report.html";
/// Signed note over the SHA-256 of [`REPORT`].
pub const REPORT_NOTE: &str = "report.note";

/// The signed checkpoint of log `log`, cosignatures included.
pub fn checkpoint(log: usize) -> String {
    format!("logs/{log}/checkpoint")
}

/// The verifier keys that the log itself lists, a vkey a line: its own word.
pub fn keys(log: usize) -> String {
    format!("logs/{log}/keys")
}

/// An RFC 3161 response over the text of the checkpoint.
pub fn timestamp(log: usize, number: usize) -> String {
    format!("logs/{log}/timestamps/{number}.tsr")
}

/// [`Entries`] of the system's life that the decisions need: erasures, holds, starts, changes, readers.
pub fn system(log: usize) -> String {
    format!("logs/{log}/system.json")
}

/// [`Disclosed`] content of those.
pub fn system_openings(log: usize) -> String {
    format!("logs/{log}/openings.json")
}

/// [`Entries`] of a decision.
pub fn decision(id: Id) -> String {
    format!("decisions/{id}.json")
}

/// [`Disclosed`] content of a decision; absent if nothing of it is.
pub fn openings(id: Id) -> String {
    format!("openings/{id}.json")
}

/// [`SealedPayloads`] of a decision, where asked for.
pub fn sealed(id: Id) -> String {
    format!("sealed/{id}.json")
}

/// Shared content: a registered prompt, a tool set, a document. Its name is its SHA-256, which an entry names.
pub fn shared(sha256: &str) -> String {
    format!("shared/{sha256}")
}

/// What a bundle is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Build that wrote it.
    pub build: String,
    /// How many decisions.
    pub decisions: u64,
    /// What of their content is disclosed.
    pub disclosure: Disclosure,
    /// [`BUNDLE_FORMAT`].
    pub format: u32,
    /// The logs, by number.
    pub logs: Vec<LogFacts>,
}

/// One log of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogFacts {
    /// Its origin.
    pub origin: String,
    /// Root hash under the checkpoint, base64.
    pub root: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// RFC 3161 responses over the checkpoint.
    pub timestamps: usize,
}

/// What of the content is disclosed, as the exporter asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// Payloads of these data classes alone; of all, if empty.
    pub classes: Vec<String>,
    /// Payloads of these roles: `output.final`, `input.*`, `*` for all; none, if empty.
    pub roles: Vec<String>,
    /// Whether sealed bytes are there too.
    pub sealed: bool,
}

impl Disclosure {
    /// Whether a payload is disclosed that is this to an event, and of this class.
    pub fn covers(&self, role: PayloadRole, class: DataClass) -> bool {
        let is_class = self.classes.is_empty() || self.classes.iter().any(|named| named == class.as_str());
        is_class && self.roles.iter().any(|pattern| fits(pattern, role.as_str()))
    }

    /// Whether every role and class is one that a payload can have.
    ///
    /// # Errors
    /// Which is not, and what there is.
    pub fn check(&self) -> Result<(), String> {
        for pattern in &self.roles {
            if !PayloadRole::TEXTS.iter().any(|role| fits(pattern, role)) {
                let roles = PayloadRole::TEXTS.join(", ");
                return Err(format!(
                    "no payload has the role {pattern:?}; there are *, input.* and its like, {roles}"
                ));
            }
        }
        match self.classes.iter().find(|class| !DataClass::TEXTS.contains(&class.as_str())) {
            Some(class) => {
                Err(format!("there is no class {class:?}; there are: {}", DataClass::TEXTS.join(", ")))
            }
            None => Ok(()),
        }
    }
}

/// Whether a role fits `*`, `input.*` or its own name.
fn fits(pattern: &str, role: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with('.') && role.starts_with(family),
        None => pattern == role,
    }
}

/// One line for each decision, in the order of their ids. Every value follows from the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summaries {
    /// The decisions.
    pub decisions: Vec<Summary>,
}

/// One decision in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Payloads disclosed.
    pub disclosed: u64,
    /// Entries.
    pub entries: u64,
    /// The decision.
    pub id: Id,
    /// `logged_at` of the first event of its first entry, by (log, index).
    pub logged_at: String,
    /// `outcome` of the `decision.closed` with the highest (log, index); absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Payloads whose commitment or digest stands in its entries (state `present`, no `first`).
    pub payloads: u64,
    /// `system` of that first event.
    pub system: String,
}

/// Entries with their proofs, ascending by (log, index).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entries {
    /// The decision; absent for the system's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Id>,
    /// The entries.
    pub entries: Vec<ProvedEntry>,
}

/// An entry and its inclusion proof (RFC 6962, section 2.1.1) under the log's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedEntry {
    /// The entry: its UTF-8 bytes are what is hashed.
    pub entry: String,
    /// Its index.
    pub index: u64,
    /// Which log.
    pub log: usize,
    /// Hashes from the leaf's sibling up, base64.
    pub proof: Vec<String>,
}

/// Content given out, in the order of the references in the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// The decision; absent for the system's life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Id>,
    /// The payloads.
    pub openings: Vec<Opened>,
}

/// One payload opened: its data key and its original bytes, which the commitment in the entry binds (docs/format.md, section 5).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The original bytes where they are no UTF-8, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// The payload's data key, 64 hexadecimal digits: opens this payload and nothing else.
    pub data_key: String,
    /// The payload.
    pub payload: Id,
    /// The original bytes where they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("payload", &self.payload).finish_non_exhaustive()
    }
}

/// Sealed bytes, in the order of the references in the entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPayloads {
    /// The decision.
    pub decision: Id,
    /// The payloads.
    pub sealed: Vec<SealedPayload>,
}

/// The sealed bytes of one payload, whose SHA-256 stands in the entry as `sealed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPayload {
    /// The sealed bytes, base64.
    pub base64: String,
    /// The payload.
    pub payload: Id,
}

/// Where the files of a bundle are read from: a ZIP file, or what is about to become one.
pub trait Source {
    /// Paths of all files, sorted.
    fn paths(&self) -> Vec<String>;
    /// The bytes of a file; `None` if there is none of this path.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>>;
}
