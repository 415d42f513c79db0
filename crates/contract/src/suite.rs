//! The parts of the suite. Each begins with an empty log and an empty store.

use crate::world::{World, failed};
use crate::{MARK, Store};

/// A part: its name, and what it shows.
pub type Part = (&'static str, fn(&World, &mut dyn Store) -> Result<(), String>);

/// All parts.
pub const PARTS: [Part; 6] = [
    ("each event once, whatever is ended when", each_event_once),
    ("an erasure leaves no byte", erasure_leaves_no_byte),
    ("an erasure, ended at each step", erasure_ended_at_each_step),
    ("what a hold keeps is kept", hold_keeps),
    ("who comes back late erases first", back_late),
    ("a purge leaves what the remaining log gives", purges),
];

/// Steps of one process beyond which a store does not end any more.
const STEPS_MAX: usize = 5_000;

/// Holds a store to the contract.
///
/// # Errors
/// The part that it fails, and how.
pub fn check(store: &mut dyn Store) -> Result<(), String> {
    for (name, part) in PARTS {
        store.clear();
        let world = World::new()?;
        part(&world, store).map_err(failed(name))?;
    }
    Ok(())
}

fn that(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what.to_owned()) }
}

fn catch_up(world: &World, store: &mut dyn Store) -> Result<(), String> {
    world.follow(|source| store.catch_up(source))?
}

/// Decisions about two persons in turn, by ids `first`, `first + 1`, ….
fn decide(world: &World, first: u32, count: u32) -> Result<(), String> {
    for number in first..first + count {
        let person = if number % 2 == 0 { "ada" } else { "bob" };
        world.decide(person, &format!("{person}-{number}"))?;
    }
    Ok(())
}

fn has(store: &mut dyn Store, bytes: &[u8]) -> bool {
    store.all_bytes().iter().any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

/// Whether any file of the store holds what is known of an id: its digest, or its text.
fn holds(world: &World, store: &mut dyn Store, id: &str) -> bool {
    has(store, &world.digest(id)) || has(store, format!("{MARK}-{id}").as_bytes())
}

/// Whether any file of the store holds what a decision about this person was given, or the text of an id of theirs.
fn holds_content(store: &mut dyn Store, person: &str) -> bool {
    has(store, format!("{MARK}-{person}").as_bytes())
}

fn each_event_once(world: &World, store: &mut dyn Store) -> Result<(), String> {
    decide(world, 0, 12)?;
    for step in 1..STEPS_MAX {
        let is_done = world.follow(|source| store.end_at(source, step))?;
        let (cursor, mut held, mut below) = (world.cursor(store)?, store.events(), Vec::new());
        held.sort_unstable();
        world.entries(|index, entry| {
            if index < cursor
                && let Ok(view) = inferlog_record::EntryView::parse(entry)
            {
                below.extend(view.events.iter().map(|event| event.id));
            }
        })?;
        that(below.iter().all(|id| held.binary_search(id).is_ok()), "the cursor is ahead of the store")?;
        that(held.windows(2).all(|two| two[0] != two[1]), "an event is there twice")?;
        if is_done {
            break;
        }
    }
    catch_up(world, store)?;
    catch_up(world, store)?;
    let mut held = store.events();
    held.sort_unstable();
    that(held == world.events()?, "its events are not those of the log, each once")?;
    let before = store.answers();
    store.clear();
    catch_up(world, store)?;
    that(store.answers() == before, "derived anew it answers otherwise")
}

fn erasure_leaves_no_byte(world: &World, store: &mut dyn Store) -> Result<(), String> {
    decide(world, 0, 40)?;
    catch_up(world, store)?;
    that(holds(world, store, "ada-0") && store.finds(&world.digest("ada-0")), "it derives nothing from ids")?;
    world.erase("ada");
    catch_up(world, store)?;
    for number in (0..40).step_by(2) {
        that(!holds(world, store, &format!("ada-{number}")), "bytes of an erased person survive")?;
    }
    that(!holds_content(store, "ada"), "content about an erased person survives")?;
    that(store.finds(&world.digest("bob-1")), "another person's are gone")?;
    let intent = world.last_removal()?.ok_or("there is no intent")?;
    that(world.cursor(store)? > intent, "the cursor does not pass an erasure that was applied")?;
    // Neither a start nor deriving anew brings anything back.
    store.clear();
    catch_up(world, store)?;
    let is_back = holds(world, store, "ada-0") || holds_content(store, "ada");
    that(!is_back, "what was erased comes back when it is derived anew")?;
    that(store.finds(&world.digest("bob-1")), "another person's do not come back")
}

fn erasure_ended_at_each_step(world: &World, store: &mut dyn Store) -> Result<(), String> {
    decide(world, 0, 10)?;
    catch_up(world, store)?;
    world.erase("ada");
    let intent = world.last_removal()?.ok_or("there is no intent")?;
    for step in 1..STEPS_MAX {
        let is_done = world.follow(|source| store.end_at(source, step))?;
        if world.cursor(store)? > intent {
            let survives = holds(world, store, "ada-0") || holds_content(store, "ada");
            that(!survives, "the cursor has passed an erasure that bytes survive")?;
        }
        if is_done {
            break;
        }
    }
    catch_up(world, store)?;
    that(!holds(world, store, "ada-0"), "bytes of an erased person survive")?;
    that(world.cursor(store)? > intent, "the cursor does not pass an erasure that was applied")
}

fn hold_keeps(world: &World, store: &mut dyn Store) -> Result<(), String> {
    let held = world.decide("ada", "held")?;
    world.decide("ada", "free")?;
    world.hold(&[held])?;
    catch_up(world, store)?;
    world.erase("ada");
    catch_up(world, store)?;
    that(!holds(world, store, "free"), "what no hold keeps survives")?;
    that(store.finds(&world.digest("held")), "what a hold keeps is gone")
}

fn back_late(world: &World, store: &mut dyn Store) -> Result<(), String> {
    decide(world, 0, 10)?;
    catch_up(world, store)?;
    world.erase("ada");
    decide(world, 10, 600)?;
    let before = store.events().len();
    for step in 1..STEPS_MAX {
        let is_done = world.follow(|source| store.end_at(source, step))?;
        if store.events().len() > before {
            that(!store.finds(&world.digest("ada-0")), "it derives what is new before it erases")?;
        }
        if is_done {
            break;
        }
    }
    catch_up(world, store)?;
    that(!holds(world, store, "ada-0"), "bytes of an erased person survive")
}

fn purges(world: &World, store: &mut dyn Store) -> Result<(), String> {
    decide(world, 0, 300)?;
    let held = world.decide("bob", "bob-held")?;
    world.hold(&[held])?;
    // A day with nothing in it is one that a purge does not trust.
    for day in 0..14 {
        world.wait_days(1);
        decide(world, 1_000 + day * 30, 30)?;
    }
    catch_up(world, store)?;
    let before = store.events().len();
    // A purge waits for the cursor, and the cursor for the log: each goes on when the other has.
    for _ in 0..4 {
        world.purge()?;
        catch_up(world, store)?;
    }
    that(!holds(world, store, "ada-0") && !holds(world, store, "bob-1"), "bytes of purged payloads survive")?;
    that(store.finds(&world.digest("ada-1390")), "what is not due is gone")?;
    that(store.events().len() < before, "rows of purged entries survive")?;
    let mut held = store.events();
    held.sort_unstable();
    that(held == world.events()?, "its events are not those of the remaining log")?;
    let before = store.answers();
    store.clear();
    catch_up(world, store)?;
    that(store.answers() == before, "derived anew from the remaining log it answers otherwise")
}
