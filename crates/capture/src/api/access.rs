//! Who may attach events over HTTP: whoever has the token, or whoever is on this machine.

use http::header::{AUTHORIZATION, FORWARDED, ORIGIN};
use http::{HeaderMap, HeaderName};
use sha2::digest::CtOutput;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;

/// Shortest token, bytes: 128 bits in hexadecimal digits.
pub const TOKEN_BYTES_MIN: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who may.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Programs on this machine: requests from a loopback address that no proxy and no web page sent.
    #[default]
    Loopback,
    /// Whoever sends `authorization: Bearer TOKEN`.
    Token(Token),
}

/// A bearer token (RFC 6750), as its SHA-256.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(CtOutput<Sha256>);

impl Token {
    /// The token; why not, if it is none.
    pub fn new(text: &str) -> Result<Self, String> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.len() < TOKEN_BYTES_MIN || !text.bytes().all(is_token) {
            return Err(format!(
                "a token has at least {TOKEN_BYTES_MIN} letters, digits or -._~+/=: make one with `openssl rand -hex 32`"
            ));
        }
        Ok(Self(digest(text.as_bytes())))
    }
}

fn digest(text: &[u8]) -> CtOutput<Sha256> {
    CtOutput::new(Sha256::digest(text))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Why a request may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The token is missing or wrong.
    Unauthorized,
    /// Without a token only programs on this machine may.
    Forbidden,
}

impl Access {
    /// Whether a request from this address may.
    pub fn check(&self, peer: IpAddr, headers: &HeaderMap) -> Result<(), Denied> {
        match self {
            Self::Token(token) => {
                let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
                let is_bearer = given.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
                // Equal in a time that does not tell how much of it is.
                let is_it = digest(given.get(7..).unwrap_or_default()) == token.0;
                if is_bearer && is_it { Ok(()) } else { Err(Denied::Unauthorized) }
            }
            Self::Loopback => {
                // A browser says where a page comes from, and a proxy for whom it asks: neither is a program on this machine.
                let is_other =
                    [ORIGIN, FORWARDED, X_FORWARDED_FOR].iter().any(|name| headers.contains_key(name));
                if peer.to_canonical().is_loopback() && !is_other { Ok(()) } else { Err(Denied::Forbidden) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_token_lets_in_from_everywhere_and_nothing_else_does() {
        let access = Access::Token(Token::new(TOKEN).unwrap());
        let (here, there): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [192, 0, 2, 1].into());
        let right = headers(&[("authorization", "Bearer 0123456789abcdef0123456789abcdef")]);
        let small = headers(&[("authorization", "bearer 0123456789abcdef0123456789abcdef")]);
        for (headers, may) in [
            (&right, true),
            (&small, true),
            (&headers(&[]), false),
            (&headers(&[("authorization", "Bearer 0123456789abcdef0123456789abcdeF")]), false),
            (&headers(&[("authorization", "Bearer ")]), false),
            (&headers(&[("authorization", "Basic 0123456789abcdef0123456789abcdef")]), false),
            (&headers(&[("authorization", "Bear")]), false),
        ] {
            for peer in [here, there] {
                assert_eq!(access.check(peer, headers).is_ok(), may, "{headers:?}");
            }
        }
        assert_eq!(format!("{access:?}"), "Token(Token)");
        assert!(Token::new("short").is_err() && Token::new(&" ".repeat(40)).is_err());
    }

    #[test]
    fn without_a_token_programs_on_this_machine_may() {
        let may = |peer: &str, pairs: &[(&'static str, &'static str)]| {
            Access::Loopback.check(peer.parse().unwrap(), &headers(pairs)).is_ok()
        };
        assert!(may("127.0.0.1", &[]) && may("::1", &[]) && may("::ffff:127.0.0.1", &[]));
        assert!(!may("192.0.2.1", &[]) && !may("::ffff:192.0.2.1", &[]));
        for page_or_proxy in
            [("origin", "http://localhost"), ("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4")]
        {
            assert!(!may("127.0.0.1", &[page_or_proxy]));
        }
    }
}
