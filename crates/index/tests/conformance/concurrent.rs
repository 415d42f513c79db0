//! Several engines at once, as several processes have them.

use std::collections::BTreeSet;

use inferlog_index::{Engine, EventNo, Result, Rows, Shared};

use super::{Store, decision, event, facet, id, interned, log, rollup};

const ROUNDS: u64 = 25;

/// Three followers of one log: each entry once, in whatever order they come.
pub fn one_log(store: &dyn Store) {
    let follow = || {
        let mut engine = store.engine();
        let mut done = 0;
        while done < ROUNDS {
            done += u64::from(retried(|| {
                let mut position = engine.begin(&log("a"))?;
                let no = EventNo::new(position.log, position.next, 0).unwrap();
                let (common, _) = interned(&mut *engine, "answered");
                let rows = Rows { events: vec![event(no, position.next, None, common)], ..Rows::default() };
                engine.write(&rows)?;
                position.next += 1;
                engine.commit(position)
            }));
        }
    };
    std::thread::scope(|scope| (0..3).for_each(|_| _ = scope.spawn(follow)));
    assert_eq!(store.ask("SELECT next FROM log"), [(3 * ROUNDS).to_string()]);
    let nos: BTreeSet<String> = store.ask("SELECT no FROM event").into_iter().collect();
    assert_eq!(nos.len() as u64, 3 * ROUNDS);
    assert_eq!(store.ask("SELECT count(*) FROM common"), ["1"]);
}

/// Three followers of three logs that all speak of the same two decisions, and count in the same minute.
pub fn one_decision(store: &dyn Store) {
    let follow = |name: &str, swap: bool| {
        let mut engine = store.engine();
        for round in 0..ROUNDS {
            while !retried(|| add(&mut *engine, name, round, swap)) {}
        }
    };
    std::thread::scope(|scope| {
        for (name, swap) in [("a", false), ("b", true), ("c", false)] {
            scope.spawn(move || follow(name, swap));
        }
    });
    let rounds = 3 * ROUNDS;
    let of = |each: u64| (rounds * each).to_string();
    assert_eq!(store.ask("SELECT events FROM decision"), [of(1), of(1)]);
    assert_eq!(store.ask("SELECT decisions FROM rollup_minute"), [of(1)]);
    assert_eq!(store.ask("SELECT sum(events) FROM rollup_hour"), [of(3)]);
    assert_eq!(store.ask("SELECT count(*) FROM event"), [of(1)]);
    assert_eq!(store.ask("SELECT count(*) FROM facet"), ["1"]);
    let logs: Vec<u64> = store.engine().logs().unwrap().iter().map(|(_, position)| position.next).collect();
    assert_eq!(logs, [ROUNDS; 3]);
}

/// Who waits for a decision gets it as it is then, in another facet.
pub fn another_facet(store: &dyn Store) {
    let mut one = store.engine();
    let mut write = |outcome: &str, is_new: bool, meanwhile: &dyn Fn()| {
        let position = one.begin(&log("a")).unwrap();
        let found = one.load(&[id(10)]).unwrap();
        assert_eq!(found.is_empty(), is_new);
        let mut row = decision(EventNo::new(position.log, 0, 0).unwrap(), 10);
        row.facet = facet(outcome);
        let (_, number) = interned(&mut *one, outcome);
        let (inserted, updated) =
            if is_new { (vec![(row, number)], vec![]) } else { (vec![], vec![(row, number)]) };
        one.write(&Rows { inserted, updated, ..Rows::default() }).unwrap();
        meanwhile();
        one.commit(position).unwrap();
    };
    write("answered", true, &|| ());
    std::thread::scope(|scope| {
        let (waiter, other) = (std::cell::Cell::new(None), store.engine());
        let other = std::cell::Cell::new(Some(other));
        write("failed", false, &|| {
            let mut other = other.take().unwrap();
            waiter.set(Some(scope.spawn(move || {
                other.begin(&log("b")).unwrap();
                other.load(&[id(10)]).unwrap()
            })));
            std::thread::sleep(std::time::Duration::from_millis(500));
        });
        let found = waiter.take().unwrap().join().unwrap();
        assert_eq!(found.get(&id(10)).and_then(|row| row.facet.outcome.as_deref()), Some("failed"));
    });
}

/// One more event of both decisions.
fn add(engine: &mut dyn Engine, name: &str, round: u64, swap: bool) -> Result<()> {
    let mut position = engine.begin(&log(name))?;
    let no = EventNo::new(position.log, round, 0).unwrap();
    let mut ids = [id(10), id(11)];
    if swap {
        ids.reverse();
    }
    let found = engine.load(&ids)?;
    let common = Shared::Common { kind: "k".to_owned(), json: "{}".to_owned() };
    let [common, number] = engine.intern(&[common, Shared::Facet(facet("answered"))])?[..] else { panic!() };
    let mut rows = Rows { events: vec![event(no, no.0 as u64, None, common)], ..Rows::default() };
    for (at, id) in ids.into_iter().enumerate() {
        let new = !found.contains_key(&id);
        let mut row = found.get(&id).cloned().unwrap_or_else(|| {
            let mut row = decision(EventNo(no.0 + at as i64), 0);
            (row.id, row.counters.0[1]) = (id, 0);
            row
        });
        row.counters.0[1] += 1;
        if new { &mut rows.inserted } else { &mut rows.updated }.push((row, number));
    }
    rows.minutes.push(rollup(60, number, 1));
    rows.hours.push(rollup(0, number, 1));
    engine.write(&rows)?;
    position.next += 1;
    engine.commit(position)
}

/// Whether it was done; false where another stood in the way.
fn retried(mut batch: impl FnMut() -> Result<()>) -> bool {
    match batch() {
        Ok(()) => true,
        Err(error) if error.is_conflict() => false,
        Err(error) => panic!("{error}"),
    }
}
