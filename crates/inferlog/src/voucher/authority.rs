//! Asking a timestamping authority over HTTP (RFC 3161, section 3.4).

use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Limited};
use inferlog_capture::config::TimestampsConfig;
use inferlog_capture::route::Upstream;
use inferlog_capture::upstream::{self, whole};
use inferlog_timestamp::{RESPONSE_BYTES_MAX, Roots, Timestamp};

use crate::output::Failure;

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take, all of it.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// A way to an authority, and who vouches for it.
#[derive(Debug)]
pub(super) struct Authority {
    target: String,
    policy: Option<String>,
    client: upstream::Client,
    roots: Roots,
}

impl Authority {
    /// Reads the roots. Connects to nothing yet.
    pub(super) fn new(config: &TimestampsConfig) -> Result<Self, Failure> {
        let pem = std::fs::read(&config.roots)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", config.roots.display())))?;
        let roots = Roots::from_pem(&pem)
            .map_err(|error| Failure::new(format!("{}: {error}", config.roots.display())))?;
        let parts = config.url.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(Failure::new(format!("{} is no URL of an authority", config.url)));
        };
        let ca_file = config.ca_file.clone();
        let upstream = Upstream { scheme, authority, base: String::new(), ca_file, http2: false };
        let client = upstream::Client::new(&upstream, CONNECT_TIME_MAX)?;
        Ok(Self { target: config.url.to_string(), policy: config.policy.clone(), client, roots })
    }

    /// Asks for the time of a message. What it answers is verified; the error says why there is no timestamp, in words.
    pub(super) async fn stamp(&self, message: &[u8], nonce: u64) -> Result<(Vec<u8>, Timestamp), String> {
        let body = inferlog_timestamp::request(message, nonce, self.policy.as_deref());
        let body = Bytes::from(body.map_err(|error| error.to_string())?);
        let request = Request::post(&self.target)
            .header(header::CONTENT_TYPE, "application/timestamp-query")
            .header(header::ACCEPT, "application/timestamp-reply")
            .body(whole(body))
            .map_err(|error| error.to_string())?;
        let asked = async {
            let (head, body) =
                self.client.send(request).await.map_err(|error| error.to_string())?.into_parts();
            if !head.status.is_success() {
                return Err(format!("it answered {}", head.status));
            }
            let body = Limited::new(body, RESPONSE_BYTES_MAX).collect().await;
            Ok(body.map_err(|error| format!("its answer broke off or is too long: {error}"))?.to_bytes())
        };
        let timed = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
        let response =
            timed.map_err(|_| format!("it did not answer within {} s", ANSWER_TIME_MAX.as_secs()))??;
        let stamp = inferlog_timestamp::verify(&response, message, Some(nonce), &self.roots);
        Ok((response.to_vec(), stamp.map_err(|error| error.to_string())?))
    }

    /// What an answer that was kept says, if this authority's roots vouch for it.
    pub(super) fn verify(&self, response: &[u8], message: &[u8]) -> Option<Timestamp> {
        inferlog_timestamp::verify(response, message, None, &self.roots).ok()
    }
}
