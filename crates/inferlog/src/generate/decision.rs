//! One decision from its opening to its end, and what comes late.

use inferlog_record::body::{
    Context, DecisionClosed, DecisionOpened, ErrorCode, ExchangeEnd, Human, HumanAction, Identical, Label,
    LabelOrigin, Method, Outcome, Output, StepOutcome, Tri,
};
use inferlog_record::{Count, Event, Id, PayloadRole, Pseudonym, Reference, Timestamp};

use super::make::{BEGIN_NS, ERRORS, Maker, NS_PER_DAY, NS_PER_MS, NS_PER_SECOND, Write, name, profile};
use super::steps::{self, Call};
use super::systems::{AGENT, CREDIT, LABELS, MODELS, Named, ROUTES, TRIAGE};

/// A decision as it is planned.
pub(super) struct Plan {
    pub(super) id: Id,
    pub(super) system: usize,
    pub(super) model: &'static Named,
    pub(super) version: &'static str,
    pub(super) begins: u64,
    pub(super) subjects: Vec<Pseudonym>,
    pub(super) session: Option<Id>,
    /// The opening event, and its input.
    pub(super) opened: Id,
    pub(super) input: Option<Reference>,
    /// How it ends; `None` if it never does.
    outcome: Option<Outcome>,
    error: Option<ErrorCode>,
}

/// Of a thousand decisions, how many end how, or never; the others are answered.
const OUTCOMES: [(u32, Option<Outcome>); 5] = [
    (40, Some(Outcome::Failed)),
    (30, Some(Outcome::Refused)),
    (20, Some(Outcome::Aborted)),
    (10, None),
    (2, Some(Outcome::Interrupted)),
];
/// Of a thousand decisions: a label or an override days later, a review at once, a failed delivery after the end.
const LATE: u32 = 10;
const REVIEWED: u32 = 20;
const UNDELIVERED: u32 = 3;
/// Of a thousand decisions of the agent: those that use tools.
const AGENTIC: u32 = 400;
/// Decisions to a person, on average.
const PER_PERSON: u64 = 6;

impl Plan {
    /// Draws one that begins at `begins`; `progress` of the time, in thousandths, has gone by.
    pub(super) fn draw(
        maker: &mut Maker,
        number: u64,
        begins: u64,
        progress: u64,
        sessions: &mut Sessions,
    ) -> Self {
        maker.begin_decision(number);
        let system = match maker.rng.u32(0..100) {
            0..50 => CREDIT,
            50..80 => TRIAGE,
            _ => AGENT,
        };
        let model = draw_model(maker, system);
        let versions = model.versions.len();
        let version = model.versions[(progress as usize * versions / 1_000).min(versions - 1)];
        let named = [800, 200, 300][system];
        let subjects = if maker.chance(named) { persons(maker, number) } else { Vec::new() };
        let (outcome, error) = draw_outcome(maker);
        let id = maker.id(begins);
        let session = sessions.of(maker, system, begins);
        Self {
            id,
            system,
            model,
            version,
            begins,
            subjects,
            session,
            opened: id,
            input: None,
            outcome,
            error,
        }
    }

    /// Everything that is written of it, in any order.
    pub(super) fn writes(&mut self, maker: &mut Maker, number: u64) -> Vec<Write> {
        let mut writes = vec![self.open(maker)];
        let Some(outcome) = self.outcome else { return writes };
        let mut at = self.begins;
        let is_agentic = self.system == AGENT && outcome == Outcome::Answered && maker.chance(AGENTIC);
        if is_agentic {
            steps::work(self, maker, number, &mut at, &mut writes);
        }
        let call = self.call(maker, outcome, at);
        at = call.ended;
        let (answer, end) = self.end(maker, outcome, &call);
        writes.push(end);
        if outcome == Outcome::Answered {
            self.afterwards(maker, answer, at, &mut writes);
        }
        writes
    }

    fn open(&mut self, maker: &mut Maker) -> Write {
        let (route, wire) = ROUTES[self.system];
        let week = (self.begins - BEGIN_NS) / (7 * NS_PER_DAY);
        let context = Context {
            build: Some(name(&format!("app-{}.{week}", 7 + self.system))),
            environment: Some(name(if maker.chance(50) { "staging" } else { "production" })),
            flags: Vec::new().into(),
            region: Some(name("eu-central")),
            variant: maker.chance(100).then(|| name(if maker.rng.bool() { "a" } else { "b" })),
        };
        let body = DecisionOpened {
            context: Some(context),
            method: Some(Method::Post),
            route: Some(name(route)),
            wire: Some(wire),
        };
        let mut event = maker.step(self.system, self.begins, self.begins, body);
        event.ended_at = None;
        profile(&mut event);
        maker.refer(&mut event, &[PayloadRole::InputRaw, PayloadRole::ExternalIds, PayloadRole::Headers]);
        (self.opened, self.input) = (event.id, event.payloads.first().copied());
        // The table of open decisions is for recovery, which would end what stays open here on purpose.
        self.write(self.begins, vec![event]).opening(self.outcome.is_some())
    }

