//! The reader: records read over HTTP, by whoever has the token, on a listener of its own (docs/reader.md).
//!
//! It listens on this machine alone, apart from the gateway: whoever may send inferences may not read them. Nothing runs in the
//! serving process but what needs its keys. A statement is answered by a worker ([`crate::query`]); what a command of the
//! same name answers, that command answers, run as a worker too. So a question that goes wrong costs a process that
//! records nothing.
//!
//! Every request needs the token, whatever its path: a page in a browser has none, so that neither a name that is bound anew nor
//! a form can read here.

mod answer;
mod asked;
mod compliance;
mod listen;
mod query;
mod route;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use inferlog_capture::api::Access;
use inferlog_capture::config::ReaderConfig;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::answer::refuse;
use self::asked::Asked;
pub(crate) use self::listen::{ReaderListener, ReaderServer, TokenPlace};
use crate::current::Current;
use crate::followers::Store;

/// Longest body of a request, bytes: a statement, every byte of it escaped, and more.
const REQUEST_BYTES_MAX: usize = 512 << 10;
/// How long a request's body may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(10);
/// Questions that are answered at a time.
const RUNNING_MAX: usize = 4;
/// Questions that wait for their turn; more are sent away.
const WAITING_MAX: usize = 16;
/// How long a question waits for its turn.
const WAIT_TIME_MAX: Duration = Duration::from_secs(10);
/// Streams of events (`GET /v1/tail`) at a time.
const TAILS_MAX: usize = 8;

/// The body of an answer: there as a whole, or as it comes.
type Body = Either<Full<Bytes>, Channel<Bytes, std::io::Error>>;

/// A reader at work.
struct Reader {
    access: Access,
    /// What erasures, holds and incidents ask for; without, they are not answered.
    compliance: Option<Access>,
    /// Whether content is given out.
    content: bool,
    current: Current,
    /// Turns to be answered, turns to wait, and streams.
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    tails: Arc<Semaphore>,
}

impl Reader {
    fn new(config: ReaderConfig, current: Current) -> Self {
        let (access, content) = (Access::Token(config.token), config.content);
        let compliance = config.compliance.map(Access::Token);
        let [running, waiting, tails] =
            [RUNNING_MAX, WAITING_MAX, TAILS_MAX].map(|count| Arc::new(Semaphore::new(count)));
        Self { access, compliance, content, current, running, waiting, tails }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let is_compliance = compliance::is_path(request.uri().path());
        if is_compliance && self.is_allowed(request.headers(), Some(&self.access)) {
            let what =
                "this token reads: erasures, holds and incidents have a token of their own (docs/reader.md)";
            return refuse(StatusCode::FORBIDDEN, "no_compliance", what);
        }
        let access = if is_compliance { self.compliance.as_ref() } else { Some(&self.access) };
        if !self.is_allowed(request.headers(), access) {
            let mut answer = refuse(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send `authorization: Bearer TOKEN`, with the token of the reader's configuration",
            );
            let bearer = header::HeaderValue::from_static("Bearer");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
            return answer;
        }
        let (head, body) = request.into_parts();
        let asked = match Asked::of(&head) {
            Ok(asked) => asked,
            Err(refused) => return refuse(refused.status, refused.code, &refused.message),
        };
        let body = match timeout(REQUEST_TIME_MAX, Limited::new(body, REQUEST_BYTES_MAX).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                let what = format!("a request's body has {REQUEST_BYTES_MAX} bytes at most");
                return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &what);
            }
            Ok(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "malformed", "the body broke off"),
            Err(_) => {
                return refuse(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body did not come in time");
            }
        };
        let (path, route) = (head.uri.path().len(), asked.name());
        let answer = self.route(asked, &head, body).await;
        tracing::info!(route, path_bytes = path, status = answer.status().as_u16(), "records were asked for");
        answer
    }

    fn is_allowed(&self, headers: &HeaderMap, access: Option<&Access>) -> bool {
        // With a token it does not matter where a request comes from.
        access.is_some_and(|access| access.check(IpAddr::V4(Ipv4Addr::LOCALHOST), headers).is_ok())
    }

    /// The index that questions are asked: the first that follows the log.
    fn store(&self) -> Option<Store> {
        self.current.followers().stores().first().cloned()
    }
}
