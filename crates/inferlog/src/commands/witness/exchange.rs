//! Cosigning by files, where there is no network between log and witness.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{Fs, RealFs};
use inferlog_merkle::{Checkpoint, SignedNote, VerifierKey};
use inferlog_witness::{Answer, REQUEST_BYTES_MAX, Reply, Request};
use serde_json::json;

use super::print::time;
use super::{AcceptArgs, CosignArgs, RequestArgs, state};
use crate::admin::require_data;
use crate::output::{self, BAD, Failure, GOOD, Verdict, styled};
use crate::voucher::logs::{OwnLog, newest_logs, own_log};
use crate::voucher::{keep, read_policy};

pub(super) fn request(args: &RequestArgs) -> Result<Verdict, Failure> {
    let log = own_log(&args.dir.data, args.system.as_ref())?;
    let published = log.published()?;
    let (note, checkpoint) =
        published.ok_or_else(|| Failure::new(format!("{} has no checkpoint yet", log.origin)))?;
    let from = match (&args.witness, args.from) {
        (Some(witness), _) => keep::last_cosigned(log.fs(), log.dir(), witness)?.map_or(0, |(size, _)| size),
        (None, from) => from.unwrap_or(0),
    };
    if from > checkpoint.size() {
        return Err(Failure::new(format!(
            "the witness has cosigned {from} entries and {} has {}: an older copy was restored",
            log.origin,
            checkpoint.size()
        )));
    }
    fs::write(&args.output, log.request(note, from)?.to_string())?;
    writeln!(
        output::stdout(),
        "{}: asks to cosign {} entries of {}, from {from} on",
        args.output.display(),
        checkpoint.size(),
        log.origin
    )?;
    Ok(Verdict::Well)
}

pub(super) fn cosign(args: &CosignArgs) -> Result<Verdict, Failure> {
    let witness = state::open(&args.state.state)?;
    let body = read(&args.request)?;
    let answer = witness.add_checkpoint(&body);
    let Answer::Cosigned { origin, size, signature } = &answer else {
        let (status, said) = (answer.status(), answer.body());
        if args.json {
            writeln!(output::stdout(), "{}", json!({"cosigned": false, "said": said, "status": status}))?;
        } else {
            let mut told = output::stderr();
            writeln!(told, "{} ({status}) {}", styled(BAD, "not cosigned:"), explain(&answer, &said))?;
        }
        return if status == 500 { Err(Failure::new("it could not be remembered")) } else { Ok(Verdict::No) };
    };
    // What was answered parses: the checkpoint again, with the cosignature.
    let mut note = Request::parse(&body)?.note;
    note.push(signature.clone())?;
    match &args.output {
        None => write!(output::stdout(), "{note}")?,
        Some(path) => fs::write(path, note.to_string())?,
    }
    if args.json {
        writeln!(
            output::stdout(),
            "{}",
            json!({"cosigned": true, "origin": origin, "size": size, "status": 200})
        )?;
    } else if let Some(path) = &args.output {
        let mut out = output::stdout();
        writeln!(out, "{} {size} entries of {origin}: {}", styled(GOOD, "cosigned:"), path.display())?;
    }
    Ok(Verdict::Well)
}

fn explain(answer: &Answer, said: &str) -> String {
    match answer {
        Answer::Conflict { size, fork } => {
            let fork = fork.as_ref().map(|fork| format!("\n{fork}")).unwrap_or_default();
            format!("this witness cosigned size {size} last: make the request with --from {size}{fork}")
        }
        _ => said.trim_end().to_owned(),
    }
}

