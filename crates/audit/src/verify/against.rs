//! What a reader remembers, held against the log: whether it still is the one that this was made of, and where not.

use inferlog_log::LogDir;
use inferlog_merkle::{
    Checkpoint, CheckpointError, Hash, NoteError, Receipt, SignedNote, VerifierKey, leaf_hash,
};

use super::history::{History, entries};
use super::remembered::Held;
use super::signed::Opened;
use crate::json::EntryScan;
use crate::keys::LogKeys;
use crate::report::{FaultKind, Faults, KeySource};

/// Keys that the reader gave.
pub(super) struct Given<'a> {
    pub(super) logs: &'a [VerifierKey],
    pub(super) witnesses: &'a [VerifierKey],
}

/// Compares what a reader remembers of a log, whose every entry was checked before, with it.
pub(super) fn compare(
    held: &mut [&mut Held],
    opened: &Opened<'_>,
    given: &Given<'_>,
    history: &mut History,
    faults_before: u64,
    faults: &Faults,
) {
    // First all roots: each narrows down where the others differ.
    let words: Vec<_> = held.iter_mut().map(|held| held.whose(opened, given)).collect();
    let roots: Vec<_> = held.iter().map(|held| held.root_found(opened)).collect();
    for ((held, word), root) in held.iter().zip(&words).zip(&roots) {
        if let (Ok(()), Some(Ok(found))) = (word, root) {
            history.note(held.checkpoint.size(), *found == held.checkpoint.root());
        }
    }
    let has_faults = faults.count() > faults_before;
    for ((held, word), root) in held.iter_mut().zip(words).zip(roots) {
        held.judge(opened, history, word, root, has_faults);
    }
}

impl Held {
    /// Whether somebody whose key is known signed it: the log, or a witness of the reader.
    fn whose(&mut self, opened: &Opened<'_>, given: &Given<'_>) -> Result<(), String> {
        let keys = LogKeys::choose(self.checkpoint.origin(), given.logs, &opened.keys.keys);
        let noun = self.noun();
        let false_one = |whose: &str, error: &dyn std::fmt::Display| {
            format!("the signature of the {noun} you hold does not verify by {whose}: {error}")
        };
        let mut signed_by = Vec::new();
        self.report.key_from = Some(keys.source);
        let source = match keys.source {
            KeySource::Given => "the key you gave",
            KeySource::Directory => "the key in the directory",
        };
        let by_log = keys.verify(&self.note, self.checkpoint.origin());
        match &by_log {
            Ok(verified) => signed_by.extend(verified.log.iter().map(|signature| signature.key.to_string())),
            Err(CheckpointError::Note(NoteError::NoKnownKey { .. })) => {}
            Err(error) => return Err(false_one(source, error)),
        }
        match witnesses(&self.note, given.witnesses) {
            Ok(witnesses) if witnesses.is_empty() => {}
            Ok(witnesses) => {
                signed_by.extend(witnesses);
                self.report.key_from = Some(KeySource::Given);
            }
            Err(error) => return Err(false_one("the witness's key you gave", &error)),
        }
        self.report.signed_by = signed_by;
        match by_log {
            Err(error) if self.report.signed_by.is_empty() => Err(false_one(source, &error)),
            _ => Ok(()),
        }
    }

    /// The log's root at its size; `None` where the log is shorter.
    fn root_found(&self, opened: &Opened<'_>) -> Option<Result<Hash, String>> {
        let (log, size) = (&opened.log, self.checkpoint.size());
        let root = || inferlog_merkle::root(&log.reader, size).map_err(|error| error.to_string());
        (size <= log.size).then(root)
    }

    fn judge(
        &mut self,
        opened: &Opened<'_>,
        history: &History,
        word: Result<(), String>,
        root: Option<Result<Hash, String>>,
        has_faults: bool,
    ) {
        let (log, size, noun) = (&opened.log, self.checkpoint.size(), self.noun());
        let mut at = None;
        let what = match (word, root) {
            (Err(false_one), _) => false_one,
            (Ok(()), None) => {
                self.report.changed = Some((log.size, size - 1));
                self.removed(log.size)
            }
            (Ok(()), Some(Err(error))) => format!("the root at size {size} cannot be computed: {error}"),
            (Ok(()), Some(Ok(root))) if root != self.checkpoint.root() => {
                let (changed, entry) = self.locate(opened, history);
                self.report.changed = Some(changed);
                at = entry.filter(|entry| entry.is_changed).and_then(|entry| entry.index);
                let this = entry.map_or("", |entry| entry.said());
                format!(
                    "the log was changed since the {noun} you hold (size {size}): its first {size} entries are others; the \
                     first change is among {}{this}",
                    entries(changed)
                )
            }
            (Ok(()), Some(Ok(_))) if has_faults => {
                format!(
                    "the root of the {noun} you hold (size {size}) is found again, but the log has faults"
                )
            }
            (Ok(()), Some(Ok(_))) => {
                self.report.unchanged = true;
                format!("unchanged since the {noun} you hold ({}size {size})", self.entry_named())
            }
        };
        if !self.report.unchanged {
            let bundle = at.and_then(|index| LogDir::bundle_of(index, log.size));
            match (at, bundle) {
                (Some(index), Some(bundle)) => {
                    log.sink.payload(&log.path(bundle), index, FaultKind::Against, what.as_str());
                }
                _ => log.sink.file(&log.dir.checkpoint(), FaultKind::Against, what.as_str()),
            }
        }
        self.report.what = what;
    }

