//! The account as sections of plain sentences, for terminals and Markdown: what is said is decided here, how it looks there.

mod head;
mod lines;
mod steps;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::diff::Diff;
use super::model::{Account, Change, Held, Mention};
use super::parts::{HumanStep, ModelCall, PromptUsed, RegisteredTools};
use super::verdict::MissingItem;
use crate::story::{articles, lasted};

pub(super) use lines::{drawn, kind_words};

/// A part of the account.
pub(super) struct Section<'a> {
    pub(super) title: String,
    pub(super) blocks: Vec<Block<'a>>,
}

/// What a section is made of.
pub(super) enum Block<'a> {
    /// Names and values.
    Facts(Vec<(&'static str, String, Tone)>),
    /// One thing after another.
    Items(Vec<Item<'a>>),
    /// A sentence.
    Note(String),
}

/// One thing.
#[derive(Default)]
pub(super) struct Item<'a> {
    /// What it is, in a line.
    pub(super) head: String,
    pub(super) tone: Tone,
    /// When and where, beside it.
    pub(super) aside: String,
    pub(super) lines: Vec<String>,
    pub(super) contents: Vec<Shown<'a>>,
    pub(super) diff: Option<&'a Diff>,
}

/// A content, shown.
pub(super) struct Shown<'a> {
    /// What it is: `input.raw`, `document 1, score 0.9124`.
    pub(super) name: String,
    /// What is to be known of it: `text/plain, erased`.
    pub(super) state: String,
    pub(super) tone: Tone,
    pub(super) media_type: &'a str,
    /// Its words, if it was opened and is shown here.
    pub(super) text: Option<Cow<'a, str>>,
}

/// How something is to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    #[default]
    Plain,
    Good,
    Bad,
    Quiet,
}

/// The whole account, in the order in which it is read.
pub(super) fn outline(account: &Account) -> Vec<Section<'_>> {
    let mut sections = vec![
        section("Decision", vec![Block::Facts(head::head(account))]),
        section("Models", vec![Block::Items(models(account))]),
        section("Prompts and tools", vec![Block::Items(prompts(account))]),
        section("Steps", vec![Block::Items(steps::steps(account))]),
        section("How the input became what the model was sent", diffs(&account.input.diffs)),
        section("How the model's answer became what was shown", output(account)),
        section("What people did", vec![Block::Items(people(account))]),
        section("Surroundings", vec![Block::Items(lines::surroundings(account))]),
        section(
            "What changed in the system since",
            vec![Block::Items(account.changes.iter().map(change).collect())],
        ),
        section("Who names this decision", mentions(account)),
        section("What is missing", missing(account)),
        section(
            "What does not fit together",
            vec![Block::Items(account.problems.iter().map(|one| problem(one)).collect())],
        ),
        section("Proof", lines::proof(account)),
    ];
    for section in &mut sections {
        section.blocks.retain(|block| !block.is_empty());
    }
    sections.retain(|section| !section.blocks.is_empty());
    sections
}

impl Block<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Facts(facts) => facts.is_empty(),
            Self::Items(items) => items.is_empty(),
            Self::Note(note) => note.is_empty(),
        }
    }
}

fn section<'a>(title: &str, blocks: Vec<Block<'a>>) -> Section<'a> {
    Section { title: title.to_owned(), blocks }
}

/// Each model once, with the calls of it.
fn models(account: &Account) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut calls: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
    for call in &account.models {
        let item = model(call);
        let key = (item.head.clone(), item.lines.clone());
        let at = *calls.entry(key).or_insert_with(|| {
            items.push(item);
            items.len() - 1
        });
        let aside = &mut items[at].aside;
        let _ = write!(aside, "{}#{}", if aside.is_empty() { "called in " } else { " " }, call.step);
    }
    items
}

fn model(call: &ModelCall) -> Item<'_> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
    let identity = match call.identity.as_str() {
        "exact" => "the names pin one model",
        "alias" => "an alias: it may mean another model tomorrow",
        _ => "not known which model",
    };
    let mut lines = vec![match (&call.requested, &call.returned) {
        (Some(asked), Some(answered)) if asked != answered => {
            format!("asked for {asked}, answered by {answered}; {identity}")
        }
        _ => identity.to_owned(),
    }];
    let fields =
        [("digest", &call.digest), ("fingerprint", &call.fingerprint), ("deployment", &call.deployment)];
    lines
        .extend(fields.into_iter().filter_map(|(field, value)| Some(format!("{field} {}", value.as_ref()?))));
    lines.push(match &call.registered {
        Some(model) => format!(
            "registry: {}@{} (found by {}), {}{}",
            model.name,
            model.version,
            model.by,
            model.location,
            model.source.as_ref().map_or(String::new(), |source| format!(", from {source}"))
        ),
        None => "registry: no model is registered under these names".to_owned(),
    });
    let version = call.version.as_ref().map_or(String::new(), |version| format!(", version {version}"));
    let answered = if call.returned.is_some() { &call.returned } else { &call.requested };
    Item { head: format!("{}{version}", name(answered)), lines, ..Item::default() }
}

