//! What is judged of a decision as a whole. A decision is held in memory from its opening until nothing is owed any more: it
//! is closed, and what it should have beside is there. So memory grows with decisions that are open or lack something, not with
//! the log.

use std::collections::HashMap;

use inferlog_record::body::{Body, FinishReason, Outcome};
use inferlog_record::{Event, Id};

use super::profile::Profile;
use super::report::RouteShare;
use super::rules::{Finds, Rule, Sight, share};

/// A decision may be open so long before it counts as never closed, nanoseconds.
const OPEN_NS: u64 = 3_600_000_000_000;
/// Decisions held at most; beyond, those that are closed are judged as they stand.
const HELD_MAX: usize = 4 << 20;
/// Routes that are told apart; decisions of others count as of the route `others`.
const ROUTES_MAX: usize = 4_096;
/// Decisions of a route that name a person, before those that name none are a finding.
const SUBJECTS_MIN: u64 = 10;
const EXAMPLES_MAX: usize = 3;

/// What is known of a decision that something is owed of.
#[derive(Debug, Default)]
struct Held {
    opened_ns: u64,
    route: usize,
    is_closed: bool,
    is_answered: bool,
    has_inference: bool,
    has_subject: bool,
    has_session: bool,
    has_human: bool,
    /// Whether it was judged before, and is held again for what came later.
    is_again: bool,
    /// Model calls that asked for tools.
    asked: Vec<Id>,
}

#[derive(Debug, Default)]
struct Route {
    name: String,
    decisions: u64,
    joined: u64,
    with_subject: u64,
    with_session: u64,
    with_human: u64,
    without_subject: Vec<Id>,
    /// Old enough that a person should have acted, and nobody did.
    without_human: u64,
    examples: Vec<Id>,
}

/// The decisions of one system.
#[derive(Debug)]
pub(super) struct Decisions<'a> {
    profile: &'a Profile,
    now_ns: u64,
    /// Decisions opened in this time are judged.
    window: std::ops::Range<u64>,
    held: HashMap<Id, Held>,
    routes: Vec<Route>,
    known_routes: HashMap<String, usize>,
    pub(super) decisions: u64,
    pub(super) closed: u64,
    pub(super) open: u64,
    /// Whether some were judged before the log's end.
    pub(super) is_cut: bool,
}

impl<'a> Decisions<'a> {
    pub(super) fn new(profile: &'a Profile, now_ns: u64, window: std::ops::Range<u64>) -> Self {
        let (held, routes, known_routes) = (HashMap::new(), Vec::new(), HashMap::new());
        let (decisions, closed, open) = (0, 0, 0);
        Self { profile, now_ns, window, held, routes, known_routes, decisions, closed, open, is_cut: false }
    }

    /// Whether what comes after the window matters to this decision.
    pub(super) fn holds(&self, decision: Id) -> bool {
        self.held.contains_key(&decision)
    }

    /// Takes an event of a decision, in the order of the log. `in_window` says whether the event is.
    pub(super) fn take(&mut self, decision: Id, event: &Event, in_window: bool, finds: &mut Finds) {
        let opens = matches!(event.body, Body::DecisionOpened(_)) && in_window;
        if opens && !self.held.contains_key(&decision) {
            self.open(decision, event);
        } else if !self.held.contains_key(&decision) {
            self.owe_again(decision, event);
        }
        if let Body::DecisionJoined(joined) = &event.body
            && in_window
        {
            let route = self.route(joined.route.as_ref().map(|route| route.as_str()));
            self.routes[route].joined += 1;
        }
        let Some(held) = self.held.get_mut(&decision) else { return };
        held.has_subject |= !event.subjects.is_empty();
        held.has_session |= event.session.is_some();
        match &event.body {
            Body::DecisionJoined(_) => held.is_closed = false,
            Body::Inference(body) => {
                held.has_inference = true;
                if body.finish_reason == Some(FinishReason::ToolCalls) {
                    held.asked.push(event.id);
                }
            }
            Body::ToolCall(_) => {
                // The call names the model call that asked; one that names none of them answers the last.
                let asked = held.asked.len();
                held.asked.retain(|inference| !event.after.contains(inference));
                if held.asked.len() == asked {
                    held.asked.pop();
                }
            }
            Body::Human(_) => held.has_human = true,
            Body::DecisionClosed(body) => {
                self.closed += u64::from(!held.is_closed && !held.is_again);
                held.is_closed = true;
                held.is_answered = body.outcome == Outcome::Answered;
                if body.outcome == Outcome::Interrupted {
                    let route = self.routes.get(held.route).map_or("-", |route| route.name.as_str());
                    finds.add(&Sight::new(Rule::Interrupted, route, &decision));
                }
            }
            _ => {}
        }
    }

    /// The events of one write were taken: whoever owes nothing any more is let go.
    pub(super) fn written(&mut self, decision: Id, finds: &mut Finds) {
        let expects_human = self.profile.interventions() > 0.0;
        if self.held.get(&decision).is_some_and(|held| held.is_closed && !held.owes(expects_human))
            && let Some(held) = self.held.remove(&decision)
        {
            self.judge(decision, &held, finds);
        }
        if self.held.len() > HELD_MAX {
            self.is_cut = true;
            let mut closed: Vec<Id> =
                self.held.iter().filter(|(_, held)| held.is_closed).map(|(id, _)| *id).collect();
            closed.sort_unstable();
            self.judge_all(closed, finds);
        }
    }

