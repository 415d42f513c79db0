//! Decisions of several requests: told in causal order whatever the log's and the clock's, turn by turn, in few words or in all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod sealed;
mod world;

use std::path::Path;

use inferlog_audit::{Openings, Story, StoryOptions, TextOptions, story};
use inferlog_record::body::{
    Body, DecisionJoined, DecisionOpened, Delivery, Document, ExchangeEnd, FinishReason, Human, HumanAction,
    Label, LabelOrigin, Outcome, Output, Reasoning, ReasoningForm, Retrieval, Stage, StepOutcome, ToolCall,
    Transform, Usage,
};
use inferlog_record::{Count, Event, Id, MediaType, Millionths, PayloadRole as Role, Timestamp};
use sealed::{Draft, Sealer};
use world::{DIR, closed, inference, name};

const FIRST: &str = r#"{"model":"m","messages":[{"role":"user","content":"may I have a loan?"}]}"#;
const SECOND: &str = r#"{"model":"m","messages":[{"role":"user","content":"may I have a loan?"},{"role":"assistant","content":null,"tool_calls":["income","debts"]},{"role":"tool","content":"32000"},{"role":"tool","content":"error"}]}"#;

/// Makes the events of one decision, each a little later.
struct Maker {
    sealer: Sealer,
    draft: Draft,
}

impl Maker {
    fn new() -> Self {
        let mut sealer = Sealer::new();
        let draft = sealer.begin("Ada");
        Self { sealer, draft }
    }

    fn event(&mut self, body: impl Into<Body>, after: &[Id]) -> Event {
        self.sealer.world.tick(1_000_000);
        let mut event = self.sealer.world.event("credit", body);
        event.after = after.to_vec().into();
        event
    }

    fn with(&mut self, mut event: Event, role: Role, media_type: MediaType, content: &str) -> Event {
        self.sealer.add(&mut self.draft, &mut event, role, media_type, content.as_bytes());
        event
    }

    fn write(&mut self, events: Vec<Event>) {
        self.sealer.write(&mut self.draft, events);
    }

    fn tool(&mut self, tool: &str, attempt: u32, seq: u64, after: Id, error: bool) -> Event {
        let outcome = if error { StepOutcome::Failed } else { StepOutcome::Ok };
        let (latency_ns, version) = (Some(Count(2_500_000)), None);
        let body =
            ToolCall { attempt: Some(attempt), error: None, latency_ns, name: name(tool), outcome, version };
        let mut event = self.event(body, &[after]);
        event.seq = Some(Count(seq));
        let event = self.with(event, Role::ToolArguments, MediaType::Json, "{}");
        let role = if error { Role::Error } else { Role::ToolResult };
        self.with(event, role, MediaType::Text, if error { "no such table" } else { "32000" })
    }

    fn tell(&self, openings: bool) -> Story {
        let openings = openings.then_some(&self.sealer.vault as &dyn Openings);
        let options = StoryOptions { openings, ..StoryOptions::default() };
        story(&self.sealer.world.fs, Path::new(DIR), self.draft.decision, &options).unwrap()
    }
}

fn asked(finish_reason: FinishReason, stream: bool) -> inferlog_record::body::Inference {
    let count = |count| Some(Count(count));
    let usage = Usage { cached: count(80), input: count(120), output: count(30), reasoning: count(0) };
    let (finish_reason, stream) = (Some(finish_reason), Some(stream));
    inferlog_record::body::Inference { finish_reason, stream, usage: Some(usage), ..inference() }
}

