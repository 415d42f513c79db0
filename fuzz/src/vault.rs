//! What a bad disk, an old backup or an intruder without the root key may make of a keystore, and, with the right keys, what
//! a sealed structure may hold: plaintexts are tried too.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use aes_gcm_siv::aead::{AeadInPlace, KeyInit};
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{ManualClock, SeededRng, create_dir_all, replace_file};
use inferlog_record::{Encoding, Id, KeyId, RetentionClass, SystemName};
use inferlog_vault::{DataKey, FileRoot, RootKey, Scope, SealContext, Vault, open_payload};

const FILES: [(&str, &[u8]); 9] = [
    ("keystore/table", include_bytes!("../../fixtures/v1/vault/good/keystore/table")),
    ("keystore/pages/00000000.1", include_bytes!("../../fixtures/v1/vault/good/keystore/pages/00000000.1")),
    ("keystore/pages/00000001.1", include_bytes!("../../fixtures/v1/vault/good/keystore/pages/00000001.1")),
    ("keystore/pages/00000002.0", include_bytes!("../../fixtures/v1/vault/good/keystore/pages/00000002.0")),
    ("keystore/pages/00000003.0", include_bytes!("../../fixtures/v1/vault/good/keystore/pages/00000003.0")),
    ("keystore/pages/00000004.0", include_bytes!("../../fixtures/v1/vault/good/keystore/pages/00000004.0")),
    ("keystore/absorbed", include_bytes!("../../fixtures/v1/vault/good/keystore/absorbed")),
    ("keystore/id", include_bytes!("../../fixtures/v1/vault/good/keystore/id")),
    ("root", include_bytes!("../../fixtures/v1/vault/good/root")),
];
const TABLE_HEADER_BYTES: usize = 28;
const PAGE_HEADER_BYTES: usize = 64;
const NONCE: [u8; 12] = [7; 12];
/// The frozen payloads' keys, ids and openings; the last was erased.
const PAYLOADS: [&str; 3] = [
    include_str!("../../fixtures/v1/vault/good/payload-0.txt"),
    include_str!("../../fixtures/v1/vault/good/payload-1.txt"),
    include_str!("../../fixtures/v1/vault/good/payload-2.txt"),
];

fn seal(key: &[u8], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let (cipher, mut bytes) = (Aes256GcmSiv::new_from_slice(key).unwrap(), plaintext.to_vec());
    let tag = cipher.encrypt_in_place_detached(Nonce::from_slice(&NONCE), associated, &mut bytes).unwrap();
    [&NONCE[..], &bytes, &tag].concat()
}

fn unseal(key: &[u8], associated: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (nonce, rest) = sealed.split_at(NONCE.len());
    let (bytes, tag) = rest.split_at(rest.len() - 16);
    let (cipher, mut bytes) = (Aes256GcmSiv::new_from_slice(key).unwrap(), bytes.to_vec());
    let tag = Tag::from_slice(tag);
    cipher.decrypt_in_place_detached(Nonce::from_slice(nonce), associated, &mut bytes, tag).unwrap();
    bytes
}

/// The table's header, its plaintext, and the root key.
static TABLE: LazyLock<(Vec<u8>, Vec<u8>, [u8; 32])> = LazyLock::new(|| {
    let text = std::str::from_utf8(FILES[8].1).unwrap().trim_end();
    let mut root = [0; 32];
    hex::decode_to_slice(text.rsplit(' ').next().unwrap(), &mut root).unwrap();
    let (header, sealed) = FILES[0].1.split_at(TABLE_HEADER_BYTES);
    (header.to_vec(), unseal(&root, header, sealed), root)
});

/// The number and key of each page, from the table.
fn page_keys() -> impl Iterator<Item = (u32, &'static [u8])> {
    let plain = &TABLE.1;
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let count = number(&plain[56..]) as usize;
    plain[60..].chunks_exact(40).take(count).map(move |page| (number(page), &page[8..40]))
}

/// A disk with the frozen keystore, one file of which is replaced.
fn disk(name: &str, content: &[u8]) -> SimFs {
    let fs = SimFs::new(1);
    create_dir_all(&fs, Path::new("/k/keystore/pages")).unwrap();
    for (file, bytes) in FILES {
        let bytes = if file == name { content } else { bytes };
        replace_file(&fs, &Path::new("/k").join(file), bytes).unwrap();
    }
    fs
}

fn open(fs: &SimFs) -> inferlog_vault::Result<Vault> {
    let root = Box::new(FileRoot::without_modes(Arc::new(fs.clone()), "/k/root".into()));
    let (rng, clock) = (Arc::new(SeededRng::new(7)), Arc::new(ManualClock::new(0)));
    Vault::open(Arc::new(fs.clone()), rng, clock, Path::new("/k/keystore"), root)
}