pub(super) fn accept(args: &AcceptArgs) -> Result<Verdict, Failure> {
    require_data(&args.dir.data)?;
    let mut witnesses = args.witness.clone();
    if let Some(path) = &args.policy {
        witnesses.extend(read_policy(path)?.witnesses().map(|witness| witness.key.clone()));
    }
    let note = cosigned_note(args, &witnesses)?;
    let checkpoint: Checkpoint = note.text().parse()?;
    let log = own_log_of(&args.dir.data, &checkpoint)?;
    note.verify(&log.keys)?;
    is_of(&log, &checkpoint)?;
    let verified = keep::cosigned_by(&note, &witnesses);
    if verified.is_empty() {
        let mut told = output::stderr();
        writeln!(
            told,
            "{} no cosignature of a witness that was named verifies",
            styled(BAD, "not accepted:")
        )?;
        return Ok(Verdict::No);
    }
    let is_known = |signature: &&inferlog_merkle::NoteSignature| {
        verified.iter().any(|verified| signature.is_by(&verified.key))
            || log.keys.iter().any(|key| signature.is_by(key))
    };
    // Lines of others were not checked, and are not kept.
    let mut own = SignedNote::new(note.text().to_owned())?;
    for signature in note.signatures().iter().filter(is_known) {
        own.push(signature.clone())?;
    }
    keep::add(log.fs(), log.dir(), checkpoint.size(), &own, &[])?;
    let mut out = output::stdout();
    for signature in &verified {
        let (name, at) = (signature.key.name(), time(signature.timestamp.unwrap_or_default()));
        if args.json {
            let line = json!({"log": log.origin, "size": checkpoint.size(), "time": at, "witness": name});
            writeln!(out, "{line}")?;
        } else {
            let size = checkpoint.size();
            writeln!(
                out,
                "{} {size} entries of {}, cosigned by {name} at {at}",
                styled(GOOD, "kept:"),
                log.origin
            )?;
        }
    }
    Ok(Verdict::Well)
}

/// The note that the file holds, or the one that it answers with what it adds.
fn cosigned_note(args: &AcceptArgs, witnesses: &[VerifierKey]) -> Result<SignedNote, Failure> {
    let bytes = read(&args.file)?;
    let Some(request) = &args.request else {
        return SignedNote::parse(&bytes).map_err(|error| {
            Failure::new(format!("{}: {error}; of bare signature lines say --request", args.file.display()))
        });
    };
    let mut note = Request::parse(&read(request)?)?.note;
    for witness in witnesses {
        if let Reply::Cosigned { signature, .. } = Reply::read(200, &bytes, &note, witness) {
            note.push(signature)?;
        }
    }
    Ok(note)
}

/// Fails unless the log, as its files are now, has this checkpoint's root at its size.
fn is_of(log: &OwnLog, checkpoint: &Checkpoint) -> Result<(), Failure> {
    let (origin, size) = (&log.origin, checkpoint.size());
    let ours = log.published()?.map_or(0, |(_, published)| published.size());
    if size > ours {
        return Err(Failure::new(format!(
            "the checkpoint covers {size} entries and {origin} has {ours}: an older copy was restored"
        )));
    }
    // A partial tile of an older size may be gone: the proof stands on tiles of the newest.
    let note = log.published()?.map(|(note, _)| note);
    let proof = note.map(|note| log.request(note, size)).transpose()?;
    let newest = proof.as_ref().map(|request| (request.checkpoint.size(), request.checkpoint.root()));
    let is_consistent = match (&proof, newest) {
        (Some(request), Some((new_size, new_root))) => {
            inferlog_merkle::verify_consistency(size, new_size, &request.proof, &checkpoint.root(), &new_root)
                .is_ok()
        }
        _ => false,
    };
    if is_consistent {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{origin} signed this checkpoint of {size} entries and has another history now: keep the file, it proves a fork, and \
         run `inferlog verify --against` with it"
    )))
}

fn own_log_of(data: &Path, checkpoint: &Checkpoint) -> Result<OwnLog, Failure> {
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut logs = newest_logs(&fs, data)?.into_iter();
    logs.find(|log| log.origin == checkpoint.origin()).ok_or_else(|| {
        Failure::new(format!(
            "the checkpoint is of {}, which is not written in {}",
            checkpoint.origin(),
            data.display()
        ))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > REQUEST_BYTES_MAX as u64 {
        return Err(Failure::new(format!("{} is longer than {REQUEST_BYTES_MAX} bytes", path.display())));
    }
    fs::read(path).map_err(failed)
}
