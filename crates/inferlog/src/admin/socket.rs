//! Where `admin.sock` is, and how it is bound and reached.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Name of the socket in the data directory.
pub(crate) const SOCKET: &str = "admin.sock";

/// Longest path that a Unix socket takes, bytes, with a margin for systems that take fewer than Linux (108).
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// A socket that serves until dropped; then its name is removed.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    path: PathBuf,
}

impl AdminSocket {
    /// Binds the socket of a data directory, which this process has the lock of: a socket that is there is a dead one's. Its
    /// owner alone can connect, from its first moment on.
    pub(crate) fn bind(data: &Path) -> io::Result<(Self, UnixListener)> {
        // Bound in a directory that nobody else can enter, then renamed into place.
        let private = data.join(format!(".tmp-admin-{}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&private) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::set_permissions(&private, fs::Permissions::from_mode(0o700))?,
        }
        let bound = bind_in(&private, &data.join(SOCKET));
        // A crash before this leaves an empty directory whose name says that it means nothing.
        let _ = fs::remove_dir_all(&private);
        Ok((Self { path: data.join(SOCKET) }, bound?))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // What is left behind refuses connections, which says the same.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind_in(private: &Path, place: &Path) -> io::Result<UnixListener> {
    let first = private.join("s");
    let _ = fs::remove_file(&first);
    let short = ShortPath::of(&first)?;
    let listener = UnixListener::bind(short.path())?;
    fs::set_permissions(&first, fs::Permissions::from_mode(0o600))?;
    fs::rename(&first, place)?;
    Ok(listener)
}

/// Connects to the process that serves a data directory; `None` if none does.
pub(crate) async fn connect(data: &Path) -> io::Result<Option<UnixStream>> {
    let path = data.join(SOCKET);
    let short = match ShortPath::of(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match UnixStream::connect(short.path()).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused].contains(&error.kind()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A path that a socket address can hold: a long one goes by way of its open directory.
struct ShortPath {
    path: PathBuf,
    _directory: Option<fs::File>,
}

impl ShortPath {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(Self { path: path.to_owned(), _directory: None });
        }
        use std::os::fd::AsRawFd;
        let directory = fs::File::open(path.parent().unwrap_or(path))?;
        let through = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
        Ok(Self { path: through.join(path.file_name().unwrap_or_default()), _directory: Some(directory) })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_owner_alone_connects_and_a_dead_socket_is_nobody() {
        let dir = tempfile::tempdir().unwrap();
        // Longer than a socket address, too.
        for data in [dir.path().to_owned(), dir.path().join("long".repeat(40))] {
            fs::create_dir_all(&data).unwrap();
            assert!(connect(&data).await.unwrap().is_none());
            let (socket, listener) = AdminSocket::bind(&data).unwrap();
            assert_eq!(fs::metadata(data.join(SOCKET)).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(connect(&data).await.unwrap().is_some());
            drop(listener);
            assert!(connect(&data).await.unwrap().is_none(), "refused");
            let (again, listener) = AdminSocket::bind(&data).unwrap();
            assert!(connect(&data).await.unwrap().is_some());
            drop((again, listener, socket));
            let left: Vec<_> = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert!(left.iter().all(|name| name.to_string_lossy().starts_with("long")), "{left:?}");
        }
    }
}
