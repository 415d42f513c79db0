//! The degrade marker: whether answers passed unrecorded, kept where no crash undoes it (docs/format.md, section 2).
//!
//! A node that degrades sets the marker before the first answer that it does not record, and clears it once the gap is in
//! the log. Whoever finds it set after a crash knows that there is a gap, and not how much is in it. It is overwritten in
//! place, in space that it has had since it was made, so that a full disk does not keep it from being set; and it is kept
//! in two places if there is another failure domain, of which one is enough to set it and both are needed to clear it.

use std::path::{Path, PathBuf};

use inferlog_disk::{DiskError, File, Fs, Open, create_dir_all, replace_file};

use crate::bytes::{Reader, put_u32, put_u64};
use crate::error::Result;

/// Length of the marker, bytes.
pub const MARKER_BYTES: usize = 4096;

const MAGIC: &[u8; 8] = b"ILDEGRD1";
/// What the checksum covers, bytes.
const COVERED_BYTES: usize = 40;
const CLEAR: u8 = 0;
const DEGRADED: u8 = 1;

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing passed unrecorded that the log does not tell.
    Clear,
    /// Answers may have passed unrecorded since.
    Degraded {
        /// When it was set, nanoseconds since 1970; not 0.
        since_ns: u64,
    },
    /// Answers may have passed unrecorded, it is not known since when: what stands there does not check.
    Unreadable,
}

/// The marker of a node, in all its places. For the one who holds the node's lock.
#[derive(Debug)]
pub struct Marker {
    node: [u8; 16],
    /// The data directory's file first.
    places: Vec<Box<dyn File>>,
    /// What all places, or one if it is not clear, hold durably.
    state: Found,
}

impl Marker {
    /// Opens the marker of the node with this id, and says what it was found to be: clear only if that is what each place
    /// says that has one. A place without one gets it. Fails if a place cannot be written, for want of space too.
    pub fn open(fs: &dyn Fs, dir: &Path, twins: Option<&Path>, node: [u8; 16]) -> Result<(Self, Found)> {
        let paths = marker_paths(dir, twins, node);
        if let Some(twins) = twins {
            create_dir_all(fs, twins)?;
        }
        let found = paths.iter().map(|path| read(fs, path, node)).fold(Found::Clear, Found::and);
        let mut places = Vec::new();
        for path in paths {
            // Written again, name and all, before anything rests on it: what is read may be a change whose sync failed in
            // the last life. A crash leaves this place as it was, or as all of them were found together.
            replace_file(fs, &path, &found.encode(node))?;
            places.push(fs.open(&path, Open::Write)?);
        }
        Ok((Self { node, places, state: found }, found))
    }

    /// Sets the marker: durable in one place at least on return. Needs no space. After an error it may be set or not.
    pub fn set(&mut self, since_ns: u64) -> Result<()> {
        let found = if since_ns == 0 { Found::Unreadable } else { Found::Degraded { since_ns } };
        let errors = self.write(found);
        if errors.len() < self.places.len() {
            self.state = found;
        }
        match errors.into_iter().next() {
            Some(error) if self.state != found => Err(error.into()),
            Some(error) => {
                tracing::warn!(%error, "the degrade marker is set in one of its two places");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Clears the marker in all places: call it when the gap is durable in the log. After an error it is set again if the
    /// disk still takes that; [`Marker::is_set`] tells.
    pub fn clear(&mut self) -> Result<()> {
        let was = std::mem::replace(&mut self.state, Found::Clear);
        // A crash here leaves some places clear and some set: it counts as set, and the gap is told once more.
        let Some(error) = self.write(Found::Clear).into_iter().next() else { return Ok(()) };
        if was != Found::Clear && self.write(was).len() < self.places.len() {
            self.state = was;
        }
        Err(error.into())
    }

    /// Whether it is durably set. If not, it must be before an answer passes unrecorded.
    pub fn is_set(&self) -> bool {
        self.state != Found::Clear
    }

    /// Makes every place say this. Returns the errors of those that did not take it: there they say either.
    fn write(&self, found: Found) -> Vec<DiskError> {
        let page = found.encode(self.node);
        // All that changes is within one sector: torn it does not check, which counts as set.
        let written =
            self.places.iter().map(|file| file.write_all_at(&page, 0).and_then(|()| file.sync_data()));
        written.filter_map(std::result::Result::err).collect()
    }
}

impl Found {
    /// The marker's bytes that say this of a node.
    pub fn encode(self, node: [u8; 16]) -> Vec<u8> {
        let (state, since_ns) = match self {
            Self::Clear => (CLEAR, 0),
            Self::Degraded { since_ns } => (DEGRADED, since_ns),
            Self::Unreadable => (DEGRADED, 0),
        };
        let mut page = MAGIC.to_vec();
        page.extend_from_slice(&[state, 0, 0, 0, 0, 0, 0, 0]);
        put_u64(&mut page, since_ns);
        page.extend_from_slice(&node);
        let crc = crc32c::crc32c(&page);
        put_u32(&mut page, crc);
        page.resize(MARKER_BYTES, 0);
        page
    }

    /// What a marker's bytes say of this node. Another node's marker says nothing of it, and does not count as clear.
    pub fn decode(bytes: &[u8], node: [u8; 16]) -> Self {
        let read = || {
            let covered = bytes.get(..COVERED_BYTES)?;
            let mut reader = Reader::new(bytes);
            let magic = reader.array::<8>()?;
            let (state, zeros) = (reader.array::<1>()?[0], reader.array::<7>()?);
            let (since_ns, of) = (reader.u64()?, reader.array::<16>()?);
            let crc = reader.u32()?;
            let rest = reader.take(MARKER_BYTES - COVERED_BYTES - 4)?;
            let is_whole =
                magic == *MAGIC && crc == crc32c::crc32c(covered) && of == node && reader.is_at_end();
            let is_zero = zeros.iter().chain(rest).all(|byte| *byte == 0);
            (is_whole && is_zero).then_some((state, since_ns))
        };
        match read() {
            Some((CLEAR, 0)) => Self::Clear,
            Some((DEGRADED, since_ns)) if since_ns > 0 => Self::Degraded { since_ns },
            _ => Self::Unreadable,
        }
    }

    /// What two places say together: the earliest time that either knows, if either is set.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Degraded { since_ns: one }, Self::Degraded { since_ns: two }) => {
                Self::Degraded { since_ns: one.min(two) }
            }
            (set @ Self::Degraded { .. }, _) | (_, set @ Self::Degraded { .. }) => set,
            (Self::Clear, Self::Clear) => Self::Clear,
            _ => Self::Unreadable,
        }
    }
}

/// Where a node's marker is kept: in the data directory, and in that of the twins, which several nodes may share.
pub fn marker_paths(dir: &Path, twins: Option<&Path>, node: [u8; 16]) -> Vec<PathBuf> {
    let second = twins.map(|twins| twins.join(format!("degraded-{}", hex::encode(node))));
    std::iter::once(dir.join("degraded")).chain(second).collect()
}

/// What a place says. One that was never written says nothing: what is set there was made before.
fn read(fs: &dyn Fs, path: &Path, node: [u8; 16]) -> Found {
    match fs.read(path) {
        Ok(bytes) => Found::decode(&bytes, node),
        Err(error) if error.is_not_found() => Found::Clear,
        Err(error) => {
            tracing::warn!(%error, "the degrade marker cannot be read and counts as set");
            Found::Unreadable
        }
    }
}
