//! Policies from their text: every key, every error with its line and what to write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use inferlog_detect::Kind;
use inferlog_policy::{
    Erasable, Failure, FieldAction, Method, POLICY_BYTES_MAX, PRESETS, Period, Policy, Price, Profile,
    Unreadable,
};
use inferlog_record::{ClearName, DataClass, Millionths, PayloadRole, RetentionClass};
use proptest::prelude::*;

const WHOLE: &str = r#"system = "credit"
version = "2026-11"
profile = "other"
failure = "degrade"
unreadable = "drop"
clear_content = ["output.final", "input.raw"]

[[class]]
name = "default"
floor = "0 days"
target = "7 months"
legal_basis = "  our purpose  "

[[class]]
name = "loans"
routes = ["loan", "mortgage"]
floor = "5 years"
target = "5 years"
ceiling = "2191 days"
legal_basis = "a law"
erasure = "after-floor"
below_legal_floor = "the board, 2026-11-02: a pilot"

[[capture]]
name = "names"
role = "input.raw"
pointer = "/a~1b/*/m~0n"
action = "split"

[[capture]]
name = "corpus"
role = "retrieval.document"
action = "keep"
class = "shared"

[[detector]]
name = "phones"
kind = "phone"
countries = ["DE", "FR"]
roles = ["input.raw"]
action = "split"
class = "pseudonymous"

[[detector]]
name = "customers"
kind = "pattern"
pattern = 'C-\d{8}'
action = "drop"

[[price]]
currency = "EUR"
gigabyte_month = 0.02

[[price]]
model = "atlas*"
from = 2026-01-01T09:30:00Z
currency = "USD"
input = 2
output = 10.5
cached = 0.25

[sampling]
method = "stratified"
strata = [{ route = "quote", probability = 0.25 }]
rationale = "volume"
acceptance = "upper bound below 1 %"
approver = "the board"
"#;

fn name(text: &str) -> ClearName {
    ClearName::new(text).unwrap()
}

#[test]
fn every_key_is_read() {
    let policy = Policy::parse(WHOLE).unwrap();
    assert_eq!((policy.id().as_str(), policy.profile), ("credit/2026-11", Profile::Other));
    assert_eq!((policy.failure, policy.unreadable), (Some(Failure::Degrade), Unreadable::Drop));
    assert_eq!(policy.clear_content, [PayloadRole::OutputFinal, PayloadRole::InputRaw]);
    let [first, loans] = policy.classes.as_slice() else { panic!("{:?}", policy.classes) };
    assert_eq!((first.floor, first.target, first.ceiling), (Period::Days(0), Period::Months(7), None));
    assert_eq!((first.legal_basis.as_str(), first.erasure), ("our purpose", Erasable::Always));
    assert_eq!((loans.ceiling, loans.erasure), (Some(Period::Days(2191)), Erasable::AfterFloor));
    assert_eq!(loans.below_legal_floor.as_deref(), Some("the board, 2026-11-02: a pilot"));
    let [names, corpus] = policy.capture.as_slice() else { panic!("{:?}", policy.capture) };
    assert_eq!(names.pointer.as_deref(), Some("/a~1b/*/m~0n"));
    assert_eq!(names.action, FieldAction::Split(DataClass::Personal));
    assert_eq!((corpus.pointer.as_deref(), corpus.action), (None, FieldAction::Keep(DataClass::Shared)));
    let [phones, customers] = policy.detectors.as_slice() else { panic!("{:?}", policy.detectors) };
    assert_eq!(phones.kind, Kind::Phone(vec!["DE".into(), "FR".into()]));
    assert_eq!(phones.action, FieldAction::Split(DataClass::Pseudonymous));
    assert_eq!((&customers.kind, customers.action), (&Kind::Pattern(r"C-\d{8}".into()), FieldAction::Drop));
    let [Price::Storage { gigabyte_month, .. }, Price::Tokens { from_ns, cached, .. }] =
        policy.prices.as_slice()
    else {
        panic!("{:?}", policy.prices)
    };
    assert_eq!((*gigabyte_month, *from_ns, *cached), (0.02, 1_767_259_800_000_000_000, Some(0.25)));
    let Some(Method::Stratified { strata }) = policy.sampling.map(|sample| sample.method) else {
        panic!("no strata")
    };
    assert_eq!((strata[0].route.as_str(), strata[0].probability), ("quote", Millionths(250_000)));
}

