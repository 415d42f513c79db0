//! How far a verification is.

use parking_lot::Mutex;

/// How far a verification is; given to the caller after each run of bundles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bundles checked, over all logs.
    pub bundles: u64,
    /// Bundles to check.
    pub bundles_total: u64,
    /// Bytes read so far.
    pub bytes: u64,
}

/// Counts, and tells the caller.
pub(super) struct Tracker<'a> {
    so_far: Mutex<Progress>,
    tell: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Tracker<'a> {
    pub(super) fn new(bundles_total: u64, tell: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self { so_far: Mutex::new(Progress { bundles_total, ..Progress::default() }), tell }
    }

    /// Under the lock, so that the caller sees numbers that only grow.
    pub(super) fn add(&self, bundles: u64, bytes: u64) {
        let mut so_far = self.so_far.lock();
        so_far.bundles += bundles;
        so_far.bytes += bytes;
        (self.tell)(*so_far);
    }
}
