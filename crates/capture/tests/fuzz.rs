//! The fuzz targets of this crate, in their short form: on the seeds, and on mutations of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a target fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads seeds, and says where the input is that failed"
)]

#[path = "../../../fuzz/src/short.rs"]
mod short;
#[path = "../../../fuzz/src/capture.rs"]
mod targets;

#[test]
fn wire_oip() {
    short::run("wire_oip", 40_000, targets::wire_oip);
}

#[test]
fn wire_oip_grpc() {
    short::run("wire_oip_grpc", 40_000, targets::wire_oip_grpc);
}

#[test]
fn wire_kserve() {
    short::run("wire_kserve", 40_000, targets::wire_kserve);
}

#[test]
fn wire_json() {
    short::run("wire_json", 40_000, targets::wire_json);
}

#[test]
fn wire_frames() {
    short::run("wire_frames", 40_000, targets::wire_frames);
}

#[test]
fn wire_openai() {
    short::run("wire_openai", 20_000, targets::wire_openai);
}

#[test]
fn wire_anthropic() {
    short::run("wire_anthropic", 20_000, targets::wire_anthropic);
}

#[test]
fn wire_ollama() {
    short::run("wire_ollama", 20_000, targets::wire_ollama);
}

#[test]
fn bodies() {
    short::run("bodies", 20_000, targets::bodies);
}

#[test]
fn configs() {
    short::run("configs", 6_000, targets::configs);
}
