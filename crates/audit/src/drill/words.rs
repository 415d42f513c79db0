//! A drill in words, for every form of its report.

use std::collections::BTreeMap;
use std::fmt;

use inferlog_record::Timestamp;

use super::model::{
    Artefact, Checked, Choice, DrillReport, Finding, ModelNames, Replay, ReplayResult, SystemReport,
};
use crate::account::html::words::{counted, grouped, lasted, spaced};

/// Findings that a reader is shown one by one; all are in the JSON.
pub(super) const FINDINGS_SHOWN_MAX: usize = 100;

/// What a drill does not say.
pub(super) const CLAIM: &str = "A drill shows that what was drawn could be told from storage on that day. It says nothing of \
decisions that were not drawn, nor of what never reached the log: `inferlog verify` reads every byte, `inferlog coverage` \
looks for gaps.";

/// What came of it in one sentence.
pub(super) fn verdict(report: &DrillReport) -> String {
    let of = |count: u64| counted(count, "decision");
    match (report.sampled, report.failed) {
        (0, _) => "There was no decision to reconstruct.".to_owned(),
        (sampled, 0) => format!("Passed: {} reconstructed, nothing is wrong with any.", of(sampled)),
        (sampled, failed) => {
            format!("Failed: something is wrong with {} of {}.", grouped(failed), of(sampled))
        }
    }
}

/// What was looked at, by name.
pub(super) fn facts(report: &DrillReport) -> Vec<(&'static str, String)> {
    let checked = &report.checked;
    let mut facts = vec![("chosen", chosen(report)), ("proved", proved(report))];
    let absent = listed(checked.absent.iter().map(|(state, count)| match (state.as_str(), count) {
        ("entries_purged", 1) => "entries purged of 1 decision".to_owned(),
        ("entries_purged", count) => format!("entries purged of {} decisions", grouped(*count)),
        (state, count) => format!("{} {}", grouped(*count), spaced(state)),
    }));
    let absent =
        absent.map_or(String::new(), |absent| format!("; absent, and the record says why: {absent}"));
    facts.push(("opened", format!("{} as committed to{absent}", counted(checked.contents, "content"))));
    facts.push(("registry", resolved(checked)));
    facts.extend(artefacts(&checked.artefacts, report.artefacts_hashed).map(|found| ("files", found)));
    if checked.incomplete > 0 {
        let lack = if checked.incomplete == 1 { "lacks" } else { "lack" };
        let what = "something that the profile requires, without a reason: `inferlog reconstruct` lists it, --strict fails on it";
        facts.push(("records", format!("{} {lack} {what}", counted(checked.incomplete, "decision"))));
    }
    if checked.open > 0 {
        facts.push(("open", format!("{} had not ended yet", counted(checked.open, "decision"))));
    }
    if report.replayed {
        facts.push(("replayed", replayed(checked)));
    }
    let took = report.ended.nanos().saturating_sub(report.began.nanos());
    facts.push(("took", format!("{}, begun {}", lasted(took), short(report.began))));
    facts
}

fn chosen(report: &DrillReport) -> String {
    match &report.choice {
        Choice::Sample { seed, .. } => {
            format!("at random, seed {seed}; each decision of a stratum was as likely as any other")
        }
        Choice::Named { decisions } => {
            format!("{} by id: no random sample", counted(*decisions as u64, "decision"))
        }
    }
}

/// The command that draws the same decisions again.
pub(super) fn again(report: &DrillReport) -> Option<String> {
    let Choice::Sample { seed, sample, since, until } = &report.choice else { return None };
    let since = since.map_or(String::new(), |since| format!(" --since {since}"));
    let systems: String =
        report.systems.iter().map(|system| format!(" --system {}", system.system)).collect();
    Some(format!("inferlog drill --data DIR --seed {seed} --sample {sample}{since} --until {until}{systems}"))
}

fn proved(report: &DrillReport) -> String {
    let logs = report.systems.iter().flat_map(|system| &system.checkpoints);
    let whose = match logs.clone().all(|log| log.key_given) {
        true => "by the keys you gave",
        false => {
            "by keys that stand in the directory itself, which proves nothing against somebody who can write there"
        }
    };
    let checkpoints = counted(logs.count() as u64, "signed checkpoint");
    format!("{} under {checkpoints}, {whose}", entries(report.checked.entries))
}

pub(super) fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{} entries", grouped(count)) }
}

fn resolved(checked: &Checked) -> String {
    let Checked { prompts, toolsets, models, .. } = checked;
    format!(
        "{}, {} and the models of {} were found there",
        counted(*prompts, "prompt"),
        counted(*toolsets, "tool set"),
        counted(*models, "call"),
    )
}

