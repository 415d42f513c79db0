//! What the registry answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_record::body::PromptRole;
use inferlog_record::{ClearName, Digest, Timestamp};
use inferlog_registry::{
    Added, EntryKind, OBJECT_BYTES_MAX, Refusal, Registration, Registry, RegistryError, Snapshot, What, check,
};

const DIR: &str = "/registry";

fn name(text: &str) -> ClearName {
    ClearName::new(text).unwrap()
}

struct World {
    fs: SimFs,
    registry: Registry,
}

impl World {
    fn new() -> Self {
        let fs = SimFs::new(1);
        let registry = Registry::open(Arc::new(fs.clone()), Path::new(DIR)).unwrap();
        Self { fs, registry }
    }

    fn add(&self, registration: &Registration) -> Result<Added, Refusal> {
        match self.registry.add(registration, Timestamp::from_millis(1)) {
            Err(RegistryError::Refused(refusal)) => Err(refusal),
            other => Ok(other.unwrap()),
        }
    }

    fn prompt(&self, at: &str, text: &str) -> Added {
        let (name, version) = split(at);
        self.add(&Registration::prompt(name, version, text)).unwrap()
    }

    /// What a text is found to be, here and in a registry that is opened anew.
    fn find(&self, text: &str) -> Option<String> {
        let tell = |snapshot: &Snapshot| {
            let found = snapshot.match_prompt(text)?;
            let values = found.variables.iter().map(|(name, value)| format!(" {name}={value}"));
            Some(format!("{}@{}{}", found.name, found.version, values.collect::<String>()))
        };
        let found = tell(&self.registry.snapshot());
        assert_eq!(tell(&self.load()), found);
        found
    }

    fn load(&self) -> Snapshot {
        let fs: Arc<dyn Fs> = Arc::new(self.fs.clone());
        assert_eq!(check(&fs, Path::new(DIR)), []);
        Snapshot::load(&fs, Path::new(DIR)).unwrap()
    }
}

fn split(at: &str) -> (ClearName, Option<ClearName>) {
    match at.split_once('@') {
        Some((at, version)) => (name(at), Some(name(version))),
        None => (name(at), None),
    }
}

#[test]
fn the_most_specific_prompt_is_found() {
    let world = World::new();
    world.prompt("any", "You are {{role}}.");
    world.prompt("bank", "You are {{role}} of a bank. Be {{how}}.");
    world.prompt("fixed", "You are the clerk of a bank. Be brief.");
    world.prompt("other", "{{question}} Answer in one word.");
    let find = |text: &str| world.find(text).unwrap_or_default();
    assert_eq!(find("You are the clerk of a bank. Be brief."), "fixed@1");
    assert_eq!(find("You are the clerk of a bank. Be polite."), "bank@1 role=the clerk how=polite");
    assert_eq!(find("You are late."), "any@1 role=late");
    assert_eq!(find("Is it? Answer in one word."), "other@1 question=Is it?");
    assert_eq!(find("You are"), "");
    assert_eq!(find(""), "");
    world.prompt("fixed", "Something else");
    assert_eq!(find("You are the clerk of a bank. Be brief."), "fixed@1", "old versions are found for ever");
    world.prompt("same", "Something else");
    assert_eq!(find("Something else"), "same@1", "of two alike the newer");
}

#[test]
fn the_policy_registered_last_is_in_force() {
    let world = World::new();
    let add = |version, text| world.add(&Registration::policy(name("credit"), name(version), text));
    assert!(add("1", "one").unwrap().is_new);
    assert!(add("2", "two").unwrap().is_new);
    assert!(!add("2", "two").unwrap().is_new);
    assert!(!add("1", "one").unwrap().is_new, "it is there, and not in force again");
    let refused = add("1", "three").unwrap_err().to_string();
    assert!(refused.starts_with("policy credit@1 is registered with another text"), "{refused}");
    for snapshot in [(*world.registry.snapshot()).clone(), world.load()] {
        let policy = snapshot.policy("credit").unwrap();
        assert_eq!(policy.version.as_str(), "2");
        assert_eq!(snapshot.text(policy.sha256).unwrap(), "two");
    }
    assert_eq!(world.find("two"), None, "no prompt");
}

