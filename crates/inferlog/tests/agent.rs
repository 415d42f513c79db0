//! An agent that goes on for hundreds of steps, through the whole program: what `show` tells of it must be what happened.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "agent/http.rs"]
mod http;
mod support;
#[path = "agent/told.rs"]
mod told;
#[path = "agent/wire.rs"]
mod wire;

use http::{Answer, Asked, Model, send};
use serde_json::json;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::{Serve, World};
use told::{Line, print, told};
use wire::{Call, Given, Item, MODEL, Wire};

/// An agent at work, and what its record must be.
struct Agent {
    wire: Wire,
    gateway: SocketAddr,
    model: Model,
    rng: fastrand::Rng,
    conversation: Vec<Item>,
    decision: Option<String>,
    lines: Vec<Line>,
    /// The place of the latest model call that has ended.
    latest: usize,
    /// By the id of a call, the place of the model call that asked for it.
    asked: HashMap<String, usize>,
    /// By the id of a call, the place of its result.
    results: HashMap<String, usize>,
    attempts: HashMap<(&'static str, String), u32>,
    calls: u64,
    model_calls: u64,
    tokens: (u64, u64),
}

/// A request under way.
struct Exchange {
    is_stream: bool,
    /// Places of the events that caused its model call.
    causes: Vec<usize>,
    asked: Asked,
    answer: JoinHandle<Answer>,
}

impl Agent {
    fn new(wire: Wire, gateway: SocketAddr, model: Model) -> Self {
        Self {
            wire,
            gateway,
            model,
            rng: fastrand::Rng::with_seed(7),
            conversation: vec![Item::User(format!("the task: {}", "words ".repeat(100)))],
            decision: None,
            lines: Vec::new(),
            latest: 0,
            asked: HashMap::new(),
            results: HashMap::new(),
            attempts: HashMap::new(),
            calls: 0,
            model_calls: 0,
            tokens: (0, 0),
        }
    }

    fn line(&mut self, kind: &str, mut causes: Vec<usize>, says: String) -> usize {
        causes.sort_unstable();
        self.lines.push((kind.to_owned(), causes, says));
        self.lines.len()
    }

    /// Sends a conversation, sees it arrive, and says what is recorded of that.
    fn send(&mut self, conversation: &[Item], headers: &str) -> Exchange {
        let is_stream = self.rng.bool();
        let body = self.wire.request(conversation, is_stream);
        let headers = format!("inferlog-decision: run-7\r\n{headers}");
        let answer = send(self.gateway, self.wire.path(), &headers, &body);
        let asked = self.model.asked();
        assert_eq!(asked.body, body, "the model gets what was sent");
        let Some(Item::Results(given)) = conversation.last() else {
            let kind = if self.lines.is_empty() { "decision.opened" } else { "decision.joined" };
            let causes = if self.lines.is_empty() { vec![] } else { vec![self.latest.max(1)] };
            let admitted = self.line(kind, causes, print(&body));
            return Exchange { is_stream, causes: vec![admitted], asked, answer };
        };
        let mut asking: Vec<usize> = given.iter().map(|given| self.asked[&given.call.id]).collect();
        asking.dedup();
        self.line("decision.joined", asking, print(&body));
        let causes = given.iter().map(|given| self.given(given)).collect();
        Exchange { is_stream, causes, asked, answer }
    }

    /// The place of the event of a result: recorded now, or when it was first sent.
    fn given(&mut self, given: &Given) -> usize {
        let Call { id, name, arguments } = &given.call;
        if let Some(place) = self.results.get(id) {
            return *place;
        }
        let attempt = self.attempts.entry((name, arguments.to_string())).or_default();
        *attempt += 1;
        self.calls += 1;
        // The OpenAI wire has no word for a tool that failed.
        let failed = given.is_error && self.wire == Wire::Anthropic;
        let outcome = if failed { "failed" } else { "ok" };
        let says =
            format!("{name} {arguments} → {:?}, attempt {attempt}, {}th, {outcome}", given.text, self.calls);
        let place = self.line("tool_call", vec![self.asked[id]], says);
        self.results.insert(id.clone(), place);
        place
    }

    /// The model answers: with calls of tools, or words.
    fn answer(&mut self, exchange: Exchange, calls: &[Call]) {
        let Exchange { is_stream, causes, asked, answer } = exchange;
        let tokens = (self.rng.u64(1..5_000), self.rng.u64(1..500));
        let sent = match is_stream {
            true => self.wire.stream(calls, tokens),
            false => self.wire.whole(calls, tokens),
        };
        match is_stream {
            true => asked.stream(&sent, self.rng.usize(5..600)),
            false => asked.whole("200 OK", &sent),
        }
        let answer = answer.join().unwrap();
        assert_eq!((answer.status, &answer.body), (200, &sent), "the answer is passed on as it came");
        assert_eq!(self.decision.get_or_insert(answer.decision.clone()), &answer.decision);
        let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
        let how = if is_stream { "streamed" } else { "whole" };
        let says = format!("ok 200 {how} {finish} {tokens:?} {MODEL} {}", print(&sent));
        self.latest = self.line("inference", causes, says);
        self.asked.extend(calls.iter().map(|call| (call.id.clone(), self.latest)));
        self.tokens = (self.tokens.0 + tokens.0, self.tokens.1 + tokens.1);
        self.model_calls += 1;
    }

