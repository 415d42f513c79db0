//! A bundle's ZIP file (APPNOTE 6.3), read strictly: whatever two readers could take differently is refused, and what is
//! inflated is counted, whatever the archive claims.
//!
//! A bundle means the same whoever packed it: order, times, modes, comments and the way of compression carry nothing.
//! Entries for folders, which most tools add, hold nothing and are passed over.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use memchr::memmem;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError as Unreadable;
use zip::{CompressionMethod, ZipArchive};

use crate::layout::Source;

/// Files of a bundle at most, folders included.
pub const MEMBERS_MAX: u64 = 1 << 18;
/// Length of the longest file of a bundle, bytes; each is held in memory as a whole.
pub const MEMBER_BYTES_MAX: u64 = 1 << 29;
/// Length of all files of a bundle together, bytes.
pub const BUNDLE_BYTES_MAX: u64 = 1 << 36;
/// Length of the longest path, bytes.
pub const PATH_BYTES_MAX: usize = 256;

/// End of central directory record: its signature, and its length without the comment (APPNOTE 4.3.16).
const END: (&[u8], usize) = (b"PK\x05\x06", 22);
/// Zip64 end of central directory locator (APPNOTE 4.3.15).
const LOCATOR: (&[u8], usize) = (b"PK\x06\x07", 20);
/// Zip64 end of central directory record (APPNOTE 4.3.14): signature and the bytes that are read of it.
const END_64: (&[u8], usize) = (b"PK\x06\x06", 40);
/// A central directory header without its variable fields (APPNOTE 4.3.12).
const HEADER: (&[u8], usize) = (b"PK\x01\x02", 46);
/// Patched data, strong encryption, masked headers, streams (APPNOTE 4.4.4, bits 5, 6, 13, 14): not read here.
const FLAGS_REFUSED: u16 = 1 << 5 | 1 << 6 | 1 << 13 | 1 << 14;

/// Why a file is not read as a bundle.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// The file system failed.
    #[error("cannot read the bundle: {0}")]
    Io(#[from] io::Error),
    /// It is not a ZIP file, or a damaged one.
    #[error("not a ZIP file that can be read: {0}")]
    Unreadable(String),
    /// It is a ZIP file that other programs may read differently, or that a bundle is not.
    #[error("not a bundle: {0}")]
    Refused(String),
    /// It is larger than is read.
    #[error("the bundle has {what} of {found}; at most {max} are read")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        found: u64,
        /// The limit.
        max: u64,
    },
}

/// Why a name is not that of a file of a bundle; `None` if it is.
pub(crate) fn name_fault(name: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    match name {
        "" => Some("it is empty"),
        _ if name.len() > PATH_BYTES_MAX => Some("it is longer than 256 bytes"),
        _ if !name.bytes().all(allowed) => Some("it has characters other than A-Z a-z 0-9 . _ / -"),
        _ if name.split('/').any(|part| matches!(part, "" | "." | "..")) => {
            Some("it has an empty part, or one that leads elsewhere")
        }
        _ => None,
    }
}

/// Files in a ZIP archive. One at a time is inflated, and none is kept.
#[derive(Debug)]
pub struct ZipSource<R: Read + Seek> {
    archive: Mutex<ZipArchive<R>>,
    /// Where each file stands in the archive.
    files: BTreeMap<String, usize>,
}

impl ZipSource<BufReader<File>> {
    /// Opens a bundle. What is refused: names and members that a bundle does not have, encryption, methods other than stored and
    /// deflated, duplicates, overlaps, bytes that no member accounts for at the start or the end, headers that disagree, and
    /// more than the limits of this module.
    ///
    /// # Errors
    /// Why it is not read.
    pub fn open(path: &Path) -> Result<Self, ZipError> {
        Self::new(BufReader::new(File::open(path)?))
    }
}

