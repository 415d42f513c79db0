//! Values that stand in an entry as a short text: how they are read and written, once for all of them.

use thiserror::Error;

/// A text that is not of the form its type asks for. The text itself is not repeated: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what}: expected {expected}, found another text of {found_bytes} bytes")]
pub struct TextError {
    /// What was being read.
    pub what: &'static str,
    /// The form that was expected.
    pub expected: &'static str,
    /// Length of what was found, bytes.
    pub found_bytes: usize,
}

impl TextError {
    pub(crate) fn new(what: &'static str, expected: &'static str, found: &str) -> TextError {
        TextError { what, expected, found_bytes: found.len() }
    }
}

/// Gives a type its `Display`, `Serialize` and `Deserialize` from `with_text` and `FromStr`.
macro_rules! text_form {
    ($type:ty, $expected:expr) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.with_text(|text| f.pad(text))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.with_text(|text| serializer.serialize_str(text))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

/// An enum whose every value is a fixed text: `as_str`, `ALL`, `TEXTS`, `FromStr` and the text forms.
macro_rules! text_enum {
    ($(#[$attr:meta])* pub enum $name:ident {
        $($(#[doc = $doc:literal])* $variant:ident = $text:literal,)*
    }) => {
        $(#[$attr])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[doc = $doc])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The text of every value, in the same order.
            pub const TEXTS: &'static [&'static str] = &[$($text),*];
            /// What every value means, in the same order.
            pub const MEANINGS: &'static [&'static str] = &[$(concat!($($doc),*)),*];

            /// The text that stands in the entry.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),* }
            }

            fn with_text<T>(self, write: impl FnOnce(&str) -> T) -> T {
                write(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::TextError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err($crate::text::TextError::new(
                        stringify!($name), concat!("one of", $(" ", $text),*), text)),
                }
            }
        }

        $crate::text::text_form!($name, concat!("one of", $(" ", $text),*));

        impl $crate::member::Member for $name {
            const TYPE: $crate::member::FieldType = $crate::member::FieldType::Enum {
                name: stringify!($name), texts: $name::TEXTS, meanings: $name::MEANINGS };
        }
    };
}

pub(crate) use {text_enum, text_form};
