//! What the code under test asked of the file system, in order.

use std::path::PathBuf;

/// A call of [`crate::Fs`] or [`crate::File`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// [`crate::Fs::open`] of an existing file.
    Open,
    /// [`crate::Fs::open`] with [`crate::Open::CreateNew`].
    Create,
    /// [`crate::Fs::create_dir`].
    CreateDir,
    /// [`crate::Fs::rename`].
    Rename,
    /// [`crate::Fs::remove_file`].
    Remove,
    /// [`crate::Fs::remove_dir`].
    RemoveDir,
    /// [`crate::Fs::sync_dir`].
    SyncDir,
    /// [`crate::Fs::read_dir`].
    ReadDir,
    /// [`crate::Fs::exists`].
    Exists,
    /// [`crate::Fs::free_bytes`].
    FreeBytes,
    /// [`crate::Fs::lock`].
    Lock,
    /// [`crate::File::read_at`] and [`crate::File::read_exact_at`].
    Read,
    /// [`crate::File::write_all_at`].
    Write,
    /// [`crate::File::sync_data`].
    SyncData,
    /// [`crate::File::set_len`].
    SetLen,
    /// [`crate::File::allocate`].
    Allocate,
    /// [`crate::File::len`].
    Len,
}

impl Op {
    /// Whether the call is part of changing something: a test that fails each call in turn may skip the others at first.
    pub fn changes(self) -> bool {
        match self {
            Self::Create | Self::CreateDir | Self::Rename | Self::Remove => true,
            Self::RemoveDir | Self::SyncDir => true,
            Self::Lock | Self::Write | Self::SyncData | Self::SetLen | Self::Allocate => true,
            Self::Open | Self::ReadDir | Self::Exists | Self::FreeBytes | Self::Read | Self::Len => false,
        }
    }

    /// Whether the call makes earlier ones durable.
    pub fn syncs(self) -> bool {
        matches!(self, Self::SyncData | Self::SyncDir)
    }

    /// The verb phrase of [`crate::DiskError::op`].
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::CreateDir => "create directory",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::RemoveDir => "remove directory",
            Self::SyncDir => "sync directory",
            Self::ReadDir => "list",
            Self::Exists => "look for",
            Self::FreeBytes => "read free space of",
            Self::Lock => "lock",
            Self::Read => "read",
            Self::Write => "write",
            Self::SyncData => "sync data of",
            Self::SetLen => "set length of",
            Self::Allocate => "allocate space for",
            Self::Len => "read length of",
        }
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number, from 0, over the whole life of the simulation. Calls of a dead process are not counted.
    pub index: u64,
    /// What was asked.
    pub op: Op,
    /// Of which file or directory: the path that it was opened under.
    pub path: PathBuf,
    /// The new name, for [`Op::Rename`].
    pub to: Option<PathBuf>,
    /// Where in the file, for [`Op::Read`] and [`Op::Write`].
    pub offset: u64,
    /// How many bytes: of the buffer, or the length asked for by [`Op::SetLen`] and [`Op::Allocate`].
    pub bytes: u64,
    /// What became of it. [`Outcome::Done`] while a fault's predicate looks at it.
    pub outcome: Outcome,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect and said so.
    Done,
    /// It failed and said so. A write may have put some of its bytes in place.
    Failed,
    /// It took effect and said that it failed.
    FailedAfterEffect,
}

/// What happened, in order: proves that one thing came before another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call returned.
    Call(Call),
    /// The test said something through [`super::SimFs::mark`].
    Mark(String),
    /// The machine lost power.
    Crash,
    /// The process was killed.
    Kill,
}
