//! Log directories written here, read by the Go verifier in `interop/go`, which shares no code with this crate.
//!
//! Needs Go and golang.org/x/mod as Debian packages them (`golang-go`, `golang-golang-x-mod-dev`). Without them the test
//! says so and passes, except in CI, where it fails.
#![allow(clippy::unwrap_used, reason = "a failure fails the test")]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "writes directories; says what it skips"
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use inferlog_merkle::{Checkpoint, Hash, KeyKind, TreeEdge, encode_entry, leaf_hash};
use support::{TestKey, entry};

const ORIGIN: &str = "interop.inferlog.example/merkle";
const GO_PATH: &str = "/usr/share/gocode";

/// Builds the verifier, or says why it cannot be.
fn verifier() -> Result<PathBuf, String> {
    let package = Path::new(GO_PATH).join("src/golang.org/x/mod/sumdb/tlog");
    let go = Command::new("go").arg("version").output();
    if !go.is_ok_and(|go| go.status.success()) || !package.exists() {
        return Err("install golang-go and golang-golang-x-mod-dev for the Go verifier".into());
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let binary = target.join("go-verify");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&binary)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/go"))
        .envs([("GO111MODULE", "off"), ("GOPATH", GO_PATH), ("GOFLAGS", "")])
        .env("GOCACHE", target.join("go-cache"))
        .output()
        .unwrap();
    assert!(built.status.success(), "go build: {}", String::from_utf8_lossy(&built.stderr));
    Ok(binary)
}

/// Writes a log of so many entries as c2sp.org/tlog-tiles lays it out, and returns its root.
fn write_log(dir: &Path, size: u64, key: &TestKey) -> Hash {
    let write = |name: String, bytes: &[u8]| {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let (mut edge, mut bundle) = (TreeEdge::new(), Vec::new());
    for index in 0..size {
        encode_entry(&mut bundle, &entry(index)).unwrap();
        edge.push(leaf_hash(&entry(index)));
        for tile in edge.take_full() {
            write(tile.path.to_string(), &tile.bytes);
        }
        if edge.size().is_multiple_of(256) {
            write(bundle_name(index), &std::mem::take(&mut bundle));
        }
    }
    for (path, bytes) in edge.partial(0) {
        write(path.to_string(), bytes);
    }
    if !bundle.is_empty() {
        write(format!("{}.p/{}", bundle_name(size), size % 256), &bundle);
    }
    let text = Checkpoint::new(ORIGIN, size, edge.root()).unwrap().to_string();
    let mut note = key.note(&text);
    // A signature that the verifier does not know.
    note.push(TestKey::new("witness.example/w1", 9).cosign(1_700_000_000, &text)).unwrap();
    write("checkpoint".into(), note.to_string().as_bytes());
    edge.root()
}

fn bundle_name(index: u64) -> String {
    format!("tile/entries/{:03}", index / 256)
}

fn run(verifier: &Path, dir: &Path, vkey: &str) -> Output {
    Command::new(verifier).arg(dir).arg(vkey).output().unwrap()
}

#[test]
fn the_go_verifier_accepts_our_directories_and_finds_each_damage() {
    let verifier = match verifier() {
        Ok(verifier) => verifier,
        Err(missing) if std::env::var_os("CI").is_some() => panic!("{missing}"),
        Err(missing) => return eprintln!("skipped: {missing}"),
    };
    let key = TestKey::new(ORIGIN, 5);
    let vkey = key.vkey(KeyKind::Ed25519).to_string();
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for size in [0, 1, 2, 255, 256, 257, 512, 65_536, 70_000] {
        let dir = temporary.path().join(size.to_string());
        let root = write_log(&dir, size, &key);
        let output = run(&verifier, &dir, &vkey);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "size {size}: {told}");
        let expected = format!("ok size={size} first=0 root={}\n", root.to_base64());
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }

    let dir = temporary.path().join("257");
    let stranger = TestKey::new(ORIGIN, 6).vkey(KeyKind::Ed25519).to_string();
    assert_eq!(run(&verifier, &dir, &stranger).status.code(), Some(1), "another key");
    let files = ["checkpoint", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"];
    for name in files.into_iter().chain(["tile/entries/000", "tile/entries/001.p/1"]) {
        let path = dir.join(name);
        let good = fs::read(&path).unwrap();
        let mut damaged = good.clone();
        damaged[good.len() / 2] ^= 0x04;
        for (what, bytes) in [("a flipped bit", damaged.as_slice()), ("a lost byte", &good[..good.len() - 1])]
        {
            fs::write(&path, bytes).unwrap();
            let output = run(&verifier, &dir, &vkey);
            assert_eq!(output.status.code(), Some(1), "{what} in {name}");
            assert!(output.stderr.starts_with(b"verify: "), "{what} in {name}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(run(&verifier, &dir, &vkey).status.code(), Some(1), "{name} is missing");
        fs::write(&path, good).unwrap();
    }
    assert!(run(&verifier, &dir, &vkey).status.success());
}
