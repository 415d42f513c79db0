//! The one list of fields. A struct declared with `members!` is at once the Rust type, its JSON form in the order of
//! RFC 8785, and the rows from which documentation, JSON Schema, columns and the rule "required" come.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::level::Level;

/// One field of an event, a body or a part of them.
#[derive(Debug, Clone, Copy)]
pub struct FieldDoc {
    /// The JSON member.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Its type.
    pub r#type: FieldType,
    /// Whether the member may be absent from the JSON object.
    pub optional: bool,
    /// How much its absence matters.
    pub level: Level,
    /// When the level applies; always, if `None`.
    pub when: Option<&'static str>,
    /// The provision it serves: a paragraph of the Act, of the GDPR, or `profile`.
    pub serves: &'static str,
    /// Where it comes from, in the letters of record.md.
    pub source: &'static str,
}

/// The type of a field, as documentation, schemas and columns need it.
#[derive(Debug, Clone, Copy)]
pub enum FieldType {
    /// `Id`: UUIDv7.
    Id,
    /// `Pseudonym`: UUIDv4.
    Pseudonym,
    /// `NodeId`: 32 hexadecimal digits.
    Node,
    /// `Timestamp`: RFC 3339, nine fractional digits.
    Time,
    /// `Digest`: 64 hexadecimal digits.
    Digest,
    /// `KeyId`: `<page>.<slot>`.
    KeyId,
    /// `SystemName`.
    System,
    /// `RetentionClass`.
    Class,
    /// `ClearName`.
    Name,
    /// `Reason`, of a payload that is not there.
    Reason,
    /// `Count`: unsigned, a string beyond 2^53.
    Count,
    /// `Signed`: a string beyond ±2^53.
    Signed,
    /// `Millionths`: as `Signed`.
    Millionths,
    /// `Tally`: as `Count`, or `unknown`.
    Tally,
    /// An unsigned integer that always is a JSON number.
    Small {
        /// The largest value.
        max: u32,
    },
    /// `true` or `false`.
    Bool,
    /// One of a fixed list of texts.
    Enum {
        /// The Rust type.
        name: &'static str,
        /// The texts.
        texts: &'static [&'static str],
        /// What each means.
        meanings: &'static [&'static str],
    },
    /// An object.
    Object {
        /// The Rust type.
        name: &'static str,
        /// Its members, in order.
        fields: &'static [FieldDoc],
    },
    /// A payload reference.
    Reference,
    /// A bounded array; an empty one is absent.
    List {
        /// The type of its items.
        item: &'static FieldType,
    },
    /// The body that belongs to the event's kind.
    Body,
}

/// Called with the path of a field and its row.
pub(crate) type See<'a> = dyn FnMut(&[&'static str], &'static FieldDoc) + 'a;

/// A value that can be a field's.
pub(crate) trait Member {
    const TYPE: FieldType;
    const OPTIONAL: bool = false;

    /// Whether the member is left out of the JSON object.
    fn absent(&self) -> bool {
        false
    }

    /// Shows every absent field within.
    fn see_absent(&self, _path: &mut Vec<&'static str>, _see: &mut See<'_>) {}

    /// Shows the length of every list within.
    fn see_lists(&self, _path: &mut Vec<&'static str>, _see: &mut dyn FnMut(&[&'static str], usize)) {}
}

impl<T: Member> Member for Option<T> {
    const TYPE: FieldType = T::TYPE;
    const OPTIONAL: bool = true;

    fn absent(&self) -> bool {
        self.is_none()
    }

    fn see_absent(&self, path: &mut Vec<&'static str>, see: &mut See<'_>) {
        if let Some(value) = self {
            value.see_absent(path, see);
        }
    }

    fn see_lists(&self, path: &mut Vec<&'static str>, see: &mut dyn FnMut(&[&'static str], usize)) {
        if let Some(value) = self {
            value.see_lists(path, see);
        }
    }
}

/// At most this many items stand in one list; validation refuses more.
pub const LIST_ITEMS_MAX: usize = 256;

/// A list that is absent from the JSON when empty. Holds at most [`LIST_ITEMS_MAX`] items in a valid event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> List<T> {
        List(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> List<T> {
        List(items)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> List<T> {
        List(items.into_iter().collect())
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    // Through `Option`, so that serde takes an absent member for an empty list.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer).map(|items| List(items.unwrap_or_default()))
    }
}

impl<T: Member> Member for List<T> {
    const TYPE: FieldType = FieldType::List { item: &T::TYPE };
    const OPTIONAL: bool = true;

    fn absent(&self) -> bool {
        self.is_empty()
    }

    fn see_absent(&self, path: &mut Vec<&'static str>, see: &mut See<'_>) {
        for item in self {
            item.see_absent(path, see);
        }
    }

    fn see_lists(&self, path: &mut Vec<&'static str>, see: &mut dyn FnMut(&[&'static str], usize)) {
        see(path, self.len());
        for item in self {
            item.see_lists(path, see);
        }
    }
}

impl Member for Vec<crate::Reference> {
    const TYPE: FieldType = FieldType::List { item: &FieldType::Reference };
    const OPTIONAL: bool = true;

    fn absent(&self) -> bool {
        self.is_empty()
    }
}

/// Declares a struct and its rows. Fields stand in sorted order; each says level, provision, sources:
/// `name: Type => R "12(1)" "P" when "…";`
macro_rules! members {
    ($(#[doc = $about:literal])* $(#[derive($extra:ident)])? pub struct $name:ident { $($fields:tt)* }) => {
        $crate::member::members! {
            @ [derive(serde::Serialize, serde::Deserialize) $(derive($extra))?]
            serde(skip_serializing_if = "crate::member::Member::absent");
            $(#[doc = $about])* pub struct $name { $($fields)* }
        }
    };
    (@ [$($attr:meta)*] $each:meta; $(#[doc = $about:literal])* pub struct $name:ident {
        $($(#[doc = $doc:literal])* $field:ident: $type:ty =>
            $level:ident $serves:literal $source:literal $(when $when:literal)?;)*
    }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $(#[$attr])*
        pub struct $name {
            $($(#[doc = $doc])*
            #[$each]
            pub $field: $type,)*
        }

        impl $name {
            /// The members, in order.
            pub const FIELDS: &'static [$crate::member::FieldDoc] = &[$($crate::member::FieldDoc {
                name: stringify!($field),
                doc: concat!($($doc),*),
                r#type: <$type as $crate::member::Member>::TYPE,
                optional: <$type as $crate::member::Member>::OPTIONAL,
                level: $crate::level::$level,
                when: $crate::member::when!($($when)?),
                serves: $serves,
                source: $source,
            }),*];
        }

        impl $crate::member::Member for $name {
            const TYPE: $crate::member::FieldType =
                $crate::member::FieldType::Object { name: stringify!($name), fields: $name::FIELDS };

            fn see_absent(&self, path: &mut Vec<&'static str>, see: &mut $crate::member::See<'_>) {
                let mut fields = Self::FIELDS.iter();
                $(path.push(stringify!($field));
                if let Some(field) = fields.next() && self.$field.absent() {
                    see(path, field);
                }
                self.$field.see_absent(path, see);
                path.pop();)*
            }

            fn see_lists(
                &self,
                path: &mut Vec<&'static str>,
                see: &mut dyn FnMut(&[&'static str], usize),
            ) {
                $(path.push(stringify!($field));
                self.$field.see_lists(path, see);
                path.pop();)*
            }
        }
    };
}

macro_rules! when {
    () => {
        None
    };
    ($when:literal) => {
        Some($when)
    };
}

pub(crate) use {members, when};
