//! A witness's directory, and the key in it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{OsRng, RealFs, SystemClock};
use inferlog_merkle::{KeyKind, VerifierKey};
use inferlog_vault::{FileModes, NoteKey};
use inferlog_witness::{Cosign, Witness, add_log};
use serde_json::json;

use super::{AddLogArgs, InitArgs};
use crate::output::{self, DIM, Failure, GOOD, Verdict, styled};

/// Name of the key's file.
const KEY: &str = "key";

/// Signs with the key of a file.
#[derive(Debug)]
struct FileCosigner {
    key: NoteKey,
    public: VerifierKey,
}

impl Cosign for FileCosigner {
    fn key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message)
    }
}

impl FileCosigner {
    fn new(key: NoteKey) -> Result<Self, Failure> {
        let public = VerifierKey::new(key.name(), KeyKind::Cosignature, &key.public_key())?;
        Ok(Self { key, public })
    }
}

fn load(state: &Path) -> Result<FileCosigner, Failure> {
    if !state.join(KEY).exists() {
        return Err(Failure::new(format!(
            "{} is no witness's directory: make one with `inferlog witness init --state DIR --name NAME`",
            state.display()
        )));
    }
    FileCosigner::new(NoteKey::load(&RealFs, &state.join(KEY), FileModes::Checked)?)
}

/// The key that verifies a witness's cosignatures.
pub(super) fn public_key(state: &Path) -> Result<VerifierKey, Failure> {
    Ok(load(state)?.public)
}

/// Takes up a witness.
pub(super) fn open(state: &Path) -> Result<Witness, Failure> {
    let cosigner = Arc::new(load(state)?);
    Ok(Witness::open(Arc::new(RealFs), Arc::new(SystemClock), state.to_owned(), cosigner)?)
}

pub(super) fn init(args: &InitArgs) -> Result<Verdict, Failure> {
    let state = &args.state.state;
    let present = fs::read_dir(state).map(|mut names| names.next().is_some()).unwrap_or(false);
    if present {
        return Err(Failure::new(format!(
            "{} is not empty: a witness needs a directory of its own",
            state.display()
        )));
    }
    let made = NoteKey::create(&RealFs, &OsRng, &state.join(KEY), &args.name, FileModes::Checked)?;
    let public = FileCosigner::new(made)?.public;
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", json!({"name": public.name(), "state": state, "vkey": public.to_string()}))?;
        return Ok(Verdict::Well);
    }
    writeln!(out, "{public}")?;
    drop(out);
    let mut told = output::stderr();
    writeln!(told, "{} in {}", styled(GOOD, "a witness is made"), state.display())?;
    let next = "Its verifier key is printed above: it goes into the policies of those who rely on this witness.\n\
                Next: inferlog witness add-log --state DIR VKEY, then inferlog witness serve --state DIR --listen ADDR";
    writeln!(told, "{}", styled(DIM, next))?;
    Ok(Verdict::Well)
}

pub(super) fn add(args: &AddLogArgs) -> Result<Verdict, Failure> {
    let state = &args.state.state;
    load(state)?;
    let origin = match (&args.origin, args.keys.as_slice()) {
        (Some(origin), _) => origin.clone(),
        (None, [first, rest @ ..]) if rest.iter().all(|key| key.name() == first.name()) => {
            first.name().to_owned()
        }
        (None, _) => return Err(Failure::new("these are keys of several logs: add one log at a time")),
    };
    let log = add_log(&RealFs, state, &origin, &args.keys)?;
    writeln!(
        output::stdout(),
        "{} {} (trusted keys: {})",
        styled(GOOD, "cosigned from now on:"),
        log.origin,
        log.keys.len()
    )?;
    Ok(Verdict::Well)
}
