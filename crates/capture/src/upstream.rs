//! The way to a model server: pooled connections, in clear or over TLS, in HTTP/1.1 or HTTP/2.
//!
//! HTTP/2 is spoken where TLS agrees on it (ALPN, RFC 7301), or where the route says so, then also in clear ("prior knowledge",
//! RFC 9113, section 3.3). All requests to such an upstream share a connection. One that a network swallowed is given up
//! by TCP's own timers: HTTP/2 pings are what gRPC servers punish.

use crate::headers;
use crate::route::{Route, Upstream};
use crate::wire::grpc::GRPC_ACCEPT_ENCODING;
use bytes::Bytes;
use http::header::HeaderValue;
use http::uri::Scheme;
use http::{Request, Response, Version, header, request};
use http_body_util::channel::Channel;
use http_body_util::{Either, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long an idle connection is kept. Below the five seconds after which uvicorn, which most Python model servers stand
/// on, closes one: a request written to a connection that is being closed fails, and may not be sent again.
const IDLE_TIME_MAX: Duration = Duration::from_secs(4);

/// How long a connection may be silent, with requests waiting on it, before TCP probes it; then every [`PROBE_PERIOD`].
const PROBE_AFTER: Duration = Duration::from_secs(20);
/// Time between two probes.
const PROBE_PERIOD: Duration = Duration::from_secs(5);
/// Probes without an answer before a connection is given up.
const PROBES_MAX: u32 = 3;
/// How long what was sent may stay unacknowledged before a connection is given up, where the system knows such a limit.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIME_MAX: Duration = Duration::from_secs(30);

/// A body on its way: read whole before, passed on as it comes, or made piece by piece.
pub type Body = Either<Full<Bytes>, Either<Limited<Incoming>, Channel<Bytes>>>;

/// A body that is there as a whole.
pub fn whole(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection could be made.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// The time was up.
    #[error("the upstream did not answer in time")]
    TimedOut,
    /// It closed the connection, or answered something that is not HTTP.
    #[error("the upstream broke off: {0}")]
    Aborted(String),
}

/// Why no way to an upstream could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of private authorities cannot be used.
    #[error("`ca_file` {path}: {what}: it must hold certificates in PEM form")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// There is nobody to trust.
    #[error(
        "no certificate authorities were found on this system: install ca-certificates, or set `ca_file`"
    )]
    NoRoots,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Connections to one upstream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Body>,
}

impl Client {
    /// Sets up the way to an upstream; connects to nothing yet. Reads certificates only where it speaks TLS.
    pub fn new(upstream: &Upstream, connect_time_max: Duration) -> Result<Self, TlsError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(connect_time_max));
        http.set_keepalive(Some(PROBE_AFTER));
        http.set_keepalive_interval(Some(PROBE_PERIOD));
        http.set_keepalive_retries(Some(PROBES_MAX));
        #[cfg(target_os = "linux")]
        http.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIME_MAX));
        let roots = match upstream.scheme == Scheme::HTTPS {
            true => roots(upstream.ca_file.as_deref())?,
            false => RootCertStore::empty(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = match upstream.http2 {
            true => connector.enable_http2().wrap_connector(http),
            false => connector.enable_http1().enable_http2().wrap_connector(http),
        };
        let pool = Pool::builder(TokioExecutor::new())
            .http2_only(upstream.http2)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME_MAX)
            .build(connector);
        Ok(Self { pool })
    }

    /// Sends a request; answers once the head of the response is there. Whoever drops the future breaks off the request.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, UpstreamError> {
        self.pool.request(request).await.map_err(|error| {
            let cause = root_cause(&error);
            match () {
                () if cause.1 => UpstreamError::TimedOut,
                () if error.is_connect() => UpstreamError::Unreachable(cause.0),
                () => UpstreamError::Aborted(cause.0),
            }
        })
    }
}

/// The innermost error's words, and whether it is a timeout.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> (String, bool) {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let timed_out =
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut);
    (cause.to_string(), timed_out)
}

/// The request that goes upstream in place of the client's, whose headers it takes. `None` where route and path make no valid
/// address.
pub fn request(
    route: &Route,
    client: &mut request::Parts,
    peer: IpAddr,
    body: Body,
) -> Option<Request<Body>> {
    let target = route.target(&client.uri)?;
    let mut headers = std::mem::take(&mut client.headers);
    let takes_trailers = route.upstream.http2 && headers::takes_trailers(&headers);
    headers::to_upstream(&mut headers, client.uri.authority(), peer);
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if route.wire.is_grpc() {
        headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if matches!(body, Either::Left(_)) {
        headers.remove(header::CONTENT_LENGTH);
    }
    let mut request = Request::new(body);
    *request.method_mut() = client.method.clone();
    *request.uri_mut() = target;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    Some(request)
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "a certificate authority of this system cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = ca_file {
        let bad = |what: String| TlsError::CaFile { path: path.to_owned(), what };
        let mut added = 0;
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))? {
            roots.add(certificate.map_err(|e| bad(e.to_string()))?).map_err(|e| bad(e.to_string()))?;
            added += 1;
        }
        if added == 0 {
            return Err(bad("holds no certificate".into()));
        }
    }
    if roots.is_empty() { Err(TlsError::NoRoots) } else { Ok(roots) }
}
