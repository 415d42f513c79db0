//! Promise 2, asserted from the system calls themselves: no byte of an answer leaves before the fdatasync that covers it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test")]

mod harness;

use std::collections::BTreeSet;
use std::process::Command;

use harness::{Serve, free_address, infer_body, request, start_model};

const REQUESTS: u64 = 20;

#[test]
fn no_answer_leaves_before_its_fdatasync() {
    let strace = Command::new("strace").arg("-V").output();
    assert!(strace.is_ok_and(|output| output.status.success()), "install strace: apt-get install strace");
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let (model, listen) = (start_model(), free_address());
    let calls = "trace=pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg,rename,renameat,renameat2";
    // -f: every thread; -y: the paths behind descriptors; -s: enough of an answer to recognise it.
    let wrapper = ["strace", "-f", "-y", "-s", "512", "-e", calls, "-o", trace.to_str().unwrap()];
    let mut serve = Serve::start(&wrapper, &dir.path().join("data"), model, listen);
    for number in 0..REQUESTS {
        let headers = [("content-type", "application/json")];
        let answer = request(listen, "POST", "/v2/models/echo/infer", &headers, &infer_body(number));
        assert_eq!(answer.expect("an answer").status, 200);
    }
    serve.kill();
    check(&std::fs::read_to_string(&trace).unwrap());
}

/// Walks the trace. A WAL write opens a debt, which the end of a successful fdatasync settles; at the beginning of an
/// inference's answer there must be no debt, and at least one sync since the last answer.
fn check(trace: &str) {
    let mut unsynced: BTreeSet<String> = BTreeSet::new();
    let mut syncing: BTreeSet<(String, String)> = BTreeSet::new();
    let (mut syncs, mut answers) = (0, 0);
    for line in trace.lines() {
        let Some((thread, call)) = line.trim().split_once(' ') else { continue };
        let call = call.trim_start();
        let wal = call.split(['<', '>']).find(|part| part.contains("/wal/"));
        if call.starts_with("pwrite64(")
            && let Some(wal) = wal
        {
            unsynced.insert(wal.to_owned());
        } else if call.starts_with("fdatasync(")
            && let Some(wal) = wal
        {
            if call.contains("<unfinished") {
                syncing.insert((thread.to_owned(), wal.to_owned()));
            } else if call.ends_with("= 0") {
                syncs += u64::from(unsynced.remove(wal));
            }
        } else if call.starts_with("<... fdatasync resumed") && call.ends_with("= 0") {
            let done: Vec<_> = syncing.iter().filter(|(other, _)| other == thread).cloned().collect();
            for (thread, wal) in done {
                syncs += u64::from(unsynced.remove(&wal));
                syncing.remove(&(thread, wal));
            }
        } else if is_answer(call) {
            answers += 1;
            assert!(unsynced.is_empty(), "an answer left while the WAL was not durable:\n{line}");
            assert!(syncs > 0, "an answer left without any sync before it:\n{line}");
            syncs = 0;
        }
    }
    println!("{answers} answers, each after its fdatasync");
    assert_eq!(answers, REQUESTS, "every answer must be seen in the trace");
}

/// The beginning of an answer that carries a decision.
fn is_answer(call: &str) -> bool {
    let sends = ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|name| call.starts_with(name));
    sends && call.contains("HTTP/1.1 200") && call.contains("inferlog-decision-id")
}
