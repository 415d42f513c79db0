//! JSON that every reader takes the same way: no key twice in an object (RFC 8259, section 4, leaves open which one counts),
//! no nulls where a member may be absent, no number but integers of 64 bits, nothing after the value.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What JSON text may hold beyond objects, arrays, texts, booleans and integers of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lenience {
    None,
    /// `null`.
    Nulls,
    /// `null`, and numbers of any kind.
    NullsAndFractions,
}

/// Reads a value of JSON text.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let text = check(bytes, Lenience::None)?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Checks the form of JSON text and gives it back as such.
pub(super) fn check(bytes: &[u8], lenience: Lenience) -> Result<&str, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("no UTF-8 after byte {}", error.valid_up_to()))?;
    let mut json = serde_json::Deserializer::from_str(text);
    Form(lenience).deserialize(&mut json).and_then(|()| json.end()).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Whether text that was checked is JSON in its one spelling (RFC 8785): members sorted, no spaces, no needless escapes.
pub(super) fn is_canonical(text: &str) -> bool {
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.and_then(|value| serde_json::to_string(&value)).is_ok_and(|written| written == text)
}

/// Any value, whose form is checked and nothing kept. serde_json bounds the depth.
#[derive(Clone, Copy)]
struct Form(Lenience);

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

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match self.0 {
            Lenience::NullsAndFractions => Ok(()),
            // Two readers round it in two ways, and none stands in an entry (docs/record.md).
            _ => Err(E::custom(format_args!("the number {number} is no integer of 64 bits"))),
        }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.0 {
            Lenience::Nulls | Lenience::NullsAndFractions => Ok(()),
            Lenience::None => Err(E::custom("null stands where a member is present or absent")),
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
        for good in [r#"{"a":1,"b":[{"a":2}]}"#, " [15, -3, true, \"\\u0061\"] "] {
            assert_eq!(check(good.as_bytes(), Lenience::None), Ok(good));
        }
        let table: [(&[u8], &str); 12] = [
            (br#"{"a":1,"a":1}"#, "twice"),
            (br#"{"a":1,"\u0061":1}"#, "twice"),
            (br#"[{"b":{"c":1,"d":2,"c":3}}]"#, "twice"),
            (br#"{"a":null}"#, "null"),
            (b"[1.5]", "64 bits"),
            (b"[1.0]", "64 bits"),
            (b"[1e3]", "64 bits"),
            (b"[-0]", "64 bits"),
            (b"[18446744073709551616]", "64 bits"),
            (br#"{"a":1}x"#, "trailing"),
            (b"\"\xff\"", "UTF-8"),
            (br#""\ud800""#, "hex escape"),
        ];
        for (bad, why) in table {
            let found = check(bad, Lenience::None).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
        assert_eq!(check(b"[null]", Lenience::Nulls), Ok("[null]"));
        assert!(check(b"[1.5]", Lenience::Nulls).is_err());
        assert_eq!(check(b"[null,1.5]", Lenience::NullsAndFractions), Ok("[null,1.5]"));
        let deep = "[".repeat(100_000);
        assert!(check(deep.as_bytes(), Lenience::Nulls).is_err());
    }
    #[test]
    fn an_entry_has_one_spelling() {
        assert!(is_canonical("{\"a\":[\"\\n\u{e9}\\\"\",-1,null],\"b\":{\"c\":true}}"));
        let others =
            [r#"{"b":1,"a":1}"#, r#"{"a": 1}"#, r#"{"\u0061":1}"#, r#"["\u00e9"]"#, r#"["\/"]"#, "[1]\n"];
        for other in others {
            assert!(!is_canonical(other), "{other}");
        }
    }
}
