//! What the draft says, part by part.

use super::ExplanationPart::{Blank, List, Quote, Says, Withheld};
use super::found::quotes;
use super::{ExplanationPart, ExplanationSection};
use crate::account::html::words;
use crate::account::model::{Account, Held};
use crate::account::parts::ToolStep;
use crate::account::verdict::MissingItem;

/// Missing items that are listed.
const MISSING_MAX: usize = 40;

pub(super) fn sections(account: &Account, person: Option<&str>) -> Vec<ExplanationSection> {
    let all: [(&str, Vec<ExplanationPart>); 9] = [
        ("About this draft", about(account, person)),
        ("The decision", decision(account)),
        ("The role of the AI system", role(account)),
        ("Your data that went in", input(account, person)),
        ("What the system looked up", looked_up(account)),
        ("What came out", output(account, person)),
        ("Whether a person reviewed or changed it", people(account, person)),
        ("The main elements of the decision", elements(account, person)),
        ("What is missing, and how this can be checked", checks(account, person)),
    ];
    all.into_iter().map(|(title, parts)| ExplanationSection { title: title.to_owned(), parts }).collect()
}

fn about(account: &Account, person: Option<&str>) -> Vec<ExplanationPart> {
    let for_whom = match person {
        Some(person) => format!("This draft was made for the person known to the record as {person}."),
        None if account.identity.subjects.is_empty() => {
            "The record does not say whom this decision is about; so no content is shown.".to_owned()
        }
        None => format!(
            "This decision is about {} persons. No content is shown, because this draft was not made for one of them: name one with --subject.",
            account.identity.subjects.len()
        ),
    };
    let mut parts = vec![
        Says("This is a draft, made from the system’s log. It is not yet an explanation: the deployer completes it, checks it and answers for it.".to_owned()),
        Says("The log shows what happened. It does not show why a model weighs things as it does, and nothing here claims to.".to_owned()),
        Says(for_whom),
    ];
    if !account.entries_purged.is_empty() {
        parts.push(Says("Entries of this decision were purged when the time was over that a policy gives them, or may have been. Where this draft says that something is not recorded, it may have stood there.".to_owned()));
    }
    parts.push(
        Blank("whether Article 86(1) of Regulation (EU) 2024/1689 applies: the decision rests on the output of a high-risk system listed in Annex III (point 2 excepted) and has legal effects on the person or affects them similarly significantly; and whether other law asks for more or for less (Article 86(2) and (3))".to_owned()),
    );
    parts
}

fn decision(account: &Account) -> Vec<ExplanationPart> {
    let identity = &account.identity;
    let when = match account.time.began.as_deref() {
        Some(began) => format!("on {}", words::moment(began)),
        None => "at a time that is not recorded".to_owned(),
    };
    let ended = match identity.outcome.as_deref() {
        Some("answered") => "The system gave an answer.",
        Some("refused") => "The system refused to answer.",
        Some("failed") => "The system failed to give an answer.",
        Some("aborted") => "The request was given up before the system had answered.",
        Some("interrupted") => "The system was interrupted before it had answered.",
        _ => "The record does not say how it ended.",
    };
    let route = identity.route.as_ref().map_or(String::new(), |route| format!(" (route {route})"));
    vec![
        Says(format!(
            "The system {}{route} was asked {when}. {ended} The decision’s number is {}.",
            identity.system, identity.decision
        )),
        Blank("who decided, in whose name, and where that person or body can be reached".to_owned()),
        Blank("what was decided, and what it means for the person".to_owned()),
    ]
}

fn role(account: &Account) -> Vec<ExplanationPart> {
    let mut parts = Vec::new();
    let mut models: Vec<String> = Vec::new();
    for call in &account.models {
        let name = call
            .returned
            .as_deref()
            .or(call.requested.as_deref())
            .unwrap_or("a model that the record does not name");
        let version = call.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
        let identity = match call.identity.as_str() {
            "exact" => "",
            _ => " (the name may stand for another model at another time)",
        };
        let model = format!("{name}{version}{identity}");
        if !models.contains(&model) {
            models.push(model);
        }
    }
    let calls = times(account.models.len());
    parts.push(match models.as_slice() {
        [] => Says("No call of a model is recorded.".to_owned()),
        [one] => Says(format!("The system asked one model, {calls}: {one}.")),
        several => Says(format!(
            "The system asked {} models, {calls} in all: {}.",
            several.len(),
            several.join("; ")
        )),
    });
    if account.tools.is_empty() && account.retrievals.is_empty() {
        parts.push(Says("It looked nothing up, as far as recorded.".to_owned()));
    }
    parts.push(Blank("what part the system’s output plays in the procedure: whether it prepares, recommends or decides; who takes the decision; which rules, thresholds or policies are applied besides".to_owned()));
    parts.push(Blank("what the system is for, and what it is known not to do well (from the provider’s instructions for use)".to_owned()));
    parts
}

