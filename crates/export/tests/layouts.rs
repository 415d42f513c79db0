//! aiact-audit-log's directory, several logs in one export, and a log without entries.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod loans;
#[path = "../../audit/tests/sealed/mod.rs"]
mod sealed;
#[path = "../../audit/tests/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_export::table::TableFormat;
use inferlog_export::{ExportError, Format, Options, Output, Selection, Table, export};
use loans::{HOSTILE, REQUEST, lines, loans};
use serde_json::{Value, json};
use sha2::Digest as _;
use world::{DIR, World};

/// Every file below a directory, by its path in it.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => dirs.push(entry.path()),
                false => {
                    let name = entry.path().strip_prefix(root).unwrap().to_owned();
                    found.insert(name, fs::read(entry.path()).unwrap());
                }
            }
        }
    }
    found
}

/// The entries of a system, by their numbers, each checked against its chain.
fn chained(root: &Path, system: &str) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    for path in files(root).keys().filter(|path| path.starts_with(system)) {
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            for entry in lines(&root.join(path)) {
                let day = entry["timestamp"].as_str().unwrap()[..10].replace('-', "/");
                assert!(path.starts_with(Path::new(system).join(day)), "{path:?}");
                entries.push(entry);
            }
        }
    }
    entries.sort_by_key(|entry| entry["seq"].as_u64());
    let hash = |text: &str| format!("{:x}", sha2::Sha256::digest(text));
    let mut previous = hash(&format!("@systima/aiact-audit-log:genesis:{system}"));
    for (seq, entry) in entries.iter().enumerate() {
        assert_eq!((&entry["seq"], &entry["prevHash"]), (&json!(seq), &json!(previous)));
        let mut told = entry.as_object().unwrap().clone();
        let stated = told.remove("hash").unwrap();
        previous = hash(&serde_json_canonicalizer::to_string(&told).unwrap());
        assert_eq!(stated, previous);
    }
    let head: Value =
        serde_json::from_slice(&fs::read(root.join(system).join("_chain/head.json")).unwrap()).unwrap();
    assert_eq!(head["hash"], previous);
    entries
}

#[test]
fn the_layout_of_aiact_audit_log() {
    let (loans, dir) = (loans(), tempfile::tempdir().unwrap());
    let root = dir.path().join("audit");
    let report = loans.export(Format::AiactAuditLog, Selection::default(), true, &root);
    let entries = chained(&root, "credit");
    // What stands in the log twice is told once.
    assert_eq!((entries.len(), report.rows), (loans.log().len() - 1, entries.len() as u64));
    let of = |what: &str, kind: &str| {
        let decision = json!(loans.id(what));
        entries.iter().find(|entry| entry["decisionId"] == decision && entry["eventType"] == kind).unwrap()
    };
    let plain = of("plain", "inference");
    assert_eq!(plain["input"], json!({"type": "raw", "value": REQUEST}), "led back to where it was recorded");
    assert_eq!(plain["usage"], json!({"promptTokens": 12, "completionTokens": 3, "totalTokens": 15}));
    assert_eq!((&plain["modelId"], &plain["latencyMs"]), (&json!("credit"), &json!(42.5)));
    assert!(plain["parameters"]["json"].as_str().unwrap().contains("__proto__"));
    let hostile = of("hostile", "inference");
    assert_eq!(hostile["input"]["value"], HOSTILE);
    assert_eq!(
        (&hostile["output"]["value"], &hostile["metadata"]["inferlog.outputEncoding"]),
        (&json!("AP8NCg=="), &json!("base64"))
    );
    let erased = of("erased", "inference");
    assert_eq!(erased["input"]["type"], "hash");
    assert!(
        erased["metadata"]["inferlog.inputNotGiven"]
            .as_str()
            .unwrap()
            .starts_with("erased: erased_by_order:")
    );
    assert_eq!(of("absent", "inference")["output"], json!({"type": "hash", "value": ""}));
    let human = of("plain", "human_intervention");
    assert_eq!(
        (&human["humanIntervention"]["type"], &human["metadata"]["inferlog.action"]),
        (&json!("override"), &json!("reverse"))
    );
    assert_eq!(human["output"]["value"], HOSTILE);
    let days: Vec<_> = files(&root).into_keys().filter(|path| path.ends_with("000000.jsonl")).collect();
    assert_eq!(days.len(), 2, "one of the decisions, one of what came weeks later: {days:?}");

    let again = dir.path().join("again");
    loans.export(Format::AiactAuditLog, Selection::default(), true, &again);
    assert!(files(&root) == files(&again), "the same bytes");
    let sealed = dir.path().join("sealed");
    loans.export(Format::AiactAuditLog, Selection::default(), false, &sealed);
    assert_eq!(chained(&sealed, "credit").len(), entries.len());
    assert!(!files(&sealed).values().any(|file| String::from_utf8_lossy(file).contains("32000.5")));
    let stream = Output::Stream(Box::new(std::io::sink()));
    let (log, options) = (&loans.sealer.world.fs, Options::new(Format::AiactAuditLog));
    assert!(matches!(export(log, Path::new(DIR), &options, stream), Err(ExportError::NeedsDirectory)));
}

