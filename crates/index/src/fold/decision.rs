//! A decision's row, merged with one event after another. What counts does not depend on where batches are cut.

use inferlog_record::{Id, Kind};

use super::body::{
    self, Closed, Context, Human, Inference, Name, Named, Opened, Retrieval, count, is, owned,
};
use super::parse::EventJson;
use crate::rows::{COUNTERS, Counters, DecisionRow, EventNo, Facet};

/// What people do that sets an answer aside, or changes it.
const OVERRIDES: [&str; 5] = ["override", "modify", "reverse", "disregard", "reject"];

/// The place of a counter.
const fn at(name: &str) -> usize {
    let mut at = 0;
    while at < COUNTERS.len() {
        if same(COUNTERS[at].as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    // Out of bounds: a name that is no counter does not compile, for it is used in constants alone.
    usize::MAX
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

macro_rules! add {
    ($row:expr, $name:literal, $by:expr) => {{
        const AT: usize = at($name);
        $row.counters.0[AT] = $row.counters.0[AT].saturating_add($by);
    }};
}

/// A decision of which nothing was seen before this event.
pub(super) fn begin(no: EventNo, id: Id, event: &EventJson<'_>) -> DecisionRow {
    DecisionRow {
        no,
        id,
        facet: Facet { system: event.system.to_string(), ..Facet::default() },
        session: None,
        started_ns: event.logged_ns,
        ended_ns: None,
        time_to_first_byte_ns: None,
        counters: Counters::default(),
        opened_no: 0,
        model_no: 0,
        closed_no: 0,
        last_no: 0,
    }
}

/// References of an event, or of the rest of one.
pub(super) fn merge_payloads(row: &mut DecisionRow, event: &EventJson<'_>) {
    let absent = event.payloads.iter().filter(|reference| reference.state.0 != "present").count();
    add!(row, "payloads", event.payloads.len() as i64);
    add!(row, "payloads_absent", absent as i64);
}

/// Merges an event that was not there before. Names for `decision_term` go to `term`.
pub(super) fn merge<'a>(
    row: &mut DecisionRow,
    no: EventNo,
    event: &EventJson<'a>,
    term: &mut dyn FnMut(&'static str, &str),
) {
    add!(row, "events", 1);
    merge_payloads(row, event);
    row.last_no = row.last_no.max(no.0);
    row.session = row.session.or(event.session);
    if row.opened_no == 0 {
        row.started_ns = row.started_ns.min(event.logged_ns);
    }
    let mut name = |aspect, name: &Name<'_>| {
        if let Some(name) = name {
            term(aspect, &name.0);
        }
    };
    let Ok(kind) = event.kind.parse::<Kind>() else { return };
    match kind {
        Kind::DecisionOpened => opened(row, no, event),
        Kind::DecisionJoined => add!(row, "turns", 1),
        Kind::ContextAdded => {
            let body: Context<'_> = body::read(event.body);
            row.facet.environment = row.facet.environment.take().or_else(|| owned(&body.environment));
        }
        Kind::Inference => {
            let body: Inference<'_> = body::read(event.body);
            inference(row, no, &body);
            body.prompts.iter().for_each(|prompt| name("prompt", &prompt.name));
            body.toolsets.iter().for_each(|toolset| name("tool", &toolset.name));
        }
        Kind::Retrieval => {
            add!(row, "retrievals", 1);
            name("index", &body::read::<Retrieval<'_>>(event.body).index);
        }
        Kind::ToolCall => {
            let body: Named<'_> = body::read(event.body);
            add!(row, "tool_calls", 1);
            add!(row, "tool_calls_failed", i64::from(is(&body.outcome, "failed")));
            name("tool", &body.name);
        }
        Kind::Transform => {
            add!(row, "transforms", 1);
            name("transform", &body::read::<Named<'_>>(event.body).name);
        }
        Kind::Human => {
            let body: Human<'_> = body::read(event.body);
            let is_override = body.action.is_some_and(|action| OVERRIDES.contains(&&*action.0));
            add!(row, "human_actions", 1);
            add!(row, "overrides", i64::from(is_override));
            row.facet.overridden |= is_override;
        }
        Kind::Label => {
            add!(row, "labels", 1);
            name("label", &body::read::<Named<'_>>(event.body).name);
        }
        Kind::DecisionClosed => closed(row, no, event),
        _ => {}
    }
}

/// The opening with the lowest number counts.
fn opened(row: &mut DecisionRow, no: EventNo, event: &EventJson<'_>) {
    add!(row, "turns", 1);
    if row.opened_no != 0 && row.opened_no < no.0 {
        return;
    }
    let body: Opened<'_> = body::read(event.body);
    row.opened_no = no.0;
    row.started_ns = event.started_ns.unwrap_or(event.logged_ns);
    (row.facet.route, row.facet.wire) = (owned(&body.route), owned(&body.wire));
    let environment = body.context.and_then(|context| owned(&context.environment));
    row.facet.environment = environment.or(row.facet.environment.take());
}

/// The end with the highest number counts.
fn closed(row: &mut DecisionRow, no: EventNo, event: &EventJson<'_>) {
    if no.0 < row.closed_no {
        return;
    }
    let body: Closed<'_> = body::read(event.body);
    row.closed_no = no.0;
    (row.facet.outcome, row.facet.error) = (owned(&body.outcome), owned(&body.error));
    row.ended_ns = Some(event.ended_ns.unwrap_or(event.logged_ns));
    row.time_to_first_byte_ns = body.time_to_first_byte_ns.map(|count| body::count(Some(count)));
}

/// The model of the call with the highest number counts; tokens of all calls are summed.
fn inference(row: &mut DecisionRow, no: EventNo, body: &Inference<'_>) {
    add!(row, "model_calls", 1);
    add!(row, "model_calls_failed", i64::from(is(&body.outcome, "failed")));
    add!(row, "tokens_input", count(body.usage.input));
    add!(row, "tokens_output", count(body.usage.output));
    add!(row, "tokens_cached", count(body.usage.cached));
    add!(row, "tokens_reasoning", count(body.usage.reasoning));
    if no.0 < row.model_no {
        return;
    }
    row.model_no = no.0;
    let model = &body.model;
    row.facet.model = owned(&model.returned).or_else(|| owned(&model.requested));
    (row.facet.version, row.facet.identity) = (owned(&model.version), owned(&model.identity));
}
