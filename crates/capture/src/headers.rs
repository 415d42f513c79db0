//! Headers: which ones a proxy must not pass on, which ones are recorded, which ones name a request.

use crate::route::{DECISION, DECISION_END, SESSION};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Authority;
use serde::Serialize;
use std::borrow::Cow;
use std::net::IpAddr;

/// Headers that speak of one connection, not of the message (RFC 9110, section 7.6.1), and proxy credentials.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that are recorded, sealed. All others are not: an allow-list, so that no credential ever is.
static RECORDED: [HeaderName; 16] = [
    header::ACCEPT,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("inference-header-content-length"),
    header::RETRY_AFTER,
    header::SERVER,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    header::USER_AGENT,
    HeaderName::from_static("x-request-id"),
];

/// Headers that name a request, and the name under which the record's `external_ids` has each.
static EXTERNAL_IDS: [(HeaderName, &str); 5] = [
    (HeaderName::from_static("x-request-id"), "x-request-id"),
    (HeaderName::from_static("request-id"), "request-id"),
    (HeaderName::from_static("traceparent"), "traceparent"),
    (HeaderName::from_static("ce-id"), "cloudevents.id"),
    (DECISION, "inferlog-decision"),
];

/// Removes what a proxy must not pass on, the headers that `Connection` names among it.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .filter_map(|name| HeaderName::try_from(name.trim()).ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Makes a client's headers those of the request to the upstream.
///
/// The upstream is asked not to compress, so that the record need not decode. `Expect` is settled here (RFC 9110, section
/// 10.1.1), for the body is read before it is passed on. `Host` and `Content-Length` follow from the new request. In HTTP/2
/// the host stands in the address, and cookies in several headers, which HTTP/1.1 has in one (RFC 9113, section 8.2.3).
pub(crate) fn to_upstream(headers: &mut HeaderMap, authority: Option<&Authority>, peer: IpAddr) {
    strip_hop_by_hop(headers);
    headers.remove(header::EXPECT);
    join_cookies(headers);
    headers.remove(DECISION);
    headers.remove(DECISION_END);
    headers.remove(SESSION);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    append_forwarded(headers, peer);
    let asked = || authority.and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = headers.remove(header::HOST).or_else(asked) {
        headers.entry("x-forwarded-host").or_insert(host);
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("http"));
}

/// Whether the client can take trailers (RFC 9110, section 6.5.1), which gRPC needs.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::TE).iter().filter_map(|value| value.to_str().ok());
    values.any(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case("trailers")))
}

fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

fn append_forwarded(headers: &mut HeaderMap, peer: IpAddr) {
    let name = HeaderName::from_static("x-forwarded-for");
    let mut chain = peer.to_string();
    for before in headers.get_all(&name).iter().rev().filter_map(|value| value.to_str().ok()) {
        chain = format!("{before}, {chain}");
    }
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(name, chain);
    }
}

/// What is recorded of a message's head, as a JSON object: the headers on the allow-list, name to value or to the list of its
/// values, and `first`, which HTTP/2 calls pseudo-headers (RFC 9113, section 8.3).
pub fn recorded(headers: &HeaderMap, first: &[(&str, &str)]) -> Bytes {
    let mut members = Members::default();
    first.iter().for_each(|(name, value)| members.add(name, value));
    for name in &RECORDED {
        let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        match (values.next(), values.next()) {
            (Some(value), None) => members.add(name.as_str(), &value),
            (Some(first), Some(second)) => {
                members.add(name.as_str(), &[first, second].into_iter().chain(values).collect::<Vec<_>>());
            }
            (None, _) => {}
        }
    }
    members.end()
}

/// Writes a JSON object member by member: the record of every request has some, and a tree of maps would cost more than the
/// rest of its description.
#[derive(Default)]
pub(crate) struct Members(Vec<u8>);

impl Members {
    pub(crate) fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if self.0.is_empty() {
            self.0.reserve(512);
        }
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        let end = self.0.len();
        let written = serde_json::to_writer(&mut self.0, name).and_then(|()| {
            self.0.push(b':');
            serde_json::to_writer(&mut self.0, value)
        });
        if written.is_err() {
            // Texts always are JSON; what is not leaves its member out.
            self.0.truncate(end - 1);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn end(mut self) -> Bytes {
        if self.0.is_empty() {
            self.0.push(b'{');
        }
        self.0.push(b'}');
        self.0.into()
    }
}

/// The ids that other parties gave this request.
pub fn external_ids(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
    EXTERNAL_IDS.iter().filter_map(|(header, name)| {
        let value = headers.get(header)?;
        Some((*name, String::from_utf8_lossy(value.as_bytes())))
    })
}