    fn open(&mut self, decision: Id, event: &Event) {
        let Body::DecisionOpened(opened) = &event.body else { return };
        let route = self.route(opened.route.as_ref().map(|route| route.as_str()));
        self.routes[route].decisions += 1;
        self.decisions += 1;
        let opened_ns = event.logged_at.nanos();
        self.held.insert(decision, Held { opened_ns, route, ..Held::default() });
    }

    /// A decision that was judged, and goes on: what comes now may owe something anew.
    fn owe_again(&mut self, decision: Id, event: &Event) {
        let began = decision.millis().saturating_mul(1_000_000);
        if !self.window.contains(&began) {
            return;
        }
        let route = match &event.body {
            Body::DecisionJoined(joined) => self.route(joined.route.as_ref().map(|route| route.as_str())),
            Body::Inference(body) if body.finish_reason == Some(FinishReason::ToolCalls) => self.route(None),
            _ => return,
        };
        let is_closed = !matches!(event.body, Body::DecisionJoined(_));
        let held = Held {
            opened_ns: event.logged_at.nanos(),
            route,
            is_closed,
            has_inference: true,
            is_again: true,
            ..Held::default()
        };
        self.held.insert(decision, held);
    }

    fn route(&mut self, name: Option<&str>) -> usize {
        let name = name.unwrap_or("-");
        if let Some(known) = self.known_routes.get(name) {
            return *known;
        }
        let name = if self.routes.len() >= ROUTES_MAX { "others" } else { name };
        let routes = &mut self.routes;
        *self.known_routes.entry(name.to_owned()).or_insert_with(|| {
            routes.push(Route { name: name.to_owned(), ..Route::default() });
            routes.len() - 1
        })
    }

    fn judge_all(&mut self, decisions: Vec<Id>, finds: &mut Finds) {
        for decision in decisions {
            if let Some(held) = self.held.remove(&decision) {
                self.judge(decision, &held, finds);
            }
        }
    }

    /// Judges a decision as far as it went.
    fn judge(&mut self, decision: Id, held: &Held, finds: &mut Finds) {
        let age_ns = self.now_ns.saturating_sub(held.opened_ns);
        let Some(route) = self.routes.get_mut(held.route) else { return };
        let name = route.name.clone();
        if !held.is_closed {
            if age_ns < OPEN_NS {
                self.open += u64::from(!held.is_again);
                return;
            }
            finds.add(&Sight::new(Rule::NeverClosed, &name, &decision));
        }
        if held.is_answered && !held.has_inference {
            finds.add(&Sight::new(Rule::NoInference, &name, &decision));
        }
        if !held.asked.is_empty() {
            finds.add(&Sight::new(Rule::ToolCall, &name, &decision));
        }
        if held.is_again {
            return;
        }
        let expected = self.profile.has_route(&name);
        if self.profile.expects_sessions() && expected && !held.has_session {
            let noted = finds.add(&Sight::new(Rule::NoSession, &name, &decision));
            if self.profile.is_biometric() {
                noted.severity(super::report::Severity::Critical).law();
            }
        }
        route.with_subject += u64::from(held.has_subject);
        route.with_session += u64::from(held.has_session);
        route.with_human += u64::from(held.has_human);
        if !held.has_subject && route.without_subject.len() < EXAMPLES_MAX {
            route.without_subject.push(decision);
        }
        if expected && !held.has_human && held.is_closed && age_ns >= self.profile.within_ns() {
            route.without_human += 1;
            if route.examples.len() < EXAMPLES_MAX {
                route.examples.push(decision);
            }
        }
    }

    /// The log ends here.
    pub(super) fn end(&mut self, finds: &mut Finds) -> Vec<RouteShare> {
        let mut held: Vec<Id> = self.held.keys().copied().collect();
        held.sort_unstable();
        self.judge_all(held, finds);
        let least = self.profile.interventions();
        for route in &self.routes {
            let without = route.decisions.saturating_sub(route.with_subject);
            if route.with_subject >= SUBJECTS_MIN && route.with_subject >= without && without > 0 {
                many(finds, Rule::NoSubject, route, without, &route.without_subject);
            }
            let judged = route.with_human + route.without_human;
            if least > 0.0 && judged > 0 && (route.with_human as f64) < least * judged as f64 {
                many(finds, Rule::NoIntervention, route, route.without_human, &route.examples);
            }
        }
        let all = self.decisions;
        let mut routes: Vec<RouteShare> = self.routes.drain(..).map(|route| route.share(all)).collect();
        routes.sort_by(|one, other| (other.decisions, &one.route).cmp(&(one.decisions, &other.route)));
        routes
    }
}

fn many(finds: &mut Finds, rule: Rule, route: &Route, count: u64, examples: &[Id]) {
    for example in examples {
        finds.add(&Sight { count: 0, ..Sight::new(rule, &route.name, example) });
    }
    finds.add(&Sight { rule, what: &route.name, example: None, count });
}

impl Held {
    fn owes(&self, expects_human: bool) -> bool {
        self.is_answered && !self.has_inference || !self.asked.is_empty() || expects_human && !self.has_human
    }
}

impl Route {
    fn share(self, all: u64) -> RouteShare {
        RouteShare {
            decisions: self.decisions,
            joined: self.joined,
            route: self.name,
            share: share(self.decisions, all),
            with_human: self.with_human,
            with_session: self.with_session,
            with_subject: self.with_subject,
        }
    }
}
