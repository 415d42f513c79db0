//! What every file system does, asked of the machine's and of the simulated one alike.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{File, Fs, Open, RealFs, SlowSyncFs, create_dir_all, read_optional, replace_file};

/// Runs each case on each file system, in an empty directory.
macro_rules! conformance {
    ($($case:ident)*) => {
        mod real {
            $(#[test] fn $case() {
                let dir = tempfile::tempdir().unwrap();
                super::$case(&inferlog_disk::RealFs, dir.path());
            })*
        }
        mod slow {
            $(#[test] fn $case() {
                let dir = tempfile::tempdir().unwrap();
                super::$case(&super::slow_fs(), dir.path());
            })*
        }
        mod sim {
            $(#[test] fn $case() {
                let fs = super::SimFs::new(0);
                inferlog_disk::Fs::create_dir(&fs, super::Path::new("/d")).unwrap();
                super::$case(&fs, super::Path::new("/d"));
            })*
        }
    };
}

conformance! {
    bytes_are_read_back_where_they_were_written
    reads_end_with_the_file
    lengths_cut_and_extend_with_zeros
    allocation_extends_and_never_cuts
    a_handle_follows_its_file_not_its_name
    create_new_refuses_what_exists
    what_is_missing_is_not_found
    rename_replaces_and_moves_between_directories
    directories_list_their_names_sorted
    directories_are_not_files
    only_an_empty_directory_can_be_removed
    a_reading_handle_cannot_write
    one_holder_has_a_lock
    errors_name_the_path
    several_threads_share_a_handle
    a_file_is_replaced_whole
    directories_are_created_on_the_way
    space_is_counted
}

fn slow_fs() -> SlowSyncFs {
    SlowSyncFs::new(Arc::new(RealFs), Duration::from_millis(1))
}