#[test]
fn a_decision_is_of_the_class_of_its_route() {
    let policy = Policy::parse(WHOLE).unwrap();
    let class = |route: Option<&str>| policy.class_of(route.map(name).as_ref()).class.clone();
    for (route, expected) in
        [(Some("loan"), "loans"), (Some("mortgage"), "loans"), (Some("quote"), "default"), (None, "default")]
    {
        assert_eq!(class(route).as_str(), expected, "{route:?}");
    }
    assert!(policy.class(&RetentionClass::default()).is_some());
    assert!(policy.class(&RetentionClass::permanent()).is_none());
}

#[test]
fn what_is_not_given_is_as_the_page_says() {
    let least = "system = \"s\"\nversion = \"1\"\n[[class]]\nname = \"c\"\nfloor = \"184 days\"\ntarget = \"1 year\"\nlegal_basis = \"x\"\n";
    let policy = Policy::parse(least).unwrap();
    assert_eq!(
        (policy.profile, policy.failure, policy.unreadable),
        (Profile::HighRisk, None, Unreadable::Keep)
    );
    assert!(policy.clear_content.is_empty() && policy.detectors.is_empty() && policy.sampling.is_none());
}

/// A part of the whole policy, what stands in its place, and how the error begins and what it says.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("system = \"credit\"", "", "line 1: `system`", "missing field"),
    ("system = \"credit\"", "system = \"no such/name\"", "line 1: `system`", "[A-Za-z0-9]"),
    ("version = \"2026-11\"", "version = \"unlisted\"", "line 2: `version`", "take another"),
    ("version = \"2026-11\"", "version = 7", "line 2: `version`", "invalid type"),
    (
        "profile = \"other\"",
        "profile = \"low\"",
        "line 3: `profile`",
        "\"high-risk\", \"biometric\", \"other\"",
    ),
    ("profile = \"other\"", "profil = \"other\"", "line 3: `profil`", "unknown field"),
    ("failure = \"degrade\"", "failure = \"drop\"", "line 4: `failure`", "\"block\", \"degrade\""),
    ("unreadable = \"drop\"", "unreadable = \"split\"", "line 5: `unreadable`", "\"keep\", \"drop\""),
    ("\"input.raw\"]", "\"input\"]", "line 6: `clear_content`", "input.raw"),
    ("name = \"loans\"", "name = \"Loans\"", "line 15: `name`", "[a-z0-9]"),
    ("floor = \"0 days\"", "floor = \"6\"", "line 10: `floor`", "184 days, 7 months, 10 years"),
    ("floor = \"5 years\"", "floor = \"500 years\"", "line 17: `floor`", "100 years"),
    ("\"  our purpose  \"", "\"  \"", "line 12: `legal_basis`", "name the law"),
    ("erasure = \"after-floor\"", "erasure = \"never\"", "line 21: `erasure`", "\"always\", \"after-floor\""),
    ("\"the board, 2026-11-02: a pilot\"", "\"\"", "line 22: `below_legal_floor`", "who answers"),
    ("pointer = \"/a~1b/*/m~0n\"", "pointer = \"a\"", "line 27: `pointer`", "RFC 6901"),
    ("pointer = \"/a~1b/*/m~0n\"", "pointer = \"/a~2\"", "line 27: `pointer`", "RFC 6901"),
    ("action = \"keep\"\nclass = \"shared\"", "action = \"keep\"", "line 33: `action`", "needs a `class`"),
    ("action = \"keep\"", "action = \"drop\"", "line 34: `class`", "leave it out"),
    ("action = \"keep\"", "action = \"erase\"", "line 33: `action`", "\"keep\", \"split\", \"drop\""),
    ("kind = \"phone\"", "kind = \"fax\"", "line 38: `kind`", "\"email\""),
    ("kind = \"phone\"", "kind = \"iban\"", "line 38: `countries`", "does not belong"),
    ("countries = [\"DE\", \"FR\"]", "countries = [\"de\"]", "line 39: `countries`", "two capital letters"),
    (
        "kind = \"phone\"\ncountries = [\"DE\", \"FR\"]",
        "kind = \"national\"",
        "line 38: `countries`",
        "needs `countries`",
    ),
    (
        "kind = \"phone\"\ncountries = [\"DE\", \"FR\"]",
        "kind = \"names\"\nnames = [\" \"]",
        "line 38: `names`",
        "needs `names`",
    ),
    ("pattern = 'C-\\d{8}'", "", "line 46: `pattern`", "needs `pattern`"),
    (
        "action = \"split\"\nclass = \"pseudonymous\"",
        "action = \"keep\"",
        "line 41: `action`",
        "\"split\", \"drop\"",
    ),
    ("currency = \"EUR\"", "currency = \"euro\"", "line 51: `currency`", "ISO 4217"),
    ("gigabyte_month = 0.02", "gigabyte_month = -1", "line 52: `gigabyte_month`", "not below zero"),
    ("gigabyte_month = 0.02", "gigabyte_month = nan", "line 52: `gigabyte_month`", "not below zero"),
    (
        "gigabyte_month = 0.02",
        "gigabyte_month = 0.02\ninput = 1",
        "line 50: `gigabyte_month`",
        "nothing else",
    ),
    ("gigabyte_month = 0.02", "", "line 50: `model`", "`model`, `input` and `output`"),
    ("from = 2026-01-01T09:30:00Z", "from = 2026-01-01T09:30:00+01:00", "line 56: `from`", "a time in UTC"),
    ("from = 2026-01-01T09:30:00Z", "from = 09:30:00", "line 56: `from`", "a day"),
    ("method = \"stratified\"", "method = \"some\"", "line 63: `method`", "\"bernoulli\""),
    ("method = \"stratified\"", "method = \"systematic\"", "line 63: `strata`", "does not belong"),
    (
        "strata = [{ route = \"quote\", probability = 0.25 }]",
        "strata = []",
        "line 63: `strata`",
        "needs `strata`",
    ),
    ("probability = 0.25", "probability = 0", "line 64: `probability`", "0.000001 to 1"),
    ("probability = 0.25", "probability = 1.5", "line 64: `probability`", "0.000001 to 1"),
    (
        "method = \"stratified\"\nstrata = [{ route = \"quote\", probability = 0.25 }]",
        "method = \"systematic\"\nevery = 1",
        "line 64: `every`",
        "2 at least",
    ),
    ("approver = \"the board\"", "approver = \"\"", "line 67: `approver`", "who approved"),
    ("[sampling]", "[sampling", "line 62: ", ""),
];

