//! The tour's chapter on an agent: a decision of several model calls, with tools, retrieval, moderation and a person's override.

use inferlog_log::{LogReader, list_logs};
use inferlog_record::Entry;
use inferlog_record::body::Body;
use inferlog_registry::Added;

use super::Demo;
use super::app::{self, Answered, Override};
use super::story::Story;
use super::traffic::Exchange;
use crate::admin::{Act, act};
use crate::model::chat;
use crate::output::{DIM, Failure, counted, styled};

const QUESTION: &str = "Why was my loan declined?";
const REVIEWER: &str = "kim@bank.example";
const REASON: &str = "The customer has a right to a review and was not told how to ask for one.";
/// What the tour's reviewer puts in the place of the answer.
const REPLACEMENT: &str = "Your loan was declined. You may have a person review this: write to review@bank.example within thirty days.";

/// The applicant whose loan was declined asks why.
pub(super) async fn chapter(story: &mut Story, demo: &Demo, declined: &Exchange) -> Result<(), Failure> {
    story.chapter("The same applicant asks why: one decision, several steps")?;
    story.tell(&format!(
        "An application with a chat model, {}. It is no language model: rules stand in for one, which really decide, from what \
         they are sent and nothing else. The application registers its prompts and tools first, so that the record names their \
         versions:",
        chat::NAME
    ))?;
    register(story, demo).await?;
    let answered = demo.application.ask(&declined.applicant, QUESTION).await?;
    review(demo, &answered).await?;
    story.tell(&format!("{} asked: {QUESTION} And saw:", declined.applicant))?;
    story.tell(&format!("\"{}\"", answered.text))?;
    let removed: Vec<String> = answered.removed.iter().map(ToString::to_string).collect();
    story.tell(&format!(
        "The model had asked for two tools at once, one of which calls the scoring model above; the application had run them and \
         found paragraphs of the lending policy; moderation had taken {} out of the model's words. Later a reviewer (the tour \
         plays the part) put another answer in this one's place, and the customer said that it helped. The record, shortened:",
        removed.join(" and "),
    ))?;
    let told = demo.told(Some(answered.decision), true).await?;
    let command = format!("inferlog show {} --data {}", answered.decision, demo.data().display());
    story.command(command, &shortened(&told))?;
    let seen = first_seen(demo).await?;
    story.tell(&format!(
        "What appeared for the first time since the demo began stands in the log as {} of kind system.changed: {}.",
        counted(seen.len() as u64, "event"),
        seen.join(", ")
    ))?;
    Ok(())
}

/// What is told of a decision, without its proof, and without content that stands elsewhere in it or is for machines.
fn shortened(told: &str) -> String {
    let is_told = |line: &&str| {
        let plain = anstream::adapter::strip_str(line).to_string();
        let mut words = plain.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_json = second.starts_with('{') || second.starts_with('[');
        let is_long = matches!(first, "input.raw" | "transform.in" | "transform.out" | "human.before");
        let is_technical = matches!(first, "output.raw" | "params.requested" | "tools" | "prompt") && is_json;
        let is_of_request =
            first.starts_with("messages[") || first.starts_with("stream") || first == "tool_choice";
        !(is_long || is_technical || is_of_request)
    };
    let steps = told.lines().take_while(|line| !line.contains("What is missing"));
    steps.filter(is_told).collect::<Vec<_>>().join("\n")
}

/// Registers the application's prompts and tools.
async fn register(story: &Story, demo: &Demo) -> Result<(), Failure> {
    let registrations = app::registrations()?;
    let done = act(&demo.instance, Act::Register { registrations }).await?;
    let done: Vec<Result<Added, String>> = serde_json::from_value(done)?;
    for done in done {
        let Added { kind, name, version, sha256, .. } = done.map_err(Failure::new)?;
        let version = version.map_or(String::new(), |version| format!(" version {version}"));
        let digest = sha256.map_or(String::new(), |digest| format!(", SHA-256 {digest}"));
        story.say(format!("  {kind} {name}{version}{}", styled(DIM, digest)))?;
    }
    Ok(())
}

async fn review(demo: &Demo, answered: &Answered) -> Result<(), Failure> {
    let by = Override { reviewer: REVIEWER, before: &answered.text, after: REPLACEMENT, reason: REASON };
    demo.application.override_answer(answered.decision, &by).await?;
    demo.application.rate(answered.decision, true).await
}

/// What the log calls new: what it is and its name.
async fn first_seen(demo: &Demo) -> Result<Vec<String>, Failure> {
    demo.instance.recorder.integrate().await?;
    let (fs, data) = (demo.instance.env.fs.clone(), demo.data().clone());
    let read = move || {
        let mut seen = Vec::new();
        for log in list_logs(&*fs, &data)? {
            let reader = LogReader::new(fs.clone(), log);
            reader.scan(0, reader.size()?, |_, bytes| {
                seen.extend(changes(bytes));
                true
            })?;
        }
        Ok::<_, Failure>(seen)
    };
    tokio::task::spawn_blocking(read).await?
}

fn changes(entry: &[u8]) -> Vec<String> {
    let Ok(Entry { events, .. }) = Entry::from_bytes(entry) else { return Vec::new() };
    let change = |body: &Body| match body {
        Body::SystemChanged(change) => {
            let name = [&change.name, &change.new].into_iter().flatten().map(ToString::to_string);
            Some(format!("{} {}", change.aspect.as_str(), name.collect::<Vec<_>>().join(" ")))
        }
        _ => None,
    };
    events.iter().filter_map(|event| change(&event.body)).collect()
}
