//! What is read as a bundle's archive, and what is refused: everything that two readers could take differently.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "support/archive.rs"]
mod archive;

use std::io::{Cursor, Write};
use std::process::Command;

use archive::{Files, Packing, find, refusal};
use inferlog_bundle::layout::Source;
use inferlog_bundle::zip::{MEMBER_BYTES_MAX, MEMBERS_MAX, ZipSource};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// Packs the working directory without being able to go back in what it writes.
const TO_A_PIPE: &str = "
import os, zipfile
class Pipe:
    def write(self, data): return os.write(1, data)
    def flush(self): pass
with zipfile.ZipFile(Pipe(), 'w', zipfile.ZIP_DEFLATED) as archive:
    for folder, _, names in os.walk('.'):
        for name in names: archive.write(os.path.join(folder, name))
";

fn files() -> Files {
    Files::of(&[
        ("README.txt", b"what it is"),
        ("decisions/a.json", &b"{}\n".repeat(1_000)),
        ("empty", b""),
        ("logs/0/timestamps/0.tsr", &[0, 255, 13, 10]),
    ])
}

fn archive() -> Vec<u8> {
    files().pack(Packing::PLAIN)
}

/// The archive with a change.
fn edited(edit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut archive = archive();
    edit(&mut archive);
    archive
}

