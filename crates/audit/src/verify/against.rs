//! The checkpoint that a reader holds: whether the log still is the one that it was made of.

use inferlog_merkle::{Checkpoint, SignedNote, VerifierKey};

use super::signed::Opened;
use crate::keys::LogKeys;
use crate::report::{AgainstReport, FaultKind, Faults, KeySource};

/// A checkpoint that a reader holds, parsed.
pub(super) struct Held {
    note: SignedNote,
    checkpoint: Checkpoint,
    pub(super) report: AgainstReport,
}

impl Held {
    /// Reads it; a report of why it is none otherwise.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, AgainstReport> {
        let parsed = SignedNote::parse(bytes).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|note| {
            let checkpoint = note.text().parse::<Checkpoint>().map_err(|error| error.to_string())?;
            Ok((note, checkpoint))
        });
        let (note, checkpoint) = parsed.map_err(|error| {
            let what = format!("the checkpoint you hold is none: {error}");
            AgainstReport { origin: String::new(), size: 0, unchanged: false, key_from: None, what }
        })?;
        let (origin, size) = (checkpoint.origin().to_owned(), checkpoint.size());
        let what =
            format!("the checkpoint you hold is of {origin}, which is not among the logs that were verified");
        let report = AgainstReport { origin, size, unchanged: false, key_from: None, what };
        Ok(Self { note, checkpoint, report })
    }

    /// Compares it with its log, whose every entry was checked before.
    pub(super) fn compare(
        &mut self,
        opened: &Opened<'_>,
        given: &[VerifierKey],
        faults_before: u64,
        faults: &Faults,
    ) {
        let (log, size) = (&opened.log, self.checkpoint.size());
        let keys = LogKeys::choose(self.checkpoint.origin(), given, &opened.keys.keys);
        self.report.key_from = Some(keys.source);
        let source = match keys.source {
            KeySource::Given => "the key you gave",
            KeySource::Directory => "the key in the directory",
        };
        let what = if let Err(error) = keys.verify(&self.note, self.checkpoint.origin()) {
            format!("the signature of the checkpoint you hold does not verify by {source}: {error}")
        } else if size > log.size {
            format!(
                "the log has {} entries, fewer than the checkpoint you hold ({size}): entries were removed",
                log.size
            )
        } else {
            match inferlog_merkle::root(&log.reader, size) {
                Ok(root) if root != self.checkpoint.root() => {
                    format!(
                        "the log was changed since the checkpoint you hold (size {size}): its first {size} entries are others"
                    )
                }
                Ok(_) if faults.count() > faults_before => {
                    format!(
                        "the root of the checkpoint you hold (size {size}) is found again, but the log has faults"
                    )
                }
                Ok(_) => {
                    self.report.unchanged = true;
                    format!("unchanged since the checkpoint you hold (size {size})")
                }
                Err(error) => format!("the root at size {size} cannot be computed: {error}"),
            }
        };
        if !self.report.unchanged {
            log.sink.file(&log.dir.checkpoint(), FaultKind::Against, what.as_str());
        }
        self.report.what = what;
    }
}
