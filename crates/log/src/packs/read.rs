//! Finding payloads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use inferlog_disk::{File, Fs, Open};

use super::{PACK_INDEX_BYTES, index_entry};
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
    let mut packs = Vec::new();
    let root = log.packs();
    if !fs.exists(&root)? {
        return Ok(packs);
    }
    for class in fs.read_dir(&root)?.into_iter().filter(|entry| entry.is_dir) {
        for day in fs.read_dir(&class.path)?.into_iter().filter(|entry| entry.is_dir) {
            packs.extend(packs_of(fs, &class.name, &day.name, &day.path)?);
        }
    }
    Ok(packs)
}

fn packs_of(fs: &dyn Fs, class: &str, day: &str, dir: &Path) -> Result<Vec<PackName>> {
    let named = fs.read_dir(dir)?.into_iter().filter_map(|entry| {
        let first = entry.name.strip_suffix(".pack").filter(|digits| digits.len() == 20)?.parse().ok()?;
        let index = entry.path.with_extension("idx");
        Some(PackName { class: class.to_owned(), day: day.to_owned(), first, pack: entry.path, index })
    });
    Ok(named.collect())
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
    days: BTreeMap<(String, String), Vec<PackName>>,
    /// The last one used: the next payload is likely there too.
    open: Option<OpenPack>,
}

#[derive(Debug)]
struct OpenPack {
    name: PackName,
    pack: Box<dyn File>,
    index: Box<dyn File>,
    records: u64,
}

impl OpenPacks {
    /// As [`find_payload`]; `place` is class and day.
    pub fn find(
        &mut self,
        fs: &dyn Fs,
        log: &LogDir,
        (class, day): (&str, &str),
        index: u64,
        payload: [u8; 16],
    ) -> Result<Option<Vec<u8>>> {
        let place = (class.to_owned(), day.to_owned());
        if !self.days.contains_key(&place) {
            let dir = log.packs().join(class).join(day);
            let packs = if fs.exists(&dir)? { packs_of(fs, class, day, &dir)? } else { Vec::new() };
            self.days.insert(place.clone(), packs);
        }
        let packs = self.days.get(&place).map(Vec::as_slice).unwrap_or_default();
        let Some(name) = packs.iter().rev().find(|pack| pack.first <= index) else { return Ok(None) };
        let open = match self.open.take().filter(|open| open.name == *name) {
            Some(open) => open,
            None => {
                let index = fs.open(&name.index, Open::Read)?;
                let records = index.len()? / PACK_INDEX_BYTES as u64;
                OpenPack { name: name.clone(), pack: fs.open(&name.pack, Open::Read)?, index, records }
            }
        };
        let found = open.find(index, payload);
        self.open = Some(open);
        found
    }
}

impl OpenPack {
    fn find(&self, index: u64, payload: [u8; 16]) -> Result<Option<Vec<u8>>> {
        let Some(mut at) = first_record(&*self.index, self.records, index)? else { return Ok(None) };
        let mut damaged = None;
        while at < self.records {
            let (entry, offset) = read_index(&*self.index, at)?;
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
