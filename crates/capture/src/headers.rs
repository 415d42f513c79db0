//! Headers: which ones a proxy must not pass on, which ones are recorded, which ones name a request.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::net::IpAddr;

/// Headers that speak of one connection, not of the message (RFC 9110, section 7.6.1), and proxy credentials.
const HOP_BY_HOP: [HeaderName; 9] = [
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
const RECORDED: [&str; 12] = [
    "accept",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "inference-header-content-length",
    "retry-after",
    "server",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
];

/// Headers that name a request, and the name under which the record's `external_ids` has each.
const EXTERNAL_IDS: [(&str, &str); 4] = [
    ("x-request-id", "x-request-id"),
    ("request-id", "request-id"),
    ("traceparent", "traceparent"),
    ("ce-id", "cloudevents.id"),
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
/// 10.1.1), for the body is read before it is passed on. `Host` and `Content-Length` follow from the new request.
pub(crate) fn to_upstream(headers: &mut HeaderMap, peer: IpAddr) {
    strip_hop_by_hop(headers);
    headers.remove(header::EXPECT);
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    append_forwarded(headers, peer);
    if let Some(host) = headers.remove(header::HOST) {
        headers.entry("x-forwarded-host").or_insert(host);
    }
    headers.entry("x-forwarded-proto").or_insert(HeaderValue::from_static("http"));
}

fn append_forwarded(headers: &mut HeaderMap, peer: IpAddr) {
    let name = HeaderName::from_static("x-forwarded-for");
    let before = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
    let chain = before.map(str::to_owned).chain([peer.to_string()]).collect::<Vec<_>>().join(", ");
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(name, chain);
    }
}

/// What is recorded of a message's head, as a JSON object: the headers on the allow-list, name to value or to the list of its
/// values, and `first`, which HTTP/2 calls pseudo-headers (RFC 9113, section 8.3).
pub fn recorded(headers: &HeaderMap, first: &[(&str, &str)]) -> Value {
    let mut kept: Map<String, Value> =
        first.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    for name in RECORDED {
        let mut values: Vec<Value> =
            headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes()).into()).collect();
        match values.len() {
            0 => continue,
            1 => kept.insert(name.to_owned(), values.remove(0)),
            _ => kept.insert(name.to_owned(), values.into()),
        };
    }
    Value::Object(kept)
}

/// The ids that other parties gave this request.
pub fn external_ids(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, String)> {
    EXTERNAL_IDS.into_iter().filter_map(|(header, name)| {
        let value = headers.get(header)?;
        Some((name, String::from_utf8_lossy(value.as_bytes()).into_owned()))
    })
}
