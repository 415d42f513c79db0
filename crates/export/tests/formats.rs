//! What is exported is read back and held against the log, field by field.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod loans;
#[path = "../../audit/tests/sealed/mod.rs"]
mod sealed;
#[path = "../../audit/tests/world/mod.rs"]
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use inferlog_export::table::TableFormat;
use inferlog_export::{ExportError, Format, LabelFilter, Options, Output, Selection, Table, export};
use inferlog_record::{DataClass, Timestamp};
use loans::{HOSTILE, Loans, REQUEST, RESPONSE, lines, loans};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use world::{DIR, START_NS};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn rows(path: &Path) -> (BTreeMap<String, String>, Vec<BTreeMap<String, Field>>) {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let metadata = metadata.iter().map(|pair| (pair.key.clone(), pair.value.clone().unwrap())).collect();
    let rows = reader.get_row_iter(None).unwrap();
    let row = |row: parquet::record::Row| {
        row.get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()
    };
    (metadata, rows.map(|found| row(found.unwrap())).collect())
}

fn text(field: &Field) -> &str {
    match field {
        Field::Str(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn jsonl_is_the_log() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("events.jsonl");
    let report = loans.export(Format::Jsonl, Selection::default(), false, &path);
    let (exported, log) = (lines(&path), loans.log());
    assert_eq!((exported.len(), report.rows), (log.len(), log.len() as u64));
    for (line, (index, place, event)) in exported.iter().zip(&log) {
        assert_eq!((&line["index"], &line["place"]), (&json!(index), &json!(place)));
        assert_eq!(&line["event"], event);
        assert!(line.get("contents").is_none());
    }
    let meta: Value =
        serde_json::from_slice(&fs::read(dir.path().join("events.jsonl.meta.json")).unwrap()).unwrap();
    assert_eq!(meta["format"], "jsonl");
    assert_eq!(meta["rows"], log.len());
    assert_eq!(meta["logs"][0]["last_index"], log.last().unwrap().0);
    let checkpoint = meta["logs"][0]["checkpoint"].as_str().unwrap();
    let note: inferlog_merkle::SignedNote = checkpoint.parse().unwrap();
    let key = world::OneKey::new().vkey(meta["logs"][0]["origin"].as_str().unwrap());
    assert_eq!(note.verify(&[key]).unwrap().len(), 1, "its reader can verify it");
}

#[test]
fn jsonl_with_content_says_what_became_of_each_payload() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("events.jsonl");
    let report = loans.export(Format::Jsonl, Selection::default(), true, &path);
    // The label's second place in the log bears no sealed bytes of its own.
    let not_opened = [("erased", 4), ("missing", 1), ("not_captured", 1)];
    assert_eq!(report.not_opened, not_opened.map(|(state, count)| (state.to_owned(), count)).into());
    let exported = lines(&path);
    let given = |what: &str, role: &str| -> Value {
        let decision = json!(loans.id(what));
        let of = exported.iter().filter(|line| line["decision"] == decision);
        let mut contents = of.flat_map(|line| line["contents"].as_array().unwrap());
        contents.find(|given| given["role"] == role).unwrap().clone()
    };
    assert_eq!(
        given("plain", "input.raw")["content"]["json"],
        serde_json::from_str::<Value>(REQUEST).unwrap()
    );
    // On several lines: kept byte by byte.
    assert_eq!(given("plain", "output.raw")["content"]["text"], RESPONSE);
    assert!(given("plain", "input.assembled")["first"].is_string());
    assert_eq!(given("hostile", "input.raw")["content"]["text"], HOSTILE);
    assert_eq!(given("hostile", "output.raw")["content"]["base64"], "AP8NCg==");
    assert_eq!(
        given("absent", "output.raw")["not_opened"],
        json!({"state": "not_captured", "why": "upstream_aborted"})
    );
    let erased = given("erased", "input.raw");
    assert_eq!(erased["not_opened"]["state"], "erased");
    let order = erased["not_opened"]["why"].as_str().unwrap().strip_prefix("erased_by_order:").unwrap();
    assert!(exported.iter().any(|line| line["event"]["id"] == order && line["event"]["kind"] == "erasure"));
    assert_eq!(given("deep", "input.raw")["content"]["text"].as_str().unwrap().len(), 200_000);
    assert!(given("huge", "input.raw")["content"]["json"]["data"].as_str().unwrap().len() == 3 << 20);
    assert!(!fs::read_to_string(path).unwrap().contains('\r'));
}

#[test]
fn a_table_of_events_has_every_field() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("events.parquet");
    let report =
        loans.export(Format::Table(Table::Events, TableFormat::Parquet), Selection::default(), false, &path);
    assert_eq!(report.skipped.values().sum::<u64>(), 1);
    let (metadata, rows) = rows(&path);
    let logs: Value = serde_json::from_str(&metadata["inferlog.logs"]).unwrap();
    assert_eq!(logs[0]["first_index"], 0);
    assert!(logs[0]["checkpoint"].as_str().unwrap().starts_with("tests.inferlog.example/credit/"));
    assert!(!dir.path().join("events.parquet.meta.json").exists());
    // What stands in the log twice is one row.
    let (mut log, mut seen) = (loans.log(), std::collections::HashSet::new());
    log.retain(|(.., event)| seen.insert(event["id"].clone()));
    assert_eq!(rows.len(), loans.log().len() - 1);
    let columns = inferlog_record::columns();
    for (row, (index, place, event)) in rows.iter().zip(&log) {
        assert_eq!(
            (&row["entry"], &row["place"]),
            (&Field::Long(*index as i64), &Field::Long(*place as i64))
        );
        for column in &columns {
            let is_of_kind = column.kind.is_none_or(|kind| event["kind"] == kind.as_str());
            let found =
                column.path.iter().try_fold(event, |json, name| json.get(*name)).filter(|_| is_of_kind);
            let same = match (&row[&column.name], found) {
                (Field::Null, None) => true,
                (Field::Str(text), Some(Value::String(found))) => text == found,
                (Field::Str(text), Some(found)) => serde_json::from_str::<Value>(text).unwrap() == *found,
                (Field::Long(number), Some(Value::String(time))) => {
                    *number as u64 == time.parse::<Timestamp>().unwrap().nanos()
                }
                (Field::TimestampMicros(micros), Some(Value::String(time))) => {
                    *micros as u64 == time.parse::<Timestamp>().unwrap().nanos() / 1000
                }
                (Field::Long(number), Some(found)) => found.as_i64() == Some(*number),
                (Field::Bool(is), Some(found)) => found.as_bool() == Some(*is),
                (Field::ListInternal(list), Some(found)) => {
                    let texts: Vec<&str> = list.elements().iter().map(text).collect();
                    json!(texts) == *found
                }
                (field, found) => panic!("{}: {field:?} for {found:?}", column.name),
            };
            assert!(same, "{}: {:?} for {found:?}", column.name, row[&column.name]);
        }
    }
}