/// Asks an open vault for everything; `is_authentic`: what it holds was sealed under keys that nobody else has.
fn ask(vault: &Vault, is_authentic: bool) {
    for (position, text) in PAYLOADS.iter().enumerate() {
        let member = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        let (key, payload) =
            (member("key_id ").parse::<KeyId>().unwrap(), member("payload ").parse::<Id>().unwrap());
        if let Ok(opening) = vault.data_key(key, payload)
            && is_authentic
        {
            assert_eq!(hex::encode(opening.expose()), member("opening "), "another key than the payload's");
            assert!(position < 2, "an erased key is back");
        }
    }
    for page in 0..6 {
        for slot in [0, 1, 2, 4095, 4096, u16::MAX] {
            if let Ok(id) = format!("{page}.{slot}").parse::<KeyId>() {
                _ = vault.open_decision_key(id);
            }
        }
    }
    let system = SystemName::new("credit").unwrap();
    _ = vault.find_subject(&system, b"alice");
    _ = vault.subject(&system, b"somebody new");
    let scope = Scope { system, class: RetentionClass::default(), day: 20_454 };
    let decision = Id::new(1_767_225_600_000, &[3; 10]);
    if let Ok(key) = vault.decision_key(&scope, decision, &[]) {
        _ = key.births();
    }
}

/// A file of the keystore replaced: which one (1), then its bytes. A changed file gives no other key.
pub fn keystores(data: &[u8]) {
    let Some((which, content)) = data.split_first() else { return };
    let (name, _) = FILES[usize::from(*which) % FILES.len()];
    let mut content = content.to_vec();
    if which & 0x80 != 0 && name.contains("pages/") && content.len() >= PAGE_HEADER_BYTES {
        let names = PAGE_HEADER_BYTES + usize::from(content[38]) + usize::from(content[39]);
        if let Some(names) = content.get(PAGE_HEADER_BYTES..names) {
            let crc = crc32c::crc32c_append(crc32c::crc32c(&content[..60]), names);
            content[60..64].copy_from_slice(&crc.to_be_bytes());
        }
    }
    let fs = disk(name, &content);
    if let Ok(vault) = open(&fs) {
        ask(&vault, true);
    }
    _ = std::str::from_utf8(&content).map(RootKey::parse);
}

/// The plaintext of the table, sealed as it should be.
pub fn tables(data: &[u8]) {
    let (header, _, root) = &*TABLE;
    let sealed = seal(root, header, data);
    if let Ok(vault) = open(&disk("keystore/table", &[&header[..], &sealed].concat())) {
        ask(&vault, false);
    }
}

/// Births: as they are, and as plaintexts of `page (1) ‖ slot (2) ‖ length (1) ‖ bytes`, sealed as they should be.
pub fn births(data: &[u8]) {
    let fs = disk("", &[]);
    let vault = open(&fs).unwrap();
    _ = vault.absorb(data);
    ask(&vault, true);
    vault.sync_absorbed(&[([9; 16], 4)]).unwrap();
    drop(vault);
    ask(&open(&fs).unwrap(), true);

    let vault = open(&fs).unwrap();
    let mut rest = data;
    while let Some(([page, high, low, length], after)) = rest.split_first_chunk::<4>() {
        let (plaintext, next) = after.split_at(usize::from(*length).min(after.len()));
        _ = vault.absorb(&birth(usize::from(*page), u16::from_be_bytes([*high, *low]), plaintext));
        rest = next;
    }
    ask(&vault, false);
    _ = vault.sync_absorbed(&[([9; 16], 5)]);
    drop(vault);
    if let Ok(vault) = open(&fs) {
        ask(&vault, false);
    }
}

fn birth(page: usize, slot: u16, plaintext: &[u8]) -> Vec<u8> {
    let (number, key) = page_keys().nth(page % page_keys().count()).unwrap();
    let file = FILES.iter().find(|(name, _)| name.starts_with(&format!("keystore/pages/{number:08x}")));
    let header = file.map_or(&FILES[4].1[..PAGE_HEADER_BYTES], |(_, bytes)| {
        &bytes[..PAGE_HEADER_BYTES + usize::from(bytes[38]) + usize::from(bytes[39])]
    });
    let keystore = &TABLE.0[8..24];
    let associated = [b"inferlog/page/v1", keystore, &number.to_be_bytes(), &slot.to_be_bytes()].concat();
    let sealed = seal(key, &associated, plaintext);
    let record = [&slot.to_be_bytes()[..], &(sealed.len() as u16).to_be_bytes(), &sealed].concat();
    [&((header.len() + record.len()) as u32).to_be_bytes()[..], header, &record].concat()
}

/// A payload: sealed bytes as they are, and a plaintext sealed as it should be. First byte: the encoding.
pub fn payloads(data: &[u8]) {
    const BYTES_MAX: usize = 1 << 16;
    let Some((encoding, data)) = data.split_first() else { return };
    let encoding = if encoding % 2 == 0 { Encoding::Identity } else { Encoding::Zstd };
    let (key, id) = (DataKey::from_bytes([5; 32]), Id::new(1, &[1; 10]));
    let context = SealContext { origin: "o", event: id, role: "input.raw", payload: id };
    let commitment = key.commitment(b"content");
    assert!(open_payload(&key, &context, data, encoding, &commitment, BYTES_MAX).is_err());
    let parts: [&[u8]; 6] =
        [b"inferlog/seal/v1", b"AES-256-GCM-SIV", b"o", id.as_bytes(), b"input.raw", id.as_bytes()];
    let associated = parts.map(|part| [&(part.len() as u32).to_be_bytes()[..], part].concat()).concat();
    let sealed = seal(&[5; 32], &associated, data);
    if let Ok(content) = open_payload(&key, &context, &sealed, encoding, &commitment, BYTES_MAX) {
        assert_eq!(content, b"content", "what is opened is what was committed to");
    }
}