#[test]
fn a_text_may_be_literal() {
    let world = World::new();
    let what =
        What::Prompt { text: "Use {{x}} {{#if}}".into(), role: Some(PromptRole::System), literal: true };
    world.add(&Registration { name: name("help"), version: None, what }).unwrap();
    assert_eq!(world.find("Use {{x}} {{#if}}").as_deref(), Some("help@1"));
    assert_eq!(world.find("Use 1 {{#if}}"), None);
    let found = world.registry.snapshot().match_prompt("Use {{x}} {{#if}}").unwrap();
    assert_eq!(found.role, Some(PromptRole::System));
    assert_eq!(world.load().text(found.sha256).unwrap(), "Use {{x}} {{#if}}");
    world.prompt("escaped", r"Use \{{x}} {{y}}");
    world.prompt("plain", r"Braces: \{{");
    assert_eq!(world.find("Use {{x}} 1").as_deref(), Some("escaped@1 y=1"));
    assert_eq!(world.find("Braces: {{").as_deref(), Some("plain@1"));
}

#[test]
fn a_version_never_changes() {
    let world = World::new();
    let first = world.prompt("p@v1", "one");
    assert!(first.is_new);
    assert_eq!(world.prompt("p@v1", "one"), Added { is_new: false, ..first.clone() });
    assert!(!world.prompt("p", "one").is_new, "the same text needs no further version");
    let refused = world.add(&Registration::prompt(name("p"), Some(name("v1")), "two")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "prompt p@v1 is registered with another text, and what is registered never changes: register this under another \
         version"
    );
    let mut other = Registration::prompt(name("p"), Some(name("v1")), "one");
    other.what = What::Prompt { text: "one".into(), role: Some(PromptRole::User), literal: false };
    assert!(world.add(&other).unwrap_err().to_string().contains("another role"));
    assert_eq!(world.prompt("p", "two").version, Some(name("1")));
    assert_eq!(world.prompt("p", "three").version, Some(name("2")));
    assert_eq!(world.prompt("p@10", "four").version, Some(name("10")));
    assert_eq!(world.prompt("p", "five").version, Some(name("11")));
    assert_eq!(world.load().versions(EntryKind::Prompt, "p").count(), 5);
    assert!(world.load().resolve(EntryKind::Tools, "p", "1").is_none());
}

