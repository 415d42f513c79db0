//! What the demo does, in order, and what it says of it.

use std::path::Path;
use std::time::Instant;

use inferlog_audit::{Options, Report};

use super::story::Story;
use super::traffic::{self, Exchange, MIX};
use super::{Demo, tamper};
use crate::admin::{Act, ErasureDone, Target, act};
use crate::commands::{erase, verify};
use crate::output::Failure;

/// Shows all of it.
pub(crate) async fn tour(demo: &Demo, copy: &Path) -> Result<(), Failure> {
    let mut story = Story::begin("inferlog demo: from a decision to a record that stands up")?;
    introduce(&mut story, demo)?;
    let exchanges = send(&mut story, demo).await?;
    check(&mut story, demo).await?;
    change_a_byte(&mut story, demo, copy).await?;
    erase_one(&mut story, demo, &exchanges).await?;
    story.last("What this shows, and what it does not")?;
    story.say(
        "Whoever holds an earlier checkpoint and the verifier key finds any later change of the record, and its place. Content\n\
         can be erased and the proofs stay. It does not show that what was recorded was true. It is a capability, not compliance:\n\
         the Act's Article 12 prescribes no log content outside its paragraph 3, and does not mention tamper evidence.",
    )?;
    Ok(())
}

fn introduce(story: &mut Story, demo: &Demo) -> Result<(), Failure> {
    story.chapter("A model, and a gateway in front of it")?;
    story.say(format!(
        "A logistic regression for credit scoring, fitted just now to 2,000 synthetic loans, answers at http://{}\n\
         (Open Inference Protocol v2). The gateway at http://{} passes requests on and records them in\n{}.",
        demo.model,
        demo.gateway,
        demo.data().display()
    ))?;
    Ok(())
}

async fn send(story: &mut Story, demo: &Demo) -> Result<Vec<Exchange>, Failure> {
    let total: usize = MIX.iter().map(|(_, count)| count).sum();
    story.chapter(&format!("{total} requests, some of them as they should not be"))?;
    let began = Instant::now();
    let exchanges = traffic::send(demo.gateway).await?;
    let seconds = began.elapsed().as_secs_f64();
    demo.instance.recorder.integrate().await?;
    for (kind, count) in MIX {
        let of: Vec<_> = exchanges.iter().filter(|exchange| exchange.kind == kind).collect();
        let mut seen: Vec<_> =
            of.iter().map(|exchange| exchange.status.map_or(0, |status| status.as_u16())).collect();
        seen.dedup();
        let seen: Vec<_> =
            seen.iter().map(|status| if *status == 0 { "left".into() } else { status.to_string() }).collect();
        story.say(format!("{count:>4}  {:<34}{}", kind.what(), seen.join(", ")))?;
    }
    story.say(format!("in {seconds:.1} s"))?;
    Ok(exchanges)
}

/// Verifies off the threads that serve.
async fn verified(data: &Path) -> Result<(Report, f64), Failure> {
    let (data, began) = (data.to_owned(), Instant::now());
    let report = tokio::task::spawn_blocking(move || verify::check(&data, &Options::default())).await??;
    Ok((report, began.elapsed().as_secs_f64()))
}

async fn check(story: &mut Story, demo: &Demo) -> Result<(), Failure> {
    story.chapter("Is the record as it was signed?")?;
    let (report, seconds) = verified(demo.data()).await?;
    story.command(format!("inferlog verify --data {}", demo.data().display()), |out| {
        Ok(verify::print(out, &report, seconds)?)
    })
}

async fn change_a_byte(story: &mut Story, demo: &Demo, copy: &Path) -> Result<(), Failure> {
    story.chapter("Somebody changes one bit, in a copy")?;
    let tampered = tamper::copy_and_flip(demo.data(), copy)?;
    story.say(format!("Byte {} of {} is one bit off.", tampered.offset, tampered.file.display()))?;
    let (report, seconds) = verified(copy).await?;
    if report.ok {
        return Err(Failure::new("verify did not find the changed byte: please report this"));
    }
    story.command("inferlog verify --data COPY", |out| Ok(verify::print(out, &report, seconds)?))
}

async fn erase_one(story: &mut Story, demo: &Demo, exchanges: &[Exchange]) -> Result<(), Failure> {
    story.chapter("An applicant asks to be erased")?;
    let person = exchanges.first().map(|exchange| exchange.applicant.clone()).unwrap_or_default();
    let target = Target::Subject(person.clone());
    let erased = act(&demo.instance, Act::Erase { target, system: None }).await?;
    let erased: Vec<ErasureDone> = serde_json::from_value(erased)?;
    story.command(
        format!("inferlog erase --data {} --subject {person} --yes", demo.data().display()),
        |out| Ok(erased.iter().try_for_each(|done| erase::print(out, done))?),
    )?;
    check(story, demo).await
}
