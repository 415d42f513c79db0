//! The certificate of an erasure: what was done and checked, and what is outside of it, in lines that a person can read, signed
//! by the log's own key.

use super::complete::Follower;
use super::types::Certificate;
use crate::recorder::ledger::Told;
use crate::recorder::{RecordError, System};
use inferlog_log::{LogIdentity, LogReader};
use inferlog_record::body::Erasure as Stated;
use inferlog_record::{Content, Id, PayloadRole, Reference, Timestamp};
use inferlog_vault::{ErasureReport, OldRoot, SealContext, open_payload};

/// The first line.
const TITLE: &str = "inferlog erasure certificate v1";
/// The longest certificate that is read, bytes.
const NOTE_BYTES_MAX: usize = 1 << 20;

/// What a certificate is made of.
pub(super) struct Facts<'a> {
    pub(super) told: &'a Told,
    pub(super) completed: &'a Stated,
    pub(super) report: Option<&'a ErasureReport>,
    pub(super) followers: &'a [Follower],
    pub(super) now: Timestamp,
}

/// Lines `key: value`.
struct Lines(String);

impl Lines {
    fn add(&mut self, key: &str, value: impl std::fmt::Display) {
        // What a line break, or another control character, could make of the note.
        let value: String = value.to_string().chars().filter(|c| !c.is_control()).collect();
        self.0.push_str(&format!("{key}: {value}\n"));
    }
}

impl System {
    /// The certificate, signed.
    pub(super) fn certify(&self, facts: &Facts<'_>) -> Result<Vec<u8>, RecordError> {
        let origin = &self.state.log.identity().origin;
        Ok(self.inner.node.sign_note(origin, self.certificate_text(origin, facts)?)?)
    }

    fn certificate_text(&self, origin: &str, facts: &Facts<'_>) -> Result<String, RecordError> {
        let Facts { told, completed, now, .. } = facts;
        let mut lines = Lines(format!("{TITLE}\n"));
        lines.add("origin", origin);
        lines.add("system", self.name());
        lines.add("intent", told.event.id);
        lines.add("intent-log", self.origin_of(told)?);
        lines.add("intent-entry", told.index);
        lines.add("announced", told.event.logged_at);
        lines.add("completed", now);
        lines.add("order", completed.order);
        for subject in &completed.subjects {
            lines.add("subject", subject);
        }
        for key in &completed.keys {
            lines.add("key", key);
        }
        lines.add("decisions", completed.decisions.0);
        if let Some(resumes) = completed.resumes {
            lines.add("resumes", resumes);
        }
        lines.add("withheld", completed.withheld.0);
        for refusal in &completed.refusals {
            lines.add("withheld-for", refusal);
        }
        for hold in &completed.holds {
            lines.add("hold", hold);
        }
        if let Some(until) = completed.until {
            lines.add("withheld-until", until);
        }
        lines.add("checked", "the keystore holds none of the keys");
        stores(&mut lines, facts);
        outside(&mut lines, completed.backup_horizon);
        Ok(lines.0)
    }

    fn origin_of(&self, told: &Told) -> Result<String, RecordError> {
        let ledger = self.ledger();
        match ledger.logs().find(|(log, _)| *log == told.log) {
            Some((_, dir)) => Ok(LogIdentity::load(&*self.inner.env.fs, dir)?.origin),
            None => Err(RecordError::Invalid(format!("log {:?} is not here any more", told.log))),
        }
    }

    /// The certificate of an erasure, once it is complete. `None` before, of what was refused, and of what an inferlog completed
    /// that kept no certificates.
    pub async fn certificate(&self, intent: Id) -> Result<Option<Certificate>, RecordError> {
        let ledger = self.ledger();
        let of_it = |told: &&Told| told.erasure().is_some_and(|stated| stated.intent == Some(intent));
        let is_held = |reference: &&Reference| reference.role == PayloadRole::Certificate;
        let found = ledger.events().filter(of_it).find_map(|told| {
            let reference = told.event.payloads.iter().find(is_held)?;
            Some((told.clone(), *reference))
        });
        let Some((told, reference)) = found else { return Ok(None) };
        self.inner.node.integrate().await?;
        let system = self.clone();
        let read = move || system.read_certificate(&told, &reference);
        let (completed, note) = tokio::task::spawn_blocking(read).await??;
        Ok(Some(Certificate { system: self.name().clone(), intent, completed, note }))
    }

