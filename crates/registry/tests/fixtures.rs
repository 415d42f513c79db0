//! Frozen registries under `fixtures/v1/registry`: read for ever as they are read today. What is written today is the same
//! bytes; `UPDATE_FIXTURES=1` writes them anew, which a change of the format alone may ask for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]
#![expect(clippy::disallowed_methods, reason = "fixtures are real files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, RealFs};
use inferlog_record::body::{Aspect, PromptRole};
use inferlog_record::{ClearName, Digest, Timestamp};
use inferlog_registry::{Identities, Identity, Registration, Registry, Snapshot, What, check};

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1/registry")
}

fn name(text: &str) -> ClearName {
    ClearName::new(text).unwrap()
}

/// One of every kind of entry.
fn registrations() -> Vec<Registration> {
    let prompt = |version, text: &str, role, literal| Registration {
        name: name("greeting"),
        version,
        what: What::Prompt { text: text.into(), role, literal },
    };
    let manifest = r#"{"files":[{"path":"weights.bin","sha256":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c","size":7}],"format":1}"#;
    let digest: Digest = "0f71f5e5b4e5a9c4b5bb5ed4c2e8b7f4ae6ae4b5a6a0ee6b92c0ac1cd7fbb2b5".parse().unwrap();
    let model = |version: &str, digest, location: &str, manifest: Option<&str>| Registration {
        name: name("credit"),
        version: Some(name(version)),
        what: What::Model {
            digest,
            location: location.into(),
            source: manifest.is_none().then(|| "mlflow http://mlflow:5000".into()),
            manifest: manifest.map(Into::into),
        },
    };
    let alias = |version: Option<&str>| Registration {
        name: name("credit"),
        version: version.map(name),
        what: What::Alias { alias: name("champion") },
    };
    vec![
        prompt(None, "You are {{role}}. Write \\{{ for braces.\n", Some(PromptRole::System), false),
        prompt(Some(name("2026-07")), "You are {{role}}.", None, true),
        Registration::tools(
            name("lending"),
            None,
            r#"[{"name": "rate", "input_schema": {"type": "object"}}]"#,
        ),
        model("3", None, "s3://models/credit/3", None),
        model("3", Some(sha256_of(manifest)), "/models/credit/3", Some(manifest)),
        model("4", Some(digest), "/models/credit-4.onnx", None),
        alias(Some("3")),
        alias(None),
        alias(Some("4")),
    ]
}

/// Two policies of one system, of which the second is in force: a registry of a later version than the one above.
fn policies() -> Vec<Registration> {
    let policy = |version: &str, target: &str| {
        let text = format!(
            "system = \"credit\"\nversion = \"{version}\"\n\n[[class]]\nname = \"default\"\nfloor = \"184 days\"\n\
             target = \"{target}\"\nlegal_basis = \"Article 26(6)\"\n"
        );
        Registration::policy(name("credit"), name(version), text)
    };
    vec![policy("2026-10", "7 months"), policy("2026-11", "1 year")]
}

/// As `sha256sum` says of the manifest above.
fn sha256_of(manifest: &str) -> Digest {
    assert_eq!(manifest.len(), 130);
    "a259f0c4079641a615a298774e947dbf9d47b5922b7892f301f14eaef647b57c".parse().unwrap()
}

fn identities() -> Vec<u8> {
    let mut seen = Identities::default();
    for version in ["3", "4", "3"] {
        seen.see(Aspect::Version, Some(&name("credit")), &Identity::name(name(version)));
    }
    seen.see(Aspect::Tools, None, &Identity::digest(Digest([7; 32])));
    seen.to_bytes(42)
}

/// What is written today.
fn good() -> Files {
    let mut files = written("good", &registrations());
    files.append(&mut written("policies", &policies()));
    files.insert("identities".into(), identities());
    files
}

fn written(dir: &str, registrations: &[Registration]) -> Files {
    let fs = SimFs::new(1);
    let registry = Registry::open(Arc::new(fs.clone()), Path::new("/r")).unwrap();
    for (registration, second) in registrations.iter().zip(1..) {
        let time = Timestamp(1_700_000_000_000_000_000 + second * 1_000_000_001);
        assert!(registry.add(registration, time).unwrap().is_new);
    }
    let below = |path: PathBuf| Path::new(dir).join(path.strip_prefix("/r").unwrap());
    fs.files().into_iter().map(|(path, bytes)| (below(path), bytes)).collect()
}

/// The fixture's name, what is said of it, and its files.
type Corrupt = (&'static str, &'static str, Files);

