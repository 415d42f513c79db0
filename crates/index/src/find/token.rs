//! Where a page ended.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Where a page of decisions ended: the start and the number of its oldest. Text of 32 hexadecimal characters, to be taken as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    pub(crate) started_ns: i64,
    pub(crate) no: i64,
}

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a page's token: give what the page before ended with, unchanged")]
pub struct TokenError;

impl Token {
    pub(crate) fn at(started_ns: i64, no: i64) -> Self {
        Self { started_ns, no }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.started_ns, self.no)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(TokenError);
        }
        let number = |text| u64::from_str_radix(text, 16).map(u64::cast_signed).map_err(|_| TokenError);
        Ok(Self { started_ns: number(&text[..16])?, no: number(&text[16..])? })
    }
}