    /// The model call that the answer comes from.
    fn call(&self, maker: &mut Maker, outcome: Outcome, at: u64) -> Call {
        let mean = [12 * NS_PER_MS, 900 * NS_PER_MS, 4 * NS_PER_SECOND][self.system];
        let ended = at + NS_PER_MS + maker.exponential(mean);
        let step = match outcome {
            Outcome::Answered => StepOutcome::Ok,
            Outcome::Refused => StepOutcome::Refused,
            Outcome::Failed => StepOutcome::Failed,
            Outcome::Aborted | Outcome::Interrupted => StepOutcome::Aborted,
        };
        Call { began: at, ended, outcome: step, error: self.error, tools: false }
    }

    /// The last entry: the call, the answer, the end. Gives the event that late ones speak of, too.
    fn end(&self, maker: &mut Maker, outcome: Outcome, call: &Call) -> (Id, Write) {
        let mut events = Vec::new();
        if outcome != Outcome::Interrupted {
            events.push(steps::inference(self, maker, call));
        }
        if outcome == Outcome::Answered && maker.chance([650, 900, 1_000][self.system]) {
            let raw_processed = if maker.chance(60) { Tri::False } else { Tri::True };
            let identical = Identical { processed_final: Tri::Unknown, raw_processed };
            let mut output = maker.step(self.system, call.ended, call.ended, Output { identical });
            output.after = events.last().map(|event: &Event| event.id).into_iter().collect::<Vec<_>>().into();
            maker.refer(&mut output, &[PayloadRole::OutputProcessed, PayloadRole::OutputFinal]);
            events.push(output);
        }
        let answer = events.last().map_or(self.opened, |event| event.id);
        events.push(self.closed(maker, outcome, call));
        let mut write = self.write(call.ended, events);
        write.closes = true;
        (answer, write)
    }

    fn closed(&self, maker: &mut Maker, outcome: Outcome, call: &Call) -> Event {
        let exchange = match outcome {
            Outcome::Aborted => ExchangeEnd::ClientAbort,
            Outcome::Interrupted => ExchangeEnd::Interrupted,
            Outcome::Failed if self.error == Some(ErrorCode::Timeout) => ExchangeEnd::Timeout,
            _ => ExchangeEnd::Complete,
        };
        let answered = matches!(outcome, Outcome::Answered | Outcome::Refused);
        let first = (call.ended - self.begins) / (1 + maker.rng.u64(0..4));
        let body = DecisionClosed {
            error: self.error.filter(|_| outcome == Outcome::Failed),
            exchange: Some(exchange),
            outcome,
            status: answered.then_some(200),
            time_to_first_byte_ns: answered.then_some(Count(first)),
        };
        let mut event = maker.step(self.system, self.begins, call.ended, body);
        event.started_at = None;
        event.after = vec![self.opened].into();
        if outcome == Outcome::Failed {
            maker.refer(&mut event, &[PayloadRole::Error]);
        }
        event
    }

    /// What people and the world say of the answer.
    fn afterwards(&self, maker: &mut Maker, answer: Id, end: u64, writes: &mut Vec<Write>) {
        if maker.chance(UNDELIVERED) {
            let at = end + maker.exponential(2 * NS_PER_SECOND);
            let body = DecisionClosed {
                error: None,
                exchange: Some(ExchangeEnd::ClientAbort),
                outcome: Outcome::Aborted,
                status: Some(200),
                time_to_first_byte_ns: None,
            };
            let mut event = maker.step(self.system, end, at, body);
            event.started_at = None;
            writes.push(self.write(at, vec![event]));
        }
        if maker.chance(REVIEWED) {
            let at = end + maker.exponential(120 * NS_PER_SECOND);
            let action = if maker.chance(700) { HumanAction::Approve } else { HumanAction::Escalate };
            writes.push(self.human(maker, answer, at, action));
        }
        if maker.chance(LATE) {
            let at = end + NS_PER_DAY + maker.rng.u64(0..20 * NS_PER_DAY);
            writes.push(self.label(maker, answer, at));
            // The application was not told that it came, and sends it again.
            if maker.chance(50) {
                let again = writes.last().map(|write| self.again(write, at + 3 * NS_PER_SECOND));
                writes.extend(again);
            }
        }
        if maker.chance(LATE) {
            let at = end + NS_PER_DAY + maker.rng.u64(0..20 * NS_PER_DAY);
            writes.push(self.human(maker, answer, at, HumanAction::Override));
        }
    }

