//! The traits over the simulated disk: every call is counted, may be failed by a fault, and is logged with its outcome.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::call::{Call, Event, Op, Outcome};
use super::fault::How;
use super::inode::Inode;
use super::tree::{Dir, Node, NodeId};
use super::{Remain, SimFs, World};
use crate::error::Context;
use crate::{DirEntry, File, Fs, LockGuard, Open, Result};

/// The longest file that the simulation holds, bytes: an offset beyond is a mistake, not a file.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// What [`Fs::free_bytes`] says without a capacity.
const FREE_BYTES_UNLIMITED: u64 = 1 << 50;

impl SimFs {
    fn request(op: Op, path: &Path) -> Call {
        Call { index: 0, op, path: path.to_owned(), to: None, offset: 0, bytes: 0, outcome: Outcome::Done }
    }

    /// Makes a call: `effect` is what it does, `spoil` what a call leaves that fails otherwise than by itself.
    fn call<T>(
        &self,
        request: Call,
        effect: impl FnOnce(&mut World) -> io::Result<T>,
        spoil: impl FnOnce(&mut World, How),
    ) -> Result<T> {
        let mut world = self.world.lock();
        let mut call = request;
        if world.life != self.life || !world.powered {
            // The dead are not counted, so that leftovers of an earlier life do not move the numbers of this one.
            return Err(io::Error::other("the process that opened this is dead"))
                .on(call.op.verb(), &call.path);
        }
        call.index = world.calls;
        world.calls += 1;
        let (outcome, result) = match world.fault(&call) {
            None => {
                let result = effect(&mut world);
                (if result.is_ok() { Outcome::Done } else { Outcome::Failed }, result)
            }
            Some((How::Applied, error)) => match effect(&mut world) {
                Ok(_) => (Outcome::FailedAfterEffect, Err(error)),
                Err(own) => (Outcome::Failed, Err(own)),
            },
            Some((How::PowerLoss, error)) => {
                world.powered = false;
                // What was being written is among what the crash may keep; what a sync had done so far is too.
                if !call.op.syncs() {
                    effect(&mut world).ok();
                }
                (Outcome::Failed, Err(error))
            }
            Some((how @ (How::NoEffect | How::Partial), error)) => {
                spoil(&mut world, how);
                (Outcome::Failed, Err(error))
            }
        };
        call.outcome = outcome;
        let result = result.on(call.op.verb(), &call.path);
        world.events.push(Event::Call(call));
        result
    }

    /// Makes a call that returns something whose drop takes the world's lock: where the call takes effect and fails, it must
    /// be dropped after the call.
    fn held<T>(&self, request: Call, effect: impl FnOnce(&mut World) -> io::Result<T>) -> Result<T> {
        let (op, path) = (request.op, request.path.clone());
        let mut held = None;
        self.call(request, |world| effect(world).map(|value| held = Some(value)), nothing)?;
        held.ok_or(ErrorKind::Other).on(op.verb(), &path)
    }

    fn open_handle(&self, world: &mut World, id: NodeId, path: &Path, writable: bool) -> io::Result<SimFile> {
        world.disk.file_mut(id)?.handles += 1;
        Ok(SimFile { fs: self.clone(), id, path: path.to_owned(), writable })
    }
}

/// What calls leave that fail without effect and have nothing to spoil.
fn nothing(_: &mut World, _: How) {}

impl World {
    fn fault(&mut self, call: &Call) -> Option<(How, io::Error)> {
        let rng = &mut self.rng;
        let struck = self.faults.iter_mut().find_map(|fault| fault.strike(call, rng));
        self.faults_fired += u64::from(struck.is_some());
        struck
    }

    fn write(&mut self, id: NodeId, path: &Path, bytes: &[u8], offset: usize) -> io::Result<()> {
        if let Some(remains) = &mut self.remains {
            remains.push(Remain { path: path.to_owned(), offset: offset as u64, bytes: bytes.to_vec() });
        }
        self.disk.write(id, bytes, offset)
    }
}

