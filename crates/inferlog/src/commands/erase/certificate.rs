//! The certificate of an erasure: printed, made into a page, checked offline.

use std::io::Write;
use std::path::Path;

use inferlog::real_env;
use inferlog_audit::certificate::{Certificate, CertificateHeld, held_by_log};
use inferlog_merkle::VerifierKey;
use inferlog_record::Id;
use serde_json::json;

use super::EraseArgs;
use crate::admin::{Act, CertificateGiven, Door, ErasureAct, save};
use crate::output::{self, BAD, DIM, Failure, GOOD, Verdict, styled};

/// Longest certificate that is read, bytes.
const NOTE_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn ask(door: &mut Door, intent: Id) -> Result<Option<CertificateGiven>, Failure> {
    door.ask(Act::Erasure(ErasureAct::Certificate { intent })).await
}

pub(super) async fn run(door: &mut Door, args: &EraseArgs, intent: Id) -> Result<Verdict, Failure> {
    let Some(given) = ask(door, intent).await? else {
        writeln!(
            output::stdout(),
            "There is no certificate of {intent}: it is not the id of an erasure here, or that is not completed \
             (inferlog erase --status), or was refused."
        )?;
        return Ok(Verdict::No);
    };
    let certificate = Certificate::parse(given.note.as_bytes())?;
    if let Some(path) = &args.out {
        save(path, &given.note)?;
    }
    if let Some(path) = &args.html {
        save(path, &certificate.to_html())?;
    }
    let mut out = output::stdout();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string(&given)?)?,
        false if args.out.is_none() && args.html.is_none() => write!(out, "{}", given.note)?,
        false => {
            for path in args.out.iter().chain(&args.html) {
                writeln!(out, "{} {}", styled(GOOD, "written:"), path.display())?;
            }
        }
    }
    Ok(Verdict::Well)
}

/// Checks a certificate in a file: its signature by one of the keys and, with a data directory, that the log holds it. Without a key
/// those that the directory lists are believed.
pub(crate) fn check(
    path: &Path,
    keys: &[VerifierKey],
    data: Option<&Path>,
    as_json: bool,
) -> Result<Verdict, Failure> {
    let unreadable = |what: &dyn std::fmt::Display| Failure::new(format!("{}: {what}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if length > NOTE_BYTES_MAX {
        return Err(unreadable(&"it is too long for a certificate"));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let certificate = Certificate::parse(&bytes).map_err(|error| unreadable(&error))?;
    if keys.is_empty() && data.is_none() {
        return Err(Failure::new(
            "say whose signature it is to bear: --key VKEY (`inferlog keys vkey`), or --data DIR",
        ));
    }
    let held = data.map(|data| held_by_log(&real_env().fs, data, &certificate)).transpose()?;
    let listed: Vec<VerifierKey> = held.iter().flat_map(|held| held.keys.clone()).collect();
    let known = if keys.is_empty() { &listed } else { keys };
    let signed = certificate.verify(known);
    let is_well = signed.is_ok() && held.as_ref().is_none_or(|held| held.problem.is_none());
    if as_json {
        let told = json!({
            "certificate": certificate, "held": held, "key_given": !keys.is_empty(), "ok": is_well,
            "signed_by": signed.as_ref().ok().map(|by| by.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "problem": signed.as_ref().err().map(ToString::to_string),
        });
        writeln!(output::stdout(), "{told}")?;
    } else {
        say(&certificate, &signed.map_err(|error| error.to_string()), held.as_ref(), keys.is_empty())?;
    }
    Ok(if is_well { Verdict::Well } else { Verdict::No })
}

fn say(
    certificate: &Certificate,
    signed: &Result<Vec<VerifierKey>, String>,
    held: Option<&CertificateHeld>,
    believed: bool,
) -> Result<(), Failure> {
    let mut out = output::stdout();
    match signed {
        Ok(keys) => {
            let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
            writeln!(out, "{} signed by {}", styled(GOOD, "the certificate is"), names.join(", "))?;
            if believed {
                let why =
                    "  this key stands in the directory itself: give --key that you were given another way";
                writeln!(out, "{}", styled(DIM, why))?;
            }
        }
        Err(why) => writeln!(out, "{} {why}", styled(BAD, "the certificate is not signed by a known key:"))?,
    }
    for (name, value) in certificate.lines() {
        writeln!(out, "  {name}: {value}")?;
    }
    match held {
        Some(CertificateHeld { problem: Some(why), .. }) => {
            writeln!(out, "{} {why}", styled(BAD, "the log does not hold it:"))?
        }
        Some(held) => writeln!(
            out,
            "{} its SHA-256 in event {}, entry {}, proved under its checkpoint of {} entries",
            styled(GOOD, "the log holds"),
            held.event.map(|event| event.to_string()).unwrap_or_default(),
            held.index,
            held.size
        )?,
        None => {}
    }
    Ok(())
}
