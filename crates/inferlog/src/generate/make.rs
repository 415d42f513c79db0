//! Events, references and ids out of a seed.

use inferlog_record::body::{Body, ErrorCode};
use inferlog_record::{
    Capture, CaptureMethod, ClearName, Completeness, Content, Count, DataClass, Digest, Encoding, Event, Id,
    KeyId, MediaType, PayloadRole, Pseudonym, Purpose, Reason, Reference, Role, Sealed, SystemName,
    TextError, Timestamp, Why,
};

use super::systems::{ROUTES, SYSTEMS};

pub(super) const NS_PER_MS: u64 = 1_000_000;
pub(super) const NS_PER_SECOND: u64 = 1_000 * NS_PER_MS;
pub(super) const NS_PER_HOUR: u64 = 3_600 * NS_PER_SECOND;
pub(super) const NS_PER_DAY: u64 = 24 * NS_PER_HOUR;
/// The first decisions begin at 2026-03-02T00:00:00Z.
pub(super) const BEGIN_NS: u64 = 1_772_409_600 * NS_PER_SECOND;
/// Keys to a page of the keystore.
const PAGE_SLOTS: u64 = 4_096;

/// Several entries that become durable together, or one.
pub(super) struct Write {
    pub(super) system: usize,
    pub(super) at: u64,
    pub(super) decision: Option<Id>,
    pub(super) events: Vec<Event>,
    pub(super) opens: bool,
    pub(super) closes: bool,
}

/// Makes what is random.
pub(super) struct Maker {
    pub(super) rng: fastrand::Rng,
    seed: u64,
    sealed: bool,
    systems: Vec<SystemName>,
    /// The latest `clock` event of each system.
    pub(super) clocks: [Option<Id>; SYSTEMS.len()],
    key: KeyId,
}

impl Maker {
    pub(super) fn new(seed: u64, sealed: bool) -> Result<Self, TextError> {
        Ok(Self {
            rng: fastrand::Rng::with_seed(seed),
            seed,
            sealed,
            systems: SYSTEMS.iter().map(|name| SystemName::new(name)).collect::<Result<_, _>>()?,
            clocks: [None; SYSTEMS.len()],
            key: KeyId { page: 0, slot: 0 },
        })
    }

    pub(super) fn begin_decision(&mut self, number: u64) {
        self.key = KeyId { page: (number / PAGE_SLOTS) as u32, slot: (number % PAGE_SLOTS) as u16 };
    }

    /// True so many times in a thousand.
    pub(super) fn chance(&mut self, per_mille: u32) -> bool {
        self.rng.u32(0..1_000) < per_mille
    }

    /// A number around `mean` with a long tail.
    pub(super) fn exponential(&mut self, mean: u64) -> u64 {
        (-(1.0 - self.rng.f64()).ln() * mean as f64) as u64
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        self.rng.choice(of).copied().unwrap_or(otherwise)
    }

    pub(super) fn id(&mut self, at: u64) -> Id {
        let mut random = [0; 10];
        self.rng.fill(&mut random);
        Id::new(at / NS_PER_MS, &random)
    }

    pub(super) fn digest(&mut self) -> Digest {
        let mut digest = [0; 32];
        self.rng.fill(&mut digest);
        Digest(digest)
    }

    /// The pseudonym of a person, the same each time.
    pub(super) fn person(&self, number: u64) -> Pseudonym {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut random = [0; 16];
        rng.fill(&mut random);
        Pseudonym::new(random)
    }

    /// An event of a system, logged at `at`.
    pub(super) fn event(&mut self, system: usize, at: u64, body: impl Into<Body>) -> Event {
        let id = self.id(at);
        let mut event = Event::new(id, self.systems[system].clone(), Timestamp(at), body);
        event.clock = self.clocks[system];
        event
    }

    /// A step of a decision that lasted from `from` to `at`.
    pub(super) fn step(&mut self, system: usize, from: u64, at: u64, body: impl Into<Body>) -> Event {
        let mut event = self.event(system, at, body);
        event.capture = Some(capture(system));
        (event.started_at, event.ended_at) = (Some(Timestamp(from)), Some(Timestamp(at)));
        event
    }

    /// Adds references to content in these roles.
    pub(super) fn refer(&mut self, event: &mut Event, roles: &[PayloadRole]) {
        for role in roles {
            let reference = self.reference(event.logged_at.nanos(), *role);
            event.payloads.push(reference);
        }
    }

    pub(super) fn reference(&mut self, at: u64, role: PayloadRole) -> Reference {
        let payload = self.id(at);
        if !self.sealed {
            return Reference::not_captured(payload, role, Reason::Because(Why::DisabledByPolicy));
        }
        let sealed = Sealed {
            class: DataClass::Personal,
            media_type: MediaType::Json,
            encoding: Encoding::Zstd,
            size: 256 << self.rng.u32(0..6),
            key_id: self.key,
            commitment: self.digest(),
            sealed: self.digest(),
        };
        Reference { payload, role, content: Content::Sealed(sealed) }
    }
}

/// What the gateway says of its own way of seeing; the agent reports through an SDK.
pub(super) fn capture(system: usize) -> Capture {
    let (_, wire) = ROUTES[system];
    Capture {
        adapter: name(wire.as_str()),
        adapter_version: name("1"),
        bytes_dropped: Count(0),
        completeness: Completeness::Complete,
        method: CaptureMethod::Gateway,
    }
}

/// The members that the first event of a decision or recorder has.
pub(super) fn profile(event: &mut Event) {
    event.role = Some(Role::Deployer);
    event.purposes = vec![Purpose::A, Purpose::B, Purpose::C].into();
}

pub(super) fn name(text: &str) -> ClearName {
    ClearName::or_unlisted(text)
}

/// What goes wrong.
pub(super) const ERRORS: [ErrorCode; 5] = [
    ErrorCode::UpstreamError,
    ErrorCode::Timeout,
    ErrorCode::RateLimited,
    ErrorCode::ConnectFailed,
    ErrorCode::NotParsed,
];
