//! What happens: decisions and late events in every tick, and now and then something out of the ordinary.

use std::collections::HashSet;
use std::time::Duration;

use inferlog_capture::recorder::{
    EraseRequest, NewContent, NewDecision, NewEvent, NewHold, RecordError, System, Target, closed,
};
use inferlog_disk::Clock as _;
use inferlog_record::body::{
    Basis, DecisionOpened, ExchangeEnd, Human, HumanAction, OrderKind, Outcome, Scope,
};
use inferlog_record::{ClearName, Id, MediaType, PayloadRole, RetentionClass, Timestamp};

use crate::model::{DAY_NS, Decision, Frozen};
use crate::world::{PERSONS, World};

/// Ticks of a day.
pub const TICKS: u64 = 3;
/// Decisions that are recorded at once.
const AT_ONCE: u64 = 64;
const ROUTES: [&str; 5] = ["chat", "chat", "chat", "credit", "loans"];
/// Of so many decisions one is remembered for late events.
const REMEMBERED_ONE_IN: u64 = 9;

impl World {
    /// Eight hours: decisions, and events that come late to older ones.
    pub async fn tick(&mut self, tick: u64) {
        self.clock.advance(Duration::from_secs(86_400 / TICKS));
        self.instance().recorder.clock_frozen();
        let count = (self.daily * (tick + 1)).div_ceil(TICKS) - (self.daily * tick).div_ceil(TICKS);
        let system = self.system().await;
        let mut left = count;
        while left > 0 {
            let at_once = left.min(AT_ONCE);
            left -= at_once;
            let mut going = Vec::new();
            for _ in 0..at_once {
                let (route, person) = (ROUTES[self.rng.usize(..ROUTES.len())], self.rng.usize(..PERSONS));
                let (system, text) =
                    (system.clone(), format!("{{\"day\":{},\"person\":{person}}}", self.day));
                going.push((person, tokio::spawn(async move { decide(&system, route, person, text).await })));
            }
            for (person, decision) in going {
                let id = decision.await.unwrap();
                let (entries, erased, closed) = (Vec::new(), false, true);
                self.model.decisions.insert(id, Decision { person, entries, erased, closed });
                self.counts.decisions += 1;
                if self.rng.u64(..REMEMBERED_ONE_IN) == 0 {
                    self.recent.push(id);
                }
            }
        }
        self.late_event(&system).await;
    }

