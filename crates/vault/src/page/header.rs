//! A page's header: what the page is for. It is clear, and holds configured names alone.

use inferlog_record::{RetentionClass, SystemName};

use crate::KeystoreId;

const MAGIC: &[u8; 8] = b"ILPAGE01";
/// The fixed part; the names follow.
pub(crate) const HEADER_BYTES: usize = 64;
const CRC_AT: usize = 60;

/// What a decision's key is filed under: a page holds keys of one system, UTC day and retention class, so that a purge drops
/// whole pages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The system.
    pub system: SystemName,
    /// The retention class.
    pub class: RetentionClass,
    /// UTC day, days since 1970-01-01.
    pub day: u32,
}

/// What a page is for. Pages of one topic take each other's overflow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// Decisions' keys.
    Decisions(Scope),
    /// Subjects' keys.
    Subjects(SystemName),
    /// Ways from identifiers to subjects, of digests that begin with this byte.
    Lookup(u8),
    /// Holds' keys.
    Holds(SystemName),
}

impl Topic {
    fn kind(&self) -> u8 {
        match self {
            Self::Decisions(_) => 1,
            Self::Subjects(_) => 2,
            Self::Lookup(_) => 3,
            Self::Holds(_) => 4,
        }
    }

    /// The byte, the day and the names that the header has room for.
    fn parts(&self) -> (u8, u32, &str, &str) {
        match self {
            Self::Decisions(scope) => (0, scope.day, scope.system.as_str(), scope.class.as_str()),
            Self::Subjects(system) | Self::Holds(system) => (0, 0, system.as_str(), ""),
            Self::Lookup(first) => (*first, 0, "", ""),
        }
    }

    fn from_parts(kind: u8, first: u8, day: u32, system: &str, class: &str) -> Option<Self> {
        let named = || SystemName::new(system).ok();
        let topic = match kind {
            1 => Self::Decisions(Scope { system: named()?, class: RetentionClass::new(class).ok()?, day }),
            2 => Self::Subjects(named()?),
            3 => Self::Lookup(first),
            4 => Self::Holds(named()?),
            _ => return None,
        };
        // What the kind has no use for is zero or empty.
        (topic.parts() == (first, day, system, class)).then_some(topic)
    }
}

/// A page's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) keystore: KeystoreId,
    pub(crate) page: u32,
    pub(crate) generation: u32,
    pub(crate) topic: Topic,
}

impl Header {
    /// Appends the header to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (first, day, system, class) = self.topic.parts();
        let mut fixed = [0; HEADER_BYTES];
        fixed[..8].copy_from_slice(MAGIC);
        fixed[8..24].copy_from_slice(&self.keystore.0);
        fixed[24..28].copy_from_slice(&self.page.to_be_bytes());
        fixed[28..32].copy_from_slice(&self.generation.to_be_bytes());
        fixed[32] = self.topic.kind();
        fixed[33] = first;
        fixed[34..38].copy_from_slice(&day.to_be_bytes());
        // A system's name has at most 63 bytes, a class's 31.
        fixed[38] = system.len() as u8;
        fixed[39] = class.len() as u8;
        let crc = crc(&fixed, system.as_bytes(), class.as_bytes());
        fixed[CRC_AT..].copy_from_slice(&crc.to_be_bytes());
        out.extend_from_slice(&fixed);
        out.extend_from_slice(system.as_bytes());
        out.extend_from_slice(class.as_bytes());
    }

    /// The header at the start of `bytes` and its length; `None` if there is none that checks.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let word = |at: usize| Some(u32::from_be_bytes(*fixed.get(at..)?.first_chunk()?));
        let (system, rest) = rest.split_at_checked(fixed[38].into())?;
        let class = rest.get(..fixed[39].into())?;
        if !fixed.starts_with(MAGIC) || word(CRC_AT)? != crc(fixed, system, class) {
            return None;
        }
        let len = HEADER_BYTES + system.len() + class.len();
        let (system, class) = (std::str::from_utf8(system).ok()?, std::str::from_utf8(class).ok()?);
        let topic = Topic::from_parts(fixed[32], fixed[33], word(34)?, system, class)?;
        let keystore = KeystoreId(*fixed[8..].first_chunk()?);
        Some((Self { keystore, page: word(24)?, generation: word(28)?, topic }, len))
    }
}

fn crc(fixed: &[u8; HEADER_BYTES], system: &[u8], class: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&fixed[..CRC_AT]);
    crc32c::crc32c_append(crc32c::crc32c_append(crc, system), class)
}
