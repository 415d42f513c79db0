//! The digest of a model's files.
//!
//! A model that is one file has that file's SHA-256. A model that is a directory has the SHA-256 of its *manifest*, which is
//! kept: `{"files":[{"path":…,"sha256":…,"size":…},…],"format":1}` in the form of RFC 8785, with every file below the
//! directory, by its path from there with `/` between the parts, sorted by the paths' bytes. Hidden files count; empty
//! directories, times, owners and modes do not.
//!
//! Symbolic links are followed, to files and directories: what counts is what a model server that opens the path would read,
//! so that a cache which keeps its files elsewhere and links to them has the digest of a plain copy. A link that leads
//! nowhere or in a circle is refused, and so are names that are not UTF-8 and what is neither file nor directory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use inferlog_record::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::objects::sha256;

/// How much is read at once, bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Why a model's files have no digest.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Links lead in a circle, or nowhere.
    #[error("{0}")]
    Link(String),
    /// The name cannot stand in the manifest.
    #[error("{}: the name is not UTF-8: rename the file", .0.display())]
    Name(PathBuf),
    /// A socket, a device or the like.
    #[error("{}: is neither a file nor a directory: take it out of the model's directory", .0.display())]
    NoFile(PathBuf),
    /// Nothing is there to have a digest.
    #[error("{}: there are no files in it", .0.display())]
    Empty(PathBuf),
}

/// The files of a model, found and not yet read.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    /// Path from the root, in the manifest's form; `None` if the root is the one file.
    paths: Option<Vec<String>>,
    bytes: u64,
}

/// What a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// The model's digest.
    pub digest: Digest,
    /// The manifest whose SHA-256 the digest is; `None` for a single file.
    pub manifest: Option<String>,
}

#[derive(Serialize)]
struct Manifest {
    files: Vec<ManifestFile>,
    format: u32,
}

#[derive(Serialize)]
struct ManifestFile {
    path: String,
    sha256: Digest,
    size: u64,
}

impl Files {
    /// Finds a model's files: one, or all below a directory.
    pub fn find(root: &Path) -> Result<Self, FilesError> {
        let at_root = |source| FilesError::Read { path: root.to_owned(), source };
        let metadata = std::fs::metadata(root).map_err(at_root)?;
        if metadata.is_file() {
            return Ok(Self { root: root.to_owned(), paths: None, bytes: metadata.len() });
        }
        let (mut paths, mut bytes) = (Vec::new(), 0);
        for entry in WalkDir::new(root).follow_links(true) {
            let entry = entry.map_err(|error| walk_error(root, error))?;
            match entry.file_type() {
                kind if kind.is_dir() => continue,
                kind if kind.is_file() => {}
                _ => return Err(FilesError::NoFile(entry.into_path())),
            }
            bytes += entry.metadata().map_err(|error| walk_error(root, error))?.len();
            let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
            let parts: Option<Vec<&str>> = path.components().map(|part| part.as_os_str().to_str()).collect();
            paths.push(parts.ok_or_else(|| FilesError::Name(entry.path().to_owned()))?.join("/"));
        }
        if paths.is_empty() {
            return Err(FilesError::Empty(root.to_owned()));
        }
        paths.sort_unstable();
        Ok(Self { root: root.to_owned(), paths: Some(paths), bytes })
    }

    /// How much there is to read, bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads it all. `progress` is told of every so many bytes more.
    pub fn hash(&self, progress: &mut dyn FnMut(u64)) -> Result<Hashed, FilesError> {
        let Some(paths) = &self.paths else {
            return Ok(Hashed { digest: hash_file(&self.root, progress)?.0, manifest: None });
        };
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let (sha256, size) = hash_file(&self.root.join(path), progress)?;
            files.push(ManifestFile { path: path.clone(), sha256, size });
        }
        // The members stand in the order of RFC 8785 already; the canonicaliser sees to strings and numbers.
        let manifest = serde_json_canonicalizer::to_string(&Manifest { files, format: 1 })
            .map_err(|error| FilesError::Read { path: self.root.clone(), source: error.into() })?;
        Ok(Hashed { digest: sha256(manifest.as_bytes()), manifest: Some(manifest) })
    }
}

