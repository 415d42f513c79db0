//! A reader of keystores written from docs/format.md, sections 5 and 7, and from nothing else: it shares no code with the vault.
//!
//! It plays the adversary: it takes every byte that it can get (present files, backups, recycled blocks, births in old
//! segments of the log) and every root key that it holds, and tries each key on each record.

use std::collections::{BTreeMap, BTreeSet};

use aes_gcm_siv::aead::{AeadInPlace, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::harness::{ORIGIN, Payload};

type Key = [u8; 32];

/// What the adversary has.
#[derive(Clone, Default)]
pub(crate) struct Loot {
    /// Whole files.
    pub(crate) files: Vec<Vec<u8>>,
    /// Parts of page files without their header: page number and bytes.
    pub(crate) fragments: Vec<(u32, Vec<u8>)>,
    /// Births as they stood in the log.
    pub(crate) births: Vec<Vec<u8>>,
    /// Root keys.
    pub(crate) roots: Vec<Key>,
}

/// What it can read with that.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) tables: usize,
    page_keys: BTreeMap<u32, BTreeSet<Key>>,
    lookup_keys: BTreeSet<Key>,
    /// Pseudonym to key.
    pub(crate) subjects: BTreeMap<[u8; 16], Key>,
    /// Digest to pseudonym.
    pub(crate) lookups: BTreeMap<Key, [u8; 16]>,
    /// Decisions' keys, bare.
    pub(crate) decision_keys: BTreeSet<Key>,
}

struct Record<'a> {
    keystore: [u8; 16],
    page: u32,
    kind: u8,
    slot: u16,
    sealed: &'a [u8],
}

fn gcm_siv(key: &Key, sealed: &[u8], associated: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_at_checked(12)?;
    let (body, tag) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
    let mut plain = body.to_vec();
    let cipher = Aes256GcmSiv::new_from_slice(key).unwrap();
    let opened = cipher.decrypt_in_place_detached(
        Nonce::from_slice(nonce),
        associated,
        &mut plain,
        Tag::from_slice(tag),
    );
    opened.ok().map(|()| plain)
}

fn be(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

impl Loot {
    pub(crate) fn read(&self) -> Read {
        let mut read = Read::default();
        for file in self.files.iter().filter(|file| file.len() >= 56 && file.starts_with(b"ILROOT01")) {
            // Whatever epoch the table says.
            for root in &self.roots {
                if let Some(table) = gcm_siv(root, &file[28..], &file[..28]) {
                    read.table(&table);
                }
            }
        }
        let mut records = Vec::new();
        self.files.iter().for_each(|file| page_file(file, &mut records));
        self.births.iter().for_each(|births| split_births(births, &mut records));
        let keystore = records.first().map(|record| record.keystore).unwrap_or_default();
        for (page, bytes) in &self.fragments {
            // The kind is unknown: whatever opens is taken for each.
            for kind in 1..=4 {
                page_records(bytes, keystore, *page, kind, &mut records);
            }
        }
        read.records(&records);
        read
    }
}

fn page_file<'a>(file: &'a [u8], records: &mut Vec<Record<'a>>) {
    if file.len() < 64 || !file.starts_with(b"ILPAGE01") {
        return;
    }
    let start = 64 + usize::from(file[38]) + usize::from(file[39]);
    let keystore = file[8..24].try_into().unwrap();
    page_records(&file[start..], keystore, be(&file[24..28]) as u32, file[32], records);
}

fn page_records<'a>(
    mut rest: &'a [u8],
    keystore: [u8; 16],
    page: u32,
    kind: u8,
    records: &mut Vec<Record<'a>>,
) {
    while rest.len() >= 4 {
        let (slot, len) = (be(&rest[..2]) as u16, be(&rest[2..4]));
        let Some(sealed) = rest.get(4..4 + len) else { return };
        records.push(Record { keystore, page, kind, slot, sealed });
        rest = &rest[4 + len..];
    }
}

fn split_births<'a>(mut rest: &'a [u8], records: &mut Vec<Record<'a>>) {
    while rest.len() >= 4 {
        let len = be(&rest[..4]);
        page_file(&rest[4..4 + len], records);
        rest = &rest[4 + len..];
    }
}

impl Read {
    fn table(&mut self, table: &[u8]) {
        self.tables += 1;
        self.lookup_keys.insert(table[..32].try_into().unwrap());
        let count = be(&table[56..60]);
        for entry in table[60..60 + count * 40].chunks(40) {
            self.page_keys.entry(be(&entry[..4]) as u32).or_default().insert(entry[8..].try_into().unwrap());
        }
    }

