//! Page files: appending births, reading keys back.
//!
//! Births collect in memory and go to their pages at [`Store::sync`]; until then a crash loses them and the WAL has them.
//! What a crash left of an unsynced append is found when the page is first appended to: bytes that the page's key does not
//! open are left out, and the page is written anew. It is also written anew where a birth comes again that the file already
//! shows, for what an earlier process wrote and failed to sync may be readable now and gone after a crash.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use inferlog_disk::{Fs, Open, read_optional, replace_file};
use inferlog_record::KeyId;
use lru::LruCache;
use zeroize::Zeroizing;

use crate::KeystoreId;
use crate::dir::Dir;
use crate::error::{Result, VaultError};
use crate::page::SLOTS_MAX;
use crate::page::birth::{self, Birth};
use crate::page::header::{Header, Topic};
use crate::page::plain::LookupPlain;
use crate::page::record;
use crate::table::{PageKey, Table};

/// How many pages' lengths and taken slots are kept between syncs; some 600 bytes each.
const TAILS_MAX: usize = 8_192;
/// How many whole pages are kept for reading; up to a megabyte each, most often less.
const CACHED_PAGES: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// What became of births.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// Taken into their pages.
    pub taken: usize,
    /// Passed over: there already, or erased or purged since.
    pub passed: usize,
    /// Lost: their pages are newer than this keystore's table, which was restored from an older copy.
    pub lost: usize,
}

/// The pages of one keystore.
#[derive(Debug)]
pub(crate) struct Store {
    fs: Arc<dyn Fs>,
    dir: Dir,
    keystore: KeystoreId,
    tails: LruCache<u32, Tail>,
    /// Pages whose tail is not on disk.
    dirty: BTreeSet<u32>,
    /// Pages written anew by this process: a copy elsewhere may differ at the same length.
    rewritten: BTreeSet<u32>,
    cache: LruCache<u32, Arc<[u8]>>,
}

/// The end of a page that births are appended to.
#[derive(Debug)]
struct Tail {
    topic: Topic,
    generation: u32,
    /// Length of the file; `None` if there is none.
    len: Option<u64>,
    slots: Slots,
    /// Records that are not in the file yet.
    buffer: Vec<u8>,
    /// Whether this process wrote, and synced, all that the file shows.
    own: bool,
    /// Whether the file must be written anew as a whole.
    rewrite: bool,
}

/// The keys of a page that are on disk, as its file has them.
pub(crate) struct Content<'a> {
    /// `None` where the header does not check.
    pub(crate) header: Option<Header>,
    pub(crate) records: Vec<record::Record<'a>>,
    /// Whether the file is made of header and records alone.
    pub(crate) whole: bool,
}

impl Content<'_> {
    fn bytes(&self, header: &Header) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        self.records.iter().for_each(|record| record.append_to(&mut bytes));
        bytes
    }
}

impl Store {
    pub(crate) fn new(fs: Arc<dyn Fs>, dir: Dir, keystore: KeystoreId) -> Self {
        let (dirty, rewritten) = (BTreeSet::new(), BTreeSet::new());
        Self {
            fs,
            dir,
            keystore,
            tails: LruCache::unbounded(),
            dirty,
            rewritten,
            cache: LruCache::new(CACHED_PAGES),
        }
    }

    /// Appends the births that are new and that their page's present key opens. Calls `absorbed` with the topic of each, and
    /// with what a lookup record says.
    pub(crate) fn absorb(
        &mut self,
        births: &[u8],
        table: &Table,
        mut absorbed: impl FnMut(&Header, Option<LookupPlain>),
    ) -> Result<Intake> {
        let mut intake = Intake::default();
        for birth in birth::parse(births) {
            let birth = birth?;
            let Some(page_key) = table.pages.get(&birth.header.page) else {
                let newer = table.next_page().is_some_and(|next| birth.header.page >= next);
                *(if newer { &mut intake.lost } else { &mut intake.passed }) += 1;
                continue;
            };
            let Some(plain) = self.absorb_one(&birth, page_key)? else {
                intake.passed += 1;
                continue;
            };
            let is_lookup = matches!(birth.header.topic, Topic::Lookup(_));
            absorbed(&birth.header, is_lookup.then(|| LookupPlain::decode(&plain)).flatten());
            intake.taken += 1;
        }
        Ok(intake)
    }

