//! Appending to packs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{File, Fs, Open, create_dir_all, create_over};
use inferlog_record::Timestamp;

use super::{PACK_BYTES_MAX, PACK_INDEX_BYTES, day_name, encode_header, index_entry};
use crate::bytes::put_u64;
use crate::error::{LogError, Result};
use crate::payload::{put_record, records};
use crate::wal::Frame;
use crate::{LogId, PackTail};

/// Packs kept open for appending, least recently used first; the first is closed when another is begun.
const OPEN_PACKS_MAX: usize = 8;
/// Unwritten bytes of a pack beyond which they are written (not yet synced).
const PENDING_BYTES_MAX: usize = 4 << 20;

/// Appends the payloads of integrated frames. What was appended counts from the `state` that names the new tails.
#[derive(Debug)]
pub struct PackWriter {
    fs: Arc<dyn Fs>,
    root: PathBuf,
    log: LogId,
    bytes_max: u64,
    open: Vec<OpenPack>,
}

#[derive(Debug)]
struct OpenPack {
    tail: PackTail,
    class: String,
    /// UTC day, days since 1970.
    day: u32,
    pack: Box<dyn File>,
    index: Box<dyn File>,
    pack_pending: Vec<u8>,
    index_pending: Vec<u8>,
    /// Written to and not synced.
    is_dirty: bool,
}

impl PackWriter {
    /// Takes up the packs that `state` names. What they hold beyond their tails is left over from a crash, and cut off.
    pub fn open(fs: Arc<dyn Fs>, root: PathBuf, log: LogId, tails: &[PackTail]) -> Result<Self> {
        let mut open = Vec::with_capacity(tails.len());
        for tail in tails {
            let (pack_path, index_path) = paths(&root, &tail.name);
            let pack = fs.open(&pack_path, Open::Write)?;
            let index = fs.open(&index_path, Open::Write)?;
            for (file, path, len) in
                [(&pack, &pack_path, tail.pack_bytes), (&index, &index_path, tail.index_bytes)]
            {
                if file.len()? < len {
                    return Err(LogError::damaged(
                        path,
                        file.len()?,
                        "this pack is shorter than it was durable",
                    ));
                }
                // A crash before this is synced leaves the same leftovers, to be cut off again.
                file.set_len(len)?;
            }
            let (class, day) = place_of(&tail.name)
                .ok_or_else(|| LogError::damaged(&pack_path, 0, "`state` names a pack that cannot be"))?;
            open.push(OpenPack::new(tail.clone(), class, day, pack, index));
        }
        Ok(Self { fs, root, log, bytes_max: PACK_BYTES_MAX, open })
    }

    /// Closes packs at another length than [`PACK_BYTES_MAX`]: the format does not depend on it.
    pub fn closing_at(mut self, bytes_max: u64) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Appends the payloads of one frame.
    pub fn append(&mut self, frame: &Frame<'_>, path: &Path, offset: u64) -> Result<()> {
        if frame.payloads.is_empty() {
            return Ok(());
        }
        let mut pack = self.take(frame)?;
        for record in records(frame.payloads) {
            let Some(record) = record else {
                return Err(LogError::damaged(
                    path,
                    offset,
                    "a payload record in this WAL batch does not check",
                ));
            };
            put_u64(&mut pack.index_pending, frame.index);
            let offset = pack.len();
            put_u64(&mut pack.index_pending, offset);
            put_record(&mut pack.pack_pending, record.payload, frame.index, record.sealed);
        }
        if pack.pack_pending.len() > PENDING_BYTES_MAX {
            pack.write()?;
        }
        if pack.len() >= self.bytes_max {
            return pack.sync();
        }
        self.open.push(pack);
        Ok(())
    }

    /// Makes all that was appended durable and says how far each open pack now counts.
    pub fn sync(&mut self) -> Result<Vec<PackTail>> {
        self.open.iter_mut().try_for_each(OpenPack::sync)?;
        Ok(self.open.iter().map(|pack| pack.tail.clone()).collect())
    }

