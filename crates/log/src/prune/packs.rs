//! Packs: the sealed payloads of a retention class up to an entry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use inferlog_disk::{File, Fs, Open, TMP_PREFIX, create_dir_all, create_over, replace_file};
use inferlog_record::Digest;

use super::walk::{Walked, walk};
use super::{Pruner, dirs};
use crate::bytes::put_u64;
use crate::error::{LogError, Result};
use crate::packs::{PACK_INDEX_BYTES, PackName, encode_header, index_entry, packs_of_day};
use crate::payload::{PayloadRecord, put_record};
use crate::{LogId, LogIdentity, LogReader, State};

/// Bytes of kept records that are written at once.
const WRITE_BYTES: usize = 4 << 20;

/// A pack that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgedPack {
    /// `<class>/<day>/<first>`, below `packs/`, without ending.
    pub name: String,
    /// SHA-256 of the pack's bytes.
    pub sha256: Digest,
    /// Bytes of the pack and its index.
    pub bytes: u64,
}

/// What purging packs removes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurgedPacks {
    /// Packs that go, by day and first index. What is kept of them goes on in `kept/packs`.
    pub packs: Vec<PurgedPack>,
    /// Payloads that go: of these packs, and of what was kept before.
    pub payloads: u64,
    /// Payloads that are kept, of these packs and of what was kept before.
    pub kept: u64,
    /// Bytes of files that are freed.
    pub bytes: u64,
    /// Packs in the range, or kept packs, of which something does not check: they stay, and `verify` locates the damage.
    pub damaged: Vec<String>,
}

/// Whether a payload is to be kept: the index of the entry that it was born with, and its id.
pub type KeepPayload<'a> = &'a dyn Fn(u64, [u8; 16]) -> bool;

/// What [`purge_packs`] would remove now. A pack that is open for appending counts as it is; close it first
/// ([`Pruner::close_packs`]) where what is said of it must stay true.
///
/// # Errors
/// The file system's; a name that is no class.
pub fn plan_packs(reader: &LogReader, class: &str, last: u64, keep: KeepPayload<'_>) -> Result<PurgedPacks> {
    let Some(mut purge) = Purge::new(reader, class, last, keep, false)? else {
        return Ok(PurgedPacks::default());
    };
    purge.run()?;
    Ok(purge.told)
}

/// Removes the packs of a retention class that have no record of an entry after `last`, but for the records that `keep` says yes to.
/// Those kept by an earlier call are asked for again, and go if it says no. A pack with records after `last` stays whole.
///
/// Open packs are closed by the integrator first, so that no `state` names a pack that is gone; kept records are durable before
/// their pack goes.
///
/// # Errors
/// The file system's; a name that is no class; the node is closed or poisoned. Nothing is lost: call it again.
pub fn purge_packs(pruner: &Pruner, class: &str, last: u64, keep: KeepPayload<'_>) -> Result<PurgedPacks> {
    let Some(mut purge) = Purge::new(&pruner.reader, class, last, keep, true)? else {
        return Ok(PurgedPacks::default());
    };
    pruner.close_packs(class, purge.last)?;
    purge.run()?;
    pruner.remove_dirs(std::mem::take(&mut purge.emptied))?;
    Ok(purge.told)
}

/// A purge on its way, or the plan of one.
struct Purge<'a> {
    fs: &'a dyn Fs,
    reader: &'a LogReader,
    log: LogId,
    class: &'a str,
    last: u64,
    keep: KeepPayload<'a>,
    /// Whether anything is changed.
    is_done: bool,
    told: PurgedPacks,
    emptied: Vec<PathBuf>,
}

impl<'a> Purge<'a> {
    /// `None` if there is nothing yet.
    fn new(
        reader: &'a LogReader,
        class: &'a str,
        last: u64,
        keep: KeepPayload<'a>,
        is_done: bool,
    ) -> Result<Option<Self>> {
        if !crate::append::is_class(class) {
            return Err(LogError::Name { what: "retention class", name: class.to_owned() });
        }
        // What no checkpoint covers may still be appended again by recovery.
        let Some(newest) = reader.size()?.checked_sub(1) else { return Ok(None) };
        let fs = &**reader.fs();
        let log = LogIdentity::load(fs, reader.dir())?.id();
        let (told, emptied) = (PurgedPacks::default(), Vec::new());
        let last = last.min(newest);
        Ok(Some(Self { fs, reader, log, class, last, keep, is_done, told, emptied }))
    }

    fn run(&mut self) -> Result<()> {
        let state = State::load(self.fs, self.reader.dir())?;
        let open: BTreeMap<String, u64> =
            state.packs.into_iter().map(|tail| (tail.name, tail.pack_bytes)).collect();
        let (packs, kept) = (self.reader.dir().packs(), self.reader.dir().kept_packs());
        let (packs, kept) = (packs.join(self.class), kept.join(self.class));
        for day in self.days(&packs)? {
            let (from, to) = (packs.join(&day), kept.join(&day));
            self.day(&day, &from, &to, &open)?;
            self.emptied.push(from);
        }
        for day in self.days(&kept)? {
            let (from, to) = (packs.join(&day), kept.join(&day));
            self.kept_day(&day, &from, &to)?;
            self.emptied.push(to);
        }
        self.emptied.extend([packs, kept]);
        Ok(())
    }