    fn absorb_one(&mut self, birth: &Birth<'_>, page_key: &PageKey) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let (page, slot) = (birth.header.page, birth.record.slot);
        let keystore = self.keystore;
        let tail = self.tail(page, page_key, &birth.header.topic)?;
        if tail.slots.has(slot) {
            tail.rewrite |= !tail.own;
            let rewrite = tail.rewrite;
            if rewrite {
                self.dirty.insert(page);
            }
            return Ok(None);
        }
        // Under another key: the page was rewritten since, and this birth is of what was erased then, or was carried over.
        let Some(plain) = birth.record.open(keystore, page, &page_key.key) else { return Ok(None) };
        if tail.topic != birth.header.topic {
            let path = self.dir.page(page, page_key.generation);
            return Err(self
                .dir
                .damaged(path, "its header says another topic than a birth that belongs to it"));
        }
        tail.slots.add(slot);
        birth.record.append_to(&mut tail.buffer);
        self.dirty.insert(page);
        Ok(Some(plain))
    }

    /// The page's tail. `topic` is what the page is for if it has no file yet, or its header does not check.
    fn tail(&mut self, page: u32, page_key: &PageKey, topic: &Topic) -> Result<&mut Tail> {
        if !self.tails.contains(&page) {
            let bytes = read_optional(&*self.fs, &self.dir.page(page, page_key.generation))?;
            let mut tail = Tail {
                topic: topic.clone(),
                generation: page_key.generation,
                len: bytes.as_ref().map(|bytes| bytes.len() as u64),
                slots: Slots::default(),
                buffer: Vec::new(),
                own: bytes.is_none(),
                rewrite: false,
            };
            if let Some(bytes) = bytes {
                let content = self.content(&bytes, page, page_key);
                content.records.iter().for_each(|record| tail.slots.add(record.slot));
                tail.rewrite = !content.whole;
                if let Some(header) = content.header {
                    tail.topic = header.topic;
                }
            }
            if tail.rewrite {
                self.dirty.insert(page);
            }
            self.tails.put(page, tail);
        }
        // Just put there.
        self.tails.get_mut(&page).ok_or(VaultError::Poisoned)
    }

