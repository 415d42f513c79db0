//! JSON that every reader takes the same way: no key twice in an object (RFC 8259, section 4, leaves open which one counts),
//! no nulls where a member may be absent, nothing after the value.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Whether `null` may stand for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    Refused,
    Allowed,
}

/// Reads a value of JSON text.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let text = check(bytes, Nulls::Refused)?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Checks the form of JSON text and gives it back as such.
pub(super) fn check(bytes: &[u8], nulls: Nulls) -> Result<&str, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("no UTF-8 after byte {}", error.valid_up_to()))?;
    let mut json = serde_json::Deserializer::from_str(text);
    Form(nulls).deserialize(&mut json).and_then(|()| json.end()).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Any value, whose form is checked and nothing kept. serde_json bounds the depth.
#[derive(Clone, Copy)]
struct Form(Nulls);

impl<'de> DeserializeSeed<'de> for Form {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Form {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.0 {
            Nulls::Allowed => Ok(()),
            Nulls::Refused => Err(E::custom("null stands where a member is present or absent")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys: HashSet<String> = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!("the member {key:?} stands twice")));
            }
            keys.insert(key);
            members.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_take_differently_is_refused() {
        for good in [r#"{"a":1,"b":[{"a":2}]}"#, " [1.5, -3, true, \"\\u0061\"] "] {
            assert_eq!(check(good.as_bytes(), Nulls::Refused), Ok(good));
        }
        let table: [(&[u8], &str); 7] = [
            (br#"{"a":1,"a":1}"#, "twice"),
            (br#"{"a":1,"\u0061":1}"#, "twice"),
            (br#"[{"b":{"c":1,"d":2,"c":3}}]"#, "twice"),
            (br#"{"a":null}"#, "null"),
            (br#"{"a":1}x"#, "trailing"),
            (b"\"\xff\"", "UTF-8"),
            (br#""\ud800""#, "hex escape"),
        ];
        for (bad, why) in table {
            let found = check(bad, Nulls::Refused).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
        assert_eq!(check(b"[null]", Nulls::Allowed), Ok("[null]"));
        let deep = "[".repeat(100_000);
        assert!(check(deep.as_bytes(), Nulls::Allowed).is_err());
    }
}
