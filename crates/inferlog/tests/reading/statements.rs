//! Statements of whoever knows no better, or knows better.

/// Statements that are refused, and a part of what is said of each.
pub const REFUSED: [(&str, &str); 16] = [
    ("", "there is no statement"),
    ("SELEC 1", "near \"SELEC\": syntax error\n  SELEC 1\n  ^"),
    (
        "SELECT id,\n modell FROM decisions",
        "no such column: modell\n   modell FROM decisions\n   ^\nhint: did you mean `model`",
    ),
    ("SELECT 1 FROM decision_s", "did you mean `decisions`"),
    ("SELECT 1; SELECT 2", "more than one statement"),
    ("SELECT 1; DROP TABLE event", "more than one statement"),
    ("SELECT ?", "parameters"),
    ("DELETE FROM event", "writing (to event) is not allowed"),
    ("UPDATE decision SET no = 1", "writing (to decision) is not allowed"),
    ("CREATE TEMP TABLE t AS SELECT 1", "not allowed"),
    ("ATTACH 'x' AS y", "another database"),
    ("VACUUM INTO 'x'", "does not read"),
    ("PRAGMA query_only = 0", "PRAGMA query_only is not allowed"),
    ("SELECT * FROM pragma_database_list", "not allowed"),
    ("SELECT load_extension('x')", "the function `load_extension` is not allowed"),
    ("BEGIN", "not allowed"),
];

/// Statements that cost too much, options that bound them, and a part of what is said of each.
pub const COSTLY: [(&str, &[&str], &str); 8] = [
    (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        &["--time-max=300ms"],
        "took longer than 0.3 s",
    ),
    // One instruction that takes its time: the clock is looked at from outside.
    (
        "SELECT instr(printf('%.*c', 60000000, 'a'), printf('%.*c', 30000000, 'a') || 'b')",
        &["--time-max=300ms"],
        "took longer than 0.3 s",
    ),
    ("SELECT zeroblob(60000000)", &["--memory-max=32MiB"], "more than 32 MiB of memory"),
    ("SELECT zeroblob(1000000000)", &[], "longer than 64 MiB"),
    (
        "SELECT printf('%.*c', 40000000, 'x') || printf('%.*c', 20000000, 'y')",
        &["--memory-max=32MiB"],
        "more than 32 MiB",
    ),
    (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT length(group_concat(hex(randomblob(5000)))) FROM n",
        &["--memory-max=32MiB"],
        "more than 32 MiB",
    ),
    (
        "WITH RECURSIVE n(i, s) AS (SELECT 1, hex(randomblob(500)) UNION SELECT i + 1, hex(randomblob(500)) FROM n) SELECT count(*) FROM n",
        &["--temp-max=4MiB"],
        "a temporary file of more than 4 MiB",
    ),
    (
        "WITH n(i) AS (SELECT id FROM events) SELECT a.i FROM n a, n b, n c, n d, n e, n f ORDER BY random()",
        &["--memory-max=64MiB", "--temp-max=4MiB"],
        "a temporary file of more than 4 MiB",
    ),
];
