//! A bundle of the first format, kept for ever, with its reader's keys; copies of it with damage of every kind; archives that no
//! bundle is. The page in it is of a build that is not this one, so that pages may change.
//!
//! `UPDATE=1` writes them anew. After the first release a new version of the format gets a new folder instead.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../../audit/tests/agentic/mod.rs"]
mod agentic;
#[path = "../../audit/tests/sealed/mod.rs"]
mod sealed;
mod support;
#[path = "../../audit/tests/world/mod.rs"]
mod world;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Once;

use inferlog_bundle::layout::Source;
use inferlog_bundle::verify::{BundleReport, Check, Outcome, VerifyOptions, verify};
use inferlog_bundle::zip::ZipSource;
use inferlog_timestamp::Roots;
use serde_json::json;
use support::archive::{Packing, find, refusal};
use support::{Files, Key, Made, check, places, witness};

/// What the fixture's bundle says that it was written by.
const BUILD: &str = "inferlog/fixtures-v1";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/bundle")
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(name: &str, bytes: &[u8]) {
    let path = folder().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn known() -> VerifyOptions {
    let vkey = |name: &str| String::from_utf8(read(name)).unwrap().trim().parse().unwrap();
    VerifyOptions {
        keys: vec![vkey("log.vkey")],
        witnesses: vec![vkey("witness.vkey")],
        tsa_roots: Some(Roots::from_pem(&read("roots.pem")).unwrap()),
        ..VerifyOptions::default()
    }
}

/// Files to damage, and how: a byte flipped in the middle, or the file taken out.
fn damages(files: &Files) -> Vec<(String, String, Option<Vec<u8>>)> {
    let mut damages = Vec::new();
    for (path, bytes) in &files.0 {
        let kind = match path.split_once('/') {
            Some(("decisions" | "openings" | "sealed" | "shared", _)) => {
                path.split('/').next().unwrap().to_owned()
            }
            _ => path.replace('/', "-"),
        };
        if damages.iter().any(|(other, _, _)| *other == kind) {
            continue;
        }
        let mut flipped = bytes.clone();
        // What is long, and the same in every bundle, is only taken out.
        let is_long = ["README.txt", "coverage.json", "report.html", "verify.py"].contains(&path.as_str());
        if !is_long && !path.starts_with("docs/") {
            flipped[bytes.len() / 2] ^= 1;
            damages.push((kind.clone(), path.clone(), Some(flipped)));
        }
        damages.push((format!("no-{kind}"), path.clone(), None));
    }
    damages
}

/// Archives that are refused as such.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let small = Files::of(&[("README.txt", b"a bundle"), ("bundle.json", b"{}\n")]);
    let good = small.pack(Packing::PLAIN);
    let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut archive = good.clone();
        edit(&mut archive);
        archive
    };
    let second_name = |archive: &mut Vec<u8>, name: &[u8; 11]| {
        for signature in [b"PK\x03\x04", b"PK\x01\x02"] {
            let place = find(archive, signature, 0);
            let at = find(archive, b"bundle.json", place);
            archive[at..at + name.len()].copy_from_slice(name);
        }
    };
    vec![
        ("cut-off", good[..good.len() - 30].to_vec()),
        ("something-before", [b"#!/bin/sh\n".as_slice(), &good].concat()),
        ("something-after", [good.as_slice(), b"\n"].concat()),
        ("name-leads-up", edited(&|archive| second_name(archive, b"../x/bundle"))),
        ("name-absolute", edited(&|archive| second_name(archive, b"/etc/passwd"))),
        (
            "encrypted",
            edited(&|archive| {
                for (signature, at) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
                    let place = find(archive, signature, 0) + at;
                    archive[place] |= 1;
                }
            }),
        ),
        ("headers-disagree", edited(&|archive| archive[18] ^= 1)),
        (
            "claims-a-terabyte",
            edited(&|archive| {
                for (signature, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
                    let place = find(archive, signature, 0) + at;
                    archive[place..place + 4].copy_from_slice(&0xffff_fffe_u32.to_le_bytes());
                }
            }),
        ),
        (
            "miscounted",
            edited(&|archive| {
                let end = find(archive, b"PK\x05\x06", 0);
                archive[end + 8] = 1;
                archive[end + 10] = 1;
            }),
        ),
    ]
}

/// Writes the fixtures if asked to, once.
fn ready() {
    static READY: Once = Once::new();
    READY.call_once(|| {
        if std::env::var_os("UPDATE").is_some() {
            update();
        }
    });
}