impl<R: Read + Seek> ZipSource<R> {
    /// Like [`ZipSource::open`], from anything that can be read at any place.
    ///
    /// # Errors
    /// Why it is not read.
    pub fn new(mut reader: R) -> Result<Self, ZipError> {
        let end = End::read(&mut reader)?;
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let mut archive = ZipArchive::with_config(config, reader).map_err(unreadable)?;
        if archive.has_duplicate_names() || archive.len() as u64 != end.members {
            return Err(ZipError::Refused(
                "a name stands in it twice, or its directory is counted wrong".into(),
            ));
        }
        archive.validate_header_consistency().map_err(unreadable)?;
        let files = list(&mut archive)?;
        let mut reader = archive.into_inner();
        end.check_directory(&mut reader)?;
        let archive = ZipArchive::with_config(config, reader).map_err(unreadable)?;
        Ok(Self { archive: Mutex::new(archive), files })
    }
}

impl<R: Read + Seek> Source for ZipSource<R> {
    fn paths(&self) -> Vec<String> {
        self.files.keys().cloned().collect()
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(&index) = self.files.get(path) else { return Ok(None) };
        let mut archive = self.archive.lock().unwrap_or_else(PoisonError::into_inner);
        let member = archive.by_index(index).map_err(io::Error::other)?;
        let size = member.size();
        let mut bytes = Vec::new();
        // One byte more than it claims, to see that it lied; never more than the limit.
        member.take(size.min(MEMBER_BYTES_MAX) + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(io::Error::other("the member is not as long as the archive says"));
        }
        Ok(Some(bytes))
    }
}

/// The files by name, folders left out.
fn list<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<BTreeMap<String, usize>, ZipError> {
    let refused = |what: String| Err(ZipError::Refused(what));
    let (mut files, mut total) = (BTreeMap::new(), 0_u64);
    for index in 0..archive.len() {
        let member = archive.by_index_data(index).map_err(unreadable)?;
        let Ok(name) = std::str::from_utf8(member.name_raw()) else {
            return refused(format!("the name of member {index} is not text"));
        };
        let is_folder = name.ends_with('/');
        if let Some(fault) = name_fault(name.strip_suffix('/').unwrap_or(name)) {
            return refused(format!("the name {name:?}: {fault}"));
        }
        let type_bits = member.unix_mode().map_or(0, |mode| mode & 0o170_000);
        let is_plain = if is_folder {
            type_bits == 0 || type_bits == 0o040_000
        } else {
            matches!(type_bits, 0 | 0o100_000)
        };
        if !is_plain {
            return refused(format!("{name} is not a file, but a link, a folder or a device"));
        }
        if member.encrypted() || member.flags().as_u16() & FLAGS_REFUSED != 0 {
            return refused(format!("{name} is encrypted, or packed in a way that a bundle is not"));
        }
        if !matches!(member.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return refused(format!(
                "{name} is compressed as {}; a bundle has stored and deflated",
                member.compression()
            ));
        }
        if is_folder && member.size() != 0 {
            return refused(format!("the folder {name} has content"));
        }
        total = total.saturating_add(member.size());
        let too_large = |what, found, max| Err(ZipError::TooLarge { what, found, max });
        match () {
            () if member.size() > MEMBER_BYTES_MAX => {
                return too_large("bytes in one file", member.size(), MEMBER_BYTES_MAX);
            }
            () if total > BUNDLE_BYTES_MAX => {
                return too_large("bytes in all files", total, BUNDLE_BYTES_MAX);
            }
            () if is_folder => {}
            () => drop(files.insert(name.to_owned(), index)),
        }
    }
    if let Some((one, other)) = collision(&files) {
        return refused(format!("{one} and {other} cannot stand beside each other when it is unpacked"));
    }
    Ok(files)
}

/// Two files of which one would take the other's place: their names differ in case alone, or one is the other's folder.
fn collision(files: &BTreeMap<String, usize>) -> Option<(&str, &str)> {
    let mut folded: HashMap<String, &str> = HashMap::with_capacity(files.len());
    for name in files.keys() {
        if let Some(other) = folded.insert(name.to_ascii_lowercase(), name) {
            return Some((other, name));
        }
    }
    files.keys().find_map(|name| {
        let lower = name.to_ascii_lowercase();
        let parents = lower.match_indices('/').map(|(at, _)| lower.get(..at).unwrap_or_default());
        let mut found = parents.filter_map(|parent| folded.get(parent).copied());
        found.next().map(|other| (other, name.as_str()))
    })
}

