//! Looking at a damaged directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_audit::{Fault, FaultKind, Options, Remembered, Report, verify};
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, Open};
use inferlog_log::LogDir;
use inferlog_merkle::{TileLevel, TilePath};

use super::{DIR, World};

pub fn run(fs: &SimFs, options: &Options) -> Report {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    verify(&fs, Path::new(DIR), options, &|_| {}).unwrap()
}

pub fn check(fs: &SimFs) -> Report {
    run(fs, &Options::default())
}

pub fn small() -> (SimFs, World) {
    let (fs, mut world) = World::sim(256 << 10);
    world.create("credit");
    world.fill("credit", 150, 300);
    world.integrate();
    (fs, world)
}

pub fn overwrite(fs: &SimFs, path: &Path, bytes: &[u8]) {
    let file = match fs.open(path, Open::Write) {
        Ok(file) => file,
        Err(_) => fs.open(path, Open::CreateNew).unwrap(),
    };
    file.set_len(bytes.len() as u64).unwrap();
    file.write_all_at(bytes, 0).unwrap();
}

/// A note that a reader kept.
pub fn remembered(note: &[u8]) -> Remembered {
    Remembered { name: "kept".to_owned(), bytes: note.to_vec(), entry: None }
}

/// The one fault of this kind.
pub fn only(report: &Report, kind: FaultKind) -> &Fault {
    assert_eq!(report.faults.len(), 1, "{:#?}", report.faults);
    assert_eq!(report.faults[0].kind, kind, "{:#?}", report.faults);
    &report.faults[0]
}

pub fn tile(dir: &LogDir, level: TileLevel, index: u64, size: u64) -> PathBuf {
    dir.tile(TilePath::in_tree(level, index, size).unwrap())
}