    /// The model server cannot answer now.
    fn fail(&mut self, exchange: Exchange) {
        let error = self.wire.error();
        exchange.asked.whole("503 Service Unavailable", &error);
        let answer = exchange.answer.join().unwrap();
        assert_eq!((answer.status, answer.body), (503, error.clone()));
        self.latest = self.line("inference", exchange.causes, format!("failed 503 {}", print(&error)));
        self.model_calls += 1;
    }

    /// One to four calls, some of them once more what failed before.
    fn calls(&mut self) -> Vec<Call> {
        let again: Vec<Call> = match self.conversation.last() {
            Some(Item::Results(given)) => {
                given.iter().filter(|given| given.is_error).map(|given| given.call.clone()).collect()
            }
            _ => Vec::new(),
        };
        let more = self.rng.usize(usize::from(again.is_empty())..=4 - again.len());
        let mut calls = again;
        for _ in 0..more {
            let name = ["search", "read", "write"][self.rng.usize(0..3)];
            calls.push(Call { id: String::new(), name, arguments: json!({"at": self.rng.u32(..)}) });
        }
        calls.iter_mut().for_each(|call| call.id = format!("call_{:016x}", self.rng.u64(..)));
        calls
    }

    /// Their results, in any order.
    fn run(&mut self, mut calls: Vec<Call>) -> Vec<Given> {
        self.rng.shuffle(&mut calls);
        let given = |rng: &mut fastrand::Rng, call: Call| {
            let is_error = rng.u8(0..5) == 0;
            let text = if is_error {
                "error: no such place".to_owned()
            } else {
                format!("result of {}", call.arguments)
            };
            Given { call, text, is_error }
        };
        calls.into_iter().map(|call| given(&mut self.rng, call)).collect()
    }

    /// One step: the conversation is sent, perhaps more than once, and the tools that the model asks for are called.
    fn step(&mut self) {
        let conversation = self.conversation.clone();
        while self.rng.u8(0..8) == 0 {
            let exchange = self.send(&conversation, "");
            self.fail(exchange);
        }
        let calls = self.calls();
        let exchange = self.send(&conversation, "");
        match self.rng.u8(0..8) {
            // Another part of the agent asks at the same time; one or the other is answered first.
            0 => {
                let other = self.send(&[Item::User("sum up".to_owned())], "");
                self.both(exchange, &calls, other);
            }
            // The same once more, in case it is faster.
            1 => {
                let other = self.send(&conversation, "");
                self.both(exchange, &calls, other);
            }
            _ => self.answer(exchange, &calls),
        }
        let given = self.run(calls.clone());
        self.conversation.extend([Item::Asked(calls), Item::Results(given)]);
    }

    fn both(&mut self, exchange: Exchange, calls: &[Call], other: Exchange) {
        if self.rng.bool() {
            self.answer(exchange, calls);
            self.answer(other, &[]);
        } else {
            self.answer(other, &[]);
            self.answer(exchange, calls);
        }
    }

