//! Witnesses: asked from time to time, each for itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use inferlog_capture::gateway::{VouchedSample, WitnessSample};
use inferlog_disk::Fs;
use inferlog_log::{list_vouched, read_vouched};
use inferlog_merkle::{SignedNote, VerifierKey};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::Vouching;
use super::client::Client;
use super::keep;
use super::logs::{OwnLog, newest_logs};
use super::submit::{Outcome, submit};
use crate::output::Failure;

/// Witnesses at work.
#[derive(Debug)]
pub(super) struct Cosigning {
    vouching: Vouching,
    fs: Arc<dyn Fs>,
    data: PathBuf,
    /// By origin and witness.
    standings: Mutex<BTreeMap<(String, String), Standing>>,
    /// By origin: its system, and the newest size whose cosignatures satisfy the policy.
    quorums: Mutex<BTreeMap<String, Quorum>>,
    /// Why the last round did not begin.
    trouble: Mutex<Option<String>>,
}

/// How a witness and a log stand to each other.
#[derive(Clone, Debug, Default)]
struct Standing {
    system: String,
    /// Size and time of the newest checkpoint that it cosigned.
    last: Option<(u64, u64)>,
    failures: u64,
    /// Why it did not cosign when it was asked last.
    trouble: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Quorum {
    system: String,
    size: u64,
    /// The size for which it was said that there is none.
    told: Option<u64>,
}

/// Rounds without end: each witness has its own, so that none waits for another.
pub(super) async fn run(cosigning: Arc<Cosigning>) {
    let mut loops = JoinSet::new();
    for client in cosigning.clients() {
        let this = cosigning.clone();
        loops.spawn(async move {
            loop {
                this.round_of(client.as_ref()).await;
                tokio::time::sleep(this.vouching.period).await;
            }
        });
    }
    while loops.join_next().await.is_some() {}
}

impl Cosigning {
    pub(super) fn new(vouching: Vouching, fs: Arc<dyn Fs>, data: PathBuf) -> Self {
        let (standings, quorums, trouble) = Default::default();
        Self { vouching, fs, data, standings, quorums, trouble }
    }

    /// Whom to ask; where the policy says no URL, nobody, and what files brought in is put in order all the same.
    fn clients(&self) -> Vec<Option<Client>> {
        let clients = &self.vouching.clients;
        if clients.is_empty() { vec![None] } else { clients.iter().cloned().map(Some).collect() }
    }

    /// Has what is published now cosigned by whoever has not done so.
    pub(super) async fn round(self: &Arc<Self>) {
        let mut asking = JoinSet::new();
        for client in self.clients() {
            let this = self.clone();
            asking.spawn(async move { this.round_of(client.as_ref()).await });
        }
        while asking.join_next().await.is_some() {}
    }

    /// The same by one of them.
    async fn round_of(self: &Arc<Self>, client: Option<&Client>) {
        let this = self.clone();
        let logs =
            tokio::task::spawn_blocking(move || newest_logs(&this.fs, &this.data).map_err(|f| f.to_string()));
        let logs = match logs.await.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(logs) => logs,
            Err(why) => {
                if self.trouble.lock().replace(why.clone()).as_ref() != Some(&why) {
                    tracing::error!(why, "no witness is asked: the logs cannot be read");
                }
                return;
            }
        };
        *self.trouble.lock() = None;
        let mut asking = JoinSet::new();
        for (client, log) in client.iter().flat_map(|client| logs.iter().map(move |log| (*client, log))) {
            let (this, client, log) = (self.clone(), client.clone(), log.clone());
            asking.spawn(async move { this.ask(&client, &log).await });
        }
        while asking.join_next().await.is_some() {}
        for log in logs {
            let this = self.clone();
            let origin = log.origin.clone();
            let taken =
                tokio::task::spawn_blocking(move || this.take_stock(&log).map_err(|f| f.to_string())).await;
            if let Err(why) = taken.unwrap_or_else(|error| Err(error.to_string())) {
                tracing::error!(log = origin, why, "what witnesses cosigned cannot be put in order");
            }
        }
    }

