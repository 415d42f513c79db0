//! A log of a bundle: its entries, proved under the one checkpoint that the bundle has of it.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inferlog_disk::Fs;
use inferlog_log::{LogDir, LogIdentity, LogReader, ReadError, Run, list_logs, list_vouched, read_vouched};
use inferlog_merkle::{
    Checkpoint, SignedNote, TILE_WIDTH, TilePath, TileSource, VerifierKey, inclusion_proof, leaf_hash,
    verify_checkpoint, verify_inclusion,
};
use inferlog_record::Entry;
use lru::LruCache;

use super::WrittenLog;
use super::error::{Result, WriteError};
use crate::layout::{LogFacts, ProvedEntry};

const WIDTH: u64 = TILE_WIDTH as u64;
/// Bundles and tiles of a log that are kept while it is read: decisions that are made at the same time stand close together.
const BUNDLES_KEPT: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
const TILES_KEPT: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// A log of the data directory.
pub(super) struct SourceLog {
    pub(super) dir: LogDir,
    pub(super) origin: String,
    pub(super) reader: LogReader,
    /// Verifier keys, as the log lists them.
    pub(super) vkeys: Vec<String>,
    /// What the bundle has of it is proved under this: the published one until [`SourceLog::vouch`].
    pub(super) signed: Signed,
    bundles: RefCell<LruCache<u64, Arc<[Run]>>>,
    tiles: RefCell<LruCache<TilePath, Vec<u8>>>,
}

/// A checkpoint of a log that was verified by the keys that the log lists.
pub(super) struct Signed {
    pub(super) note: String,
    pub(super) checkpoint: Checkpoint,
    pub(super) timestamps: Vec<Vec<u8>>,
    /// Signatures by others than the log.
    pub(super) cosignatures: usize,
}

impl SourceLog {
    /// The logs of a data directory that have a checkpoint, by system, shard and epoch.
    pub(super) fn all(fs: &Arc<dyn Fs>, data: &Path) -> Result<Vec<Self>> {
        let mut logs = Vec::new();
        for dir in list_logs(&**fs, data)? {
            let LogIdentity { origin, vkeys, .. } = LogIdentity::load(&**fs, &dir)?;
            let reader = LogReader::new(fs.clone(), dir.clone());
            let Some((note, checkpoint)) = reader.checkpoint()? else { continue };
            let signed = verified(&origin, &vkeys, &note, checkpoint.size(), Vec::new())?;
            let bundles = RefCell::new(LruCache::new(BUNDLES_KEPT));
            let tiles = RefCell::new(LruCache::new(TILES_KEPT));
            logs.push(Self { dir, origin, reader, vkeys, signed, bundles, tiles });
        }
        Ok(logs)
    }

    /// Takes the newest checkpoint that others vouch for and that has `size` entries at least, where there is one.
    pub(super) fn vouch(&mut self, size: u64) -> Result<()> {
        let fs = self.reader.fs().clone();
        let sizes = list_vouched(&*fs, &self.dir)?;
        // One beyond what is published could not be proved under yet.
        let Some(size) = sizes.into_iter().rfind(|found| (size..=self.size()).contains(found)) else {
            return Ok(());
        };
        let Some(vouched) = read_vouched(&*fs, &self.dir, size)? else { return Ok(()) };
        let note = SignedNote::parse(&vouched.note).map_err(|error| WriteError::Checkpoint {
            log: self.origin.clone(),
            size,
            what: error.to_string(),
        })?;
        self.signed = verified(&self.origin, &self.vkeys, &note, size, vouched.timestamps)?;
        Ok(())
    }

    /// Entries under the checkpoint.
    pub(super) fn size(&self) -> u64 {
        self.signed.checkpoint.size()
    }

    pub(super) fn facts(&self) -> LogFacts {
        LogFacts {
            origin: self.origin.clone(),
            root: self.signed.checkpoint.root().to_base64(),
            size: self.size(),
            timestamps: self.signed.timestamps.len(),
        }
    }

    /// What is said of it to whoever wrote the bundle.
    pub(super) fn described(&self) -> WrittenLog {
        let LogFacts { origin, size, timestamps, .. } = self.facts();
        let cosignatures = self.signed.cosignatures;
        WrittenLog { cosignatures, origin, size, timestamps }
    }