    /// The last answer, with which the decision ends.
    fn end(&mut self) {
        let conversation = self.conversation.clone();
        let exchange = self.send(&conversation, "inferlog-decision-end: true\r\n");
        self.answer(exchange, &[]);
        self.line("output", vec![self.latest], String::new());
        self.line("decision.closed", vec![self.latest], "answered".to_owned());
    }
}

/// Runs an agent, and holds what is shown against what happened.
fn check(wire: Wire, steps: usize) {
    let world = World::new();
    let model = Model::start();
    let serve = serve(&world, wire, model.address);
    let mut agent = Agent::new(wire, serve.address, model);
    (0..steps).for_each(|_| agent.step());
    agent.end();
    let decision = agent.decision.clone().unwrap();

    // While it serves, through its socket; and the same from the directory alone.
    let story = world.ok(&["show", &decision, "--json"]).json();
    let text = world.ok(&["show", &decision]).stdout();
    assert_eq!(serve.stop(), 0);
    let events = story["events"].as_array().unwrap();
    for (at, (event, expected)) in events.iter().zip(&agent.lines).enumerate() {
        assert_eq!(event["order"], at + 1);
        assert_eq!(&told(event), expected, "event {} of {}", at + 1, agent.lines.len());
    }
    assert_eq!(events.len(), agent.lines.len());
    assert_eq!(world.ok(&["show", &decision, "--json"]).json()["events"], story["events"]);
    assert_eq!(story["problems"], json!([]));

    let turns =
        agent.lines.iter().filter(|(kind, ..)| kind.starts_with("decision.") && kind != "decision.closed");
    let turns = turns.count();
    let summary = &story["summary"];
    let (input, output) = agent.tokens;
    assert_eq!(
        [&summary["turns"], &summary["model_calls"], &summary["tool_calls"]],
        [&json!(turns), &json!(agent.model_calls), &json!(agent.calls)]
    );
    assert_eq!((&summary["tokens"]["input"], &summary["tokens"]["output"]), (&json!(input), &json!(output)));
    assert_eq!(events.iter().filter_map(|event| event["turn"].as_u64()).max(), Some(turns as u64));
    is_readable(&text, turns, agent.lines.len());
    let full = world.ok(&["show", &decision, "--full"]).stdout();
    assert!(full.contains(&agent.wire.request(&agent.conversation, false)[..1000]), "all of a request");
    assert!(full.len() > 5 * text.len());

    let found = world.ok(&["find", "--json"]).lines();
    assert_eq!(
        (found.len(), &found[0]["outcome"], &found[0]["decision"]),
        (1, &json!("answered"), &json!(decision))
    );
    assert_eq!(found[0]["model"], MODEL);
    let verified = world.ok(&["verify", "--json"]).json();
    assert_eq!((&verified["ok"], &verified["faults"]), (&json!(true), &json!([])));
}

fn serve(world: &World, wire: Wire, model: SocketAddr) -> Serve {
    world.serve_routes(&format!(
        "[[route]]\nname = \"agent\"\nsystem = \"agents\"\nupstream = \"http://{model}\"\nwire = \"{}\"\n",
        wire.name()
    ))
}

/// A long decision stays readable: nothing that requests repeat is written again, and every step and cause is there.
fn is_readable(text: &str, turns: usize, steps: usize) {
    assert_eq!(text.matches("the task: words").count(), 1, "the first words stand once");
    for turn in 1..=turns {
        assert!(text.contains(&format!("\n Turn {turn}")), "turn {turn}");
    }
    for step in 1..=steps {
        assert!(text.contains(&format!("\n  #{step} ")), "step {step}");
    }
    assert!(text.contains("--full"));
    assert!(text.lines().count() < 12 * steps, "{} lines for {steps} steps", text.lines().count());
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(300), "{longest:?}");
}

#[test]
fn two_hundred_steps_are_told_as_they_were() {
    check(Wire::OpenAi, 200);
}

#[test]
fn the_same_on_another_wire() {
    check(Wire::Anthropic, 40);
}

#[test]
fn a_kill_in_the_middle_of_an_answer_leaves_what_was_delivered() {
    let world = World::new();
    let model = Model::start();
    let route = format!(
        "[[route]]\nname = \"agent\"\nsystem = \"agents\"\nupstream = \"http://{}\"\nwire = \"openai\"\njournal_ms = 10\n",
        model.address
    );
    let serve = world.serve_routes(&route);
    let mut agent = Agent::new(Wire::OpenAi, serve.address, model);
    agent.step();
    let decision = agent.decision.clone().unwrap();
    let before = agent.lines.len();

    let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"so far\"}}]}\n\n";
    let conversation = agent.conversation.clone();
    let mut exchange = agent.send(&conversation, "");
    exchange.asked.begin(piece);
    let began = Instant::now();
    while !world.ok(&["show", &decision]).stdout().contains("in words: so far") {
        assert!(began.elapsed() < Duration::from_secs(60), "the piece is not recorded");
    }
    // SIGKILL.
    drop(serve);
    assert_eq!(world.serve_routes(&route).stop(), 0);

    let story = world.ok(&["show", &decision, "--json"]).json();
    assert_eq!(story["outcome"], "interrupted");
    let events = story["events"].as_array().unwrap();
    for (event, expected) in events.iter().zip(&agent.lines) {
        assert_eq!(&told(event), expected);
    }
    let kinds: Vec<&str> =
        events[agent.lines.len()..].iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["delivery", "decision.closed"]);
    assert!(agent.lines.len() > before);
    let text = world.ok(&["show", &decision]).stdout();
    let says = format!("delivered before the end: {} bytes in 1 piece\n", piece.len());
    assert!(text.contains(&says) && text.contains("interrupted"), "{text}");
    let found = world.ok(&["find", "--json", "--outcome", "interrupted"]).lines();
    assert_eq!((found.len(), &found[0]["decision"]), (1, &json!(decision)));
    assert_eq!(world.ok(&["verify", "--json"]).json()["ok"], true);
}
