#![allow(clippy::panic, reason = "a test that fails, fails here")]

use super::*;
use inferlog_record::Timestamp;
use tokio::time::Instant;

fn id(number: u16) -> Id {
    Id::new(u64::from(number), &[0; 10])
}

fn call(call: &str, name: &str, arguments: &str) -> ToolCallFact {
    let arguments = Bytes::copy_from_slice(arguments.as_bytes());
    ToolCallFact { call: call.into(), name: name.into(), arguments, choice: 0 }
}

fn result(asked: &ToolCallFact, content: &str) -> ToolResult {
    let content = Bytes::copy_from_slice(content.as_bytes());
    ToolResult { call: asked.call.clone(), asked: Some(asked.clone()), content, is_error: false }
}

/// Calls, and events in a row.
#[derive(Default)]
struct World {
    calls: Calls,
    events: u16,
    is_crowded: bool,
}

impl World {
    fn ask(&mut self, inference: u16, calls: &[&ToolCallFact]) {
        let at = Moment { at: Timestamp(0), steady: Instant::now() };
        calls.iter().for_each(|call| self.calls.ask(call, id(inference), at));
    }

    fn result(&mut self, result: &ToolResult) -> Counted {
        self.events += 1;
        self.calls.result(result, id(100 + self.events), self.is_crowded)
    }

    /// A new result: who asked for it, its attempt and place.
    fn fresh(&mut self, result: &ToolResult) -> (Option<Id>, u32, u64) {
        match self.result(result) {
            Counted::New(new) => (new.asked.map(|asked| asked.inference), new.attempt, new.seq),
            again => panic!("{again:?}"),
        }
    }

    /// The event of a result that came before.
    fn again(&mut self, result: &ToolResult) -> Id {
        match self.result(result) {
            Counted::Again { event, .. } => event,
            new => panic!("{new:?}"),
        }
    }
}

#[test]
fn a_result_counts_once_however_often_it_is_sent() {
    for wire in ["a", ""] {
        let (mut world, search) = (World::default(), call(wire, "search", "{}"));
        world.ask(1, &[&search]);
        assert_eq!(world.fresh(&result(&search, "42")), (Some(id(1)), 1, 1));
        assert_eq!(world.again(&result(&search, "42")), id(101), "{wire:?}");
        assert_eq!(world.again(&result(&search, "42")), id(101), "{wire:?}");
    }
}

#[test]
fn the_same_call_again_is_another_attempt_and_other_arguments_are_another_call() {
    let mut world = World::default();
    let calls = [call("a", "search", "1"), call("b", "search", "1"), call("c", "search", "2")];
    world.ask(1, &[&calls[0]]);
    assert_eq!(world.fresh(&result(&calls[0], "error")), (Some(id(1)), 1, 1));
    world.ask(2, &[&calls[1], &calls[2]]);
    assert_eq!(world.fresh(&result(&calls[2], "x")), (Some(id(2)), 1, 2));
    assert_eq!(world.fresh(&result(&calls[1], "y")), (Some(id(2)), 2, 3));
}

#[test]
fn ids_that_a_server_gives_again_are_new_calls() {
    let mut world = World::default();
    let (first, second) = (call("call_0", "search", "1"), call("call_0", "search", "2"));
    world.ask(1, &[&first]);
    assert_eq!(world.fresh(&result(&first, "x")), (Some(id(1)), 1, 1));
    world.ask(2, &[&second]);
    // The first request again, whose answer was lost.
    assert_eq!(world.again(&result(&first, "x")), id(101));
    assert_eq!(world.fresh(&result(&second, "x")), (Some(id(2)), 1, 2));
}

#[test]
fn calls_without_ids_are_told_apart_by_name_and_arguments_and_order() {
    let mut world = World::default();
    let calls = [call("", "search", "1"), call("", "search", "2"), call("", "read", "1")];
    world.ask(1, &[&calls[0], &calls[1], &calls[2]]);
    assert_eq!(world.fresh(&result(&calls[2], "x")), (Some(id(1)), 1, 1));
    assert_eq!(world.fresh(&result(&calls[1], "x")), (Some(id(1)), 1, 2));
    // Spelled otherwise, it is still the only one that waits.
    assert_eq!(world.fresh(&result(&call("", "search", " 1"), "x")), (Some(id(1)), 1, 3));
    world.ask(2, &[&calls[0]]);
    assert_eq!(world.fresh(&result(&calls[0], "x")), (Some(id(2)), 2, 4), "the same once more");
    assert_eq!(world.again(&result(&calls[0], "x")), id(104));
}

#[test]
fn an_answer_that_was_lost_leaves_no_call_waiting() {
    let (mut world, search) = (World::default(), call("a", "search", "{}"));
    world.ask(1, &[&search]);
    world.ask(2, &[&search]);
    assert_eq!(world.fresh(&result(&search, "42")), (Some(id(2)), 1, 1));
    assert!(!world.calls.is_waiting(id(1)) && !world.calls.is_waiting(id(2)));
}

#[test]
fn a_result_that_is_early_is_not_waited_for() {
    let (mut world, search) = (World { is_crowded: true, ..World::default() }, call("a", "search", "{}"));
    assert_eq!(world.fresh(&result(&search, "42")), (None, 1, 1));
    world.ask(1, &[&search]);
    assert!(!world.calls.is_waiting(id(1)));
    // Later the id is a call's like any other.
    world.ask(2, &[&search]);
    assert_eq!(world.fresh(&result(&search, "43")), (Some(id(2)), 2, 2));
}

#[test]
fn what_was_not_recorded_comes_again() {
    let (mut world, search) = (World::default(), call("a", "search", "{}"));
    world.ask(1, &[&search]);
    let Counted::New(new) = world.result(&result(&search, "42")) else { panic!() };
    world.calls.undo(vec![new]);
    assert!(world.calls.is_waiting(id(1)));
    assert_eq!(world.fresh(&result(&search, "42")), (Some(id(1)), 1, 1));
}

#[test]
fn long_arguments_are_remembered_as_far_as_there_is_room() {
    let (mut world, long) = (World::default(), "x".repeat(ASKED_BYTES_MAX / 4));
    for number in 0..100_u16 {
        world.ask(number, &[&call(&number.to_string(), "write", &long)]);
    }
    world.ask(100, &[&call("huge", "write", &long.repeat(5))]);
    let waiting = (0..=100).filter(|number| world.calls.is_waiting(id(*number)));
    assert_eq!(waiting.collect::<Vec<_>>(), [97, 98, 99]);
}

#[test]
fn memory_is_bounded() {
    let mut world = World::default();
    for number in 0..2 * CALLS_MAX {
        let call = call(&number.to_string(), "search", &number.to_string());
        world.ask(1, &[&call]);
        world.fresh(&result(&call, "x"));
        world.ask(1, &[&ToolCallFact { call: format!("lost {number}"), ..call }]);
    }
    assert_eq!(world.calls.asked.len(), CALLS_MAX);
    assert_eq!((world.calls.known.notes.len(), world.calls.known.order.len()), (CALLS_MAX, CALLS_MAX));
    assert_eq!(world.calls.attempts.notes.len(), CALLS_MAX);
}