fn artefacts(found: &BTreeMap<String, Artefact>, hashed: bool) -> Option<String> {
    let of =
        |wanted: &dyn Fn(&Artefact) -> bool| found.iter().filter(|(_, artefact)| wanted(artefact)).count();
    let places = |wanted: Artefact| -> Vec<&str> {
        found.iter().filter(|(_, artefact)| **artefact == wanted).map(|(place, _)| place.as_str()).collect()
    };
    let mut said = Vec::new();
    let same = of(&|artefact| *artefact == Artefact::Same);
    let there = of(&|artefact| matches!(artefact, Artefact::Present | Artefact::NoDigest));
    if same > 0 {
        said.push(format!("{same} as registered, by SHA-256"));
    }
    if there > 0 {
        let why = if hashed { "nothing to compare with" } else { "not hashed: --check-artefacts does" };
        said.push(format!("{there} there ({why})"));
    }
    let bad = found.len() - same - there - of(&|artefact| *artefact == Artefact::NotReachable);
    if bad > 0 {
        said.push(format!("{bad} missing or changed"));
    }
    let far = places(Artefact::NotReachable);
    if !far.is_empty() {
        said.push(format!("not reachable from here, so not looked for: {}", far.join(", ")));
    }
    listed(said.into_iter()).map(|said| format!("of models: {said}"))
}

fn replayed(checked: &Checked) -> String {
    let results =
        checked.replays.iter().map(|(result, count)| format!("{} {}", grouped(*count), spaced(result)));
    listed(results).unwrap_or_else(|| "no model call".to_owned())
}

fn listed(items: impl Iterator<Item = String>) -> Option<String> {
    let items: Vec<String> = items.collect();
    (!items.is_empty()).then(|| items.join(", "))
}

/// What was drawn of a system.
pub(super) fn drawn(system: &SystemReport) -> String {
    let Some(population) = system.population else { return counted(system.sampled, "decision") };
    let strata = system.strata.iter().map(|stratum| {
        format!("{} {} of {}", stratum.age, grouped(stratum.drawn as u64), grouped(stratum.population))
    });
    let strata = listed(strata).map_or(String::new(), |strata| format!(": {strata}"));
    format!("{} of {} decisions{strata}", grouped(system.sampled), grouped(population))
}

/// Why model calls were not made again, each reason once, and how often.
pub(super) fn reasons(report: &DrillReport) -> BTreeMap<&str, u64> {
    let decisions = report.systems.iter().flat_map(|system| &system.decisions);
    let mut reasons = BTreeMap::new();
    for replay in decisions.flat_map(|decision| &decision.replays) {
        if let ReplayResult::NotReplayable { why } = &replay.result {
            *reasons.entry(why.as_str()).or_default() += 1;
        }
    }
    reasons
}

pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// The place of a finding.
pub(super) fn place(finding: &Finding) -> String {
    let parts = [
        finding.event.map(|event| format!("event {event}")),
        finding.entry.map(|entry| format!("entry {entry}")),
    ];
    listed(parts.into_iter().flatten()).unwrap_or_default()
}

pub(super) fn short(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(..19).unwrap_or(&text))
}

/// Without any content: what stands in the log.
impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recorded, replayed, result, .. } = self;
        let names = [&recorded.name, &recorded.version] != [&replayed.name, &replayed.version];
        match result {
            ReplayResult::NotReplayable { why } => return write!(f, "not replayable: {why}"),
            _ if names && !replayed.is_empty() => {
                write!(f, "the model changed: the record has {recorded}, now {replayed} answered")?;
            }
            _ => {
                write!(f, "{recorded} was given the recorded input again")?;
                fingerprint(f, recorded, replayed)?;
            }
        }
        match result {
            ReplayResult::Same { bytes: true } => write!(f, "; the same bytes"),
            ReplayResult::Same { bytes: false } => write!(f, "; the same answer"),
            ReplayResult::WithinTolerance { largest, similarity } => {
                write!(f, "; within tolerance")?;
                apart(f, *largest, *similarity)
            }
            ReplayResult::Different { values, largest, similarity } => {
                write!(f, "; {}", differs(*values))?;
                apart(f, *largest, *similarity)
            }
            ReplayResult::NotReplayable { .. } => Ok(()),
        }
    }
}

fn differs(values: u64) -> String {
    if values == 1 { "1 value differs".to_owned() } else { format!("{} values differ", grouped(values)) }
}

fn fingerprint(f: &mut fmt::Formatter<'_>, recorded: &ModelNames, replayed: &ModelNames) -> fmt::Result {
    match (&recorded.fingerprint, &replayed.fingerprint) {
        (Some(before), Some(now)) if before != now => {
            write!(f, "; its fingerprint was {before} and is {now}")
        }
        _ => Ok(()),
    }
}

fn apart(f: &mut fmt::Formatter<'_>, largest: f64, similarity: f64) -> fmt::Result {
    if largest > 0.0 {
        write!(f, ", numbers by up to {:.4} %", largest * 100.0)?;
    }
    if similarity < 1.0 {
        write!(f, ", texts {:.0} % alike at least", (similarity * 100.0).floor())?;
    }
    Ok(())
}
