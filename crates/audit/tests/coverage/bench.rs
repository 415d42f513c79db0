//! A log whose every decision is as the record's tables want it, to plant faults in.

use std::path::Path;
use std::sync::Arc;

use inferlog_audit::coverage::{CoverageOptions, CoverageReport, Profile, Profiles, cover};
use inferlog_disk::Fs;
use inferlog_disk::sim::SimFs;
use inferlog_log::{Append, Flags, Payloads};
use inferlog_record::body::{
    AbsentReason, Body, Context, DecisionOpened, ExchangeEnd, Inference, ModelAbsent, Outcome, Prompt,
    PromptRole, SessionEnd, SessionEnded, SessionStarted, Wire,
};
use inferlog_record::{
    Capture, CaptureMethod, Completeness, Content, Count, DataClass, Digest, Encoding, Entry, Event, Id,
    KeyId, Level, MediaType, PayloadRole as Role, Pseudonym, Purpose, Reference, Sealed, Timestamp, Why,
    violations,
};

use crate::world::{DIR, START_NS, World, closed, inference, name};

pub const SYSTEM: &str = "credit";
pub const MINUTE_NS: u64 = 60_000_000_000;
pub const HOUR_NS: u64 = 60 * MINUTE_NS;

pub struct Bench {
    pub sim: SimFs,
    pub world: World,
    /// Judged by; of the one system.
    pub profile: Profile,
    pub options: CoverageOptions,
    /// Whether packs have the payloads of what is written.
    pub packs: bool,
    session: Option<Id>,
}

/// The events of a decision before they are written.
pub struct Draft {
    pub id: Id,
    pub opened: Event,
    /// Between the opening and the end.
    pub steps: Vec<Event>,
    pub closed: Option<Event>,
}

impl Bench {
    pub fn new() -> Self {
        let (sim, mut world) = World::sim(8 << 20);
        world.create(SYSTEM);
        let (profile, options) = (Profile::default(), CoverageOptions::default());
        Self { sim, world, profile, options, packs: false, session: None }
    }

    pub fn minutes(&mut self, minutes: u64) {
        self.world.tick(minutes * MINUTE_NS);
    }

    /// A decision that lacks nothing.
    pub fn draft(&mut self) -> Draft {
        self.draft_on("score")
    }

    pub fn draft_on(&mut self, route: &str) -> Draft {
        let id = self.world.id();
        let body = DecisionOpened {
            context: Some(Context { environment: Some(name("test")), ..Context::default() }),
            route: Some(name(route)),
            wire: Some(Wire::OpenaiChat),
            ..DecisionOpened::default()
        };
        let mut opened = self.step(body, &[], &[Role::InputRaw]);
        opened.role = Some(inferlog_record::Role::Provider);
        opened.purposes = vec![Purpose::A].into();
        let call = self.inference(&opened);
        let mut end = closed(Outcome::Answered);
        end.exchange = Some(ExchangeEnd::Complete);
        let closed = Some(self.step(end, &[call.id], &[]));
        self.world.tick(1_000_000_000);
        Draft { id, opened, steps: vec![call], closed }
    }

    /// A call that names its model in every way.
    pub fn inference(&mut self, opened: &Event) -> Event {
        let mut body = inference();
        body.model.digest = Some(Digest([9; 32]));
        body.model.absent = Some(ModelAbsent {
            deployment: Some(AbsentReason::NotConfigured),
            fingerprint: Some(AbsentReason::NotOnWire),
            ..ModelAbsent::default()
        });
        body.prompts = vec![Prompt {
            name: Some(name("officer")),
            payload: None,
            role: PromptRole::System,
            sha256: Some(Digest([7; 32])),
            version: Some(name("1")),
        }]
        .into();
        self.step(body, &[opened.id], &[Role::InputAssembled, Role::OutputRaw, Role::ParamsRequested])
    }

    /// A step with content under these roles.
    pub fn step(&mut self, body: impl Into<Body>, after: &[Id], roles: &[Role]) -> Event {
        let mut event = self.world.event(SYSTEM, body);
        event.after = after.to_vec().into();
        event.ended_at = Some(Timestamp(self.world.now_ns));
        event.session = self.session;
        event.capture = Some(Capture {
            adapter: name("openai_chat"),
            adapter_version: name("1.0.0"),
            bytes_dropped: Count(0),
            completeness: Completeness::Complete,
            method: CaptureMethod::Gateway,
        });
        event.subjects = vec![Pseudonym::new([3; 16])].into();
        for role in roles {
            let reference = self.sealed(*role);
            event.payloads.push(reference);
        }
        event
    }

    pub fn sealed(&mut self, role: Role) -> Reference {
        let content = Content::Sealed(Sealed {
            class: DataClass::Personal,
            media_type: MediaType::Json,
            encoding: Encoding::Identity,
            size: 256,
            key_id: KeyId { page: 0, slot: 1 },
            commitment: Digest([1; 32]),
            sealed: Digest([2; 32]),
        });
        Reference { payload: self.world.id(), role, content }
    }

