//! Witnesses as the twin of a log: what they have seen survives the restoring of an older copy, on their machines. They are asked
//! before anything new is signed.

use std::path::Path;
use std::sync::Arc;

use inferlog_capture::config::TwinMode;
use inferlog_disk::{Fs, read_optional};
use inferlog_log::{State, list_vouched};
use inferlog_merkle::{Checkpoint, SignedNote, VerifiedSignature};
use inferlog_record::SystemName;
use tokio::task::JoinSet;

use super::Vouching;
use super::client::Client;
use super::keep;
use super::logs::{OwnLog, newest_logs};
use super::submit::{Outcome, submit};
use crate::output::Failure;

/// What a start learnt from witnesses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TwinAsked {
    /// Whether they were to be asked.
    pub(crate) is_on: bool,
    /// Logs that have a checkpoint to compare.
    pub(crate) logs: usize,
    /// Names of those that agree with all of these; of those that are to be asked, where there are none.
    pub(crate) agree: Vec<String>,
}

impl TwinAsked {
    /// Whether a restored older copy would have been noticed.
    pub(crate) fn protects(&self) -> bool {
        self.is_on && !self.agree.is_empty()
    }

    /// Says so in the process's log, or that it would not.
    pub(crate) fn tell(&self) {
        let witnesses = self.agree.join(", ");
        match (self.is_on, self.protects(), self.logs) {
            (false, ..) => {}
            // A copy without its checkpoints looks like that, too.
            (true, true, 0) => tracing::info!(
                witnesses,
                "no log has a checkpoint yet: witnesses were not asked at this start, and are from the first one on"
            ),
            (true, true, logs) => tracing::info!(
                witnesses,
                logs,
                "rollback protection: these witnesses have seen nothing that the logs do not have"
            ),
            (true, false, _) => {
                tracing::warn!("no rollback protection at this start: no witness said what it has seen")
            }
        }
    }
}

/// Asks every witness about every log that is still written, but for systems whose log begins anew. Fails if one of them has seen
/// more of a log than there is, or another history; or where they are required and those that answer are no quorum.
pub(super) async fn ask(
    vouching: &Vouching,
    fs: &Arc<dyn Fs>,
    data: &Path,
    twins: Option<&Path>,
    new_epochs: &[SystemName],
) -> Result<TwinAsked, Failure> {
    if vouching.twin == TwinMode::Off {
        return Ok(TwinAsked::default());
    }
    let mut logs = newest_logs(fs, data)?;
    logs.retain(|log| !new_epochs.iter().any(|system| system.as_str() == log.system));
    let mut agree: Vec<String> = vouching.clients.iter().map(|client| client.name.clone()).collect();
    let mut compared = 0;
    for log in &logs {
        if let Some(why) = lost_checkpoint(log)? {
            // There is nothing to ask a witness with, though it may have seen this log.
            if vouching.twin == TwinMode::Required {
                return Err(Failure::new(why));
            }
            tracing::warn!(system = %log.system, "no witness was asked: {why}");
            agree.clear();
            continue;
        }
        let outcomes = ask_all(&vouching.clients, log).await;
        let mut signatures = Vec::new();
        for (client, outcome) in outcomes {
            judge(&client, log, &outcome, twins)?;
            match &outcome {
                Outcome::Cosigned { note, size, signature, time } => {
                    // It is a cosignature like any other. That it cannot be kept now is told when the task tries.
                    _ = keep::add(log.fs(), log.dir(), *size, note, std::slice::from_ref(signature));
                    signatures.push(VerifiedSignature { key: client.key.clone(), timestamp: Some(*time) });
                }
                Outcome::Nothing | Outcome::Ahead { .. } => {}
                other => {
                    let why = other.trouble().unwrap_or_default();
                    tracing::warn!(witness = %client.name, system = %log.system, why, "not asked for what it has seen of this log");
                    agree.retain(|name| *name != client.name);
                }
            }
        }
        let is_empty = log.published()?.is_none();
        compared += usize::from(!is_empty);
        if vouching.twin == TwinMode::Required && !is_empty && !vouching.policy.satisfied(&signatures) {
            return Err(Failure::new(format!(
                "too few witnesses say what they have seen of {}: `twin = \"required\"` asks for the policy's quorum, {}",
                log.origin,
                vouching.policy.quorum()
            )));
        }
    }
    Ok(TwinAsked { is_on: true, logs: compared, agree })
}

/// Why a log cannot be compared that has entries and no checkpoint: a file was not restored, or the power went before the first one
/// was published. `None` if it can, or has nothing to compare.
fn lost_checkpoint(log: &OwnLog) -> Result<Option<String>, Failure> {
    if log.published()?.is_some() {
        return Ok(None);
    }
    let integrated = match read_optional(log.fs(), &log.dir().state())? {
        Some(_) => State::load(log.fs(), log.dir())?.size,
        None => 0,
    };
    let vouched = list_vouched(log.fs(), log.dir())?.last().copied().unwrap_or_default();
    let entries = integrated.max(vouched);
    Ok((entries > 0).then(|| {
        format!(
            "{} has {entries} entries and no file `checkpoint`: restore it from a copy of this log; if it never had one, start once \
             with `twin = false`",
            log.origin
        )
    }))
}

async fn ask_all(clients: &[Client], log: &OwnLog) -> Vec<(Client, Outcome)> {
    let mut asking = JoinSet::new();
    for client in clients {
        let (client, log) = (client.clone(), log.clone());
        asking.spawn(async move {
            let reading = (log.clone(), client.key.clone());
            let last = tokio::task::spawn_blocking(move || {
                keep::last_cosigned(reading.0.fs(), reading.0.dir(), &reading.1).ok().flatten()
            });
            let known = last.await.ok().flatten().map(|(size, _)| size);
            // What is kept may itself be restored, or be newer than what is: the witness says.
            let outcome = submit(&client, &log, known, true).await;
            (client, outcome)
        });
    }
    asking.join_all().await
}

/// Fails if the witness has seen what this log cannot be.
fn judge(client: &Client, log: &OwnLog, outcome: &Outcome, twins: Option<&Path>) -> Result<(), Failure> {
    if let Outcome::Ahead { theirs, .. } = outcome
        && twin_size(log, twins)? >= *theirs
    {
        // The checkpoint was signed, and published, and its file did not survive the power: the state did, and recovery has to
        // come to the same root or refuses.
        return Ok(());
    }
    if !outcome.is_contradiction() {
        return Ok(());
    }
    let (name, why) = (&client.name, outcome.trouble().unwrap_or_default());
    Err(Failure::new(format!("the log {} is not opened: witness {name}: {why}", log.origin)))
}

/// Size of the newest checkpoint that the log's own twin holds; zero if it has none.
fn twin_size(log: &OwnLog, elsewhere: Option<&Path>) -> Result<u64, Failure> {
    let dir = match elsewhere {
        Some(dir) => dir.join(log.dir().system()).join(log.dir().shard()).join(log.dir().epoch()),
        None => log.dir().path().to_owned(),
    };
    let Some(bytes) = read_optional(log.fs(), &dir.join("twin"))? else { return Ok(0) };
    let note = SignedNote::parse(&bytes)?;
    note.verify(&log.keys)?;
    Ok(note.text().parse::<Checkpoint>()?.size())
}
