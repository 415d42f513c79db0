//! What callers may say of each kind of event, and the event that it becomes.

use super::ApiError;
use super::content::Said;
use super::fields::Fields;
use super::form::Mint;
use super::names::Names;
use crate::recorder::{NewContent, NewEvent, NewPayload, error_payload};
use inferlog_record::body::{
    Body, ContextAdded, DecisionClosed, Document, ErrorCode, Human, HumanAction, Label, Outcome, Output,
    Reasoning, ReasoningForm, Retrieval, StepOutcome, ToolCall, Transform,
};
use inferlog_record::{Count, Digest, Id, LIST_ITEMS_MAX, MediaType, Millionths, PayloadRole, Why};

/// The kinds that a caller may attach.
pub const KINDS: [&str; 11] = [
    "context",
    "retrieval",
    "tool_call",
    "transform",
    "reasoning",
    "inference",
    "output",
    "human",
    "label",
    "biometric.match",
    "decision.closed",
];

/// An event while its members are read.
pub(super) struct Draft<'a, 'm> {
    pub(super) fields: Fields<'a>,
    pub(super) names: Names,
    payloads: Vec<NewPayload>,
    mint: Mint<'m>,
}

/// Reads an event of a kind. `decision`, `system` and `id` were read before.
pub(super) fn read(kind: Option<&str>, fields: Fields<'_>, mint: Mint<'_>) -> Result<NewEvent, ApiError> {
    let mut draft = Draft { fields, names: Names::default(), payloads: Vec::new(), mint };
    let (mut reviewer, mut verifiers) = (None, Vec::new());
    let body: Body = match kind {
        Some("context") => draft.context()?.into(),
        Some("retrieval") => draft.retrieval()?.into(),
        Some("tool_call") => draft.tool_call()?.into(),
        Some("transform") => draft.transform()?.into(),
        Some("reasoning") => draft.reasoning()?.into(),
        Some("inference") => draft.inference()?.into(),
        Some("output") => draft.output()?.into(),
        Some("human") => {
            reviewer = draft.fields.text("reviewer")?;
            draft.human()?.into()
        }
        Some("label") => draft.label()?.into(),
        Some("biometric.match") => {
            verifiers = draft.verifiers()?;
            draft.biometric()?.into()
        }
        Some("decision.closed") => draft.closed()?.into(),
        _ => return Err(draft.fields.wrong("kind", format_args!("write one of {}", KINDS.join(", ")))),
    };
    let mut event = draft.end(body)?;
    event.reviewer = reviewer.map(Into::into);
    event.verifiers = verifiers;
    Ok(event)
}

impl Draft<'_, '_> {
    /// What events of all kinds may say, and the end of the object.
    fn end(mut self, body: Body) -> Result<NewEvent, ApiError> {
        let Self { fields, .. } = &mut self;
        let mut event = NewEvent::new(body);
        event.after = fields.ids("follows")?;
        event.parent = fields.word("parent")?;
        event.seq = fields.count("seq")?.map(Count);
        event.started_at = fields.time("started_at")?;
        event.ended_at = fields.time("ended_at")?;
        if event.after.len() > LIST_ITEMS_MAX {
            return Err(fields.wrong("follows", format_args!("write at most {LIST_ITEMS_MAX} events")));
        }
        if matches!((event.started_at, event.ended_at), (Some(started), Some(ended)) if ended < started) {
            return Err(fields.wrong("ended_at", "is before started_at"));
        }
        if let Some(ids) = fields.object("external_ids")? {
            self.payload(PayloadRole::ExternalIds, Some(external_ids(ids)?));
        }
        event.payloads = std::mem::take(&mut self.payloads);
        self.fields.end()?;
        Ok(self.names.add_to(event))
    }

    pub(super) fn payload(&mut self, role: PayloadRole, content: Option<impl Into<NewContent>>) {
        if let Some(content) = content {
            self.payloads.push(NewPayload { id: None, role, content: content.into() });
        }
    }

    /// Content that the record asks for: where it is not given, that is said.
    pub(super) fn asked(&mut self, role: PayloadRole, content: Option<Said>) {
        let content = content.map_or(NewContent::Absent(Why::NotProvided), NewContent::from);
        self.payloads.push(NewPayload { id: None, role, content });
    }

    /// The same, where the step gave a result.
    pub(super) fn result(&mut self, role: PayloadRole, content: Option<Said>, outcome: StepOutcome) {
        match (outcome, content) {
            (StepOutcome::Ok, content) => self.asked(role, content),
            (_, content) => self.payload(role, content),
        }
    }

    /// Content under an id that the body names.
    pub(super) fn named(&mut self, role: PayloadRole, content: NewContent) -> Result<Id, ApiError> {
        let id = (self.mint)()?;
        self.payloads.push(NewPayload { id: Some(id), role, content });
        Ok(id)
    }

