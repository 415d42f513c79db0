//! The disk: files and directories as nodes, and names that lead to them, visible now and durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use super::crash::{FileFate, Keep, Torn, surviving_names, with_needed};
use super::inode::Inode;

pub(super) type NodeId = u64;

const ROOT: NodeId = 0;

#[derive(Clone, Debug)]
pub(super) enum Node {
    File(Inode),
    Dir(Dir),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Dir {
    pub(super) visible: BTreeMap<String, NodeId>,
    durable: BTreeMap<String, NodeId>,
}

/// A change of names that is visible and not yet durable, all of it or nothing.
#[derive(Clone, Debug)]
pub(super) struct NameOp {
    edits: Vec<Edit>,
    number: u64,
    /// The number of an operation that must survive if this one does, besides those on the same names.
    after: Option<u64>,
    /// A failed sync dropped it: only an operation that builds on it makes it durable.
    pub(super) lost: bool,
}

#[derive(Clone, Debug)]
struct Edit {
    dir: NodeId,
    name: String,
    to: Option<NodeId>,
}

impl NameOp {
    /// Whether this operation cannot survive without an earlier one.
    pub(super) fn needs(&self, earlier: &Self) -> bool {
        self.after == Some(earlier.number)
            || self
                .edits
                .iter()
                .any(|edit| earlier.edits.iter().any(|e| e.dir == edit.dir && e.name == edit.name))
    }