/// Registries with one fault each, made of the good one.
fn corrupt(good: &Files) -> Vec<Corrupt> {
    let index = PathBuf::from("good/index");
    let object = good.keys().find(|path| path.starts_with("good/objects")).unwrap().clone();
    let with = |name: &'static str, says: &'static str, change: &dyn Fn(&mut Files)| -> Corrupt {
        let mut files: Files = good
            .iter()
            .filter(|(path, _)| path.starts_with("good"))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect();
        change(&mut files);
        let rename = |(path, bytes): (PathBuf, Vec<u8>)| {
            (Path::new("corrupt").join(name).join(path.strip_prefix("good").unwrap()), bytes)
        };
        (name, says, files.into_iter().map(rename).collect())
    };
    let replace = |files: &mut Files, from: &str, to: &str| {
        let text = String::from_utf8(files[&index].clone()).unwrap();
        assert!(text.contains(from));
        files.insert(index.clone(), text.replacen(from, to, 1).into_bytes());
    };
    vec![
        with("flipped-object", "its content has the SHA-256", &|files| {
            files.get_mut(&object).unwrap()[0] ^= 1;
        }),
        with("missing-object", "is missing", &|files| drop(files.remove(&object))),
        with("changed-name", "not those that were written", &|files| replace(files, "greeting", "Greeting")),
        with("cut-off", "not those that were written", &|files| {
            let bytes = files.get_mut(&index).unwrap();
            bytes.truncate(bytes.len() - 10);
        }),
        with("newer-format", "newer inferlog", &|files| replace(files, r#""format":1"#, r#""format":2"#)),
        with("stray-file", "is not the name of an object", &|files| {
            files.insert("good/objects/00/stray".into(), b"x".to_vec());
        }),
    ]
}

fn read(dir: &Path, below: &Path, files: &mut Files) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => read(&entry.path(), below, files),
            false => {
                let path = entry.path().strip_prefix(below).unwrap().to_owned();
                drop(files.insert(path, fs::read(entry.path()).unwrap()));
            }
        }
    }
}

#[test]
fn what_is_written_is_what_was_frozen() {
    let mut wanted = good();
    for (_, _, files) in corrupt(&good()) {
        wanted.extend(files);
    }
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        for (path, bytes) in &wanted {
            fs::create_dir_all(fixtures().join(path).parent().unwrap()).unwrap();
            fs::write(fixtures().join(path), bytes).unwrap();
        }
    }
    let mut found = Files::new();
    read(&fixtures(), &fixtures(), &mut found);
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (path, bytes) in found {
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&wanted[&path]), "{path:?}");
    }
}

#[test]
fn a_frozen_registry_is_read() {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let dir = fixtures().join("good");
    assert_eq!(check(&fs, &dir), []);
    let snapshot = Snapshot::load(&fs, &dir).unwrap();
    let found = snapshot.match_prompt("You are a clerk. Write {{ for braces.\n").unwrap();
    assert_eq!((found.version.as_str(), found.role), ("1", Some(PromptRole::System)));
    assert_eq!(found.variables, [("role".to_owned(), "a clerk".to_owned())]);
    assert_eq!(snapshot.match_prompt("You are {{role}}.").unwrap().version.as_str(), "2026-07");
    let tools = snapshot.match_tools(br#"[{"input_schema":{"type":"object"},"name":"rate"}]"#).unwrap();
    assert_eq!(tools.whole.unwrap().name.as_str(), "lending");
    assert_eq!(snapshot.model("credit", "champion").unwrap().version.as_str(), "4");
    let model = snapshot.model("credit", "3").unwrap();
    assert_eq!((model.location.as_str(), model.digest), ("/models/credit/3", model.sha256));
    let (identities, next) =
        Identities::from_bytes(&fs::read(fixtures().join("identities")).unwrap(), 42).unwrap();
    assert_eq!((identities.len(), next), (3, 42));
}

#[test]
fn frozen_policies_are_read() {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let dir = fixtures().join("policies");
    assert_eq!(check(&fs, &dir), []);
    let snapshot = Snapshot::load(&fs, &dir).unwrap();
    let policy = snapshot.policy("credit").unwrap();
    assert_eq!(policy.version.as_str(), "2026-11");
    assert!(snapshot.text(policy.sha256).unwrap().contains("target = \"1 year\""));
    assert_eq!(snapshot.policies("credit").count(), 2);
    assert_eq!((snapshot.systems_with_policy(), snapshot.policy("other")), (vec!["credit"], None));
}

#[test]
fn every_corrupt_registry_is_told() {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    for (name, says, _) in corrupt(&good()) {
        let problems = check(&fs, &fixtures().join("corrupt").join(name));
        assert!(problems.iter().any(|problem| problem.what.contains(says)), "{name}: {problems:?}");
        assert!(problems.len() <= 2, "{name}: {problems:?}");
    }
}