#[test]
fn what_cannot_be_registered_is_refused_and_leaves_nothing() {
    let world = World::new();
    let before = world.fs.files();
    let prompt = |text: &str| Registration::prompt(name("p"), None, text);
    let tools = |json: &str| Registration::tools(name("t"), None, json);
    let model = |location: &str| Registration::model(name("m"), None, None, location);
    let alias =
        Registration { name: name("m"), version: Some(name("1")), what: What::Alias { alias: name("a") } };
    for (registration, says) in [
        (prompt(""), "empty"),
        (prompt("{{a}}"), "no words of its own"),
        (prompt("{{#each}}"), "begins no placeholder"),
        (prompt(&"x".repeat(OBJECT_BYTES_MAX + 1)), "has 4194305 bytes"),
        (Registration::prompt(name("unlisted"), None, "x"), "take another name"),
        (tools("{"), "not JSON"),
        (tools("[]"), "neither a tool nor a list"),
        (tools("[1]"), "neither a tool nor a list"),
        (model(""), "one line"),
        (model("a\nb"), "one line"),
        (alias, "has no version 1"),
    ] {
        let refused = world.add(&registration).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
    assert_eq!(world.fs.files(), before);
}

#[test]
fn tools_are_compared_by_what_they_say() {
    let world = World::new();
    let one = r#"{"type": "function", "function": {"name": "a", "parameters": {"x": 1.0, "y": "ü"}}}"#;
    let same =
        "{\"function\":{\"parameters\":{\"y\":\"\\u00fc\",\"x\":1},\"name\":\"a\"},\n\"type\":\"function\"}";
    let other = one.replace("\"a\"", "\"b\"");
    let list = format!("[{one},\n{other}]");
    world.add(&Registration::tools(name("one"), None, one)).unwrap();
    assert!(!world.add(&Registration::tools(name("one"), None, same)).unwrap().is_new);
    world.add(&Registration::tools(name("list"), Some(name("2026-01")), &*list)).unwrap();
    let find = |json: &str| {
        let found = world.load().match_tools(json.as_bytes())?;
        let each = found.each.iter().map(|(at, tool)| format!(" {at}:{}@{}", tool.name, tool.version));
        let whole = found.whole.map_or(String::new(), |whole| format!("{}@{}", whole.name, whole.version));
        Some(whole + &each.collect::<String>())
    };
    assert_eq!(find(same).as_deref(), Some("one@1"));
    assert_eq!(find(&format!("[{same}, {other}]")).as_deref(), Some("list@2026-01 0:one@1"));
    assert_eq!(
        find(&format!("[{other}, {same}]")).as_deref(),
        Some(" 1:one@1"),
        "the order of a list counts"
    );
    assert_eq!(find(&other), None);
    assert_eq!(find("nonsense"), None);
    let (json, kept) =
        (world.load(), r#"{"function":{"name":"a","parameters":{"x":1,"y":"ü"}},"type":"function"}"#);
    let entry = json.versions(EntryKind::Tools, "one").next().unwrap();
    assert_eq!(json.text(entry.object().unwrap().0).unwrap(), kept);
}

fn model(version: &str, digest: Option<u8>, location: &str) -> Registration {
    let digest = digest.map(|byte| Digest([byte; 32]));
    Registration::model(name("credit"), Some(name(version)), digest, location)
}

#[test]
fn a_model_is_completed_and_moved_and_never_another() {
    let world = World::new();
    let add = |registration: Registration| world.add(&registration).map(|added| added.is_new);
    assert_eq!(add(model("3", None, "s3://b/3")), Ok(true));
    assert_eq!(add(model("3", None, "s3://b/3")), Ok(false));
    assert!(add(model("3", None, "s3://b/4")).unwrap_err().to_string().contains("another location"));
    assert_eq!(add(model("3", Some(7), "/models/3")), Ok(true), "known at last");
    assert_eq!(add(model("3", Some(7), "/models/3")), Ok(false));
    assert_eq!(add(model("3", None, "s3://b/3")), Ok(false), "a second import knows no more");
    assert!(add(model("3", Some(8), "/models/3")).unwrap_err().to_string().contains("another digest"));
    assert_eq!(add(model("3", Some(7), "/other/3")), Ok(true), "moved");
    let snapshot = world.load();
    let found = snapshot.model("credit", "3").unwrap();
    assert_eq!((found.digest, found.location.as_str()), (Some(Digest([7; 32])), "/other/3"));
    assert_eq!(snapshot.entries().len(), 3);
    assert_eq!(snapshot.versions(EntryKind::Model, "credit").count(), 1);
    assert_eq!(snapshot.model("credit", "4"), None);
    let unnamed = Registration::model(name("credit"), None, Some(Digest([9; 32])), "/x");
    assert_eq!(world.add(&unnamed).unwrap().version, Some(name("4")));
    assert_eq!(world.add(&unnamed).unwrap().version, Some(name("4")));
}

#[test]
fn an_alias_moves_and_its_past_is_kept() {
    let world = World::new();
    let alias = |version: Option<&str>| Registration {
        name: name("credit"),
        version: version.map(name),
        what: What::Alias { alias: name("champion") },
    };
    let stands_for = || world.load().model("credit", "champion").map(|model| model.version.to_string());
    world.add(&model("1", None, "a")).unwrap();
    world.add(&model("2", None, "b")).unwrap();
    for (version, is_new) in [
        (None, false),
        (Some("1"), true),
        (Some("1"), false),
        (Some("2"), true),
        (None, true),
        (Some("1"), true),
    ] {
        assert_eq!(world.add(&alias(version)).unwrap().is_new, is_new);
        assert_eq!(stands_for().as_deref(), version);
    }
    let snapshot = world.load();
    assert_eq!(snapshot.aliases("credit", "1"), ["champion"]);
    assert!(snapshot.aliases("credit", "2").is_empty());
    let past: Vec<_> =
        snapshot.entries()[2..].iter().map(|entry| entry.version().map(ClearName::as_str)).collect();
    assert_eq!(past, [Some("1"), Some("2"), None, Some("1")]);
    // A version is what it is called, whatever an alias says.
    world.add(&Registration { what: What::Alias { alias: name("2") }, ..alias(Some("1")) }).unwrap();
    assert_eq!(world.load().model("credit", "2").unwrap().version.as_str(), "2");
}

#[test]
fn a_manifest_is_kept_under_the_model_s_digest() {
    let world = World::new();
    let manifest = r#"{"files":[],"format":1}"#;
    let digest: Digest = "fd2bcbea0d6f1fd8a65ff1ef02a9fe5a09ac9c9ff1ebfd6d5b6dd4b11a9ebd5b".parse().unwrap();
    let with = |digest| What::Model {
        digest,
        location: "/m".into(),
        source: Some("by hand".into()),
        manifest: Some(manifest.into()),
    };
    let registration = |digest| Registration { name: name("m"), version: None, what: with(digest) };
    assert_eq!(world.add(&registration(Some(digest))), Err(Refusal::Manifest));
    assert_eq!(world.add(&registration(None)), Err(Refusal::Manifest));
    let digest: Digest = "45dd9756664e5b9aa606ef24d8a05081cf98e597f7d9013f65c16bdac628c72f".parse().unwrap();
    world.add(&registration(Some(digest))).unwrap();
    assert_eq!(world.load().object(digest).unwrap(), manifest.as_bytes());
    assert_eq!(world.load().model("m", "1").unwrap().sha256, Some(digest));
}

#[test]
fn a_batch_is_registered_at_once_save_what_is_refused() {
    let world = World::new();
    let calls = world.fs.call_count();
    let batch: Vec<_> = (0..1000)
        .map(|n| match n % 100 {
            99 => model("0", None, "elsewhere"),
            _ => model(&n.to_string(), None, "place"),
        })
        .collect();
    let done = world.registry.add_all(&batch, Timestamp::from_millis(1)).unwrap();
    assert_eq!(done.iter().filter(|done| done.is_err()).count(), 10);
    assert_eq!(world.load().entries().len(), 990);
    assert!(world.fs.call_count() - calls < 30, "one write of the index for all");
}

#[test]
fn damage_is_found_and_refused() {
    let world = World::new();
    world.prompt("p", "Hello {{name}}");
    world.add(&Registration::tools(name("t"), None, r#"{"name":"a"}"#)).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(world.fs.clone());
    let (files, dir) = (world.fs.files(), Path::new(DIR));
    for (path, bytes) in &files {
        for offset in 0..bytes.len() as u64 {
            world.fs.flip_bit(path, offset, 3).unwrap();
            let loads = Snapshot::load(&fs, dir).map(|_| ());
            let problems = check(&fs, dir);
            assert!(loads.is_err() && problems.iter().all(|problem| problem.path == *path), "{problems:?}");
            assert!(!problems.is_empty(), "{path:?} {offset}: {loads:?}");
            world.fs.flip_bit(path, offset, 3).unwrap();
        }
        if !path.ends_with("index") {
            world.fs.remove_file(path).unwrap();
            assert!(check(&fs, dir)[0].what.contains("is missing"));
            let refused = Registry::open(fs.clone(), dir).unwrap_err().to_string();
            assert!(refused.contains("restore the file from a backup"), "{refused}");
            let file = world.fs.open(path, inferlog_disk::Open::CreateNew).unwrap();
            file.write_all_at(bytes, 0).unwrap();
        }
    }
    assert_eq!(check(&fs, dir), []);
}
