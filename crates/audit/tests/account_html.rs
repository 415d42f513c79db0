//! An agent's decision, accounted for: what a person reads of it, in a browser and in plain language.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod agentic;
mod sealed;
mod world;

use agentic::agentic;

#[test]
fn the_fixture_tells_what_happened() {
    let world = agentic();
    let story = world.tell(true);
    let kinds: Vec<(&str, &[usize])> =
        story.events.iter().map(|event| (event.kind.as_str(), event.causes.as_slice())).collect();
    assert_eq!(kinds.len(), 19, "{kinds:?}");
    assert_eq!(story.problems, [] as [String; 0]);
    assert!(story.is_proved());
}
