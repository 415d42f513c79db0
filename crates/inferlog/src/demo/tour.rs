//! What the demo does, in order, and what it says of it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::StatusCode;
use inferlog_audit::{
    FindOptions, FoundDecision, Options, Remembered, Report, Select, check_receipt_file, find, receipts,
};
use inferlog_log::{LogDir, LogIdentity, list_logs};
use inferlog_merkle::VerifierKey;
use inferlog_record::Id;

use super::story::Story;
use super::traffic::{self, Exchange, Kind, MIX};
use super::{Demo, advice, bundle, keeping, questions, tamper};
use crate::commands::{receipt, verify};
use crate::output::{DIM, Failure, styled};

/// Shows all of it; `scratch` is a directory for what is made on the way.
pub(crate) async fn tour(demo: &Demo, scratch: &Path) -> Result<(), Failure> {
    let mut tour = Tour::begin(demo, scratch)?;
    tour.introduce()?;
    let exchanges = tour.send().await?;
    let chosen = choose(&exchanges)?;
    tour.show(chosen).await?;
    advice::chapter(&mut tour.story, demo, chosen).await?;
    questions::chapter(&mut tour.story, demo, scratch, chosen).await?;
    tour.check().await?;
    tour.change_a_byte().await?;
    let receipt = tour.prove(chosen).await?;
    bundle::chapter(&mut tour.story, demo, scratch, chosen, &tour.key).await?;
    keeping::policy(&mut tour.story, demo, scratch, chosen).await?;
    keeping::erasure(&mut tour.story, demo, scratch, chosen, &tour.key).await?;
    tour.still_proved(receipt).await?;
    tour.conclude()
}

struct Tour<'a> {
    story: Story,
    demo: &'a Demo,
    scratch: &'a Path,
    log: LogDir,
    key: VerifierKey,
}

/// The decision to follow: declined, through the alias, about somebody of whom there are more.
fn choose(exchanges: &[Exchange]) -> Result<&Exchange, Failure> {
    let declined = |exchange: &&Exchange| {
        exchange.kind == Kind::Alias
            && exchange.verdict.as_deref() == Some("decline")
            && exchange.decision.is_some()
    };
    let first = exchanges.iter().filter(declined).min_by(|one, other| one.applicant.cmp(&other.applicant));
    first.ok_or_else(|| Failure::new("no loan was declined: please report this"))
}

impl<'a> Tour<'a> {
    fn begin(demo: &'a Demo, scratch: &'a Path) -> Result<Self, Failure> {
        let story = Story::begin("inferlog: one decision's whole life, in a minute")?;
        let fs = &demo.instance.env.fs;
        let log = list_logs(&**fs, demo.data())?.pop().ok_or_else(|| Failure::new("the demo has no log"))?;
        let vkeys = LogIdentity::load(&**fs, &log)?.vkeys;
        let key = vkeys.last().ok_or_else(|| Failure::new("the demo's log has no key"))?.parse()?;
        Ok(Self { story, demo, scratch, log, key })
    }