    fn label(&self, maker: &mut Maker, about: Id, at: u64) -> Write {
        let origin = if maker.chance(600) { LabelOrigin::GroundTruth } else { LabelOrigin::Feedback };
        let body = Label { about: Some(about), name: name(LABELS[self.system]), origin };
        let mut event = maker.step(self.system, at, at, body);
        (event.started_at, event.ended_at) = (None, None);
        maker.refer(&mut event, &[PayloadRole::LabelValue]);
        self.write(at, vec![event])
    }

    fn human(&self, maker: &mut Maker, about: Id, at: u64, action: HumanAction) -> Write {
        let reviewer = maker.rng.u64(0..40);
        let reviewer = Some(maker.person(u64::MAX - reviewer));
        let mut event = maker.step(self.system, at, at, Human { about: Some(about), action, reviewer });
        if action == HumanAction::Override {
            maker.refer(&mut event, &[PayloadRole::HumanBefore, PayloadRole::HumanAfter]);
        }
        maker.refer(&mut event, &[PayloadRole::HumanReason]);
        self.write(at, vec![event])
    }

    /// The same events once more, later.
    pub(super) fn again(&self, write: &Write, at: u64) -> Write {
        let mut events = write.events.clone();
        for event in &mut events {
            event.logged_at = Timestamp(at);
        }
        self.write(at, events)
    }

    /// An entry of the decision.
    pub(super) fn write(&self, at: u64, mut events: Vec<Event>) -> Write {
        for event in &mut events {
            event.subjects = self.subjects.clone().into();
            event.session = self.session;
        }
        Write { system: self.system, at, decision: Some(self.id), events, opens: false, closes: false }
    }
}

impl Write {
    fn opening(mut self, opens: bool) -> Self {
        self.opens = opens;
        self
    }
}

fn draw_model(maker: &mut Maker, system: usize) -> &'static Named {
    let mut left = maker.rng.u32(0..100);
    let of = MODELS.iter().filter(|model| model.system == system);
    for model in of {
        match left.checked_sub(model.weight) {
            Some(less) => left = less,
            None => return model,
        }
    }
    &MODELS[0]
}

/// Few persons have many decisions, most have one or two.
fn persons(maker: &mut Maker, number: u64) -> Vec<Pseudonym> {
    let known = (number / PER_PERSON + 20) as f64;
    let mut draw = || (known * maker.rng.f64().powi(3)) as u64;
    let (one, other) = (draw(), draw());
    let mut persons = vec![maker.person(one)];
    if other != one && maker.chance(30) {
        persons.push(maker.person(other));
    }
    persons
}

fn draw_outcome(maker: &mut Maker) -> (Option<Outcome>, Option<ErrorCode>) {
    let mut left = maker.rng.u32(0..1_000);
    for (share, outcome) in OUTCOMES {
        match left.checked_sub(share) {
            Some(less) => left = less,
            None if outcome == Some(Outcome::Failed) => {
                return (outcome, Some(maker.pick(&ERRORS, ErrorCode::Other)));
            }
            None => return (outcome, None),
        }
    }
    (Some(Outcome::Answered), None)
}

/// Periods of use of the agent: several decisions each.
#[derive(Default)]
pub(super) struct Sessions {
    pub(super) current: Option<(Id, u64)>,
    /// Sessions that began and ended, for their own events.
    pub(super) began: Vec<(Id, u64)>,
    pub(super) ended: Vec<(Id, u64)>,
}

impl Sessions {
    fn of(&mut self, maker: &mut Maker, system: usize, at: u64) -> Option<Id> {
        if system != AGENT || !maker.chance(300) {
            return None;
        }
        if self.current.is_none() || maker.chance(200) {
            if let Some((ended, _)) = self.current {
                self.ended.push((ended, at));
            }
            let begun = maker.id(at);
            self.began.push((begun, at));
            self.current = Some((begun, at));
        }
        self.current.map(|(session, _)| session)
    }
}
