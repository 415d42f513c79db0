//! What speaks against a policy: the law, or the policy itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use inferlog_policy::{Policy, Severity};

/// A policy that nothing speaks against, but for what is worth knowing.
const GOOD: &str = r#"system = "credit"
version = "1"
profile = "high-risk"
unreadable = "drop"

[[class]]
name = "default"
floor = "184 days"
target = "7 months"
ceiling = "9 months"
legal_basis = "Article 26(6)"
erasure = "after-floor"

[[detector]]
name = "e-mails"
kind = "email"
action = "drop"
"#;

/// What was found, `severity place`, without what is only worth knowing.
fn found(text: &str) -> Vec<String> {
    let policy = Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let found = policy.check();
    assert!(found.is_sorted_by_key(|finding| finding.severity), "the gravest first");
    assert_eq!(policy.is_refused(), found.iter().any(|finding| finding.severity == Severity::Refused));
    let graver = found.iter().filter(|finding| finding.severity != Severity::Note);
    graver.map(|finding| format!("{} {}", finding.severity.as_str(), finding.place)).collect()
}

fn with(part: &str, instead: &str) -> Vec<String> {
    assert!(GOOD.contains(part), "{part}");
    found(&GOOD.replacen(part, instead, 1))
}

fn and(more: &str) -> Vec<String> {
    found(&format!("{GOOD}\n{more}"))
}

#[test]
fn nothing_speaks_against_a_good_policy() {
    assert_eq!(found(GOOD), [] as [&str; 0]);
}

#[test]
fn a_floor_below_the_legal_one_needs_somebody_who_answers_for_it() {
    let refused = ["refused class default: floor"];
    for floor in ["183 days", "5 months", "6 months", "0 days"] {
        assert_eq!(with("\"184 days\"", &format!("{floor:?}")), refused, "{floor}");
    }
    for floor in ["184 days", "7 months"] {
        assert_eq!(with("\"184 days\"", &format!("{floor:?}")), [] as [&str; 0], "{floor}");
    }
    let acknowledged = with("\"184 days\"", "\"30 days\"\nbelow_legal_floor = \"the board: a pilot\"");
    assert_eq!(acknowledged, ["warning class default: floor"]);
    let needless = with("\"184 days\"", "\"184 days\"\nbelow_legal_floor = \"the board\"");
    assert_eq!(needless, ["warning class default: below_legal_floor"]);
    let other =
        GOOD.replace("high-risk", "other").replace("184 days", "1 day").replace("after-floor", "always");
    assert_eq!(found(&other), [] as [&str; 0], "the Act asks for nothing");
    let biometric = GOOD.replace("high-risk", "biometric").replace("184 days", "1 day");
    assert_eq!(found(&biometric), refused);
}

#[test]
fn floor_target_and_ceiling_are_in_order() {
    assert_eq!(with("target = \"7 months\"", "target = \"183 days\""), ["refused class default: target"]);
    assert_eq!(with("target = \"7 months\"", "target = \"6 months\""), ["refused class default: target"]);
    assert_eq!(with("ceiling = \"9 months\"", "ceiling = \"6 months\""), ["refused class default: ceiling"]);
    assert_eq!(with("ceiling = \"9 months\"", "ceiling = \"7 months\""), ["warning class default: ceiling"]);
    let nothing =
        GOOD.replace("high-risk", "other").replace("184 days", "0 days").replace("7 months", "0 days");
    assert_eq!(found(&nothing.replace("after-floor", "always")), ["refused class default: target"]);
}

#[test]
fn classes_and_routes_stand_once() {
    let class = |name: &str, routes: &str| {
        format!(
            "[[class]]\nname = {name:?}\nroutes = {routes}\nfloor = \"1 year\"\ntarget = \"1 year\"\nceiling = \"2 years\"\n\
             legal_basis = \"x\"\nerasure = \"after-floor\"\n"
        )
    };
    assert_eq!(and(&class("loans", "[\"loan\"]")), [] as [&str; 0]);
    assert_eq!(and(&class("default", "[\"loan\"]")), ["refused class default: name"]);
    assert_eq!(and(&class("permanent", "[\"loan\"]")), ["refused class permanent: name"]);
    assert_eq!(and(&class("loans", "[]")), ["warning class loans: routes"]);
    assert_eq!(and(&class("loans", "[\"loan\", \"loan\"]")), ["warning class loans: routes"]);
    let two = format!("{}{}", class("loans", "[\"loan\"]"), class("more", "[\"loan\"]"));
    assert_eq!(and(&two), ["refused class more: routes"]);
}

fn rule(name: &str, of: &str, action: &str) -> String {
    format!("[[capture]]\nname = {name:?}\n{of}\naction = {action}\n")
}