    fn records(&mut self, records: &[Record<'_>]) {
        let mut decisions = Vec::new();
        for record in records {
            let mut associated = b"inferlog/page/v1".to_vec();
            associated.extend_from_slice(&record.keystore);
            associated.extend_from_slice(&record.page.to_be_bytes());
            associated.extend_from_slice(&record.slot.to_be_bytes());
            let keys = self.page_keys.get(&record.page).into_iter().flatten();
            let Some(plain) = keys.filter_map(|key| gcm_siv(key, record.sealed, &associated)).next() else {
                continue;
            };
            match record.kind {
                1 => decisions.push(plain),
                2 if plain.len() == 48 => {
                    self.subjects.insert(plain[..16].try_into().unwrap(), plain[16..].try_into().unwrap());
                }
                3 if plain.len() == 54 => {
                    self.lookups.insert(plain[..32].try_into().unwrap(), plain[32..48].try_into().unwrap());
                }
                4 if plain.len() == 48 => {
                    self.decision_keys.insert(plain[16..].try_into().unwrap());
                }
                _ => {}
            }
        }
        for plain in decisions {
            self.decision_keys.extend(self.unwrap(&plain));
        }
    }

    fn unwrap(&self, plain: &[u8]) -> Option<Key> {
        let count = usize::from(*plain.get(16)?);
        let subjects = plain.get(17..17 + count * 22)?;
        let mut wrapped = plain[17 + count * 22..].to_vec();
        for subject in subjects.chunks(22).rev() {
            let associated = [b"inferlog/wrap/v1", &plain[..16], &subject[..16]].concat();
            wrapped = gcm_siv(self.subjects.get(&subject[..16])?, &wrapped, &associated)?;
        }
        wrapped.try_into().ok()
    }

    /// The content of a payload, if any key at hand opens it and the commitment agrees.
    pub(crate) fn payload(&self, of: &Payload) -> Option<Vec<u8>> {
        let (event, payload) = (of.decision.as_bytes(), of.payload.as_bytes());
        let mut associated = Vec::new();
        let parts: [&[u8]; 6] =
            [b"inferlog/seal/v1", b"AES-256-GCM-SIV", ORIGIN.as_bytes(), event, b"input.raw", payload];
        for part in parts {
            associated.extend_from_slice(&(part.len() as u32).to_be_bytes());
            associated.extend_from_slice(part);
        }
        self.data_keys(of).find_map(|data_key| {
            let plain = gcm_siv(&data_key, &of.sealed.bytes, &associated)?;
            let encoded = &plain[8..8 + be(&plain[..8])];
            let content = match of.sealed.encoding.as_str() {
                "zstd" => zstd::stream::decode_all(encoded).ok()?,
                _ => encoded.to_vec(),
            };
            (commit(&data_key, &content) == of.sealed.commitment.0).then_some(content)
        })
    }

    fn data_keys(&self, of: &Payload) -> impl Iterator<Item = Key> {
        let info = [b"inferlog/payload/v1", &of.payload.as_bytes()[..]].concat();
        self.decision_keys.iter().map(move |key| hkdf(key, &info))
    }

    /// Dictionary attack on a commitment: which of the guesses it commits to, under any key at hand or under none.
    pub(crate) fn guess_content(&self, of: &Payload, guesses: &[&[u8]]) -> Option<Vec<u8>> {
        let mut keys: Vec<Key> = self.data_keys(of).collect();
        keys.extend(self.subjects.values().chain(&self.decision_keys).chain(&self.lookup_keys));
        keys.extend(self.page_keys.values().flatten());
        keys.push([0; 32]);
        let target = of.sealed.commitment.0;
        let hit = |guess: &&&[u8]| {
            keys.iter().any(|key| commit(key, guess) == target || hmac(key, guess) == target)
                || <Sha256 as sha2::Digest>::digest(guess)[..] == target
        };
        guesses.iter().find(hit).map(|guess| guess.to_vec())
    }

    /// Dictionary attack on lookup records: the pseudonym that an identifier leads to.
    pub(crate) fn guess_person(&self, system: &str, identifier: &[u8]) -> Option<[u8; 16]> {
        let text = [&(system.len() as u32).to_be_bytes()[..], system.as_bytes(), identifier].concat();
        self.lookup_keys.iter().find_map(|key| self.lookups.get(&hmac(key, &text)).copied())
    }
}

fn hmac(key: &[u8], bytes: &[u8]) -> Key {
    <Hmac<Sha256> as Mac>::new_from_slice(key).unwrap().chain_update(bytes).finalize().into_bytes().into()
}

fn hkdf(key: &Key, info: &[u8]) -> Key {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(None, key).expand(info, &mut out).unwrap();
    out
}

fn commit(data_key: &Key, content: &[u8]) -> Key {
    hmac(&hkdf(data_key, b"inferlog/commit/v1"), content)
}
