//! Sizes at which the log's root is known from elsewhere, and whether the log still has it: what narrows down a change.

use std::collections::BTreeSet;

/// The sizes of checkpoints that somebody signed, by whether the log's root at that size is theirs.
#[derive(Debug, Default)]
pub(super) struct History {
    same: BTreeSet<u64>,
    other: BTreeSet<u64>,
}

impl History {
    pub(super) fn note(&mut self, size: u64, is_same: bool) {
        if is_same { &mut self.same } else { &mut self.other }.insert(size);
    }

    /// The entries, from the first to the last, among which the first change below a checkpoint of this size is.
    pub(super) fn changed_below(&self, size: u64) -> (u64, u64) {
        let from = self.same.range(..size).next_back().copied().unwrap_or(0);
        let to = self.other.range(from..=size).find(|other| **other > from).copied().unwrap_or(size);
        (from, to.saturating_sub(1).max(from))
    }
}

/// `entry 5`, `entries 5 to 9`.
pub(super) fn entries((first, last): (u64, u64)) -> String {
    if first == last { format!("entry {first}") } else { format!("entries {first} to {last}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_lies_between_the_last_size_that_agrees_and_the_first_that_does_not() {
        let mut history = History::default();
        history.note(300, false);
        assert_eq!(history.changed_below(300), (0, 299));
        history.note(100, true);
        history.note(120, false);
        assert_eq!(history.changed_below(300), (100, 119));
        assert_eq!(entries(history.changed_below(120)), "entries 100 to 119");
        // A larger one that agrees says that what differs is of another history from its start on.
        history.note(400, true);
        assert_eq!(history.changed_below(300), (100, 119));
        history.note(119, true);
        assert_eq!(entries(history.changed_below(300)), "entry 119");
    }
}
