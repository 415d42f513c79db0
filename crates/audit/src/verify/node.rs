//! What belongs to the node and to no log: the file `node`, directories without a log, followers' cursors.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{DirEntry, Fs, TMP_PREFIX};
use inferlog_log::marker::{Found, marker_paths};
use inferlog_log::{LogDir, NodeIdentity};
use inferlog_record::Timestamp;

use super::is_canonical;
use crate::report::{FaultKind, Sink};

/// Reads the file `node`; the node's id. Its org stands in the origins of its logs.
pub(super) fn identity(fs: &dyn Fs, dir: &Path, origins: &[&str], sink: Sink<'_>) -> Option<[u8; 16]> {
    let path = dir.join("node");
    match NodeIdentity::load(fs, dir) {
        Ok(Some(node)) => {
            if !fs
                .read(&path)
                .is_ok_and(|bytes| is_canonical(&bytes) && contains(&bytes, &hex::encode(node.id())))
            {
                let what =
                    "not written as inferlog writes it: sorted, without spaces, lower case, one newline";
                sink.file(&path, FaultKind::Identity, what);
            }
            let org = format!("{}/", node.org());
            if !origins.is_empty() && !origins.iter().any(|origin| origin.starts_with(&org)) {
                let what = format!("the org is {}, and no log's origin begins with it", node.org());
                sink.file(&path, FaultKind::Identity, what);
            }
            Some(node.id())
        }
        Ok(None) => {
            sink.file(&path, FaultKind::Identity, "the file is missing");
            None
        }
        Err(error) => {
            sink.error(&path, FaultKind::Identity, &error);
            None
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// The degrade marker, in each of its places. One that is set is told; one that does not check is set and a fault.
pub(super) fn marker(fs: &dyn Fs, dir: &Path, twins: Option<&Path>, node: [u8; 16], sink: Sink<'_>) {
    for path in marker_paths(dir, twins, node) {
        let bytes = match fs.read(&path) {
            Ok(bytes) => bytes,
            // A node that never degrades has none.
            Err(error) if error.is_not_found() => continue,
            Err(error) => {
                sink.file(&path, FaultKind::Unreadable, error.to_string());
                continue;
            }
        };
        let since = match Found::decode(&bytes, node) {
            Found::Clear => continue,
            Found::Degraded { since_ns } => format!("since {}", Timestamp(since_ns)),
            Found::Unreadable => {
                if bytes != Found::Unreadable.encode(node) {
                    sink.file(&path, FaultKind::Marker, "the degrade marker does not check");
                }
                "for an unknown time".to_owned()
            }
        };
        sink.notice(format!("degraded {since}: answers may have passed that the log does not tell of yet"));
    }
}

/// What is registered: every object against its name, the index against itself and the objects.
pub(super) fn registry(fs: &Arc<dyn Fs>, dir: &Path, sink: Sink<'_>) {
    for problem in inferlog_registry::check(fs, &dir.join(inferlog_registry::REGISTRY_DIR)) {
        let line = problem.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        sink.file(&problem.path, FaultKind::Registry, format!("{line}{}", problem.what));
    }
}

/// A directory with a checkpoint and without the file `log` was a log once.
pub(super) fn orphans(fs: &dyn Fs, dir: &Path, sink: Sink<'_>) {
    let mut level = vec![dir.join("logs")];
    for _ in 0..3 {
        let listed = level.iter().flat_map(|dir| list(fs, dir, sink));
        level = listed.filter(|entry| entry.is_dir).map(|entry| entry.path).collect();
    }
    for path in level {
        let has = |name: &str| sink.exists(fs, &path.join(name));
        if !has("log") && (has("checkpoint") || has("tile")) {
            sink.file(&path.join("log"), FaultKind::Identity, "the file is missing beside a log's tiles");
        }
    }
}

/// The names in a directory; none, if there is no such directory.
fn list(fs: &dyn Fs, dir: &Path, sink: Sink<'_>) -> Vec<DirEntry> {
    fs.read_dir(dir).unwrap_or_else(|error| {
        if !error.is_not_found() {
            sink.file(dir, FaultKind::Unreadable, error.to_string());
        }
        Vec::new()
    })
}

/// Cursors are decimal numbers.
pub(super) fn cursors(fs: &dyn Fs, log: &LogDir, sink: Sink<'_>) {
    let listed = list(fs, &log.path().join("cursors"), sink);
    for entry in listed.iter().filter(|entry| !entry.is_dir && !entry.name.starts_with(TMP_PREFIX)) {
        let is_number = fs.read(&entry.path).is_ok_and(|bytes| {
            let text = std::str::from_utf8(&bytes).ok().and_then(|text| text.strip_suffix('\n'));
            text.is_some_and(|text| text.parse::<u64>().is_ok_and(|number| number.to_string() == text))
        });
        if !is_number {
            sink.file(&entry.path, FaultKind::Cursor, "this cursor is not a number and a newline");
        }
    }
}
