//! One log as it grows.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::{Fs, TMP_PREFIX, create_dir_all, create_over, replace_file};
use inferlog_merkle::{TILE_WIDTH, TileLevel, TilePath, TreeEdge, leaf_hash};

use super::{Hooks, signed};
use crate::error::{LogError, Result};
use crate::hooks::Signer;
use crate::packs::PackWriter;
use crate::reader::LogReader;
use crate::twin::Twin;
use crate::wal::Frame;
use crate::{Flags, LogDir, LogIdentity, PackTail, State};

/// Known directories beyond which the list is forgotten and built anew.
const KNOWN_DIRS_MAX: usize = 4096;

pub(crate) struct Tree {
    fs: Arc<dyn Fs>,
    dir: LogDir,
    origin: String,
    /// As of the last commit; `open`, `erasures` already as applied.
    state: State,
    edge: TreeEdge,
    /// The entries after the last full bundle.
    bundle: Vec<u8>,
    packs: PackWriter,
    twin: Twin,
    /// Directories whose names must be synced before `state` counts them.
    dirty: BTreeSet<PathBuf>,
    known: BTreeSet<PathBuf>,
    /// Partial files of the last commit, and of the one before: readers of the last checkpoint may still want them.
    partials: [Vec<PathBuf>; 2],
    /// Whether the tree was found to contain what was signed before this process.
    is_checked: bool,
}

impl Tree {
    pub(crate) fn open(fs: Arc<dyn Fs>, dir: LogDir, hooks: &Hooks) -> Result<Self> {
        let state = State::load(&*fs, &dir)?;
        let identity = LogIdentity::load(&*fs, &dir)?;
        let reader = LogReader::new(fs.clone(), dir.clone());
        let damaged = |what: String| LogError::Tree { origin: identity.origin.clone(), what };
        let edge =
            TreeEdge::load(&reader, state.size, state.root).map_err(|error| damaged(error.to_string()))?;
        let mut bundle = Vec::new();
        if let Some(path) = LogDir::bundle_of(state.size, state.size) {
            bundle = reader.bundle(path).map_err(|error| damaged(error.to_string()))?;
            // `TreeEdge::load` has checked the level-0 tile that these entries must hash to.
            if let Some((_, tile)) = edge.partial(0).find(|(tile, _)| tile.level() == TileLevel::Hashes(0)) {
                inferlog_merkle::check_bundle(&bundle, tile)
                    .map_err(|error| damaged(format!("{path}: {error}")))?;
            }
        }
        let packs = PackWriter::open(fs.clone(), dir.packs(), state.log, &state.packs)?;
        let twin = Twin::open(fs.clone(), &dir, hooks.twins.as_ref(), &identity.origin)?;
        let mut tree = Self {
            origin: identity.origin,
            state,
            edge,
            bundle,
            packs,
            twin,
            dirty: BTreeSet::new(),
            known: BTreeSet::new(),
            partials: [Vec::new(), Vec::new()],
            is_checked: false,
            fs,
            dir,
        };
        tree.partials[0] = tree.right_edge().map(|tile| tree.dir.tile(tile)).collect();
        Ok(tree)
    }

