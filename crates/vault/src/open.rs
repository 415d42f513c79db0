//! Creating and opening a keystore. Opening is the recovery: it settles what a crash interrupted, and makes durable again
//! what an earlier process may have failed to.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use inferlog_disk::{Clock, Fs, Rng, create_dir_all, read_optional, replace_file};
use parking_lot::{Mutex, RwLock};

use crate::KeystoreId;
use crate::aead::Key;
use crate::alloc::Allocation;
use crate::dir::Dir;
use crate::erased::Erased;
use crate::error::{Result, VaultError};
use crate::lookup::Lookup;
use crate::root::{RootError, RootKey, RootStore};
use crate::shred;
use crate::store::Store;
use crate::table::{self, Table};
use crate::vault::{Absorbed, Admin, Inner, Vault, Writer, read_id};

impl KeystoreId {
    /// A new name.
    pub fn random(rng: &dyn Rng) -> Result<Self> {
        let mut id = [0; 16];
        rng.fill(&mut id)?;
        Ok(Self(id))
    }

    /// The name of the keystore in `dir`. [`VaultError::Missing`] if there is none.
    pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Self> {
        read_id(fs, dir)
    }
}

impl Vault {
    /// Creates the keystore `id` in `dir`, and its root key where `roots` says. [`VaultError::Exists`] if `dir` holds one.
    /// After a crash call it again with the same id: it goes on with the root key that the first attempt left.
    pub fn create(
        fs: Arc<dyn Fs>,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
        dir: &Path,
        id: KeystoreId,
        roots: Box<dyn RootStore>,
    ) -> Result<Self> {
        let place = Dir::new(dir);
        if place.has_keystore(&*fs)? {
            return Err(VaultError::Exists { path: dir.to_owned() });
        }
        let resumes = matches!(read_id(&*fs, dir), Ok(found) if found == id);
        create_dir_all(&*fs, &place.pages())?;
        replace_file(&*fs, &place.id(), format!("{id}\n").as_bytes())?;
        let root = match roots.create(&RootKey { epoch: 1, key: Key::random(&*rng)? }) {
            // A first attempt was cut off after its root key was written: that key opens nothing yet.
            Err(RootError::Exists { .. }) if resumes => roots.get()?,
            Err(error @ RootError::Exists { .. }) => {
                // Otherwise the next attempt would take another keystore's root key for its own.
                fs.remove_file(&place.id())?;
                fs.sync_dir(place.path())?;
                return Err(error.into());
            }
            other => other?,
        };
        roots.confirm(&root)?;
        let table = Table::new(Key::random(&*rng)?);
        // The keystore exists from here on. A crash before leaves none, and perhaps a root key that opens nothing.
        replace_file(&*fs, &place.table(), &table.seal(&*rng, id, &root)?)?;
        Self::open(fs, rng, clock, dir, roots)
    }

