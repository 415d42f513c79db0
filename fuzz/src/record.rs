//! Entries: what a log holds, whoever wrote it.

#![allow(unreachable_pub, clippy::unwrap_used, reason = "a target panics to say that something is wrong")]

use inferlog_record::{Entry, EntryView, validate};

/// The bytes of an entry. What is read is written canonically, and read back from that to the same.
pub fn entries(data: &[u8]) {
    let view = EntryView::parse(data);
    let Ok(entry) = Entry::from_bytes(data) else { return };
    entry.events.iter().for_each(|event| drop(validate(event)));
    // An event of a kind that this version does not know is read and cannot be written.
    let Ok(bytes) = entry.to_bytes() else { return };
    let again = Entry::from_bytes(&bytes).unwrap();
    assert_eq!(again, entry);
    assert_eq!(again.to_bytes().unwrap(), bytes);
    let written = EntryView::parse(&bytes).unwrap();
    if let Ok(view) = view {
        assert_eq!((view.decision, view.part, view.of), (entry.decision, entry.part, entry.of));
        assert_eq!(view.events.len(), entry.events.len());
        let same = view.events.iter().zip(&written.events).all(|(a, b)| (a.id, a.kind) == (b.id, b.kind));
        assert!(same, "the two readers differ");
    }
}
