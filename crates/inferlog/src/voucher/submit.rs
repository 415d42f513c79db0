//! One checkpoint, one witness: from what is published to a cosignature, or to why there is none.

use inferlog_merkle::{NoteSignature, SignedNote};
use inferlog_witness::{Refusal, Reply};

use super::client::Client;
use super::logs::OwnLog;

/// Requests of one submission at most: one that learns the witness's size, one that proves, and as many again where the log grew
/// or another asked meanwhile.
const REQUESTS_MAX: usize = 4;

/// How a submission ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It cosigned this checkpoint; the signature is verified.
    Cosigned { note: SignedNote, size: u64, signature: NoteSignature, time: u64 },
    /// It has cosigned the published checkpoint already.
    Known,
    /// Nothing is published yet.
    Nothing,
    /// It has cosigned more entries than this log has.
    Ahead { theirs: u64, ours: u64 },
    /// It did not cosign.
    Refused(Refusal),
    /// It could not be asked.
    Unreachable(String),
    /// There was nothing to ask it: this log's own files could not be read.
    Unready(String),
}

/// Has the published checkpoint cosigned. `known` is the size that this witness cosigned last, as far as we know; with `again` it
/// is asked even if it cosigned this very size.
pub(super) async fn submit(client: &Client, log: &OwnLog, known: Option<u64>, again: bool) -> Outcome {
    let mut old = known.unwrap_or(0);
    let mut ahead = None;
    for _ in 0..REQUESTS_MAX {
        let (reading, from) = (log.clone(), old);
        let prepared = tokio::task::spawn_blocking(move || prepare(&reading, from)).await;
        let request = match prepared.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(Prepared::Nothing) => return Outcome::Nothing,
            Ok(Prepared::Ahead(ours)) => {
                // Perhaps the log has grown since it was read.
                ahead = Some(Outcome::Ahead { theirs: old, ours });
                continue;
            }
            Ok(Prepared::Request(request)) => request,
            Err(why) => return Outcome::Unready(why),
        };
        let size = request.checkpoint.size();
        if !again && known == Some(size) && old == size {
            return Outcome::Known;
        }
        match client.ask(&request).await {
            Err(why) => return Outcome::Unreachable(why),
            Ok(Reply::Cosigned { signature, time }) => {
                return Outcome::Cosigned { note: request.note, size, signature, time };
            }
            Ok(Reply::Has(theirs)) => old = theirs,
            Ok(Reply::Refused(refusal)) => return Outcome::Refused(refusal),
        }
    }
    let said = "it names another size each time it is asked".to_owned();
    ahead.unwrap_or(Outcome::Refused(Refusal { status: 409, said }))
}

enum Prepared {
    Nothing,
    Ahead(u64),
    Request(inferlog_witness::Request),
}

fn prepare(log: &OwnLog, old: u64) -> Result<Prepared, String> {
    let ready = || {
        let Some((note, checkpoint)) = log.published()? else { return Ok(Prepared::Nothing) };
        if old > checkpoint.size() {
            return Ok(Prepared::Ahead(checkpoint.size()));
        }
        log.request(note, old).map(Prepared::Request)
    };
    ready().map_err(|failure: crate::output::Failure| failure.to_string())
}

impl Outcome {
    /// What is wrong and what to do; `None` if nothing is.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            Self::Cosigned { .. } | Self::Known | Self::Nothing => None,
            Self::Ahead { theirs, ours } => Some(format!(
                "it has cosigned size {theirs}; this log has only {ours}: an older copy was restored; restore a newer copy or \
                 begin a new epoch with --new-epoch"
            )),
            Self::Refused(refusal) => {
                let Refusal { status, said } = refusal;
                Some(format!("it answered {status} ({said}): {}", refusal.advice()))
            }
            Self::Unreachable(why) => Some(format!("{why}; it is asked again")),
            Self::Unready(why) => {
                Some(format!("this log could not be read for it: {why}; run `inferlog verify`"))
            }
        }
    }

    /// Whether the witness says that this log is not the one it knows: it went back, or it forked.
    pub(super) fn is_contradiction(&self) -> bool {
        matches!(self, Self::Ahead { .. } | Self::Refused(Refusal { status: 422, .. }))
    }
}