fn two_systems() -> (Arc<dyn Fs>, World) {
    let (fs, mut world) = World::sim(256 << 10);
    for system in ["hiring", "credit", "credit"] {
        // Again: a log of the same system in another epoch.
        world.create(system);
        world.fill(system, 60, 40);
    }
    world.integrate();
    (Arc::new(fs), world)
}

#[test]
fn several_logs_one_after_another() {
    let (fs, _world) = two_systems();
    let dir = tempfile::tempdir().unwrap();
    let write = |format, selection, name: &str| {
        let options = Options { selection, ..Options::new(format) };
        let path = dir.path().join(name);
        (export(&fs, Path::new(DIR), &options, Output::Path(path.clone())).unwrap(), path)
    };
    let (report, path) = write(Format::Jsonl, Selection::default(), "all.jsonl");
    let all = lines(&path);
    let mut logs: Vec<&str> = all.iter().map(|line| line["log"].as_str().unwrap()).collect();
    logs.dedup();
    assert_eq!((logs.len(), report.rows), (3, all.len() as u64), "{logs:?}");
    let meta: Value =
        serde_json::from_slice(&fs::read(dir.path().join("all.jsonl.meta.json")).unwrap()).unwrap();
    let origins: Vec<&str> =
        meta["logs"].as_array().unwrap().iter().map(|log| log["origin"].as_str().unwrap()).collect();
    assert_eq!(origins, logs);

    let (_, root) = write(Format::AiactAuditLog, Selection::default(), "audit");
    let of = |system: &str| all.iter().filter(|line| line["event"]["system"] == system).count();
    assert_eq!(chained(&root, "credit").len(), of("credit"), "two logs, one chain");
    assert_eq!(chained(&root, "hiring").len(), of("hiring"));

    let selection = Selection { select: inferlog_audit::Select::system("hiring"), ..Selection::default() };
    assert_eq!(write(Format::Jsonl, selection, "hiring.jsonl").0.rows, of("hiring") as u64);
    let middle = &all[all.len() / 2]["event"]["logged_at"];
    let since = Selection { since: Some(middle.as_str().unwrap().parse().unwrap()), ..Selection::default() };
    let later = all.iter().filter(|line| line["event"]["logged_at"].as_str() >= middle.as_str()).count();
    assert_eq!(write(Format::Jsonl, since, "since.jsonl").0.rows, later as u64);
}

#[test]
fn a_log_without_entries() {
    let (sim, mut world) = World::sim(256 << 10);
    world.create("credit");
    let fs: Arc<dyn Fs> = Arc::new(SimFs::clone(&sim));
    let dir = tempfile::tempdir().unwrap();
    for format in [
        Format::Jsonl,
        Format::Table(Table::Events, TableFormat::Csv),
        Format::Table(Table::Events, TableFormat::Parquet),
        Format::Oip,
        Format::Databricks(TableFormat::Parquet),
        Format::AiactAuditLog,
    ] {
        let path = dir.path().join(format!("{format:?}").replace(['(', ')', ' ', ','], ""));
        let report = export(&fs, Path::new(DIR), &Options::new(format), Output::Path(path.clone())).unwrap();
        assert_eq!(report.rows, 0, "{format:?}");
        assert!(path.exists(), "{format:?}");
    }
    let meta: Value = serde_json::from_slice(&fs::read(dir.path().join("Jsonl.meta.json")).unwrap()).unwrap();
    assert_eq!(meta["logs"][0]["last_index"], Value::Null);
}