    /// How a step ended: as said, else well, unless an error is given.
    pub(super) fn step(&mut self) -> Result<(StepOutcome, Option<ErrorCode>), ApiError> {
        let error = self.error()?;
        let outcome = self.fields.word("outcome")?;
        let outcome = outcome.unwrap_or(if error.is_some() { StepOutcome::Failed } else { StepOutcome::Ok });
        match (outcome, error) {
            (StepOutcome::Ok, Some(_)) => Err(self.fields.wrong("outcome", "is `ok`, and there is an error")),
            (StepOutcome::Failed, None) => Err(self.fields.wrong(
                "error",
                "is missing where the outcome is `failed`: write its code, as in \"timeout\"",
            )),
            _ => Ok((outcome, error)),
        }
    }

    /// `error`: a code, or an object of `code` and `message`.
    fn error(&mut self) -> Result<Option<ErrorCode>, ApiError> {
        let Some(raw) = self.fields.raw("error") else { return Ok(None) };
        let (code, message) = if raw.get().starts_with('{') {
            let mut error = Fields::read(raw, format!("{}.error", self.fields.at()))?;
            let found = (error.needed::<ErrorCode>("code")?, error.content("message")?);
            error.end()?;
            found
        } else {
            let code = serde_json::from_str::<ErrorCode>(raw.get());
            let codes = || {
                format!("write one of {}, or an object of `code` and `message`", ErrorCode::TEXTS.join(", "))
            };
            (code.map_err(|_| self.fields.wrong("error", codes()))?, None)
        };
        let message =
            message.map(|said| String::from_utf8_lossy(&said.bytes).into_owned()).unwrap_or_default();
        let (role, content) = error_payload(code, &message);
        self.payloads.push(NewPayload { id: None, role, content });
        Ok(Some(code))
    }

    fn context(&mut self) -> Result<ContextAdded, ApiError> {
        let Self { fields, names, .. } = self;
        let body = ContextAdded {
            build: names.name(fields, "build")?,
            environment: names.name(fields, "environment")?,
            flags: names.list(fields, "flags")?.into(),
            region: names.name(fields, "region")?,
            variant: names.name(fields, "variant")?,
        };
        let input = fields.content("input")?;
        if input.is_none() && body == ContextAdded::default() {
            return Err(
                fields.wrong("input", "is missing, and so are build, environment, flags, region and variant")
            );
        }
        self.payload(PayloadRole::InputEnriched, input);
        Ok(body)
    }

    fn retrieval(&mut self) -> Result<Retrieval, ApiError> {
        let (outcome, error) = self.step()?;
        let query = self.fields.content("query")?;
        self.asked(PayloadRole::RetrievalQuery, query);
        let documents = self.fields.array("documents")?;
        if documents.len() > LIST_ITEMS_MAX {
            let what = format_args!("write the best {LIST_ITEMS_MAX}, and how many there are in `total`");
            return Err(self.fields.wrong("documents", what));
        }
        let mut listed = Vec::with_capacity(documents.len());
        for (at, raw) in documents.into_iter().enumerate() {
            let mut document = Fields::read(raw, format!("{}.documents[{at}]", self.fields.at()))?;
            let rank = document.small("rank")?.unwrap_or(u32::try_from(at + 1).unwrap_or(u32::MAX));
            let score = document.number("score")?.and_then(Millionths::from_f64);
            let content = content_of(&mut document)?;
            document.end()?;
            let payload = self.named(PayloadRole::RetrievalDocument, content)?;
            listed.push(Document { payload, rank, score_millionths: score });
        }
        let Self { fields, names, .. } = self;
        Ok(Retrieval {
            documents: listed.into(),
            error,
            index: names.name(fields, "index")?,
            index_digest: fields.word::<Digest>("index_digest")?,
            index_version: names.name(fields, "index_version")?,
            outcome,
            source: names.name(fields, "source")?,
            total: fields.count("total")?.map(Count),
        })
    }

    fn tool_call(&mut self) -> Result<ToolCall, ApiError> {
        let (outcome, error) = self.step()?;
        let (arguments, result) = (self.fields.content("arguments")?, self.fields.content("result")?);
        self.asked(PayloadRole::ToolArguments, arguments);
        self.result(PayloadRole::ToolResult, result, outcome);
        let Self { fields, names, .. } = self;
        let latency_ns = match fields.number("latency_ms")? {
            Some(ms) if !(0.0..=1e12).contains(&ms) => {
                return Err(fields.wrong("latency_ms", "write milliseconds, 0 or more"));
            }
            ms => ms.map(|ms| Count((ms * 1e6).round() as u64)),
        };
        Ok(ToolCall {
            attempt: fields.small("attempt")?,
            error,
            latency_ns,
            name: names.needed(fields, "name")?,
            outcome,
            version: names.name(fields, "version")?,
        })
    }

