//! Names in a keystore's directory, here and in backup places.

use std::path::{Path, PathBuf};

use inferlog_disk::{Fs, Open, Result as DiskResult, TMP_PREFIX};

use crate::error::{Result, VaultError};
use crate::page::header::Header;
use crate::shred;

/// A keystore's directory.
#[derive(Clone, Debug)]
pub(crate) struct Dir(PathBuf);

/// The longest header: 64 bytes, a system's name, a class's.
const HEADER_BYTES_MAX: usize = 64 + 255 + 255;

impl Dir {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn id(&self) -> PathBuf {
        self.0.join("id")
    }

    pub(crate) fn table(&self) -> PathBuf {
        self.0.join("table")
    }

    /// The table of an erasure that is not finished: which of the two is in force, the root key says.
    pub(crate) fn table_next(&self) -> PathBuf {
        self.0.join("table.next")
    }

    pub(crate) fn absorbed(&self) -> PathBuf {
        self.0.join("absorbed")
    }

    pub(crate) fn pages(&self) -> PathBuf {
        self.0.join("pages")
    }

    pub(crate) fn page(&self, page: u32, generation: u32) -> PathBuf {
        self.pages().join(format!("{page:08x}.{generation}"))
    }

    /// Every page file: page and generation.
    pub(crate) fn list_pages(&self, fs: &dyn Fs) -> DiskResult<Vec<(u32, u32)>> {
        let entries = fs.read_dir(&self.pages())?;
        Ok(entries.iter().filter_map(|entry| parse_page_name(&entry.name)).collect())
    }

    /// Removes files that a crash left half written. Nobody else may be writing.
    pub(crate) fn remove_temporary(&self, fs: &dyn Fs) -> DiskResult<()> {
        for entry in fs.read_dir(&self.pages())?.into_iter().chain(fs.read_dir(&self.0)?) {
            if entry.name.starts_with(TMP_PREFIX) && !entry.is_dir {
                shred::remove(fs, &entry.path)?;
            }
        }
        Ok(())
    }

    /// The header of a page file, if it checks.
    pub(crate) fn header(&self, fs: &dyn Fs, page: u32, generation: u32) -> DiskResult<Option<Header>> {
        let file = fs.open(&self.page(page, generation), Open::Read)?;
        let mut bytes = vec![0; HEADER_BYTES_MAX];
        let len = file.read_at(&mut bytes, 0)?;
        bytes.truncate(len);
        Ok(Header::parse(&bytes).map(|(header, _)| header))
    }

    pub(crate) fn damaged(&self, file: PathBuf, what: &'static str) -> VaultError {
        VaultError::Damaged { path: file, what }
    }

    /// Whether there is a keystore.
    pub(crate) fn has_keystore(&self, fs: &dyn Fs) -> Result<bool> {
        Ok(fs.exists(&self.table())? || fs.exists(&self.table_next())?)
    }
}

/// Eight hexadecimal digits, a dot, decimal; nothing that would be written otherwise.
fn parse_page_name(name: &str) -> Option<(u32, u32)> {
    let (page, generation) = name.split_once('.')?;
    let parsed = (u32::from_str_radix(page, 16).ok()?, generation.parse().ok()?);
    (format!("{:08x}.{}", parsed.0, parsed.1) == name).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_name_has_one_form() {
        assert_eq!(parse_page_name("0000001f.12"), Some((31, 12)));
        for name in ["1f.12", "0000001F.12", "0000001f.012", "0000001f", "0000001f.12.1", ".tmp-0000001f.12"]
        {
            assert_eq!(parse_page_name(name), None, "{name}");
        }
    }
}
