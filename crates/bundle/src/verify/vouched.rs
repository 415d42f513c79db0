//! What others signed over a checkpoint: witnesses that saw the log grow, authorities that saw it at a time.

use inferlog_merkle::{NoteError, NoteSignature, SignedNote, VerifiedSignature, VerifierKey};
use inferlog_record::Timestamp;
use inferlog_timestamp::{inspect, verify as verify_timestamp};

use super::Verifier;
use super::report::{Check, CosignatureReport, Outcome, TimestampReport, counted};
use crate::layout;

impl Verifier<'_> {
    /// Signatures of others than the log.
    pub(super) fn cosignatures(&mut self, number: usize, path: &str, note: &SignedNote) {
        let witnesses = self.witnesses();
        let mut checked: Vec<VerifiedSignature> = Vec::new();
        for signature in note.signatures() {
            let keys = &self.logs[number].keys;
            let is_own =
                keys.iter().any(|key| (key.name(), key.key_id()) == (signature.name(), signature.key_id()))
                    || signature.name() == self.logs[number].report.origin;
            if is_own {
                continue;
            }
            match check_one(note, signature, &witnesses).transpose() {
                Err(error) => self.fault(Check::Cosignatures, path, error.to_string()),
                Ok(verified) => {
                    let at = verified.as_ref().and_then(|verified| verified.timestamp).map(seconds);
                    let (name, key_id) = (signature.name().to_owned(), format!("{:08x}", signature.key_id()));
                    let report = CosignatureReport { name, key_id, at, verified: verified.is_some() };
                    self.logs[number].report.cosignatures.push(report);
                    checked.extend(verified);
                }
            }
        }
        self.judge_cosignatures(number, path, &witnesses, &checked);
    }

    fn judge_cosignatures(
        &mut self,
        number: usize,
        path: &str,
        witnesses: &[VerifierKey],
        checked: &[VerifiedSignature],
    ) {
        let all = self.logs[number].report.cosignatures.len();
        if let Some(policy) = &self.options.policy
            && !policy.satisfied(checked)
        {
            let what = format!(
                "the witnesses that cosigned it do not satisfy the quorum {:?} of your policy",
                policy.quorum()
            );
            self.fault(Check::Cosignatures, path, what);
        }
        if !self.options.witnesses.is_empty()
            && !checked.iter().any(|one| self.options.witnesses.contains(&one.key))
        {
            self.fault(Check::Cosignatures, path, "none of the witnesses whose keys you gave cosigned it");
        }
        for key in witnesses.iter().filter(|key| !checked.iter().any(|one| one.key == **key)) {
            self.found.notice("a witness", || format!("{} did not cosign {path}", key.name()));
        }
        let (outcome, what) = match (all, checked.len()) {
            (0, _) => return,
            (_, 0) => {
                let what = format!(
                    "{}: give the witnesses' keys with --witness or --policy",
                    counted(all, "cosignature")
                );
                (Outcome::Unchecked, what)
            }
            (all, checked) if all == checked => {
                (Outcome::Passed, format!("{} verified", counted(checked, "cosignature")))
            }
            (all, checked) => (
                Outcome::Passed,
                format!("{checked} of {all} cosignatures verified; of the others no key was given"),
            ),
        };
        self.found.tell(Check::Cosignatures, outcome, what);
    }

    /// Keys of witnesses, from the command line and the policy.
    pub(super) fn witnesses(&self) -> Vec<VerifierKey> {
        let mut keys = self.options.witnesses.clone();
        for witness in self.options.policy.iter().flat_map(|policy| policy.witnesses()) {
            if !keys.contains(&witness.key) {
                keys.push(witness.key.clone());
            }
        }
        keys
    }

    /// RFC 3161 timestamps over the checkpoint's text.
    pub(super) fn timestamps(&mut self, number: usize) {
        let prefix = format!("logs/{number}/timestamps/");
        let there: Vec<String> = self
            .paths
            .range(prefix.clone()..)
            .take_while(|path| path.starts_with(&prefix))
            .cloned()
            .collect();
        let told =
            self.facts.as_ref().and_then(|facts| facts.logs.get(number)).map_or(0, |log| log.timestamps);
        let expected: Vec<String> =
            (0..told.min(there.len() + 1)).map(|k| layout::timestamp(number, k)).collect();
        for path in expected.iter().filter(|path| !there.contains(path)) {
            self.fault(
                Check::Timestamps,
                path,
                format!("bundle.json speaks of {told} timestamps, and this one is not there"),
            );
        }
        for path in there.iter().filter(|path| !expected.contains(path)) {
            self.fault(
                Check::Timestamps,
                path,
                format!("bundle.json speaks of {told} timestamps, and this one is beyond them"),
            );
        }
        for path in there {
            self.timestamp(number, path);
        }
    }

    fn timestamp(&mut self, number: usize, path: String) {
        let Some(bytes) = self.read(&path) else { return };
        let Some(note) = &self.logs[number].note else {
            return self.fault(Check::Timestamps, &path, "there is no checkpoint that it could be of");
        };
        let message = note.text().as_bytes();
        let stamp = match &self.options.tsa_roots {
            Some(roots) => verify_timestamp(&bytes, message, None, roots),
            None => inspect(&bytes, message),
        };
        let trusted = self.options.tsa_roots.is_some();
        match stamp {
            Ok(stamp) => {
                let report =
                    TimestampReport { file: path, at: Some(stamp.time), by: Some(stamp.authority), trusted };
                self.logs[number].report.timestamps.push(report);
                let (outcome, what) = match trusted {
                    true => (
                        Outcome::Passed,
                        "every timestamp is of its checkpoint, by an authority under your roots",
                    ),
                    false => (
                        Outcome::Unchecked,
                        "each is of its checkpoint; whose word it is was not checked: give --tsa-roots",
                    ),
                };
                self.found.tell(Check::Timestamps, outcome, what);
            }
            Err(error) => self.fault(Check::Timestamps, &path, error.to_string()),
        }
    }
}

/// Seconds since 1970 as RFC 3339.
fn seconds(seconds: u64) -> String {
    Timestamp(seconds.saturating_mul(1_000_000_000)).to_string()
}

/// A signature checked with the key that bears its name and id; `None` if there is none among these.
fn check_one(
    note: &SignedNote,
    signature: &NoteSignature,
    keys: &[VerifierKey],
) -> Option<Result<VerifiedSignature, NoteError>> {
    let is_by = |key: &&VerifierKey| (key.name(), key.key_id()) == (signature.name(), signature.key_id());
    let key = keys.iter().find(is_by)?;
    // A note with this signature alone.
    let mut alone = SignedNote::new(note.text().to_owned()).ok()?;
    alone.push(signature.clone()).ok()?;
    alone.verify(std::slice::from_ref(key)).map(|mut verified| verified.pop()).transpose()
}