#[test]
fn what_is_wrong_is_told_by_line_key_and_what_to_write() {
    let mut other = Vec::new();
    for (part, instead, begins, says) in WRONG {
        assert!(WHOLE.contains(part), "{part}");
        let error = match Policy::parse(&WHOLE.replacen(part, instead, 1)) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string(),
        };
        if !error.starts_with(begins) || !error.contains(says) {
            other.push(format!("{instead}: {error}, not {begins} … {says}"));
        }
    }
    assert_eq!(other, [] as [&str; 0]);
    let no_class = "system = \"s\"\nversion = \"1\"";
    assert!(Policy::parse(no_class).unwrap_err().to_string().contains("[[class]]"));
    let long = format!("# {}\n{WHOLE}", "x".repeat(POLICY_BYTES_MAX));
    assert!(Policy::parse(&long).unwrap_err().to_string().contains("1048576 at most"));
    let classes: String = (0..65)
        .map(|at| {
            format!(
                "[[class]]\nname = \"c{at}\"\nfloor = \"1 day\"\ntarget = \"1 day\"\nlegal_basis = \"x\"\n"
            )
        })
        .collect();
    let error = Policy::parse(&format!("{no_class}\n{classes}")).unwrap_err().to_string();
    assert!(error.contains("64 at most"), "{error}");
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn no_damaged_policy_panics(preset in 0..PRESETS.len(), at: prop::sample::Index, with in ".{0,8}", length in 0..40usize) {
        let mut text: Vec<char> = PRESETS[preset].text.chars().collect();
        let from = at.index(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, with.chars());
        if let Ok(policy) = Policy::parse(&text.into_iter().collect::<String>()) {
            // What is well formed is checked and explained, whatever it says.
            prop_assert!(!policy.explain().to_string().is_empty());
        }
    }
}
