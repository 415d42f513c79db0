//! What goes in.

use sha2::{Digest, Sha256};

use crate::payload::Payloads;
use crate::wal::Frame;

/// Identifies a log in the WAL and in files: the first 16 bytes of SHA-256(origin).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub [u8; 16]);

impl LogId {
    /// The id of the log with this origin.
    pub fn of(origin: &str) -> Self {
        let digest = Sha256::digest(origin.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl std::fmt::Debug for LogId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What an entry does to the tables that recovery needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// Neither opens nor closes anything.
    pub const NONE: Self = Self(0);
    /// The entry opens its decision.
    pub const OPENS: Self = Self(1);
    /// The entry closes its decision.
    pub const CLOSES: Self = Self(2);
    /// The entry holds the intent of an erasure.
    pub const ERASURE: Self = Self(4);
    /// The entry may use the room that is kept for it ([`crate::wal::RESERVE_BYTES`]) when the disk is full: it ends what
    /// was begun (closes a decision), or says what was not recorded. Only with a frame of
    /// [`crate::wal::RESERVED_FRAME_BYTES_MAX`] at most, and only if all entries of its call have it. What it ends must be
    /// durable before: a full disk refuses other entries that were queued earlier and takes this one.
    pub const RESERVED: Self = Self(8);

    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One entry and what becomes durable with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Append {
    /// The leaf: RFC 8785 bytes, at most [`crate::ENTRY_BYTES_MAX`].
    pub entry: Vec<u8>,
    /// The decision's id, or zeros for the life of the system.
    pub decision: [u8; 16],
    /// When the Recorder stamped it, nanoseconds since 1970. Its UTC day chooses the pack.
    pub logged_at_ns: u64,
    /// What it does to the table of open decisions, and whether it may use the reserve.
    pub flags: Flags,
    /// Retention class, `[a-z0-9][a-z0-9-]{0,30}`. It chooses the pack.
    pub class: String,
    /// Sealed payloads that the entry refers to.
    pub payloads: Payloads,
    /// Wrapped keys that the payloads need and that may not be durable yet (docs/format.md, section 7).
    pub births: Vec<u8>,
}

impl Append {
    pub(crate) fn from_frame(frame: &Frame<'_>) -> Self {
        Self {
            entry: frame.entry.to_vec(),
            decision: frame.decision,
            logged_at_ns: frame.logged_at_ns,
            flags: Flags(frame.flags),
            class: frame.class.to_owned(),
            payloads: Payloads::from_bytes(frame.payloads.to_vec()),
            births: frame.births.to_vec(),
        }
    }

    /// Whether it may use the room that others may not.
    pub(crate) fn may_use_reserve(&self) -> bool {
        let bytes = crate::wal::format::frame_bytes(self) as u64;
        self.flags.has(Flags::RESERVED) && bytes <= crate::wal::RESERVED_FRAME_BYTES_MAX
    }

    /// Why this append cannot be taken, if so.
    pub(crate) fn check(&self, frame_bytes_max: u64) -> Result<(), crate::AppendError> {
        let invalid = |what: String| Err(crate::AppendError::Invalid(what));
        if self.entry.is_empty() || self.entry.len() > crate::ENTRY_BYTES_MAX {
            let max = crate::ENTRY_BYTES_MAX;
            return invalid(format!(
                "an entry has {} bytes, but must have 1 to {max}: split it",
                self.entry.len()
            ));
        }
        if !is_class(&self.class) {
            return invalid(format!("{:?} is not a retention class ([a-z0-9][a-z0-9-]{{0,30}})", self.class));
        }
        let bytes = crate::wal::format::frame_bytes(self) as u64;
        if bytes > frame_bytes_max {
            return invalid(format!(
                "an append has {bytes} bytes, but a WAL segment takes {frame_bytes_max} at most"
            ));
        }
        Ok(())
    }
}

/// Whether a name may be a retention class: it becomes a path component.
pub(crate) fn is_class(name: &str) -> bool {
    let ok = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = name.bytes();
    name.len() <= crate::wal::format::CLASS_BYTES_MAX
        && bytes.next().is_some_and(ok)
        && bytes.all(|byte| ok(byte) || byte == b'-')
}

/// Where an acknowledged append stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Index of the first entry; the others of the same call follow it.
    pub index: u64,
}