fn update() {
    let made = Made::new();
    let chosen = [made.decisions[0], made.agentic.draft.decision];
    let good = made.bundle_of(&chosen, &["*"], true, BUILD);
    drop(fs::remove_dir_all(folder()));
    write("good.zip", &good);
    write("log.vkey", format!("{}\n", Key::of_log().vkey(&made.origin)).as_bytes());
    write("witness.vkey", format!("{}\n", witness().1).as_bytes());
    write("roots.pem", &made.roots);
    let files = Files::unpack(&good).unwrap();
    for (kind, path, bytes) in damages(&files) {
        if let Some(bytes) = &bytes {
            write(&format!("corrupt/{kind}/{path}"), bytes);
        }
        let report = check(&damaged(&files, &path, bytes), &known());
        let expected = json!({ "file": path, "found": places(&report) });
        write(
            &format!("corrupt/{kind}.expected"),
            format!("{}\n", serde_json::to_string_pretty(&expected).unwrap()).as_bytes(),
        );
    }
    for (kind, archive) in hostile() {
        write(&format!("hostile/{kind}.zip"), &archive);
    }
    write("report.json", told(&check(&files, &known())).as_bytes());
}

fn damaged(files: &Files, path: &str, bytes: Option<Vec<u8>>) -> Files {
    let mut files = files.clone();
    files.0.remove(path);
    files.0.extend(bytes.map(|bytes| (path.to_owned(), bytes)));
    files
}

/// What is told of the record; the wording of the rest is free to change.
fn told(report: &BundleReport) -> String {
    let told = json!({ "counts": report.counts, "logs": report.logs, "disclosure": report.disclosure, "build": report.build });
    format!("{}\n", serde_json::to_string_pretty(&told).unwrap())
}

#[test]
fn the_frozen_bundle_is_read_for_ever() {
    ready();
    let source = ZipSource::open(&folder().join("good.zip")).unwrap();
    let report = verify(&source, &known(), &mut |_| {});
    assert_eq!(places(&report), Vec::<String>::new());
    for one in &report.checks {
        let is_page = one.check == Check::Report && one.outcome == Outcome::Unchecked;
        assert!(is_page || one.outcome == Outcome::Passed, "{one:?}");
    }
    assert_eq!(told(&report), String::from_utf8(read("report.json")).unwrap());
}

/// A place, but for the byte of the page: the page of today's build differs from the frozen one wherever the page was worked on.
fn of_any_page(place: &str) -> &str {
    if place.starts_with("report report.html byte ") { "report report.html" } else { place }
}

#[test]
fn damage_is_found_where_it_is() {
    ready();
    let files = Files::unpack(&read("good.zip")).unwrap();
    let (known, mut seen) = (known(), 0);
    for entry in fs::read_dir(folder().join("corrupt")).unwrap().map(|entry| entry.unwrap().path()) {
        let Some(kind) = entry.file_name().unwrap().to_str().unwrap().strip_suffix(".expected") else {
            continue;
        };
        let expected: serde_json::Value = serde_json::from_slice(&fs::read(&entry).unwrap()).unwrap();
        let path = expected["file"].as_str().unwrap();
        let bytes = fs::read(folder().join("corrupt").join(kind).join(path)).ok();
        assert_eq!(bytes.is_none(), kind.starts_with("no-"), "{kind}");
        let report = check(&damaged(&files, path, bytes), &known);
        let found = places(&report);
        let expected_places =
            expected["found"].as_array().unwrap().iter().map(|place| place.as_str().unwrap());
        let found_places = found.iter().map(String::as_str).map(of_any_page);
        assert_eq!(
            found_places.collect::<Vec<_>>(),
            expected_places.map(of_any_page).collect::<Vec<_>>(),
            "{kind}"
        );
        let is_blamed = report
            .faults
            .iter()
            .any(|fault| fault.file == path || (path == "SHA256SUMS" && fault.file == "manifest"));
        assert!(is_blamed, "{kind}: {found:?}");
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn hostile_archives_are_refused() {
    ready();
    let mut seen = 0;
    for entry in fs::read_dir(folder().join("hostile")).unwrap().map(|entry| entry.unwrap().path()) {
        let archive = fs::read(&entry).unwrap();
        assert_ne!(refusal(&archive), "it is read", "{}", entry.display());
        assert!(ZipSource::new(Cursor::new(archive)).is_err_and(|error| !error.to_string().is_empty()));
        seen += 1;
    }
    assert_eq!(seen, hostile().len());
    assert!(!ZipSource::open(&folder().join("good.zip")).unwrap().paths().is_empty());
}
