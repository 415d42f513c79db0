//! The keystore as far as it can be read without keys (format.md, section 7): names, headers, the form of records. What is
//! sealed is authenticated by keys alone.

use std::path::Path;

use inferlog_disk::{Fs, TMP_PREFIX, read_optional};

use crate::report::{FaultKind, Sink};

const TABLE_MAGIC: &[u8; 8] = b"ILROOT01";
const PAGE_MAGIC: &[u8; 8] = b"ILPAGE01";
/// Magic, keystore id, root epoch.
const TABLE_CLEAR_BYTES: usize = 28;
/// Nonce and tag.
const SEAL_BYTES: usize = 28;
const PAGE_HEADER_BYTES: usize = 64;
const SLOTS_MAX: u16 = 4096;

/// Checks the keystore of a data directory.
pub(super) fn check(fs: &dyn Fs, dir: &Path, sink: Sink<'_>) {
    let dir = dir.join("keystore");
    if !sink.exists(fs, &dir) {
        return sink.notice("there is no keystore here: nothing in this directory can be opened");
    }
    let pages = pages(fs, &dir, sink);
    let id_path = dir.join("id");
    let id = optional(fs, &id_path, sink).map(|bytes| (parse_id(&bytes), id_path.clone()));
    let tables = ["table", "table.next"].map(|name| dir.join(name));
    let tables = tables
        .into_iter()
        .filter_map(|path| Some((table_id(&optional(fs, &path, sink)?, &path, sink), path)));
    let mut named: Vec<_> = id.into_iter().chain(tables).collect();
    if named.iter().all(|(_, path)| *path == id_path) {
        sink.file(
            &dir.join("table"),
            FaultKind::Keystore,
            "the file is missing: without it no key can be opened",
        );
    }
    // Pages carry a checksum; else the most frequent name is taken for the right one.
    let votes = |id: &[u8; 16]| named.iter().filter(|(other, _)| other.as_ref() == Some(id)).count();
    let right = pages.or_else(|| named.iter().filter_map(|(id, _)| *id).max_by_key(votes));
    named.retain(|(id, _)| id.is_none() || *id != right);
    for (id, path) in named {
        let (at, what) = match id {
            None => (0, "does not begin as the format says"),
            Some(_) if path == id_path => (0, "names another keystore than the files beside it"),
            Some(_) => (8, "belongs to another keystore than the files beside it"),
        };
        sink.byte(&path, at, FaultKind::Keystore, what);
    }
    if sink.exists(fs, &dir.join("table.next")) {
        sink.notice("an erasure was interrupted: the next start of inferlog finishes or undoes it");
    }
    absorbed(fs, &dir, sink);
}

fn optional(fs: &dyn Fs, path: &Path, sink: Sink<'_>) -> Option<Vec<u8>> {
    read_optional(fs, path).unwrap_or_else(|error| {
        sink.file(path, FaultKind::Unreadable, error.to_string());
        None
    })
}

fn parse_id(bytes: &[u8]) -> Option<[u8; 16]> {
    let text = bytes.strip_suffix(b"\n")?;
    let mut id = [0; 16];
    hex::decode_to_slice(text, &mut id).ok()?;
    (hex::encode(id).as_bytes() == text).then_some(id)
}

fn table_id(bytes: &[u8], path: &Path, sink: Sink<'_>) -> Option<[u8; 16]> {
    if bytes.len() < TABLE_CLEAR_BYTES + SEAL_BYTES {
        sink.byte(path, bytes.len() as u64, FaultKind::Keystore, "the table is cut short");
    }
    bytes.strip_prefix(TABLE_MAGIC)?.first_chunk().copied()
}

