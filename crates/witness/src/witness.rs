//! The witness: what it is asked, decided and remembered.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use inferlog_disk::{Clock, Fs, LockGuard};
use inferlog_merkle::{
    Checkpoint, EMPTY_ROOT, NoteSignature, SignedNote, VerifierKey, cosignature_line, cosignature_message,
    verify_consistency,
};
use parking_lot::Mutex;

use crate::answer::Answer;
use crate::fork::Fork;
use crate::request::{Request, RequestError};
use crate::store::{self, KnownLog, Newest, StoreError};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Signs for a witness.
pub trait Cosign: Send + Sync + Debug {
    /// The key that verifies it, of kind [`inferlog_merkle::KeyKind::Cosignature`].
    fn key(&self) -> &VerifierKey;
    /// An Ed25519 signature over the message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// A witness. Its memory is its own: no other process cosigns with it.
#[derive(Debug)]
pub struct Witness {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    cosigner: Arc<dyn Cosign>,
    /// One for each log that was asked about; only known logs are.
    logs: Mutex<BTreeMap<String, Arc<Mutex<()>>>>,
    _lock: Box<dyn LockGuard>,
}

impl Witness {
    /// Takes up the memory in `dir`, which exists.
    ///
    /// # Errors
    /// Another process cosigns with it; the file system's.
    pub fn open(
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        dir: PathBuf,
        cosigner: Arc<dyn Cosign>,
    ) -> Result<Self, StoreError> {
        let lock = match fs.lock(&dir.join("lock")) {
            Err(error) if error.is_locked() => return Err(StoreError::InUse(dir)),
            other => other?,
        };
        Ok(Self { fs, clock, dir, cosigner, logs: Mutex::default(), _lock: lock })
    }

    /// The key that verifies its cosignatures.
    pub fn key(&self) -> &VerifierKey {
        self.cosigner.key()
    }

    /// Answers a request to cosign (c2sp.org/tlog-witness, add-checkpoint): its body in, status and body out. Blocks on the disk.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let request = match Request::parse(body) {
            Ok(request) => request,
            // As far as the keys go, no signature; whose log it is, is known.
            Err(RequestError::Signature { origin, line }) => {
                let why = RequestError::Signature { origin: origin.clone(), line }.to_string();
                return self.known(&origin).map_or_else(|answer| answer, |_| Answer::Untrusted(why));
            }
            Err(error) => return Answer::Malformed(error),
        };
        let origin = request.checkpoint.origin();
        let log = match self.known(origin) {
            Ok(log) => log,
            Err(answer) => return answer,
        };
        let signed = match trusted_part(&request.note, &log) {
            Ok(signed) => signed,
            Err(why) => return Answer::Untrusted(why),
        };
        let (old_size, size) = (request.old_size, request.checkpoint.size());
        if old_size > size {
            return Answer::OldSizeBeyond { old_size, size };
        }
        let mutex = self.logs.lock().entry(origin.to_owned()).or_default().clone();
        // From the look at what is remembered to the end of the write that changes it: no other request for this log.
        let _deciding = mutex.lock();
        self.decide(&request, signed).unwrap_or_else(|error| Answer::Failed(error.to_string()))
    }

    fn known(&self, origin: &str) -> Result<KnownLog, Answer> {
        match store::known_log(&*self.fs, &self.dir, origin) {
            Ok(Some(log)) => Ok(log),
            Ok(None) => Err(Answer::UnknownLog(origin.to_owned())),
            Err(error) => Err(Answer::Failed(error.to_string())),
        }
    }

    fn decide(&self, request: &Request, signed: SignedNote) -> Result<Answer, StoreError> {
        let (origin, new) = (request.checkpoint.origin(), &request.checkpoint);
        let newest = store::newest(&*self.fs, &self.dir, origin, self.key())?;
        let (size, root) = newest
            .as_ref()
            .map_or((0, EMPTY_ROOT), |newest| (newest.checkpoint.size(), newest.checkpoint.root()));
        if request.old_size != size {
            let is_same_size = new.size() == size;
            let fork =
                newest.filter(|_| is_same_size).and_then(|newest| self.keep_fork(&newest, request, signed));
            return Ok(Answer::Conflict { size, fork: fork.map(Box::new) });
        }
        if new.size() == 0 && new.root() != EMPTY_ROOT {
            let why = "a checkpoint of size 0 must have the root of the empty tree".into();
            return Ok(Answer::Inconsistent { why, fork: None });
        }
        if let Err(error) = verify_consistency(size, new.size(), &request.proof, &root, &new.root()) {
            let fork = newest.and_then(|newest| self.keep_fork(&newest, request, signed));
            let why =
                format!("the consistency proof from size {size} to {} does not verify: {error}", new.size());
            return Ok(Answer::Inconsistent { why, fork: fork.map(Box::new) });
        }
        self.cosign(new, signed)
    }

    /// Remembers, then gives out.
    fn cosign(&self, new: &Checkpoint, mut signed: SignedNote) -> Result<Answer, StoreError> {
        let failed = |what: String| Ok(Answer::Failed(what));
        let time = self.clock.now_ns() / NS_PER_SECOND;
        if time == 0 {
            return failed("the clock stands before 1970".into());
        }
        let key = self.key();
        let signature = self.cosigner.sign(cosignature_message(time, signed.text()).as_bytes());
        let line = cosignature_line(key.name(), key.public_key(), time, &signature);
        let signature = match line {
            Ok(line) => line,
            Err(error) => return failed(error.to_string()),
        };
        if let Err(error) = signed.push(signature.clone()) {
            return failed(error.to_string());
        }
        // A crash before this is durable leaves the checkpoint before, and nobody has the cosignature. After it, the
        // cosignature may be lost on its way: the log asks again.
        store::write_newest(&*self.fs, &self.dir, new.origin(), &signed)?;
        Ok(Answer::Cosigned { origin: new.origin().to_owned(), size: new.size(), signature })
    }

    /// Keeps what a refused request shows. That it cannot be kept does not change the answer.
    fn keep_fork(&self, newest: &Newest, request: &Request, signed: SignedNote) -> Option<Fork> {
        let seen = self.clock.now_ns() / NS_PER_SECOND;
        let fork = Fork::seen((&newest.note, &newest.checkpoint), request, signed, seen)?;
        _ = store::write_fork(&*self.fs, &self.dir, request.checkpoint.origin(), &fork);
        Some(fork)
    }

    /// The newest checkpoint that was cosigned of the log whose folder this is: a signed note (c2sp.org/tlog-witness, Monitor
    /// retrieval). `None` if there is none. Blocks on the disk.
    ///
    /// # Errors
    /// It is damaged; the file system's.
    pub fn checkpoint(&self, folder: &str) -> Result<Option<Newest>, StoreError> {
        for log in store::known_logs(&*self.fs, &self.dir)? {
            if store::log_folder(&log.origin) == folder {
                return store::newest(&*self.fs, &self.dir, &log.origin, self.key());
            }
        }
        Ok(None)
    }
}

/// The note with those signatures alone that keys of the log made.
fn trusted_part(note: &SignedNote, log: &KnownLog) -> Result<SignedNote, String> {
    let verified = note.verify(&log.keys).map_err(|error| error.to_string())?;
    let mut trusted = SignedNote::new(note.text().to_owned()).map_err(|error| error.to_string())?;
    for key in verified.iter().map(|signature| &signature.key) {
        let made: Option<&NoteSignature> = note.signatures().iter().find(|signature| signature.is_by(key));
        if let Some(signature) = made {
            trusted.push(signature.clone()).map_err(|error| error.to_string())?;
        }
    }
    Ok(trusted)
}
