//! Signed notes, keys, checkpoints, cosignatures.
#![allow(clippy::unwrap_used, reason = "a failure fails the test")]

mod support;

use inferlog_merkle::{
    Checkpoint, CheckpointError, Hash, KeyKind, NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, NoteError,
    NoteSignature, SignedNote, VerifierKey, VkeyError, verify_checkpoint,
};
use proptest::prelude::*;
use support::TestKey;

/// The example of c2sp.org/signed-note, Verifier keys.
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

const ORIGIN: &str = "example.com/log";

fn checkpoint() -> Checkpoint {
    Checkpoint::new(ORIGIN, 20_852_163, Hash([7; 32])).unwrap()
}

#[test]
fn the_example_of_the_specification_verifies() {
    let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
    let note = SignedNote::parse(EXAMPLE_NOTE.as_bytes()).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    let verified = note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!((verified.len(), &verified[0].key, verified[0].timestamp), (1, &key, None));
    assert_eq!(note.to_string(), EXAMPLE_NOTE);
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    assert_eq!((key.name(), key.key_id(), key.kind()), ("example.com/foo", 0x530d_903a, KeyKind::Ed25519));
}

#[test]
fn every_flipped_bit_of_a_note_is_refused() {
    let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
    for bit in 0..EXAMPLE_NOTE.len() * 8 {
        let mut flipped = EXAMPLE_NOTE.as_bytes().to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verdict = SignedNote::parse(&flipped).and_then(|note| note.verify(std::slice::from_ref(&key)));
        assert!(verdict.is_err(), "bit {bit}");
    }
    for length in 0..EXAMPLE_NOTE.len() {
        assert!(SignedNote::parse(&EXAMPLE_NOTE.as_bytes()[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn every_flipped_bit_of_a_key_is_refused() {
    for bit in 0..EXAMPLE_KEY.len() * 8 {
        let mut flipped = EXAMPLE_KEY.as_bytes().to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let parsed = std::str::from_utf8(&flipped).ok().and_then(|text| text.parse::<VerifierKey>().ok());
        assert_eq!(parsed, None, "bit {bit}");
    }
}

#[test]
fn keys_that_are_none_are_named() {
    let key = TestKey::new("k", 1);
    let error = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    for text in ["", "k", "k+", "k+00000000", "k+0+AQ==", "k+0000000g+AQ==", "k+00000000+", "k+00000000+A"] {
        assert_eq!(error(text), VkeyError::Text, "{text:?}");
    }
    assert_eq!(error("k+00000000+Bg=="), VkeyError::Kind { name: "k".into(), kind: 6 });
    assert_eq!(error("k+00000000+AQ=="), VkeyError::PublicKey("k".into()));
    let upper = key.vkey(KeyKind::Ed25519).to_string();
    let (name, rest) = upper.split_once('+').unwrap();
    let (id, base64) = rest.split_once('+').unwrap();
    assert!(matches!(error(&format!("l+{id}+{base64}")), VkeyError::KeyId { .. }));
    assert!(id.bytes().any(|b| b.is_ascii_lowercase()), "the test needs an id with letters");
    assert_eq!(error(&format!("{name}+{}+{base64}", id.to_uppercase())), VkeyError::Text);
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{2003}b"] {
        let refused = VerifierKey::new(name, KeyKind::Ed25519, &key.public());
        assert_eq!(refused, Err(VkeyError::Name(name.into())));
        assert_eq!(NoteSignature::new(name, 1, vec![1]), Err(NoteError::Name(name.into())));
    }
}

#[test]
fn unknown_signatures_are_passed_over_and_false_ones_are_not() {
    let (log, other) = (TestKey::new(ORIGIN, 1), TestKey::new("other.example", 2));
    let text = checkpoint().to_string();
    let known = [log.vkey(KeyKind::Ed25519)];
    let false_by = |key: &TestKey| {
        let mut bytes = key.sign(&text).bytes().to_vec();
        bytes[9] ^= 1;
        NoteSignature::new(&key.name, key.sign(&text).key_id(), bytes).unwrap()
    };

    let mut note = log.note(&text);
    note.push(false_by(&other)).unwrap();
    // The same name with another id, the same id with another name: another key.
    note.push(NoteSignature::new(ORIGIN, 1, vec![1]).unwrap()).unwrap();
    note.push(NoteSignature::new("x", known[0].key_id(), vec![1]).unwrap()).unwrap();
    note.push(log.sign(&text)).unwrap();
    let note = SignedNote::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(note.signatures().len(), 5);
    let verified = note.verify(&known).unwrap();
    assert_eq!(verified.len(), 1, "a key counts once");

    let both = [log.vkey(KeyKind::Ed25519), other.vkey(KeyKind::Ed25519)];
    let refused = NoteError::BadSignature { name: other.name.clone(), key_id: both[1].key_id() };
    assert_eq!(note.verify(&both), Err(refused), "a false signature outweighs a good one");
    let stranger = TestKey::new("stranger.example", 3).vkey(KeyKind::Ed25519);
    let error = note.verify(&[stranger]).unwrap_err();
    assert!(matches!(&error, NoteError::NoKnownKey { signers } if signers.starts_with(ORIGIN)), "{error}");
    assert!(matches!(note.verify(&[]), Err(NoteError::NoKnownKey { .. })));
    let short = NoteSignature::new(ORIGIN, known[0].key_id(), vec![1; 63]).unwrap();
    let mut cut = log.note(&text);
    cut.push(short).unwrap();
    assert!(matches!(cut.verify(&known), Err(NoteError::BadSignature { .. })));
}

#[test]
fn cosignatures_state_a_time_and_are_kept() {
    let (log, witness) = (TestKey::new(ORIGIN, 1), TestKey::new("witness.example/w1", 2));
    let text = checkpoint().to_string();
    let mut note = log.note(&text);
    note.push(witness.cosign(1_679_315_147, &text)).unwrap();
    let note = SignedNote::parse(note.to_string().as_bytes()).unwrap();
    let (keys, witnesses) = ([log.vkey(KeyKind::Ed25519)], [witness.vkey(KeyKind::Cosignature)]);

    let verified = verify_checkpoint(&note, ORIGIN, &keys, &witnesses).unwrap();
    assert_eq!(verified.checkpoint, checkpoint());
    assert_eq!(verified.log.len(), 1);
    assert_eq!(verified.witnesses.len(), 1);
    assert_eq!(verified.witnesses[0].timestamp, Some(1_679_315_147));
    // The witness's key as a plain Ed25519 key has another id: unknown, so passed over.
    let plain = [witness.vkey(KeyKind::Ed25519)];
    assert_eq!(verify_checkpoint(&note, ORIGIN, &keys, &plain).unwrap().witnesses, []);
    // A witness does not stand in for the log.
    assert!(matches!(
        verify_checkpoint(&note, ORIGIN, &plain, &witnesses),
        Err(CheckpointError::Note(NoteError::NoKnownKey { .. }))
    ));
    let elsewhere = verify_checkpoint(&note, "example.com/other", &keys, &witnesses);
    assert!(matches!(elsewhere, Err(CheckpointError::Origin { .. })));

    let good = witness.cosign(5, &text);
    for bit in 0..good.bytes().len() * 8 {
        let mut bytes = good.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut note = log.note(&text);
        note.push(NoteSignature::new(good.name(), good.key_id(), bytes).unwrap()).unwrap();
        assert!(verify_checkpoint(&note, ORIGIN, &keys, &witnesses).is_err(), "bit {bit}");
        assert!(verify_checkpoint(&note, ORIGIN, &keys, &[]).is_ok(), "bit {bit}");
    }
    for (time, accepted) in [(0, true), (i64::MAX as u64, true), (1 << 63, false), (u64::MAX, false)] {
        let mut note = log.note(&text);
        note.push(witness.cosign(time, &text)).unwrap();
        assert_eq!(verify_checkpoint(&note, ORIGIN, &keys, &witnesses).is_ok(), accepted, "time {time}");
    }
}

#[test]
fn notes_that_are_none_are_refused() {
    let line = "\u{2014} k AAAAAAA=\n";
    let table: &[(&str, &str, NoteError)] = &[
        ("empty", "", NoteError::Unsigned),
        ("no blank line", "text\n\u{2014} k AAAAAAA=\n", NoteError::Unsigned),
        ("no signature", "text\n\n", NoteError::Unsigned),
        ("no final newline", "text\n\n\u{2014} k AAAAAAA=", NoteError::Unsigned),
        ("carriage return", "text\r\n\n\u{2014} k AAAAAAA=\n", NoteError::Text),
        ("tab", "a\tb\n\n\u{2014} k AAAAAAA=\n", NoteError::Text),
        ("hyphen", "text\n\n- k AAAAAAA=\n", NoteError::Line(1)),
        ("id alone", "text\n\n\u{2014} k AAAAAA==\n", NoteError::Line(1)),
        ("short id", "text\n\n\u{2014} k AAAA\n", NoteError::Line(1)),
        ("unused bits", "text\n\n\u{2014} k AAAAAAB=\n", NoteError::Line(1)),
        ("no padding", "text\n\n\u{2014} k AAAAAAA\n", NoteError::Line(1)),
        ("two spaces", "text\n\n\u{2014} k  AAAAAAA=\n", NoteError::Line(1)),
        ("trailing space", "text\n\n\u{2014} k AAAAAAA= \n", NoteError::Line(1)),
        ("plus in the name", "text\n\n\u{2014} k+ AAAAAAA=\n", NoteError::Line(1)),
        ("no name", "text\n\n\u{2014}  AAAAAAA=\n", NoteError::Line(1)),
    ];
    for (what, note, error) in table {
        assert_eq!(SignedNote::parse(note.as_bytes()).unwrap_err(), *error, "{what}");
    }
    let second = format!("text\n\n{line}\u{2014} k\n");
    assert_eq!(SignedNote::parse(second.as_bytes()).unwrap_err(), NoteError::Line(2));
    assert_eq!(SignedNote::parse(b"\xff\n\n"), Err(NoteError::Text));
    assert_eq!(SignedNote::new("no newline".into()), Err(NoteError::Text));
    // Blank lines within the text are allowed; the last one ends it.
    let note = SignedNote::parse(format!("a\n\nb\n\n{line}").as_bytes()).unwrap();
    assert_eq!(note.text(), "a\n\nb\n");
}

#[test]
fn notes_are_read_up_to_their_limits() {
    let line = "\u{2014} k AAAAAAA=\n";
    let signed = |count: usize| format!("text\n\n{}", line.repeat(count));
    for count in [1, 16, NOTE_SIGNATURES_MAX] {
        assert_eq!(SignedNote::parse(signed(count).as_bytes()).unwrap().signatures().len(), count);
    }
    let error = SignedNote::parse(signed(NOTE_SIGNATURES_MAX + 1).as_bytes());
    assert_eq!(error, Err(NoteError::TooManySignatures));

    let of_length = |length: usize| format!("{}\n\n{line}", "x".repeat(length - 2 - line.len()));
    assert!(SignedNote::parse(of_length(NOTE_BYTES_MAX).as_bytes()).is_ok());
    let error = SignedNote::parse(of_length(NOTE_BYTES_MAX + 1).as_bytes());
    assert_eq!(error, Err(NoteError::TooLong { length: NOTE_BYTES_MAX + 1 }));
}

#[test]
fn checkpoints_have_one_spelling() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    // The example of c2sp.org/tlog-checkpoint.
    let text = format!("example.com/behind-the-sofa\n20852163\n{root}\n");
    let example: Checkpoint = text.parse().unwrap();
    assert_eq!(example.origin(), "example.com/behind-the-sofa");
    assert_eq!((example.size(), example.root().to_base64().as_str()), (20_852_163, root));
    assert_eq!(example.to_string(), text);
    let extended: Checkpoint = format!("{text}one\ntwo\n").parse().unwrap();
    assert_eq!(extended.extension(), ["one", "two"]);
    assert_eq!(extended.to_string(), format!("{text}one\ntwo\n"));
    for size in ["0", "1", "18446744073709551615"] {
        assert!(format!("o\n{size}\n{root}\n").parse::<Checkpoint>().is_ok(), "{size}");
    }
    for size in ["", "00", "01", "+1", "-1", " 1", "1 ", "1e3", "0x1", "18446744073709551616", "\u{0661}"] {
        let error = format!("o\n{size}\n{root}\n").parse::<Checkpoint>().unwrap_err();
        assert_eq!(error, CheckpointError::Size(size.into()));
    }
    for root in ["", "AAAA", &root[..43], &format!("{root}="), &root.replace("2I=", "2J="), &"A".repeat(44)] {
        let error = format!("o\n1\n{root}\n").parse::<Checkpoint>().unwrap_err();
        assert_eq!(error, CheckpointError::Root(root.into()));
    }
    for text in ["", "\n", "o\n1\n", "o", &format!("o\n1\n{root}")] {
        assert_eq!(text.parse::<Checkpoint>().unwrap_err(), CheckpointError::Lines, "{text:?}");
    }
    for text in [format!("\n1\n{root}\n"), format!("o\n1\n{root}\n\n"), format!("o\n1\n{root}\n\nx\n")] {
        assert_eq!(text.parse::<Checkpoint>().unwrap_err(), CheckpointError::Line(String::new()), "{text:?}");
    }
    for origin in ["", "a\nb", "a\rb"] {
        assert_eq!(Checkpoint::new(origin, 1, Hash([0; 32])), Err(CheckpointError::Line(origin.into())));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_note_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(note) = SignedNote::parse(&bytes) {
            prop_assert_eq!(note.to_string().into_bytes(), bytes);
        }
    }

    #[test]
    fn what_parses_prints_the_same(text in "[ab\u{2014}\n ]{0,10}\n\n(\u{2014} [a-c+ ]{1,3} [A-D/+]{6,7}=?=?\n){0,3}") {
        if let Ok(note) = text.parse::<SignedNote>() {
            prop_assert_eq!(note.to_string(), text);
        }
    }

    #[test]
    fn every_note_comes_back(
        text in "([^\u{0}-\u{1f}]{0,20}\n){1,5}",
        signatures in prop::collection::vec(("[a-z./]{1,9}", any::<u32>(), prop::collection::vec(any::<u8>(), 1..90)), 1..20),
    ) {
        let mut note = SignedNote::new(text).unwrap();
        for (name, key_id, bytes) in signatures {
            let signature = NoteSignature::new(&name, key_id, bytes).unwrap();
            prop_assert_eq!(signature.to_string().parse(), Ok(signature.clone()));
            note.push(signature).unwrap();
        }
        prop_assert_eq!(SignedNote::parse(note.to_string().as_bytes()), Ok(note));
    }

    #[test]
    fn every_checkpoint_comes_back(origin in "[^\u{0}-\u{1f}]{1,30}", size in any::<u64>(), root in any::<[u8; 32]>(), extension in prop::collection::vec("[^\u{0}-\u{1f}]{1,9}", 0..3)) {
        let checkpoint = Checkpoint::with_extension(&origin, size, Hash(root), extension).unwrap();
        prop_assert_eq!(checkpoint.to_string().parse(), Ok(checkpoint));
    }

    #[test]
    fn any_text_is_a_checkpoint_or_an_error(text in "[a\n]{0,3}[0-9+ ]{0,3}\n?[A-D]{42,43}[AE]?=?\n?[a\n]{0,3}") {
        if let Ok(checkpoint) = text.parse::<Checkpoint>() {
            prop_assert_eq!(checkpoint.to_string(), text);
        }
    }

    #[test]
    fn every_key_comes_back(name in "[^\u{0}-\u{1f}\\s+]{1,20}", seed in any::<u8>(), cosigns in any::<bool>()) {
        let kind = if cosigns { KeyKind::Cosignature } else { KeyKind::Ed25519 };
        let key = TestKey::new(&name, seed).vkey(kind);
        prop_assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn any_text_is_a_key_or_an_error(text in ".{0,20}\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]{44}") {
        prop_assert!(text.parse::<VerifierKey>().is_err());
    }
}