    fn transform(&mut self) -> Result<Transform, ApiError> {
        let (outcome, error) = self.step()?;
        let (taken, given) = (self.fields.content("in")?, self.fields.content("out")?);
        self.asked(PayloadRole::TransformIn, taken);
        self.result(PayloadRole::TransformOut, given, outcome);
        let Self { fields, names, .. } = self;
        Ok(Transform {
            error,
            name: names.needed(fields, "name")?,
            outcome,
            stage: fields.word("stage")?,
            version: names.name(fields, "version")?,
        })
    }

    fn reasoning(&mut self) -> Result<Reasoning, ApiError> {
        let form = self.fields.word("form")?.unwrap_or(ReasoningForm::Full);
        let content = self.fields.content("content")?;
        let content = content.ok_or_else(|| self.fields.wrong("content", "is missing"))?;
        self.payload(PayloadRole::Reasoning, Some(content));
        Ok(Reasoning { form })
    }

    /// Whether the stages are identical is computed where the decision is known.
    fn output(&mut self) -> Result<Output, ApiError> {
        let Self { fields, .. } = self;
        let (processed, shown) = (fields.content("processed")?, fields.content("final")?);
        let explanation = fields.content("explanation")?;
        if processed.is_none() && shown.is_none() && explanation.is_none() {
            return Err(fields.wrong("final", "is missing, and so are processed and explanation"));
        }
        let is_same =
            |one: &Said, other: &Said| (one.media_type, &one.bytes) == (other.media_type, &other.bytes);
        let shown = match (&processed, shown) {
            // Stored once.
            (Some(processed), Some(shown)) if is_same(processed, &shown) => {
                NewContent::Again(PayloadRole::OutputProcessed)
            }
            (_, shown) => shown.map_or(NewContent::Absent(Why::NotProvided), NewContent::from),
        };
        self.asked(PayloadRole::OutputProcessed, processed);
        self.payload(PayloadRole::OutputFinal, Some(shown));
        self.payload(PayloadRole::Explanation, explanation);
        Ok(Output::default())
    }

    fn human(&mut self) -> Result<Human, ApiError> {
        let Self { fields, .. } = self;
        let action = fields.needed("action")?;
        let about = fields.word("about")?;
        let (before, after) = (fields.content("before")?, fields.content("after")?);
        let reason = fields.content("reason")?;
        if matches!(action, HumanAction::Modify | HumanAction::Override | HumanAction::Reverse) {
            self.asked(PayloadRole::HumanBefore, before);
            self.asked(PayloadRole::HumanAfter, after);
        } else {
            self.payload(PayloadRole::HumanBefore, before);
            self.payload(PayloadRole::HumanAfter, after);
        }
        self.asked(PayloadRole::HumanReason, reason);
        Ok(Human { about, action, reviewer: None })
    }

    fn label(&mut self) -> Result<Label, ApiError> {
        let Self { fields, names, .. } = self;
        let body = Label {
            about: fields.word("about")?,
            name: names.needed(fields, "name")?,
            origin: fields.needed("origin")?,
        };
        let value = fields.content("value")?.ok_or_else(|| fields.wrong("value", "is missing"))?;
        self.payload(PayloadRole::LabelValue, Some(value));
        Ok(body)
    }

    fn closed(&mut self) -> Result<DecisionClosed, ApiError> {
        let error = self.error()?;
        let outcome: Outcome = self.fields.needed("outcome")?;
        if (outcome == Outcome::Failed) != error.is_some() {
            return Err(self.fields.wrong("error", "goes with the outcome `failed`, and with no other"));
        }
        Ok(DecisionClosed { error, exchange: None, outcome, status: None, time_to_first_byte_ns: None })
    }
}

/// A document's content; with its id in the source, both as one JSON object.
fn content_of(document: &mut Fields<'_>) -> Result<NewContent, ApiError> {
    let (id, content) = (document.text("id")?, document.content("content")?);
    match (id, content) {
        (None, None) => Err(document.wrong("content", "is missing, and so is id")),
        (None, Some(content)) => Ok(content.into()),
        (Some(id), content) => {
            let id = serde_json::Value::from(id);
            let content = content.map(|said| format!(",\"content\":{}", said.json())).unwrap_or_default();
            Ok(NewContent::personal(MediaType::Json, format!("{{\"id\":{id}{content}}}")))
        }
    }
}

/// Ids that others gave the step, by who gave them.
fn external_ids(ids: Fields<'_>) -> Result<NewContent, ApiError> {
    let mut members = crate::headers::Members::default();
    for (name, id) in ids.into_texts()? {
        members.add(&name, &id);
    }
    Ok(NewContent::personal(MediaType::Json, members.end()))
}
