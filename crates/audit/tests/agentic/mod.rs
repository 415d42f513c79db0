//! An agent's decision about a loan, as complete as decisions get: enriched input, two retrievals, two model calls, three tools
//! at once (one tried again, one that fails for good), a filter that changes the answer, an override three weeks later, a label;
//! among other decisions, with changes of the system since, with content that was erased and content that was never captured.
//! Ids, keys and times are the same in every run.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

pub mod content;
mod later;
mod steps;

use std::path::Path;

use inferlog_audit::{Openings, Story, StoryOptions, story};
use inferlog_log::{Flags, Payloads};
use inferlog_record::body::{Body, Clock, Outcome};
use inferlog_record::{
    Capture, CaptureMethod, Completeness, Count, Digest, Event, Id, Level, MediaType, PayloadRole as Role,
    Pseudonym, Purpose, Reference, Signed, Timestamp, Why, violations,
};
use inferlog_registry::{REGISTRY_DIR, Registration, Registry};

use crate::sealed::{Draft, Sealer};
use crate::world::{DIR, closed, inference, name, opened};

const MS: u64 = 1_000_000;

/// The world after it all, and the decision that it is about.
pub struct Agentic {
    pub sealer: Sealer,
    pub draft: Draft,
    /// The applicant's pseudonym.
    pub applicant: String,
    /// The guarantor's.
    pub guarantor: String,
    /// SHA-256 of what is registered: the prompt, the tools.
    registered: [Digest; 2],
    /// The latest word on the clock.
    clock: Id,
}

/// Ids of steps that later ones name.
#[derive(Default)]
struct Named {
    output: Option<Id>,
    closed: Option<Id>,
}

/// The decision with everything that came after it.
pub fn agentic() -> Agentic {
    let mut sealer = Sealer::new();
    // A Monday morning.
    sealer.world.tick(2 * crate::world::DAY_NS + 33_134_000 * MS);
    bystander(&mut sealer, "Grace");
    let draft = sealer.begin("Ada");
    let applicant = draft.subject.pseudonym().to_string();
    let registered = register(&sealer);
    let clock = clock(&mut sealer);
    let mut world = Agentic { sealer, draft, applicant, guarantor: String::new(), registered, clock };
    let mut named = Named::default();
    world.decide(&mut named);
    world.live_on(&named);
    world.sealer.world.integrate();
    world
}

/// Registers the prompt, the tools and the model.
fn register(sealer: &Sealer) -> [Digest; 2] {
    let version = |text: &str| Some(name(text));
    let model = Some(Digest([0xa7; 32]));
    let registrations = [
        Registration::prompt(name("loan-officer"), version("7"), content::PROMPT),
        Registration::tools(name("loan-tools"), version("4"), content::TOOLS),
        Registration::model(name("atlas-credit"), version("2026-09-14"), model, "models:/atlas-credit/31"),
    ];
    let registry = Registry::open(sealer.world.fs.clone(), &Path::new(DIR).join(REGISTRY_DIR)).unwrap();
    let added = registry.add_all(&registrations, Timestamp(crate::world::START_NS)).unwrap();
    [0, 1].map(|at: usize| added[at].as_ref().unwrap().sha256.unwrap())
}

/// The state of the clock that stamps what follows.
fn clock(sealer: &mut Sealer) -> Id {
    let body = Clock {
        by: None,
        disregard_first: None,
        disregard_last: None,
        max_error_ns: Some(Count(1_300_000)),
        offset_ns: Some(Signed(-41_000)),
        source: name("chrony"),
        synchronised: true,
    };
    let event = sealer.world.event("credit", body);
    let id = event.id;
    let nobody = Pseudonym::new([0; 16]);
    let append = sealer.world.append(None, vec![event], "default", nobody, Payloads::default(), Flags::NONE);
    sealer.world.commit("credit", &[append]);
    id
}

/// A decision about somebody else, between the steps of this one.
fn bystander(sealer: &mut Sealer, person: &str) {
    let mut draft = sealer.begin(person);
    let mut begun = sealer.world.event("credit", opened("score"));
    sealer.add(&mut draft, &mut begun, Role::InputRaw, MediaType::Json, b"{\"income\":1}");
    sealer.write(&mut draft, vec![begun]);
    sealer.world.tick(2 * MS);
    let answer = sealer.world.event("credit", inference());
    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
    end.ended_at = Some(Timestamp(sealer.world.now_ns));
    sealer.write(&mut draft, vec![answer, end]);
}

impl Agentic {
    /// The decision told, with content or sealed.
    pub fn tell(&self, openings: bool) -> Story {
        let openings = openings.then_some(&self.sealer.vault as &dyn Openings);
        let options = StoryOptions { openings, ..StoryOptions::default() };
        story(&self.sealer.world.fs, Path::new(DIR), self.draft.decision, &options).unwrap()
    }

    /// A step that begins now and ends when it is written.
    fn event(&mut self, method: CaptureMethod, body: impl Into<Body>, after: &[Id]) -> Event {
        self.sealer.world.tick(MS / 4);
        let mut event = self.sealer.world.event("credit", body);
        event.after = after.to_vec().into();
        event.clock = Some(self.clock);
        let adapter = if method == CaptureMethod::Gateway { "openai" } else { "rest" };
        event.capture = Some(Capture {
            adapter: name(adapter),
            adapter_version: name("1"),
            bytes_dropped: Count(0),
            completeness: Completeness::Complete,
            method,
        });
        event
    }

    fn gateway(&mut self, body: impl Into<Body>, after: &[Id]) -> Event {
        self.event(CaptureMethod::Gateway, body, after)
    }

    fn sdk(&mut self, body: impl Into<Body>, after: &[Id]) -> Event {
        self.event(CaptureMethod::Sdk, body, after)
    }

    /// Seals content into the event. Returns the payload's id.
    fn json(&mut self, event: &mut Event, role: Role, content: &str) -> Id {
        self.seal(event, role, MediaType::Json, content)
    }

    fn text(&mut self, event: &mut Event, role: Role, content: &str) -> Id {
        self.seal(event, role, MediaType::Text, content)
    }

    fn seal(&mut self, event: &mut Event, role: Role, media_type: MediaType, content: &str) -> Id {
        self.sealer.add(&mut self.draft, event, role, media_type, content.as_bytes());
        event.payloads[event.payloads.len() - 1].payload
    }

    fn absent(&mut self, event: &mut Event, role: Role, why: Why) -> Id {
        let payload = self.sealer.world.id();
        event.payloads.push(Reference::not_captured(payload, role, why.into()));
        payload
    }

    /// The step took so many milliseconds.
    fn took(&mut self, event: &mut Event, ms: u64) {
        let began = event.started_at.unwrap().nanos();
        event.ended_at = Some(Timestamp(began + ms * MS));
        let ends = began + ms * MS;
        event.logged_at = Timestamp(ends);
        if ends > self.sealer.world.now_ns {
            self.sealer.world.tick(ends - self.sealer.world.now_ns);
        }
    }

    fn write(&mut self, mut events: Vec<Event>) {
        for event in &mut events {
            let broken = violations(event, Level::Required);
            assert!(broken.is_empty(), "{}: {broken:?}", event.body.kind_text());
        }
        self.sealer.write(&mut self.draft, events);
    }
}

/// What the organisation says of itself at the opening.
fn declared(event: &mut Event) {
    event.role = Some(inferlog_record::Role::Deployer);
    event.purposes = vec![Purpose::A, Purpose::B, Purpose::C].into();
}