fn input(account: &Account, person: Option<&str>) -> Vec<ExplanationPart> {
    let mut parts = Vec::new();
    for (stage, name) in
        [(&account.input.raw, "The request"), (&account.input.enriched, "What was added to the request")]
    {
        parts.extend(quotes(account, person, stage, name));
    }
    if parts.is_empty() {
        parts.push(Says("The record holds no input.".to_owned()));
    }
    if !account.input.assembled.is_empty() {
        parts.push(Withheld(
            "What the model was sent in the end is not shown: it holds documents and results of tools, which may speak of others.".to_owned(),
        ));
    }
    if parts.iter().any(|part| matches!(part, Quote(..))) {
        parts.push(Blank("check that nothing quoted above speaks of other people, and take it out where it does; say it in plain words where the form is technical".to_owned()));
    }
    parts
}

fn looked_up(account: &Account) -> Vec<ExplanationPart> {
    let mut found = Vec::new();
    for retrieval in &account.retrievals {
        let index = retrieval.index.as_deref().unwrap_or("a collection that the record does not name");
        let version =
            retrieval.version.as_ref().map_or(String::new(), |version| format!(" (version {version})"));
        let documents = words::counted(retrieval.documents.len() as u64, "document");
        let gave = if retrieval.outcome == "ok" {
            format!("{documents} were taken from it")
        } else {
            "it gave no answer".to_owned()
        };
        found.push(format!("{index}{version}: {}", gave.replace("1 document were", "1 document was")));
    }
    found.extend(tools(&account.tools));
    if found.is_empty() {
        return vec![Says("Nothing was looked up, as far as recorded.".to_owned())];
    }
    vec![
        Says(
            "To answer, the system asked these collections of documents and these other systems:".to_owned(),
        ),
        List(found),
        Withheld(
            "What the documents and the other systems said is not shown here: it may speak of others."
                .to_owned(),
        ),
        Blank("which facts found there bore on the decision, and what they were".to_owned()),
    ]
}

/// Each tool once: how often it was asked, and whether it answered.
fn tools(tools: &[ToolStep]) -> Vec<String> {
    let mut named: Vec<&str> = Vec::new();
    for tool in tools {
        if !named.contains(&tool.name.as_str()) {
            named.push(&tool.name);
        }
    }
    let said = |name: &&str| {
        let calls: Vec<&ToolStep> = tools.iter().filter(|tool| tool.name == *name).collect();
        let answered = calls.iter().filter(|tool| tool.outcome == "ok").count();
        let last = calls
            .last()
            .and_then(|tool| tool.error.as_deref())
            .map_or(String::new(), |why| format!(" ({})", words::spaced(why)));
        match (calls.len(), answered) {
            (1, 1) => format!("{name}: it answered"),
            (1, 0) => format!("{name}: it gave no answer{last}"),
            (asked, 0) => format!("{name}: asked {}, it gave no answer{last}", times(asked)),
            (asked, answered) if asked == answered => {
                format!("{name}: asked {}, it answered each time", times(asked))
            }
            (asked, answered) => format!("{name}: asked {}, it answered {}", times(asked), times(answered)),
        }
    };
    named.iter().map(said).collect()
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{} times", words::grouped(count as u64)),
    }
}

fn output(account: &Account, person: Option<&str>) -> Vec<ExplanationPart> {
    let output = &account.output;
    let stages: [(&[Held], &str); 3] = [
        (&output.r#final, "What was shown"),
        (&output.processed, "The answer after processing"),
        (&output.raw, "The model’s answer"),
    ];
    let mut parts = match stages.iter().find(|(stage, _)| !stage.is_empty()) {
        // Earlier answers of the model asked for tools.
        Some((stage, name)) => quotes(account, person, &stage[stage.len() - 1..], name),
        None => vec![Says("The record holds no answer.".to_owned())],
    };
    if output.r#final.is_empty() && !parts.is_empty() {
        parts.push(Says("What was shown in the end is not recorded apart from that.".to_owned()));
    }
    let changed = |said: &Option<String>| said.as_deref() == Some("false");
    let steps: Vec<String> = account
        .transforms
        .iter()
        .filter(|step| step.stage.as_deref() != Some("pre"))
        .map(|step| {
            step.version
                .as_ref()
                .map_or(step.name.clone(), |version| format!("{} (version {version})", step.name))
        })
        .collect();
    if changed(&output.raw_processed) || changed(&output.processed_final) {
        let by = if steps.is_empty() {
            String::new()
        } else {
            format!(" Steps after the model: {}.", steps.join(", "))
        };
        parts.push(Says(format!("The model’s answer was changed before it was shown.{by}")));
        parts.push(Blank("what these steps are for, in plain words".to_owned()));
    }
    parts
}

