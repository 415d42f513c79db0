//! The logs of a data directory that are still written, as one who has them vouched for sees them.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::{Fs, RealFs};
use inferlog_log::{LogDir, LogIdentity, LogReader, list_logs};
use inferlog_merkle::{Checkpoint, SignedNote, VerifierKey, consistency_proof};
use inferlog_record::SystemName;
use inferlog_witness::Request;

use crate::admin::require_data;
use crate::output::Failure;

/// The newest log of a system and shard. Reads files alone, beside the writer.
#[derive(Clone, Debug)]
pub(crate) struct OwnLog {
    /// The system.
    pub(crate) system: String,
    /// Its origin.
    pub(crate) origin: String,
    /// Every key that it signed with, oldest first.
    pub(crate) keys: Vec<VerifierKey>,
    /// Its files.
    pub(crate) reader: LogReader,
}

/// The newest epoch of each system and shard: older ones are not written any more, and were vouched for when they were.
pub(crate) fn newest_logs(fs: &Arc<dyn Fs>, data: &Path) -> Result<Vec<OwnLog>, Failure> {
    let mut newest: Vec<(LogIdentity, LogDir)> = Vec::new();
    for dir in list_logs(&**fs, data)? {
        let identity = LogIdentity::load(&**fs, &dir)?;
        let same = |other: &LogDir| other.system() == dir.system() && other.shard() == dir.shard();
        match newest.iter().position(|(_, other)| same(other)) {
            None => newest.push((identity, dir)),
            Some(place) if newest[place].0.created <= identity.created => newest[place] = (identity, dir),
            Some(_) => {}
        }
    }
    newest.into_iter().map(|(identity, dir)| OwnLog::new(fs, &identity, dir)).collect()
}

/// The log of this system; of the only one, if none is named.
pub(crate) fn own_log(data: &Path, system: Option<&SystemName>) -> Result<OwnLog, Failure> {
    require_data(data)?;
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let mut logs = newest_logs(&fs, data)?;
    logs.retain(|log| system.is_none_or(|system| system.as_str() == log.system));
    match (logs.len(), logs.pop()) {
        (1, Some(log)) => Ok(log),
        (0, _) => Err(Failure::new(format!("there is no such log in {}", data.display()))),
        _ => Err(Failure::new("there are several systems: say which, with --system")),
    }
}

impl OwnLog {
    fn new(fs: &Arc<dyn Fs>, identity: &LogIdentity, dir: LogDir) -> Result<Self, Failure> {
        let keys = identity.vkeys.iter().map(|vkey| vkey.parse()).collect::<Result<_, _>>()?;
        let system = dir.system().to_owned();
        Ok(Self { system, origin: identity.origin.clone(), keys, reader: LogReader::new(fs.clone(), dir) })
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &LogDir {
        self.reader.dir()
    }

    /// The file system it is on.
    pub(crate) fn fs(&self) -> &dyn Fs {
        &**self.reader.fs()
    }

    /// The published checkpoint, signed by a key of the log; `None` before the first.
    pub(crate) fn published(&self) -> Result<Option<(SignedNote, Checkpoint)>, Failure> {
        let Some((note, checkpoint)) = self.reader.checkpoint()? else { return Ok(None) };
        note.verify(&self.keys)?;
        if checkpoint.origin() != self.origin {
            return Err(Failure::new(format!(
                "the checkpoint in {} is of the log {}",
                self.dir().path().display(),
                checkpoint.origin()
            )));
        }
        Ok(Some((note, checkpoint)))
    }

    /// What a witness that has cosigned `old_size` entries is asked about this checkpoint, which has at least as many.
    pub(crate) fn request(&self, note: SignedNote, old_size: u64) -> Result<Request, Failure> {
        let checkpoint: Checkpoint = note.text().parse()?;
        let proof = consistency_proof(&self.reader, old_size, checkpoint.size())?;
        Ok(Request::new(old_size, proof, note)?)
    }
}
