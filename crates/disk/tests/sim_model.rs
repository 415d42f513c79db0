//! Random programs against a plain model: without a crash the simulation is a file system; after one, every file that was
//! durable is what it was, and every sector holds something that it held.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use inferlog_disk::sim::{SECTOR_BYTES, SimFs};
use inferlog_disk::{File, Fs, Open};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Write(u8, u16, u16, u8),
    SetLen(u8, u16),
    Allocate(u8, u16),
    Rename(u8, u8),
    Remove(u8),
    SyncData(u8),
    SyncDir(u8),
}

/// Six names in two directories.
fn path(name: u8) -> PathBuf {
    PathBuf::from(format!("/{}/{}", name % 2, name / 2 % 3))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (name, at) = (|| 0..6_u8, || 0..3_000_u16);
    let step = prop_oneof![
        3 => name().prop_map(Step::Create),
        6 => (name(), at(), 0..1_500_u16, any::<u8>()).prop_map(|(n, o, l, b)| Step::Write(n, o, l, b)),
        2 => (name(), at()).prop_map(|(n, len)| Step::SetLen(n, len)),
        1 => (name(), at()).prop_map(|(n, len)| Step::Allocate(n, len)),
        2 => (name(), name()).prop_map(|(from, to)| Step::Rename(from, to)),
        1 => name().prop_map(Step::Remove),
        3 => name().prop_map(Step::SyncData),
        2 => name().prop_map(Step::SyncDir),
    ];
    prop::collection::vec(step, 1..60)
}

fn start(seed: u64) -> SimFs {
    let fs = SimFs::new(seed);
    for dir in ["/0", "/1"] {
        fs.create_dir(Path::new(dir)).unwrap();
    }
    fs.sync_dir(Path::new("/")).unwrap();
    fs
}

/// Runs one step on the simulation; whether it worked.
fn run(fs: &SimFs, step: &Step) -> bool {
    let open = |name| fs.open(&path(name), Open::Write);
    let on = |name, change: &dyn Fn(&dyn File) -> bool| open(name).is_ok_and(|file| change(&*file));
    match *step {
        Step::Create(name) => fs.open(&path(name), Open::CreateNew).is_ok(),
        Step::Write(name, offset, len, byte) => {
            on(name, &|file| file.write_all_at(&vec![byte; len.into()], offset.into()).is_ok())
        }
        Step::SetLen(name, len) => on(name, &|file| file.set_len(len.into()).is_ok()),
        Step::Allocate(name, len) => on(name, &|file| file.allocate(len.into()).is_ok()),
        Step::Rename(from, to) => fs.rename(&path(from), &path(to)).is_ok(),
        Step::Remove(name) => fs.remove_file(&path(name)).is_ok(),
        Step::SyncData(name) => on(name, &|file| file.sync_data().is_ok()),
        Step::SyncDir(name) => fs.sync_dir(path(name).parent().unwrap()).is_ok(),
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Runs one step on the model; whether it works.
fn model(files: &mut Files, step: &Step) -> bool {
    match *step {
        Step::Create(name) if files.contains_key(&path(name)) => false,
        Step::Create(name) => files.insert(path(name), Vec::new()).is_none(),
        Step::Rename(from, to) => match files.remove(&path(from)) {
            Some(bytes) => {
                files.insert(path(to), bytes);
                true
            }
            None => false,
        },
        Step::Remove(name) => files.remove(&path(name)).is_some(),
        Step::SyncDir(_) => true,
        Step::Write(name, ..) | Step::SetLen(name, _) | Step::Allocate(name, _) | Step::SyncData(name) => {
            let Some(bytes) = files.get_mut(&path(name)) else { return false };
            match *step {
                Step::Write(_, offset, len, byte) if len > 0 => {
                    let range = usize::from(offset)..usize::from(offset) + usize::from(len);
                    bytes.resize(bytes.len().max(range.end), 0);
                    bytes[range].fill(byte);
                }
                Step::SetLen(_, len) => bytes.resize(len.into(), 0),
                Step::Allocate(_, len) => bytes.resize(bytes.len().max(len.into()), 0),
                _ => {}
            }
            true
        }
    }
}

/// The lengths and the states of each sector that one file has had since its last sync.
#[derive(Default)]
struct History {
    lens: BTreeSet<usize>,
    sectors: BTreeMap<usize, BTreeSet<Vec<u8>>>,
}

impl History {
    fn note(&mut self, bytes: &[u8]) {
        self.lens.insert(bytes.len());
        for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
            let mut sector = sector.to_vec();
            sector.resize(SECTOR_BYTES, 0);
            self.sectors.entry(index).or_default().insert(sector);
        }
    }

    /// Whether a crash may leave these bytes: each sector as it was, cut off at a length the file had; zeros in between.
    fn allows(&self, bytes: &[u8]) -> bool {
        let sector_allowed = |(index, found): (usize, &[u8])| {
            let states = self.sectors.get(&index).into_iter().flatten();
            found.iter().all(|&byte| byte == 0) || {
                // A shorter length may cut a state, and a longer one extends what was cut with zeros.
                states.into_iter().any(|state| found.iter().zip(state).all(|(a, b)| a == b))
            }
        };
        self.lens.contains(&bytes.len()) && bytes.chunks(SECTOR_BYTES).enumerate().all(sector_allowed)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_a_crash_it_is_a_file_system(steps in steps()) {
        let fs = start(0);
        let mut files = Files::new();
        for step in &steps {
            prop_assert_eq!(run(&fs, step), model(&mut files, step), "{:?}", step);
            prop_assert_eq!(&fs.files(), &files, "{:?}", step);
        }
    }

    #[test]
    fn what_is_synced_last_survives(steps in steps(), seed in any::<u64>()) {
        let fs = start(seed);
        for step in &steps {
            run(&fs, step);
        }
        let files = fs.files();
        for path in files.keys() {
            fs.open(path, Open::Read).unwrap().sync_data().unwrap();
        }
        fs.sync_dir(Path::new("/0")).unwrap();
        fs.sync_dir(Path::new("/1")).unwrap();
        prop_assert_eq!(&fs.durable_files(), &files);
        prop_assert_eq!(&fs.crash().files(), &files);
    }

    #[test]
    fn a_crash_invents_nothing(steps in steps(), seed in any::<u64>()) {
        let fs = start(seed);
        fs.open(&path(0), Open::CreateNew).unwrap();
        fs.sync_dir(Path::new("/0")).unwrap();
        let mut history = History::default();
        history.note(&[]);
        for step in &steps {
            let same_name = !matches!(step, Step::Rename(from, to) if *from == 0 || *to == 0);
            if same_name && !matches!(step, Step::Remove(0)) && run(&fs, step) {
                let bytes = fs.files()[&path(0)].clone();
                if matches!(step, Step::SyncData(0)) {
                    history = History::default();
                }
                history.note(&bytes);
            }
        }
        let found = fs.crash().files();
        let bytes = &found[&path(0)];
        prop_assert!(history.allows(bytes), "length {} of {:?}", bytes.len(), history.lens);
    }
}