    fn read_certificate(&self, told: &Told, reference: &Reference) -> Result<(Id, String), RecordError> {
        let lost =
            |what: &str| RecordError::Invalid(format!("the certificate in event {}: {what}", told.event.id));
        let Content::Sealed(sealed) = reference.content else { return Err(lost("it is not there")) };
        let ledger = self.ledger();
        let dir = ledger.logs().find(|(log, _)| *log == told.log).map(|(_, dir)| dir.clone());
        let dir = dir.ok_or_else(|| lost("its log is not here any more"))?;
        let origin = LogIdentity::load(&*self.inner.env.fs, &dir)?.origin;
        let reader = LogReader::new(self.inner.env.fs.clone(), dir);
        let (event, payload) = (&told.event, reference.payload);
        let at = event.logged_at.nanos();
        let bytes = reader.payload(event.retention.as_str(), at, told.index, payload.into_bytes())?;
        let bytes = bytes.ok_or_else(|| lost("no pack holds it"))?;
        let key = self.inner.vault.data_key(sealed.key_id, payload)?;
        let role = reference.role.as_str();
        let context = SealContext { origin: &origin, event: event.id, role, payload };
        let (encoding, commitment) = (sealed.encoding, &sealed.commitment);
        let note = open_payload(&key, &context, &bytes, encoding, commitment, NOTE_BYTES_MAX)
            .map_err(|error| lost(&error.to_string()))?;
        Ok((event.id, String::from_utf8(note).map_err(|_| lost("it is no text"))?))
    }
}

/// What was done in each store.
fn stores(lines: &mut Lines, facts: &Facts<'_>) {
    let epoch = facts.completed.root_epoch.unwrap_or_default();
    let keystore = match facts.report {
        Some(report) => format!(
            "keystore, pages written anew: {}, keys left out: {}",
            report.pages_rewritten, report.keys_erased
        ),
        None => "keystore, before a restart".to_owned(),
    };
    lines.add("store", keystore);
    let old = match facts.report.map(|report| &report.old_root) {
        Some(OldRoot::Destroyed) => "the one before is destroyed",
        Some(OldRoot::Kept(_)) => "the one before may still be where it lived",
        None => "renewed before a restart",
    };
    lines.add("root-key", format_args!("epoch {epoch}, {old}"));
    lines.add("store", "wal, what is left of the keys there is sealed by page keys that are gone");
    lines.add("store", "packs, the sealed bytes stay and have no key");
    for Follower { name, next } in facts.followers {
        lines.add("store", format_args!("index {name}, has applied every entry before {next}"));
    }
    let Some(report) = facts.report.filter(|report| !report.backups.is_empty()) else { return };
    let failed = report.backups.iter().filter(|backup| backup.failed.is_some()).count();
    let (all, done) = (report.backups.len(), report.backups.len() - failed);
    lines.add("store", format_args!("backups, {done} of {all} places brought up to date"));
}

/// What the certificate says nothing of.
fn outside(lines: &mut Lines, horizon: Option<Timestamp>) {
    for what in [
        "copies of the keystore that inferlog does not write, until they are gone",
        "archives of a database's own log, its replicas and its backups",
        "stores that followed the log once and were forgotten",
        "evidence bundles, exports and answers that were given out before",
        "what stands in clear in the log: times, numbers, configured names, pseudonyms",
    ] {
        lines.add("outside", what);
    }
    match horizon {
        Some(horizon) => lines.add("backup-horizon", horizon),
        None => lines.add("backup-horizon", "not configured"),
    }
}
