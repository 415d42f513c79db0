//! Why the registry cannot do what it is asked.

use std::path::PathBuf;

use inferlog_disk::DiskError;
use inferlog_record::ClearName;

use crate::{EntryKind, OBJECT_BYTES_MAX};

/// The result of an operation on the registry.
pub type Result<T, E = RegistryError> = std::result::Result<T, E>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// An object is not the content that its name says.
    #[error(
        "{}: {what}: restore the file from a backup, or put the text that was registered back in its place",
        path.display()
    )]
    Object {
        /// The object's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A line of the index cannot be read, or contradicts another.
    #[error("{}: line {line}: {what}: restore the file from a backup", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// What was to be registered is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Why a registration is refused. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name and version never change their content.
    #[error(
        "{kind} {name}@{version} is registered with {differs}, and what is registered never changes: register this under \
         another version"
    )]
    Taken {
        /// What it is.
        kind: EntryKind,
        /// Its name.
        name: ClearName,
        /// Its version.
        version: ClearName,
        /// What of it differs: `another text`.
        differs: &'static str,
    },
    /// The name cannot stand in a record.
    #[error("`{0}` stands for names that are not listed: take another name")]
    Reserved(ClearName),
    /// The text begins a placeholder that is none.
    #[error(
        "line {line}, column {column}: {what}: write `\\{{{{` for the characters themselves, or register the text with \
         --literal"
    )]
    Template {
        /// Line of the text, from 1.
        line: usize,
        /// Column, in characters, from 1.
        column: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A template that is nothing but placeholders would match every text.
    #[error(
        "the template has no words of its own and would match every text: add some, or register it with --literal"
    )]
    NoWords,
    /// There is nothing to register.
    #[error("the text is empty")]
    Empty,
    /// Too long.
    #[error("the content has {0} bytes, and the registry keeps {OBJECT_BYTES_MAX} at most")]
    TooLong(usize),
    /// Not the JSON of tools.
    #[error("{0}: give one tool's JSON object as the model is offered it, or a list of such objects")]
    NotTools(String),
    /// Not a place.
    #[error("the {0} must be 1 to 4096 bytes of text in one line")]
    NotOneLine(&'static str),
    /// The manifest is not what its digest says.
    #[error("the digest is not the manifest's SHA-256")]
    Manifest,
    /// An alias must stand for something.
    #[error("model {name} has no version {version}: register it before its alias")]
    NoVersion {
        /// The model.
        name: ClearName,
        /// The version.
        version: ClearName,
    },
}