/// An archive of members with any names and methods.
fn members(members: &[(&str, CompressionMethod, Option<u32>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, method, mode) in members {
        let mut options = SimpleFileOptions::default().compression_method(*method);
        if let Some(mode) = mode {
            options = options.unix_permissions(*mode);
        }
        zip.start_file(*name, options).unwrap();
        zip.write_all(b"content").unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn every_way_of_packing_gives_the_same_files() {
    assert_eq!(Files::unpack(&archive()).unwrap(), files());
    for packing in Packing::OTHERS {
        assert_eq!(Files::unpack(&files().pack(packing)).unwrap(), files(), "{packing:?}");
    }
}

/// Written by streaming, with descriptors after the data, and by programs that others use.
#[test]
fn archives_of_other_programs_are_read() {
    let mut zip = ZipWriter::new_stream(Vec::new());
    for (path, bytes) in &files().0 {
        zip.start_file(path, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let streamed = zip.finish().unwrap().into_inner();
    assert_eq!(Files::unpack(&streamed).unwrap(), files());

    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in &files().0 {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let run = |code: &str| {
        let output = Command::new("python3").args(["-c", code]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    assert_eq!(Files::unpack(&run(TO_A_PIPE)).unwrap(), files());
    let beside = tempfile::tempdir().unwrap();
    let made = beside.path().join("bundle");
    run(&format!("import shutil; shutil.make_archive({:?}, 'zip', '.')", made.display().to_string()));
    let archive = std::fs::read(made.with_extension("zip")).unwrap();
    assert_eq!(Files::unpack(&archive).unwrap(), files(), "with folders, as shutil packs");
}

#[test]
fn names_that_a_bundle_does_not_have_are_refused() {
    let stored = CompressionMethod::Stored;
    for name in ["../up", "/root", "a//b", "a/./b", "a b", "ä", "c:x", "a\\b", "", "a/../b", "."] {
        let said = refusal(&members(&[(name, stored, None)]));
        assert!(said.starts_with("not a bundle: the name"), "{name:?}: {said}");
    }
    let long = "x".repeat(257);
    assert!(refusal(&members(&[(&long, stored, None)])).contains("longer than 256"));
    for pair in [["a", "A"], ["a", "a/b"], ["A/B", "a"]] {
        let said = refusal(&members(&pair.map(|name| (name, stored, None))));
        assert!(said.contains("cannot stand beside each other"), "{pair:?}: {said}");
    }
    assert_eq!(
        refusal(&members(&[("a", stored, None), ("a-b", stored, None), ("ab/c", stored, None)])),
        "it is read"
    );
}

#[test]
fn members_that_a_bundle_does_not_have_are_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("link", "README.txt", SimpleFileOptions::default()).unwrap();
    let said = refusal(&zip.finish().unwrap().into_inner());
    assert!(said.contains("link is not a file"), "{said}");

    let flag = |bit: u16| {
        edited(|archive| {
            for (signature, at) in [(LOCAL, 6), (CENTRAL, 8)] {
                let place = find(archive, signature, 0) + at;
                archive[place..place + 2].copy_from_slice(&bit.to_le_bytes());
            }
        })
    };
    for bit in [1, 1 | 1 << 6, 1 << 5, 1 << 13] {
        let said = refusal(&flag(bit));
        assert_ne!(said, "it is read", "flag {bit}");
    }
    for method in [1_u16, 9, 12, 14, 93, 95, 98, 99] {
        let said = refusal(&edited(|archive| {
            for (signature, at) in [(LOCAL, 8), (CENTRAL, 10)] {
                let place = find(archive, signature, 0) + at;
                archive[place..place + 2].copy_from_slice(&method.to_le_bytes());
            }
        }));
        assert_ne!(said, "it is read", "method {method}");
    }
    let folder = edited(|archive| {
        // A folder that holds content: `empty` is made a name that ends in a slash, beside one that is not empty.
        let from = find(archive, b"decisions/a.json", 0);
        archive[from..from + 16].copy_from_slice(b"decisions/a.jso/");
        let from = find(archive, b"decisions/a.json", 0);
        archive[from..from + 16].copy_from_slice(b"decisions/a.jso/");
    });
    assert_ne!(refusal(&folder), "it is read");
}

#[test]
fn what_two_readers_take_differently_is_refused() {
    // The same name twice, in the directory alone and with data of its own.
    let twice = members(&[("a1", CompressionMethod::Stored, None), ("a2", CompressionMethod::Stored, None)]);
    let renamed = |archive: &[u8]| {
        let mut archive = archive.to_vec();
        let mut from = 0;
        while let Some(at) = archive[from..].windows(2).position(|window| window == b"a2") {
            archive[from + at..from + at + 2].copy_from_slice(b"a1");
            from += at + 1;
        }
        archive
    };
    assert!(refusal(&renamed(&twice)).contains("twice"), "{}", refusal(&renamed(&twice)));

    // A header before the data that says something else than the directory.
    for at in [26, 30, 8, 18, 22, 14] {
        let archive = edited(|archive| archive[at] ^= 1);
        assert_ne!(refusal(&archive), "it is read", "byte {at} of the first header");
    }
    // A member that the directory does not list.
    let hidden = edited(|archive| {
        let mut other = Files::of(&[("hidden", b"x")]).pack(Packing::PLAIN);
        other.truncate(find(&other, CENTRAL, 0));
        let directory = find(archive, CENTRAL, 0);
        let shift = other.len() as u32;
        archive.splice(directory..directory, other);
        let end = find(archive, END, 0);
        let offset = u32::from_le_bytes(archive[end + 16..end + 20].try_into().unwrap()) + shift;
        archive[end + 16..end + 20].copy_from_slice(&offset.to_le_bytes());
    });
    assert!(refusal(&hidden).contains("missing from central directory"), "{}", refusal(&hidden));
    // Bytes before, after, and an end within the comment.
    assert_ne!(refusal(&[b"#!/bin/sh\n".as_slice(), &archive()].concat()), "it is read");
    assert_ne!(refusal(&[archive().as_slice(), b"more"].concat()), "it is read");
    let nested = edited(|archive| {
        let inner = Files::default().pack(Packing::PLAIN);
        let end = archive.len();
        archive[end - 2..].copy_from_slice(&(inner.len() as u16).to_le_bytes());
        archive.extend(inner);
    });
    assert_ne!(refusal(&nested), "it is read");
    // More members than are counted, and fewer.
    for count in [3_u16, 5] {
        let archive = edited(|archive| {
            let end = find(archive, END, 0);
            archive[end + 8..end + 10].copy_from_slice(&count.to_le_bytes());
            archive[end + 10..end + 12].copy_from_slice(&count.to_le_bytes());
        });
        assert_ne!(refusal(&archive), "it is read", "{count} members");
    }
}

/// Two members whose data is the same bytes: how small archives become large folders.
#[test]
fn overlapping_members_are_refused() {
    let overlapping = edited(|archive| {
        let first = find(archive, CENTRAL, 0);
        let second = find(archive, CENTRAL, first + 4);
        let start: [u8; 4] = archive[first + 42..first + 46].try_into().unwrap();
        archive[second + 42..second + 46].copy_from_slice(&start);
    });
    assert_ne!(refusal(&overlapping), "it is read");
}

#[test]
fn bombs_do_not_go_off() {
    // Claims more than is read: refused before anything is inflated.
    let claims = |size: u32| {
        edited(|archive| {
            let mut from = 0;
            for (signature, at) in [(LOCAL, 22), (CENTRAL, 24)] {
                // The second member, which is deflated.
                from = find(archive, signature, from);
                let place = find(archive, signature, from + 4) + at;
                archive[place..place + 4].copy_from_slice(&size.to_le_bytes());
            }
        })
    };
    let said = refusal(&claims(u32::try_from(MEMBER_BYTES_MAX).unwrap() + 1));
    assert!(said.contains("bytes in one file"), "{said}");
    // Claims less than it is: not a byte more is inflated than it says.
    let source = ZipSource::new(Cursor::new(claims(10))).unwrap();
    assert!(source.read("decisions/a.json").is_err());
    // Claims more than it is.
    let source = ZipSource::new(Cursor::new(claims(4_000))).unwrap();
    assert!(source.read("decisions/a.json").is_err());
    // A checksum that does not hold.
    let source = ZipSource::new(Cursor::new(edited(|archive| {
        let mut from = 0;
        for (signature, at) in [(LOCAL, 14), (CENTRAL, 16)] {
            from = find(archive, signature, from);
            archive[from + at] ^= 1;
        }
    })));
    assert!(source.unwrap().read("README.txt").is_err());
    // Counts more members than are read: refused before the directory is.
    let many = edited(|archive| {
        let end = find(archive, END, 0);
        archive[end + 10..end + 12].copy_from_slice(&u16::MAX.to_le_bytes());
    });
    assert_ne!(refusal(&many), "it is read");
    assert!(MEMBERS_MAX > u64::from(u16::MAX));
}

#[test]
fn what_is_no_archive_is_said_to_be_none() {
    for bytes in [
        b"".as_slice(),
        b"PK",
        b"{\"decisions\":[]}",
        &[0; 100_000],
        &archive()[..200],
        &archive()[..archive().len() - 1],
    ] {
        let said = refusal(bytes);
        assert!(said.starts_with("not a ZIP file that can be read"), "{said}");
    }
    let error = ZipSource::open(std::path::Path::new("/nonexistent/bundle.zip")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the bundle"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damage in any place is refused, or changes nothing that is read; it never panics.
    #[test]
    fn damage_never_gives_other_files(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let good = archive();
        let mut archive = good.clone();
        let at = at.index(archive.len());
        if cut { archive.truncate(at) } else { archive[at] = byte }
        if let Ok(found) = Files::unpack(&archive) {
            // Names and folders apart, what is read is what was packed: a checksum covers content alone.
            for (path, bytes) in &found.0 {
                prop_assert!(files().0.get(path).is_none_or(|expected| expected == bytes), "{path} at {at}");
            }
        }
    }
}
