//! A key in a file of its own that signs notes: a witness's. Its file is the encoding of Go's `golang.org/x/mod/sumdb/note`,
//! which other witnesses read and write: `PRIVATE+KEY+<name>+<key id, 8 hexadecimal digits>+<base64 of 0x01 ‖ Ed25519 seed>`.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use inferlog_disk::{DiskError, Fs, Open, Rng, TMP_PREFIX, create_dir_all, read_optional};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::aead::{KEY_BYTES, Key};
use crate::shred;

const PREFIX: &str = "PRIVATE+KEY+";
/// The signature type of Ed25519 (c2sp.org/signed-note). Whoever cosigns with the key computes key ids of their own.
const ED25519: u8 = 0x01;
/// The longest key file that is read, bytes.
const KEY_FILE_BYTES_MAX: u64 = 4096;

/// A named Ed25519 key (RFC 8032). Never printed, and wiped when dropped.
pub struct NoteKey {
    name: String,
    key: SigningKey,
}

/// What a key file could not be used for.
#[derive(Debug, thiserror::Error)]
pub enum NoteKeyError {
    /// The name cannot stand in a key.
    #[error("{0:?} is not a key name: it must not be empty nor hold spaces, plus or control characters")]
    Name(String),
    /// There is a file.
    #[error("{} is there already: a key is not written over", .0.display())]
    Exists(PathBuf),
    /// There is none.
    #[error("there is no key {}", .0.display())]
    Missing(PathBuf),
    /// It does not hold a key of this kind.
    #[error(
        "{} holds no key `PRIVATE+KEY+<name>+<key id>+<base64>` of type 0x01, or one that was altered", .0.display()
    )]
    Malformed(PathBuf),
    /// Others may read it.
    #[error("{} can be read by others than its owner: chmod 600 it, and think about who may have read it", .0.display())]
    Permissions(PathBuf),
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Whether files have modes: those of a simulated file system have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileModes {
    /// A key's file is its owner's alone, and one that others can read is refused.
    Checked,
    /// There are none.
    Absent,
}

impl NoteKey {
    /// Makes a key and writes it durably, readable by its owner alone. Fails if there is a file.
    pub fn create(
        fs: &dyn Fs,
        rng: &dyn Rng,
        path: &Path,
        name: &str,
        modes: FileModes,
    ) -> Result<Self, NoteKeyError> {
        let is_clean = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || !name.chars().all(is_clean) {
            return Err(NoteKeyError::Name(name.to_owned()));
        }
        if fs.exists(path)? {
            return Err(NoteKeyError::Exists(path.to_owned()));
        }
        let mut seed = Key::new([0; KEY_BYTES]);
        rng.fill(seed.bytes_mut())?;
        let made = Self { name: name.to_owned(), key: SigningKey::from_bytes(seed.bytes()) };
        made.write(fs, path, modes)?;
        Ok(made)
    }

    /// Reads a key.
    pub fn load(fs: &dyn Fs, path: &Path, modes: FileModes) -> Result<Self, NoteKeyError> {
        if modes == FileModes::Checked {
            check_mode(path)?;
        }
        let missing = || NoteKeyError::Missing(path.to_owned());
        let malformed = || NoteKeyError::Malformed(path.to_owned());
        if fs.exists(path)? && fs.open(path, Open::Read)?.len()? > KEY_FILE_BYTES_MAX {
            return Err(malformed());
        }
        let bytes = Zeroizing::new(read_optional(fs, path)?.ok_or_else(missing)?);
        std::str::from_utf8(&bytes).ok().and_then(Self::parse).ok_or_else(malformed)
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32-byte Ed25519 public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.strip_suffix('\n').unwrap_or(text).strip_prefix(PREFIX)?.split_once('+')?;
        let (id, base64) = rest.split_once('+')?;
        let bytes = Zeroizing::new(STANDARD.decode(base64).ok()?);
        let (&kind, seed) = bytes.split_first()?;
        let seed = Key::from_slice(seed)?;
        let parsed = Self { name: name.to_owned(), key: SigningKey::from_bytes(seed.bytes()) };
        (kind == ED25519 && !name.is_empty() && id == parsed.key_id()).then_some(parsed)
    }