#[test]
fn a_table_of_payloads_tells_erased_from_absent() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("payloads.csv");
    loans.export(Format::Table(Table::Payloads, TableFormat::Csv), Selection::default(), true, &path);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let (mut log, mut seen) = (loans.log(), std::collections::HashSet::new());
    log.retain(|(.., event)| seen.insert(event["id"].clone()));
    let references: usize =
        log.iter().map(|(.., event)| event["payloads"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(rows.len(), references);
    let row = |what: &str, role: &str| {
        let decision = loans.id(what).to_string();
        rows.iter().find(|row| row["decision"] == decision && row["role"] == role).unwrap()
    };
    assert_eq!(row("hostile", "input.raw")["content"], HOSTILE);
    assert_eq!(
        (&*row("hostile", "output.raw")["content"], &*row("hostile", "output.raw")["content_form"]),
        ("AP8NCg==", "base64")
    );
    let (erased, absent) = (row("erased", "input.raw"), row("absent", "output.raw"));
    assert_eq!((&*erased["state"], &*erased["not_opened"]), ("present", "erased"), "as recorded, and now");
    assert!(!erased["erased_by"].is_empty());
    assert_eq!(
        (&*absent["state"], &*absent["not_opened"], &*absent["reason"]),
        ("not_captured", "not_captured", "upstream_aborted")
    );
    assert!(absent["erased_by"].is_empty());

    loans.export(Format::Table(Table::Payloads, TableFormat::Csv), Selection::default(), false, &path);
    let mut reader = csv::Reader::from_path(&path).unwrap();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert!(rows.iter().all(|row| row["content"].is_empty()));
    assert!(rows.iter().any(|row| row["not_opened"] == "sealed"));
    assert_eq!(rows.iter().filter(|row| row["not_opened"] == "erased").count(), 4, "known without a key");
}

#[test]
fn databricks() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("table.parquet");
    let report = loans.export(Format::Databricks(TableFormat::Parquet), Selection::default(), true, &path);
    let (_, rows) = rows(&path);
    assert_eq!((rows.len(), report.rows), (8, 8));
    let plain = &rows[0];
    assert_eq!(plain["client_request_id"], Field::Str("loan-7".into()));
    assert_eq!(plain["request_date"], Field::Date((START_NS / world::DAY_NS) as i32));
    assert_eq!(plain["status_code"], Field::Long(200));
    assert_eq!(plain["sampling_fraction"], Field::Double(1.0));
    assert_eq!(plain["execution_duration_ms"], Field::Long(42));
    assert_eq!((text(&plain["request"]), text(&plain["response"])), (REQUEST, RESPONSE));
    let codes = |row: usize| match &rows[row]["logging_error_codes"] {
        Field::ListInternal(list) => {
            list.elements().iter().map(|code| text(code).to_owned()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert!(codes(0).is_empty());
    assert_eq!(codes(1), ["RESPONSE_IN_BASE64"]);
    assert_eq!(codes(3), ["RESPONSE_UPSTREAM_ABORTED"]);
    assert_eq!(codes(4), ["REQUEST_ERASED", "RESPONSE_ERASED"]);
    assert_eq!(rows[4]["request"], Field::Null);
    let lines_path = dir.path().join("table.jsonl");
    loans.export(Format::Databricks(TableFormat::Json), Selection::default(), true, &lines_path);
    assert_eq!(lines(&lines_path)[0]["response"], RESPONSE);
}

#[test]
fn pairs_for_retraining() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("pairs.jsonl");
    let report = loans.export(Format::Oip, Selection::default(), true, &path);
    let pairs = lines(&path);
    let ids: Vec<&Value> = pairs.iter().map(|pair| &pair["decision"]).collect();
    let expected: Vec<Value> =
        ["plain", "hostile", "deep", "huge", "open"].map(|what| json!(loans.id(what))).into();
    assert_eq!(ids, expected.iter().collect::<Vec<_>>(), "in the order in which they ended, open ones last");
    let skipped =
        [("request erased", 1), ("response not_captured: upstream_aborted", 1), ("wire openai_chat", 1)];
    assert_eq!(report.skipped, skipped.map(|(why, count)| (why.to_owned(), count)).into());
    let plain = &pairs[0];
    assert_eq!(plain["request"], serde_json::from_str::<Value>(REQUEST).unwrap());
    assert_eq!(plain["response"], serde_json::from_str::<Value>(RESPONSE).unwrap());
    assert_eq!((&plain["model_name"], &plain["model_version"]), (&json!("credit"), &json!("3")));
    assert_eq!(plain["outcome"], "answered");
    assert_eq!(plain["labels"].as_array().unwrap().len(), 1, "what stands in the log twice is told once");
    assert_eq!(
        (&plain["labels"][0]["name"], &plain["labels"][0]["value"]),
        (&json!("repaid"), &json!({"json": true}))
    );
    assert_eq!(
        (&plain["human"][0]["action"], &plain["human"][0]["after"]["text"]),
        (&json!("reverse"), &json!(HOSTILE))
    );
    assert_eq!(pairs[1]["request"], json!({"media_type": "text/plain", "text": HOSTILE}));
    assert_eq!(pairs[1]["response"], json!({"media_type": "application/octet-stream", "base64": "AP8NCg=="}));
    assert_eq!(pairs[4]["outcome"], Value::Null);
}

#[test]
fn pairs_by_outcome_label_class_and_time() {
    let (loans, dir) = (loans(), dir());
    let path = dir.path().join("pairs.jsonl");
    let check = |selection: Selection, expected: &[&str]| {
        loans.export(Format::Oip, selection, true, &path);
        let ids: Vec<Value> = lines(&path).iter().map(|pair| pair["decision"].clone()).collect();
        assert_eq!(ids, expected.iter().map(|what| json!(loans.id(what))).collect::<Vec<_>>());
    };
    let all = ["plain", "hostile", "deep", "huge", "open"];
    let label = |text: &str| vec![text.parse::<LabelFilter>().unwrap()];
    check(Selection { outcomes: vec!["open".into()], ..Selection::default() }, &["open"]);
    check(Selection { outcomes: vec!["answered".into()], ..Selection::default() }, &all[..4]);
    check(Selection { labels: label("repaid"), ..Selection::default() }, &["plain"]);
    check(Selection { labels: label("repaid=true"), ..Selection::default() }, &["plain"]);
    check(Selection { labels: label("repaid=false"), ..Selection::default() }, &[]);
    check(Selection { classes: vec![DataClass::Personal], ..Selection::default() }, &all);
    check(Selection { classes: vec![DataClass::Pseudonymous], ..Selection::default() }, &[]);
    let minutes = |count: u64| Some(Timestamp(START_NS + count * 60_000_000_000 + 30_000_000_000));
    check(Selection { since: minutes(0), until: minutes(5), ..Selection::default() }, &["hostile", "open"]);
    let decisions = Some([loans.id("huge"), loans.id("chat")].into());
    check(Selection { decisions, ..Selection::default() }, &["huge"]);
}

#[test]
fn the_same_log_gives_the_same_bytes() {
    let (one, other, dir) = (loans(), loans(), dir());
    for format in [
        Format::Jsonl,
        Format::Table(Table::Events, TableFormat::Parquet),
        Format::Table(Table::Payloads, TableFormat::Csv),
        Format::Oip,
        Format::Databricks(TableFormat::Parquet),
    ] {
        let read = |loans: &Loans, name: &str| {
            let path = dir.path().join(name);
            loans.export(format, Selection::default(), true, &path);
            fs::read(path).unwrap()
        };
        assert!(read(&one, "one") == read(&other, "other"), "{format:?}");
    }
}

#[test]
fn nothing_unfinished_and_nothing_overwritten() {
    let (loans, dir) = (loans(), dir());
    let world = &loans.sealer.world;
    let path = dir.path().join("events.jsonl");
    fs::write(&path, "old").unwrap();
    let into = |path: &Path, format| {
        export(&world.fs, Path::new(DIR), &Options::new(format), Output::Path(path.to_owned()))
    };
    let nowhere = into(&dir.path().join("no/such/dir/file"), Format::Jsonl).unwrap_err();
    assert!(matches!(nowhere, ExportError::Write { .. }), "{nowhere}");
    let selection = Selection { select: inferlog_audit::Select::system("nobody"), ..Selection::default() };
    let options = Options { selection, ..Options::new(Format::Jsonl) };
    let error = export(&world.fs, Path::new(DIR), &options, Output::Path(path.clone())).unwrap_err();
    assert!(error.to_string().contains("credit/0/"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    let error = into(&path, Format::AiactAuditLog).unwrap_err();
    assert!(matches!(error, ExportError::NotEmpty(_)), "{error}");
    into(&path, Format::Jsonl).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"log\""));
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let error = export(&world.fs, Path::new("/nothing"), &Options::new(Format::Jsonl), Output::Path(path));
    assert!(error.unwrap_err().to_string().contains("not a data directory"));
}
