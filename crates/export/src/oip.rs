//! Pairs of request and response of the Open Inference Protocol, with what became of the decision: for retraining.
//!
//! A decision is written when it first ends, with what came later (labels, people's interventions); those that have not ended,
//! at the end of their log. Memory grows with the decisions that are open at one time.

use std::collections::HashMap;
use std::io::Write;

use inferlog_record::body::{Body, Human, Inference, Label, Wire};
use inferlog_record::{ClearName, Id, PayloadRole, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Report;
use crate::content::{Opened, Opener, Readable};
use crate::error::Result;
use crate::happening::{Happening, Held, Known, Visitor, of_entries};
use crate::selection::{LabelFilter, Selection};
use crate::survey::Late;

#[derive(Serialize)]
struct Pair<'a> {
    decision: Id,
    /// The event of the model call.
    event: Id,
    started_at: Option<Timestamp>,
    /// As answered, else as asked for.
    model_name: Option<&'a ClearName>,
    model_version: Option<&'a ClearName>,
    request: &'a Told,
    response: &'a Told,
    /// How the decision ended.
    outcome: Option<&'a str>,
    labels: &'a [LabelSaid],
    human: &'a [HumanSaid],
}

/// A body: JSON as it came, else its bytes and what they are.
#[derive(Serialize)]
#[serde(untagged)]
enum Told {
    Json(Box<RawValue>),
    Text { media_type: &'static str, text: String },
    Base64 { media_type: &'static str, base64: String },
}

#[derive(Serialize)]
struct LabelSaid {
    name: ClearName,
    origin: &'static str,
    /// The event that it is about, if not the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Id>,
    at: Timestamp,
    value: Said,
}

#[derive(Serialize)]
struct HumanSaid {
    action: &'static str,
    reviewer: Option<inferlog_record::Pseudonym>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<Id>,
    at: Timestamp,
    before: Option<Said>,
    after: Option<Said>,
    reason: Option<Said>,
}

/// Content, or in what state it is.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
    /// In what state it is.
    NotOpened(&'static str),
}

/// A decision that is not written yet.
struct Pending {
    began: Timestamp,
    known: Known,
    calls: Vec<Call>,
    later: Vec<Later>,
    outcome: Option<&'static str>,
}

/// A model call on a wire of the protocol.
struct Call {
    event: Id,
    started_at: Option<Timestamp>,
    inference: Box<Inference>,
    request: Option<Held>,
    response: Option<Held>,
}

/// What is said about the decision.
enum Later {
    Label(Box<Label>, Timestamp, Option<Box<Held>>),
    Human(Box<Human>, Timestamp, [Option<Box<Held>>; 3]),
}

pub(crate) struct Oip<'a, W> {
    pub(crate) out: W,
    pub(crate) opener: &'a Opener<'a>,
    pub(crate) selection: &'a Selection,
    pub(crate) late: &'a Late,
    pub(crate) report: &'a mut Report,
    pending: HashMap<Id, Pending>,
}

impl<'a, W: Write> Oip<'a, W> {
    pub(crate) fn new(
        out: W,
        opener: &'a Opener<'a>,
        selection: &'a Selection,
        late: &'a Late,
        report: &'a mut Report,
    ) -> Self {
        Self { out, opener, selection, late, report, pending: HashMap::new() }
    }

    /// Writes a decision and forgets it.
    fn finish(&mut self, decision: Id) -> Result<()> {
        let Some(mut pending) = self.pending.remove(&decision) else { return Ok(()) };
        if let Some(places) = self.late.get(&decision) {
            for happening in of_entries(self.opener.sources, &mut pending.known, places)? {
                pending.take(&happening, self.report);
            }
        }
        if !self.is_wanted(&pending) {
            return Ok(());
        }
        let labels = self.labels(&pending);
        if !self.selection.labels.iter().all(|wanted| labels.iter().any(|label| label.is(wanted))) {
            return Ok(());
        }
        let human = self.humans(&pending);
        for call in &pending.calls {
            self.pair(decision, &pending, call, &labels, &human)?;
        }
        Ok(())
    }

    fn is_wanted(&self, pending: &Pending) -> bool {
        let outcome = pending.outcome.unwrap_or("open");
        let outcomes = &self.selection.outcomes;
        self.selection.has_time(pending.began)
            && (outcomes.is_empty() || outcomes.iter().any(|wanted| wanted == outcome))
    }

    fn pair(
        &mut self,
        decision: Id,
        pending: &Pending,
        call: &Call,
        labels: &[LabelSaid],
        human: &[HumanSaid],
    ) -> Result<()> {
        let bodies =
            (self.body("request", call.request.as_ref()), self.body("response", call.response.as_ref()));
        let (request, response) = match bodies {
            (Ok(request), Ok(response)) => (request, response),
            (Err(why), _) | (_, Err(why)) => {
                self.skip(why);
                return Ok(());
            }
        };
        let model = &call.inference.model;
        let pair = Pair {
            decision,
            event: call.event,
            started_at: call.started_at,
            model_name: model.returned.as_ref().or(model.requested.as_ref()),
            model_version: model.version.as_ref(),
            request: &request,
            response: &response,
            outcome: pending.outcome,
            labels,
            human,
        };
        serde_json::to_writer(&mut self.out, &pair)?;
        self.out.write_all(b"\n")?;
        self.report.rows += 1;
        Ok(())
    }

