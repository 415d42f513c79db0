//! What the integrator has made durable (docs/format.md, section 6).

use std::collections::BTreeMap;
use std::path::Path;

use inferlog_disk::{Fs, replace_file};
use inferlog_merkle::{EMPTY_ROOT, Hash};

use crate::bytes::{Reader, put_u16, put_u32, put_u64};
use crate::error::{LogError, Result};
use crate::{LogDir, LogId};

const MAGIC: &[u8; 8] = b"ILSTATE1";

/// How far an open pack counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackTail {
    /// `<class>/<day>/<first>`, below `packs/`, without ending.
    pub name: String,
    /// Bytes of the pack.
    pub pack_bytes: u64,
    /// Bytes of its index.
    pub index_bytes: u64,
}

/// The file `state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The log.
    pub log: LogId,
    /// Entries integrated.
    pub size: u64,
    /// Root hash at that size.
    pub root: Hash,
    /// Decisions that are open at that size, with the index of the entry that opened them.
    pub open: BTreeMap<[u8; 16], u64>,
    /// Indices of erasure intents, ascending.
    pub erasures: Vec<u64>,
    /// Packs that may still grow.
    pub packs: Vec<PackTail>,
}

impl State {
    /// The state of a log with no entries.
    pub fn empty(log: LogId) -> Self {
        Self {
            log,
            size: 0,
            root: EMPTY_ROOT,
            open: BTreeMap::new(),
            erasures: Vec::new(),
            packs: Vec::new(),
        }
    }

    /// Reads a log's state.
    pub fn load(fs: &dyn Fs, dir: &LogDir) -> Result<Self> {
        let path = dir.state();
        let bytes = fs.read(&path)?;
        Self::decode(&bytes).ok_or_else(|| {
            LogError::damaged(
                &path,
                0,
                "the integrator's state does not check; restore it from a copy of this directory",
            )
        })
    }

    /// Replaces a log's state, durably.
    pub fn store(&self, fs: &dyn Fs, path: &Path) -> Result<()> {
        Ok(replace_file(fs, path, &self.encode())?)
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128 + 24 * self.open.len() + 8 * self.erasures.len());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.log.0);
        put_u64(&mut out, self.size);
        out.extend_from_slice(self.root.as_bytes());
        put_u32(&mut out, self.open.len() as u32);
        put_u32(&mut out, self.erasures.len() as u32);
        put_u32(&mut out, self.packs.len() as u32);
        for (decision, index) in &self.open {
            out.extend_from_slice(decision);
            put_u64(&mut out, *index);
        }
        for index in &self.erasures {
            put_u64(&mut out, *index);
        }
        for pack in &self.packs {
            put_u16(&mut out, pack.name.len() as u16);
            out.extend_from_slice(pack.name.as_bytes());
            put_u64(&mut out, pack.pack_bytes);
            put_u64(&mut out, pack.index_bytes);
        }
        let crc = crc32c::crc32c(&out);
        put_u32(&mut out, crc);
        out
    }

    /// Reads the file's bytes; `None` if they do not check.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if Reader::new(crc).u32()? != crc32c::crc32c(covered) {
            return None;
        }
        let mut reader = Reader::new(covered);
        if reader.array::<8>()? != *MAGIC {
            return None;
        }
        let log = LogId(reader.array()?);
        let size = reader.u64()?;
        let root = Hash(reader.array()?);
        let (open, erasures, packs) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let mut state = Self { size, root, ..Self::empty(log) };
        for _ in 0..open {
            state.open.insert(reader.array()?, reader.u64()?);
        }
        for _ in 0..erasures {
            state.erasures.push(reader.u64()?);
        }
        for _ in 0..packs {
            let length = reader.u16()? as usize;
            let name = std::str::from_utf8(reader.take(length)?).ok()?.to_owned();
            state.packs.push(PackTail { name, pack_bytes: reader.u64()?, index_bytes: reader.u64()? });
        }
        reader.is_at_end().then_some(state)
    }
}
