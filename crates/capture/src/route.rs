//! Routes: which requests go where, and what is recorded of them.
//!
//! Routes are tried in the order in which they are written. A route takes a request when its path matches *and* its wire
//! knows the request; one that only matches the path takes it where no later route knows it and it says `passthrough`.

use crate::wire::{Call, Kind, Pointer, Wire};
use http::header::HeaderName;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri};
pub use inferlog_policy::Failure;
use inferlog_record::{ClearName, SystemName};
use std::path::PathBuf;
use std::time::Duration;

/// Longest request body unless the route says otherwise, bytes.
pub const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Longest response body unless the route says otherwise, bytes.
pub const RESPONSE_BYTES_MAX: usize = 16 << 20;
/// The most that either limit may be set to, bytes: a body and what is derived from it must fit one batch of the log.
pub const BODY_BYTES_LIMIT: usize = 24 << 20;
/// How long a client may take to send its body unless the route says otherwise, milliseconds.
pub const REQUEST_MS_MAX: u64 = 30_000;
/// How long connecting to the upstream may take unless the route says otherwise, milliseconds.
pub const CONNECT_MS_MAX: u64 = 5_000;
/// How long the upstream may take to the last byte of its answer unless the route says otherwise, milliseconds.
pub const ANSWER_MS_MAX: u64 = 60_000;

/// How long a decision that exchanges join may lie idle before it is closed, unless the route says otherwise, milliseconds.
pub const IDLE_MS_MAX: u64 = 300_000;
/// Time between two pieces of a streamed answer that are recorded while it passes, unless the route says otherwise,
/// milliseconds: what a crash may take from the record of a stream that was under way.
pub const JOURNAL_MS: u64 = 1_000;

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name: stands in records and metrics.
    pub name: ClearName,
    /// Which paths it matches.
    pub path: PathPattern,
    /// The protocol spoken on it.
    pub wire: Wire,
    /// The wire's name, as records have it.
    pub adapter: ClearName,
    /// Where its requests go.
    pub upstream: Upstream,
    /// The AI system whose log its decisions are recorded in.
    pub system: SystemName,
    /// When the record of the opening must be durable.
    pub opened: Opened,
    /// Whether streamed answers pass while they come.
    pub stream: Streaming,
    /// What becomes of an answer that cannot be recorded; as the system's policy says, if `None`, and else never laxer than that.
    pub failure: Option<Failure>,
    /// What makes several exchanges one decision, beside the header [`DECISION`]; the first that a request has counts.
    pub join: Vec<JoinBy>,
    /// Where the person concerned stands in the request.
    pub subject: Option<SubjectFrom>,
    /// Names and sources of the record's `context`.
    pub context: Vec<(ContextMember, ContextFrom)>,
    /// Model names that may stand in the record's clear text whatever the upstream says.
    pub models: Vec<ClearName>,
    /// Whether requests of its path that its wire does not know are passed on, unrecorded but counted.
    pub passthrough: bool,
    /// Sizes and times.
    pub limits: Limits,
}

/// Sizes and times of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request body, bytes; also of its decoded form.
    pub request_bytes_max: usize,
    /// Longest response body, bytes; also of its decoded form.
    pub response_bytes_max: usize,
    /// How long the client may take to send its body.
    pub request_time_max: Duration,
    /// How long connecting to the upstream may take.
    pub connect_time_max: Duration,
    /// How long the upstream may take to the last byte of its answer; of a stream, to its head and between its pieces.
    pub answer_time_max: Duration,
    /// How long a decision that exchanges join may lie idle before it is closed.
    pub idle_time_max: Duration,
    /// Time between two pieces of a stream that are recorded while it passes.
    pub journal_period: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes_max: REQUEST_BYTES_MAX,
            response_bytes_max: RESPONSE_BYTES_MAX,
            request_time_max: Duration::from_millis(REQUEST_MS_MAX),
            connect_time_max: Duration::from_millis(CONNECT_MS_MAX),
            answer_time_max: Duration::from_millis(ANSWER_MS_MAX),
            idle_time_max: Duration::from_millis(IDLE_MS_MAX),
            journal_period: Duration::from_millis(JOURNAL_MS),
        }
    }
}

/// When the record of a decision's opening must be durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opened {
    /// Before the first byte of the answer leaves: the model works while the record is written.
    #[default]
    BeforeFirstByte,
    /// Before the model is called: one sync more on the way, and no model ever works on an unrecorded request.
    BeforeCall,
}

/// Whether streamed answers pass while they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Streaming {
    /// Piece by piece; what ends the stream is withheld until its record is durable.
    #[default]
    Pass,
    /// Withheld as a whole until the record is durable, like any other answer.
    Buffer,
}