    /// Opens the keystore in `dir` with the root key that `roots` gives. One process at a time: the caller holds the data
    /// directory's lock. Finishes, or undoes, an erasure that a crash interrupted.
    pub fn open(
        fs: Arc<dyn Fs>,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
        dir: &Path,
        roots: Box<dyn RootStore>,
    ) -> Result<Self> {
        let keystore = read_id(&*fs, dir)?;
        let dir = Dir::new(dir);
        let root = roots.get()?;
        settle(&*fs, &dir, keystore, &root, &*roots)?;
        let table = read_table(&*fs, &dir, keystore, &root)?;
        // What an earlier process wrote and failed to sync may be readable now and gone after a crash: written again.
        replace_file(&*fs, &dir.table(), &table.seal(&*rng, keystore, &root)?)?;
        let absorbed = read_absorbed(&*fs, &dir)?;
        dir.remove_temporary(&*fs)?;
        let allocation = scan(&*fs, &dir, &table)?;
        let inner = Inner {
            store: Mutex::new(Store::new(Arc::clone(&fs), dir.clone(), keystore)),
            fs,
            rng,
            clock,
            dir,
            keystore,
            roots,
            backups: RwLock::default(),
            copying: Mutex::new(()),
            admin: Mutex::new(Admin { root }),
            writer: Mutex::new(Writer),
            table: RwLock::new(Arc::new(table)),
            absorbed: Mutex::new(absorbed),
            allocation: Mutex::new(allocation),
            lookup: Lookup::new(),
            erased: Erased::default(),
            poisoned: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

/// Settles an interrupted erasure in a keystore's directory, or in a backup place: of two tables the one that the root key
/// opens is in force.
pub(crate) fn settle(
    fs: &dyn Fs,
    dir: &Dir,
    keystore: KeystoreId,
    root: &RootKey,
    roots: &dyn RootStore,
) -> Result<()> {
    let Some(next) = read_optional(fs, &dir.table_next())? else { return Ok(()) };
    // Before either table goes the root key must be one that a crash does not take back.
    if Table::open(&next, keystore, root).is_some() {
        roots.confirm(root)?;
        shred::rename_over(fs, &dir.table_next(), &dir.table())?;
    } else if open_table(&read_optional(fs, &dir.table())?, keystore, root).is_some() {
        roots.confirm(root)?;
        shred::remove(fs, &dir.table_next())?;
    } else {
        return Err(wrong_root(dir, &next, root));
    }
    Ok(fs.sync_dir(dir.path())?)
}

fn open_table(bytes: &Option<Vec<u8>>, keystore: KeystoreId, root: &RootKey) -> Option<Table> {
    Table::open(bytes.as_ref()?, keystore, root)
}

fn read_table(fs: &dyn Fs, dir: &Dir, keystore: KeystoreId, root: &RootKey) -> Result<Table> {
    let missing = || VaultError::Missing { path: dir.path().to_owned() };
    let bytes = read_optional(fs, &dir.table())?.ok_or_else(missing)?;
    Table::open(&bytes, keystore, root).ok_or_else(|| wrong_root(dir, &bytes, root))
}

fn wrong_root(dir: &Dir, table: &[u8], root: &RootKey) -> VaultError {
    match table::epoch(table) {
        Some(table_epoch) if table_epoch != root.epoch => {
            VaultError::WrongRoot { path: dir.table(), root_epoch: root.epoch, table_epoch }
        }
        _ => dir.damaged(dir.table(), "the root key of its epoch does not open it"),
    }
}

/// Finds out what each page is for, and removes the generations that the table does not list.
fn scan(fs: &dyn Fs, dir: &Dir, table: &Table) -> Result<Allocation> {
    let mut allocation = Allocation::default();
    allocation
        .raise_floor(dir.list_pages(fs)?.iter().map(|(page, _)| page.saturating_add(1)).max().unwrap_or(0));
    allocation.add_ready(table.pages.iter().filter(|(_, key)| key.generation == 0).map(|(page, _)| *page));
    for (page, generation) in remove_unlisted(fs, dir, table)? {
        match dir.header(fs, page, generation)? {
            Some(header) => allocation.add_page(&header.topic, page),
            // Torn by a crash, or damaged: births that belong to it say what it is for.
            None => allocation.deactivate(page),
        }
    }
    Ok(allocation)
}

/// Shreds the page files that the table does not list; the others. An erasure leaves old generations, an erasure that was
/// undone leaves new ones, a purge leaves pages.
pub(crate) fn remove_unlisted(fs: &dyn Fs, dir: &Dir, table: &Table) -> Result<Vec<(u32, u32)>> {
    let (mut listed, mut removed) = (Vec::new(), false);
    for (page, generation) in dir.list_pages(fs)? {
        match table.pages.get(&page) {
            Some(page_key) if page_key.generation == generation => listed.push((page, generation)),
            // Newer than the table: an interrupted backup was restored. Without a key it is nothing, but not ours to remove.
            None if table.next_page().is_some_and(|next| page >= next) => {}
            _ => {
                shred::remove(fs, &dir.page(page, generation))?;
                removed = true;
            }
        }
    }
    if removed {
        fs.sync_dir(&dir.pages())?;
    }
    Ok(listed)
}

fn read_absorbed(fs: &dyn Fs, dir: &Dir) -> Result<Absorbed> {
    let Some(bytes) = read_optional(fs, &dir.absorbed())? else { return Ok(Absorbed::new()) };
    let text = std::str::from_utf8(&bytes).ok();
    let lines: Option<Absorbed> = text.and_then(|text| text.lines().map(absorbed_line).collect());
    let damaged = || dir.damaged(dir.absorbed(), "a line is not `<log id, 32 hex> <index>`");
    let absorbed = lines.ok_or_else(damaged)?;
    replace_file(fs, &dir.absorbed(), &bytes)?;
    Ok(absorbed)
}

fn absorbed_line(line: &str) -> Option<([u8; 16], u64)> {
    let (log, index) = line.split_once(' ')?;
    let mut id = [0; 16];
    hex::decode_to_slice(log, &mut id).ok()?;
    Some((id, index.parse().ok()?))
}
