//! What an account looks for beyond the record's tables, which judge one event at a time: what should stand beside what.

use inferlog_record::body::{Body, DecisionClosed, Inference, Outcome, Stage, StepOutcome, Tri};
use inferlog_record::{Count, Event, FieldDoc, FieldType, Kind, Level, PayloadRole as Role};

use super::reader::{Reader, Told};
use super::sections::whys;
use super::verdict::{Evidence, MissingItem};

/// Adds what is missing.
pub(super) fn apply(evidence: &Evidence<'_>, missing: &mut Vec<MissingItem>) {
    let reader = evidence.reader;
    ending(reader, missing);
    for (told, event) in reader.events() {
        causes(reader, told, event, missing);
        dropped(told, event, missing);
        match &event.body {
            Body::Inference(body) => names(told, body, missing),
            Body::Retrieval(body) => {
                let listed = body.documents.len() as u64;
                let total = body.total.map(|total| total.0);
                if body.outcome == StepOutcome::Ok && listed == 0 && total != Some(0) {
                    let why =
                        "the query succeeded, no document is listed, and no count says that none was found";
                    missing.push(item(told, "retrieval.documents", why));
                } else if total.is_some_and(|total| total > listed) {
                    let why = format!("{listed} of {} documents are listed", total.unwrap_or(0));
                    let level = Level::Recommended.letter();
                    missing.push(MissingItem {
                        explained: true,
                        level,
                        ..item(told, "retrieval.documents", &why)
                    });
                }
            }
            _ => {}
        }
    }
    asked_for_tools(reader, missing);
    output(reader, missing);
    registry(evidence, missing);
    for clock in evidence.clocks.iter().filter(|clock| clock.logged_at.is_none()) {
        let named = reader.events().find(|(_, event)| event.clock == Some(clock.event));
        let why = format!("the clock event {} is named and was not found in the log", clock.event);
        if let Some((told, event)) = named {
            missing.push(item(told, &format!("{}.clock", event.body.kind_text()), &why));
        }
    }
}

/// How it began and ended.
fn ending(reader: &Reader<'_>, missing: &mut Vec<MissingItem>) {
    let has = |kind: Kind| reader.steps.iter().any(|told| told.step.kind == kind.as_str());
    if !has(Kind::DecisionClosed) {
        let why = "no event says how the decision ended: it is still open, or its end was never recorded";
        missing.push(whole(Kind::DecisionClosed.as_str(), why, Kind::DecisionClosed.serves()));
    }
    let is_answered = closing(reader).is_some_and(|body| body.outcome == Outcome::Answered);
    if is_answered && !has(Kind::Inference) {
        let why = "the decision was answered, and no model call is recorded";
        missing.push(whole(Kind::Inference.as_str(), why, Kind::Inference.serves()));
    }
    if let Some((told, _)) = reader.events().find(|(_, event)| {
        matches!(&event.body, Body::DecisionClosed(body) if body.outcome == Outcome::Interrupted)
    }) {
        let why = "interrupted: the process ended before the decision did; what came after is not recorded";
        let item = item(told, "decision.closed.outcome", why);
        missing.push(MissingItem { explained: true, ..item });
    }
}

/// The end that counts.
fn closing<'r>(reader: &'r Reader<'_>) -> Option<&'r DecisionClosed> {
    let ends = reader.events().filter_map(|(told, event)| match &event.body {
        Body::DecisionClosed(body) => Some((told.step.place, &**body)),
        _ => None,
    });
    ends.max_by_key(|(place, _)| *place).map(|(_, body)| body)
}

/// Events that are named as causes and are not here.
fn causes(reader: &Reader<'_>, told: &Told<'_>, event: &Event, missing: &mut Vec<MissingItem>) {
    let named =
        event.after.iter().map(|id| ("after", id)).chain(event.parent.iter().map(|id| ("parent", id)));
    for (member, id) in named.filter(|(_, id)| reader.number(**id).is_none()) {
        let why = format!("the event {id} that it names is not a step of this decision");
        missing.push(item(told, &format!("{}.{member}", event.body.kind_text()), &why));
    }
}

/// Bytes that were seen and not recorded.
fn dropped(told: &Told<'_>, event: &Event, missing: &mut Vec<MissingItem>) {
    if let Some(capture) = event.capture.as_ref().filter(|capture| capture.bytes_dropped > Count(0)) {
        let why = format!("{} bytes were seen and not recorded", capture.bytes_dropped);
        let field = format!("{}.capture.bytes_dropped", event.body.kind_text());
        missing.push(MissingItem { explained: true, ..item(told, &field, &why) });
    }
}

/// Names of the model that are absent, with the reason that the record gives.
fn names(told: &Told<'_>, body: &Inference, missing: &mut Vec<MissingItem>) {
    for (field, why) in body.model.absent.as_ref().map(whys).unwrap_or_default() {
        let meaning = inferlog_record::body::AbsentReason::TEXTS
            .iter()
            .zip(inferlog_record::body::AbsentReason::MEANINGS)
            .find(|(text, _)| **text == why)
            .map_or("", |(_, meaning)| meaning.trim().trim_end_matches('.'));
        let why = format!("{why}: {}", crate::story::lower(meaning));
        let item = item(told, &format!("inference.model.{field}"), &why);
        missing.push(MissingItem { explained: true, ..item });
    }
}