fn prompts(account: &Account) -> Vec<Item<'_>> {
    // One prompt with other values in it is another content; its words are shown once.
    let mut prompts: Vec<(&PromptUsed, Vec<usize>)> = Vec::new();
    for prompt in account.prompts.iter().filter(|one| one.name.is_some() || one.found_in == "nowhere") {
        let same = |known: &PromptUsed| {
            (&known.role, &known.name, &known.version, &known.sha256)
                == (&prompt.role, &prompt.name, &prompt.version, &prompt.sha256)
        };
        match prompts.iter_mut().find(|(known, _)| same(known)) {
            Some((_, steps)) => steps.extend(&prompt.steps),
            None => prompts.push((prompt, prompt.steps.clone())),
        }
    }
    let prompts = prompts.into_iter().map(|(prompt, steps)| {
        let name = format!("{} prompt {}", prompt.role, prompt.name.as_deref().unwrap_or("?"));
        let names = (prompt.version.as_deref(), prompt.sha256.as_deref());
        registered(&name, names, &steps, prompt.text.as_deref(), "text/plain")
    });
    let tools = account.toolsets.iter().map(|tools: &RegisteredTools| {
        let names = (Some(tools.version.as_str()), Some(tools.sha256.as_str()));
        let json = tools.json.as_deref();
        registered(&format!("tools {}", tools.name), names, &tools.steps, json, "application/json")
    });
    prompts.chain(tools).collect()
}

fn registered<'a>(
    name: &str,
    (version, sha256): (Option<&str>, Option<&str>),
    steps: &[usize],
    text: Option<&'a str>,
    media_type: &'a str,
) -> Item<'a> {
    let given: Vec<String> = steps.iter().take(8).map(|step| format!("#{step}")).collect();
    let more = if steps.len() > 8 { format!(" and {} more", steps.len() - 8) } else { String::new() };
    let state = if text.is_some() { "as registered" } else { "not in the registry" };
    Item {
        head: format!("{name}, version {}", version.unwrap_or("?")),
        aside: format!("given in {}{more}", given.join(" ")),
        lines: sha256.map(|sha256| format!("SHA-256 {sha256}")).into_iter().collect(),
        contents: vec![Shown {
            name: "text".to_owned(),
            state: state.to_owned(),
            tone: if text.is_some() { Tone::Quiet } else { Tone::Bad },
            media_type,
            text: text.map(Cow::Borrowed),
        }],
        ..Item::default()
    }
}

fn diffs(diffs: &[Diff]) -> Vec<Block<'_>> {
    vec![Block::Items(diffs.iter().map(differs).collect())]
}

fn differs(diff: &Diff) -> Item<'_> {
    let aside = match (diff.same, diff.too_long) {
        (true, _) => "the same".to_owned(),
        (false, true) => "differ; too long to compare by lines".to_owned(),
        (false, false) => format!("compared: {}", diff.compared),
    };
    Item { head: diff.title.clone(), aside, diff: Some(diff), ..Item::default() }
}

fn output(account: &Account) -> Vec<Block<'_>> {
    let output = &account.output;
    let said = |name: &str, same: &Option<String>| {
        let same = same.as_ref()?;
        Some(match same.as_str() {
            "true" => format!("{name} are the same bytes"),
            "false" => format!("{name} differ"),
            _ => format!("whether {name} are the same was not compared"),
        })
    };
    let said: Vec<String> = [
        said("raw and processed", &output.raw_processed),
        said("processed and final", &output.processed_final),
    ]
    .into_iter()
    .flatten()
    .collect();
    let note = if said.is_empty() { String::new() } else { format!("At capture: {}.", said.join("; ")) };
    let mut blocks = vec![Block::Note(note)];
    blocks.extend(diffs(&output.diffs));
    let changed = account.transforms.iter().filter_map(|transform| {
        let diff = transform.diff.as_ref()?;
        // What is told already is not told again.
        let is_known = output.diffs.iter().any(|known| known.lines == diff.lines);
        (!is_known).then(|| Item {
            head: format!("#{} {}: {}", transform.step, transform.name, diff.title),
            ..differs(diff)
        })
    });
    blocks.push(Block::Items(changed.collect()));
    blocks
}

