//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads seeds, and says where the input is that failed"
)]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/bundle.rs"]
mod targets;

#[test]
fn bundle_archives() {
    short::run("bundle_archives", 60_000, targets::archives);
}

#[test]
fn bundle_files() {
    short::run("bundle_files", 1_500, targets::files);
}
