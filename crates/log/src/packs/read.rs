//! Finding payloads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inferlog_disk::{DirEntry, File, Fs, Open};

use super::{PACK_HEADER_BYTES, PACK_INDEX_BYTES, index_entry};
use crate::LogDir;
use crate::error::{LogError, Result};
use crate::payload::{PAYLOAD_HEADER_BYTES, PayloadRecord};

/// One pack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackName {
    /// Retention class.
    pub class: String,
    /// UTC day, `YYYY-MM-DD`.
    pub day: String,
    /// Index of the first entry with a payload in it.
    pub first: u64,
    /// The pack's file.
    pub pack: PathBuf,
    /// Its index file.
    pub index: PathBuf,
}

/// Every pack of a log, by class, day and first index.
pub fn list_packs(fs: &dyn Fs, log: &LogDir) -> Result<Vec<PackName>> {
    list_below(fs, &log.packs())
}

/// What was kept of packs that were purged: packs themselves, each named as the one its records stood in. Their index files are
/// hints: where one is missing or leads astray, the pack is read through.
pub fn list_kept_packs(fs: &dyn Fs, log: &LogDir) -> Result<Vec<PackName>> {
    list_below(fs, &log.kept_packs())
}

fn list_below(fs: &dyn Fs, root: &Path) -> Result<Vec<PackName>> {
    let mut packs = Vec::new();
    for class in names(fs, root)?.into_iter().filter(|entry| entry.is_dir) {
        for day in names(fs, &class.path)?.into_iter().filter(|entry| entry.is_dir) {
            packs.extend(packs_of_day(fs, &class.name, &day.name, &day.path)?);
        }
    }
    Ok(packs)
}

/// The names in a directory, which may be gone by now.
fn names(fs: &dyn Fs, dir: &Path) -> Result<Vec<DirEntry>> {
    match fs.read_dir(dir) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => Ok(other?),
    }
}

/// The packs of a class and day, which are in `dir`.
pub(crate) fn packs_of_day(fs: &dyn Fs, class: &str, day: &str, dir: &Path) -> Result<Vec<PackName>> {
    let named = names(fs, dir)?.into_iter().filter_map(|entry| {
        let first = entry.name.strip_suffix(".pack").filter(|digits| digits.len() == 20)?.parse().ok()?;
        let index = entry.path.with_extension("idx");
        Some(PackName { class: class.to_owned(), day: day.to_owned(), first, pack: entry.path, index })
    });
    Ok(named.collect())
}

/// The entries whose payloads are in a pack, as its index file says: ascending, each as often as it has payloads there. `None` if
/// there is no index file.
pub fn indexed_entries(fs: &dyn Fs, pack: &PackName) -> Result<Option<Vec<u64>>> {
    let bytes = match fs.read(&pack.index) {
        Err(error) if error.is_not_found() => return Ok(None),
        other => other?,
    };
    Ok(Some(bytes.chunks_exact(PACK_INDEX_BYTES).filter_map(|one| Some(index_entry(one)?.0)).collect()))
}

/// The sealed bytes of a payload born with the entry at `index`, whose class and day are known; `None` if no pack has it.
/// [`LogError::Damaged`] if it is not found and one of the entry's records does not check.
pub fn find_payload(
    fs: &dyn Fs,
    log: &LogDir,
    class: &str,
    day: &str,
    index: u64,
    payload: [u8; 16],
) -> Result<Option<Vec<u8>>> {
    OpenPacks::default().find(fs, log, (class, day), index, payload)
}

/// Packs held open, for whoever reads many payloads in a row. What is written after a pack was opened may not be found: begin anew
/// for every batch.
#[derive(Debug, Default)]
pub struct OpenPacks {
    days: BTreeMap<PathBuf, Vec<PackName>>,
    /// The last one used: the next payload is likely there too.
    open: Option<OpenPack>,
}

#[derive(Debug)]
struct OpenPack {
    name: PackName,
    pack: Box<dyn File>,
    /// `None` if there is none: a purge that came to no end may have removed it and not the pack.
    index: Option<Box<dyn File>>,
    records: u64,
}

impl OpenPacks {
    /// As [`find_payload`]; `place` is class and day.
    pub fn find(
        &mut self,
        fs: &dyn Fs,
        log: &LogDir,
        place: (&str, &str),
        index: u64,
        payload: [u8; 16],
    ) -> Result<Option<Vec<u8>>> {
        if let Some(open) = self.open(fs, &log.packs(), place, index)?
            && let Some(found) = open.find(index, payload)?
        {
            return Ok(Some(found));
        }
        // What a purge keeps is there before it goes from here.
        match self.open(fs, &log.kept_packs(), place, index)? {
            Some(open) => open.find_kept(index, payload),
            None => Ok(None),
        }
    }