    /// What a page file holds: the header, and every record that the page's key opens.
    pub(crate) fn content<'a>(&self, bytes: &'a [u8], page: u32, page_key: &PageKey) -> Content<'a> {
        let ours = |header: &Header| {
            (header.keystore, header.page, header.generation) == (self.keystore, page, page_key.generation)
        };
        let header = Header::parse(bytes).filter(|(header, _)| ours(header));
        let start = header.as_ref().map_or(0, |(_, len)| *len);
        let walk =
            record::authentic(bytes.get(start..).unwrap_or_default(), self.keystore, page, &page_key.key);
        let whole = walk.whole && header.is_some();
        Content { header: header.map(|(header, _)| header), records: walk.records, whole }
    }

    /// Writes what was absorbed to the pages, durably. After an error the store must not be used again.
    pub(crate) fn sync(&mut self, table: &Table) -> Result<()> {
        let mut names = false;
        for page in std::mem::take(&mut self.dirty) {
            let Some(page_key) = table.pages.get(&page) else { continue };
            names |= self.sync_page(page, page_key)?;
        }
        if names {
            // A crash before this may lose pages that are new; the WAL has their births.
            self.fs.sync_dir(&self.dir.pages())?;
        }
        while self.tails.len() > TAILS_MAX {
            self.tails.pop_lru();
        }
        Ok(())
    }

    /// Returns whether the page's name is new.
    fn sync_page(&mut self, page: u32, page_key: &PageKey) -> Result<bool> {
        let path = self.dir.page(page, page_key.generation);
        let Some(tail) = self.tails.peek(&page) else { return Ok(false) };
        let header =
            Header { keystore: self.keystore, page, generation: tail.generation, topic: tail.topic.clone() };
        let (bytes, at, new) = match tail.len {
            Some(_) if tail.rewrite => {
                let old = self.fs.read(&path)?;
                let mut bytes = self.content(&old, page, page_key).bytes(&header);
                bytes.extend_from_slice(&tail.buffer);
                // A crash leaves the old file or the new one. Both hold every key that was durable.
                replace_file(&*self.fs, &path, &bytes)?;
                self.rewritten.insert(page);
                (bytes, 0, false)
            }
            Some(len) => {
                let file = self.fs.open(&path, Open::Write)?;
                // A crash leaves any part of the new records, after whole old ones.
                file.write_all_at(&tail.buffer, len)?;
                file.sync_data()?;
                (tail.buffer.clone(), len, false)
            }
            None => {
                let mut bytes = Vec::new();
                header.encode(&mut bytes);
                bytes.extend_from_slice(&tail.buffer);
                let file = self.fs.open(&path, Open::CreateNew)?;
                file.write_all_at(&bytes, 0)?;
                file.sync_data()?;
                (bytes, 0, true)
            }
        };
        if let Some(tail) = self.tails.peek_mut(&page) {
            tail.len = Some(at + bytes.len() as u64);
            // An append leaves the doubt about what the file showed before.
            tail.own |= at == 0;
            tail.rewrite = false;
            tail.buffer.clear();
        }
        self.cache.pop(&page);
        Ok(new)
    }

    /// The plaintext at `id`; `None` if the page has none there.
    pub(crate) fn read(&mut self, id: KeyId, page_key: &PageKey) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let buffered = self.tails.peek(&id.page).map(|tail| &tail.buffer[..]).unwrap_or_default();
        if let Some(plain) = find(buffered, self.keystore, id, page_key) {
            return Ok(Some(plain));
        }
        let Some(bytes) = self.file(id.page, page_key)? else { return Ok(None) };
        let start = Header::parse(&bytes).map_or(0, |(_, len)| len);
        let rest = bytes.get(start..).unwrap_or_default();
        if let Some(plain) = find(rest, self.keystore, id, page_key) {
            return Ok(Some(plain));
        }
        if record::walk(rest).whole {
            return Ok(None);
        }
        // Something does not check on the way; the record may stand after it.
        let content = self.content(&bytes, id.page, page_key);
        let found = content.records.iter().find(|record| record.slot == id.slot);
        Ok(found.and_then(|record| record.open(self.keystore, id.page, &page_key.key)))
    }

    /// A page file's bytes, from memory if they were read a short while ago.
    fn file(&mut self, page: u32, page_key: &PageKey) -> Result<Option<Arc<[u8]>>> {
        if let Some(bytes) = self.cache.get(&page) {
            return Ok(Some(Arc::clone(bytes)));
        }
        let Some(bytes) = read_optional(&*self.fs, &self.dir.page(page, page_key.generation))? else {
            return Ok(None);
        };
        let bytes: Arc<[u8]> = bytes.into();
        self.cache.put(page, Arc::clone(&bytes));
        Ok(Some(bytes))
    }

    /// Slot and plaintext of every key of a page, on disk or absorbed.
    pub(crate) fn read_all(&self, page: u32, page_key: &PageKey) -> Result<Vec<(u16, Zeroizing<Vec<u8>>)>> {
        let mut bytes =
            read_optional(&*self.fs, &self.dir.page(page, page_key.generation))?.unwrap_or_default();
        if let Some(tail) = self.tails.peek(&page) {
            bytes.extend_from_slice(&tail.buffer);
        }
        let content = self.content(&bytes, page, page_key);
        let open = |record: &record::Record<'_>| {
            Some((record.slot, record.open(self.keystore, page, &page_key.key)?))
        };
        Ok(content.records.iter().filter_map(open).collect())
    }

    /// The slot after the highest taken one.
    pub(crate) fn next_slot(&mut self, page: u32, page_key: &PageKey, topic: &Topic) -> Result<u16> {
        Ok(self.tail(page, page_key, topic)?.slots.next())
    }

    /// Forgets a page: its file was replaced by another generation, or is gone.
    pub(crate) fn forget(&mut self, page: u32) {
        self.tails.pop(&page);
        self.dirty.remove(&page);
        self.cache.pop(&page);
    }

    pub(crate) fn was_rewritten(&self, page: u32) -> bool {
        self.rewritten.contains(&page)
    }
}

fn find(records: &[u8], keystore: KeystoreId, id: KeyId, page_key: &PageKey) -> Option<Zeroizing<Vec<u8>>> {
    let walk = record::walk(records);
    let at_slot = walk.records.iter().filter(|record| record.slot == id.slot);
    at_slot.filter_map(|record| record.open(keystore, id.page, &page_key.key)).next()
}

/// Which slots of a page are taken.
#[derive(Debug)]
struct Slots(Box<[u64; SLOTS_MAX as usize / 64]>);

impl Default for Slots {
    fn default() -> Self {
        Self(Box::new([0; SLOTS_MAX as usize / 64]))
    }
}

impl Slots {
    fn has(&self, slot: u16) -> bool {
        self.0.get(usize::from(slot) / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    fn add(&mut self, slot: u16) {
        if let Some(word) = self.0.get_mut(usize::from(slot) / 64) {
            *word |= 1 << (slot % 64);
        }
    }

    /// One more than the highest.
    fn next(&self) -> u16 {
        let last = self.0.iter().enumerate().rev().find(|(_, word)| **word != 0);
        last.map_or(0, |(at, word)| at as u16 * 64 + 64 - word.leading_zeros() as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_slot_is_after_the_highest() {
        let mut slots = Slots::default();
        assert_eq!(slots.next(), 0);
        for slot in [0, 5, 63, 64, 4_000, 4_095] {
            assert!(!slots.has(slot));
            slots.add(slot);
            assert!(slots.has(slot));
            assert_eq!(slots.next(), slot + 1);
        }
        slots.add(9);
        assert_eq!(slots.next(), 4_096);
    }
}
