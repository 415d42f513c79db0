//! One file's bytes: what readers see, what is durable, and every state in between that a disk may hold.
//!
//! The unit is the sector: disks write it whole, so that after a crash each one holds its durable content or any state it
//! was in since. Sectors are independent of each other and of the file's length: nothing orders write-back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::crash::{Choice, FileFate};

/// What a disk writes whole, bytes.
pub const SECTOR_BYTES: usize = 512;

type Sector = [u8; SECTOR_BYTES];

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    /// States of each sector since it was last made durable, oldest first.
    states: BTreeMap<usize, Vec<Sector>>,
    /// The sectors that the next sync writes. Others with states were lost by a sync that failed.
    dirty: BTreeSet<usize>,
    /// Lengths since the length was last made durable, oldest first.
    lens: Vec<usize>,
    len_dirty: bool,
    /// Which sectors have space on the disk.
    backed: BTreeSet<usize>,
    /// Open handles.
    pub(super) handles: u32,
}

impl Inode {
    pub(super) fn visible(&self) -> &[u8] {
        &self.visible
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn len(&self) -> usize {
        self.visible.len()
    }

    /// Bytes of disk space in use.
    pub(super) fn space(&self) -> u64 {
        (self.backed.len() * SECTOR_BYTES) as u64
    }

    /// How much of a range, from its start, can be stored if the disk has `free` bytes left.
    pub(super) fn fits(&self, range: Range<usize>, free: u64) -> usize {
        let mut room = free / SECTOR_BYTES as u64;
        for sector in sectors(&range) {
            if self.backed.contains(&sector) {
                continue;
            }
            if room == 0 {
                return (sector * SECTOR_BYTES).saturating_sub(range.start).min(range.len());
            }
            room -= 1;
        }
        range.len()
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let range = offset..offset + bytes.len();
        if range.is_empty() {
            return;
        }
        if range.end > self.visible.len() {
            self.visible.resize(range.end, 0);
            self.lens.push(range.end);
        }
        // The sync must write the length too, if the bytes could not be found without it.
        self.len_dirty |= range.end > self.durable.len();
        self.visible[range.clone()].copy_from_slice(bytes);
        for sector in sectors(&range) {
            self.backed.insert(sector);
            self.touch(sector);
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let before = self.visible.len();
        self.visible.resize(len, 0);
        for sector in sectors(&(len..before)) {
            self.touch(sector);
        }
        self.backed.retain(|&sector| sector * SECTOR_BYTES < len || len >= before);
        self.lens.push(len);
        self.len_dirty = true;
    }

    pub(super) fn allocate(&mut self, len: usize) {
        self.backed.extend(sectors(&(0..len)));
        if len > self.visible.len() {
            self.set_len(len);
        }
    }

    /// A sync that works.
    pub(super) fn sync(&mut self) {
        if self.len_dirty {
            self.durable.resize(self.visible.len(), 0);
            self.lens.clear();
            self.len_dirty = false;
        }
        let end = self.visible.len().min(self.durable.len());
        for sector in std::mem::take(&mut self.dirty) {
            let range = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(end);
            if !range.is_empty() {
                self.durable[range.clone()].copy_from_slice(&self.visible[range]);
            }
            self.states.remove(&sector);
        }
    }

    /// A sync that fails: the pages stay in the cache and count as clean.
    pub(super) fn lose(&mut self) {
        self.dirty.clear();
        self.len_dirty = false;
    }

    /// Power returns: what is found is one of the states that the disk may hold.
    pub(super) fn crash(&mut self, fate: &mut FileFate<'_>) {
        let states = std::mem::take(&mut self.states);
        let longest = self.lens.iter().copied().max().unwrap_or(0).max(self.durable.len());
        let len = match fate.length(self.lens.len(), self.len_dirty) {
            Some(index) => self.lens[index],
            None => self.durable.len(),
        };
        self.durable.resize(longest, 0);
        let count = states.len();
        for (index, (sector, states)) in states.into_iter().enumerate() {
            let start = sector * SECTOR_BYTES;
            let end = (start + SECTOR_BYTES).min(longest);
            if start >= end {
                continue;
            }
            let place = &mut self.durable[start..end];
            match fate.sector(index, count, states.len(), self.dirty.contains(&sector)) {
                Choice::Durable => {}
                Choice::State(state) => place.copy_from_slice(&states[state][..end - start]),
                Choice::Garbage(rng) => rng.fill(place),
            }
        }
        self.durable.resize(len, 0);
        let durable = std::mem::take(&mut self.durable);
        let backed =
            std::mem::take(&mut self.backed).into_iter().filter(|s| s * SECTOR_BYTES < len).collect();
        *self = Self { visible: durable.clone(), durable, backed, ..Self::default() };
    }

    /// Rots one bit, on the disk and in the cache. False if the file ends before.
    pub(super) fn flip_bit(&mut self, offset: usize, bit: u8) -> bool {
        let mask = 1 << (bit % 8);
        for states in self.states.get_mut(&(offset / SECTOR_BYTES)).into_iter().flatten() {
            states[offset % SECTOR_BYTES] ^= mask;
        }
        if let Some(byte) = self.durable.get_mut(offset) {
            *byte ^= mask;
        }
        self.visible.get_mut(offset).map(|byte| *byte ^= mask).is_some()
    }

    /// Notes the state that a sector is in now.
    fn touch(&mut self, sector: usize) {
        let start = (sector * SECTOR_BYTES).min(self.visible.len());
        let end = (start + SECTOR_BYTES).min(self.visible.len());
        let mut state = [0; SECTOR_BYTES];
        state[..end - start].copy_from_slice(&self.visible[start..end]);
        self.states.entry(sector).or_default().push(state);
        self.dirty.insert(sector);
    }
}

/// The sectors that hold a range of bytes.
fn sectors(range: &Range<usize>) -> Range<usize> {
    if range.start >= range.end {
        return 0..0;
    }
    range.start / SECTOR_BYTES..range.end.div_ceil(SECTOR_BYTES)
}