/// Checks every page; the keystore that they name.
fn pages(fs: &dyn Fs, dir: &Path, sink: Sink<'_>) -> Option<[u8; 16]> {
    let dir = dir.join("pages");
    let listed = match fs.read_dir(&dir) {
        Ok(listed) => listed,
        Err(error) => {
            sink.file(&dir, FaultKind::Unreadable, error.to_string());
            return None;
        }
    };
    let (mut id, mut leftovers) = (None, 0_u64);
    for entry in listed.iter().filter(|entry| !entry.is_dir && !entry.name.starts_with(TMP_PREFIX)) {
        let Some(bytes) = optional(fs, &entry.path, sink) else { continue };
        if bytes.iter().all(|byte| *byte == 0) {
            // A crash came before its first bytes were durable, or an erasure has just overwritten it.
            leftovers += 1;
            continue;
        }
        let Some(page) = Page::parse(&bytes) else {
            let what =
                "the header of this page does not check: damaged, or left by a crash before the page counted";
            sink.byte(&entry.path, 0, FaultKind::Keystore, what);
            continue;
        };
        if page.name() != entry.name {
            let what = format!("the header is that of page {}", page.name());
            sink.byte(&entry.path, 24, FaultKind::Keystore, what);
        }
        if *id.get_or_insert(page.keystore) != page.keystore {
            sink.byte(
                &entry.path,
                8,
                FaultKind::Keystore,
                "the page belongs to another keystore than the others",
            );
        }
        leftovers += u64::from(page.records(&bytes).is_none());
    }
    if leftovers > 0 {
        sink.notice(format!(
            "{leftovers} keystore pages are empty or end in bytes that are no record: left by a crash, or damaged; the keys can tell"
        ));
    }
    id
}

/// The header of a page.
struct Page {
    keystore: [u8; 16],
    page: u32,
    generation: u32,
    len: usize,
}

impl Page {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let fixed = bytes.first_chunk::<PAGE_HEADER_BYTES>()?;
        let word = |at: usize| Some(u32::from_be_bytes(*fixed.get(at..)?.first_chunk()?));
        let len = PAGE_HEADER_BYTES + usize::from(fixed[38]) + usize::from(fixed[39]);
        let names = bytes.get(PAGE_HEADER_BYTES..len)?;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&fixed[..60]), names);
        let checks = fixed.starts_with(PAGE_MAGIC) && word(60)? == crc && (1..=4).contains(&fixed[32]);
        let keystore = *fixed.get(8..)?.first_chunk()?;
        checks.then_some(Self { keystore, page: word(24)?, generation: word(28)?, len })
    }

    fn name(&self) -> String {
        format!("{:08x}.{}", self.page, self.generation)
    }

    /// How many records follow the header; `None` if something is left that is none.
    fn records(&self, bytes: &[u8]) -> Option<u64> {
        let (mut rest, mut records) = (bytes.get(self.len..)?, 0);
        while !rest.is_empty() {
            let (prefix, after) = rest.split_first_chunk::<4>()?;
            let slot = u16::from_be_bytes([prefix[0], prefix[1]]);
            let length = usize::from(u16::from_be_bytes([prefix[2], prefix[3]]));
            if slot >= SLOTS_MAX || length < SEAL_BYTES {
                return None;
            }
            rest = after.get(length..)?;
            records += 1;
        }
        Some(records)
    }
}

/// `absorbed`: lines `<log id, 32 hex> <index>`.
fn absorbed(fs: &dyn Fs, dir: &Path, sink: Sink<'_>) {
    let path = dir.join("absorbed");
    let Some(bytes) = optional(fs, &path, sink).filter(|bytes| !bytes.is_empty()) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_line =
            line.strip_suffix('\n').and_then(|line| line.split_once(' ')).is_some_and(|(log, index)| {
                let is_decimal = index.parse::<u64>().is_ok_and(|number| number.to_string() == index);
                is_decimal && parse_id(format!("{log}\n").as_bytes()).is_some()
            });
        if !is_line {
            sink.byte(&path, at, FaultKind::Keystore, "this line is not `<log id, 32 hex> <index>`");
        }
        at += line.len() as u64;
    }
}