    /// A body of a pair; why there is none, if not.
    fn body(&self, what: &str, held: Option<&Held>) -> Result<Told, String> {
        let held = held.ok_or_else(|| format!("{what} not recorded"))?;
        let class = held.birth.as_ref().map(|birth| birth.sealed.class);
        let classes = &self.selection.classes;
        if !classes.is_empty() && !class.is_some_and(|class| classes.contains(&class)) {
            return Err(format!("{what} of another class"));
        }
        match held.open(self.opener) {
            Ok(opened) => Ok(Told::of(opened)),
            Err(why) if why.state == "not_captured" => Err(format!("{what} not_captured: {}", why.why)),
            Err(why) => Err(format!("{what} {}", why.state)),
        }
    }

    fn skip(&mut self, why: String) {
        *self.report.skipped.entry(why).or_default() += 1;
    }

    fn labels(&mut self, pending: &Pending) -> Vec<LabelSaid> {
        let mut labels = Vec::new();
        for later in &pending.later {
            if let Later::Label(label, at, value) = later {
                let value = value.as_ref().map_or(Said::NotOpened("not_recorded"), |held| self.said(held));
                let origin = label.origin.as_str();
                labels.push(LabelSaid {
                    name: label.name.clone(),
                    origin,
                    about: label.about,
                    at: *at,
                    value,
                });
            }
        }
        labels
    }

    fn humans(&mut self, pending: &Pending) -> Vec<HumanSaid> {
        let mut humans = Vec::new();
        for later in &pending.later {
            if let Later::Human(human, at, held) = later {
                let [before, after, reason] =
                    held.each_ref().map(|held| held.as_ref().map(|held| self.said(held)));
                let action = human.action.as_str();
                let (reviewer, about) = (human.reviewer, human.about);
                humans.push(HumanSaid { action, reviewer, about, at: *at, before, after, reason });
            }
        }
        humans
    }

    fn said(&mut self, held: &Held) -> Said {
        match held.open(self.opener) {
            Ok(opened) => match opened.readable() {
                Readable::Json(json) => Said::Json(json),
                Readable::Text(text) => Said::Text(text),
                Readable::Base64(base64) => Said::Base64(base64),
            },
            Err(why) => {
                self.report.not_opened(why.state);
                Said::NotOpened(why.state)
            }
        }
    }
}

impl<W: Write> Visitor for Oip<'_, W> {
    fn event(&mut self, happening: &Happening) -> Result<()> {
        let Some(decision) = happening.decision else { return Ok(()) };
        if matches!(happening.event.body, Body::DecisionOpened(_))
            && self.selection.has_decision(Some(decision))
        {
            let began = happening.event.started_at.unwrap_or(happening.event.logged_at);
            self.pending.entry(decision).or_insert_with(|| Pending {
                began,
                known: Known::default(),
                calls: Vec::new(),
                later: Vec::new(),
                outcome: None,
            });
        }
        let Some(pending) = self.pending.get_mut(&decision) else { return Ok(()) };
        pending.take(happening, self.report);
        match happening.event.body {
            Body::DecisionClosed(_) => self.finish(decision),
            _ => Ok(()),
        }
    }

    fn log_ends(&mut self, _: usize) -> Result<()> {
        let mut open: Vec<Id> = self.pending.keys().copied().collect();
        open.sort_unstable();
        open.into_iter().try_for_each(|decision| self.finish(decision))
    }
}

impl Pending {
    fn take(&mut self, happening: &Happening, report: &mut Report) {
        self.known.learn(happening);
        let event = &happening.event;
        let held = |role: PayloadRole| happening.held(role).cloned();
        match &event.body {
            Body::Inference(inference) if matches!(inference.wire, Some(Wire::OipRest | Wire::OipGrpc)) => {
                self.calls.push(Call {
                    event: event.id,
                    started_at: event.started_at,
                    inference: inference.clone(),
                    request: held(PayloadRole::InputAssembled),
                    response: held(PayloadRole::OutputRaw),
                });
            }
            Body::Inference(inference) => {
                let wire = inference.wire.map_or("unknown", |wire| wire.as_str());
                *report.skipped.entry(format!("wire {wire}")).or_default() += 1;
            }
            Body::Label(label) => {
                let value = held(PayloadRole::LabelValue).map(Box::new);
                self.later.push(Later::Label(label.clone(), event.logged_at, value));
            }
            Body::Human(human) => {
                let roles = [PayloadRole::HumanBefore, PayloadRole::HumanAfter, PayloadRole::HumanReason];
                self.later.push(Later::Human(
                    human.clone(),
                    event.logged_at,
                    roles.map(|role| held(role).map(Box::new)),
                ));
            }
            // The one with the highest index counts.
            Body::DecisionClosed(closed) => self.outcome = Some(closed.outcome.as_str()),
            _ => {}
        }
    }
}

impl Told {
    fn of(opened: Opened) -> Self {
        let media_type = opened.media_type.as_str();
        match opened.readable() {
            Readable::Json(json) => Self::Json(json),
            Readable::Text(text) => Self::Text { media_type, text },
            Readable::Base64(base64) => Self::Base64 { media_type, base64 },
        }
    }
}

impl LabelSaid {
    fn is(&self, wanted: &LabelFilter) -> bool {
        let value = match &self.value {
            Said::Text(text) | Said::Base64(text) => Some(text.trim().to_owned()),
            Said::Json(json) => {
                let text = serde_json::from_str::<String>(json.get());
                Some(text.unwrap_or_else(|_| json.get().trim().to_owned()))
            }
            Said::NotOpened(_) => None,
        };
        self.name.as_str() == wanted.name && (wanted.value.is_none() || wanted.value == value)
    }
}