    pub fn not_captured(&mut self, role: Role, why: Why) -> Reference {
        Reference::not_captured(self.world.id(), role, why.into())
    }

    /// Writes a decision as it is: the opening first, the rest together.
    pub fn write(&mut self, draft: Draft) -> Id {
        let Draft { id, opened, mut steps, closed } = draft;
        steps.extend(closed);
        self.events(id, vec![opened]);
        if !steps.is_empty() {
            self.events(id, steps);
        }
        id
    }

    /// One write.
    pub fn events(&mut self, decision: Id, events: Vec<Event>) {
        let parts = Entry::new(Some(decision), events).into_parts().unwrap();
        let appends: Vec<Append> = parts.iter().map(|part| self.append(Some(decision), part)).collect();
        self.world.commit(SYSTEM, &appends);
    }

    fn append(&self, decision: Option<Id>, entry: &Entry) -> Append {
        let mut payloads = Payloads::default();
        for reference in entry.events.iter().flat_map(|event| &event.payloads) {
            if self.packs && matches!(reference.content, Content::Sealed(_)) {
                payloads.push(reference.payload.into_bytes(), &[0; 256]);
            }
        }
        Append {
            entry: entry.to_bytes().unwrap(),
            decision: decision.map(Id::into_bytes).unwrap_or_default(),
            logged_at_ns: self.world.now_ns,
            flags: Flags::NONE,
            class: "default".into(),
            payloads,
            births: Vec::new(),
        }
    }

    /// A decision that lacks nothing, written.
    pub fn clean(&mut self) -> Id {
        let draft = self.draft();
        for event in [&draft.opened].into_iter().chain(&draft.steps).chain(&draft.closed) {
            let broken = violations(event, Level::Required);
            assert!(broken.is_empty(), "{}: {broken:?}", event.body.kind_text());
        }
        self.write(draft)
    }

    /// The same with a change of its model call.
    pub fn calling(&mut self, change: impl FnOnce(&mut Inference)) -> Id {
        let mut draft = self.draft();
        if let Body::Inference(body) = &mut draft.steps[0].body {
            change(body);
        }
        self.write(draft)
    }

    /// An event of the system's life.
    pub fn life(&mut self, body: impl Into<Body>) -> Id {
        let mut event = self.world.event(SYSTEM, body);
        event.started_at = None;
        self.life_event(event)
    }

    pub fn life_event(&mut self, event: Event) -> Id {
        let id = event.id;
        let append = self.append(None, &Entry::new(None, vec![event]));
        self.world.commit(SYSTEM, &[append]);
        self.world.tick(1_000_000);
        id
    }

    /// A period of use, of which what comes next is a part.
    pub fn begin_session(&mut self, is_recorded: bool) {
        let session = self.world.id();
        self.session = Some(session);
        if is_recorded {
            let mut event = self.world.event(SYSTEM, SessionStarted::default());
            event.session = Some(session);
            self.life_event(event);
        }
    }

    pub fn end_session(&mut self, is_recorded: bool) {
        let session = self.session.take();
        if is_recorded {
            let mut event = self.world.event(SYSTEM, SessionEnded { end: SessionEnd::Ended });
            (event.started_at, event.ended_at) = (None, Some(Timestamp(self.world.now_ns)));
            event.session = session;
            self.life_event(event);
        }
    }

    /// So many decisions an hour from now on; the hours for which it says so have none.
    pub fn hours(&mut self, hours: u64, each: impl Fn(u64) -> u64) {
        for hour in 0..hours {
            let end = self.world.now_ns + HOUR_NS;
            for _ in 0..each(hour) {
                self.clean();
            }
            self.world.now_ns = end;
        }
    }

    /// Hours since the first one.
    pub fn hour(&self) -> u64 {
        (self.world.now_ns - START_NS) / HOUR_NS
    }

    /// What the log of now says two days later, up to now.
    pub fn report(&mut self) -> CoverageReport {
        self.world.integrate();
        let now = self.world.now_ns;
        let mut options = self.options.clone();
        options.now = Timestamp(now + 48 * HOUR_NS);
        options.until = options.until.or(Some(Timestamp(now)));
        options.profiles =
            Profiles { systems: [(SYSTEM.to_owned(), self.profile.clone())].into(), ..Profiles::default() };
        let fs: Arc<dyn Fs> = self.world.fs.clone();
        cover(&fs, Path::new(DIR), &options, &mut |_| {}).unwrap()
    }

    /// The ids of all findings.
    pub fn findings(&mut self) -> Vec<String> {
        let report = self.report();
        let findings = report.systems.iter().flat_map(|system| &system.findings);
        let mut ids: Vec<String> = findings.map(|finding| finding.id.clone()).collect();
        ids.sort();
        ids
    }
}
