//! ZIP archives of every kind: as our writer makes them, as other tools would, and as nobody should.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use inferlog_bundle::layout::Source;
use inferlog_bundle::zip::{ZipError, ZipSource};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Files by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(pub BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

impl Files {
    pub fn of(files: &[(&str, &[u8])]) -> Self {
        Self(files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect())
    }

    /// All files of an archive.
    pub fn unpack(archive: &[u8]) -> Result<Self, ZipError> {
        let source = ZipSource::new(Cursor::new(archive))?;
        let mut files = Self::default();
        for path in source.paths() {
            let bytes = source.read(&path)?.unwrap();
            files.0.insert(path, bytes);
        }
        Ok(files)
    }

    /// An archive of them.
    pub fn pack(&self, packing: Packing) -> Vec<u8> {
        let mut paths: Vec<&String> = self.0.keys().collect();
        if packing.is_reversed {
            paths.reverse();
        }
        let options = SimpleFileOptions::default()
            .compression_method(packing.method)
            .compression_level(packing.level)
            .large_file(packing.is_large);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.set_raw_comment(packing.comment.as_bytes().into()).unwrap();
        if packing.has_folders {
            let folders =
                paths.iter().flat_map(|path| path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
            for folder in folders.collect::<std::collections::BTreeSet<_>>() {
                zip.add_directory(folder, options).unwrap();
            }
        }
        for path in paths {
            zip.start_file(path, options).unwrap();
            zip.write_all(&self.0[path]).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }
}

/// How an archive is made.
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    pub method: CompressionMethod,
    pub level: Option<i64>,
    pub is_reversed: bool,
    pub is_large: bool,
    pub has_folders: bool,
    pub comment: &'static str,
}

impl Packing {
    pub const PLAIN: Self = Self {
        method: CompressionMethod::Deflated,
        level: None,
        is_reversed: false,
        is_large: false,
        has_folders: false,
        comment: "",
    };

    /// Ways in which other tools would pack a bundle.
    pub const OTHERS: [Self; 5] = [
        Self { method: CompressionMethod::Stored, ..Self::PLAIN },
        Self { is_reversed: true, level: Some(1), ..Self::PLAIN },
        Self { level: Some(9), has_folders: true, ..Self::PLAIN },
        Self { is_large: true, ..Self::PLAIN },
        Self { comment: "packed by another tool", ..Self::PLAIN },
    ];
}

/// Why an archive is refused, as it is told.
pub fn refusal(archive: &[u8]) -> String {
    match Files::unpack(archive) {
        Ok(_) => "it is read".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Where a signature stands.
pub fn find(archive: &[u8], signature: &[u8], from: usize) -> usize {
    from + archive[from..].windows(signature.len()).position(|window| window == signature).unwrap()
}