#[test]
fn rules_do_not_contradict_each_other() {
    let (drop, split, keep) = ("\"drop\"", "\"split\"", "\"keep\"\nclass = \"personal\"");
    let field = "role = \"input.raw\"\npointer = \"/a\"";
    let deeper = "role = \"input.raw\"\npointer = \"/a/b\"";
    let any = "role = \"input.raw\"\npointer = \"/*\"";
    for (rules, expected) in [
        (vec![(field, drop), (deeper, split)], vec!["warning capture r1"]),
        (vec![(deeper, drop), (field, split)], vec![]),
        (vec![(field, keep), (deeper, split)], vec![]),
        (vec![(any, drop), (deeper, split)], vec!["warning capture r1"]),
        (vec![(field, drop), (field, split)], vec!["refused capture r1"]),
        (vec![(field, drop), (field, drop)], vec!["warning capture r1"]),
        (vec![("pointer = \"/a\"", drop), (field, split)], vec!["refused capture r1"]),
        (vec![(field, split), ("pointer = \"/a\"", drop)], vec![]),
        (
            vec![("role = \"error\"", drop), ("role = \"error\"\npointer = \"/a\"", split)],
            vec!["warning capture r1"],
        ),
    ] {
        let text: String =
            rules.iter().enumerate().map(|(at, (of, action))| rule(&format!("r{at}"), of, action)).collect();
        assert_eq!(and(&text), expected, "{rules:?}");
    }
    assert_eq!(and(&rule("e-mails", field, drop)), ["refused detector e-mails"], "names count once");
}

#[test]
fn actions_suit_what_they_are_about() {
    let (drop, shared) = ("\"drop\"", "\"keep\"\nclass = \"shared\"");
    for (of, action, expected) in [
        ("role = \"order\"", drop, vec!["refused capture r"]),
        ("role = \"split\"", drop, vec!["refused capture r"]),
        ("role = \"input.raw\"", drop, vec!["warning capture r"]),
        ("role = \"headers\"", drop, vec![]),
        ("role = \"retrieval.document\"", shared, vec![]),
        ("role = \"input.raw\"", shared, vec!["warning capture r"]),
        ("role = \"input.raw\"\npointer = \"/a\"", shared, vec!["refused capture r", "warning capture r"]),
        ("", shared, vec!["refused capture r"]),
    ] {
        assert_eq!(and(&rule("r", of, action)), expected, "{of} {action}");
    }
    let detector = |more: &str| format!("[[detector]]\nname = \"d\"\n{more}\n");
    for (more, expected) in [
        ("kind = \"ip\"\naction = \"split\"\nclass = \"shared\"", vec!["refused detector d"]),
        ("kind = \"phone\"\ncountries = [\"XX\"]\naction = \"drop\"", vec!["refused detector d"]),
        ("kind = \"pattern\"\npattern = \"(\"\naction = \"drop\"", vec!["refused detector d"]),
        ("kind = \"ip\"\nroles = [\"certificate\"]\naction = \"drop\"", vec!["refused detector d"]),
    ] {
        assert_eq!(and(&detector(more)), expected, "{more}");
    }
    let idle = format!(
        "{}{}",
        rule("r", "role = \"headers\"", drop),
        detector("kind = \"ip\"\nroles = [\"headers\"]\naction = \"drop\"")
    );
    assert_eq!(and(&idle), ["warning detector d"]);
    assert_eq!(with("unreadable = \"drop\"\n", ""), ["warning unreadable"]);
}

#[test]
fn what_stands_in_clear_is_there_and_is_not_the_organisation_s_own() {
    let clear =
        |roles: &str| GOOD.replacen("unreadable", &format!("clear_content = [{roles}]\nunreadable"), 1);
    assert_eq!(found(&clear("\"output.final\"")), [] as [&str; 0]);
    assert_eq!(found(&clear("\"order\"")), ["refused clear_content: order"]);
    assert_eq!(found(&clear("\"headers\", \"headers\"")), ["warning clear_content: headers"]);
    let dropped = format!("{}{}", clear("\"headers\""), rule("r", "role = \"headers\"", "\"drop\""));
    assert_eq!(found(&dropped), ["refused clear_content: headers"]);
}

#[test]
fn samples_prices_and_failures_are_looked_at() {
    let sampling = "[sampling]\nmethod = \"systematic\"\nevery = 10\nrationale = \"r\"\nacceptance = \"a\"\napprover = \"b\"\n";
    assert_eq!(and(sampling), ["warning sampling"]);
    let biometric = format!("{}\n{sampling}", GOOD.replace("high-risk", "biometric"));
    assert_eq!(found(&biometric), ["refused sampling"]);
    let strata = sampling.replace("systematic", "stratified").replace(
        "every = 10",
        "strata = [{ route = \"q\", probability = 0.5 }, { route = \"q\", probability = 0.1 }]",
    );
    assert_eq!(and(&strata), ["refused sampling: strata", "warning sampling"]);
    let price = "[[price]]\ncurrency = \"EUR\"\ngigabyte_month = 0.1\n";
    assert_eq!(and(price), [] as [&str; 0]);
    assert_eq!(and(&price.repeat(2)), ["refused price 2"]);
    let tokens = "[[price]]\ncurrency = \"EUR\"\nmodel = \"a\"\ninput = 1\noutput = 1\n";
    let later = tokens.replace("input", "from = 2027-01-01\ninput");
    assert_eq!(and(&format!("{tokens}{later}")), [] as [&str; 0]);
    assert_eq!(and(&tokens.repeat(2)), ["refused price 2"]);
    assert_eq!(with("unreadable", "failure = \"degrade\"\nunreadable"), ["warning failure"]);
    let input = rule("r", "role = \"biometric.input\"", "\"drop\"");
    assert_eq!(found(&format!("{}\n{input}", GOOD.replace("high-risk", "biometric"))), ["refused capture r"]);
}