    /// The pack below `root` that an entry's payloads are in, if it is there.
    fn open(
        &mut self,
        fs: &dyn Fs,
        root: &Path,
        (class, day): (&str, &str),
        index: u64,
    ) -> Result<Option<&OpenPack>> {
        let dir = root.join(class).join(day);
        if !self.days.contains_key(&dir) {
            self.days.insert(dir.clone(), packs_of_day(fs, class, day, &dir)?);
        }
        let packs = self.days.get(&dir).map(Vec::as_slice).unwrap_or_default();
        let Some(name) = packs.iter().rev().find(|pack| pack.first <= index) else { return Ok(None) };
        if self.open.as_ref().is_none_or(|open| open.name != *name) {
            self.open = OpenPack::open(fs, name.clone())?;
        }
        Ok(self.open.as_ref())
    }
}

impl OpenPack {
    /// `None` if a purge has removed it since it was listed.
    fn open(fs: &dyn Fs, name: PackName) -> Result<Option<Self>> {
        let open = |path: &Path| match fs.open(path, Open::Read) {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        };
        let Some(pack) = open(&name.pack)? else { return Ok(None) };
        let index = open(&name.index)?;
        if index.is_none() && !fs.exists(&name.pack)? {
            return Ok(None);
        }
        let bytes = index.as_ref().map_or(Ok(0), |index| index.len())?;
        Ok(Some(Self { name, pack, index, records: bytes / PACK_INDEX_BYTES as u64 }))
    }

    fn find(&self, index: u64, payload: [u8; 16]) -> Result<Option<Vec<u8>>> {
        let Some(file) = &self.index else { return self.read_through(index, payload) };
        let Some(mut at) = first_record(&**file, self.records, index)? else { return Ok(None) };
        let mut damaged = None;
        while at < self.records {
            let (entry, offset) = read_index(&**file, at)?;
            if entry != index {
                break;
            }
            match read_record(&*self.pack, offset)?.as_deref().and_then(PayloadRecord::read) {
                Some((record, _)) if record.payload == payload => return Ok(Some(record.sealed.to_vec())),
                Some(_) => {}
                None => damaged = Some(offset),
            }
            at += 1;
        }
        match damaged {
            Some(offset) => Err(LogError::damaged(
                &self.name.pack,
                offset,
                "no payload record checks here, where the index says that one is",
            )),
            None => Ok(None),
        }
    }

    /// In a pack of what was kept, which is replaced at another time than its index: where that is of another state of the pack, the
    /// pack is read through.
    fn find_kept(&self, index: u64, payload: [u8; 16]) -> Result<Option<Vec<u8>>> {
        if self.is_indexed()? { self.find(index, payload) } else { self.read_through(index, payload) }
    }

    fn read_through(&self, index: u64, payload: [u8; 16]) -> Result<Option<Vec<u8>>> {
        let mut offset = PACK_HEADER_BYTES as u64;
        while offset < self.pack.len()? {
            let record = read_record(&*self.pack, offset)?;
            let Some((record, _)) = record.as_deref().and_then(PayloadRecord::read) else {
                return Err(LogError::damaged(&self.name.pack, offset, "no payload record checks here"));
            };
            if (record.index, record.payload) == (index, payload) {
                return Ok(Some(record.sealed.to_vec()));
            }
            offset += record.span() as u64;
        }
        Ok(None)
    }

    /// Whether the index is of this state of the pack: what was kept only ever loses records, so that the last one moves towards
    /// the beginning.
    fn is_indexed(&self) -> Result<bool> {
        let Some(file) = self.index.as_deref().filter(|_| self.records > 0) else { return Ok(false) };
        let (_, offset) = read_index(file, self.records - 1)?;
        let record = read_record(&*self.pack, offset)?;
        let span = record.as_deref().and_then(PayloadRecord::read).map(|(record, _)| record.span() as u64);
        let end = span.and_then(|span| offset.checked_add(span));
        Ok(end == Some(self.pack.len()?))
    }
}

/// Position of the first record of the entry at `index`, by bisection.
fn first_record(file: &dyn File, records: u64, index: u64) -> Result<Option<u64>> {
    let (mut low, mut high) = (0, records);
    while low < high {
        let middle = low + (high - low) / 2;
        if read_index(file, middle)?.0 < index { low = middle + 1 } else { high = middle }
    }
    Ok((low < records && read_index(file, low)?.0 == index).then_some(low))
}

fn read_index(file: &dyn File, position: u64) -> Result<(u64, u64)> {
    let mut bytes = [0; PACK_INDEX_BYTES];
    file.read_exact_at(&mut bytes, position * PACK_INDEX_BYTES as u64)?;
    Ok(index_entry(&bytes).unwrap_or_default())
}

/// The bytes of the record at `offset`, as long as it says it is; `None` if the file ends before.
fn read_record(file: &dyn File, offset: u64) -> Result<Option<Vec<u8>>> {
    let len = file.len()?;
    let fits = |bytes: u64| offset.checked_add(bytes).is_some_and(|end| end <= len);
    let mut header = [0; PAYLOAD_HEADER_BYTES];
    if !fits(PAYLOAD_HEADER_BYTES as u64) {
        return Ok(None);
    }
    file.read_exact_at(&mut header, offset)?;
    let sealed_len = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let span = PAYLOAD_HEADER_BYTES as u64 + u64::from(sealed_len);
    if !fits(span) {
        return Ok(None);
    }
    let mut record = vec![0; span as usize];
    file.read_exact_at(&mut record, offset)?;
    Ok(Some(record))
}