    fn entry_named(&self) -> String {
        self.receipt.as_ref().map_or(String::new(), |(receipt, _)| format!("entry {}, ", receipt.index()))
    }

    fn removed(&self, log_size: u64) -> String {
        let (size, noun) = (self.checkpoint.size(), self.noun());
        let range = entries((log_size, size - 1));
        let mut what = format!(
            "the log has {log_size} entries, fewer than the {noun} you hold ({size}): entries were removed, or an older copy was \
             restored; {range} are not there"
        );
        if let Some((receipt, entry)) =
            self.receipt.as_ref().filter(|(receipt, _)| receipt.index() >= log_size)
        {
            let told = entry.as_deref().and_then(told).map_or(String::new(), |told| format!(" ({told})"));
            what += &format!("; among them entry {}{told}, which you hold", receipt.index());
        }
        what
    }

    /// Where the first change is, and what became of a receipt's own entry.
    fn locate(&self, opened: &Opened<'_>, history: &History) -> ((u64, u64), Option<Own>) {
        let known = history.changed_below(self.checkpoint.size());
        let Some((receipt, entry)) = &self.receipt else { return (known, None) };
        let Some(entry) = entry else { return (known, None) };
        let (log, index) = (&opened.log, receipt.index());
        let own = log
            .reader
            .entry(index, log.size)
            .ok()
            .map(|found| Own { index: Some(index), is_changed: leaf_hash(&found) != leaf_hash(entry) });
        let differing = differing(receipt, opened).into_iter();
        let own_range = own.filter(|own| own.is_changed).map(|_| (index, index));
        let first = differing.chain(own_range).min();
        let narrowed = first.map(|(first, last)| (first.max(known.0), last.min(known.1)));
        (narrowed.filter(|(first, last)| first <= last).unwrap_or(known), own)
    }
}

/// What became of the entry of a receipt.
#[derive(Clone, Copy)]
struct Own {
    index: Option<u64>,
    is_changed: bool,
}

impl Own {
    fn said(&self) -> &'static str {
        if self.is_changed {
            "; the entry you hold is another one now"
        } else {
            "; the entry you hold is still there"
        }
    }
}

/// The entries below each hash of a receipt's proof that is not the log's.
fn differing(receipt: &Receipt, opened: &Opened<'_>) -> Vec<(u64, u64)> {
    let (index, size) = (receipt.index(), receipt.checkpoint().size());
    let Ok(own) = inferlog_merkle::inclusion_proof(&opened.log.reader, index, size) else {
        return Vec::new();
    };
    let siblings = siblings(index, size);
    let compared = siblings.into_iter().zip(receipt.proof().iter().zip(own));
    compared.filter(|(_, (held, own))| *held != own).map(|(range, _)| range).collect()
}

/// The first and last entry below each hash of an inclusion proof, from the leaf's sibling up (RFC 9162, section 2.1.3.1).
fn siblings(index: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + (1 << (end - start - 1).ilog2());
        if index < middle {
            ranges.push((middle, end - 1));
            end = middle;
        } else {
            ranges.push((start, middle - 1));
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The witnesses among these keys that cosigned.
fn witnesses(note: &SignedNote, keys: &[VerifierKey]) -> Result<Vec<String>, NoteError> {
    match note.verify(keys) {
        Ok(verified) => Ok(verified.into_iter().map(|signature| signature.key.to_string()).collect()),
        Err(NoteError::NoKnownKey { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What an entry is, for a person.
fn told(entry: &[u8]) -> Option<String> {
    let mut scan = EntryScan::default();
    scan.read(entry).ok()?;
    let event = scan.events.first()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let decision =
        scan.decision.map_or("the life of the system".to_owned(), |id| format!("decision {}", text(id)));
    Some(format!("{}, {decision}, logged at {}", text(event.kind), text(event.logged_at)))
}

/// The checkpoint of a note, if it is one.
pub(super) fn parse(bytes: &[u8]) -> Result<(SignedNote, Checkpoint), CheckpointError> {
    let note = SignedNote::parse(bytes)?;
    let checkpoint = note.text().parse()?;
    Ok((note, checkpoint))
}
