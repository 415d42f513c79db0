//! The table: every page's key, the lookup key, the signing seeds; sealed whole by the root key.

use std::collections::BTreeMap;

use inferlog_disk::Rng;
use zeroize::Zeroizing;

use crate::KeystoreId;
use crate::aead::{self, KEY_BYTES, Key};
use crate::error::Result;
use crate::root::RootKey;

const MAGIC: &[u8; 8] = b"ILROOT01";
/// Magic, keystore id, root epoch: clear, and authenticated.
const CLEAR_BYTES: usize = 28;

/// Log id and index of an erasure's intent.
pub type LogPosition = ([u8; 16], u64);

/// One page's key.
#[derive(Clone, Debug)]
pub(crate) struct PageKey {
    /// 0 at first, one more at every rewrite. Only pages of generation 0 take new keys: what a rewrite freed stays free.
    pub(crate) generation: u32,
    pub(crate) key: Key,
}

/// One Ed25519 seed.
#[derive(Clone, Debug)]
pub(crate) struct SigningSeed {
    /// When it was made, nanoseconds since 1970.
    pub(crate) created_ns: u64,
    pub(crate) seed: Key,
    pub(crate) origin: String,
}

/// The table's plaintext.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) lookup_key: Key,
    pub(crate) last_erasure: LogPosition,
    pub(crate) pages: BTreeMap<u32, PageKey>,
    /// In the order they were made.
    pub(crate) signing: Vec<SigningSeed>,
}

impl Table {
    pub(crate) fn new(lookup_key: Key) -> Self {
        Self { lookup_key, last_erasure: ([0; 16], 0), pages: BTreeMap::new(), signing: Vec::new() }
    }

    /// The number after the highest; `None` if there is none.
    pub(crate) fn next_page(&self) -> Option<u32> {
        self.pages.last_key_value().map_or(Some(0), |(page, _)| page.checked_add(1))
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let seeds: usize = self.signing.iter().map(|seed| 42 + seed.origin.len()).sum();
        // The whole capacity at once: growing would leave copies of keys behind.
        let mut out = Zeroizing::new(Vec::with_capacity(64 + self.pages.len() * 40 + seeds));
        out.extend_from_slice(self.lookup_key.bytes());
        out.extend_from_slice(&self.last_erasure.0);
        out.extend_from_slice(&self.last_erasure.1.to_be_bytes());
        out.extend_from_slice(&(self.pages.len() as u32).to_be_bytes());
        for (page, entry) in &self.pages {
            out.extend_from_slice(&page.to_be_bytes());
            out.extend_from_slice(&entry.generation.to_be_bytes());
            out.extend_from_slice(entry.key.bytes());
        }
        out.extend_from_slice(&(self.signing.len() as u32).to_be_bytes());
        for seed in &self.signing {
            out.extend_from_slice(&seed.created_ns.to_be_bytes());
            out.extend_from_slice(seed.seed.bytes());
            out.extend_from_slice(&(seed.origin.len() as u16).to_be_bytes());
            out.extend_from_slice(seed.origin.as_bytes());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        let mut table = Self::new(rest.key()?);
        table.last_erasure = (rest.array()?, u64::from_be_bytes(rest.array()?));
        for _ in 0..u32::from_be_bytes(rest.array()?) {
            let page = u32::from_be_bytes(rest.array()?);
            let generation = u32::from_be_bytes(rest.array()?);
            table.pages.insert(page, PageKey { generation, key: rest.key()? });
        }
        for _ in 0..u32::from_be_bytes(rest.array()?) {
            let created_ns = u64::from_be_bytes(rest.array()?);
            let seed = rest.key()?;
            let len = u16::from_be_bytes(rest.array()?);
            let origin = String::from_utf8(rest.take(len.into())?.to_vec()).ok()?;
            table.signing.push(SigningSeed { created_ns, seed, origin });
        }
        rest.0.is_empty().then_some(table)
    }

    /// The file's bytes.
    pub(crate) fn seal(&self, rng: &dyn Rng, keystore: KeystoreId, root: &RootKey) -> Result<Vec<u8>> {
        let mut clear = [0; CLEAR_BYTES];
        clear[..8].copy_from_slice(MAGIC);
        clear[8..24].copy_from_slice(&keystore.0);
        clear[24..].copy_from_slice(&root.epoch.to_be_bytes());
        let sealed = aead::seal(&root.key, aead::random_nonce(rng)?, &clear, &self.encode())?;
        Ok([&clear[..], &sealed].concat())
    }

    /// The table in a file's bytes; `None` if it is not this keystore's, or the root key does not open it.
    pub(crate) fn open(bytes: &[u8], keystore: KeystoreId, root: &RootKey) -> Option<Self> {
        let (clear, sealed) = bytes.split_at_checked(CLEAR_BYTES)?;
        if !clear.starts_with(MAGIC) || clear.get(8..24)? != keystore.0 || epoch(bytes)? != root.epoch {
            return None;
        }
        Self::decode(&aead::open(&root.key, clear, sealed)?)
    }
}

/// The root epoch that a table file states.
pub(crate) fn epoch(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(24..)?.first_chunk()?))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn key(&mut self) -> Option<Key> {
        Key::from_slice(self.take(KEY_BYTES)?)
    }
}

#[cfg(test)]
mod tests {
    use inferlog_disk::SeededRng;
    use proptest::prelude::*;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(Key::new([1; 32]));
        table.last_erasure = ([2; 16], 3);
        for page in [0, 7, u32::MAX] {
            table.pages.insert(page, PageKey { generation: page / 2, key: Key::new([page as u8; 32]) });
        }
        for (created_ns, origin) in [(4, "one"), (u64::MAX, ""), (6, "one")] {
            let seed = Key::new([created_ns as u8; 32]);
            table.signing.push(SigningSeed { created_ns, seed, origin: origin.to_owned() });
        }
        table
    }

    #[test]
    fn a_table_comes_back_and_every_flipped_bit_is_refused() {
        let (id, root) = (KeystoreId([9; 16]), RootKey::new(12, [8; 32]));
        let mut bytes = table().seal(&SeededRng::new(1), id, &root).unwrap();
        let opened = Table::open(&bytes, id, &root).unwrap();
        assert_eq!(*opened.encode(), *table().encode());
        assert_eq!((epoch(&bytes), opened.next_page()), (Some(12), None));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Table::open(&bytes, id, &root).is_none(), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(Table::open(&bytes, KeystoreId([0; 16]), &root).is_none());
        assert!(Table::open(&bytes, id, &RootKey::new(12, [7; 32])).is_none());
    }

    proptest! {
        #[test]
        fn no_plaintext_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..400_usize) {
            let _ = Table::decode(&bytes);
            let real = table().encode();
            let cut = cut.min(real.len() - 1);
            prop_assert!(Table::decode(&real[..cut]).is_none());
            let _ = Table::decode(&[&real[..cut], &bytes].concat());
        }
    }
}
