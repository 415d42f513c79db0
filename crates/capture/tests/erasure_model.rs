//! Random sequences of decisions, holds, erasures, late events, releases, restarts and crashes against a plain model of what
//! can be read.
//!
//! `CASES=2000 cargo test --release -p inferlog-capture --test erasure_model` is the long run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "support/keeping.rs"]
mod keeping;
#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{EraseRequest, ErasureOutcome as Outcome, Recorder, System, Target};
use inferlog_record::body::{OrderKind, Scope};
use inferlog_record::{Id, Pseudonym};
use keeping::{DAY, World, add, hold, person, pseudonym, record, release};
use proptest::prelude::*;
use simulated::read;
use std::collections::BTreeSet;

const PEOPLE: [&str; 3] = ["ada", "bob", "eve"];

#[derive(Clone, Debug)]
enum Op {
    /// About those whose bits are set.
    Decide(u8),
    HoldDecision(usize),
    HoldPerson(usize),
    HoldAll,
    Release(usize),
    Erase(usize),
    EraseDecision(usize),
    Late(usize),
    NextDay,
    Restart,
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..8_u8).prop_map(Op::Decide),
        2 => (0..64_usize).prop_map(Op::HoldDecision),
        1 => (0..3_usize).prop_map(Op::HoldPerson),
        1 => Just(Op::HoldAll),
        3 => (0..64_usize).prop_map(Op::Release),
        4 => (0..3_usize).prop_map(Op::Erase),
        1 => (0..64_usize).prop_map(Op::EraseDecision),
        4 => (0..64_usize).prop_map(Op::Late),
        1 => Just(Op::NextDay),
        1 => Just(Op::Restart),
        1 => Just(Op::Crash),
    ]
}

/// A decision as the model has it.
struct Decision {
    id: Id,
    people: BTreeSet<Pseudonym>,
    payloads: usize,
    is_alive: bool,
    /// A person of it was erased, and it was withheld.
    is_pending: bool,
}

enum Frozen {
    All,
    Person(Pseudonym),
    Decision(Id),
}

#[derive(Default)]
struct Model {
    decisions: Vec<Decision>,
    /// What stands.
    holds: Vec<(Id, Frozen)>,
    /// What was erased as a whole or in part, by refusals too.
    refused: usize,
}

impl Model {
    fn is_held(&self, decision: &Decision) -> bool {
        self.holds.iter().any(|(_, frozen)| match frozen {
            Frozen::All => true,
            Frozen::Person(person) => decision.people.contains(person),
            Frozen::Decision(id) => *id == decision.id,
        })
    }

    fn held(&self) -> Vec<bool> {
        self.decisions.iter().map(|decision| self.is_held(decision)).collect()
    }

    /// Whether an erasure of this person is refused; else it happens.
    fn erase(&mut self, person: Pseudonym) -> bool {
        let held = self.held();
        let about = |decision: &Decision| decision.people.contains(&person) && decision.is_alive;
        let concerned = || self.decisions.iter().zip(&held).filter(|(decision, _)| about(decision));
        if concerned().count() > 0 && concerned().all(|(_, held)| *held) {
            self.refused += 1;
            return true;
        }
        for (decision, held) in self.decisions.iter_mut().zip(held).filter(|(decision, _)| about(decision)) {
            if held { decision.is_pending = true } else { decision.is_alive = false }
        }
        false
    }

    /// What was withheld goes when nothing holds it.
    fn resume(&mut self) {
        let held = self.held();
        for (decision, held) in self.decisions.iter_mut().zip(held) {
            decision.is_alive &= held || !decision.is_pending;
        }
    }
}

struct Run {
    world: World,
    recorder: Recorder,
    system: System,
    model: Model,
}

impl Run {
    async fn new() -> Self {
        let mut world = World::new(11);
        let (recorder, system) = world.open().await;
        Self { world, recorder, system, model: Model::default() }
    }