/// The request header by which a caller says which exchanges are one decision: an id of the caller's own, or the decision id
/// that an answer named.
pub const DECISION: HeaderName = HeaderName::from_static("inferlog-decision");
/// The request header by which a caller says that a decision ends with this exchange (`true`).
pub const DECISION_END: HeaderName = HeaderName::from_static("inferlog-decision-end");
/// The header of a request that names the period of use that it belongs to, by the id that `session.started` was answered with.
pub const SESSION: HeaderName = HeaderName::from_static("inferlog-session");

/// What makes several exchanges one decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JoinBy {
    /// The trace id of `traceparent` (W3C Trace Context, section 3.2.2.3).
    Trace,
    /// The value of a header: of a session, say.
    Header(HeaderName),
    /// The text or number that this pointer leads to in the body.
    Pointer(Pointer),
}

/// Where the person concerned stands in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectFrom {
    /// The value of this header.
    Header(HeaderName),
    /// The string or number that this pointer leads to in the body.
    Pointer(Pointer),
}

/// A member of the record's `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextMember {
    /// Build of the application.
    Build,
    /// Production, staging and the like.
    Environment,
    /// Feature flags that were on.
    Flags,
    /// Where it ran.
    Region,
    /// The arm of an experiment.
    Variant,
}

/// Where one member of the record's `context` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextFrom {
    /// Known when the configuration was read: written there, or taken from the environment then. Flags alone have several.
    Fixed(Vec<ClearName>),
    /// A request header. Its value stands in clear where it is one of `values`; any other is sealed.
    Header {
        /// The header.
        name: HeaderName,
        /// The values that may stand in clear.
        values: Vec<ClearName>,
    },
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Path that the request's own is appended to; no slash at its end.
    pub base: String,
    /// PEM file of authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Whether HTTP/2 is spoken with it from the first byte, in clear too. Otherwise it is where TLS agrees on it (ALPN).
    pub http2: bool,
}

/// Which paths a route matches: one path, or with `/*` at its end all that begin with what stands before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// This path alone.
    Exact(String),
    /// This path and, after a slash, any. Empty for all paths.
    Prefix(String),
}

/// What is to become of a request.
#[derive(Clone, Debug)]
pub enum Matched<'r, R = Route> {
    /// An inference: recorded.
    Inference(&'r R, Call),
    /// Health, metadata and the like: passed on and counted.
    Control(&'r R),
    /// Not known to the wire, and the route passes such requests on: counted.
    Passthrough(&'r R),
    /// To be refused.
    None,
}

/// Finds the route for a request.
pub fn find<'r, R: AsRef<Route>>(routes: &'r [R], method: &Method, uri: &Uri) -> Matched<'r, R> {
    let mut passthrough = None;
    for holder in routes {
        let route = holder.as_ref();
        let Some(rest) = route.path.rest(uri.path()) else { continue };
        match route.wire.classify(method, rest) {
            Kind::Inference(call) => return Matched::Inference(holder, call),
            Kind::Control => return Matched::Control(holder),
            Kind::Unknown if route.passthrough => passthrough = passthrough.or(Some(holder)),
            Kind::Unknown => {}
        }
    }
    passthrough.map_or(Matched::None, Matched::Passthrough)
}

impl AsRef<Route> for Route {
    fn as_ref(&self) -> &Route {
        self
    }
}

impl Route {
    /// The address at the upstream that answers a request to `uri`. `None` where the two do not make a valid one.
    pub fn target(&self, uri: &Uri) -> Option<Uri> {
        let rest = self.path.rest(uri.path())?;
        let base = &self.upstream.base;
        let path = match &self.path {
            PathPattern::Exact(_) if !base.is_empty() => base.clone(),
            _ => format!("{base}{rest}"),
        };
        let path = match uri.query() {
            Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
            None => PathAndQuery::try_from(path),
        };
        Uri::builder()
            .scheme(self.upstream.scheme.clone())
            .authority(self.upstream.authority.clone())
            .path_and_query(path.ok()?)
            .build()
            .ok()
    }
}

impl PathPattern {
    /// Parses `/exact/path` or `/prefix/*`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |path: &str| path.bytes().all(|b| b.is_ascii_graphic() && !b"*?#\"<>\\".contains(&b));
        match text.strip_suffix("/*") {
            Some(prefix) => (prefix.is_empty() || prefix.starts_with('/') && plain(prefix))
                .then(|| Self::Prefix(prefix.to_owned())),
            None => (text.starts_with('/') && plain(text)).then(|| Self::Exact(text.to_owned())),
        }
    }

    /// What the wire reads of a path that matches: all of an exact one, of others what follows the prefix.
    fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self {
            Self::Exact(exact) => (path == exact).then_some(path),
            Self::Prefix(prefix) => path.strip_prefix(prefix.as_str()).filter(|rest| rest.starts_with('/')),
        }
    }
}

impl std::fmt::Display for PathPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Prefix(prefix) => write!(f, "{prefix}/*"),
        }
    }
}
