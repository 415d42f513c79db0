//! The rules: a credit advisor. Its facts are what tools give, its reasons what paragraphs of the policy say.

use serde_json::{Value, json};

use crate::model::dataset::FEATURES;

/// Tool that gives what is on record of an applicant.
pub(crate) const LOOKUP: &str = "lookup_applicant";
/// Tool that scores an applicant.
pub(crate) const SCORE: &str = "credit_score";

/// Words that ask for a decision or its reasons.
const ABOUT_DECISION: [&str; 12] = [
    "accepted", "approved", "credit", "decided", "decision", "declined", "denied", "loan", "refused",
    "rejected", "score", "why",
];
/// Words that ask for what is on record.
const ABOUT_RECORD: [&str; 7] = ["account", "data", "file", "income", "know", "record", "stored"];
/// How each feature is called, and whether the customer can bring it down from one day to the next.
const NAMES: [(&str, bool); FEATURES.len()] = [
    ("income", false),
    ("debt ratio", true),
    ("years employed", false),
    ("late payments", false),
    ("loan for the income", true),
];

/// What the model goes by.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    /// Of the system and the developer; paragraphs of the policy are lines of it that begin with `[id] `.
    pub(crate) instructions: String,
    /// The user's latest words.
    pub(crate) question: String,
    /// Tools that are offered.
    pub(crate) tools: Vec<String>,
    /// What tools gave since the question.
    pub(crate) results: Vec<Outcome>,
}

/// What a tool gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tool: String,
    pub(crate) given: Value,
}

/// What the model does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Asks for tools, all at the same time: name and arguments.
    Call(Vec<(String, Value)>),
    /// Answers.
    Say(String),
}

/// Decides what to do.
pub(crate) fn advise(asked: &Conversation) -> Advice {
    let words = words(&asked.question);
    let is_about = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let (wants_decision, wants_record) = (is_about(&ABOUT_DECISION), is_about(&ABOUT_RECORD));
    let failed = asked.results.iter().find_map(|result| Some((&result.tool, result.given.get("error")?)));
    let given =
        |tool: &str| asked.results.iter().rfind(|result| result.tool == tool).map(|result| &result.given);
    let say = |text: &str| Advice::Say(text.to_owned());
    if let Some((tool, error)) = failed {
        let error = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        return Advice::Say(format!("I could not find out: {tool} said: {error}"));
    }
    match (given(SCORE), given(LOOKUP)) {
        (Some(score), record) => {
            return Advice::Say(explain(score, record, &paragraphs(&asked.instructions)));
        }
        (None, Some(record)) => return Advice::Say(recount(record)),
        (None, None) if !wants_decision && !wants_record => {
            return say("I answer questions about a decision on a loan, and about what is on record of you.");
        }
        (None, None) => {}
    }
    let Some(applicant) = applicant(asked) else {
        return say("I was not told whose loan this is about: name the applicant, as in applicant-07.");
    };
    let needed = [(LOOKUP, true), (SCORE, wants_decision)];
    let calls: Vec<_> = needed
        .into_iter()
        .filter(|(tool, is_needed)| *is_needed && asked.tools.iter().any(|offered| offered == tool))
        .map(|(tool, _)| (tool.to_owned(), json!({ "applicant": applicant })))
        .collect();
    match calls.is_empty() {
        true => Advice::Say(format!(
            "I know nothing of {applicant} by myself. Offer me the tools {LOOKUP} and {SCORE}, and I will ask for them."
        )),
        false => Advice::Call(calls),
    }
}

/// The words of a text, in small letters.
pub(crate) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Whom the conversation is about: as the instructions say, else as the question does.
fn applicant(asked: &Conversation) -> Option<String> {
    let find = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
        words.find(|word| word.starts_with("applicant-")).map(str::to_owned)
    };
    find(&asked.instructions).or_else(|| find(&asked.question))
}

/// Paragraphs of the policy that the instructions hold: id and text.
fn paragraphs(instructions: &str) -> Vec<(&str, &str)> {
    instructions.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] ")).collect()
}

/// Explains a score: what was decided, what weighed, what the policy says of it, what to do.
fn explain(score: &Value, record: Option<&Value>, policy: &[(&str, &str)]) -> String {
    let is_approved = score["decision"] == "approve";
    let percent = |member: &str| score[member].as_f64().unwrap_or_default() * 100.0;
    let mut weights: Vec<(usize, f64)> = (0..FEATURES.len())
        .map(|at| (at, score["contributions"][FEATURES[at]].as_f64().unwrap_or_default()))
        .collect();
    // What spoke for the decision first.
    let toward = if is_approved { 1.0 } else { -1.0 };
    weights.sort_by(|one, other| (other.1 * toward).total_cmp(&(one.1 * toward)));
    weights.retain(|(_, weight)| weight * toward > 0.0);
    let named: Vec<String> = weights.iter().take(2).map(|(at, _)| feature(*at, record)).collect();
    let mut said = vec![format!(
        "Your application was {}: the probability that the loan is repaid is put at {:.1} %, and {:.0} % are needed.",
        if is_approved { "approved" } else { "declined" },
        percent("probability"),
        percent("threshold"),
    )];
    if !named.is_empty() {
        let side = if is_approved { "for" } else { "against" };
        said.push(format!("What weighed most {side} it: {}.", named.join(", then ")));
    }
    let weighed: Vec<String> = weights.iter().take(2).flat_map(|(at, _)| words(NAMES[*at].0)).collect();
    let bears = |text: &str| {
        words(text).iter().any(|word| weighed.contains(word) || (!is_approved && word == "review"))
    };
    said.extend(
        policy.iter().filter(|(_, text)| bears(text)).map(|(id, text)| format!("Our policy [{id}]: {text}")),
    );
    if let Some(account) = record.and_then(|record| record["account"].as_str()) {
        said.push(format!("This concerns your account {account}."));
    }
    let to_change = weights.iter().find(|(at, _)| !is_approved && NAMES[*at].1);
    said.extend(to_change.map(|(at, _)| {
        format!("Bring down your {}, and your next application will be approved.", NAMES[*at].0)
    }));
    said.join(" ")
}

/// A feature with its value on record.
fn feature(at: usize, record: Option<&Value>) -> String {
    let value = record.map_or(&Value::Null, |record| &record[FEATURES[at]]);
    let name = NAMES[at].0;
    if value.is_null() { name.to_owned() } else { format!("{name} ({value})") }
}

/// Says what is on record.
fn recount(record: &Value) -> String {
    let known = (0..FEATURES.len()).filter(|at| !record[FEATURES[*at]].is_null());
    let known: Vec<String> = known.map(|at| feature(at, Some(record))).collect();
    let account = record["account"].as_str().map_or(String::new(), |account| format!("account {account}, "));
    format!("On record of you: {account}{}.", known.join(", "))
}