    pub(crate) fn size(&self) -> u64 {
        self.edge.size()
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Appends a frame's entry and payloads. False if it is settled already.
    pub(crate) fn apply(&mut self, frame: &Frame<'_>, path: &Path, offset: u64) -> Result<bool> {
        if frame.index < self.edge.size() {
            return Ok(false);
        }
        if frame.index > self.edge.size() {
            let what =
                format!("{}: the WAL goes from entry {} to {}", self.origin, self.edge.size(), frame.index);
            return Err(LogError::damaged(path, offset, &what));
        }
        if inferlog_merkle::encode_entry(&mut self.bundle, frame.entry).is_err() {
            return Err(LogError::damaged(
                path,
                offset,
                "an entry in the WAL is longer than a bundle can hold",
            ));
        }
        self.edge.push(leaf_hash(frame.entry));
        self.packs.append(frame, path, offset)?;
        let flags = Flags(frame.flags);
        if flags.has(Flags::OPENS) {
            self.state.open.insert(frame.decision, frame.index);
        }
        if flags.has(Flags::CLOSES) {
            self.state.open.remove(&frame.decision);
        }
        if flags.has(Flags::ERASURE) {
            self.state.erasures.push(frame.index);
        }
        if self.edge.size().is_multiple_of(u64::from(TILE_WIDTH)) {
            self.write_full()?;
        }
        Ok(true)
    }

    /// Makes bundles, tiles and packs durable. A crash here leaves files beyond `state`, which are written again.
    pub(crate) fn write(&mut self) -> Result<()> {
        if self.edge.size() == self.state.size {
            return Ok(());
        }
        let tiles: Vec<_> =
            self.edge.partial(self.state.size).map(|(path, bytes)| (path, bytes.to_vec())).collect();
        for (tile, bytes) in tiles {
            if tile.level() == TileLevel::Hashes(0) {
                let bundle = std::mem::take(&mut self.bundle);
                let put = self.put(tile.bundle(), &bundle);
                self.bundle = bundle;
                put?;
            }
            self.put(tile, &bytes)?;
        }
        let wanted: Vec<_> = self.right_edge().map(|tile| self.dir.tile(tile)).collect();
        let stale = std::mem::replace(&mut self.partials, [wanted, Vec::new()]);
        let [last, stale] = stale;
        self.partials[1] = last;
        self.state.packs = self.packs.sync()?;
        for dir in std::mem::take(&mut self.dirty) {
            self.fs.sync_dir(&dir)?;
        }
        self.remove_stale(stale)
    }

    /// Takes up the packs that `state` names now, between two rounds.
    pub(super) fn go_on_with(&mut self, tails: Vec<PackTail>, packs: PackWriter) {
        self.state.packs = tails;
        self.packs = packs;
    }

    /// Makes `state` durable, then the twin, then the checkpoint.
    pub(crate) fn publish(&mut self, signer: &dyn Signer) -> Result<()> {
        if self.edge.size() == self.state.size {
            return Ok(());
        }
        self.state.size = self.edge.size();
        self.state.root = self.edge.root();
        self.state.store(&*self.fs, &self.dir.state())?;
        self.sign(signer).map(|_| ())
    }

    /// Signs the tree as `state` has it. A crash between twin and checkpoint leaves the twin ahead; recovery publishes it.
    ///
    /// While recovery has not yet come as far as the newest checkpoint that was signed before, nothing is signed: the
    /// result is that checkpoint's size.
    pub(crate) fn sign(&mut self, signer: &dyn Signer) -> Result<Option<u64>> {
        if !self.is_checked {
            let reader = LogReader::new(self.fs.clone(), self.dir.clone());
            let ahead = signed::ahead(&reader, self.twin.checkpoint(), &self.origin, self.state.size)?;
            if ahead.is_some() {
                return Ok(ahead);
            }
            self.is_checked = true;
        }
        let note = signed::sign(signer, &self.origin, &self.state)?;
        self.twin.swap(&note)?;
        replace_file(&*self.fs, &self.dir.checkpoint(), &note)?;
        Ok(None)
    }

    fn write_full(&mut self) -> Result<()> {
        let bundle = std::mem::take(&mut self.bundle);
        for tile in self.edge.take_full() {
            if tile.path.level() == TileLevel::Hashes(0) {
                self.put(tile.path.bundle(), &bundle)?;
            }
            self.put(tile.path, &tile.bytes)?;
        }
        Ok(())
    }

    /// Writes and syncs a file beside its place and renames it there; the directory is synced with the others.
    fn put(&mut self, tile: TilePath, bytes: &[u8]) -> Result<()> {
        let path = self.dir.tile(tile);
        let Some(parent) = path.parent() else { return Ok(()) };
        if !self.known.contains(parent) {
            create_dir_all(&*self.fs, parent)?;
            if self.known.len() >= KNOWN_DIRS_MAX {
                self.known.clear();
            }
            self.known.insert(parent.to_owned());
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let temporary = parent.join(format!("{TMP_PREFIX}{name}"));
        let file = create_over(&*self.fs, &temporary)?;
        file.write_all_at(bytes, 0)?;
        file.sync_data()?;
        self.fs.rename(&temporary, &path)?;
        self.dirty.insert(parent.to_owned());
        Ok(())
    }

    /// The partial tiles and bundle of the present size.
    fn right_edge(&self) -> impl Iterator<Item = TilePath> + use<> {
        let size = self.edge.size();
        let bundle = LogDir::bundle_of(size, size);
        TreeEdge::tiles_needed(size).chain(bundle)
    }

    /// Removes partial files that neither the last checkpoint nor the one before needs. Nothing depends on their absence.
    fn remove_stale(&mut self, stale: Vec<PathBuf>) -> Result<()> {
        let mut dirs = BTreeSet::new();
        for path in stale {
            dirs.extend(path.parent().map(Path::to_owned));
            if self.partials.iter().any(|kept| kept.contains(&path)) {
                continue;
            }
            match self.fs.remove_file(&path) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        // The directory of a tile that is full by now is empty, or holds what a crash left.
        for dir in
            dirs.into_iter().filter(|dir| self.partials.iter().flatten().all(|kept| !kept.starts_with(dir)))
        {
            self.known.remove(&dir);
            match self.fs.remove_dir(&dir) {
                Err(error) if !error.is_not_found() && error.kind() != ErrorKind::DirectoryNotEmpty => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}