    fn key_id(&self) -> String {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', ED25519])
            .chain_update(self.public_key())
            .finalize();
        hex::encode(&hash[..4])
    }

    fn to_line(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.key.to_bytes());
        let bytes = Zeroizing::new([&[ED25519], seed.as_slice()].concat());
        let base64 = Zeroizing::new(STANDARD.encode(&*bytes));
        Zeroizing::new(format!("{PREFIX}{}+{}+{}\n", self.name, self.key_id(), *base64))
    }

    fn write(&self, fs: &dyn Fs, path: &Path, modes: FileModes) -> Result<(), NoteKeyError> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        create_dir_all(fs, dir)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let tmp = dir.join(format!("{TMP_PREFIX}{name}"));
        if fs.exists(&tmp)? {
            // Left by a crash: a key that was never used.
            shred::remove(fs, &tmp)?;
        }
        let file = fs.open(&tmp, Open::CreateNew)?;
        if modes == FileModes::Checked {
            restrict(&tmp)?;
        }
        file.write_all_at(self.to_line().as_bytes(), 0)?;
        file.sync_data()?;
        // A crash before the rename is durable leaves no key, and nobody has heard of this one.
        fs.rename(&tmp, path)?;
        Ok(fs.sync_dir(dir)?)
    }
}

impl fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoteKey").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(unix)]
fn restrict(path: &Path) -> Result<(), NoteKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).map_err(|error| DiskError::new("restrict", path, error).into())
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), NoteKeyError> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Err(NoteKeyError::Permissions(path.to_owned()))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(NoteKeyError::Missing(path.to_owned())),
        Err(error) => Err(DiskError::new("read the mode of", path, error).into()),
    }
}

/// Elsewhere the directory's access list decides.
#[cfg(not(unix))]
fn restrict(_path: &Path) -> Result<(), NoteKeyError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), NoteKeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use inferlog_disk::{OsRng, RealFs};

    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/key");
        let made = NoteKey::create(&RealFs, &OsRng, &path, "example.org/w", FileModes::Checked).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = NoteKey::load(&RealFs, &path, FileModes::Checked).unwrap();
        assert_eq!((read.name(), read.public_key()), ("example.org/w", made.public_key()));
        assert_eq!(read.sign(b"text"), made.sign(b"text"));
        assert!(!format!("{read:?}").contains(&read.to_line()[PREFIX.len() + 23..]));
        let again = NoteKey::create(&RealFs, &OsRng, &path, "other", FileModes::Checked);
        assert!(matches!(again, Err(NoteKeyError::Exists(_))));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let open = NoteKey::load(&RealFs, &path, FileModes::Checked);
        assert!(matches!(open, Err(NoteKeyError::Permissions(_))));
    }

    /// The example key of Go's package note (`ExampleSign`), and the verifier key that stands beside it there.
    #[test]
    fn a_key_of_go_is_read() {
        let go = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let key = NoteKey::parse(go).unwrap();
        assert_eq!((key.name(), key.key_id().as_str()), ("PeterNeumann", "c74f20a3"));
        let vkey = [&[ED25519], key.public_key().as_slice()].concat();
        assert_eq!(STANDARD.encode(vkey), "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        assert_eq!(key.to_line().trim_end(), go);
    }

    #[test]
    fn names_and_altered_keys_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "a b", "a+b", "a\nb"] {
            let made = NoteKey::create(&RealFs, &OsRng, &dir.path().join("k"), name, FileModes::Checked);
            assert!(matches!(made, Err(NoteKeyError::Name(_))), "{name:?}");
        }
        let path = dir.path().join("key");
        let made = NoteKey::create(&RealFs, &OsRng, &path, "w", FileModes::Checked).unwrap();
        let line = made.to_line();
        assert!(NoteKey::parse(&line).is_some() && NoteKey::parse(line.trim_end()).is_some());
        assert!(NoteKey::parse(&line.replacen("+w+", "+v+", 1)).is_none());
        assert!(NoteKey::parse("PRIVATE+KEY+w+").is_none());
        assert!(NoteKey::parse(&line[..line.len() - 3]).is_none());
        let missing = NoteKey::load(&RealFs, &dir.path().join("none"), FileModes::Checked);
        assert!(matches!(missing, Err(NoteKeyError::Missing(_))));
    }
}
