//! Logs and witnesses as processes: two that cosign each other, one that was rolled back and forked, one behind an air gap.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod harness;
mod witnessing;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use harness::{Serve, free_address, inferlog, request, root_key, start_model};
use inferlog_merkle::{Checkpoint, SignedNote};
use tempfile::tempdir;
use witnessing::{
    WitnessProcess, configure, copy, infer, is_cosigned, published, said, text, vkey, vouched, wait_for,
};

/// Starts a log with this configuration.
fn serve(data: &Path, config: &Path, listen: SocketAddr) -> Serve {
    Serve::start_with(&[], data, listen, &["--config", text(config)])
}

/// Runs `serve` that must refuse to start; what it says.
fn refused(data: &Path, config: &Path) -> String {
    let listen = free_address().to_string();
    let args = ["serve", "--data", text(data), "--config", text(config), "--listen", &listen];
    let output = inferlog(&[&args[..], &["--root-key", &root_key(data)]].concat());
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn two_logs_cosign_each_other() {
    let (dir, model) = (tempdir().unwrap(), start_model());
    let names = ["one", "two"];
    let witnesses = names.map(|name| WitnessProcess::make(dir.path(), name));
    // A third that takes connections and never answers holds nobody up.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging_key = said(&["witness", "init", "--state", text(&dir.path().join("none")), "--name", "none"]);
    let hanging_key = hanging_key.trim().parse().unwrap();
    let mut logs = Vec::new();
    for (number, name) in names.iter().enumerate() {
        // Each has the other's witness.
        let other = &witnesses[1 - number];
        let home = dir.path().join(name);
        std::fs::create_dir(&home).unwrap();
        let hanging = ("silent", &hanging_key, format!("http://{}/", hanging.local_addr().unwrap()));
        let config = configure(&home, model, &[("other", &other.key, other.url()), hanging], "false");
        let (data, listen) = (home.join("data"), free_address());
        logs.push((serve(&data, &config, listen), data, listen));
    }
    for (number, (_, data, listen)) in logs.iter().enumerate() {
        infer(*listen, 3);
        assert_eq!(vouched(data), [], "a witness that does not know the log gives nothing");
        witnesses[1 - number].add_log(&vkey(data));
    }
    for (number, (_, data, listen)) in logs.iter().enumerate() {
        let other = &witnesses[1 - number];
        wait_for("the other's witness cosigns", || is_cosigned(data, &other.key));
        infer(*listen, 5);
        wait_for("it goes on", || is_cosigned(data, &other.key));
        wait_for("metrics say so", || {
            let metrics = request(*listen, "GET", "/metrics", &[], b"").unwrap();
            let metrics = String::from_utf8(metrics.body).unwrap();
            let size = published(data);
            metrics.contains("inferlog_witness_up{witness=\"other\",system=\"alpha\"} 1")
                && metrics
                    .contains(&format!("inferlog_witness_size{{witness=\"other\",system=\"alpha\"}} {size}"))
                && metrics.contains(&format!("inferlog_vouched_size{{system=\"alpha\"}} {size}"))
        });
    }
    for (mut serve, data, _) in logs {
        serve.stop();
        // All of one day: the newest is kept, and nothing else.
        wait_for("what need not be kept goes", || vouched(&data).len() == 1);
        let verified = said(&["verify", "--data", text(&data)]);
        assert!(verified.contains("cosigned"), "{verified}");
    }
}

/// A log that a witness cosigned, a backup of it from before, and what it grew to since.
struct Restored {
    witness: WitnessProcess,
    config: std::path::PathBuf,
    data: std::path::PathBuf,
    /// The size that was cosigned: no power of two.
    cosigned: u64,
}

/// Grows a log under a witness, and puts an older copy in its place.
fn restored(dir: &Path, model: SocketAddr) -> Restored {
    let witness = WitnessProcess::make(dir, "w");
    let config = configure(dir, model, &[("w", &witness.key, witness.url())], "true");
    let (data, backup) = (dir.join("data"), dir.join("backup"));
    let run = |count: u64| {
        let listen = free_address();
        let mut serve = serve(&data, &config, listen);
        infer(listen, count);
        witness.add_log(&vkey(&data));
        wait_for("it is cosigned", || is_cosigned(&data, &witness.key));
        serve.stop();
    };
    run(3);
    copy(&data, &backup);
    run(3);
    while witness.size().is_power_of_two() {
        run(1);
    }
    let cosigned = witness.size();
    assert_eq!(cosigned, published(&data), "the last checkpoint was cosigned before the process ended");
    copy(&backup, &data);
    assert!(published(&data) < cosigned);
    Restored { witness, config, data, cosigned }
}

#[test]
fn a_restored_copy_is_not_opened_and_a_fork_is_refused_with_its_proof() {
    let (dir, model) = (tempdir().unwrap(), start_model());
    let Restored { witness, config, data, cosigned } = restored(dir.path(), model);
    // The twin in the witness: nothing is signed.
    let before = std::fs::read(witnessing::log_dir(&data).join("checkpoint")).unwrap();
    let said_of_it = refused(&data, &config);
    let ours = published(&data);
    assert!(
        said_of_it.contains(&format!("witness w: it has cosigned size {cosigned}; this log has only {ours}"))
    );
    assert!(said_of_it.contains("an older copy was restored") && said_of_it.contains("--new-epoch"));
    assert_eq!(std::fs::read(witnessing::log_dir(&data).join("checkpoint")).unwrap(), before);

    // Without it the log forks, and the witness does not cosign the fork.
    let careless = configure(dir.path(), model, &[("w", &witness.key, witness.url())], "false");
    let listen = free_address();
    let mut forked = serve(&data, &careless, listen);
    while published(&data) <= cosigned {
        infer(listen, 1);
    }
    let forks = || inferlog(&["witness", "forks", "--state", text(&witness.state)]);
    wait_for("the fork is refused and kept", || forks().status.code() == Some(1));
    wait_for("the metric says so", || {
        let metrics = request(listen, "GET", "/metrics", &[], b"").unwrap();
        String::from_utf8(metrics.body)
            .unwrap()
            .contains("inferlog_witness_up{witness=\"w\",system=\"alpha\"} 0")
    });
    assert!(!is_cosigned(&data, &witness.key));
    forked.stop();
    assert_eq!(witness.size(), cosigned, "the witness does not go back, nor on");
    check_proof(&String::from_utf8(forks().stdout).unwrap(), &data, cosigned);

    // Nor is the fork opened where the twin is asked; a new epoch begins a log that nobody has seen.
    let config = configure(dir.path(), model, &[("w", &witness.key, witness.url())], "true");
    let said_of_it = refused(&data, &config);
    assert!(said_of_it.contains("is not opened: witness w: it answered 422"), "{said_of_it}");
    let listen = free_address();
    let mut anew = Serve::start_with(&[], &data, listen, &["--config", text(&config), "--new-epoch"]);
    infer(listen, 1);
    anew.stop();
    let again = free_address();
    serve(&data, &config, again).stop();
}

/// Both checkpoints stand in what is shown, signed by the log, of one history each.
fn check_proof(shown: &str, data: &Path, cosigned: u64) {
    assert!(shown.contains("PROOF OF A FORK"), "{shown}");
    let log = vkey(data).parse().unwrap();
    let begins = shown.match_indices("\n\n").map(|(at, _)| at);
    let mut sizes = Vec::new();
    for at in begins {
        let rest = &shown[at + 2..];
        let Some(end) =
            rest.find("\n\n").and_then(|text| rest[text + 2..].find("\n\n").map(|end| text + 2 + end + 1))
        else {
            continue;
        };
        let Ok(note) = SignedNote::parse(&rest.as_bytes()[..end]) else { continue };
        note.verify(std::slice::from_ref(&log)).unwrap();
        sizes.push(note.text().parse::<Checkpoint>().unwrap().size());
    }
    assert!(sizes.contains(&cosigned), "{sizes:?} in\n{shown}");
    assert!(sizes.iter().any(|size| *size > cosigned), "{sizes:?} in\n{shown}");
}

#[test]
fn where_witnesses_are_required_a_start_waits_for_a_quorum() {
    let (dir, model) = (tempdir().unwrap(), start_model());
    let mut witness = WitnessProcess::make(dir.path(), "w");
    let data = dir.path().join("data");
    let configure = |twin: &str| configure(dir.path(), model, &[("w", &witness.key, witness.url())], twin);
    let (required, asked) = (configure("\"required\""), "true");
    let listen = free_address();
    let mut first = serve(&data, &required, listen);
    infer(listen, 1);
    witness.add_log(&vkey(&data));
    wait_for("it is cosigned", || is_cosigned(&data, &witness.key));
    first.stop();
    // Behind is no contradiction: it proves itself from where the witness is.
    serve(&data, &required, free_address()).stop();
    // An older copy that comes without its checkpoint is not taken for a new log.
    let checkpoint = witnessing::log_dir(&data).join("checkpoint");
    let kept = std::fs::read(&checkpoint).unwrap();
    std::fs::remove_file(&checkpoint).unwrap();
    let said = refused(&data, &required);
    assert!(said.contains("no file `checkpoint`: restore it"), "{said}");
    std::fs::write(&checkpoint, kept).unwrap();
    witness.kill();
    let said = refused(&data, &required);
    assert!(said.contains("too few witnesses") && said.contains("quorum"), "{said}");
    // Asked and not required, it starts, and says what is missing.
    let config = witnessing::configure(dir.path(), model, &[("w", &witness.key, witness.url())], asked);
    serve(&data, &config, free_address()).stop();
    witness.start();
    serve(&data, &config, free_address()).stop();
}

#[test]
fn files_cross_an_air_gap() {
    let (dir, model) = (tempdir().unwrap(), start_model());
    let data = dir.path().join("data");
    let grow = |count: u64| {
        let listen = free_address();
        let mut serve = Serve::start(&[], &data, model, listen);
        infer(listen, count);
        serve.stop();
    };
    grow(3);
    let mut witness = WitnessProcess::make(dir.path(), "w");
    witness.kill();
    witness.add_log(&vkey(&data));
    let [asked, answered] = ["request", "cosigned"].map(|name| dir.path().join(name));
    let key = witness.key.to_string();
    let request = |more: &[&str]| {
        said(&[&["witness", "request", "--data", text(&data), "--output", text(&asked)], more].concat())
    };
    let cosign = || {
        inferlog(&[
            "witness",
            "cosign",
            "--state",
            text(&witness.state),
            text(&asked),
            "--output",
            text(&answered),
        ])
    };
    let accept = |file: &Path| {
        inferlog(&["witness", "accept", "--data", text(&data), text(file), "--witness", &key, "--json"])
    };
    request(&[]);
    assert!(cosign().status.success());
    assert!(accept(&answered).status.success());
    assert!(is_cosigned(&data, &witness.key));
    // It grows; the size to ask from is known from what was accepted.
    grow(4);
    request(&["--from", "0"]);
    let conflict = cosign();
    assert_eq!(conflict.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&conflict.stderr).contains("make the request with --from"));
    request(&["--witness", &key]);
    assert!(cosign().status.success());
    assert!(accept(&answered).status.success());
    assert!(is_cosigned(&data, &witness.key));
    // What was changed on the way, or is of another witness, is not taken.
    let good = std::fs::read_to_string(&answered).unwrap();
    let last = good.trim_end().len() - 6;
    let mut bytes = good.clone().into_bytes();
    bytes[last] = if bytes[last] == b'A' { b'B' } else { b'A' };
    let bad = dir.path().join("bad");
    std::fs::write(&bad, bytes).unwrap();
    assert_eq!(accept(&bad).status.code(), Some(1), "a cosignature that is false");
    let renamed = good.replacen("\nalpha", "\nbeta", 1).replacen(&published(&data).to_string(), "999999", 1);
    std::fs::write(&bad, renamed).unwrap();
    assert!(!accept(&bad).status.success());
}
