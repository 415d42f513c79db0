//! Identifiers and content: erased, withheld, purged.

use inferlog_index::{
    ClearContent, Engine, Erasure, EventNo, Identifier, KeyNo, Position, PurgedPayloads, Rows,
};
use inferlog_record::{KeyId, Pseudonym};

use super::{Store, decision, event, id, interned, log};

pub fn person(number: u8) -> Pseudonym {
    Pseudonym::new([number; 16])
}

fn key(position: Position, slot: u16) -> KeyNo {
    KeyNo::new(position.keystore, KeyId { page: 1, slot })
}

fn identifier(digest: u8, event: EventNo, decision: EventNo, key: KeyNo) -> Identifier {
    Identifier { event, digest: [digest; 16], decision, class: 1, key }
}

fn content(number: u64, event: EventNo, key: KeyNo, text: &str) -> ClearContent {
    ClearContent { payload: id(number), decision: event, event, class: 1, key, content: text.to_owned() }
}

pub fn erasure(intent: u64, subjects: &[Pseudonym], keys: &[KeyNo]) -> Erasure {
    Erasure { intent: id(intent), is_withheld: false, subjects: subjects.to_vec(), keys: keys.to_vec() }
}

/// Three decisions: about person 1, about person 2, and one with payloads under a key that is destroyed.
pub fn erasures(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = |index| EventNo::new(position.log, index, 0).unwrap();
    let key = |slot| key(position, slot);
    write_decisions(&mut *engine, position);
    let identifiers =
        [1, 2, 3].map(|n| identifier(n, no(u64::from(n) - 1), no(u64::from(n) - 1), key(n.into())));
    let contents = [
        content(1, no(0), key(1), r#"{"name":"one"}"#),
        content(2, no(1), key(2), r#""two""#),
        content(3, no(2), key(3), "[3]"),
    ];
    for _ in 0..2 {
        engine.identify(&identifiers, &contents).unwrap();
    }
    engine.commit(position).unwrap();
    assert_eq!(left(store), ("1,2,3".to_owned(), 3));

    engine.begin(&log("a")).unwrap();
    engine.erase(&[erasure(91, &[person(1)], &[])]).unwrap();
    engine.erase(&[erasure(92, &[person(1)], &[key(3)])]).unwrap();
    engine.rollback().unwrap();
    assert_eq!(left(store).1, 3, "an erasure that is not committed is none");

    engine.begin(&log("a")).unwrap();
    engine.erase(&[erasure(91, &[person(1)], &[key(3)])]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store), ("2".to_owned(), 1));
    assert!(engine.settle().unwrap());

    // Whoever finds their payloads in a backup does not bring them back; neither does another engine.
    let mut other = store.engine();
    let theirs = other.begin(&log("b")).unwrap();
    other.identify(&identifiers, &contents).unwrap();
    other
        .identify(
            &[identifier(9, no(9), no(1), key(3)), identifier(8, no(8), no(1), key(4))],
            &[content(9, no(0), key(9), "9")],
        )
        .unwrap();
    other.commit(theirs).unwrap();
    assert_eq!(left(store), ("2,8".to_owned(), 1));
    other.begin(&log("b")).unwrap();
    other.erase(&[erasure(93, &[person(1)], &[key(3)])]).unwrap();
    other.commit(theirs).unwrap();
    assert_eq!(left(store), ("2,8".to_owned(), 1));
}

/// Keys that are withheld from an erasure of a person stay until a later one names them; and a person who becomes known as one
/// whom a decision is about takes it along when the erasure is said again.
pub fn withheld(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = |index| EventNo::new(position.log, index, 0).unwrap();
    let key = |slot| key(position, slot);
    write_decisions(&mut *engine, position);
    let rows = [
        identifier(1, no(0), no(0), key(1)),
        identifier(2, no(0), no(0), key(2)),
        identifier(3, no(1), no(1), key(3)),
    ];
    engine.identify(&rows, &[]).unwrap();
    let withheld = Erasure { is_withheld: true, ..erasure(91, &[], &[key(1)]) };
    engine.erase(&[withheld, erasure(91, &[person(1)], &[])]).unwrap();
    engine.identify(&rows, &[]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store).0, "1,3");

    engine.begin(&log("a")).unwrap();
    let rows = Rows { subjects: vec![(person(1), no(1))], ..Rows::default() };
    engine.write(&rows).unwrap();
    engine.erase(&[erasure(91, &[person(1)], &[])]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store).0, "1");

    engine.begin(&log("a")).unwrap();
    engine.erase(&[erasure(94, &[], &[key(1)])]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store).0, "");
}

/// Two logs whose keystores give the same address to different keys.
pub fn keystores(store: &dyn Store) {
    let mut engine = store.engine();
    let (ours, theirs) = (log("a"), inferlog_index::LogName { keystore: "2".repeat(32), ..log("b") });
    let mut positions = Vec::new();
    for (name, digest) in [(&ours, 1), (&theirs, 2)] {
        let position = engine.begin(name).unwrap();
        let no = EventNo::new(position.log, 0, 0).unwrap();
        engine.identify(&[identifier(digest, no, no, key(position, 7))], &[]).unwrap();
        engine.commit(position).unwrap();
        positions.push(position);
    }
    assert_ne!(positions[0].keystore, positions[1].keystore);
    let names = engine.logs().unwrap();
    assert_eq!(names.iter().map(|(name, _)| name).collect::<Vec<_>>(), [&ours, &theirs]);
    engine.begin(&ours).unwrap();
    engine.erase(&[erasure(91, &[], &[key(positions[0], 7)])]).unwrap();
    engine.commit(positions[0]).unwrap();
    assert_eq!(left(store).0, "2");
}

/// Purges of payloads: of one class, of one log, of a range; ranges that touch become one.
pub fn purges(store: &dyn Store) {
    let mut engine = store.engine();
    let position = engine.begin(&log("a")).unwrap();
    let no = |index| EventNo::new(position.log, index, 0).unwrap();
    let key = |slot| key(position, slot);
    let mut rows: Vec<Identifier> =
        (1..4).map(|n| identifier(n, no(n.into()), no(n.into()), key(9))).collect();
    rows.push(Identifier { class: 2, ..identifier(8, no(2), no(2), key(9)) });
    let contents = [content(2, no(2), key(9), "2"), content(3, no(3), key(9), "3")];
    engine.identify(&rows, &contents).unwrap();
    let range = |first, last| PurgedPayloads { class: 1, first: no(first), last: no(last).entry().1 };
    engine.purge(&[range(0, 1), range(2, 2)]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store), ("3,8".to_owned(), 1));
    assert_eq!(store.ask("SELECT count(*) FROM purged"), ["1"]);
    engine.begin(&log("a")).unwrap();
    engine.identify(&rows, &contents).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store), ("3,8".to_owned(), 1), "what is purged is not derived again");
    engine.begin(&log("a")).unwrap();
    engine.forget(&[(no(2), no(3).entry().1)]).unwrap();
    engine.commit(position).unwrap();
    assert_eq!(left(store), (String::new(), 0));
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