    fn days(&self, dir: &Path) -> Result<Vec<String>> {
        let (names, _) = dirs::list(self.fs, dir)?;
        Ok(names.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name).collect())
    }

    /// The packs of a day.
    fn day(&mut self, day: &str, from: &Path, to: &Path, open: &BTreeMap<String, u64>) -> Result<()> {
        let (mut packs, mut others) = (Vec::new(), Vec::new());
        for pack in packs_of_day(self.fs, self.class, day, from)? {
            let name = self.name(&pack);
            let tail = open.get(&name).copied();
            if pack.first > self.last || (self.is_done && tail.is_some()) || self.goes_on(&pack)? {
                continue;
            }
            let copy = copy_of(&pack, to);
            let Some(kept) = self.keep_of(&pack, &copy, tail)? else { continue };
            let bytes = kept.walked.bytes + self.len(&pack.index)?;
            self.told.bytes += bytes.saturating_sub(kept.bytes);
            self.told.packs.push(PurgedPack { name, sha256: kept.walked.sha256, bytes });
            packs.push(pack.pack);
            others.push(pack.index);
            if kept.records == 0 {
                // Left by a call that came to no end.
                packs.push(copy.pack);
                others.push(copy.index);
            }
        }
        if !self.is_done {
            return Ok(());
        }
        others.extend(self.orphans(from, open)?);
        // Packs go first: an index alone is nothing, a pack without one is damaged. A crash leaves any of them.
        dirs::remove_files(self.fs, packs.iter().filter(|path| path.parent() == Some(from)))?;
        dirs::remove_files(self.fs, packs.iter().filter(|path| path.parent() != Some(from)))?;
        dirs::remove_files(self.fs, &others)
    }

    /// What was kept of the packs of a day, and is not to be kept any more.
    fn kept_day(&mut self, day: &str, from: &Path, to: &Path) -> Result<()> {
        let there: BTreeSet<u64> =
            packs_of_day(self.fs, self.class, day, from)?.iter().map(|pack| pack.first).collect();
        let (mut packs, mut others) = (Vec::new(), Vec::new());
        for pack in packs_of_day(self.fs, self.class, day, to)? {
            // Of a pack that is still there it is a copy, or was just written.
            if there.contains(&pack.first) || self.told.packs.iter().any(|gone| gone.name == self.name(&pack))
            {
                continue;
            }
            let index_bytes = self.len(&pack.index)?;
            let Some(kept) = self.keep_of(&pack, &pack, None)? else { continue };
            self.told.bytes += (kept.walked.bytes + index_bytes).saturating_sub(kept.bytes);
            if kept.records == 0 {
                packs.push(pack.pack);
                others.push(pack.index);
            }
        }
        if !self.is_done {
            return Ok(());
        }
        let (names, left) = dirs::list(self.fs, to)?;
        let alone = |path: &PathBuf| !names.iter().any(|entry| entry.path == path.with_extension("pack"));
        let orphans =
            names.iter().map(|entry| &entry.path).filter(|path| path.extension() == Some("idx".as_ref()));
        others.extend(orphans.filter(|path| alone(path)).cloned());
        dirs::remove_files(self.fs, &packs)?;
        dirs::remove_files(self.fs, others.iter().chain(&left))
    }

    /// Reads a pack and writes what is to be kept of it to `copy`, if that is not itself whole already. `None` if it must stay as
    /// it is.
    fn keep_of(&mut self, pack: &PackName, copy: &PackName, tail: Option<u64>) -> Result<Option<Kept>> {
        let mut writer = KeptWriter::new(self.fs, self.log, copy, self.is_done);
        let (keep, last) = (self.keep, self.last);
        let (mut gone, mut kept, mut records) = (0, 0, 0);
        // A copy itself may have records after a smaller range's end.
        let is_copy = pack == copy;
        let walked = walk(self.fs, self.log, pack, tail, |record| {
            let is_beyond = is_copy && record.index > last;
            if is_beyond || keep(record.index, record.payload) {
                records += 1;
                kept += u64::from(!is_beyond);
                return writer.push(record);
            }
            gone += 1;
            Ok(())
        })?;
        if walked.is_damaged {
            self.told.damaged.push(self.name(pack));
        }
        if walked.is_damaged || (!is_copy && walked.last > last) {
            writer.give_up()?;
            return Ok(None);
        }
        self.told.payloads += gone;
        self.told.kept += kept;
        let is_written =
            !is_copy || gone > 0 || self.fs.read(&pack.index).ok().as_ref() != Some(&writer.index);
        let bytes = match records > 0 && is_written {
            true => writer.finish()?,
            false => writer.give_up()?,
        };
        Ok(Some(Kept { walked, records, bytes }))
    }

    /// Whether its index says that it has records after the range. What it says otherwise is not relied on.
    fn goes_on(&self, pack: &PackName) -> Result<bool> {
        let file = match self.fs.open(&pack.index, Open::Read) {
            Err(error) if error.is_not_found() => return Ok(false),
            other => other?,
        };
        let width = PACK_INDEX_BYTES as u64;
        let Some(at) = (file.len()? / width).checked_sub(1) else { return Ok(false) };
        let mut record = [0; PACK_INDEX_BYTES];
        file.read_exact_at(&mut record, at * width)?;
        Ok(index_entry(&record).is_some_and(|(index, _)| index > self.last))
    }

    /// Index files in the range whose packs are gone.
    fn orphans(&self, dir: &Path, open: &BTreeMap<String, u64>) -> Result<Vec<PathBuf>> {
        let (names, _) = dirs::list(self.fs, dir)?;
        let is_there = |path: &Path| names.iter().any(|entry| entry.path == path);
        let orphans = names.iter().filter(|entry| {
            let first = entry.name.strip_suffix(".idx").and_then(|first| first.parse::<u64>().ok());
            let name = || format!("{}/{}", self.place(dir), entry.name.trim_end_matches(".idx"));
            first.is_some_and(|first| first <= self.last)
                && !is_there(&entry.path.with_extension("pack"))
                && !open.contains_key(&name())
        });
        Ok(orphans.map(|entry| entry.path.clone()).collect())
    }

    fn place(&self, dir: &Path) -> String {
        format!("{}/{}", self.class, dir.file_name().and_then(|day| day.to_str()).unwrap_or_default())
    }

    fn name(&self, pack: &PackName) -> String {
        format!("{}/{}/{:020}", pack.class, pack.day, pack.first)
    }

    fn len(&self, path: &Path) -> Result<u64> {
        match self.fs.open(path, Open::Read) {
            Err(error) if error.is_not_found() => Ok(0),
            file => Ok(file?.len()?),
        }
    }
}

