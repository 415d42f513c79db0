//! What the record of a replayed exchange must say.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::essence::{self, Step, essence, without_raw};
use crate::plan::{Fate, Replayed, Says};
use bytes::Bytes;
use inferlog_record::body::{Body, ErrorCode, ExchangeEnd, Outcome, StepOutcome};
use inferlog_record::{Completeness, Id, PayloadRole};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What a client got.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    pub decision: Id,
    pub bytes: usize,
    /// Whether the answer is the upstream's, and came to its end.
    pub is_whole: bool,
}

/// Holds the record of an exchange against what happened.
pub struct Judge<'a> {
    pub replays: &'a [Replayed],
    /// What clients got, of decisions whose end was not read yet.
    pub got: HashMap<Id, (usize, Got)>,
    ended: HashMap<Id, usize>,
    /// What the records of the first of each form say.
    references: HashMap<usize, Value>,
}

impl<'a> Judge<'a> {
    pub fn new(replays: &'a [Replayed], got: HashMap<Id, (usize, Got)>) -> Self {
        Self { replays, got, ended: HashMap::new(), references: HashMap::new() }
    }

    /// Of a decision that ended. Those that others are held against come first.
    pub fn judge(&mut self, decision: Id, steps: &[Step]) -> Result<(), String> {
        let Some((number, got)) = self.got.remove(&decision) else {
            let name = self.ended.get(&decision).map(|number| self.replays[*number].name());
            let events: Vec<_> = steps.iter().map(|step| &step.event.body).collect();
            return Err(format!(
                "{decision} goes on after its end, or was not asked for: {name:?}: {events:?}"
            ));
        };
        self.ended.insert(decision, number);
        let replayed = &self.replays[number];
        let sent = replayed.answer.sent();
        let found = Found::of(steps).ok_or("no inference")?;
        let judged = match replayed.fate() {
            Fate::Whole => self.same(number, steps).and_then(|()| says(replayed, &sent, &found)),
            Fate::Short => says(replayed, &sent, &found),
            Fate::Lost => found.lost(&replayed.form.legible(&sent).0),
            Fate::Reset if got.is_whole => says(replayed, &sent, &found),
            Fate::Reset => reset(replayed, &sent, &found, got.bytes),
        };
        judged.map_err(|why| format!("{}: {why}", replayed.name()))
    }

    /// The record is that of the first of its form; that one's is the transcript's.
    fn same(&mut self, number: usize, steps: &[Step]) -> Result<(), String> {
        let (form, found) = (&self.replays[number].form, essence(steps));
        let reference = self.replays[number].reference;
        if number != reference {
            let expected = self.references.get(&reference).ok_or("its reference is not recorded")?;
            return differ(expected, &found);
        }
        let first =
            self.replays.iter().position(|other| Arc::ptr_eq(&other.form.transcript, &form.transcript));
        let usual = self.references.get(&first.unwrap()).cloned();
        let is_same = match (form.says, usual) {
            (Says::Same, Some(usual)) => differ(&usual, &found),
            (Says::SameInOtherBytes, Some(usual)) => differ(&without_raw(usual), &without_raw(found.clone())),
            (Says::Other, _) | (_, None) => Ok(()),
        };
        self.references.insert(number, found);
        is_same
    }
}

fn differ(expected: &Value, found: &Value) -> Result<(), String> {
    match essence::differences(expected, found) {
        differences if differences.is_empty() => Ok(()),
        differences => Err(format!("not the record that it was:\n{}", differences.join("\n"))),
    }
}

/// It broke off, after as much as was read until then.
fn reset(replayed: &Replayed, sent: &Bytes, found: &Found<'_>, delivered: usize) -> Result<(), String> {
    let raw = found.raw.unwrap_or_default();
    let whole = replayed.form.legible(sent).0;
    if raw == whole {
        return found.lost(&whole);
    }
    if !sent.starts_with(raw) {
        return Err("what is recorded was not sent".into());
    }
    if replayed.form.transcript.framing.is_some() && raw.len() < delivered {
        return Err(format!("{} bytes recorded of {delivered} delivered", raw.len()));
    }
    found.lost(raw)
}

/// What a record says of the end.
struct Found<'a> {
    ended: (Outcome, Option<ExchangeEnd>, Option<ErrorCode>),
    step: (StepOutcome, Option<ErrorCode>),
    raw: Option<&'a [u8]>,
    completeness: Option<Completeness>,
}

impl<'a> Found<'a> {
    fn of(steps: &'a [Step]) -> Option<Self> {
        let Body::DecisionClosed(closed) = &steps.last()?.event.body else { return None };
        let (inference, step) = steps.iter().find_map(|step| match &step.event.body {
            Body::Inference(inference) => Some((inference, step)),
            _ => None,
        })?;
        Some(Self {
            ended: (closed.outcome, closed.exchange, closed.error),
            step: (inference.outcome, inference.error),
            raw: step.content(PayloadRole::OutputRaw),
            completeness: step.event.capture.as_ref().map(|capture| capture.completeness),
        })
    }

    /// It broke off after these bytes.
    fn lost(&self, came: &[u8]) -> Result<(), String> {
        let error = Some(ErrorCode::ConnectionLost);
        let ended = (Outcome::Failed, Some(ExchangeEnd::UpstreamAbort), error);
        if self.ended != ended || self.step != (StepOutcome::Failed, error) {
            return Err(format!("ended {:?}, {:?}", self.ended, self.step));
        }
        if self.completeness != Some(Completeness::Partial) {
            return Err(format!("{:?}", self.completeness));
        }
        if self.raw.unwrap_or_default() != came {
            let raw = String::from_utf8_lossy(self.raw.unwrap_or_default());
            return Err(format!("recorded of {} bytes: {raw}", came.len()));
        }
        Ok(())
    }
}

/// The record says of the end what these bytes say of it, and has them.
fn says(replayed: &Replayed, came: &Bytes, found: &Found<'_>) -> Result<(), String> {
    let (form, facts) = (&replayed.form, replayed.form.facts(came));
    let is_error = facts.error.is_some() || !form.transcript.status.is_success();
    let expected = match (is_error, facts.broken_off) {
        (true, _) => (Outcome::Failed, Some(ExchangeEnd::Complete)),
        (false, true) => (Outcome::Failed, Some(ExchangeEnd::UpstreamAbort)),
        (false, false) => (Outcome::Answered, Some(ExchangeEnd::Complete)),
    };
    let (outcome, end, error) = found.ended;
    if (outcome, end) != expected || error.is_some() != (outcome == Outcome::Failed) {
        return Err(format!("ended {:?} and not {expected:?}", found.ended));
    }
    let (legible, is_broken) = form.legible(came);
    let is_partial = found.completeness == Some(Completeness::Partial);
    if is_partial != (is_broken || facts.gap.is_some()) {
        return Err(format!("{:?} with {:?}, coding broken {is_broken}", found.completeness, facts.gap));
    }
    if found.raw != Some(&legible[..]) {
        return Err(format!("recorded: {:?}", found.raw.map(String::from_utf8_lossy)));
    }
    Ok(())
}
