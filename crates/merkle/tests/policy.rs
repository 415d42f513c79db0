//! c2sp.org/tlog-policy: every rule of a policy file, and every way to satisfy one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use ed25519_dalek::SigningKey;
use inferlog_merkle::{KeyKind, Policy, VerifiedSignature, VerifierKey};

fn key(name: &str, kind: KeyKind, seed: u8) -> VerifierKey {
    let public = SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
    VerifierKey::new(name, kind, &public).unwrap()
}

fn witness(seed: u8) -> VerifierKey {
    key(&format!("w{seed}.example"), KeyKind::Cosignature, seed)
}

fn log(seed: u8) -> VerifierKey {
    key(&format!("log{seed}.example"), KeyKind::Ed25519, seed)
}

fn cosigned(seeds: &[u8]) -> Vec<VerifiedSignature> {
    seeds.iter().map(|&seed| VerifiedSignature { key: witness(seed), timestamp: Some(1) }).collect()
}

/// The example of the specification: two of X1 to X3, and any of Y1 to Y3.
fn example() -> String {
    let lines: String = (1..=6)
        .map(|seed| {
            format!("witness {}{} {}\n", if seed < 4 { 'X' } else { 'Y' }, (seed - 1) % 3 + 1, witness(seed))
        })
        .collect();
    format!(
        "log {}\n\n{lines}group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\
         group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        log(9)
    )
}

#[test]
fn the_example_of_the_specification() {
    let policy: Policy = example().parse().unwrap();
    for (seeds, satisfied) in [
        (&[][..], false),
        (&[1, 2], false),
        (&[4], false),
        (&[1, 4, 5, 6], false),
        (&[1, 2, 4], true),
        (&[2, 3, 6], true),
        (&[1, 2, 3, 4, 5, 6], true),
    ] {
        assert_eq!(policy.satisfied(&cosigned(seeds)), satisfied, "{seeds:?}");
    }
    assert!(!policy.satisfied(&[cosigned(&[1, 4]), cosigned(&[1])].concat()), "one witness counts once");
    let again: Policy = policy.to_string().parse().unwrap();
    assert_eq!(again, policy, "a policy prints as one that says the same");
}

#[test]
fn small_policies_of_every_form() {
    let (a, b) = (witness(1), witness(2));
    for (text, satisfied_by, not_by) in [
        ("quorum none\n".to_owned(), &[][..], None),
        (format!("witness a {a}\nquorum a\n"), &[1][..], Some(&[2][..])),
        (format!("witness a {a}\nwitness b {b}\ngroup g 1 a b\nquorum g\n"), &[2], Some(&[3])),
        (format!("witness a {a}\nwitness b {b}\ngroup g all a b\nquorum g\n"), &[1, 2], Some(&[1])),
        // Order, spaces, tabs, comments and empty lines mean nothing; names are any words.
        (
            format!("  # c\n\n\t \nwitness\t\u{212a} {a} http://x/y \n log {}\nquorum  \u{212a}", log(3))
                + "\n",
            &[1],
            Some(&[]),
        ),
        // A quorum may stand before a group that it does not name.
        (format!("witness a {a}\nquorum a\ngroup g any a\n"), &[1], Some(&[2])),
    ] {
        let policy: Policy = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(policy.satisfied(&cosigned(satisfied_by)), "{text}");
        if let Some(seeds) = not_by {
            assert!(!policy.satisfied(&cosigned(seeds)), "{text}");
        }
    }
    let policy: Policy = format!("witness a {a} http://127.0.0.1:7380/w\nquorum a\n").parse().unwrap();
    assert_eq!(policy.witnesses().next().unwrap().url.as_deref(), Some("http://127.0.0.1:7380/w"));
}

#[test]
fn every_fault_names_its_line() {
    let (a, b, l) = (witness(1), witness(2), log(1));
    let alias = key("alias", KeyKind::Cosignature, 1);
    for (text, says) in [
        (String::new(), "line 1: the policy has no quorum line"),
        (format!("witness a {a}\n"), "line 1: the policy has no quorum line"),
        ("quorum none".into(), "line 1: lines end in a newline"),
        ("quorum none\r\n".into(), "line 1: lines end in a newline and hold no control"),
        ("quorum none\nquorum none\n".into(), "line 2: there is a quorum line already"),
        ("quorum a\n".into(), "line 1: no line before defines \"a\""),
        (format!("quorum a\nwitness a {a}\n"), "line 1: no line before defines"),
        ("policy x\n".into(), "line 1: \"policy\" begins no line"),
        ("quorum\n".into(), "line 1: write `quorum NAME`"),
        ("quorum a b\n".into(), "line 1: write `quorum NAME`"),
        ("log\n".into(), "line 1: write `log VKEY [URL]`"),
        (format!("witness {a}\n"), "line 1: write `witness NAME VKEY [URL]`"),
        (format!("witness a {a} u v\n"), "line 1: write `witness"),
        ("group g any\n".into(), "line 1: write `group"),
        ("\nwitness a b+c+d\n".into(), "line 2: not a verifier key"),
        (format!("witness a {l}\n"), "log1.example is the key of a log (type 0x01): a witness"),
        (format!("log {a}\n"), "w1.example is the key of a witness (type 0x04): a log"),
        (format!("log {l}\nlog {l}\n"), "line 2: another line has the public key"),
        (format!("witness a {a}\nwitness b {alias}\n"), "line 2: another line has the public key of alias"),
        (format!("witness a {a}\nwitness a {b}\n"), "line 2: the name \"a\" is taken"),
        (format!("witness none {a}\n"), "line 1: the name \"none\" is taken"),
        (format!("witness a {a}\ngroup a any a\n"), "line 2: the name \"a\" is taken"),
        (format!("witness a {a}\ngroup g any none\n"), "line 2: no line before defines \"none\""),
        (format!("witness a {a}\ngroup g any g\n"), "line 2: no line before defines \"g\""),
        (format!("witness a {a}\ngroup g all a a\n"), "line 2: \"a\" is a member of a group already"),
        (
            format!("witness a {a}\ngroup g any a\ngroup h any a\n"),
            "line 3: \"a\" is a member of a group already",
        ),
    ] {
        let error = text.parse::<Policy>().unwrap_err().to_string();
        assert!(error.contains(says), "{text:?}: {error}");
    }
    for threshold in ["0", "2", "01", "+1", "-1", "some", "18446744073709551616"] {
        let text = format!("witness a {a}\ngroup g {threshold} a\nquorum g\n");
        let error = text.parse::<Policy>().unwrap_err().to_string();
        assert!(error.contains("line 2: the threshold"), "{threshold}: {error}");
    }
}

#[test]
fn large_policies_are_read_and_larger_ones_refused() {
    let many = |count: u16| {
        let witness = |number: u16| {
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&number.to_be_bytes());
            let public = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
            format!("witness w{number} {}\n", VerifierKey::new("w", KeyKind::Cosignature, &public).unwrap())
        };
        (0..count).map(witness).collect::<String>() + "quorum none\n"
    };
    assert_eq!(many(200).parse::<Policy>().unwrap().witnesses().count(), 200);
    assert!(many(600).parse::<Policy>().unwrap_err().to_string().contains("more than"));
}