impl Fs for SimFs {
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        let op = if how == Open::CreateNew { Op::Create } else { Op::Open };
        let effect = |world: &mut World| {
            let id = match how {
                Open::Read | Open::Write => world.disk.find(path)?,
                Open::CreateNew => world.disk.create(path, Node::File(Inode::default()))?,
            };
            self.open_handle(world, id, path, how != Open::Read)
        };
        self.held(Self::request(op, path), effect).map(|file| Box::new(file) as Box<dyn File>)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        let effect = |world: &mut World| world.disk.create(path, Node::Dir(Dir::default())).map(drop);
        self.call(Self::request(Op::CreateDir, path), effect, nothing)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let request = Call { to: Some(to.to_owned()), ..Self::request(Op::Rename, from) };
        self.call(request, |world| world.disk.rename(from, to), nothing)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.call(Self::request(Op::Remove, path), |world| world.disk.remove(path), nothing)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.call(Self::request(Op::RemoveDir, path), |world| world.disk.remove_dir(path), nothing)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let effect = |world: &mut World| {
            let id = world.disk.find(path)?;
            world.disk.sync_dir(id)
        };
        let spoil = |world: &mut World, _| {
            if let Ok(id) = world.disk.find(path) {
                world.disk.lose_dir(id);
            }
        };
        self.call(Self::request(Op::SyncDir, path), effect, spoil)
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let effect = |world: &mut World| {
            let disk = &world.disk;
            let entry = |(name, id): (&String, &NodeId)| DirEntry {
                path: path.join(name),
                name: name.clone(),
                is_dir: disk.is_dir(*id),
            };
            Ok(disk.dir(disk.find(path)?)?.visible.iter().map(entry).collect())
        };
        self.call(Self::request(Op::ReadDir, path), effect, nothing)
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        let effect = |world: &mut World| match world.disk.find(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        self.call(Self::request(Op::Exists, path), effect, nothing)
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        let effect = |world: &mut World| {
            world.disk.find(path)?;
            Ok(world.disk.free().min(FREE_BYTES_UNLIMITED))
        };
        self.call(Self::request(Op::FreeBytes, path), effect, nothing)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn LockGuard>> {
        let effect = |world: &mut World| {
            if let Err(error) = world.disk.create(path, Node::File(Inode::default()))
                && error.kind() != ErrorKind::AlreadyExists
            {
                return Err(error);
            }
            if world.locks.contains_key(path) {
                return Err(ErrorKind::WouldBlock.into());
            }
            world.tickets += 1;
            world.locks.insert(path.to_owned(), world.tickets);
            Ok(SimLock { fs: self.clone(), path: path.to_owned(), ticket: world.tickets })
        };
        self.held(Self::request(Op::Lock, path), effect).map(|lock| Box::new(lock) as Box<dyn LockGuard>)
    }
}

#[derive(Debug)]
struct SimFile {
    fs: SimFs,
    id: NodeId,
    path: PathBuf,
    writable: bool,
}

impl SimFile {
    fn request(&self, op: Op, offset: u64, bytes: u64) -> Call {
        Call { offset, bytes, ..SimFs::request(op, &self.path) }
    }

    /// Checks that a file may be as long, and that this handle may change it.
    fn writable_to(&self, end: Option<u64>) -> io::Result<usize> {
        if !self.writable {
            return Err(ErrorKind::PermissionDenied.into());
        }
        let end = end.filter(|&end| end <= FILE_BYTES_MAX).and_then(|end| usize::try_from(end).ok());
        end.ok_or_else(|| ErrorKind::FileTooLarge.into())
    }

    fn read(&self, buf: &mut [u8], offset: u64, exact: bool) -> Result<usize> {
        let request = self.request(Op::Read, offset, buf.len() as u64);
        let effect = |world: &mut World| {
            let bytes = world.disk.file(self.id)?.visible();
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let count = buf.len().min(bytes.len() - start);
            if exact && count < buf.len() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            buf[..count].copy_from_slice(&bytes[start..start + count]);
            Ok(count)
        };
        self.fs.call(request, effect, nothing)
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        self.read(buf, offset, false)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        self.read(buf, offset, true).map(drop)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let end = offset.checked_add(bytes.len() as u64);
        let write = |world: &mut World, part: usize| {
            let end = self.writable_to(end)?;
            world.write(self.id, &self.path, &bytes[..part], end - bytes.len())
        };
        let spoil = |world: &mut World, how| {
            if how == How::Partial && !bytes.is_empty() {
                let part = world.rng.usize(0..bytes.len());
                write(world, part).ok();
            }
        };
        let request = self.request(Op::Write, offset, bytes.len() as u64);
        self.fs.call(request, |world| write(world, bytes.len()), spoil)
    }

    fn sync_data(&self) -> Result<()> {
        let spoil = |world: &mut World, _| {
            if let Ok(file) = world.disk.file_mut(self.id) {
                file.lose();
            }
        };
        let effect = |world: &mut World| world.disk.file_mut(self.id).map(Inode::sync);
        self.fs.call(self.request(Op::SyncData, 0, 0), effect, spoil)
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let effect = |world: &mut World| {
            let len = self.writable_to(Some(len))?;
            world.disk.file_mut(self.id)?.set_len(len);
            Ok(())
        };
        self.fs.call(self.request(Op::SetLen, 0, len), effect, nothing)
    }

    fn allocate(&self, len: u64) -> Result<()> {
        let allocate = |world: &mut World, part: u64| {
            let len = self.writable_to(Some(part))?;
            world.disk.allocate(self.id, len)
        };
        let spoil = |world: &mut World, how| {
            if how == How::Partial && len > 0 {
                let part = world.rng.u64(0..len);
                allocate(world, part).ok();
            }
        };
        self.fs.call(self.request(Op::Allocate, 0, len), |world| allocate(world, len), spoil)
    }

    fn len(&self) -> Result<u64> {
        let effect = |world: &mut World| Ok(world.disk.file(self.id)?.len() as u64);
        self.fs.call(self.request(Op::Len, 0, 0), effect, nothing)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.fs.world.lock();
        if world.life == self.fs.life
            && let Ok(file) = world.disk.file_mut(self.id)
        {
            file.handles = file.handles.saturating_sub(1);
        }
    }
}

#[derive(Debug)]
struct SimLock {
    fs: SimFs,
    path: PathBuf,
    ticket: u64,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut world = self.fs.world.lock();
        if world.locks.get(&self.path) == Some(&self.ticket) {
            world.locks.remove(&self.path);
        }
    }
}