    /// One witness, one log.
    async fn ask(self: Arc<Self>, client: &Client, log: &OwnLog) {
        let key = (log.origin.clone(), client.name.clone());
        let known = self.standings.lock().get(&key).cloned();
        let mut standing = match known {
            Some(standing) => standing,
            None => Standing {
                system: log.system.clone(),
                last: last(log, &client.key).await,
                ..Standing::default()
            },
        };
        let outcome = submit(client, log, standing.last.map(|(size, _)| size), false).await;
        let mut trouble = outcome.trouble();
        if let Outcome::Cosigned { note, size, signature, time } = &outcome {
            let (log, note, signature, size) = (log.clone(), note.clone(), signature.clone(), *size);
            let added = tokio::task::spawn_blocking(move || {
                keep::add(log.fs(), log.dir(), size, &note, &[signature])
                    .map_err(|failure| failure.to_string())
            });
            match added.await.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(_) => standing.last = Some((size, *time)),
                // It is asked for again.
                Err(why) => trouble = Some(format!("its cosignature could not be kept: {why}")),
            }
        }
        self.tell(client, log, &outcome, &standing, trouble.as_deref());
        standing.failures += u64::from(trouble.is_some());
        standing.trouble = trouble;
        self.standings.lock().insert(key, standing);
    }

    /// Says what changed, once.
    fn tell(
        &self,
        client: &Client,
        log: &OwnLog,
        outcome: &Outcome,
        before: &Standing,
        trouble: Option<&str>,
    ) {
        let (witness, system) = (&client.name, &log.system);
        match (trouble, before.trouble.as_deref()) {
            (None, Some(_)) => tracing::info!(witness, system, "cosigns again"),
            (None, None) => {}
            (Some(why), was) if was == Some(why) => {}
            (Some(why), _) if outcome.is_contradiction() => {
                tracing::error!(witness, system, log = log.origin, why, "a witness contradicts this log");
            }
            (Some(why), _) => {
                tracing::warn!(witness, system, log = log.origin, why, "a witness did not cosign")
            }
        }
    }

    /// Whether there is a quorum now; what need not be kept goes. Blocks.
    fn take_stock(&self, log: &OwnLog) -> Result<(), Failure> {
        let policy = &self.vouching.policy;
        let witnesses: Vec<VerifierKey> = policy.witnesses().map(|witness| witness.key.clone()).collect();
        let is_satisfied = |note: &SignedNote| policy.satisfied(&keep::cosigned_by(note, &witnesses));
        let mut newest = None;
        let mut vouched_size = None;
        for size in list_vouched(log.fs(), log.dir())?.into_iter().rev() {
            let Some(vouched) = read_vouched(log.fs(), log.dir(), size)? else { continue };
            let note = SignedNote::parse(&vouched.note)?;
            if is_satisfied(&note) {
                vouched_size = Some(size);
                break;
            }
            newest.get_or_insert((size, keep::cosigned_by(&note, &witnesses)));
        }
        {
            let mut quorums = self.quorums.lock();
            let quorum = quorums.entry(log.origin.clone()).or_default();
            quorum.system.clone_from(&log.system);
            quorum.size = vouched_size.unwrap_or_default();
            if let Some((size, by)) = newest.filter(|(size, _)| quorum.told != Some(*size)) {
                let by: Vec<&str> = by.iter().map(|signature| signature.key.name()).collect();
                let (system, has, quorum_name) = (&log.system, by.join(", "), policy.quorum());
                tracing::warn!(
                    system,
                    size,
                    has,
                    quorum = quorum_name,
                    "too few witnesses cosigned this checkpoint: it is kept with those that did"
                );
                quorum.told = Some(size);
            }
        }
        keep::thin(log.fs(), log.dir(), &is_satisfied)
    }

    /// How witnesses stand, for metrics.
    pub(super) fn sample(&self) -> VouchedSample {
        let standings = self.standings.lock();
        let witnesses = standings.iter().map(|((_, witness), standing)| WitnessSample {
            witness: witness.clone(),
            system: standing.system.clone(),
            is_up: standing.trouble.is_none(),
            failures: standing.failures,
            size: standing.last.map_or(0, |(size, _)| size),
            time: standing.last.map_or(0, |(_, time)| time),
        });
        let quorums = self.quorums.lock();
        VouchedSample {
            witnesses: witnesses.collect(),
            quorums: quorums.values().map(|quorum| (quorum.system.clone(), quorum.size)).collect(),
            timestamps: Vec::new(),
        }
    }
}

/// What a witness cosigned last, as far as is kept. What is kept and cannot be read counts for nothing: the witness says.
async fn last(log: &OwnLog, witness: &VerifierKey) -> Option<(u64, u64)> {
    let (log, witness) = (log.clone(), witness.clone());
    let read = move || keep::last_cosigned(log.fs(), log.dir(), &witness).ok().flatten();
    tokio::task::spawn_blocking(read).await.ok().flatten()
}