/// Tools that a model asked for.
fn asked_for_tools(reader: &Reader<'_>, missing: &mut Vec<MissingItem>) {
    let has_calls = reader.steps.iter().any(|told| told.step.kind == Kind::ToolCall.as_str());
    let asked = reader.events().find(|(_, event)| {
        matches!(&event.body, Body::Inference(body)
            if body.finish_reason == Some(inferlog_record::body::FinishReason::ToolCalls))
    });
    if let Some((told, _)) = asked.filter(|_| !has_calls) {
        let why = "the model asked for tools, and no call of one is recorded: the application did not attach it, or did not call";
        let item = item(told, Kind::ToolCall.as_str(), why);
        missing.push(MissingItem {
            serves: Kind::ToolCall.serves().to_owned(),
            level: Level::Recommended.letter(),
            ..item
        });
    }
}

/// What the user was shown, where the application is known to have changed the model's answer.
fn output(reader: &Reader<'_>, missing: &mut Vec<MissingItem>) {
    let mut has_final = false;
    let mut changed = None;
    for (told, event) in reader.events() {
        let has = |role: Role| event.payloads.iter().any(|reference| reference.role == role);
        has_final |= has(Role::OutputFinal) || told.one(Role::OutputFinal).is_some();
        match &event.body {
            Body::Transform(body) if body.stage == Some(Stage::Post) => {
                changed.get_or_insert((told, format!("the step {} came after the model", body.name)));
            }
            Body::Output(body) if body.identical.raw_processed == Tri::False => {
                changed.get_or_insert((told, "the processed answer is not the model's".to_owned()));
            }
            _ => {}
        }
    }
    if let Some((told, why)) = changed.filter(|_| !has_final) {
        let why = format!("{why}, and nothing says what the user was shown");
        missing.push(item(told, "output.payloads[output.final]", &why));
    }
}

/// What the record names and the registry does not hold.
fn registry(evidence: &Evidence<'_>, missing: &mut Vec<MissingItem>) {
    let why = |what: &str, sha256: &str| match evidence.registry {
        true => format!("{what} is named, and the registry holds nothing with the SHA-256 {sha256}"),
        false => format!("{what} is named, and the registry cannot be read"),
    };
    let named = |name: &Option<String>, version: &Option<String>| {
        format!("{} version {}", name.as_deref().unwrap_or("?"), version.as_deref().unwrap_or("?"))
    };
    let steps = &evidence.reader.steps;
    let told = |steps_of: &[usize]| steps.get(steps_of.first()?.checked_sub(1)?);
    for prompt in evidence.prompts.iter().filter(|prompt| prompt.text.is_none()) {
        let (Some(sha256), Some(told)) = (&prompt.sha256, told(&prompt.steps)) else { continue };
        let what = format!("the prompt {}", named(&prompt.name, &prompt.version));
        missing.push(item(told, "inference.prompts", &why(&what, sha256)));
    }
    for tools in evidence.toolsets.iter().filter(|tools| tools.json.is_none()) {
        let Some(told) = told(&tools.steps) else { continue };
        let what = format!("the tool set {} version {}", tools.name, tools.version);
        missing.push(item(told, "inference.toolsets", &why(&what, &tools.sha256)));
    }
}

/// An unexplained absence of a step, with the level and provision of the record's tables.
fn item(told: &Told<'_>, field: &str, why: &str) -> MissingItem {
    let (level, serves) = row(field).unwrap_or((Level::Required, told.step.serves));
    MissingItem {
        step: Some(told.step.order),
        place: Some(told.step.place),
        field: field.to_owned(),
        why: why.to_owned(),
        explained: false,
        serves: serves.to_owned(),
        level: level.letter(),
    }
}

/// An unexplained absence of a whole event.
fn whole(kind: &str, why: &str, serves: &str) -> MissingItem {
    MissingItem {
        step: None,
        place: None,
        field: kind.to_owned(),
        why: why.to_owned(),
        explained: false,
        serves: serves.to_owned(),
        level: Level::Required.letter(),
    }
}

/// What the record's tables say of a field: `inference.model.digest`, `output.payloads[output.final]`, `retrieval.clock`.
fn row(field: &str) -> Option<(Level, &'static str)> {
    let kind = *Kind::ALL
        .iter()
        .find(|kind| field.strip_prefix(kind.as_str()).is_some_and(|rest| rest.starts_with('.')))?;
    let path = field.strip_prefix(kind.as_str())?.strip_prefix('.')?;
    if let Some(role) = path.strip_prefix("payloads[").and_then(|role| role.strip_suffix(']')) {
        let row = kind.payloads().iter().find(|row| row.role.as_str() == role)?;
        return Some((row.level, row.serves));
    }
    let mut names = path.split('.');
    let first = names.next()?;
    let find = |fields: &'static [FieldDoc], name: &str| fields.iter().find(|field| field.name == name);
    let mut found = find(kind.fields(), first).or_else(|| find(Event::FIELDS, first))?;
    for name in names {
        let FieldType::Object { fields, .. } = found.r#type else { return None };
        found = find(fields, name)?;
    }
    Some((found.level, found.serves))
}

#[cfg(test)]
mod tests {
    use inferlog_record::Level;

    use super::row;

    #[test]
    fn the_record_s_tables_give_level_and_provision() {
        for (field, expected) in [
            ("inference.model.digest", Some((Level::Required, "12(2)(a)"))),
            ("output.payloads[output.final]", Some((Level::Required, "12(2)(a), 14(4)(c), 86"))),
            ("decision.closed.outcome", Some((Level::Required, "12(1)"))),
            ("decision.opened.clock", Some((Level::Required, "profile"))),
            ("retrieval.capture.bytes_dropped", Some((Level::Required, "12(2)"))),
            ("inference.nothing", None),
        ] {
            assert_eq!(row(field), expected, "{field}");
        }
    }
}