fn people(account: &Account, person: Option<&str>) -> Vec<ExplanationPart> {
    if account.humans.is_empty() {
        return vec![
            Says("No action of a person is recorded.".to_owned()),
            Blank("whether a person took part outside the system".to_owned()),
        ];
    }
    let mut parts = Vec::new();
    for human in &account.humans {
        let day = words::day(&human.logged_at).unwrap_or_else(|| human.logged_at.clone());
        let did = match human.action.as_str() {
            "approve" => "let the answer stand",
            "reject" => "turned the answer down",
            "modify" => "changed the answer",
            "override" => "put another answer in its place",
            "reverse" => "undid the effect of the answer",
            "disregard" => "decided not to use the answer",
            "escalate" => "passed the matter on",
            "stop" => "stopped the system",
            other => other,
        };
        let after = human
            .after_end_ns
            .map_or(String::new(), |ns| format!(", {} after the system had answered", words::lasted(ns)));
        parts.push(Says(format!("On {day}{after}, a person {did}.")));
        for (held, name) in
            [(&human.before, "Before"), (&human.after, "After"), (&human.reason, "The reason given")]
        {
            parts.extend(quotes(account, person, held.as_slice(), name));
        }
    }
    parts.push(Blank("which answer counts now, and since when".to_owned()));
    parts
}

fn elements(account: &Account, person: Option<&str>) -> Vec<ExplanationPart> {
    let explanations = &account.output.explanations;
    let mut parts = Vec::new();
    if explanations.is_empty() {
        parts
            .push(Says("The record holds no explanation that was made together with the answer.".to_owned()));
    } else {
        parts.push(Says("An explanation was made together with the answer. It says what its own method computed, which need not be how the model came to its answer.".to_owned()));
        parts.extend(quotes(account, person, explanations, "The explanation"));
    }
    parts.push(Blank("the main elements of the decision in plain words: which facts counted, in which direction, against which rule or threshold; what would have had to be different".to_owned()));
    parts.push(Blank(
        "how the person can have the decision reviewed or contest it, where, and by when".to_owned(),
    ));
    parts
}

fn checks(account: &Account, person: Option<&str>) -> Vec<ExplanationPart> {
    let verdict = &account.verdict;
    let mut parts = vec![Says(format!("The record of this decision is {}.", verdict.completeness.words()))];
    let mut listed: Vec<String> = Vec::new();
    for item in &verdict.missing {
        let step = item.step.and_then(|step| account.step(step));
        // What became of the content of others is theirs to know.
        let is_of = |person: &str| {
            step.is_none_or(|step| step.subjects.is_empty() || step.subjects.iter().any(|one| one == person))
        };
        if !person.is_none_or(is_of) {
            continue;
        }
        let step = step.map_or("The decision".to_owned(), |step| {
            format!("{} (step {})", words::kind(&step.kind), step.number)
        });
        listed.push(format!("{step}, {}: {}", what(item), why(item)));
    }
    let more = listed.len().saturating_sub(MISSING_MAX);
    listed.truncate(MISSING_MAX);
    if more > 0 {
        listed.push(format!("and {more} more, which the account lists"));
    }
    if !listed.is_empty() {
        parts.push(List(listed));
    }
    parts.extend(
        account.problems.iter().map(|problem| Says(format!("The record contradicts itself: {problem}."))),
    );
    let proved = if account.proof.proved {
        "Every step above stands in a log that cannot be changed unnoticed, and was found there unchanged. Receipts that show it can be had and checked without trusting anybody."
    } else {
        "Not every step above could be proved to stand unchanged in the log. Do not rely on this draft before that is cleared up."
    };
    parts.push(Says(proved.to_owned()));
    parts.push(Says("inferlog provides the capability to record, keep and prove. Whether an obligation to explain exists and is met is for the organisation to judge.".to_owned()));
    parts
}

/// What is missing, in words where it is a content.
fn what(item: &MissingItem) -> String {
    let role = item.field.split_once("payloads[").and_then(|(_, role)| role.strip_suffix(']'));
    role.map_or_else(|| item.field.clone(), |role| crate::story::lower(words::role(role)))
}

/// Why, without the record's own word for it.
fn why(item: &MissingItem) -> &str {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match item.why.split_once(": ") {
        Some((word, meaning)) if is_word(word) => meaning,
        _ => &item.why,
    }
}
