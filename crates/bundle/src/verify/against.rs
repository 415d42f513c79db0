//! The checkpoint that the reader kept, against the one of the bundle.

use inferlog_merkle::{Checkpoint, SignedNote};

use super::Verifier;
use super::report::{AgainstReport, Check};
use crate::layout;

impl Verifier<'_> {
    pub(super) fn compare_held(&mut self) {
        let Some(held) = &self.options.against else { return };
        let parsed = SignedNote::parse(held)
            .ok()
            .and_then(|note| Some((note.text().parse::<Checkpoint>().ok()?, note)));
        let Some((checkpoint, note)) = parsed else {
            return self.say_held(
                None,
                None,
                "the checkpoint you hold is not one: a signed note of origin, size and root hash".to_owned(),
            );
        };
        let number = self.logs.iter().position(|log| log.report.origin == checkpoint.origin());
        let Some(number) = number else {
            let what = format!(
                "the checkpoint you hold is of {}, which is no log of this bundle",
                checkpoint.origin()
            );
            return self.say_held(Some(&checkpoint), None, what);
        };
        let log = &self.logs[number];
        if let Err(error) = note.verify(&log.keys) {
            return self.say_held(Some(&checkpoint), None, format!("the checkpoint you hold: {error}"));
        }
        let (held, here) = (checkpoint.size(), log.report.size);
        if held != here {
            let what = format!(
                "the checkpoint you hold has {held} entries, the bundle's {here}: a bundle alone cannot show that one grew into the \
                 other; ask for the consistency of the log, or for a bundle under your checkpoint"
            );
            self.found.notice("the checkpoint you hold", || what.clone());
            self.against =
                Some(AgainstReport { origin: checkpoint.origin().to_owned(), size: held, same: None, what });
            return;
        }
        if log.root == Some(checkpoint.root()) {
            let what =
                format!("the bundle's proofs are under the very checkpoint that you hold (size {held})");
            self.against = Some(AgainstReport {
                origin: checkpoint.origin().to_owned(),
                size: held,
                same: Some(true),
                what,
            });
            return;
        }
        let what = format!(
            "the checkpoint you hold has another root hash at the same size {held}: its log shows different records to different readers"
        );
        self.say_held(Some(&checkpoint), Some(number), what);
    }

    fn say_held(&mut self, held: Option<&Checkpoint>, log: Option<usize>, what: String) {
        let file = log.map_or_else(|| "the checkpoint you hold".to_owned(), layout::checkpoint);
        self.fault(Check::Checkpoint, &file, what.clone());
        let (origin, size) = held.map_or((String::new(), 0), |held| (held.origin().to_owned(), held.size()));
        self.against = Some(AgainstReport { origin, size, same: Some(false), what });
    }
}
