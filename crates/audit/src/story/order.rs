//! The order in which things happened: by cause, never by clock.
//!
//! An event comes after those that it names in `after` and after the one that it is a part of (`parent`). What that leaves
//! open is decided by `seq`, among events of one source, by `part`, among pieces of one answer, and then by the place in the
//! log.

use std::collections::{BTreeMap, BTreeSet};

use inferlog_record::body::Body;
use inferlog_record::{Event, Id};

/// Events put in order.
pub(super) struct Ordered {
    /// Places in what was given, first to last.
    pub(super) sequence: Vec<usize>,
    /// Events that are, by what they name, their own cause.
    pub(super) in_a_ring: Vec<usize>,
}

/// What an event waits for.
#[derive(Clone, Default)]
struct Waits {
    causes: usize,
    /// Whether the one with the next lower `seq` of its source is not placed yet.
    predecessor: bool,
}

/// Puts events, given in the order of the log, in causal order.
pub(super) fn order(events: &[&Event]) -> Ordered {
    let at: BTreeMap<Id, usize> = events.iter().enumerate().map(|(at, event)| (event.id, at)).collect();
    let mut waits = vec![Waits::default(); events.len()];
    let mut effects: Vec<Vec<usize>> = vec![Vec::new(); events.len()];
    for (number, event) in events.iter().enumerate() {
        for cause in causes(event).filter_map(|id| at.get(&id)) {
            waits[number].causes += 1;
            effects[*cause].push(number);
        }
    }
    let successors = successors(events);
    successors.iter().flatten().for_each(|next| waits[*next].predecessor = true);
    let mut ordered = Ordered { sequence: Vec::with_capacity(events.len()), in_a_ring: Vec::new() };
    // Those without causes left, what waits for its predecessor last.
    let mut ready: BTreeSet<(bool, usize)> = BTreeSet::new();
    let mut left: BTreeSet<usize> = (0..events.len()).collect();
    ready.extend((0..events.len()).filter(|at| waits[*at].causes == 0).map(|at| (waits[at].predecessor, at)));
    while let Some(first) = left.first().copied() {
        let next = ready.pop_first().map_or_else(
            || {
                ordered.in_a_ring.push(first);
                first
            },
            |(_, next)| next,
        );
        left.remove(&next);
        ordered.sequence.push(next);
        for effect in &effects[next] {
            waits[*effect].causes -= 1;
            if waits[*effect].causes == 0 && left.contains(effect) {
                ready.insert((waits[*effect].predecessor, *effect));
            }
        }
        if let Some(successor) = successors[next] {
            waits[successor].predecessor = false;
            if ready.remove(&(true, successor)) {
                ready.insert((false, successor));
            }
        }
    }
    ordered
}

/// The events that an event names as come before it, each once.
pub(super) fn causes(event: &Event) -> impl Iterator<Item = Id> + '_ {
    let named = || event.after.iter().chain(&event.parent).copied();
    named()
        .enumerate()
        .filter(move |(at, id)| *id != event.id && !named().take(*at).any(|other| other == *id))
        .map(|(_, id)| id)
}

/// For each event that its source numbers, and each piece of an answer, the one with the next number.
fn successors(events: &[&Event]) -> Vec<Option<usize>> {
    let mut sources: BTreeMap<_, Vec<(u64, usize)>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let source = event.capture.as_ref();
        let source = source.map_or(("", ""), |capture| (capture.method.as_str(), capture.adapter.as_str()));
        let numbered = match (&event.body, event.seq) {
            (Body::Delivery(body), _) => body.part.map(|part| (body.of, u64::from(part))),
            (_, seq) => seq.map(|seq| (None, seq.0)),
        };
        if let Some((of, number)) = numbered {
            sources.entry((source.0, source.1, of)).or_default().push((number, at));
        }
    }
    let mut successors = vec![None; events.len()];
    for mut numbered in sources.into_values() {
        numbered.sort_unstable();
        numbered.windows(2).for_each(|pair| successors[pair[0].1] = Some(pair[1].1));
    }
    successors
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

    use super::*;
    use inferlog_record::body::Output;
    use inferlog_record::{Count, SystemName, Timestamp};

    fn id(number: u8) -> Id {
        Id::new(u64::from(number), &[number; 10])
    }

    /// An event with its causes, logged at a time of no meaning.
    fn event(number: u8, after: &[u8], seq: Option<u64>) -> Event {
        let clock = Timestamp(1_000 - u64::from(number) * 7);
        let mut event = Event::new(id(number), SystemName::new("s").unwrap(), clock, Output::default());
        event.after = after.iter().map(|number| id(*number)).collect();
        event.seq = seq.map(Count);
        event
    }

    fn check(events: &[Event], expected: &[u8]) {
        let events: Vec<&Event> = events.iter().collect();
        let ordered = order(&events);
        let found: Vec<Id> = ordered.sequence.iter().map(|at| events[*at].id).collect();
        assert_eq!(found, expected.iter().map(|number| id(*number)).collect::<Vec<_>>());
        assert_eq!(ordered.in_a_ring, [] as [usize; 0]);
    }

    #[test]
    fn without_causes_the_log_decides() {
        check(&[event(3, &[], None), event(1, &[], None), event(2, &[], None)], &[3, 1, 2]);
    }

    #[test]
    fn causes_come_first_wherever_they_stand() {
        check(&[event(1, &[3], None), event(2, &[1], None), event(3, &[9], None)], &[3, 1, 2]);
    }

    #[test]
    fn seq_decides_among_siblings_and_never_against_a_cause() {
        check(&[event(1, &[], None), event(2, &[1], Some(2)), event(3, &[1], Some(1))], &[1, 3, 2]);
        check(&[event(1, &[], Some(9)), event(2, &[1], Some(2)), event(3, &[1], Some(1))], &[1, 3, 2]);
    }

    #[test]
    fn a_part_comes_after_the_whole() {
        let mut part = event(1, &[], None);
        part.parent = Some(id(2));
        check(&[part, event(2, &[], None)], &[2, 1]);
    }

    #[test]
    fn a_ring_of_causes_is_told_and_nothing_is_lost() {
        let events = [event(1, &[2], None), event(2, &[1], None), event(3, &[2], None), event(4, &[4], None)];
        let ordered = order(&events.iter().collect::<Vec<_>>());
        assert_eq!(ordered.in_a_ring, [0]);
        assert_eq!(ordered.sequence, [3, 0, 1, 2]);
    }

    #[test]
    fn any_order_of_the_log_gives_an_order_of_causes() {
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..200 {
            let len = rng.u8(1..30);
            let mut events: Vec<Event> = (0..len)
                .map(|number| {
                    let causes: Vec<u8> = (0..number).filter(|_| rng.u8(0..4) == 0).collect();
                    event(number, &causes, rng.bool().then(|| rng.u64(0..5)))
                })
                .collect();
            rng.shuffle(&mut events);
            let events: Vec<&Event> = events.iter().collect();
            let ordered = order(&events);
            assert_eq!(ordered.in_a_ring, [] as [usize; 0]);
            let place = |id: Id| ordered.sequence.iter().position(|at| events[*at].id == id).unwrap();
            assert_eq!(ordered.sequence.len(), events.len());
            for event in &events {
                assert!(event.after.iter().all(|cause| place(*cause) < place(event.id)));
            }
        }
    }
}