fn people(account: &Account) -> Vec<Item<'_>> {
    let person = |human: &HumanStep| {
        let about = human.about.map_or(String::new(), |about| format!(" of #{about}"));
        let by = human.reviewer.as_ref().map_or(String::new(), |by| format!(", by {by} (pseudonym)"));
        let after = human.after_end_ns.map_or(String::new(), |ns| format!(", {} after the end", lasted(ns)));
        (format!("#{} {}{about}{by}", human.step, human.action), format!("{}{after}", human.logged_at))
    };
    let shown = |held: &Option<Held>| held.as_ref().and_then(|held| steps::shown(account, held, true));
    account
        .humans
        .iter()
        .map(|human| {
            let (head, aside) = person(human);
            // What differs is shown by the comparison, where there is one.
            let whole = if human.diff.is_some() {
                Vec::new()
            } else {
                vec![shown(&human.before), shown(&human.after)]
            };
            let contents = whole.into_iter().chain([shown(&human.reason)]).flatten().collect();
            Item { head, aside, contents, diff: human.diff.as_ref(), ..Item::default() }
        })
        .collect()
}

fn change(change: &Change) -> Item<'_> {
    let side = |name: &Option<String>, digest: &Option<String>| match (name, digest) {
        (Some(name), Some(digest)) => format!("{name} ({})", lines::short(digest)),
        (Some(name), None) => name.clone(),
        (None, Some(digest)) => lines::short(digest),
        (None, None) => "nothing".to_owned(),
    };
    let name = change.name.as_ref().map_or(String::new(), |name| format!(" of {name}"));
    let by = if change.by_this_decision { "; this decision showed it" } else { "" };
    Item {
        head: format!(
            "{}{name}: {} → {}",
            change.aspect,
            side(&change.old, &change.old_digest),
            side(&change.new, &change.new_digest)
        ),
        aside: format!("{}, entry {}{by}", change.logged_at, change.entry),
        ..Item::default()
    }
}

fn mentions(account: &Account) -> Vec<Block<'_>> {
    let mention = |mention: &Mention| Item {
        head: format!("{}: {}", kind_words(&mention.kind), mention.label),
        aside: format!("{}, entry {}", mention.logged_at, mention.entry),
        ..Item::default()
    };
    let untold = match account.mentions_untold {
        0 => String::new(),
        untold => format!("and {untold} older ones"),
    };
    vec![Block::Items(account.mentions.iter().map(mention).collect()), Block::Note(untold)]
}

/// What is missing for one reason is told together.
fn missing(account: &Account) -> Vec<Block<'_>> {
    let mut reasons: Vec<Vec<&MissingItem>> = Vec::new();
    let mut known: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for item in &account.verdict.missing {
        let at = *known.entry((&item.why, item.explained)).or_insert_with(|| {
            reasons.push(Vec::new());
            reasons.len() - 1
        });
        reasons[at].push(item);
    }
    let items: Vec<Item<'_>> = reasons.iter().map(|items| lacks(items)).collect();
    let claim = if items.is_empty() { String::new() } else { account.verdict.claim.to_owned() };
    vec![Block::Items(items), Block::Note(claim)]
}

fn lacks<'a>(items: &[&MissingItem]) -> Item<'a> {
    let is_explained = items.iter().all(|item| item.explained);
    let field = |item: &&MissingItem| {
        let step = item.step.map_or(String::new(), |step| format!("#{step} "));
        let serves = match item.serves.as_str() {
            "" => String::new(),
            serves => format!(": {}", articles(serves)),
        };
        format!("{step}{} [{}{serves}]", item.field, item.level)
    };
    Item {
        head: items.first().map_or(String::new(), |item| item.why.clone()),
        tone: if is_explained { Tone::Plain } else { Tone::Bad },
        aside: if is_explained { "explained" } else { "not explained" }.to_owned(),
        lines: items.iter().map(field).collect(),
        ..Item::default()
    }
}

fn problem(problem: &str) -> Item<'_> {
    Item { head: problem.to_owned(), tone: Tone::Bad, ..Item::default() }
}
