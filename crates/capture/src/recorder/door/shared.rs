//! Content that is declared shared: stored once, in clear, by its SHA-256, among the registry's objects.

use inferlog_disk::Fs;
use inferlog_record::{Digest, Encoding, MediaType, Shared};
use inferlog_registry::{OBJECT_BYTES_MAX, Objects};
use lru::LruCache;
use parking_lot::Mutex;
use sha2::Digest as _;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

/// Contents that are known to be stored: they are not written again.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Where shared content is stored.
pub(crate) struct SharedStore {
    objects: Objects,
    known: Mutex<LruCache<Digest, ()>>,
}

impl SharedStore {
    /// Below this data directory.
    pub(crate) fn new(fs: Arc<dyn Fs>, dir: &Path) -> Self {
        Self { objects: Objects::new(fs, &dir.join("registry")), known: Mutex::new(LruCache::new(KNOWN_MAX)) }
    }

    /// Stores content durably; `None` if it cannot be: it is too large, or there is no room. Blocks.
    pub(crate) fn put(&self, media_type: MediaType, bytes: &[u8]) -> Option<Shared> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return None;
        }
        let sha256 = Digest(sha2::Sha256::digest(bytes).into());
        if self.known.lock().get(&sha256).is_none() {
            // A crash after this leaves an object that no event names: it means nothing, and is taken when it comes again.
            if let Err(error) = self.objects.write(sha256, bytes) {
                tracing::warn!(%error, "shared content could not be stored: it is sealed instead");
                return None;
            }
            self.known.lock().put(sha256, ());
        }
        Some(Shared { media_type, encoding: Encoding::Identity, size: bytes.len() as u64, sha256 })
    }
}