/// A loan that a model with two tools declines and a person grants.
fn loan() -> Maker {
    let mut make = Maker::new();
    let opened = make.event(DecisionOpened { route: Some(name("chat")), ..DecisionOpened::default() }, &[]);
    let opened = make.with(opened, Role::InputRaw, MediaType::Json, FIRST);
    let opened = make.with(opened, Role::Headers, MediaType::Json, r#"{"accept":"*/*"}"#);
    let score_millionths = Some(Millionths(870_000));
    let payload = make.sealer.world.id();
    let documents = vec![Document { payload, rank: 1, score_millionths }].into();
    let (index, index_version) = (Some(name("policies")), Some(name("2026-08")));
    let found = Retrieval {
        documents,
        error: None,
        index,
        index_digest: None,
        index_version,
        outcome: StepOutcome::Ok,
        source: None,
        total: Some(Count(12)),
    };
    let found = make.event(found, &[opened.id]);
    let found = make.with(found, Role::RetrievalQuery, MediaType::Text, "loan policy");
    let (stage, version) = (Some(Stage::Pre), Some(name("4")));
    let masked = Transform { error: None, name: name("mask"), outcome: StepOutcome::Ok, stage, version };
    let masked = make.event(masked, &[found.id]);
    let mut first = make.event(asked(FinishReason::ToolCalls, false), &[masked.id]);
    first.payloads.push(opened.payloads[0].again(Role::InputAssembled, opened.id));
    let first = make.with(first, Role::OutputRaw, MediaType::Json, r#"{"tool_calls":["income","debts"]}"#);
    let mut thought = make.event(Reasoning { form: ReasoningForm::Summary }, &[first.id]);
    thought.parent = Some(first.id);
    let thought = make.with(thought, Role::Reasoning, MediaType::Text, "I need figures.");

    let joined =
        make.event(DecisionJoined { route: Some(name("chat")), ..DecisionJoined::default() }, &[first.id]);
    let joined = make.with(joined, Role::InputRaw, MediaType::Json, SECOND);
    let income = make.tool("income", 1, 1, first.id, false);
    let debts = make.tool("debts", 1, 2, first.id, true);
    let body = asked(FinishReason::Refusal, true);
    let body =
        inferlog_record::body::Inference { choices: Some(Count(2)), outcome: StepOutcome::Refused, ..body };
    let second = make.event(body, &[income.id, debts.id]);
    let part = |make: &mut Maker, part, text: &str| {
        let body = Delivery { end: None, of: Some(second.id), part: Some(part) };
        let piece = make.event(body, &[joined.id]);
        make.with(piece, Role::OutputPart, MediaType::EventStream, text)
    };
    let pieces = vec![
        part(&mut make, 2, "i\"}}]}\n\n"),
        part(&mut make, 1, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h"),
    ];
    let second = make.with(
        second.clone(),
        Role::OutputRaw,
        MediaType::EventStream,
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\"}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"i\"}}]}\n\n",
    );
    let last = Delivery { end: Some(ExchangeEnd::ClientAbort), of: Some(second.id), part: None };
    let last = make.event(last, &[second.id]);
    let output = make.event(Output::default(), &[second.id]);
    let mut closed = make.event(closed(Outcome::Answered), &[second.id]);
    closed.ended_at = Some(Timestamp(make.sealer.world.now_ns));
    let granted = Human { about: Some(output.id), action: HumanAction::Override, reviewer: None };
    let granted = make.event(granted, &[closed.id]);
    let granted = make.with(granted, Role::HumanReason, MediaType::Text, "a guarantor");
    let label = Label { about: None, name: name("default"), origin: LabelOrigin::GroundTruth };
    let label = make.event(label, &[closed.id]);

    // The log has it the other way round, but for the opening.
    make.write(vec![opened]);
    for event in [label, granted] {
        make.write(vec![event]);
    }
    make.write(vec![closed, output]);
    make.write(vec![last, second]);
    pieces.into_iter().for_each(|piece| make.write(vec![piece]));
    make.write(vec![debts, income, joined]);
    make.write(vec![thought, first, masked, found]);
    make.sealer.world.integrate();
    make
}

#[test]
fn causes_decide_whatever_log_and_clock_say() {
    let story = loan().tell(true);
    let told: Vec<(&str, &[usize], Option<usize>)> =
        story.events.iter().map(|event| (event.kind.as_str(), event.causes.as_slice(), event.turn)).collect();
    // What no cause decides stands as in the log.
    let expected: [(&str, &[usize], Option<usize>); 16] = [
        ("decision.opened", &[], Some(1)),
        ("retrieval", &[1], Some(1)),
        ("transform", &[2], Some(1)),
        ("inference", &[3], Some(1)),
        ("tool_call", &[4], Some(2)),
        ("tool_call", &[4], Some(2)),
        ("inference", &[5, 6], Some(2)),
        ("decision.closed", &[7], None),
        ("label", &[8], None),
        ("human", &[8], None),
        ("output", &[7], None),
        ("delivery", &[7], Some(2)),
        ("decision.joined", &[4], Some(2)),
        ("delivery", &[13], Some(2)),
        ("delivery", &[13], Some(2)),
        ("reasoning", &[4], Some(1)),
    ];
    assert_eq!(told, expected);
    assert!(story.events.iter().zip(1..).all(|(event, order)| event.order == order));
    // Of the two calls asked for at once the one with the lower number comes first, though it stands later in the log.
    let names: Vec<&str> = story
        .events
        .iter()
        .filter(|event| event.kind == "tool_call")
        .map(|event| if event.event.get().contains("\"name\":\"income\"") { "income" } else { "debts" })
        .collect();
    assert_eq!(names, ["income", "debts"]);
    let sum = &story.summary;
    assert_eq!((sum.turns, sum.model_calls, sum.tool_calls, sum.tool_calls_failed), (2, 2, 2, 1));
    assert_eq!((sum.tokens.input, sum.tokens.cached, sum.tokens.output), (Some(240), Some(160), Some(60)));
    assert!(sum.duration_ns.is_some_and(|ns| ns > 0));
    assert_eq!(story.problems, [] as [String; 0]);
}

#[test]
fn a_person_can_read_it() {
    let make = loan();
    insta::assert_snapshot!("turns", steps(&make.tell(true).to_text(TextOptions::default())));
    insta::assert_snapshot!("turns-sealed", steps(&make.tell(false).to_text(TextOptions::default())));
    let full = make.tell(true).to_text(TextOptions { full: true, ..TextOptions::default() });
    for all in [FIRST, SECOND, r#"{"accept":"*/*"}"#, "no such table", "data: {\"choices\"", "output.part"] {
        assert!(full.contains(all), "{all}: {full}");
    }
    assert!(!full.contains("--full"));
}

/// Without what is missing and proved: other tests are about that.
fn steps(text: &str) -> &str {
    text.split("\nWhat is missing").next().unwrap()
}

#[test]
fn what_was_delivered_before_a_crash_is_put_together() {
    let mut make = Maker::new();
    let opened = make.event(DecisionOpened::default(), &[]);
    let inference = make.sealer.world.id();
    let mut pieces = Vec::new();
    // A piece may end within a character.
    let text = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"größer\"}}]}\n\n";
    let at = text.find('ö').unwrap() + 1;
    for (part, bytes) in [(1, &text.as_bytes()[..at]), (2, &text.as_bytes()[at..])] {
        let mut piece =
            make.event(Delivery { end: None, of: Some(inference), part: Some(part) }, &[opened.id]);
        make.sealer.add(&mut make.draft, &mut piece, Role::OutputPart, MediaType::EventStream, bytes);
        pieces.push(piece);
    }
    let end = make.event(closed(Outcome::Interrupted), &[opened.id]);
    make.write([vec![opened], pieces, vec![end]].concat());
    make.sealer.world.integrate();
    let told = make.tell(true).to_text(TextOptions::default());
    assert!(told.contains(&format!("delivered before the end: {} bytes in 2 pieces", text.len())), "{told}");
    assert!(told.contains("in words: größer"), "{told}");
    assert!(told.contains("  #2–#3  delivery"), "{told}");
    let sealed = make.tell(false).to_text(TextOptions::default());
    assert!(sealed.contains("delivered before the end: sealed in 2 pieces"), "{sealed}");
}

#[test]
fn a_ring_of_causes_is_a_contradiction_and_loses_nothing() {
    let mut make = Maker::new();
    let opened = make.event(DecisionOpened::default(), &[]);
    let mut one = make.event(Output::default(), &[]);
    let two = make.event(Output::default(), &[one.id]);
    one.after = vec![two.id].into();
    make.write(vec![opened, one, two]);
    make.sealer.world.integrate();
    let story = make.tell(true);
    assert_eq!(story.events.len(), 3);
    assert!(
        story.problems.iter().any(|problem| problem.contains("among its own causes")),
        "{:?}",
        story.problems
    );
    assert!(!story.is_proved());
}