/// Where the archive ends, and what it says there.
struct End {
    /// Members in all.
    members: u64,
    /// Where the central directory must end: at the record that closes the archive.
    directory_end: u64,
    /// Where it begins.
    directory_start: u64,
}

impl End {
    /// Reads the record at the very end. Nothing follows it but its own comment, in which no second one hides.
    fn read(reader: &mut (impl Read + Seek)) -> Result<Self, ZipError> {
        let length = reader.seek(SeekFrom::End(0))?;
        let tail_bytes = length.min((END.1 + usize::from(u16::MAX)) as u64);
        let tail = read_at(reader, length - tail_bytes, tail_bytes as usize)?;
        let starts: Vec<usize> = memmem::find_iter(&tail, END.0).collect();
        let is_end = |&&start: &&usize| {
            number(&tail, start + 20, 2)
                .is_some_and(|comment| start as u64 + END.1 as u64 + comment == tail_bytes)
        };
        let Some(&start) = starts.iter().find(is_end) else {
            return Err(ZipError::Unreadable(
                "it does not end as a ZIP file does: cut off, or not a ZIP file".into(),
            ));
        };
        if starts.iter().any(|other| *other > start) {
            return Err(ZipError::Refused("a second end is hidden in the archive's comment".into()));
        }
        let at = length - tail_bytes + start as u64;
        let field = |offset, width| number(&tail, start + offset, width).unwrap_or_default();
        let mut end = Self { members: field(10, 2), directory_end: at, directory_start: field(16, 4) };
        let is_64 =
            end.members == 0xffff || end.directory_start == 0xffff_ffff || field(12, 4) == 0xffff_ffff;
        if let Some(place) = at.checked_sub(LOCATOR.1 as u64).filter(|_| is_64) {
            let locator = read_at(reader, place, LOCATOR.1)?;
            if locator.starts_with(LOCATOR.0) {
                let place = number(&locator, 8, 8).unwrap_or_default();
                let record = read_at(reader, place, END_64.1 + 16)?;
                if !record.starts_with(END_64.0) {
                    return Err(ZipError::Unreadable("its zip64 record is not where it says".into()));
                }
                let field = |offset| number(&record, offset, 8).unwrap_or_default();
                end = Self { members: field(32), directory_end: place, directory_start: field(48) };
            }
        }
        if end.members > MEMBERS_MAX {
            return Err(ZipError::TooLarge { what: "files", found: end.members, max: MEMBERS_MAX });
        }
        Ok(end)
    }

    /// Walks the headers of the central directory: as many as are counted fill it, and nothing else is in it.
    fn check_directory(&self, reader: &mut (impl Read + Seek)) -> Result<(), ZipError> {
        let refused =
            || ZipError::Refused("its directory holds more or less than the members it counts".into());
        let mut at = self.directory_start;
        for _ in 0..self.members {
            let header = read_at(reader, at, HEADER.1)?;
            if !header.starts_with(HEADER.0) {
                return Err(refused());
            }
            let field = |offset| number(&header, offset, 2).unwrap_or_default();
            at += HEADER.1 as u64 + field(28) + field(30) + field(32);
        }
        if at == self.directory_end { Ok(()) } else { Err(refused()) }
    }
}

/// The bytes at a place; fewer of them is an error.
fn read_at(reader: &mut (impl Read + Seek), at: u64, length: usize) -> Result<Vec<u8>, ZipError> {
    let mut bytes = vec![0; length];
    reader.seek(SeekFrom::Start(at))?;
    reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ZipError::Unreadable("a record of it is cut off".into()),
        _ => ZipError::Io(error),
    })?;
    Ok(bytes)
}

/// A little-endian number of `width` bytes, up to 8.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn unreadable(error: Unreadable) -> ZipError {
    match error {
        Unreadable::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => ZipError::Io(error),
        other => ZipError::Unreadable(other.to_string()),
    }
}
