//! The page, made from the finished archive and added to it.

use std::cell::RefCell;
use std::io::{self, Read, Seek, Write};

use zip::ZipArchive;
use zip::result::ZipError;

use super::error;
use super::members::Members;
use super::signed_text;
use crate::layout::{self, Source};
use crate::report;

/// Adds the page, made from the files that are there, and the note over it.
pub(super) fn add<W: Read + Write + Seek>(
    mut out: W,
    sign: impl FnOnce(&str) -> error::Result<String>,
) -> error::Result<()> {
    let page = report::html(&Archive(RefCell::new(ZipArchive::new(&mut out)?)))?;
    let note = sign(&signed_text(layout::REPORT_DOMAIN, page.as_bytes()))?;
    let mut members = Members::again(out)?;
    members.put(layout::REPORT, page.as_bytes())?;
    members.put(layout::REPORT_NOTE, note.as_bytes())?;
    members.finish()?;
    Ok(())
}

/// The files of an archive.
struct Archive<R>(RefCell<ZipArchive<R>>);

impl<R: Read + Seek> Source for Archive<R> {
    fn paths(&self) -> Vec<String> {
        let archive = self.0.borrow();
        let mut paths: Vec<String> =
            archive.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned).collect();
        paths.sort_unstable();
        paths
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let mut archive = self.0.borrow_mut();
        let mut file = match archive.by_name(path) {
            Err(ZipError::FileNotFound) => return Ok(None),
            other => other.map_err(io::Error::other)?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}
