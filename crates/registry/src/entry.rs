//! What the index holds: one entry a line.

use inferlog_record::body::PromptRole;
use inferlog_record::{ClearName, Digest, MediaType, Timestamp};
use serde::{Deserialize, Serialize};

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A prompt: text, or a template of it, or a set of examples.
    Prompt,
    /// A tool, or a list of tools.
    Tools,
    /// A model.
    Model,
    /// Another word for a model's version.
    Alias,
    /// A system's policy.
    Policy,
}

impl EntryKind {
    /// As the index writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Tools => "tools",
            Self::Model => "model",
            Self::Alias => "alias",
            Self::Policy => "policy",
        }
    }
}

impl std::fmt::Display for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One line of the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A prompt.
    Prompt(PromptEntry),
    /// A tool, or a list of tools.
    Tools(ToolsEntry),
    /// A model.
    Model(ModelEntry),
    /// Another word for a model's version.
    Alias(AliasEntry),
    /// A system's policy.
    Policy(PolicyEntry),
}

/// A registered prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptEntry {
    /// Its name.
    pub name: ClearName,
    /// Its version.
    pub version: ClearName,
    /// When it was registered.
    pub added_at: Timestamp,
    /// SHA-256 of the text: the object that holds it.
    pub sha256: Digest,
    /// Always text.
    pub media_type: MediaType,
    /// Length of the text, bytes.
    pub size: u64,
    /// Whose words they are, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<PromptRole>,
    /// Whether `{{` in it means nothing but itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub literal: bool,
}

/// A registered tool, or list of tools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolsEntry {
    /// Its name.
    pub name: ClearName,
    /// Its version.
    pub version: ClearName,
    /// When it was registered.
    pub added_at: Timestamp,
    /// SHA-256 of its JSON in the form of RFC 8785: the object that holds it.
    pub sha256: Digest,
    /// Always JSON.
    pub media_type: MediaType,
    /// Length of that JSON, bytes.
    pub size: u64,
}

/// A registered model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Its name.
    pub name: ClearName,
    /// Its version.
    pub version: ClearName,
    /// When it was registered.
    pub added_at: Timestamp,
    /// SHA-256 of its file, or of the manifest of its directory; `None` while nobody has computed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Where it is: a path or URL.
    pub location: String,
    /// Who says so, such as `mlflow http://…`; `None` if it was registered by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The object that holds the manifest of its directory: the same as `digest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// JSON, where there is a manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Length of the manifest, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// What a model's alias stands for since a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasEntry {
    /// The model.
    pub name: ClearName,
    /// The alias.
    pub alias: ClearName,
    /// The version that it stands for from now on; `None`: for none.
    pub version: Option<ClearName>,
    /// Since when.
    pub added_at: Timestamp,
}

/// A system's policy: of several versions the one registered last is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEntry {
    /// The system.
    pub name: ClearName,
    /// Its version.
    pub version: ClearName,
    /// When it was registered.
    pub added_at: Timestamp,
    /// SHA-256 of its text: the object that holds it.
    pub sha256: Digest,
    /// Always text.
    pub media_type: MediaType,
    /// Length of the text, bytes.
    pub size: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Entry {
    /// What it is about.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::Prompt(_) => EntryKind::Prompt,
            Self::Tools(_) => EntryKind::Tools,
            Self::Model(_) => EntryKind::Model,
            Self::Alias(_) => EntryKind::Alias,
            Self::Policy(_) => EntryKind::Policy,
        }
    }

    /// Its name.
    pub fn name(&self) -> &ClearName {
        match self {
            Self::Prompt(entry) => &entry.name,
            Self::Tools(entry) => &entry.name,
            Self::Model(entry) => &entry.name,
            Self::Alias(entry) => &entry.name,
            Self::Policy(entry) => &entry.name,
        }
    }

    /// Its version; `None` for an alias that stands for none.
    pub fn version(&self) -> Option<&ClearName> {
        match self {
            Self::Prompt(entry) => Some(&entry.version),
            Self::Tools(entry) => Some(&entry.version),
            Self::Model(entry) => Some(&entry.version),
            Self::Alias(entry) => entry.version.as_ref(),
            Self::Policy(entry) => Some(&entry.version),
        }
    }

    /// When it was registered.
    pub fn added_at(&self) -> Timestamp {
        match self {
            Self::Prompt(entry) => entry.added_at,
            Self::Tools(entry) => entry.added_at,
            Self::Model(entry) => entry.added_at,
            Self::Alias(entry) => entry.added_at,
            Self::Policy(entry) => entry.added_at,
        }
    }

    /// The object that holds its content and the object's length, if it has one.
    pub fn object(&self) -> Option<(Digest, u64)> {
        match self {
            Self::Prompt(entry) => Some((entry.sha256, entry.size)),
            Self::Tools(entry) => Some((entry.sha256, entry.size)),
            Self::Model(entry) => Some((entry.sha256?, entry.size?)),
            Self::Policy(entry) => Some((entry.sha256, entry.size)),
            Self::Alias(_) => None,
        }
    }
}
