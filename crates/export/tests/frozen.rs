//! Exports of the frozen data directory, kept for ever: what reads them today must read what is written tomorrow.
//!
//! `UPDATE=1` writes those that are not there. It never replaces one.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inferlog_audit::parse_decision;
use inferlog_disk::sim::SimFs;
use inferlog_disk::{Fs, ManualClock, Open, SeededRng, create_dir_all};
use inferlog_export::table::TableFormat;
use inferlog_export::{Format, Options, Output, Selection, Table, export};
use inferlog_vault::{FileRoot, Vault};
use parquet::file::reader::{FileReader, SerializedFileReader};

const DATA: &str = "/data";
const ROOT: &str = "/root.key";
/// Nothing of an export depends on the time at which it is made.
const NOW_NS: u64 = 1_800_000_000_000_000_000;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/v1")
}

fn put(fs: &SimFs, place: &Path, bytes: &[u8]) {
    create_dir_all(fs, place.parent().unwrap()).unwrap();
    fs.open(place, Open::CreateNew).unwrap().write_all_at(bytes, 0).unwrap();
}

/// Every file below a directory, sorted.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

/// The frozen directory on a disk, so that opening its keystore changes nothing.
fn disk() -> SimFs {
    let (sim, good) = (SimFs::new(1), fixtures().join("audit/good"));
    for path in files(&good) {
        let place = Path::new(DATA).join(path.strip_prefix(&good).unwrap());
        put(&sim, &place, &fs::read(path).unwrap());
    }
    put(&sim, Path::new(ROOT), &fs::read(fixtures().join("audit/root.key")).unwrap());
    sim
}

/// Exports the frozen decision with its content.
fn write(format: Format, to: &Path) {
    let fs: Arc<dyn Fs> = Arc::new(disk());
    let roots = Box::new(FileRoot::without_modes(fs.clone(), PathBuf::from(ROOT)));
    let (rng, clock) = (Arc::new(SeededRng::new(1)), Arc::new(ManualClock::new(NOW_NS)));
    let vault = Vault::open(fs.clone(), rng, clock, &Path::new(DATA).join("keystore"), roots).unwrap();
    let decision = fs::read_to_string(fixtures().join("audit/decision")).unwrap();
    let decisions = Some([parse_decision(&decision).unwrap()].into());
    let selection = Selection { decisions, ..Selection::default() };
    let options = Options { selection, openings: Some(&vault), ..Options::new(format) };
    export(&fs, Path::new(DATA), &options, Output::Path(to.to_owned())).unwrap();
}

#[test]
fn texts_are_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    write(Format::Jsonl, &dir.path().join("events.jsonl"));
    write(Format::Table(Table::Events, TableFormat::Csv), &dir.path().join("events.csv"));
    write(Format::Table(Table::Payloads, TableFormat::Csv), &dir.path().join("payloads.csv"));
    write(Format::Databricks(TableFormat::Json), &dir.path().join("databricks.jsonl"));
    write(Format::AiactAuditLog, &dir.path().join("aiact-audit-log"));
    let written = files(dir.path());
    assert_eq!(written.len(), 12);
    for path in written {
        let kept = fixtures().join("export").join(path.strip_prefix(dir.path()).unwrap());
        // Which version wrote it is no part of the format.
        let version = format!("\"inferlog\": \"{}\"", env!("CARGO_PKG_VERSION"));
        let bytes = fs::read_to_string(&path).unwrap().replace(&version, "\"inferlog\": \"0.1.0\"");
        if std::env::var_os("UPDATE").is_some() && !kept.exists() {
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            fs::write(&kept, &bytes).unwrap();
        }
        assert!(fs::read_to_string(&kept).unwrap() == bytes, "{}", kept.display());
    }
}

/// The bytes of Parquet are its library's; the rows are ours.
#[test]
fn parquet_has_the_rows_that_it_had() {
    let dir = tempfile::tempdir().unwrap();
    for (table, name) in [(Table::Events, "events.parquet"), (Table::Payloads, "payloads.parquet")] {
        let (path, kept) = (dir.path().join(name), fixtures().join("export").join(name));
        write(Format::Table(table, TableFormat::Parquet), &path);
        if std::env::var_os("UPDATE").is_some() && !kept.exists() {
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            fs::copy(&path, &kept).unwrap();
        }
        let [now, then] = [&path, &kept].map(|path| {
            let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
            let file = reader.metadata().file_metadata();
            let mut metadata = file.key_value_metadata().cloned().unwrap();
            metadata.retain(|pair| pair.key != "inferlog.version");
            let rows: Vec<String> =
                reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
            (file.schema().clone(), metadata, rows)
        });
        assert!(now == then, "{name}");
        assert!(!now.2.is_empty());
    }
}
