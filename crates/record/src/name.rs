//! Names that may stand in clear.

use std::str::FromStr;
use std::sync::Arc;

use crate::member::{FieldType, Member};
use crate::text::{TextError, text_form};

macro_rules! name {
    ($(#[$attr:meta])* $name:ident, $what:literal, $expected:literal, $field:ident, $rule:expr) => {
        $(#[$attr])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name, refused unless it keeps the rule.
            pub fn new(text: &str) -> Result<$name, TextError> {
                let rule: fn(&[u8]) -> bool = $rule;
                if rule(text.as_bytes()) {
                    return Ok($name(text.into()));
                }
                Err(TextError::new($what, $expected, text))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            fn with_text<T>(&self, write: impl FnOnce(&str) -> T) -> T {
                write(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = TextError;
            fn from_str(text: &str) -> Result<$name, TextError> {
                $name::new(text)
            }
        }

        text_form!($name, $expected);
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl Member for $name {
            const TYPE: FieldType = FieldType::$field;
        }
    };
}

name! {
    /// A system in the sense of the Act: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`, so that it can name a directory.
    SystemName, "system", "[A-Za-z0-9][A-Za-z0-9._-]{0,62}", System,
    |name| within(name, 63) && name[0].is_ascii_alphanumeric() && all(name, b"._-")
}

name! {
    /// A retention class: `[a-z0-9][a-z0-9-]{0,30}`, so that it can name a directory; `default` unless set.
    RetentionClass, "retention class", "[a-z0-9][a-z0-9-]{0,30}", Class,
    |name| within(name, 31) && name[0] != b'-' && all(name, b"-") && !name.iter().any(u8::is_ascii_uppercase)
}

name! {
    /// A name that may stand in clear: `[A-Za-z0-9._:/@-]{1,128}`.
    ///
    /// The pattern alone does not make a text fit to stand in clear: it must also be configured, registered, or
    /// have been answered by a 2xx upstream. Any other text is sealed as a payload, and the field says `unlisted`.
    ClearName, "name", "[A-Za-z0-9._:/@-]{1,128}", Name,
    |name| within(name, 128) && all(name, b"._:/@-")
}

fn within(name: &[u8], len_max: usize) -> bool {
    (1..=len_max).contains(&name.len())
}

fn all(name: &[u8], also: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || also.contains(byte))
}

impl Default for RetentionClass {
    fn default() -> RetentionClass {
        RetentionClass("default".into())
    }
}

impl RetentionClass {
    /// The class of what no policy removes: erasures, holds, incidents, purges and their payloads.
    pub fn permanent() -> RetentionClass {
        RetentionClass("permanent".into())
    }
}

/// What a field says in place of a text that may not stand in clear.
pub const UNLISTED: &str = "unlisted";

impl ClearName {
    /// `text` if it keeps the pattern, else `unlisted`; the caller seals the text it could not show.
    pub fn or_unlisted(text: &str) -> ClearName {
        ClearName::new(text).unwrap_or_else(|_| ClearName::unlisted())
    }

    /// The name `unlisted`.
    pub fn unlisted() -> ClearName {
        ClearName(UNLISTED.into())
    }

    /// Whether the text is sealed elsewhere and only `unlisted` stands here.
    pub fn is_unlisted(&self) -> bool {
        self.as_str() == UNLISTED
    }
}