#[expect(clippy::disallowed_methods, reason = "a model's files are not the registry's own")]
fn hash_file(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(Digest, u64), FilesError> {
    let fault = |source| FilesError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fault)?;
    let (mut hasher, mut chunk, mut size) = (Sha256::new(), vec![0; CHUNK_BYTES], 0);
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => return Ok((Digest(hasher.finalize().into()), size)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(fault(error)),
        };
        hasher.update(&chunk[..read]);
        size += read as u64;
        progress(read as u64);
    }
}

fn walk_error(root: &Path, error: walkdir::Error) -> FilesError {
    let path = error.path().unwrap_or(root).to_owned();
    match error.loop_ancestor() {
        Some(ancestor) => FilesError::Link(format!(
            "{}: the link leads back to {}: take it out of the model's directory",
            path.display(),
            ancestor.display()
        )),
        None => FilesError::Read { path, source: error.into() },
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a model's files are not the registry's own")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn hash(path: &Path) -> Result<Hashed, FilesError> {
        let files = Files::find(path)?;
        let mut read = 0;
        let hashed = files.hash(&mut |bytes| read += bytes)?;
        assert_eq!(read, files.bytes());
        Ok(hashed)
    }

    fn model(dir: &Path) {
        fs::create_dir_all(dir.join("b/empty")).unwrap();
        fs::write(dir.join("b/ü\n.bin"), "weights").unwrap();
        fs::write(dir.join("a.json"), "").unwrap();
        fs::write(dir.join("b.txt"), "x").unwrap();
    }

    #[test]
    fn a_directory_has_the_digest_of_its_manifest() {
        let dir = tempfile::tempdir().unwrap();
        model(dir.path());
        let hashed = hash(dir.path()).unwrap();
        // b.txt before b/…: by bytes of the path, not by directories. Digests of "", "x" and "weights" by sha256sum.
        let expected = concat!(
            r#"{"files":[{"path":"a.json","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"#,
            r#"{"path":"b.txt","sha256":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1},"#,
            r#"{"path":"b/ü\n.bin","sha256":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c","size":7}],"#,
            r#""format":1}"#
        );
        assert_eq!(hashed.manifest.as_deref(), Some(expected));
        assert_eq!(hashed.digest, sha256(expected.as_bytes()));
        assert_eq!(hash(&dir.path().join("b.txt")).unwrap().digest, sha256(b"x"));
        assert_eq!(hash(&dir.path().join("b.txt")).unwrap().manifest, None);
    }

    #[test]
    fn a_cache_of_links_has_the_digest_of_a_copy() {
        let dir = tempfile::tempdir().unwrap();
        let (plain, blobs, linked) =
            (dir.path().join("plain"), dir.path().join("blobs"), dir.path().join("linked"));
        model(&plain);
        model(&blobs);
        fs::create_dir(&linked).unwrap();
        for name in ["a.json", "b.txt", "b"] {
            symlink(blobs.join(name), linked.join(name)).unwrap();
        }
        assert_eq!(hash(&linked).unwrap(), hash(&plain).unwrap());
        symlink(&linked, dir.path().join("link")).unwrap();
        assert_eq!(hash(&dir.path().join("link")).unwrap(), hash(&plain).unwrap());
    }

    #[test]
    fn what_has_no_digest_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = || hash(dir.path()).unwrap_err().to_string();
        assert!(refused().contains("there are no files"));
        model(dir.path());
        symlink(dir.path(), dir.path().join("b/round")).unwrap();
        assert!(refused().contains("leads back to"), "{}", refused());
        fs::remove_file(dir.path().join("b/round")).unwrap();
        symlink("nowhere", dir.path().join("b/gone")).unwrap();
        assert!(refused().contains("b/gone"), "{}", refused());
        assert!(hash(&dir.path().join("none")).is_err());
    }
}
