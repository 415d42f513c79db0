//! Asking one witness over HTTP (c2sp.org/tlog-witness).

use std::time::Duration;

use bytes::Bytes;
use http::uri::{Scheme, Uri};
use http::{Request as HttpRequest, header};
use http_body_util::{BodyExt, Limited};
use inferlog_capture::route::Upstream;
use inferlog_capture::upstream::{self, whole};
use inferlog_merkle::{PolicyWitness, VerifierKey};
use inferlog_witness::{Reply, Request};

use crate::output::Failure;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take, all of it. A witness syncs its disk and does no more.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest answer that is read, bytes: dozens of cosignatures, or two checkpoints.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// A way to a witness. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its name in the policy.
    pub(crate) name: String,
    /// The key it cosigns with.
    pub(crate) key: VerifierKey,
    target: String,
    client: upstream::Client,
}

impl Client {
    /// For a witness of a policy; `None` if that says no URL. Connects to nothing yet.
    pub(super) fn new(witness: &PolicyWitness) -> Result<Option<Self>, Failure> {
        let Some(url) = &witness.url else { return Ok(None) };
        let bad = || {
            let name = &witness.name;
            Failure::new(format!(
                "witness {name}: {url}: write its submission prefix, http://HOST:PORT or https://HOST, with or without a path"
            ))
        };
        let parts = url.parse::<Uri>().map_err(|_| bad())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(bad()) };
        let path = parts.path_and_query.as_ref();
        let has_query = path.is_some_and(|path| path.query().is_some());
        if ![Scheme::HTTP, Scheme::HTTPS].contains(&scheme) || authority.as_str().contains('@') || has_query {
            return Err(bad());
        }
        let base = path.map_or("", |path| path.path()).trim_end_matches('/').to_owned();
        let target = format!("{scheme}://{authority}{base}/add-checkpoint");
        let upstream = Upstream { scheme, authority, base, ca_file: None, http2: false };
        let client = upstream::Client::new(&upstream, CONNECT_TIME_MAX)?;
        Ok(Some(Self { name: witness.name.clone(), key: witness.key.clone(), target, client }))
    }

    /// Asks it to cosign. What it answers is verified; that it does not answer is the error, in words.
    pub(super) async fn ask(&self, request: &Request) -> Result<Reply, String> {
        let body = Bytes::from(request.to_string());
        let http = HttpRequest::post(&self.target)
            .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(whole(body))
            .map_err(|error| error.to_string())?;
        let asked = async {
            let (head, body) = self.client.send(http).await.map_err(|error| error.to_string())?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| format!("its answer broke off: {error}"))?.to_bytes();
            Ok::<_, String>((head.status.as_u16(), body))
        };
        let timed = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
        let (status, body) =
            timed.map_err(|_| format!("it did not answer within {} s", ANSWER_TIME_MAX.as_secs()))??;
        Ok(Reply::read(status, &body, &request.note, &self.key))
    }
}
