//! Subjects: found by a keyed digest of their identifier, made, opened.

use std::collections::HashMap;

use hmac::{Hmac, Mac};
use inferlog_record::{Pseudonym, SystemName};
use sha2::Sha256;

use crate::aead::Key;
use crate::error::{Result, VaultError};
use crate::keys::{Subject, SubjectBirth};
use crate::lookup::{self, Chain};
use crate::page::header::Topic;
use crate::page::plain::{self, LookupPlain, SubjectRef};
use crate::seal;
use crate::vault::{Inner, Vault};

impl Vault {
    /// The subject whom `system` knows by `identifier`, made now if there is none: with a random pseudonym and a random key.
    /// Whoever asks for the same identifier at the same time gets the same subject. After an erasure the identifier leads to
    /// a new one.
    pub fn subject(&self, system: &SystemName, identifier: &[u8]) -> Result<Subject> {
        let digest = self.inner.digest(system, identifier);
        let mut chain = self.inner.lookup.chain(digest[0]);
        if let Some(subject) = self.inner.find(&mut chain, &digest)? {
            return Ok(subject);
        }
        let subject = self.inner.new_subject(system, digest)?;
        chain.pending.insert(lookup::short(&digest), subject.clone());
        Ok(subject)
    }

    /// The subject whom `system` knows by `identifier`, if there is one.
    pub fn find_subject(&self, system: &SystemName, identifier: &[u8]) -> Result<Option<Subject>> {
        let digest = self.inner.digest(system, identifier);
        let mut chain = self.inner.lookup.chain(digest[0]);
        self.inner.find(&mut chain, &digest)
    }

    /// A keyed digest by which an index finds what others call a thing, without saying it: of `value`, as an id of this kind or, with
    /// `None`, of any. It stays the same for the life of the keystore; without the keystore nobody can try values out
    /// (format.md, section 7).
    pub fn index_digest(&self, kind: Option<&str>, value: &[u8]) -> [u8; 16] {
        let kind = kind.unwrap_or_default().as_bytes();
        let key = seal::derive(&self.inner.table().lookup_key, &[b"inferlog/index/v1"]);
        let mac = keyed(&key).chain_update(u32::try_from(kind.len()).unwrap_or(u32::MAX).to_be_bytes());
        let digest: [u8; 32] = mac.chain_update(kind).chain_update(value).finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        half
    }

    /// The births of a subject that an entry names and no key in its frame is wrapped for; empty once they are known to be
    /// durable ([`Subject::mark_durable`]).
    pub fn subject_births(&self, subject: &Subject) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        subject.append_births(&self.inner, &mut out)?;
        Ok(out)
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 3)")]
fn keyed(key: &Key) -> Hmac<Sha256> {
    <Hmac<Sha256> as Mac>::new_from_slice(key.bytes()).expect("any length")
}

impl Inner {
    /// HMAC-SHA256(lookup key, length of system (4) ‖ system ‖ identifier).
    fn digest(&self, system: &SystemName, identifier: &[u8]) -> [u8; 32] {
        let system = system.as_str().as_bytes();
        // A system's name has at most 63 bytes.
        let mac = keyed(&self.table().lookup_key).chain_update((system.len() as u32).to_be_bytes());
        mac.chain_update(system).chain_update(identifier).finalize().into_bytes().into()
    }

    fn find(&self, chain: &mut Chain, digest: &[u8; 32]) -> Result<Option<Subject>> {
        let short = lookup::short(digest);
        if let Some(subject) = chain.pending.get(&short)
            && !self.erased.has_subject(subject.reference())
        {
            return Ok(Some(subject.clone()));
        }
        if chain.entries.is_none() {
            let entries = self.load_chain(digest[0])?;
            self.lookup.loaded(digest[0], chain, entries);
        }
        let found = chain.entries.as_ref().and_then(|entries| entries.get(&short)).copied();
        match found.filter(|subject| !self.erased.has_subject(*subject)) {
            Some(subject) => self.open_subject(subject).map(Some),
            None => Ok(None),
        }
    }

    fn load_chain(&self, first: u8) -> Result<HashMap<u128, SubjectRef>> {
        let store = self.store.lock();
        let (table, pages) = (self.table(), self.allocation.lock().pages(&Topic::Lookup(first)));
        let mut entries = HashMap::new();
        for page in pages {
            let Some(page_key) = table.pages.get(&page) else { continue };
            for (_, record) in store.read_all(page, page_key)? {
                if let Some(lookup) = LookupPlain::decode(&record)
                    && !self.erased.has_subject(lookup.subject)
                {
                    entries.insert(lookup::short(&lookup.digest), lookup.subject);
                }
            }
        }
        Ok(entries)
    }

    fn new_subject(&self, system: &SystemName, digest: [u8; 32]) -> Result<Subject> {
        let mut random = [0; 16];
        self.rng.fill(&mut random)?;
        let topic = Topic::Subjects(system.clone());
        let at = SubjectRef { pseudonym: Pseudonym::new(random), key: self.allocate(&topic)? };
        let lookup_at = self.allocate(&Topic::Lookup(digest[0]))?;
        let birth = SubjectBirth { topic, lookup_at, lookup: LookupPlain { digest, subject: at } };
        Ok(Subject::new(at, Key::random(&*self.rng)?, Some(birth)))
    }

    /// The subject from its page.
    pub(crate) fn open_subject(&self, subject: SubjectRef) -> Result<Subject> {
        if self.erased.has_subject(subject) {
            return Err(VaultError::Erased);
        }
        if let Some(cached) =
            self.lookup.cached_key(subject.key).filter(|cached| cached.reference() == subject)
        {
            return Ok(cached);
        }
        match plain::decode_keyed(&self.read(subject.key)?) {
            Some((pseudonym, key)) if &pseudonym == subject.pseudonym.as_bytes() => {
                let found = Subject::new(subject, key, None);
                self.lookup.cache_key(&found);
                Ok(found)
            }
            _ => Err(self.malformed(subject.key)),
        }
    }
}
