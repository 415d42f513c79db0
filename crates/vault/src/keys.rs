//! Keys in memory: a subject's, and the one that a decision's payloads are sealed under.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use inferlog_record::{Id, KeyId, Pseudonym};
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::aead::Key;
use crate::error::{Result, VaultError};
use crate::page::header::Topic;
use crate::page::plain::{self, LookupPlain, SubjectRef};
use crate::seal::{self, DataKey, SealContext, SealedPayload};
use crate::vault::Inner;

/// A natural person that payloads are about. A clone is the same subject.
#[derive(Clone)]
pub struct Subject(pub(crate) Arc<SubjectInner>);

pub(crate) struct SubjectInner {
    pub(crate) at: SubjectRef,
    pub(crate) key: Key,
    /// What its births need; `None` if they are in the pages.
    pub(crate) birth: Option<SubjectBirth>,
    pub(crate) durable: AtomicBool,
}

/// Where a new subject's two records go.
pub(crate) struct SubjectBirth {
    pub(crate) topic: Topic,
    pub(crate) lookup_at: KeyId,
    pub(crate) lookup: LookupPlain,
}

impl Subject {
    pub(crate) fn new(at: SubjectRef, key: Key, birth: Option<SubjectBirth>) -> Self {
        let durable = AtomicBool::new(birth.is_none());
        Self(Arc::new(SubjectInner { at, key, birth, durable }))
    }

    /// By what the log knows the person.
    pub fn pseudonym(&self) -> Pseudonym {
        self.0.at.pseudonym
    }

    /// Where the subject's key is.
    pub fn key_id(&self) -> KeyId {
        self.0.at.key
    }

    /// Both: what an erasure needs, and may say.
    pub fn reference(&self) -> SubjectRef {
        self.0.at
    }

    pub(crate) fn append_births(&self, vault: &Inner, out: &mut Vec<u8>) -> Result<()> {
        let Some(birth) = self.0.birth.as_ref().filter(|_| !self.0.durable.load(Ordering::Acquire)) else {
            return Ok(());
        };
        let record = plain::encode_keyed(self.0.at.pseudonym.as_bytes(), &self.0.key);
        vault.append_birth(out, &birth.topic, self.0.at.key, &record)?;
        let lookup_topic = Topic::Lookup(birth.lookup.digest[0]);
        vault.append_birth(out, &lookup_topic, birth.lookup_at, &birth.lookup.encode())
    }

    /// A frame with the subject's births was acknowledged: later ones need not carry them.
    pub fn mark_durable(&self) {
        self.0.durable.store(true, Ordering::Release);
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.pseudonym())
    }
}

/// The key of one decision, or of a hold. A clone is the same key. Sealing and opening need no lock.
#[derive(Clone)]
pub struct DecisionKey(Arc<DecisionInner>);

struct DecisionInner {
    vault: Arc<Inner>,
    id: KeyId,
    owner: Id,
    key: Key,
    subjects: Vec<Subject>,
    topic: Topic,
    /// The record, until it is durable.
    birth: Mutex<Option<Zeroizing<Vec<u8>>>>,
    /// The changes of the erased set that were looked at.
    looked: AtomicU64,
    dead: AtomicBool,
}

impl DecisionKey {
    pub(crate) fn new(
        vault: Arc<Inner>,
        id: KeyId,
        owner: Id,
        key: Key,
        subjects: Vec<Subject>,
        topic: Topic,
        birth: Option<Zeroizing<Vec<u8>>>,
    ) -> Self {
        let birth = Mutex::new(birth);
        // Looked at nothing yet: the first use looks.
        let (looked, dead) = (AtomicU64::new(u64::MAX), AtomicBool::new(false));
        Self(Arc::new(DecisionInner { vault, id, owner, key, subjects, topic, birth, looked, dead }))
    }

    /// Where the key is: what references say.
    pub fn id(&self) -> KeyId {
        self.0.id
    }

    /// The decision, or the hold, that the key belongs to.
    pub fn owner(&self) -> Id {
        self.0.owner
    }

    /// The subjects whose keys wrap this one, in order; those that it outlives because it was withheld from their erasure included.
    pub fn subjects(&self) -> &[Subject] {
        &self.0.subjects
    }

    /// Whether every erasure so far spared the key, and that of every subject that it was not withheld from.
    pub fn is_alive(&self) -> bool {
        let DecisionInner { vault, looked, dead, .. } = &*self.0;
        let changes = vault.erased.changes();
        if looked.load(Ordering::Relaxed) != changes {
            if vault.erased.has_key(self.0.id, self.0.subjects.iter().map(Subject::reference)) {
                dead.store(true, Ordering::Relaxed);
            }
            looked.store(changes, Ordering::Release);
        }
        !dead.load(Ordering::Relaxed)
    }

    /// Whether it outlives a subject of it: it was withheld from that one's erasure.
    pub fn outlives_subject(&self) -> bool {
        self.0.vault.erased.has_spared(self.0.id)
    }

    fn check_alive(&self) -> Result<()> {
        if self.is_alive() { Ok(()) } else { Err(VaultError::Erased) }
    }

    /// Seals `content` in its place. [`VaultError::Erased`] once the key is dead; [`VaultError::TooLarge`] beyond
    /// [`crate::CONTENT_BYTES_MAX`].
    pub fn seal(&self, context: &SealContext<'_>, content: &[u8]) -> Result<SealedPayload> {
        seal::seal(&*self.0.vault.rng, &self.data_key(context.payload)?, context, content)
    }

    /// The key of one payload: its opening. [`VaultError::Erased`] once the key is dead.
    pub fn data_key(&self, payload: Id) -> Result<DataKey> {
        self.check_alive()?;
        Ok(DataKey::derive(&self.0.key, payload))
    }

    /// The births that the next frame must carry: those of this key and of its subjects that are not known to be durable.
    /// Empty once they are, and when the key is dead. Ask again for every frame: what an erasure changed in between is in it.
    pub fn births(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        if !self.is_alive() {
            return Ok(out);
        }
        let erased = &self.0.vault.erased;
        for subject in self.0.subjects.iter().filter(|subject| !erased.has_subject(subject.reference())) {
            subject.append_births(&self.0.vault, &mut out)?;
        }
        // A record that got a late subject, or lost one, is in its page; the one at hand is of before and must not go anywhere.
        let is_settled = erased.has_late(self.0.id) || erased.has_spared(self.0.id);
        if let Some(record) = self.0.birth.lock().as_ref().filter(|_| !is_settled) {
            self.0.vault.append_birth(&mut out, &self.0.topic, self.0.id, record)?;
        }
        Ok(out)
    }

    /// A frame with these births was acknowledged: later ones need not carry them.
    pub fn mark_durable(&self) {
        *self.0.birth.lock() = None;
        self.0.subjects.iter().for_each(Subject::mark_durable);
    }
}

impl fmt::Debug for DecisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecisionKey({})", self.0.id)
    }
}
