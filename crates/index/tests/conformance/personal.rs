//! Identifiers and content, and their erasure.

use inferlog_index::{ClearContent, Engine, EventNo, Identifier, Position, Rows};
use inferlog_record::{KeyId, Pseudonym};

use super::{Store, decision, event, id, interned, log};

pub fn person(number: u8) -> Pseudonym {
    Pseudonym::new([number; 16])
}

fn key(slot: u16) -> KeyId {
    KeyId { page: 1, slot }
}

fn identifier(digest: u8, decision: EventNo, slot: u16) -> Identifier {
    Identifier { digest: [digest; 16], decision, key_id: key(slot) }
}

fn content(number: u64, decision: EventNo, slot: u16, text: &str) -> ClearContent {
    ClearContent { payload: id(number), decision, key_id: key(slot), content: text.to_owned() }
}

/// Three decisions: about person 1, about person 2, and one with payloads under a key that is destroyed.
pub fn erasures(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = |index| EventNo::new(position.log, index, 0).unwrap();
    write_decisions(&mut *engine, position);
    let identifiers = [identifier(1, no(0), 1), identifier(2, no(1), 2), identifier(3, no(2), 3)];
    let contents = [
        content(1, no(0), 1, r#"{"name":"one"}"#),
        content(2, no(1), 2, r#""two""#),
        content(3, no(2), 3, "[3]"),
    ];
    for _ in 0..2 {
        engine.identify(&identifiers, &contents).unwrap();
    }
    engine.commit(position).unwrap();
    assert_eq!(left(store), ("1,2,3".to_owned(), 3));

    engine.begin(&log("a")).unwrap();
    engine.erase(&[person(1)], &[]).unwrap();
    engine.erase(&[person(1)], &[key(3)]).unwrap();
    engine.rollback().unwrap();
    assert_eq!(left(store).1, 3, "an erasure that is not committed is none");

    engine.begin(&log("a")).unwrap();
    engine.erase(&[person(1)], &[key(3)]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store), ("2".to_owned(), 1));

    // Whoever finds their payloads in a backup does not bring them back; neither does another engine.
    let mut other = store.engine();
    let position = other.begin(&log("b")).unwrap();
    other.identify(&identifiers, &contents).unwrap();
    other
        .identify(&[identifier(9, no(1), 3), identifier(8, no(1), 4)], &[content(9, no(0), 9, "9")])
        .unwrap();
    other.commit(position).unwrap();
    assert_eq!(left(store), ("2,8".to_owned(), 1));
    other.begin(&log("b")).unwrap();
    other.erase(&[person(1)], &[key(3)]).unwrap();
    other.commit(position).unwrap();
    assert_eq!(left(store), ("2,8".to_owned(), 1));
}

fn write_decisions(engine: &mut dyn Engine, position: Position) {
    let no = |index| EventNo::new(position.log, index, 0).unwrap();
    let (common, facet) = interned(engine, "answered");
    let rows = Rows {
        events: (0..3).map(|at| event(no(at), at, Some(no(at)), common)).collect(),
        inserted: (0..3).map(|at| (decision(no(at), 10 + at), facet)).collect(),
        subjects: vec![(person(1), no(0)), (person(2), no(1))],
        ..Rows::default()
    };
    engine.write(&rows).unwrap();
}

/// First bytes of the digests that are there, and how many contents.
fn left(store: &dyn Store) -> (String, usize) {
    let mut digests: Vec<String> = ["1", "2", "3", "8", "9"].map(str::to_owned).to_vec();
    digests.retain(|digest| {
        let hex = format!("0{digest}").repeat(16);
        let found = |literal: &str| {
            store.ask(&format!("SELECT 1 FROM identifier WHERE digest = {literal}")).len() == 1
        };
        found(&store.bytes(&hex))
    });
    (digests.join(","), store.ask("SELECT payload FROM content").len())
}
