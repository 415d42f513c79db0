//! Checkpoints that the reader kept, against those of the bundle.

use inferlog_merkle::{Checkpoint, NoteError, Receipt, SignedNote};

use super::Verifier;
use super::report::{AgainstReport, Check};
use crate::layout;

impl Verifier<'_> {
    /// Every checkpoint that the reader holds. One of another size is not judged: a bundle has no consistency proofs.
    pub(super) fn compare_held(&mut self) {
        let options = self.options;
        for held in &options.against {
            match read(held) {
                Some((checkpoint, note)) => self.compare(&checkpoint, &note),
                None => {
                    let what = "what you hold is neither a checkpoint (a signed note of origin, size and root hash) nor a receipt";
                    self.refuse_held(None, None, what.to_owned());
                }
            }
        }
    }

    fn compare(&mut self, checkpoint: &Checkpoint, note: &SignedNote) {
        let (origin, held) = (checkpoint.origin().to_owned(), checkpoint.size());
        let Some(number) = self.logs.iter().position(|log| log.report.origin == origin) else {
            let what = format!("the checkpoint you hold is of {origin}, which is no log of this bundle");
            return self.refuse_held(Some(checkpoint), None, what);
        };
        if let Err(error) = self.is_signed(number, note) {
            return self.refuse_held(Some(checkpoint), None, format!("the checkpoint you hold: {error}"));
        }
        let log = &self.logs[number];
        let here = log.report.size;
        let (same, what) = match () {
            () if held != here => {
                let what = format!(
                    "the checkpoint you hold has {held} entries, the bundle's {here}: a bundle alone cannot show that one grew \
                     into the other; ask for the consistency of the log, or for a bundle under your checkpoint"
                );
                (None, what)
            }
            () if log.root == Some(checkpoint.root()) => (
                Some(true),
                format!("the bundle's proofs are under the very checkpoint that you hold (size {held})"),
            ),
            () => {
                let what = format!(
                    "the checkpoint you hold has another root hash at the same size {held}: its log shows different records to \
                     different readers"
                );
                return self.refuse_held(Some(checkpoint), Some(number), what);
            }
        };
        self.against.push(AgainstReport { origin, size: held, same, what });
    }

    /// Whether the log signed what the reader holds, or a witness that the reader trusts.
    fn is_signed(&self, log: usize, note: &SignedNote) -> Result<(), NoteError> {
        let known = [self.logs[log].keys.clone(), self.witnesses()].concat();
        note.verify(&known).map(|_| ())
    }

    fn refuse_held(&mut self, held: Option<&Checkpoint>, log: Option<usize>, what: String) {
        let file = log.map_or_else(|| "what you hold".to_owned(), layout::checkpoint);
        self.fault(Check::Checkpoint, &file, what.clone());
        let (origin, size) = held.map_or((String::new(), 0), |held| (held.origin().to_owned(), held.size()));
        self.against.push(AgainstReport { origin, size, same: Some(false), what });
    }
}

/// The checkpoint in a note or in a receipt.
fn read(held: &[u8]) -> Option<(Checkpoint, SignedNote)> {
    let note = match Receipt::parse(held) {
        Ok(receipt) => receipt.note().clone(),
        Err(_) => SignedNote::parse(held).ok()?,
    };
    Some((note.text().parse().ok()?, note))
}
