//! The small values: their texts, their limits, what they refuse.

#![expect(clippy::panic, reason = "a test that fails by panicking says where")]

use std::fmt::Display;
use std::str::FromStr;

use inferlog_record::{
    ClearName, Digest, Id, KeyId, MediaType, Millionths, NodeId, Pseudonym, Reason, RetentionClass,
    SystemName, Timestamp, Why,
};
use uuid::Uuid;

/// Good texts read back to themselves, bad ones are refused.
fn check<T: FromStr + Display>(good: &[&str], bad: &[&str]) {
    for text in good {
        let value = T::from_str(text).unwrap_or_else(|_| panic!("{text:?} refused"));
        assert_eq!(value.to_string(), *text);
    }
    for text in bad {
        assert!(T::from_str(text).is_err(), "{text:?} taken");
    }
}

#[test]
fn texts() {
    check::<Id>(
        &["019c9d5e-7a86-7ae3-9d58-a6aa3b5742df"],
        &[
            "",
            "019C9D5E-7A86-7AE3-9D58-A6AA3B5742DF",
            "019c9d5e7a867ae39d58a6aa3b5742df",
            "{019c9d5e-7a86-7ae3-9d58-a6aa3b5742df}",
            "019c9d5e-7a86-4ae3-9d58-a6aa3b5742df",
            "019c9d5e-7a86-7ae3-cd58-a6aa3b5742df",
            "019c9d5e-7a86-7ae3-9d58-a6aa3b5742d",
            "019c9d5e-7a86-7ae3-9d58-a6aa3b5742dé",
        ],
    );
    check::<Pseudonym>(
        &["3f2b8a1e-0c4d-4e5f-8a9b-0c1d2e3f4a5b"],
        &["019c9d5e-7a86-7ae3-9d58-a6aa3b5742df", "3F2b8a1e-0c4d-4e5f-8a9b-0c1d2e3f4a5b"],
    );
    check::<NodeId>(&["00112233445566778899aabbccddeeff"], &["", "00112233445566778899AABBCCDDEEFF", "0011"]);
    let digest = "0123456789abcdef".repeat(4);
    let bad =
        [digest.to_uppercase(), digest[1..].to_owned(), format!("{digest}00"), digest.replace('0', "g")];
    check::<Digest>(&[&digest], &bad.each_ref().map(String::as_str));
    check::<KeyId>(
        &["0.0", "7.2051", "4294967295.65535"],
        &["7", "07.1", "7.01", "+7.1", "7.65536", "4294967296.1", "7.1.1", "."],
    );
    check::<SystemName>(
        &["a", "Credit-Scoring_2.1", &"a".repeat(63)],
        &["", ".a", "-a", "a/b", "a b", "ä", &"a".repeat(64)],
    );
    check::<RetentionClass>(
        &["default", "0-a", &"a".repeat(31)],
        &["", "-a", "A", "a_b", "a.b", &"a".repeat(32)],
    );
    check::<ClearName>(
        &["gpt-4o", "models:/fraud@3", &"a".repeat(128)],
        &["", "a b", "a\n", "é", &"a".repeat(129)],
    );
    let event = "019c9d5e-7a86-7ae3-9d58-a6aa3b5742df";
    check::<Reason>(
        &["over_limit", &format!("erased_by_order:{event}"), &format!("purged_by_policy:{event}")],
        &["", "because", "erased_by_order", "erased_by_order:", "erased_by_order:7"],
    );
}

#[test]
fn times() {
    check::<Timestamp>(
        &[
            "1970-01-01T00:00:00.000000000Z",
            "2024-02-29T23:59:59.999999999Z",
            "2026-07-27T09:30:00.000000001Z",
            "2554-07-21T23:34:33.709551615Z",
        ],
        &[
            "",
            "2026-07-27T09:30:00Z",
            "2026-07-27T09:30:00.000000001+00:00",
            "2026-07-27t09:30:00.000000001Z",
            "2026-02-29T00:00:00.000000000Z",
            "2026-00-01T00:00:00.000000000Z",
            "2026-07-27T24:00:00.000000000Z",
            "2026-06-30T23:59:60.000000000Z",
            "2026-07-27T09:30:00.00000000+Z",
            "1969-12-31T23:59:59.999999999Z",
            "2554-07-21T23:34:33.709551616Z",
            "2026-07-27T09:30:00.0000000é1Z",
        ],
    );
    assert_eq!("2026-07-27T09:30:00.000000001Z".parse(), Ok(Timestamp(1_785_144_600_000_000_001)));
    assert_eq!(Timestamp(86_400_000_000_000 - 1).day(), 0);
    assert_eq!(Timestamp(86_400_000_000_000).day(), 1);
    assert_eq!(Timestamp::from_millis(1_785_144_600_000).to_string(), "2026-07-27T09:30:00.000000000Z");
    assert_eq!(Timestamp(u64::MAX).day(), 213_503);
}

#[test]
fn ids() {
    let id = Id::new(0x0123_4567_89ab, &[0xff; 10]);
    assert_eq!(id.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
    assert_eq!(id.millis(), 0x0123_4567_89ab);
    assert_eq!(Id::from_bytes(id.into_bytes()), Ok(id));
    assert_eq!(Id::try_from(Uuid::from(id)), Ok(id));
    assert!(Id::from_bytes([0; 16]).is_err());
    let person = Pseudonym::new([0xff; 16]);
    assert_eq!(person.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(Pseudonym::from_bytes(*person.as_bytes()), Ok(person));
    // An error never repeats the text: it may be somebody's name.
    let error = ClearName::new("Erika Mustermann").unwrap_err().to_string();
    assert_eq!(error, "name: expected [A-Za-z0-9._:/@-]{1,128}, found another text of 16 bytes");
    assert!(ClearName::or_unlisted("Erika Mustermann").is_unlisted());
    assert!(!ClearName::or_unlisted("gpt-4o").is_unlisted());
}

#[test]
fn millionths() {
    let table =
        [(0.25, Some(250_000)), (-1.5, Some(-1_500_000)), (1e-7, Some(0)), (f64::NAN, None), (1e300, None)];
    for (value, expected) in table {
        assert_eq!(Millionths::from_f64(value), expected.map(Millionths), "{value}");
    }
    assert_eq!(Millionths(912_345).to_f64(), 0.912345);
}

#[test]
fn media_types() {
    let table = [
        ("application/json; charset=utf-8", MediaType::Json),
        ("Application/JSON", MediaType::Json),
        ("application/problem+json", MediaType::Json),
        ("text/event-stream;charset=utf-8", MediaType::EventStream),
        ("application/grpc+proto", MediaType::Grpc),
        ("application/x-secret", MediaType::Bytes),
        ("", MediaType::Bytes),
    ];
    for (header, expected) in table {
        assert_eq!(MediaType::from_header(header), expected, "{header:?}");
    }
}

#[test]
fn references_again() {
    let (payload, first, second) = (Id::new(1, &[1; 10]), Id::new(2, &[2; 10]), Id::new(3, &[3; 10]));
    let role = inferlog_record::PayloadRole::InputRaw;
    let reference = inferlog_record::Reference::not_captured(payload, role, Why::OverLimit.into());
    let again = reference.again(role, first);
    assert_eq!(again.state(), reference.state());
    // The first event stays the first.
    assert_eq!(again.again(role, second), again);
}