    /// Gives the bundles of `from..to` to `visit`, each with the index of its first entry, none before `from`; of what was pruned what
    /// was kept, in parts of bundles.
    pub(super) fn each_bundle(
        &self,
        from: u64,
        to: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut runs = self.reader.bundles(from, self.size()).until(to);
        loop {
            let at = runs.at();
            let Some(run) = runs.next() else { return Ok(()) };
            let run = run.map_err(|error| self.at(at, error))?;
            visit(run.first, run.bytes())?;
        }
    }

    /// The bytes of an entry.
    pub(super) fn entry(&self, index: u64) -> Result<Vec<u8>> {
        let bundle = index / WIDTH;
        let kept = self.bundles.borrow_mut().get(&bundle).cloned();
        let runs = match kept {
            Some(runs) => runs,
            None => {
                let runs = self.reader.bundles(bundle * WIDTH, self.size()).until((bundle + 1) * WIDTH);
                let runs: Arc<[Run]> =
                    runs.collect::<std::result::Result<_, _>>().map_err(|error| self.at(index, error))?;
                self.bundles.borrow_mut().put(bundle, runs.clone());
                runs
            }
        };
        for entry in runs.iter().rev().find(|run| run.first <= index).into_iter().flat_map(Run::entries) {
            let (at, entry) = entry.map_err(|error| self.at(index, error))?;
            if at == index {
                return Ok(entry.to_vec());
            }
        }
        // Not there, or pruned: as the reader tells it.
        self.reader.entry(index, self.size()).map_err(|error| self.at(index, error))
    }

    /// The same, read.
    pub(super) fn parsed(&self, index: u64) -> Result<Entry> {
        self.parse(index, &self.entry(index)?)
    }

    pub(super) fn parse(&self, index: u64, bytes: &[u8]) -> Result<Entry> {
        Entry::from_bytes(bytes).map_err(|error| self.at(index, error))
    }

    /// An entry with its proof, which is checked here: nothing false is written.
    pub(super) fn proved(&self, log: usize, index: u64) -> Result<ProvedEntry> {
        let bytes = self.entry(index)?;
        let (size, root) = (self.size(), self.signed.checkpoint.root());
        let proof = inclusion_proof(&Tiles(self), index, size).map_err(|error| self.at(index, error))?;
        verify_inclusion(&leaf_hash(&bytes), index, size, &proof, &root)
            .map_err(|error| self.at(index, error))?;
        let entry = String::from_utf8(bytes).map_err(|error| self.at(index, error))?;
        let proof = proof.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect();
        Ok(ProvedEntry { entry, index, log, proof })
    }

    pub(super) fn at(&self, index: u64, what: impl std::fmt::Display) -> WriteError {
        WriteError::Entry { log: self.origin.clone(), index, what: what.to_string() }
    }
}

fn verified(
    origin: &str,
    vkeys: &[String],
    note: &SignedNote,
    size: u64,
    timestamps: Vec<Vec<u8>>,
) -> Result<Signed> {
    let false_one = |what: String| WriteError::Checkpoint { log: origin.to_owned(), size, what };
    let keys: Vec<VerifierKey> = vkeys.iter().filter_map(|vkey| vkey.parse().ok()).collect();
    let verified =
        verify_checkpoint(note, origin, &keys, &[]).map_err(|error| false_one(error.to_string()))?;
    if verified.checkpoint.size() != size {
        return Err(false_one(format!("it is of {} entries", verified.checkpoint.size())));
    }
    let cosignatures = note.signatures().iter().filter(|signature| signature.name() != origin).count();
    Ok(Signed { note: note.to_string(), checkpoint: verified.checkpoint, timestamps, cosignatures })
}

/// The tiles of a log, the newest of them kept.
struct Tiles<'a>(&'a SourceLog);

impl TileSource for Tiles<'_> {
    type Error = ReadError;

    fn read_tile(&self, path: TilePath) -> std::result::Result<Vec<u8>, ReadError> {
        if let Some(tile) = self.0.tiles.borrow_mut().get(&path) {
            return Ok(tile.clone());
        }
        let tile = self.0.reader.read_tile(path)?;
        self.0.tiles.borrow_mut().put(path, tile.clone());
        Ok(tile)
    }
}
