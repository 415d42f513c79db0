//! The steps of a decision: model calls, retrievals, tools.

use inferlog_record::body::{
    AbsentReason, DecisionJoined, Document, ErrorCode, FinishReason, Inference, Method, Model, ModelAbsent,
    Prompt, PromptRole, Reasoning, ReasoningForm, Retrieval, Stage, StepOutcome, ToolCall, Toolset,
    Transform, Usage,
};
use inferlog_record::{Count, Event, Id, Millionths, PayloadRole};

use super::decision::Plan;
use super::make::{Maker, NS_PER_MS, NS_PER_SECOND, Write, name};
use super::systems::{CREDIT, INDEXES, ROUTES, TOOLS, TRIAGE};

/// One model call.
pub(super) struct Call {
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) outcome: StepOutcome,
    pub(super) error: Option<ErrorCode>,
    /// Whether the model asks for tools.
    pub(super) tools: bool,
}

/// One agentic decision in so many has retrievals that are too wide for one entry.
const WIDE: u64 = 500;
const WIDE_DOCUMENTS: u32 = 256;

/// The event of a model call.
pub(super) fn inference(plan: &Plan, maker: &mut Maker, call: &Call) -> Event {
    let is_language = plan.system != CREDIT;
    let answered = matches!(call.outcome, StepOutcome::Ok | StepOutcome::Refused);
    let finish = match call.outcome {
        StepOutcome::Ok if call.tools => FinishReason::ToolCalls,
        StepOutcome::Ok if maker.chance(20) => FinishReason::Length,
        StepOutcome::Ok => FinishReason::Stop,
        StepOutcome::Refused => FinishReason::Refusal,
        StepOutcome::Failed => FinishReason::Error,
        StepOutcome::Aborted => FinishReason::Cancelled,
    };
    let body = Inference {
        choices: None,
        error: call.error.filter(|_| call.outcome == StepOutcome::Failed),
        finish_reason: is_language.then_some(finish),
        model: model(plan, answered),
        outcome: call.outcome,
        prompts: prompts(plan, maker).into(),
        status: answered.then_some(200),
        stream: is_language.then(|| maker.chance(500)),
        time_to_first_byte_ns: answered.then_some(Count((call.ended - call.began) / 3)),
        toolsets: toolsets(call).into(),
        usage: (is_language && answered).then(|| usage(maker)),
        wire: Some(ROUTES[plan.system].1),
    };
    let mut event = maker.step(plan.system, call.began, call.ended, body);
    event.after = vec![plan.opened].into();
    // The model was sent what had come.
    event.payloads.extend(plan.input.map(|input| input.again(PayloadRole::InputAssembled, plan.opened)));
    maker.refer(&mut event, &[PayloadRole::ParamsRequested]);
    let outcome = match call.outcome {
        StepOutcome::Ok | StepOutcome::Refused => &[PayloadRole::OutputRaw][..],
        StepOutcome::Failed => &[PayloadRole::Error],
        StepOutcome::Aborted => &[],
    };
    maker.refer(&mut event, outcome);
    event
}

fn model(plan: &Plan, answered: bool) -> Model {
    let absent = ModelAbsent {
        deployment: Some(AbsentReason::NotConfigured),
        digest: Some(AbsentReason::NotRegistered),
        fingerprint: Some(AbsentReason::NotOnWire),
        returned: (!answered).then_some(AbsentReason::NoAnswer),
        version: (!answered).then_some(AbsentReason::NoAnswer),
        ..ModelAbsent::default()
    };
    Model {
        absent: Some(absent),
        deployment: None,
        digest: None,
        fingerprint: None,
        identity: plan.model.identity,
        requested: Some(name(plan.model.name)),
        returned: answered.then(|| name(plan.model.name)),
        version: answered.then(|| name(plan.version)),
    }
}

fn usage(maker: &mut Maker) -> Usage {
    let input = 50 + maker.exponential(900);
    let output = 1 + maker.exponential(250);
    let cached = maker.chance(300).then_some(Count(input / 2));
    let reasoning = maker.chance(150).then_some(Count(output / 3));
    Usage { cached, input: Some(Count(input)), output: Some(Count(output)), reasoning }
}

fn prompts(plan: &Plan, maker: &mut Maker) -> Vec<Prompt> {
    if plan.system != TRIAGE {
        return Vec::new();
    }
    let version = if maker.chance(700) { "2" } else { "1" };
    vec![Prompt {
        name: Some(name("triage-system")),
        payload: None,
        role: PromptRole::System,
        sha256: Some([version.as_bytes()[0]; 32].into()),
        version: Some(name(version)),
    }]
}

fn toolsets(call: &Call) -> Vec<Toolset> {
    let toolset = || Toolset { name: name("assist-tools"), sha256: [7; 32].into(), version: name("3") };
    call.tools.then(toolset).into_iter().collect()
}

