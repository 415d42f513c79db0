//! The generated pages are what the code says. `UPDATE=1` rewrites them.

use std::path::Path;

use inferlog_record::docs;

#[expect(clippy::disallowed_methods, clippy::expect_used, reason = "the crate does no I/O, its tests do")]
fn check(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, expected).expect("docs/ can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{name} is not what the code says: run with UPDATE=1");
}

#[test]
fn page() {
    check("record.md", &docs::markdown());
}

#[test]
fn schema() {
    check("record.schema.json", &docs::json_schema());
}
