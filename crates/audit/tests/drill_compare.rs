//! Answers of a model held against each other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use inferlog_audit::drill::{Comparison, DIFFERENCES_TOLD_MAX, ReplayResult, compare};

fn options(tolerance: f64, similarity: f64, ignored: &[&str]) -> Comparison {
    Comparison { tolerance, similarity, ignored: ignored.iter().map(ToString::to_string).collect() }
}

/// What is said, and the places that differ.
fn told(recorded: &str, replayed: &str, options: &Comparison) -> (&'static str, Vec<String>) {
    let compared = compare(recorded.as_bytes(), replayed.as_bytes(), options);
    let places = compared.differences.into_iter().map(|difference| difference.at).collect();
    (compared.result.name(), places)
}

/// Two answers, what counts as the same, what comes of it and where.
type Case<'a> = (&'a str, &'a str, &'a Comparison, &'a str, &'a [&'a str]);

fn check(cases: &[Case<'_>]) {
    for (recorded, replayed, options, result, places) in cases {
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        assert_eq!(told(recorded, replayed, options), (*result, places), "{recorded} and {replayed}");
    }
}

#[test]
fn answers_are_compared_by_what_their_values_are() {
    let exact = Comparison::default();
    let loose = options(0.1, 0.6, &[]);
    let cases: &[Case<'_>] = &[
        (r#"{"a":1}"#, r#"{"a":1}"#, &exact, "same", &[]),
        // Another order, other ids, other counts.
        (r#"{"a":1,"id":"x"}"#, r#"{ "id":"y", "a":1 }"#, &exact, "same", &[]),
        (r#"{"usage":{"total":3},"created":1}"#, r#"{"usage":{"total":4},"created":2}"#, &exact, "same", &[]),
        // An id is volatile where a wire has one, not in data.
        (r#"{"data":{"id":"x"}}"#, r#"{"data":{"id":"y"}}"#, &exact, "different", &["/data/id"]),
        (r#"{"a":[0.5,1]}"#, r#"{"a":[0.50000001,1]}"#, &exact, "within_tolerance", &[]),
        (r#"{"a":[0.5,1]}"#, r#"{"a":[0.6,1]}"#, &exact, "different", &["/a/0"]),
        (r#"{"a":[0.5,1]}"#, r#"{"a":[0.6,1]}"#, &loose, "within_tolerance", &[]),
        (r#"{"a":1000}"#, r#"{"a":1099}"#, &loose, "within_tolerance", &[]),
        (r#"{"a":1000}"#, r#"{"a":1200}"#, &loose, "different", &["/a"]),
        (r#"{"a":[1,2]}"#, r#"{"a":[1,2,3]}"#, &loose, "different", &["/a"]),
        (r#"{"a":1}"#, r#"{"a":1,"b/c":null}"#, &loose, "same", &[]),
        (r#"{"a":1}"#, r#"{"a":1,"b/c":2}"#, &loose, "different", &["/b~1c"]),
        (r#"{"a":"1"}"#, r#"{"a":1}"#, &loose, "different", &["/a"]),
        // A word is the word; prose may be alike.
        (r#"{"a":"approve"}"#, r#"{"a":"disapprove"}"#, &loose, "different", &["/a"]),
        (
            r#"{"a":"The loan is declined."}"#,
            r#"{"a":"The loan was declined."}"#,
            &exact,
            "different",
            &["/a"],
        ),
        (
            r#"{"a":"The loan is declined."}"#,
            r#"{"a":"The loan was declined."}"#,
            &loose,
            "within_tolerance",
            &[],
        ),
        (
            r#"{"a":"The loan is declined."}"#,
            r#"{"a":"Nothing of that kind here."}"#,
            &loose,
            "different",
            &["/a"],
        ),
        // Names of the model are exact whatever was asked for.
        (
            r#"{"model":"the big model 1"}"#,
            r#"{"model":"the big model 2"}"#,
            &options(1.0, 0.0, &[]),
            "different",
            &["/model"],
        ),
        (
            r#"{"model_version":"1"}"#,
            r#"{"model_version":"2"}"#,
            &options(1.0, 0.0, &[]),
            "different",
            &["/model_version"],
        ),
    ];
    check(cases);
}

#[test]
fn texts_and_ignored_members_are_compared() {
    let exact = Comparison::default();
    let loose = options(0.1, 0.6, &[]);
    let cases: &[Case<'_>] = &[
        // Arguments of a tool are JSON in a text.
        (
            r#"{"arguments":"{\"x\":1,\"y\":2}"}"#,
            r#"{"arguments":"{\"y\": 2, \"x\": 1}"}"#,
            &exact,
            "same",
            &[],
        ),
        (
            r#"{"arguments":"{\"x\":1}"}"#,
            r#"{"arguments":"{\"x\":2}"}"#,
            &exact,
            "different",
            &["/arguments/x"],
        ),
        (r#"{"a":{"t":1}}"#, r#"{"a":{"t":2}}"#, &options(0.0, 1.0, &["/a/t"]), "same", &[]),
        (
            r#"{"a":[{"t":1},{"t":2}]}"#,
            r#"{"a":[{"t":3},{"t":4}]}"#,
            &options(0.0, 1.0, &["/a/*/t"]),
            "same",
            &[],
        ),
        ("plain words of text", "plain words of text here", &exact, "different", &[""]),
        ("plain words of text", "plain words of text here", &loose, "within_tolerance", &[]),
    ];
    check(cases);
}

#[test]
fn bytes_are_the_same_or_not_and_differences_are_counted() {
    let options = Comparison::default();
    let compared = compare(b"\xff\x00", b"\xff\x00", &options);
    assert_eq!(compared.result, ReplayResult::Same { bytes: true });
    assert_eq!(compare(b"\xff\x00", b"\xff\x01", &options).result.name(), "different");
    let numbers = |from: u32| format!("{:?}", (from..from + 100).collect::<Vec<_>>());
    let compared = compare(numbers(0).as_bytes(), numbers(1_000).as_bytes(), &options);
    assert!(matches!(compared.result, ReplayResult::Different { values: 100, .. }), "{compared:?}");
    assert_eq!(compared.differences.len(), DIFFERENCES_TOLD_MAX);
    // Deep, odd and empty: nothing panics.
    let deep = "[".repeat(10_000);
    assert_eq!(compare(deep.as_bytes(), b"", &options).result.name(), "different");
    assert_eq!(compare(b"", b"null", &options).result.name(), "different");
}