fn create(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Box<dyn File> {
    let file = fs.open(path, Open::CreateNew).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    file
}

fn bytes_are_read_back_where_they_were_written(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("f");
    let file = create(fs, &path, b"0123456789");
    file.write_all_at(b"ab", 4).unwrap();
    file.write_all_at(b"far", 2_000).unwrap();
    file.sync_data().unwrap();
    let mut expected = b"0123ab6789".to_vec();
    expected.resize(2_000, 0);
    expected.extend(b"far");
    assert_eq!(fs.read(&path).unwrap(), expected);
    let mut middle = [0; 4];
    file.read_exact_at(&mut middle, 3).unwrap();
    assert_eq!(&middle, b"3ab6");
    file.write_all_at(b"", 9_999).unwrap();
    assert_eq!(file.len().unwrap(), 2_003, "writing nothing extends nothing");
}

fn reads_end_with_the_file(fs: &dyn Fs, dir: &Path) {
    let file = create(fs, &dir.join("f"), b"abc");
    let mut buf = [b'-'; 5];
    assert_eq!(file.read_at(&mut buf, 1).unwrap(), 2);
    assert_eq!(&buf, b"bc---");
    assert_eq!(file.read_at(&mut buf, 3).unwrap(), 0);
    assert_eq!(file.read_at(&mut buf, 1 << 40).unwrap(), 0);
    assert_eq!(file.read_exact_at(&mut buf, 0).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    file.read_exact_at(&mut [], 3).unwrap();
}

fn lengths_cut_and_extend_with_zeros(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("f");
    let file = fs.open(&path, Open::CreateNew).unwrap();
    assert!(file.is_empty().unwrap());
    file.write_all_at(&[7; 1_500], 0).unwrap();
    file.set_len(700).unwrap();
    file.set_len(1_200).unwrap();
    let mut expected = vec![7; 700];
    expected.resize(1_200, 0);
    assert_eq!(fs.read(&path).unwrap(), expected);
    assert_eq!(file.len().unwrap(), 1_200);
}

fn allocation_extends_and_never_cuts(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("f");
    let file = create(fs, &path, b"abc");
    file.allocate(5_000).unwrap();
    file.sync_data().unwrap();
    let bytes = fs.read(&path).unwrap();
    assert_eq!((bytes.len(), &bytes[..5]), (5_000, b"abc\0\0".as_slice()));
    file.allocate(10).unwrap();
    file.allocate(0).unwrap();
    assert_eq!(file.len().unwrap(), 5_000);
}

fn a_handle_follows_its_file_not_its_name(fs: &dyn Fs, dir: &Path) {
    let (a, b) = (dir.join("a"), dir.join("b"));
    let file = create(fs, &a, b"one");
    fs.rename(&a, &b).unwrap();
    file.write_all_at(b"two", 0).unwrap();
    assert_eq!(fs.read(&b).unwrap(), b"two");
    fs.remove_file(&b).unwrap();
    fs.sync_dir(dir).unwrap();
    file.write_all_at(b"!", 3).unwrap();
    let mut bytes = [0; 4];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(&bytes, b"two!", "a removed file lives while it is open");
    assert!(!fs.exists(&b).unwrap());
}

fn create_new_refuses_what_exists(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("f");
    create(fs, &path, b"kept");
    assert_eq!(fs.open(&path, Open::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs.create_dir(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs.read(&path).unwrap(), b"kept");
}

fn what_is_missing_is_not_found(fs: &dyn Fs, dir: &Path) {
    let missing = dir.join("missing");
    let below = missing.join("f");
    assert!(!fs.exists(&missing).unwrap());
    let errors = [
        fs.open(&missing, Open::Read).unwrap_err(),
        fs.open(&missing, Open::Write).unwrap_err(),
        fs.open(&below, Open::CreateNew).unwrap_err(),
        fs.read(&missing).unwrap_err(),
        fs.create_dir(&below).unwrap_err(),
        fs.rename(&missing, &dir.join("f")).unwrap_err(),
        fs.remove_file(&missing).unwrap_err(),
        fs.sync_dir(&missing).unwrap_err(),
        fs.read_dir(&missing).unwrap_err(),
        fs.free_bytes(&missing).unwrap_err(),
        fs.lock(&below).unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_not_found(), "{error}");
    }
    assert_eq!(read_optional(fs, &missing).unwrap(), None);
    assert!(fs.read_dir(dir).unwrap().is_empty(), "a failed call left a name");
}

fn rename_replaces_and_moves_between_directories(fs: &dyn Fs, dir: &Path) {
    let (a, b, sub) = (dir.join("a"), dir.join("b"), dir.join("sub"));
    create(fs, &a, b"new");
    create(fs, &b, b"old");
    fs.rename(&a, &b).unwrap();
    assert_eq!(fs.read(&b).unwrap(), b"new");
    assert!(!fs.exists(&a).unwrap());
    fs.create_dir(&sub).unwrap();
    fs.rename(&b, &sub.join("c")).unwrap();
    fs.rename(&sub.join("c"), &sub.join("c")).unwrap();
    assert!(!fs.exists(&b).unwrap());
    assert_eq!(fs.read(&sub.join("c")).unwrap(), b"new");
}

fn directories_list_their_names_sorted(fs: &dyn Fs, dir: &Path) {
    for name in ["b", ".tmp-x", "a"] {
        create(fs, &dir.join(name), b"");
    }
    fs.create_dir(&dir.join("aa")).unwrap();
    create(fs, &dir.join("aa").join("below"), b"");
    let entries = fs.read_dir(dir).unwrap();
    let listed: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.is_dir)).collect();
    assert_eq!(listed, [(".tmp-x", false), ("a", false), ("aa", true), ("b", false)]);
    assert_eq!(entries[1].path, dir.join("a"));
}

fn directories_are_not_files(fs: &dyn Fs, dir: &Path) {
    let (sub, file) = (dir.join("sub"), dir.join("f"));
    fs.create_dir(&sub).unwrap();
    create(fs, &file, b"x");
    assert!(fs.open(&sub, Open::Write).is_err());
    assert!(fs.read(&sub).is_err());
    assert!(fs.remove_file(&sub).is_err());
    assert!(fs.remove_dir(&file).is_err());
    assert!(fs.rename(&file, &sub).is_err());
    assert!(fs.read_dir(&file).is_err());
    assert!(fs.open(&file.join("below"), Open::CreateNew).is_err());
    assert!(fs.exists(&sub).unwrap() && fs.exists(&file).unwrap());
}

fn only_an_empty_directory_can_be_removed(fs: &dyn Fs, dir: &Path) {
    let (sub, file) = (dir.join("sub"), dir.join("sub").join("f"));
    assert!(fs.remove_dir(&sub).unwrap_err().is_not_found());
    fs.create_dir(&sub).unwrap();
    create(fs, &file, b"x");
    assert_eq!(fs.remove_dir(&sub).unwrap_err().kind(), std::io::ErrorKind::DirectoryNotEmpty);
    fs.remove_file(&file).unwrap();
    fs.remove_dir(&sub).unwrap();
    assert!(!fs.exists(&sub).unwrap());
    fs.create_dir(&sub).unwrap();
    assert_eq!(fs.read_dir(&sub).unwrap(), []);
}

fn a_reading_handle_cannot_write(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("f");
    create(fs, &path, b"kept");
    let file = fs.open(&path, Open::Read).unwrap();
    assert!(file.write_all_at(b"x", 0).is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.allocate(9).is_err());
    assert_eq!(fs.read(&path).unwrap(), b"kept");
    fs.open(&path, Open::Write).unwrap().write_all_at(b"K", 0).unwrap();
    assert_eq!(fs.read(&path).unwrap(), b"Kept");
}

fn one_holder_has_a_lock(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("lock");
    let guard = fs.lock(&path).unwrap();
    assert!(fs.exists(&path).unwrap());
    assert!(fs.lock(&path).unwrap_err().is_locked());
    drop(fs.lock(&dir.join("other")).unwrap());
    drop(guard);
    let again = fs.lock(&path).unwrap();
    assert!(fs.lock(&path).unwrap_err().is_locked());
    drop(again);
}

fn errors_name_the_path(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("missing");
    let error = fs.open(&path, Open::Read).unwrap_err();
    assert_eq!((error.op, &error.path), ("open", &path));
    let text = error.to_string();
    assert!(text.starts_with("cannot open ") && text.contains("missing"), "{text}");
}

fn several_threads_share_a_handle(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("f");
    let file = fs.open(&path, Open::CreateNew).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let file = &file;
            scope.spawn(move || {
                for block in 0..8 {
                    file.write_all_at(&[thread + 1; 100], (block * 4 + u64::from(thread)) * 100).unwrap();
                }
            });
        }
    });
    let expected: Vec<u8> = (0..32).flat_map(|block| [block % 4 + 1; 100]).collect();
    assert_eq!(fs.read(&path).unwrap(), expected);
}

fn a_file_is_replaced_whole(fs: &dyn Fs, dir: &Path) {
    let path = dir.join("twin");
    create(fs, &dir.join(".tmp-twin"), b"left behind by a crash, and longer");
    for bytes in [b"first".as_slice(), b"second, longer", b""] {
        replace_file(fs, &path, bytes).unwrap();
        assert_eq!(read_optional(fs, &path).unwrap().as_deref(), Some(bytes));
    }
    let names: Vec<_> = fs.read_dir(dir).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["twin"]);
}

fn directories_are_created_on_the_way(fs: &dyn Fs, dir: &Path) {
    let deep: PathBuf = dir.join("a").join("b").join("c");
    create_dir_all(fs, &deep).unwrap();
    create_dir_all(fs, &deep).unwrap();
    assert!(fs.read_dir(&deep).unwrap().is_empty());
    create(fs, &dir.join("f"), b"");
    assert!(create_dir_all(fs, &dir.join("f").join("x")).is_err());
}

fn space_is_counted(fs: &dyn Fs, dir: &Path) {
    assert!(fs.free_bytes(dir).unwrap() > 1 << 20);
    assert_eq!(fs.free_bytes(&dir.join("missing")).unwrap_err().kind(), ErrorKind::NotFound);
}
