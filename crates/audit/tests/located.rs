//! Accounts by way of an index: the same as by searching, whatever the log; and right though the index is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod sealed;
mod world;

use std::path::Path;
use std::time::Instant;

use inferlog_audit::account::{Account, reconstruct};
use inferlog_audit::{Located, Locator, Openings, ScanLocator, Select, StoryOptions};
use inferlog_log::LogReader;
use inferlog_record::body::{
    Aspect, DecisionOpened, Human, HumanAction, Outcome, StepOutcome, SystemChanged, ToolCall,
};
use inferlog_record::{Count, EntryView, Event, Id, MediaType, PayloadRole as Role, Timestamp};
use sealed::{Draft, Sealer};
use world::{DAY_NS, DIR, closed, inference, name, opened};

/// Knows what it is told to know.
struct Index(Result<Vec<Located>, String>);

impl Locator for Index {
    fn locate(&self, _: Id) -> Result<Vec<Located>, String> {
        self.0.clone()
    }
}

/// What a right index knows of a decision, having followed each log as far as `through` says.
fn honest(sealer: &Sealer, decision: Id, through: &mut dyn FnMut(u64) -> u64) -> Vec<Located> {
    let fs = &sealer.world.fs;
    let logs = inferlog_log::list_logs(&**fs, Path::new(DIR)).unwrap();
    let of = |log: inferlog_log::LogDir| {
        let origin = inferlog_log::LogIdentity::load(&**fs, &log).unwrap().origin;
        let reader = LogReader::new(fs.clone(), log);
        let size = reader.size().unwrap();
        let mut located = Located { origin, through: through(size), ..Located::default() };
        let until = located.through;
        reader
            .scan(0, size, |index, bytes| {
                let text = std::str::from_utf8(bytes).unwrap();
                let entry = EntryView::parse(bytes).unwrap();
                let is = |kind: &str| entry.events.iter().any(|event| event.kind == kind);
                if index < until {
                    match entry.decision == Some(decision) {
                        true => located.entries.push(index),
                        false if text.contains(&decision.to_string()) => located.mentions.push(index),
                        false => {}
                    }
                    located.erasures.extend(is("erasure").then_some(index));
                    located.changes.extend(is("system.changed").then_some(index));
                }
                true
            })
            .unwrap();
        located
    };
    logs.into_iter().map(of).collect()
}

fn account(sealer: &Sealer, decision: Id, index: Option<Result<Vec<Located>, String>>) -> Account {
    let index = index.map(Index);
    let locator = index.as_ref().map(|index| index as &dyn Locator);
    let openings = Some(&sealer.vault as &dyn Openings);
    let options = StoryOptions { openings, locator, ..StoryOptions::default() };
    reconstruct(&sealer.world.fs, Path::new(DIR), decision, &options, None).unwrap()
}

fn text(account: &Account) -> String {
    serde_json::to_string_pretty(account).unwrap()
}

fn begin(sealer: &mut Sealer, person: &str) -> (Draft, Id) {
    let mut draft = sealer.begin(person);
    let mut begun = sealer.world.event("credit", opened("score"));
    sealer.add(&mut draft, &mut begun, Role::InputRaw, MediaType::Text, person.as_bytes());
    let id = begun.id;
    sealer.write(&mut draft, vec![begun]);
    (draft, id)
}

fn step(sealer: &mut Sealer, after: Id) -> Event {
    sealer.world.tick(1_000_000);
    let body = ToolCall {
        attempt: None,
        error: None,
        latency_ns: None,
        name: name("lookup"),
        outcome: StepOutcome::Ok,
        version: None,
    };
    let mut event = sealer.world.event("credit", body);
    event.ended_at = Some(Timestamp(sealer.world.now_ns));
    event.after = vec![after].into();
    event
}

fn changed(sealer: &mut Sealer, decision: Option<Id>, number: u64) {
    let body = SystemChanged {
        aspect: Aspect::Version,
        decision,
        name: Some(name("credit")),
        new: Some(name(&number.to_string())),
        new_digest: None,
        old: None,
        old_digest: None,
    };
    let change = sealer.world.life("credit", body);
    sealer.world.commit("credit", &[change]);
}

/// Decisions that take turns in the log, over two epochs of it, with changes of the system between them.
fn interleaved(seed: u64) -> (Sealer, Vec<Id>) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut sealer = Sealer::new();
    let mut open: Vec<(Draft, Id)> = Vec::new();
    let mut decisions = Vec::new();
    for round in 0..120 {
        if round == 80 {
            sealer.world.integrate();
            sealer.world.create("credit");
        }
        sealer.world.tick(rng.u64(1..DAY_NS / 8));
        match rng.u8(0..10) {
            0..3 => {
                let begun = begin(&mut sealer, &format!("person {round}"));
                decisions.push(begun.0.decision);
                open.push(begun);
            }
            3 => changed(&mut sealer, rng.choice(&decisions).copied(), round),
            4 if !open.is_empty() => {
                // Late, and under another's eyes.
                let at = rng.usize(..open.len());
                let (draft, last) = &mut open[at];
                let mut human = sealer
                    .world
                    .event("credit", Human { about: None, action: HumanAction::Approve, reviewer: None });
                human.after = vec![*last].into();
                sealer.write(draft, vec![human]);
            }
            _ if !open.is_empty() => {
                let at = rng.usize(..open.len());
                let last = open[at].1;
                let event = step(&mut sealer, last);
                open[at].1 = event.id;
                let mut events = vec![event];
                if rng.u8(0..3) == 0 {
                    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
                    end.after = vec![open[at].1].into();
                    events.push(end);
                }
                sealer.write(&mut open[at].0, events);
            }
            _ => {}
        }
    }
    sealer.world.integrate();
    (sealer, decisions)
}