    async fn apply(mut self, op: &Op) -> Self {
        let count = self.model.decisions.len();
        match *op {
            Op::Decide(bits) => {
                let people: Vec<&str> =
                    (0..3).filter(|at| bits >> at & 1 == 1).map(|at| PEOPLE[at]).collect();
                let id = record(&self.system, &people).await;
                let known = people.iter().map(|who| pseudonym(&self.recorder, who).unwrap());
                let people = known.collect();
                let decision = Decision { id, people, payloads: 1, is_alive: true, is_pending: false };
                self.model.decisions.push(decision);
            }
            Op::HoldDecision(at) if count > 0 => {
                let id = self.model.decisions[at % count].id;
                self.hold(Frozen::Decision(id)).await;
            }
            Op::HoldPerson(at) => {
                if let Some(person) = pseudonym(&self.recorder, PEOPLE[at]) {
                    self.hold(Frozen::Person(person)).await;
                }
            }
            Op::HoldAll => self.hold(Frozen::All).await,
            Op::Release(at) if !self.model.holds.is_empty() => {
                let at = at % self.model.holds.len();
                let (id, _) = self.model.holds.remove(at);
                release(&self.system, id).await;
                self.model.resume();
            }
            Op::Erase(at) => self.erase(PEOPLE[at]).await,
            Op::EraseDecision(at) if count > 0 => self.erase_decision(at % count).await,
            Op::Late(at) if count > 0 => {
                let decision = &mut self.model.decisions[at % count];
                add(&self.recorder, decision.id, "late").await;
                decision.payloads += usize::from(decision.is_alive);
            }
            Op::NextDay => self.world.clock.advance(DAY),
            Op::Restart => (self.recorder, self.system) = self.world.reopen(self.recorder, self.system).await,
            Op::Crash => {
                drop((self.recorder, self.system));
                self.world.fs = self.world.fs.crash();
                (self.recorder, self.system) = self.world.open().await;
            }
            Op::HoldDecision(_) | Op::Release(_) | Op::EraseDecision(_) | Op::Late(_) => {}
        }
        self
    }

    async fn hold(&mut self, frozen: Frozen) {
        let scope = match &frozen {
            Frozen::All => Scope::default(),
            Frozen::Person(person) => Scope { subjects: vec![*person].into(), ..Scope::default() },
            Frozen::Decision(id) => Scope { decisions: vec![*id].into(), ..Scope::default() },
        };
        self.model.holds.push((hold(&self.system, scope).await, frozen));
    }

    async fn erase(&mut self, who: &str) {
        let known = pseudonym(&self.recorder, who);
        let erased = self.recorder.erase(person(who)).await.unwrap();
        assert_eq!(erased.len(), usize::from(known.is_some()));
        let Some(known) = known else { return };
        let is_refused = self.model.erase(known);
        let expected = if is_refused { Outcome::Refused } else { Outcome::Completed };
        assert_eq!(erased[0].outcome, expected, "{who}");
        assert_eq!(pseudonym(&self.recorder, who).is_some(), is_refused);
    }

    async fn erase_decision(&mut self, at: usize) {
        let is_held = self.model.is_held(&self.model.decisions[at]);
        let decision = &mut self.model.decisions[at];
        let request = EraseRequest::new(Target::Decision(decision.id), OrderKind::Unlawful);
        let erased = self.recorder.erase(request).await.unwrap();
        let outcomes: Vec<_> = erased.into_iter().map(|one| one.outcome).collect();
        match (decision.is_alive, is_held) {
            (false, _) => assert!(outcomes.is_empty(), "{outcomes:?}"),
            (true, true) => {
                assert_eq!(outcomes, [Outcome::Refused]);
                self.model.refused += 1;
            }
            (true, false) => {
                assert_eq!(outcomes, [Outcome::Completed]);
                decision.is_alive = false;
            }
        }
    }

    async fn check(&self) {
        self.recorder.integrate().await.unwrap();
        let (_, stored) = read(&self.world.fs);
        for decision in &self.model.decisions {
            let of_it = stored.iter().filter(|(id, _)| *id == decision.id);
            let opens: Vec<bool> =
                of_it.map(|(_, stored)| stored.open(self.recorder.vault()).is_ok()).collect();
            assert_eq!(opens, vec![decision.is_alive; decision.payloads], "{}", decision.id);
        }
        assert_eq!(self.system.holds().len(), self.model.holds.len());
        let told = self.world.erasures(&self.recorder).await;
        let count = |phase: &str| told.iter().filter(|told| *told == phase).count();
        assert_eq!((count("intent"), count("refused")), (count("completed"), self.model.refused));
    }
}

fn cases() -> u32 {
    std::env::var("CASES").map_or(64, |cases| cases.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn what_can_be_read_is_what_the_model_says(ops in prop::collection::vec(op(), 10..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for op in &ops {
                run = run.apply(op).await;
                if matches!(op, Op::Release(_) | Op::Erase(_) | Op::Restart | Op::Crash) {
                    run.check().await;
                }
            }
            run.check().await;
        });
    }
}
