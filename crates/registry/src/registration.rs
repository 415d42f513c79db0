//! What is asked to be registered.

use inferlog_record::body::PromptRole;
use inferlog_record::{ClearName, Digest, MediaType, Timestamp};
use serde::{Deserialize, Serialize};

use crate::objects::sha256;
use crate::template::Template;
use crate::tools::canonical_tools;
use crate::{
    AliasEntry, Entry, EntryKind, ModelEntry, OBJECT_BYTES_MAX, PolicyEntry, PromptEntry, Refusal, ToolsEntry,
};

/// Longest location, and source, of a model, bytes.
const LINE_BYTES_MAX: usize = 4096;

/// Something to be registered. Travels as JSON between a command and the process that serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Its name.
    pub name: ClearName,
    /// Its version; the next number if `None`. Of an alias: the version that it shall stand for, none if `None`.
    pub version: Option<ClearName>,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What is to be registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A prompt.
    Prompt {
        /// Its text: a template, unless `literal`.
        text: String,
        /// Whose words they are, if that is known.
        role: Option<PromptRole>,
        /// Whether `{{` in it means nothing but itself.
        literal: bool,
    },
    /// A tool, or a list of tools.
    Tools {
        /// JSON in any spacing and order of keys.
        json: String,
    },
    /// A model.
    Model {
        /// SHA-256 of its file or manifest, if that is known.
        digest: Option<Digest>,
        /// Where it is: a path or URL.
        location: String,
        /// Who says so.
        source: Option<String>,
        /// The manifest of its directory ([`crate::Files`]), which is kept.
        manifest: Option<String>,
    },
    /// Another word for a model's version.
    Alias {
        /// The word.
        alias: ClearName,
    },
    /// A system's policy, under the name of the system.
    Policy {
        /// Its text.
        text: String,
    },
}

impl Registration {
    /// A prompt; a template where it holds placeholders.
    pub fn prompt(name: ClearName, version: Option<ClearName>, text: impl Into<String>) -> Self {
        Self { name, version, what: What::Prompt { text: text.into(), role: None, literal: false } }
    }

    /// A tool, or a list of tools.
    pub fn tools(name: ClearName, version: Option<ClearName>, json: impl Into<String>) -> Self {
        Self { name, version, what: What::Tools { json: json.into() } }
    }

    /// A model.
    pub fn model(
        name: ClearName,
        version: Option<ClearName>,
        digest: Option<Digest>,
        location: impl Into<String>,
    ) -> Self {
        let what = What::Model { digest, location: location.into(), source: None, manifest: None };
        Self { name, version, what }
    }

    /// A system's policy. That it is one is the caller's to see to.
    pub fn policy(system: ClearName, version: ClearName, text: impl Into<String>) -> Self {
        Self { name: system, version: Some(version), what: What::Policy { text: text.into() } }
    }

    /// What it is about.
    pub fn kind(&self) -> EntryKind {
        match self.what {
            What::Prompt { .. } => EntryKind::Prompt,
            What::Tools { .. } => EntryKind::Tools,
            What::Model { .. } => EntryKind::Model,
            What::Alias { .. } => EntryKind::Alias,
            What::Policy { .. } => EntryKind::Policy,
        }
    }

    /// The line that this would become, and the content that is to be kept, if there is any. `version` says under which version,
    /// where none is given, content goes that has this SHA-256.
    pub(crate) fn prepare(
        &self,
        added_at: Timestamp,
        version: impl FnOnce(Option<Digest>) -> ClearName,
    ) -> Result<(Entry, Option<Vec<u8>>), Refusal> {
        for name in [Some(&self.name), self.version.as_ref()].into_iter().flatten() {
            if name.is_unlisted() {
                return Err(Refusal::Reserved(name.clone()));
            }
        }
        let name = self.name.clone();
        let version = |content: Option<Digest>| self.version.clone().unwrap_or_else(|| version(content));
        match &self.what {
            What::Prompt { text, role, literal } => {
                let (role, literal) = (*role, *literal);
                match literal {
                    true if text.is_empty() => return Err(Refusal::Empty),
                    true => {}
                    false => drop(Template::parse(text)?),
                }
                let (sha256, size) = measure(text.as_bytes())?;
                let (version, media_type) = (version(Some(sha256)), MediaType::Text);
                let entry = PromptEntry { name, version, added_at, sha256, media_type, size, role, literal };
                Ok((Entry::Prompt(entry), Some(text.clone().into_bytes())))
            }
            What::Tools { json } => {
                let json = canonical_tools(json)?;
                let (sha256, size) = measure(&json)?;
                let (version, media_type) = (version(Some(sha256)), MediaType::Json);
                let entry = ToolsEntry { name, version, added_at, sha256, media_type, size };
                Ok((Entry::Tools(entry), Some(json)))
            }
            What::Model { digest, location, source, manifest } => {
                one_line("location", location)?;
                source.as_deref().map_or(Ok(()), |source| one_line("source", source))?;
                let kept = manifest.as_ref().map(|manifest| measure(manifest.as_bytes())).transpose()?;
                if kept.is_some_and(|(sha256, _)| Some(sha256) != *digest) {
                    return Err(Refusal::Manifest);
                }
                let entry = ModelEntry {
                    name,
                    version: version(*digest),
                    added_at,
                    digest: *digest,
                    location: location.clone(),
                    source: source.clone(),
                    sha256: kept.map(|(sha256, _)| sha256),
                    media_type: kept.map(|_| MediaType::Json),
                    size: kept.map(|(_, size)| size),
                };
                Ok((Entry::Model(entry), manifest.clone().map(String::into_bytes)))
            }
            What::Alias { alias } => {
                let (alias, version) = (alias.clone(), self.version.clone());
                Ok((Entry::Alias(AliasEntry { name, alias, version, added_at }), None))
            }
            What::Policy { text } => {
                let (sha256, size) = measure(text.as_bytes())?;
                let (version, media_type) = (version(Some(sha256)), MediaType::Text);
                let entry = PolicyEntry { name, version, added_at, sha256, media_type, size };
                Ok((Entry::Policy(entry), Some(text.clone().into_bytes())))
            }
        }
    }
}

/// Name and length of an object with this content.
fn measure(content: &[u8]) -> Result<(Digest, u64), Refusal> {
    match content.len() <= OBJECT_BYTES_MAX {
        true => Ok((sha256(content), content.len() as u64)),
        false => Err(Refusal::TooLong(content.len())),
    }
}

fn one_line(what: &'static str, text: &str) -> Result<(), Refusal> {
    let fits = (1..=LINE_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Refusal::NotOneLine(what)) }
}
