//! Whether a log holds a certificate.

use std::path::Path;
use std::sync::Arc;

use inferlog_disk::Fs;
use inferlog_merkle::{VerifierKey, inclusion_proof, leaf_hash, verify_inclusion};
use inferlog_record::body::{Body, ErasurePhase};
use inferlog_record::{Digest, Entry, Id};
use memchr::memmem::Finder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Certificate;
use crate::error::Result;
use crate::open::OpenLog;
use crate::select::Select;

/// Whether a log holds a certificate: the event that completed the erasure states its SHA-256.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CertificateHeld {
    /// That event.
    pub event: Option<Id>,
    /// Its entry.
    pub index: u64,
    /// Entries under the checkpoint that it was proved under.
    pub size: u64,
    /// Why the log does not hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Keys that the directory lists for the log, those before the newest too.
    #[serde(skip)]
    pub keys: Vec<VerifierKey>,
}

/// Looks for a certificate in the log of a data directory that its origin names.
///
/// # Errors
/// Damage that keeps the logs from being read.
pub fn held_by_log(fs: &Arc<dyn Fs>, dir: &Path, certificate: &Certificate) -> Result<CertificateHeld> {
    let logs = OpenLog::all(fs, dir, &Select::default(), &[])?;
    let Some(log) = logs.iter().find(|log| log.origin == certificate.origin()) else {
        let problem = Some(format!("its log {} is not in this data directory", certificate.origin()));
        return Ok(CertificateHeld { problem, ..CertificateHeld::default() });
    };
    let mut held = CertificateHeld { size: log.size(), ..CertificateHeld::default() };
    let Some((note, checkpoint)) = &log.signed else {
        held.problem = Some("the log has no checkpoint".to_owned());
        return Ok(held);
    };
    held.keys.clone_from(&log.keys.keys);
    held.problem = log.keys.verify(note, &log.origin).err().map(|error| error.to_string());
    match find(log, certificate)? {
        None => held.problem = Some("no event there states its SHA-256 as that of this erasure".to_owned()),
        Some((event, index, entry)) => {
            (held.event, held.index) = (Some(event), index);
            let path = inclusion_proof(&log.reader, index, checkpoint.size());
            let path = path.map_err(|error| error.to_string());
            let proved = path.and_then(|path| {
                verify_inclusion(&leaf_hash(&entry), index, checkpoint.size(), &path, &checkpoint.root())
                    .map_err(|error| error.to_string())
            });
            held.problem = held.problem.or(proved.err());
        }
    }
    Ok(held)
}

/// The event that completed the erasure and states this certificate, with its entry.
fn find(log: &OpenLog, certificate: &Certificate) -> Result<Option<(Id, u64, Vec<u8>)>> {
    let digest = Digest(Sha256::digest(&certificate.bytes).into());
    let finder = Finder::new(br#""kind":"erasure""#);
    let (mut found, mut failed) = (None, None);
    let scanned = log.reader.scan(0, log.size(), |index, bytes| {
        if finder.find(bytes).is_none() {
            return true;
        }
        match Entry::from_bytes(bytes) {
            Ok(entry) => {
                let states = entry.events.iter().find(|event| match &event.body {
                    Body::Erasure(body) => {
                        body.phase == ErasurePhase::Completed
                            && body.intent == Some(certificate.intent)
                            && body.certificate == Some(digest)
                    }
                    _ => false,
                });
                found = states.map(|event| (event.id, index, bytes.to_vec()));
            }
            Err(error) => failed = Some(log.malformed(index, error)),
        }
        found.is_none() && failed.is_none()
    });
    scanned.map_err(|error| log.unreadable(error))?;
    failed.map_or(Ok(found), Err)
}
