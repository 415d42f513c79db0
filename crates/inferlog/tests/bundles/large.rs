//! Many decisions: memory is bounded by their number, not by what they hold or by the log.

use std::process::Stdio;

use inferlog::generate::{Options, write};

use super::Bundle;
use crate::support::World;

const DECISIONS: u64 = 3_000;
/// Most memory that the binary may use, KiB. It takes half of it for one decision.
const MEMORY_KIB_MAX: u64 = 160 << 10;

#[test]
fn many_decisions_take_little_memory() {
    let world = World::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(write(&world.data(), &Options::new(DECISIONS))).unwrap();
    let (data, root) = (world.data(), format!("file:{}", world.data().join("root").display()));
    let args = [
        "export",
        "bundle",
        "--since",
        "2000-01-01",
        "--output",
        "many.zip",
        "--data",
        data.to_str().unwrap(),
    ];
    let args = [&args[..], &["--root-key", &root]].concat();
    let mut child = world.command(&args).stdout(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(found.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(status.success());
    assert!(peak > 0 && peak < MEMORY_KIB_MAX, "{peak} KiB");
    let bundle = Bundle::open(&world, "many.zip");
    assert_eq!(bundle.decisions().len() as u64, DECISIONS);
    // One file of entries each, nothing disclosed, and the logs of several systems.
    let decided = bundle.paths().iter().filter(|path| path.starts_with("decisions/")).count();
    assert_eq!(decided as u64, DECISIONS);
    assert!(bundle.json("bundle.json")["logs"].as_array().unwrap().len() > 1);
}
