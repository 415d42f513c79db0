//! The files of a bundle, written one after the other into a ZIP file, and their sums.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::error::Result;

/// Level of the compression. Part of what makes two bundles of the same build the same bytes.
const LEVEL: i64 = 6;
/// Rights of an extracted file.
const MODE: u32 = 0o644;

/// Writes members.
pub(super) struct Members<W: Write + Seek> {
    zip: ZipWriter<W>,
    /// SHA-256 by path.
    sums: BTreeMap<String, [u8; 32]>,
}

impl<W: Read + Write + Seek> Members<W> {
    pub(super) fn new(out: W) -> Self {
        Self { zip: ZipWriter::new(out), sums: BTreeMap::new() }
    }

    /// Writes a file that the sums cover.
    pub(super) fn add(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.sums.insert(path.to_owned(), Sha256::digest(bytes).into());
        self.put(path, bytes)
    }

    /// Writes JSON: compact, members in the order of the struct, one newline at the end.
    pub(super) fn add_json(&mut self, path: &str, value: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec(value)?;
        bytes.push(b'\n');
        self.add(path, &bytes)
    }

    /// Writes a file that the sums do not cover.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .last_modified_time(DateTime::default())
            .unix_permissions(MODE)
            .large_file(u32::try_from(bytes.len()).is_err());
        self.zip.start_file(path, options)?;
        Ok(self.zip.write_all(bytes)?)
    }

    /// The sums, as `sha256sum` writes them, sorted by path.
    pub(super) fn sums(&self) -> String {
        let line = |(path, sum): (&String, &[u8; 32])| format!("{}  {path}\n", hex::encode(sum));
        self.sums.iter().map(line).collect()
    }

    /// Ends the archive. It can be read then, and added to by [`Members::again`].
    pub(super) fn finish(self) -> Result<W> {
        Ok(self.zip.finish()?)
    }

    /// Goes on with an archive that was ended.
    pub(super) fn again(out: W) -> Result<Self> {
        Ok(Self { zip: ZipWriter::new_append(out)?, sums: BTreeMap::new() })
    }
}
