//! The tour's chapters on keeping enough and not too much: a policy, a hold, an erasure and its certificate.

use std::path::Path;

use inferlog_merkle::VerifierKey;

use super::bundle::place;
use super::questions::{ask, ask_first};
use super::story::Story;
use super::traffic::Exchange;
use super::{Demo, SYSTEM};
use crate::output::Failure;

/// What a customer should not have written.
const MESSAGE: &str =
    "Why was my loan declined? Write to erika.muster@mail.example, my card is 4111 1111 1111 1111.";
/// Lines that show what was taken out.
const DOOR_LINES: usize = 4;
/// Lines of the certificate that are shown: up to what was destroyed.
const CERTIFICATE_LINES: usize = 11;
/// Whom the tour plays where somebody answers for what is done.
const ACTOR: &str = "dana@bank.example";

/// The demo's policy: an example as `inferlog policy presets` has them, and as short as one can be.
fn text() -> String {
    format!(
        "\
system = \"{SYSTEM}\"
version = \"1\"

[[class]]
name = \"default\"
floor = \"184 days\"
target = \"7 months\"
ceiling = \"9 months\"
legal_basis = \"Article 26(6) of Regulation (EU) 2024/1689\"

[[detector]]
name = \"e-mails\"
kind = \"email\"
action = \"split\"

[[detector]]
name = \"cards\"
kind = \"card\"
action = \"drop\"

[[price]]
currency = \"EUR\"
gigabyte_month = 0.10
"
    )
}

/// Puts a policy in force, and shows what it takes out at the door.
pub(super) async fn policy(
    story: &mut Story,
    demo: &Demo,
    scratch: &Path,
    chosen: &Exchange,
) -> Result<(), Failure> {
    story.chapter("A policy: how long it is kept, and what never comes in")?;
    let file = scratch.join("policy.toml").display().to_string();
    std::fs::write(&file, text())?;
    let data = demo.data().display().to_string();
    story.tell(
        "Without a policy all is kept, sealed, for ever. This one says: at least 184 days, for the AI Act asks for six months; gone after \
         seven months; e-mail addresses sealed apart, card numbers left out. `inferlog policy explain` says it in plain words, `policy check` what speaks against it.",
    )?;
    ask(story, &["policy", "set", &file, "--data", &data, "--yes"]).await?;
    story.tell(&format!("{} writes to the application: {MESSAGE}", chosen.applicant))?;
    let decision = demo.application.ask(&chosen.applicant, MESSAGE).await?.decision;
    let told = demo.told(Some(decision), false).await?;
    let first: Vec<&str> = told.lines().filter(is_of_door).take(DOOR_LINES).collect();
    story.command(format!("inferlog show {decision} --data {data}"), &first.join("\n"))?;
    story.say("(Of what it shows, the first lines about it. What was split off is sealed by itself.)")?;
    ask(story, &["retention", "report", "--data", &data]).await?;
    Ok(())
}

/// Erases the applicant while a hold keeps one of their decisions, and then releases it.
pub(super) async fn erasure(
    story: &mut Story,
    demo: &Demo,
    scratch: &Path,
    chosen: &Exchange,
    key: &VerifierKey,
) -> Result<(), Failure> {
    story.chapter("The applicant asks to be erased, and a legal claim wants one decision kept")?;
    let data = demo.data().display().to_string();
    let decision = chosen.decision.ok_or_else(|| Failure::new("the decision has no id"))?.to_string();
    let frozen = ["hold", "place", "--data", &data, "--system", SYSTEM, "--decision", &decision];
    let why = ["--basis", "legal_claim", "--actor", ACTOR];
    ask(story, &[&frozen[..], &why].concat()).await?;
    ask(story, &["erase", "--data", &data, "--subject", &chosen.applicant, "--yes", "--actor", ACTOR])
        .await?;
    let mut holds = Vec::new();
    for system in demo.instance.recorder.systems().await {
        holds.extend(system.holds().into_iter().map(|standing| standing.hold.to_string()));
    }
    story.tell(
        "The claim is settled, and the hold is released. What it alone withheld goes without another word:",
    )?;
    for hold in &holds {
        ask(story, &[&["hold", "release", "--data", &data, hold][..], &why].concat()).await?;
    }
    let told = demo.told(chosen.decision, false).await?;
    let left: Vec<&str> = told.lines().filter(is_telling).collect();
    story.say(
        "The decision that was frozen, now (shortened): what stands in clear stays, the content is gone.",
    )?;
    story.command(format!("inferlog show {decision} --data {data}"), &left.join("\n"))?;
    certificate(story, demo, scratch, key).await
}

/// The last erasure's certificate, checked as whoever asked for it would: without the log.
async fn certificate(story: &Story, demo: &Demo, scratch: &Path, key: &VerifierKey) -> Result<(), Failure> {
    let last = demo.instance.recorder.erasures().await?.pop();
    let intent = last.ok_or_else(|| Failure::new("nothing was erased"))?.event.to_string();
    let data = demo.data().display().to_string();
    let made = |name| place(demo.data(), scratch, name).display().to_string();
    let (note, page) = (made("erased.note"), made("erased.html"));
    story.say(
        "Its certificate is signed, a file and a page. Whoever has the key checks it without the log:",
    )?;
    ask(story, &["erase", "--data", &data, "--certificate", &intent, "--out", &note, "--html", &page])
        .await?;
    ask_first(story, &["verify", "--certificate", &note, "--key", &key.to_string()], CERTIFICATE_LINES)
        .await?;
    story.say("(And so on: what was done in each store, and what lies outside.)")?;
    Ok(())
}

/// Lines of a decision that tell what the policy took out of what the customer wrote.
fn is_of_door(line: &&str) -> bool {
    ["taken out:", "split:e-mails", "\"e-mails\""].iter().any(|part| line.contains(part))
}

/// Lines of a decision that tell what an erasure left and took.
fn is_telling(line: &&str) -> bool {
    let told = ["outcome ", "model ", "began ", "about ", "input.raw ", "output.raw "];
    told.iter().any(|start| line.trim_start().starts_with(start)) || line.contains("entries are in the log")
}
