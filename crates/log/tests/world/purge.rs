//! Purges in a world, and what they are to remove.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_log::packs::{PackName, list_kept_packs, list_packs};
use inferlog_log::prune::Pruner;
use inferlog_log::{LogReader, records};
use parking_lot::Mutex;

use super::{Life, World};

/// Prunes a system's log through the integrator of this life.
pub fn with_pruner<T>(
    world: &World,
    mut life: Life,
    system: &str,
    prune: impl FnOnce(&Pruner) -> T,
) -> (Life, T) {
    let owner = Arc::new(Mutex::new(life.recovered.integrator));
    let dir = life.logs[system].1.clone();
    let pruner = Pruner::new(Arc::new(world.fs.clone()), dir, owner.clone());
    let result = prune(&pruner);
    drop(pruner);
    life.recovered.integrator = Arc::into_inner(owner).unwrap().into_inner();
    (life, result)
}

/// Where a payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In what was kept of a pack that is gone.
    pub is_kept: bool,
    /// Of its entry.
    pub index: u64,
    /// The last index in the same pack.
    pub last: u64,
}

impl Place {
    /// Whether a purge up to an entry reaches it.
    pub fn is_due(&self, last: u64) -> bool {
        self.index <= last && (self.is_kept || self.last <= last)
    }
}

/// Where each payload of a class lies, and how many records there are: more than payloads where a purge came to no end.
pub fn places(fs: &dyn Fs, reader: &LogReader, class: &str) -> (BTreeMap<[u8; 16], Place>, usize) {
    let (mut places, mut count) = (BTreeMap::new(), 0);
    let packs = list_packs(fs, reader.dir()).unwrap();
    let kept = list_kept_packs(fs, reader.dir()).unwrap();
    // A copy of what is still in its pack counts for nothing.
    let all = kept.iter().map(|pack| (pack, true)).chain(packs.iter().map(|pack| (pack, false)));
    for (pack, is_kept) in all.filter(|(pack, _)| pack.class == class) {
        let bytes = fs.read(&pack.pack).unwrap();
        let found: Vec<_> = records(&bytes[64..]).map(Option::unwrap).collect();
        let last = found.iter().map(|record| record.index).max().unwrap();
        count += found.len();
        for record in found {
            places.insert(record.payload, Place { is_kept, index: record.index, last });
        }
    }
    (places, count)
}

/// Index files say where each record begins.
pub fn check_indices(fs: &dyn Fs, reader: &LogReader) {
    let check = |pack: PackName| {
        let bytes = fs.read(&pack.pack).unwrap();
        let (mut offset, mut index) = (64, Vec::new());
        for record in records(&bytes[64..]).map(Option::unwrap) {
            index.extend([record.index.to_be_bytes(), (offset as u64).to_be_bytes()].concat());
            offset += record.span();
        }
        assert_eq!(fs.read(&pack.index).unwrap(), index);
    };
    list_packs(fs, reader.dir()).unwrap().into_iter().for_each(check);
    list_kept_packs(fs, reader.dir()).unwrap().into_iter().for_each(check);
}

/// The payloads that a purge of packs is to remove.
pub fn gone_of_packs(
    places: &BTreeMap<[u8; 16], Place>,
    last: u64,
    keep: &dyn Fn(u64) -> bool,
) -> BTreeSet<[u8; 16]> {
    let gone = places.iter().filter(|(_, place)| place.is_due(last) && !keep(place.index));
    gone.map(|(payload, _)| *payload).collect()
}

/// Where a log begins after a purge of entries, and the entries that are gone then.
pub fn gone_of_entries(reader: &LogReader, upto: u64, keep: &dyn Fn(u64) -> bool) -> (u64, BTreeSet<u64>) {
    let (before, size) = (reader.first().unwrap(), reader.size().unwrap());
    let first = before.max((upto / 256).min((size / 256).saturating_sub(1)) * 256);
    (first, (0..first).filter(|index| !keep(*index)).collect())
}