#[test]
fn located_or_searched_the_account_is_the_same() {
    for seed in 0..6 {
        let (sealer, decisions) = interleaved(seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        assert!(decisions.len() > 10);
        for decision in decisions {
            let searched = account(&sealer, decision, None);
            assert!(searched.proof.proved, "{:?}", searched.problems);
            let mut located = honest(&sealer, decision, &mut |size| rng.u64(0..=size + 3));
            if rng.bool() {
                located.pop();
            }
            located.iter_mut().for_each(|log| rng.shuffle(&mut log.entries));
            let found = account(&sealer, decision, Some(Ok(located)));
            assert_eq!(found.notices, [] as [String; 0]);
            assert_eq!(text(&found), text(&searched), "seed {seed}, decision {decision}");
        }
    }
}

#[test]
fn many_decisions_are_located_by_one_reading() {
    let (sealer, decisions) = interleaved(2);
    let few = &decisions[3..];
    let (fs, dir) = (&sealer.world.fs, Path::new(DIR));
    let mut seen = Vec::new();
    let scanned =
        ScanLocator::scan(fs, dir, &Select::default(), few, |done, total| seen.push((done, total))).unwrap();
    assert!(seen.is_sorted() && seen.last().is_some_and(|(done, total)| done == total), "{seen:?}");
    for &decision in few {
        let located = scanned.locate(decision).unwrap();
        assert!(!located.is_empty() && located.iter().any(|log| !log.entries.is_empty()));
        let found = account(&sealer, decision, Some(Ok(located)));
        assert_eq!(found.notices, [] as [String; 0]);
        assert_eq!(text(&found), text(&account(&sealer, decision, None)), "decision {decision}");
    }
    assert_eq!(scanned.locate(decisions[0]).unwrap(), [], "it was not asked for");
}

#[test]
fn an_index_that_lies_is_named_and_the_account_is_right() {
    let (sealer, decisions) = interleaved(1);
    let decision = decisions[3];
    let right = account(&sealer, decision, None);
    let honest = || honest(&sealer, decision, &mut |size| size);
    let home = |located: &[Located]| located.iter().position(|log| log.entries.len() > 1).unwrap();
    type Lie = fn(&mut Located);
    let lies: [(Lie, &str); 6] = [
        (|log| log.entries[0] += 1, "is not of this decision"),
        (|log| log.mentions = vec![log.entries[0]], "does not name this decision"),
        (|log| log.through = log.entries[1], "follows the log to"),
        (|log| log.entries.push(log.through), "follows the log to"),
        (|log| log.entries = log.entries[1..].to_vec(), "does not name all entries"),
        (|log| log.entries.clear(), "does not name all entries"),
    ];
    for (lie, said) in lies {
        let mut located = honest();
        let home = home(&located);
        lie(&mut located[home]);
        let found = account(&sealer, decision, Some(Ok(located)));
        assert!(found.notices.iter().any(|notice| notice.contains(said)), "{said}: {:?}", found.notices);
        assert_eq!(text(&Account { notices: Vec::new(), ..found }), text(&right), "{said}");
    }
    let found = account(&sealer, decision, Some(Err("it is locked".into())));
    assert!(found.notices[0].contains("it is locked"), "{:?}", found.notices);
    assert_eq!(text(&Account { notices: Vec::new(), ..found }), text(&right));
}

/// A decision of so many steps, and how long its account takes, in the best of three attempts.
fn long(steps: usize) -> (Account, std::time::Duration) {
    let mut sealer = Sealer::with_segments(64 << 20);
    let mut draft = sealer.begin("Ada");
    let mut begun = sealer.world.event("credit", DecisionOpened::default());
    sealer.add(&mut draft, &mut begun, Role::InputRaw, MediaType::Text, b"go");
    let mut last = begun.id;
    let first = begun.id;
    sealer.write(&mut draft, vec![begun]);
    for batch in 0..steps / 20 {
        let mut events = Vec::new();
        for at in 0..20 {
            let mut event = step(&mut sealer, last);
            event.seq = Some(Count((batch * 20 + at) as u64));
            event.after.0.push(first);
            last = event.id;
            if at == 0 {
                sealer.add(&mut draft, &mut event, Role::ToolResult, MediaType::Text, b"result");
            }
            events.push(event);
        }
        sealer.write(&mut draft, events);
    }
    let mut answer = sealer.world.event("credit", inference());
    answer.after = vec![last].into();
    sealer.write(&mut draft, vec![answer]);
    sealer.world.integrate();
    let located = honest(&sealer, draft.decision, &mut |size| size);
    let mut told = None;
    let mut best = std::time::Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        let account = account(&sealer, draft.decision, Some(Ok(located.clone())));
        let lines = account.to_text(inferlog_audit::TextOptions::default()).lines().count()
            + account.to_markdown().lines().count()
            + account.to_prov().lines().count();
        assert!(lines > steps);
        best = best.min(started.elapsed());
        told = Some(account);
    }
    (told.unwrap(), best)
}

#[test]
fn thousands_of_steps_take_seconds_and_no_more_than_their_number() {
    let (few, short) = long(1_000);
    let (many, long) = long(5_000);
    assert_eq!((few.steps.len(), many.steps.len()), (1_002, 5_002));
    assert!(many.proof.proved && many.problems.is_empty());
    assert!(many.steps.windows(2).all(|pair| {
        many.edges
            .binary_search_by_key(&(pair[0].number, pair[1].number), |edge| (edge.from, edge.to))
            .is_ok()
    }));
    // Twenty-five times, if every step looked at every other.
    assert!(long < short * 12 && long.as_secs() < 20, "1,000 steps: {short:?}, 5,000 steps: {long:?}");
}