    fn data(&self) -> std::path::Display<'a> {
        self.demo.data().display()
    }

    fn introduce(&mut self) -> Result<(), Failure> {
        self.story.chapter("A model, and a gateway in front of it")?;
        self.story.say(format!(
            "A credit-scoring model (logistic regression, fitted just now to 2,000 synthetic loans) answers at\n\
             http://{} in the Open Inference Protocol. The gateway at http://{} passes requests on,\n\
             and records them in {}. No answer leaves before its record is on disk.",
            self.demo.model,
            self.demo.gateway,
            self.data()
        ))?;
        Ok(())
    }

    async fn send(&mut self) -> Result<Vec<Exchange>, Failure> {
        let total: usize = MIX.iter().map(|(_, count)| count).sum();
        self.story.chapter(&format!("{total} requests over HTTP, some of them as they should not be"))?;
        let began = Instant::now();
        let exchanges = traffic::send(self.demo.gateway).await?;
        let seconds = began.elapsed().as_secs_f64();
        self.demo.instance.recorder.integrate().await?;
        // What the auditor keeps, to compare with later.
        std::fs::copy(self.log.checkpoint(), self.kept())?;

        let found = self.found().await?;
        self.story
            .say(styled(DIM, format!("{:>4}  {:<33}{:<12}recorded as", "sent", "what", "client saw")))?;
        for (kind, count) in MIX {
            let of: Vec<_> = exchanges.iter().filter(|exchange| exchange.kind == kind).collect();
            let saw = summary(
                of.iter().map(|exchange| exchange.status.map_or("gone".into(), |s| s.as_u16().to_string())),
            );
            let recorded = match kind {
                // Who left has no answer to read the id from: theirs are those that nobody else has.
                Kind::ClientLeaves => summary(unclaimed(&found, &exchanges)),
                _ => summary(of.iter().map(|exchange| outcome(&found, exchange.decision))),
            };
            self.story.say(format!("{count:>4}  {:<33}{saw:<12}{recorded}", kind.what()))?;
        }
        let mut good: Vec<Duration> =
            exchanges.iter().filter(|one| one.status == Some(StatusCode::OK)).map(|one| one.took).collect();
        good.sort();
        let middle = good.get(good.len() / 2).copied().unwrap_or_default();
        let verdicts =
            |verdict: &str| exchanges.iter().filter(|one| one.verdict.as_deref() == Some(verdict)).count();
        self.story.say(format!(
            "{} loans approved, {} declined. {} decisions on record, {seconds:.1} s; half of the good answers took less than {:.1} ms.",
            verdicts("approve"),
            verdicts("decline"),
            found.len(),
            middle.as_secs_f64() * 1e3,
        ))?;
        Ok(exchanges)
    }

    async fn found(&self) -> Result<HashMap<String, FoundDecision>, Failure> {
        let (fs, data) = (self.demo.instance.env.fs.clone(), self.demo.data().clone());
        let all = tokio::task::spawn_blocking(move || {
            let mut all = HashMap::new();
            find(&fs, &data, &FindOptions::default(), &mut |found| {
                all.insert(found.decision.clone(), found);
                ControlFlow::Continue(())
            })?;
            Ok::<_, Failure>(all)
        });
        all.await?
    }

    async fn show(&mut self, chosen: &Exchange) -> Result<(), Failure> {
        self.story.chapter("One decision in full: a loan that was declined")?;
        let told = self.demo.told(chosen.decision, true).await?;
        self.story.command(format!("inferlog show {} --data {}", id(chosen), self.data()), &told)?;
        Ok(())
    }

    async fn check(&mut self) -> Result<(), Failure> {
        self.story.chapter("Is the record what was signed?")?;
        self.story.say(
            "Without the secret keys: every entry, tile, payload and checkpoint, against the key that the auditor was given.\n\
             (Here and below without the notes, which say what cannot be seen without keys.)",
        )?;
        let report = self.verified(self.demo.data(), false).await?;
        self.story.command(
            format!("inferlog verify --data {} --key $KEY", self.data()),
            brief(&report.to_text(true)),
        )?;
        sound(&report)
    }

    /// Verifies off the threads that serve, with the key, and with the checkpoint that was kept if asked to.
    async fn verified(&self, data: &Path, against: bool) -> Result<Report, Failure> {
        let fs = &*self.demo.instance.env.fs;
        let against = against.then(|| Remembered::read(fs, &self.kept())).transpose()?;
        let against = against.into_iter().collect();
        let options = Options { keys: vec![self.key.clone()], against, ..Options::default() };
        let data = data.to_owned();
        tokio::task::spawn_blocking(move || verify::check(&data, &options)).await?
    }

    async fn change_a_byte(&mut self) -> Result<(), Failure> {
        self.story.chapter("Somebody changes one bit, in a copy")?;
        let copy = self.scratch.join("copy");
        let tampered = tamper::copy_and_flip(self.demo.data(), &copy)?;
        self.story.say(format!("One bit of byte {} of {}.", tampered.offset, tampered.file.display()))?;
        let report = self.verified(&copy, false).await?;
        if report.ok {
            return Err(Failure::new("verify did not find the changed byte: please report this"));
        }
        self.story.command("inferlog verify --data COPY --key $KEY", verdict(&report.to_text(true)))?;
        Ok(())
    }

    async fn prove(&mut self, chosen: &Exchange) -> Result<Option<PathBuf>, Failure> {
        self.story.chapter("A receipt: proof of one decision, without the log")?;
        let (fs, data, decision) = (self.demo.instance.env.fs.clone(), self.demo.data(), chosen.decision);
        let decision = decision.ok_or_else(|| Failure::new("the decision has no id"))?;
        let to = self.scratch.join("receipts");
        let receipts = receipts(&fs, data, decision, &Select::default())?;
        receipt::write(&receipts, &to)?;
        let mut printed = Vec::new();
        receipts
            .iter()
            .try_for_each(|made| receipt::print_made(&mut printed, made, Path::new("receipts")))?;
        let command = format!("inferlog receipt {decision} --data {} --output receipts", self.data());
        self.story.command(command, &String::from_utf8_lossy(&printed))?;
        let Some(last) = receipts.last() else { return Ok(None) };
        let receipt = to.join(last.proof_file());
        let checked = check_receipt_file(&*fs, &receipt, std::slice::from_ref(&self.key))?;
        let mut printed = Vec::new();
        receipt::print_checked(&mut printed, &checked)?;
        let command = format!("inferlog receipt check receipts/{} --key $KEY", last.proof_file());
        self.story.command(command, &String::from_utf8_lossy(&printed))?;
        Ok(Some(receipt))
    }

    /// What was given out before the applicant was erased holds still.
    async fn still_proved(&mut self, receipt: Option<PathBuf>) -> Result<(), Failure> {
        self.demo.instance.recorder.integrate().await?;
        let report = self.verified(self.demo.data(), true).await?;
        self.story.say("And the record is still the one of which the auditor kept a checkpoint before:")?;
        let command = format!("inferlog verify --data {} --key $KEY --against kept.checkpoint", self.data());
        self.story.command(command, verdict(&report.to_text(true)))?;
        let Some(receipt) = receipt else { return sound(&report) };
        check_receipt_file(&*self.demo.instance.env.fs, &receipt, std::slice::from_ref(&self.key))?;
        self.story
            .say("The receipt that was given out before was checked again, and still proves its entry.")?;
        sound(&report)
    }

    fn conclude(&self) -> Result<(), Failure> {
        self.story.last("What this shows, and what it does not")?;
        self.story.say(
            "Whoever keeps a checkpoint and the verifier key finds any later change, and its place. It does not show that what was\n\
             recorded was true, nor that nothing went past the gateway. It is a capability; compliance is your organisation's:\n\
             Article 12 of the AI Act asks that events are recorded automatically, and prescribes neither this content (save in\n\
             its paragraph 3) nor tamper evidence. The stricter fields are inferlog's own profile.",
        )?;
        Ok(())
    }

    fn kept(&self) -> PathBuf {
        self.scratch.join("kept.checkpoint")
    }
}