    /// A reviewer overrides a decision of before, weeks or months later.
    async fn late_event(&mut self, system: &System) {
        if self.recent.is_empty() {
            return;
        }
        let id = self.recent[self.rng.usize(..self.recent.len())];
        let body = Human { about: None, action: HumanAction::Override, reviewer: None };
        let content = NewContent::personal(MediaType::Text, format!("overridden on day {}", self.day));
        let event = NewEvent::new(body).with(PayloadRole::HumanReason, content);
        match self.instance().recorder.ongoing(id, Some(system.name())).await {
            Ok(ongoing) => {
                ongoing.add(vec![event]).await.unwrap();
                self.counts.late += 1;
            }
            Err(RecordError::NoDecision(_)) => {
                // All that was recorded of it is gone.
                self.learn().await;
                let entries = &self.model.decisions[&id].entries;
                assert!(entries.iter().all(|at| self.model.entries[*at as usize].gone), "{id} is there");
                self.recent.retain(|other| *other != id);
                self.counts.too_late += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// What is out of the ordinary, by the day.
    pub async fn turn_of_events(&mut self) {
        self.learn().await;
        match self.day {
            200 => self.leap_ahead().await,
            350 => self.fall_back().await,
            500 => self.start_ahead().await,
            // For five months nobody reads.
            260 => self.follows = false,
            410 => self.follows = true,
            _ => {}
        }
        if self.day % 31 == 17 {
            self.close().await;
            self.open().await;
        }
        if self.day % 23 == 5 {
            self.place_hold().await;
        }
        if self.day % 41 == 30 {
            self.release_hold().await;
        }
        if self.day % 19 == 11 && self.follows {
            self.erase().await;
        }
        if self.day % 50 == 3 {
            self.take_receipt();
        }
    }

    async fn place_hold(&mut self) {
        let (system, now) = (self.system().await, self.clock.now_ns());
        let (frozen, scope) = if self.rng.bool() {
            let some = self.rng.choose_multiple(&self.recent, 5);
            let list: HashSet<Id> = some.into_iter().copied().filter(|id| self.is_there(*id)).collect();
            let decisions = list.iter().copied().collect();
            (Frozen::List(list), Scope { decisions, ..Scope::default() })
        } else {
            let (from, to) = (now - 30 * DAY_NS.min(now), now - 27 * DAY_NS.min(now));
            let scope = Scope {
                classes: vec![RetentionClass::new("credit").unwrap()].into(),
                from: Some(Timestamp(from)),
                to: Some(Timestamp(to)),
                ..Scope::default()
            };
            (Frozen::Time { class: "credit".into(), from, to }, scope)
        };
        if scope.decisions.is_empty() && scope.classes.is_empty() {
            return;
        }
        let (basis, incident) = (Basis::LegalClaim, None);
        let new = NewHold { basis, incident, scopes: vec![scope], order_text: None, actor: None };
        let hold = system.place_hold(new).await.unwrap();
        self.model.place(hold, frozen);
        self.counts.holds += 1;
    }

    fn is_there(&self, id: Id) -> bool {
        self.model.decisions[&id].entries.iter().any(|at| !self.model.entries[*at as usize].gone)
    }

    async fn release_hold(&mut self) {
        let Some(hold) = self.model.holds.keys().next().copied() else { return };
        let system = self.system().await;
        // What was withheld for it is erased now, for which the follower is waited.
        let released =
            tokio::spawn(async move { system.release_hold(hold, Basis::Internal, None, None).await });
        self.follow_until(|| released.is_finished()).await;
        released.await.unwrap().unwrap();
        self.counts.carried_on += self.model.release(hold);
        self.counts.released += 1;
    }

    async fn erase(&mut self) {
        let person = self.rng.usize(..PERSONS);
        let recorder = self.instance().recorder.clone();
        let target = Target::Subject(person_name(person).into_bytes());
        let erased =
            tokio::spawn(async move { recorder.erase(EraseRequest::new(target, OrderKind::Request)).await });
        self.follow_until(|| erased.is_finished()).await;
        erased.await.unwrap().unwrap();
        let before = self.model.withheld.len();
        self.model.erase(person);
        self.counts.withheld += (self.model.withheld.len() - before) as u64;
        self.counts.erasures += 1;
    }

    async fn follow_until(&self, is_done: impl Fn() -> bool) {
        while !is_done() {
            self.follow().await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The clock is set forty days ahead for a while; somebody settles it, and says which entries it stamped.
    async fn leap_ahead(&mut self) {
        self.set_clock(40);
        self.frozen = true;
        let first = self.model.entries.len() as u64;
        self.tick(0).await;
        self.purge().await;
        self.set_clock(-40);
        self.tick(1).await;
        self.purge().await;
        let last = self.last_stamped_ahead(first);
        self.settle(Some((first, last))).await;
    }

    /// And three days back for a while, which nobody disregards.
    async fn fall_back(&mut self) {
        self.set_clock(-3);
        self.frozen = true;
        self.tick(0).await;
        self.purge().await;
        self.set_clock(3);
        self.tick(1).await;
        self.purge().await;
        self.settle(None).await;
    }

    /// A start finds the clock twenty days ahead, and nobody vouches for it; the next one finds it right.
    async fn start_ahead(&mut self) {
        self.close().await;
        self.set_clock(20);
        self.vouch(false);
        self.frozen = true;
        let first = self.model.entries.len() as u64;
        self.open().await;
        self.learn().await;
        self.tick(0).await;
        self.purge().await;
        self.close().await;
        self.set_clock(-20);
        self.vouch(true);
        self.open().await;
        self.tick(1).await;
        self.purge().await;
        let last = self.last_stamped_ahead(first);
        self.settle(Some((first, last))).await;
    }

    /// The last entry that is ahead of the time that it is.
    fn last_stamped_ahead(&self, first: u64) -> u64 {
        let now = self.clock.now_ns();
        let ahead = |index: &u64| self.model.entries[*index as usize].stamp > now;
        (first..self.model.entries.len() as u64).filter(ahead).max().unwrap()
    }

    async fn settle(&mut self, disregard: Option<(u64, u64)>) {
        let (name, range) = (crate::world::name(), disregard.map(|(first, last)| first..=last));
        self.instance().recorder.settle_clock(Some(&name), range, Some("ops@example.org")).await.unwrap();
        if let Some((first, last)) = disregard {
            self.model.disregard(first, last);
        }
        self.frozen = false;
        self.learn().await;
    }

    fn take_receipt(&mut self) {
        let Some(id) = self.recent.last().copied().filter(|id| self.is_there(*id)) else { return };
        let select = inferlog_audit::Select::default();
        let found = inferlog_audit::receipts(&crate::quick::quick(), &self.data(), id, &select).unwrap();
        self.receipts.extend(found);
    }
}

pub fn person_name(person: usize) -> String {
    format!("person-{person}@example.org")
}

async fn decide(system: &System, route: &str, person: usize, text: String) -> Id {
    let body = DecisionOpened { route: Some(ClearName::new(route).unwrap()), ..DecisionOpened::default() };
    let opened = NewEvent::new(body).with(PayloadRole::InputRaw, NewContent::personal(MediaType::Json, text));
    let subjects = vec![person_name(person).into_bytes().into()];
    let mut decision = system.begin(NewDecision { subjects, ..NewDecision::new(opened) }).await.unwrap();
    let end = NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete));
    decision.finish(vec![end]).await.unwrap().id()
}