/// The middle of an agentic decision: it searches, asks for tools, and uses them. Moves `at` to when it is done.
pub(super) fn work(plan: &Plan, maker: &mut Maker, number: u64, at: &mut u64, writes: &mut Vec<Write>) {
    for _ in 0..1 + maker.rng.u32(0..2) {
        let documents = if number.is_multiple_of(WIDE) { WIDE_DOCUMENTS } else { maker.rng.u32(0..6) };
        let found = retrieval(plan, maker, at, documents);
        writes.push(plan.write(*at, vec![found]));
    }
    let ended = *at + maker.exponential(2 * NS_PER_SECOND) + NS_PER_MS;
    let call = Call { began: *at, ended, outcome: StepOutcome::Ok, error: None, tools: true };
    *at = ended;
    let mut asked = vec![inference(plan, maker, &call)];
    if maker.chance(400) {
        let mut thought =
            maker.step(plan.system, call.began, ended, Reasoning { form: ReasoningForm::Summary });
        maker.refer(&mut thought, &[PayloadRole::Reasoning]);
        asked.push(thought);
    }
    let asking = asked[0].id;
    writes.push(plan.write(ended, asked));
    for _ in 0..1 + maker.rng.u32(0..3) {
        tool(plan, maker, asking, at, writes);
    }
    let joined = joined(plan, maker, *at);
    writes.push(plan.write(*at, vec![joined]));
    if maker.chance(300) {
        let filtered = transform(plan, maker, at);
        writes.push(plan.write(*at, vec![filtered]));
    }
}

fn retrieval(plan: &Plan, maker: &mut Maker, at: &mut u64, documents: u32) -> Event {
    let began = *at;
    *at += NS_PER_MS + maker.exponential(60 * NS_PER_MS);
    let references: Vec<_> =
        (0..documents).map(|_| maker.reference(*at, PayloadRole::RetrievalDocument)).collect();
    let found = (1..).zip(&references).map(|(rank, reference)| Document {
        payload: reference.payload,
        rank,
        score_millionths: Some(Millionths(1_000_000 / i64::from(rank))),
    });
    let index = maker.pick(&INDEXES, INDEXES[0]);
    let body = Retrieval {
        documents: found.collect::<Vec<_>>().into(),
        error: None,
        index: Some(name(index)),
        index_digest: None,
        index_version: Some(name("2026-02")),
        outcome: StepOutcome::Ok,
        source: Some(name("intranet")),
        total: Some(Count(documents.into())),
    };
    let mut event = maker.step(plan.system, began, *at, body);
    event.after = vec![plan.opened].into();
    maker.refer(&mut event, &[PayloadRole::RetrievalQuery]);
    event.payloads.extend(references);
    event
}

/// A call of a tool, which may fail and be tried again; and may be told twice.
fn tool(plan: &Plan, maker: &mut Maker, asking: Id, at: &mut u64, writes: &mut Vec<Write>) {
    let tool = maker.pick(&TOOLS, TOOLS[0]);
    for attempt in 1..=2 {
        let failed = attempt == 1 && maker.chance(120);
        let began = *at;
        *at += NS_PER_MS + maker.exponential(300 * NS_PER_MS);
        let body = ToolCall {
            attempt: Some(attempt),
            error: failed.then_some(ErrorCode::Unavailable),
            latency_ns: Some(Count(*at - began)),
            name: name(tool),
            outcome: if failed { StepOutcome::Failed } else { StepOutcome::Ok },
            version: Some(name("3")),
        };
        let mut event = maker.step(plan.system, began, *at, body);
        event.after = vec![asking].into();
        let result = if failed { PayloadRole::Error } else { PayloadRole::ToolResult };
        maker.refer(&mut event, &[PayloadRole::ToolArguments, result]);
        writes.push(plan.write(*at, vec![event]));
        if maker.chance(20) {
            let again = writes.last().map(|write| plan.again(write, *at + 20 * NS_PER_MS));
            writes.extend(again);
        }
        if !failed {
            break;
        }
    }
}

fn joined(plan: &Plan, maker: &mut Maker, at: u64) -> Event {
    let (route, wire) = ROUTES[plan.system];
    let body = DecisionJoined { method: Some(Method::Post), route: Some(name(route)), wire: Some(wire) };
    let mut event = maker.step(plan.system, at, at, body);
    event.ended_at = None;
    maker.refer(&mut event, &[PayloadRole::InputRaw]);
    event
}

fn transform(plan: &Plan, maker: &mut Maker, at: &mut u64) -> Event {
    let began = *at;
    *at += maker.exponential(5 * NS_PER_MS);
    let body = Transform {
        error: None,
        name: name("pii-filter"),
        outcome: StepOutcome::Ok,
        stage: Some(Stage::Post),
        version: Some(name("1.4")),
    };
    let mut event = maker.step(plan.system, began, *at, body);
    maker.refer(&mut event, &[PayloadRole::TransformIn, PayloadRole::TransformOut]);
    event
}
