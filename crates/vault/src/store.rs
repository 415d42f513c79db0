//! Page files: appending births, reading keys back.
//!
//! Births collect in memory and go to their pages at the next sync (`sync.rs`); until then a crash loses them and the WAL has
//! them.
//! What a crash left of an unsynced append is found when the page is first appended to: bytes that the page's key does not
//! open are left out, and the page is written anew. It is also written anew where a birth comes again that the file already
//! shows, for what an earlier process wrote and failed to sync may be readable now and gone after a crash.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

use inferlog_disk::{Fs, read_optional};
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
use crate::sync::{PageWrite, Written};
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

impl<'a> Content<'a> {
    /// What `bytes`, of the page file that `keystore`, `page` and `page_key` name, hold.
    pub(crate) fn parse(bytes: &'a [u8], keystore: KeystoreId, page: u32, page_key: &PageKey) -> Self {
        let ours = |header: &Header| {
            (header.keystore, header.page, header.generation) == (keystore, page, page_key.generation)
        };
        let header = Header::parse(bytes).filter(|(header, _)| ours(header));
        let start = header.as_ref().map_or(0, |(_, len)| *len);
        let walk = record::authentic(bytes.get(start..).unwrap_or_default(), keystore, page, &page_key.key);
        let whole = walk.whole && header.is_some();
        Content { header: header.map(|(header, _)| header), records: walk.records, whole }
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
                len: bytes.as_ref().map(|bytes| bytes.len() as u64),
                slots: Slots::default(),
                buffer: Vec::new(),
                own: bytes.is_none(),
                rewrite: false,
            };
            if let Some(bytes) = bytes {
                let content = Content::parse(&bytes, self.keystore, page, page_key);
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

    /// What must be written for all that was absorbed so far to be durable: by the caller, without holding the store.
    pub(crate) fn begin_sync(&mut self, table: &Table) -> Vec<PageWrite> {
        let mut writes = Vec::with_capacity(self.dirty.len());
        for page in std::mem::take(&mut self.dirty) {
            let (Some(page_key), Some(tail)) = (table.pages.get(&page), self.tails.peek_mut(&page)) else {
                continue;
            };
            let (keystore, generation) = (self.keystore, page_key.generation);
            writes.push(PageWrite {
                path: self.dir.page(page, generation),
                header: Header { keystore, page, generation, topic: tail.topic.clone() },
                key: page_key.key.clone(),
                len: tail.len,
                // What comes meanwhile decides anew.
                rewrite: std::mem::take(&mut tail.rewrite),
                // They stay in the buffer, for readers, until they are in the file.
                records: tail.buffer.clone(),
            });
        }
        writes
    }

    /// All of [`Store::begin_sync`] is durable.
    pub(crate) fn end_sync(&mut self, written: &[Written]) {
        for written in written {
            if let Some(tail) = self.tails.peek_mut(&written.page) {
                tail.len = Some(written.len);
                // An append leaves the doubt about what the file showed before.
                tail.own |= written.whole;
                tail.buffer.drain(..written.records.min(tail.buffer.len()));
                // A full page's tail stays: without this its buffer would keep the space of a page.
                tail.buffer.shrink_to_fit();
            }
            if written.rewritten {
                self.rewritten.insert(written.page);
            }
            self.cache.pop(&written.page);
        }
        // What is dirty again stays: the pages know nothing of it.
        while self.tails.len() > TAILS_MAX
            && self.tails.peek_lru().is_some_and(|(page, _)| !self.dirty.contains(page))
        {
            self.tails.pop_lru();
        }
    }

    /// Nothing of [`Store::begin_sync`] counts: the next one does it again.
    pub(crate) fn undo_sync(&mut self, writes: &[PageWrite]) {
        for write in writes {
            let page = write.header.page;
            if let Some(tail) = self.tails.peek_mut(&page) {
                tail.rewrite |= write.rewrite;
                self.dirty.insert(page);
            }
        }
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
        let content = Content::parse(&bytes, self.keystore, id.page, page_key);
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
        let content = Content::parse(&bytes, self.keystore, page, page_key);
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

    pub(crate) fn rewritten(&self) -> &BTreeSet<u32> {
        &self.rewritten
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