    fn is_in(&self, dir: NodeId) -> bool {
        self.edits.iter().any(|edit| edit.dir == dir)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Disk {
    nodes: BTreeMap<NodeId, Node>,
    pending: Vec<NameOp>,
    next_id: u64,
    pub(super) capacity: Option<u64>,
}

impl Disk {
    pub(super) fn new() -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::Dir(Dir::default()))]);
        Self { nodes, pending: Vec::new(), next_id: ROOT + 1, capacity: None }
    }

    // ---- looking up ----

    pub(super) fn find(&self, path: &Path) -> io::Result<NodeId> {
        let mut at = ROOT;
        for component in path.components() {
            let name = match component {
                Component::RootDir | Component::CurDir => continue,
                Component::Normal(name) => name.to_str().ok_or(ErrorKind::InvalidInput)?,
                Component::ParentDir | Component::Prefix(_) => return Err(ErrorKind::InvalidInput.into()),
            };
            at = *self.dir(at)?.visible.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    pub(super) fn dir(&self, id: NodeId) -> io::Result<&Dir> {
        match self.nodes.get(&id) {
            Some(Node::Dir(dir)) => Ok(dir),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn is_dir(&self, id: NodeId) -> bool {
        matches!(self.nodes.get(&id), Some(Node::Dir(_)))
    }

    pub(super) fn file(&self, id: NodeId) -> io::Result<&Inode> {
        match self.nodes.get(&id) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn file_mut(&mut self, id: NodeId) -> io::Result<&mut Inode> {
        match self.nodes.get_mut(&id) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    /// The directory that holds a name, and the name.
    fn place(&self, path: &Path) -> io::Result<(NodeId, String)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(ErrorKind::InvalidInput)?;
        let dir = self.find(path.parent().unwrap_or(Path::new("")))?;
        self.dir(dir)?;
        Ok((dir, name.to_owned()))
    }

    /// Every file's path and content: as readers see it, or as a crash that keeps nothing would leave it.
    pub(super) fn files(&self, durable: bool) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut dirs = vec![(PathBuf::from("/"), ROOT)];
        while let Some((path, id)) = dirs.pop() {
            let Ok(dir) = self.dir(id) else { continue };
            for (name, &id) in if durable { &dir.durable } else { &dir.visible } {
                match self.nodes.get(&id) {
                    Some(Node::Dir(_)) => dirs.push((path.join(name), id)),
                    Some(Node::File(file)) => {
                        let bytes = if durable { file.durable() } else { file.visible() };
                        files.insert(path.join(name), bytes.to_vec());
                    }
                    None => {}
                }
            }
        }
        files
    }

    // ---- space ----

    /// Bytes left for new data. Files without a name count while they are open.
    pub(super) fn free(&self) -> u64 {
        let Some(capacity) = self.capacity else { return u64::MAX };
        let named: BTreeSet<_> = self.dirs().flat_map(|dir| dir.visible.values().copied()).collect();
        let used = self.nodes.iter().map(|(id, node)| match node {
            Node::File(file) if file.handles > 0 || named.contains(id) => file.space(),
            _ => 0,
        });
        capacity.saturating_sub(used.sum())
    }

    /// Writes as much as there is space for, and fails if that is not all.
    pub(super) fn write(&mut self, id: NodeId, bytes: &[u8], offset: usize) -> io::Result<()> {
        let free = self.free();
        let file = self.file_mut(id)?;
        let fits = file.fits(offset..offset + bytes.len(), free);
        file.write(&bytes[..fits], offset);
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Reserves all, or fails and reserves nothing.
    pub(super) fn allocate(&mut self, id: NodeId, len: usize) -> io::Result<()> {
        let free = self.free();
        let file = self.file_mut(id)?;
        if file.fits(0..len, free) < len {
            return Err(ErrorKind::StorageFull.into());
        }
        file.allocate(len);
        Ok(())
    }

    // ---- names ----

    pub(super) fn create(&mut self, path: &Path, node: Node) -> io::Result<NodeId> {
        let (dir, name) = self.place(path)?;
        if self.dir(dir)?.visible.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let id = self.next_id;
        self.next_id += 1;
        self.nodes.insert(id, node);
        self.change(vec![Edit { dir, name, to: Some(id) }], None);
        Ok(id)
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        self.file(self.find(path)?)?;
        self.change(vec![Edit { dir, name, to: None }], None);
        Ok(())
    }

    /// Removes a directory in which no name is visible.
    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.place(path)?;
        if !self.dir(self.find(path)?)?.visible.is_empty() {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        self.change(vec![Edit { dir, name, to: None }], None);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from)?;
        self.file(id)?;
        let (from_dir, from_name) = self.place(from)?;
        let (to_dir, to_name) = self.place(to)?;
        if let Some(&replaced) = self.dir(to_dir)?.visible.get(&to_name) {
            self.file(replaced)?;
            // One file under two names, as a crash may leave it: rename(2) does nothing then.
            if replaced == id {
                return Ok(());
            }
        }
        let unlink = Edit { dir: from_dir, name: from_name, to: None };
        let link = Edit { dir: to_dir, name: to_name, to: Some(id) };
        if from_dir == to_dir {
            self.change(vec![unlink, link], None);
        } else {
            // After a crash the file may bear both names, if only the new directory is durable, but never none.
            let linked = self.change(vec![link], None);
            self.change(vec![unlink], Some(linked));
        }
        Ok(())
    }

    fn change(&mut self, edits: Vec<Edit>, after: Option<u64>) -> u64 {
        for edit in &edits {
            if let Some(Node::Dir(dir)) = self.nodes.get_mut(&edit.dir) {
                edit.apply(&mut dir.visible);
            }
        }
        let number = self.next_id;
        self.next_id += 1;
        self.pending.push(NameOp { edits, number, after, lost: false });
        number
    }

    /// A directory sync that works: its names become durable, and with them all that they build on.
    pub(super) fn sync_dir(&mut self, dir: NodeId) -> io::Result<()> {
        self.dir(dir)?;
        let commit = self.pending.iter().map(|op| op.is_in(dir) && !op.lost).collect();
        let commit = with_needed(&self.pending, commit);
        self.commit(&commit);
        self.collect_garbage();
        Ok(())
    }

    /// A directory sync that fails. New directories stay to be synced: nobody could create them again.
    pub(super) fn lose_dir(&mut self, dir: NodeId) {
        let is_dir =
            |edit: &Edit| edit.to.is_some_and(|id| matches!(self.nodes.get(&id), Some(Node::Dir(_))));
        for op in self.pending.iter_mut().filter(|op| op.is_in(dir)) {
            op.lost = !op.edits.iter().any(is_dir);
        }
    }

    fn commit(&mut self, which: &[bool]) {
        let pending = std::mem::take(&mut self.pending);
        for (op, &commit) in pending.into_iter().zip(which) {
            if !commit {
                self.pending.push(op);
                continue;
            }
            for edit in op.edits {
                if let Some(Node::Dir(dir)) = self.nodes.get_mut(&edit.dir) {
                    edit.apply(&mut dir.durable);
                }
            }
        }
    }

    // ---- ends ----

    /// Power returns.
    pub(super) fn crash(&mut self, keep: Keep, torn: Torn, rng: &mut fastrand::Rng) {
        let survives = surviving_names(&self.pending, keep, rng);
        self.commit(&survives);
        self.pending.clear();
        for node in self.nodes.values_mut() {
            match node {
                Node::Dir(dir) => dir.visible = dir.durable.clone(),
                Node::File(file) => file.crash(&mut FileFate::new(keep, torn, rng)),
            }
        }
        self.collect_garbage();
    }

    /// The process ended: nothing is open.
    pub(super) fn close_all(&mut self) {
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.handles = 0;
            }
        }
    }

    /// Forgets the nodes that no name leads to, visible, durable or pending, and no handle holds.
    fn collect_garbage(&mut self) {
        let mut kept = BTreeSet::new();
        let mut reached = vec![ROOT];
        reached.extend(self.pending.iter().flat_map(|op| &op.edits).filter_map(|edit| edit.to));
        while let Some(id) = reached.pop() {
            if kept.insert(id)
                && let Some(Node::Dir(dir)) = self.nodes.get(&id)
            {
                reached.extend(dir.visible.values().chain(dir.durable.values()));
            }
        }
        self.nodes.retain(|id, node| kept.contains(id) || matches!(node, Node::File(f) if f.handles > 0));
    }

    fn dirs(&self) -> impl Iterator<Item = &Dir> {
        self.nodes.values().filter_map(|node| match node {
            Node::Dir(dir) => Some(dir),
            Node::File(_) => None,
        })
    }
}

impl Edit {
    fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        match self.to {
            Some(id) => names.insert(self.name.clone(), id),
            None => names.remove(&self.name),
        };
    }
}