fn id(chosen: &Exchange) -> String {
    chosen.decision.map_or_else(String::new, |id| id.to_string())
}

fn outcome(found: &HashMap<String, FoundDecision>, decision: Option<Id>) -> String {
    let found = decision.and_then(|id| found.get(&id.to_string()));
    found.map_or("not recorded".into(), |found| found.outcome.clone().unwrap_or("open".into()))
}

/// Outcomes of decisions whose id no client was told.
fn unclaimed(found: &HashMap<String, FoundDecision>, exchanges: &[Exchange]) -> Vec<String> {
    let told: Vec<String> = exchanges.iter().filter_map(|one| Some(one.decision?.to_string())).collect();
    let unclaimed = found.values().filter(|found| !told.contains(&found.decision));
    unclaimed.map(|found| found.outcome.clone().unwrap_or("open".into())).collect()
}

/// `answered`, or `3 failed, 1 aborted` where they differ.
fn summary(words: impl IntoIterator<Item = String>) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    match counts.as_slice() {
        [(word, _)] => word.clone(),
        counts => counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", "),
    }
}

/// A report without its notes.
fn brief(report: &str) -> &str {
    let notes = report.lines().find(|line| line.contains("To know") || line.contains("Not covered"));
    notes.and_then(|notes| report.split(notes).next()).unwrap_or(report)
}

/// A report without its notes, and without the logs that were shown before.
fn verdict(report: &str) -> &str {
    let brief = brief(report).trim_end();
    brief.split_once("\n\n").map_or(brief, |(_, verdict)| verdict)
}

fn sound(report: &Report) -> Result<(), Failure> {
    if report.ok { Ok(()) } else { Err(Failure::new("the demo's own log has a fault: please report this")) }
}