/// Where what is kept of a pack goes.
fn copy_of(pack: &PackName, dir: &Path) -> PackName {
    let file = |path: &Path| path.file_name().map(|name| dir.join(name)).unwrap_or_default();
    PackName { pack: file(&pack.pack), index: file(&pack.index), ..pack.clone() }
}

/// What is kept of a pack.
struct Kept {
    walked: Walked,
    records: u64,
    /// Bytes of the files that it is in.
    bytes: u64,
}

/// Writes what is kept of a pack, under another name until all of it is durable.
struct KeptWriter<'a> {
    fs: &'a dyn Fs,
    name: &'a PackName,
    /// Whether anything is written.
    is_done: bool,
    file: Option<Box<dyn File>>,
    written: u64,
    pending: Vec<u8>,
    index: Vec<u8>,
}

impl<'a> KeptWriter<'a> {
    fn new(fs: &'a dyn Fs, log: LogId, name: &'a PackName, is_done: bool) -> Self {
        let (pending, index) = (encode_header(log, name.first), Vec::new());
        Self { fs, name, is_done, file: None, written: 0, pending, index }
    }

    fn temporary(&self) -> PathBuf {
        let name = self.name.pack.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.name.pack.with_file_name(format!("{TMP_PREFIX}{name}"))
    }

    fn push(&mut self, record: &PayloadRecord<'_>) -> Result<()> {
        put_u64(&mut self.index, record.index);
        put_u64(&mut self.index, self.written + self.pending.len() as u64);
        put_record(&mut self.pending, record.payload, record.index, record.sealed);
        if self.pending.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        if self.is_done {
            let file = match self.file.take() {
                Some(file) => file,
                None => {
                    create_dir_all(self.fs, self.name.pack.parent().unwrap_or(Path::new("")))?;
                    create_over(self.fs, &self.temporary())?
                }
            };
            file.write_all_at(&self.pending, self.written)?;
            self.file = Some(file);
        }
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Makes what was pushed durable in its place, and its index file after it. A crash between the two leaves the index of
    /// another state, or none, which readers see. Returns the bytes of both.
    fn finish(mut self) -> Result<u64> {
        self.write()?;
        let bytes = self.written + self.index.len() as u64;
        if let Some(file) = self.file.take() {
            file.sync_data()?;
            drop(file);
            self.fs.rename(&self.temporary(), &self.name.pack)?;
            if let Some(dir) = self.name.pack.parent() {
                self.fs.sync_dir(dir)?;
            }
            replace_file(self.fs, &self.name.index, &self.index)?;
        }
        Ok(bytes)
    }

    /// Leaves everything as it was. Returns the bytes that what was pushed has.
    fn give_up(mut self) -> Result<u64> {
        if self.file.take().is_some() {
            self.fs.remove_file(&self.temporary())?;
        }
        let none = self.index.is_empty();
        Ok(if none { 0 } else { self.written + (self.pending.len() + self.index.len()) as u64 })
    }
}
