//! Tables written and read back by other readers: the `csv` crate, `serde_json`, the `parquet` crate's record reader.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use inferlog_export::table::{
    Column, ColumnType, ROW_GROUP_BYTES_MAX, ROW_GROUP_ROWS_MAX, TableError, TableFormat, TableWriter, Value,
};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

fn write(format: TableFormat, columns: Vec<Column>, rows: &[Vec<Value>]) -> Result<Vec<u8>, TableError> {
    let metadata = vec![("k".to_owned(), "v \u{1F980}".to_owned())];
    let mut writer = TableWriter::new(Vec::new(), format, columns, metadata)?;
    for row in rows {
        writer.row(row)?;
    }
    assert_eq!(writer.rows(), rows.len() as u64);
    writer.finish()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Every type, and a null of each.
fn all() -> (Vec<Column>, Vec<Vec<Value>>) {
    use ColumnType::{Boolean, Bytes, Date, Integer, Json, Real, Text, TextList, Timestamp};
    let types = [Text, Integer, Real, Boolean, Timestamp, Bytes, Json, Date, TextList];
    let columns = types.iter().map(|r#type| Column::new(format!("{type:?}"), *r#type)).collect();
    let hostile = "=cmd|' /C calc'!A0,\"\r\n\u{0}\u{1b}\u{7f}\u{feff}é\u{2028}";
    let rows = vec![
        vec![
            text(hostile),
            Value::Integer(i64::MIN),
            Value::Real(-0.1),
            Value::Boolean(true),
            Value::Timestamp(1_785_144_600_000_000_001),
            Value::Bytes(vec![0, 255, 10]),
            Value::Json("{\"a\":\n[1, \"\\n\"]}".into()),
            Value::Date(20_661),
            Value::TextList(vec![hostile.into(), String::new()]),
        ],
        vec![Value::Null; types.len()],
        vec![
            text(""),
            Value::Integer(i64::MAX),
            Value::Real(f64::INFINITY),
            Value::Boolean(false),
            Value::Timestamp(-1),
            Value::Bytes(Vec::new()),
            Value::Json("{".into()),
            Value::Date(-1),
            Value::TextList(Vec::new()),
        ],
    ];
    (columns, rows)
}

#[test]
fn json_lines() {
    let (columns, rows) = all();
    let written = String::from_utf8(write(TableFormat::Json, columns, &rows).unwrap()).unwrap();
    let lines: Vec<serde_json::Value> =
        written.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    let Value::Text(hostile) = &rows[0][0] else { unreachable!() };
    assert_eq!(lines[0]["Text"], hostile.as_str());
    assert_eq!(lines[0]["Integer"], i64::MIN);
    assert_eq!(lines[0]["Timestamp"], "2026-07-27T09:30:00.000000001Z");
    assert_eq!(lines[0]["Bytes"], "AP8K");
    assert_eq!(lines[0]["Json"], serde_json::json!({"a": [1, "\n"]}));
    assert_eq!(lines[0]["Date"], "2026-07-27");
    assert_eq!(lines[0]["TextList"], serde_json::json!([hostile, ""]));
    assert!(lines[1].as_object().unwrap().values().all(serde_json::Value::is_null));
    assert_eq!(lines[2]["Real"], "Infinity");
    assert_eq!(lines[2]["Timestamp"], "1969-12-31T23:59:59.999999999Z");
    assert_eq!(lines[2]["Json"], "{");
    assert_eq!(lines[2]["Date"], "1969-12-31");
}

#[test]
fn csv() {
    let (columns, rows) = all();
    let written = write(TableFormat::Csv, columns, &rows).unwrap();
    let mut reader = csv::ReaderBuilder::new().from_reader(&written[..]);
    assert_eq!(reader.headers().unwrap().get(0), Some("Text"));
    let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(read.len(), 3);
    let Value::Text(hostile) = &rows[0][0] else { unreachable!() };
    assert_eq!(&read[0][0], hostile);
    assert_eq!(&read[0][6], "{\"a\":\n[1, \"\\n\"]}");
    assert_eq!(read[1].iter().collect::<String>(), "");
    assert_eq!(&read[2][2], "Infinity");
    assert_eq!(&read[2][8], "[]");

    // A null and an empty text differ; a lone null is a row.
    let two = |a: &str| vec![Column::new(a, ColumnType::Text), Column::new("b", ColumnType::Text)];
    let written =
        write(TableFormat::Csv, two("a"), &[vec![Value::Null, text("")], vec![text(" x"), text("y")]]);
    assert_eq!(written.unwrap(), b"a,b\r\n,\"\"\r\n\" x\",y\r\n");
    let one = vec![Column::new("a", ColumnType::Text)];
    assert_eq!(write(TableFormat::Csv, one, &[vec![Value::Null]]).unwrap(), b"a\r\n\"\"\r\n");
}

fn read(bytes: Vec<u8>) -> (SerializedFileReader<bytes::Bytes>, Vec<Vec<Field>>) {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    let rows =
        rows.map(|row| row.unwrap().get_column_iter().map(|(_, field)| field.clone()).collect()).collect();
    (reader, rows)
}

#[test]
fn parquet() {
    let (columns, rows) = all();
    let (reader, read) = read(write(TableFormat::Parquet, columns, &rows).unwrap());
    let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert_eq!((metadata[0].key.as_str(), metadata[0].value.as_deref()), ("k", Some("v \u{1F980}")));
    let Value::Text(hostile) = &rows[0][0] else { unreachable!() };
    assert_eq!(read[0][0], Field::Str(hostile.clone()));
    assert_eq!(read[0][1], Field::Long(i64::MIN));
    assert_eq!(read[0][3], Field::Bool(true));
    assert_eq!(read[0][5], Field::Bytes(vec![0_u8, 255, 10].into()));
    assert_eq!(read[0][7], Field::Date(20_661));
    let Field::ListInternal(list) = &read[0][8] else { panic!("{:?}", read[0][8]) };
    assert_eq!(list.elements(), [Field::Str(hostile.clone()), Field::Str(String::new())]);
    assert!(read[1].iter().all(|field| *field == Field::Null));
    assert_eq!(read[2][1], Field::Long(i64::MAX));
    let Field::ListInternal(list) = &read[2][8] else { panic!("{:?}", read[2][8]) };
    assert!(list.elements().is_empty());
}

/// SQLite's columns: what the values are is the type.
#[test]
fn parquet_decides_types_by_the_first_row_group() {
    let names = ["integers", "numbers", "mixed", "nothing", "lists"];
    let columns = || names.map(Column::untyped).to_vec();
    let list = |texts: &[&str]| Value::TextList(texts.iter().map(ToString::to_string).collect());
    let rows = [
        vec![Value::Integer(1), Value::Integer(1), Value::Integer(1), Value::Null, list(&["a", "b"])],
        vec![Value::Null, Value::Real(0.5), text("x"), Value::Null, Value::Null],
        vec![Value::Integer(2), Value::Null, list(&["a", "b"]), Value::Null, list(&[])],
    ];
    let (reader, read) = read(write(TableFormat::Parquet, columns(), &rows).unwrap());
    assert_eq!(reader.metadata().file_metadata().num_rows(), 3);
    assert_eq!(read[0][..4], [Field::Long(1), Field::Double(1.0), Field::Str("1".into()), Field::Null]);
    assert_eq!(read[2][2], Field::Str(r#"["a","b"]"#.into()));
    let Field::ListInternal(found) = &read[0][4] else { panic!() };
    assert_eq!(found.elements().len(), 2);

    let mut rows = vec![vec![Value::Integer(1)]; ROW_GROUP_ROWS_MAX];
    rows.push(vec![Value::Real(0.5)]);
    let error = write(TableFormat::Parquet, vec![Column::untyped("a")], &rows).unwrap_err();
    assert!(matches!(error, TableError::Type { row, .. } if row == ROW_GROUP_ROWS_MAX as u64 + 1), "{error}");
}

#[test]
fn row_groups_are_bounded_by_bytes_too() {
    let long = "x".repeat(ROW_GROUP_BYTES_MAX / 2);
    let rows = vec![vec![text(&long)]; 5];
    let written = write(TableFormat::Parquet, vec![Column::new("a", ColumnType::Text)], &rows).unwrap();
    let (reader, read) = read(written);
    assert_eq!(reader.metadata().num_row_groups(), 3);
    assert_eq!(read.len(), 5);
    assert!(read.iter().all(|row| row[0] == Field::Str(long.clone())));
}

#[test]
fn no_rows_and_the_same_bytes() {
    for format in [TableFormat::Json, TableFormat::Csv, TableFormat::Parquet] {
        let (columns, rows) = all();
        let once = write(format, columns.clone(), &rows).unwrap();
        assert_eq!(once, write(format, columns.clone(), &rows).unwrap());
        let none = write(format, columns, &[]).unwrap();
        match format {
            TableFormat::Json => assert!(none.is_empty()),
            TableFormat::Csv => assert_eq!(none.iter().filter(|byte| **byte == b'\n').count(), 1),
            TableFormat::Parquet => assert!(read(none).1.is_empty()),
        }
    }
}

#[test]
fn names_are_told_apart_and_rows_measured() {
    let columns = ["a", "a", "", "a_2", "a"].map(|name| Column::new(name, ColumnType::Text)).to_vec();
    let header = write(TableFormat::Csv, columns.clone(), &[]).unwrap();
    assert_eq!(header, b"a,a_3,column,a_2,a_4\r\n");
    let error = write(TableFormat::Json, columns, &[vec![Value::Null]]).unwrap_err();
    assert!(matches!(error, TableError::Width { row: 1, values: 1, columns: 5 }), "{error}");
    let error = write(TableFormat::Parquet, Vec::new(), &[]).unwrap_err();
    assert!(matches!(error, TableError::NoColumns), "{error}");
}