    /// Closes the packs of a class that have no record of an entry after `last`, if there are any; all is made durable before. They
    /// stay packs that are named by the `state` of before: theirs is the next one.
    pub fn close(&mut self, class: &str, last: u64) -> Result<bool> {
        let mut closed = Vec::new();
        for (at, pack) in self.open.iter_mut().enumerate().filter(|(_, pack)| pack.class == class) {
            // What a crash left beyond the tail would not be cut off again.
            pack.sync()?;
            if pack.last()?.is_some_and(|index| index <= last) {
                closed.push(at);
            }
        }
        closed.iter().rev().for_each(|at| drop(self.open.remove(*at)));
        Ok(!closed.is_empty())
    }

    /// The open pack for a frame's class and day. Its caller puts it back at the end of the list.
    ///
    /// When a pack is closed depends on what was appended and on nothing else, so that recovery, which appends the same
    /// again, gives packs the same names as the life that ended before them, and writes over what that one left.
    fn take(&mut self, frame: &Frame<'_>) -> Result<OpenPack> {
        let day = Timestamp(frame.logged_at_ns).day();
        let fits = |pack: &OpenPack| pack.day == day && pack.class == frame.class;
        if let Some(position) = self.open.iter().position(fits) {
            return Ok(self.open.remove(position));
        }
        if self.open.len() >= OPEN_PACKS_MAX {
            self.open.remove(0).sync()?;
        }
        self.create(frame, day)
    }

    fn create(&self, frame: &Frame<'_>, day: u32) -> Result<OpenPack> {
        let (class, first) = (frame.class, frame.index);
        let place = format!("{class}/{}", day_name(frame.logged_at_ns));
        let name = format!("{place}/{first:020}");
        let (pack_path, index_path) = paths(&self.root, &name);
        create_dir_all(&*self.fs, &self.root.join(&place))?;
        let pack = create_over(&*self.fs, &pack_path)?;
        let index = create_over(&*self.fs, &index_path)?;
        // Synced now: a pack is named by `state` only after its name is durable.
        self.fs.sync_dir(&self.root.join(&place))?;
        let mut pack = OpenPack::new(
            PackTail { name, pack_bytes: 0, index_bytes: 0 },
            class.to_owned(),
            day,
            pack,
            index,
        );
        pack.pack_pending = encode_header(self.log, first);
        Ok(pack)
    }
}

impl OpenPack {
    fn new(tail: PackTail, class: String, day: u32, pack: Box<dyn File>, index: Box<dyn File>) -> Self {
        // Dirty from the start: cutting leftovers off must be synced before anything is written after them.
        let (pack_pending, index_pending) = (Vec::new(), Vec::new());
        Self { tail, class, day, pack, index, pack_pending, index_pending, is_dirty: true }
    }

    /// Bytes, those not yet written included.
    fn len(&self) -> u64 {
        self.tail.pack_bytes + self.pack_pending.len() as u64
    }

    /// Index of the entry of its last record; all is written.
    fn last(&self) -> Result<Option<u64>> {
        let Some(at) = self.tail.index_bytes.checked_sub(PACK_INDEX_BYTES as u64) else { return Ok(None) };
        let mut record = [0; PACK_INDEX_BYTES];
        self.index.read_exact_at(&mut record, at)?;
        Ok(index_entry(&record).map(|(index, _)| index))
    }

    fn write(&mut self) -> Result<()> {
        if self.pack_pending.is_empty() {
            return Ok(());
        }
        self.pack.write_all_at(&self.pack_pending, self.tail.pack_bytes)?;
        self.index.write_all_at(&self.index_pending, self.tail.index_bytes)?;
        self.tail.pack_bytes += self.pack_pending.len() as u64;
        self.tail.index_bytes += self.index_pending.len() as u64;
        self.pack_pending.clear();
        self.index_pending.clear();
        self.is_dirty = true;
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        self.write()?;
        if self.is_dirty {
            self.pack.sync_data()?;
            self.index.sync_data()?;
            self.is_dirty = false;
        }
        Ok(())
    }
}

/// Class and day in a pack's name.
fn place_of(name: &str) -> Option<(String, u32)> {
    let mut parts = name.split('/');
    let (class, day) = (parts.next()?, parts.next()?);
    let midnight: Timestamp = format!("{day}T00:00:00.000000000Z").parse().ok()?;
    Some((class.to_owned(), midnight.day()))
}

fn paths(root: &Path, name: &str) -> (PathBuf, PathBuf) {
    (root.join(format!("{name}.pack")), root.join(format!("{name}.idx")))
}
