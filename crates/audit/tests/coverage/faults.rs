//! Every fault that coverage looks for, and what is like it and no fault.

use std::collections::BTreeMap;

use inferlog_audit::coverage::{Preset, Profile, Rule, Usage, UsageCounts};
use inferlog_record::body::{
    AbsentReason, BiometricMatch, Body, Clock, Exemption, FinishReason, Gap, GapReason, Human, HumanAction,
    Identical, LastEnd, MatchResult, ModelIdentity, Outcome, Output, Prompt, PromptRole, RecorderStarted,
    RecorderStopped, StepOutcome, StopReason, ToolCall, Tri,
};
use inferlog_record::{
    Completeness, Count, Digest, Event, NodeId, PayloadRole as Role, Pseudonym, Purpose, Tally, Timestamp,
    Why,
};

use crate::bench::Bench;
use crate::world::{DAY_NS, name};

/// A rule, what breaks it, the ids of the findings, and what keeps to it.
pub struct Fault {
    pub rule: Rule,
    pub broken: fn(&mut Bench),
    /// `DAY` stands for the UTC day of the fault.
    pub finds: &'static str,
    pub kept: fn(&mut Bench),
}

pub const FAULTS: &[Fault] = &[
    Fault {
        rule: Rule::Gap,
        broken: |bench| gap(bench, Tally::Known(3)),
        finds: "gap/overloaded/score/DAY",
        kept: |_| {},
    },
    Fault {
        rule: Rule::NeverClosed,
        broken: |bench| {
            let mut draft = bench.draft();
            draft.closed = None;
            bench.write(draft);
        },
        finds: "never-closed/score",
        kept: |bench| {
            // Closed after another's request.
            let mut draft = bench.draft();
            let end = draft.closed.take().unwrap();
            let decision = bench.write(draft);
            bench.clean();
            bench.events(decision, vec![end]);
        },
    },
    Fault {
        rule: Rule::Interrupted,
        broken: |bench| {
            let mut draft = bench.draft();
            draft.steps.clear();
            ends(&mut draft.closed, Outcome::Interrupted);
            bench.write(draft);
        },
        finds: "interrupted/score",
        kept: |bench| {
            let mut draft = bench.draft();
            ends(&mut draft.closed, Outcome::Aborted);
            bench.write(draft);
        },
    },
    Fault {
        rule: Rule::NoInference,
        broken: |bench| {
            let mut draft = bench.draft();
            draft.steps.clear();
            bench.write(draft);
        },
        finds: "no-inference/score",
        kept: |bench| {
            // Attached a minute after the answer.
            let mut draft = bench.draft();
            let late = std::mem::take(&mut draft.steps);
            let decision = bench.write(draft);
            bench.minutes(1);
            bench.events(decision, late);
        },
    },
    Fault {
        rule: Rule::NoOutput,
        broken: |bench| {
            let mut draft = bench.draft();
            drop_role(&mut draft.steps[0], Role::OutputRaw);
            bench.write(draft);
        },
        finds: "no-output/credit",
        kept: |bench| {
            let mut draft = bench.draft();
            drop_role(&mut draft.steps[0], Role::OutputRaw);
            let order = bench.world.id();
            let gone = inferlog_record::Reference::erased(bench.world.id(), Role::OutputRaw, order);
            draft.steps[0].payloads.push(gone);
            bench.write(draft);
        },
    },
    Fault {
        rule: Rule::ModelAlias,
        broken: |bench| {
            bench.calling(|call| {
                call.model.identity = ModelIdentity::Alias;
                call.model.returned = Some(name("credit-latest"));
            });
        },
        finds: "model-alias/credit-latest",
        kept: |bench| {
            bench.calling(|call| call.model.returned = Some(name("credit-3")));
        },
    },
    Fault {
        rule: Rule::ModelUnknown,
        broken: |bench| {
            bench.calling(|call| {
                let model = &mut call.model;
                (model.identity, model.requested, model.returned) = (ModelIdentity::Unknown, None, None);
                let absent = model.absent.get_or_insert_default();
                absent.requested = Some(AbsentReason::NotAsked);
                absent.returned = Some(AbsentReason::NotAnswered);
            });
        },
        finds: "model-unknown/-",
        kept: |_| {},
    },
    Fault {
        rule: Rule::ModelVersion,
        broken: |bench| {
            bench.calling(|call| {
                (call.model.version, call.model.digest) = (None, None);
                let absent = call.model.absent.get_or_insert_default();
                absent.version = Some(AbsentReason::NotOnWire);
                absent.digest = Some(AbsentReason::NotRegistered);
            });
        },
        finds: "model-version/credit",
        kept: |bench| {
            bench.calling(|call| {
                call.model.version = None;
                call.model.absent.get_or_insert_default().version = Some(AbsentReason::NotOnWire);
            });
        },
    },
    Fault {
        rule: Rule::PromptUnregistered,
        broken: |bench| prompt(bench, PromptRole::System),
        finds: "prompt-unregistered/system",
        kept: |bench| prompt(bench, PromptRole::User),
    },
    Fault {
        rule: Rule::ToolResult,
        broken: |bench| tool(bench, |bench| bench.not_captured(Role::ToolResult, Why::NotProvided)),
        finds: "tool-result/bureau",
        kept: |bench| tool(bench, |bench| bench.sealed(Role::ToolResult)),
    },
    Fault {
        rule: Rule::ToolCall,
        broken: |bench| {
            bench.calling(|call| call.finish_reason = Some(FinishReason::ToolCalls));
        },
        finds: "tool-call/score",
        kept: |bench| {
            // The result came with a later request.
            let decision = bench.calling(|call| call.finish_reason = Some(FinishReason::ToolCalls));
            bench.minutes(2);
            let call = tool_call(bench, |bench| bench.sealed(Role::ToolResult));
            bench.events(decision, vec![call]);
        },
    },
    Fault {
        rule: Rule::OutputUnknown,
        broken: |bench| output(bench, Tri::Unknown),
        finds: "output-unknown/raw-processed",
        kept: |bench| output(bench, Tri::False),
    },
    Fault {
        rule: Rule::NoSubject,
        broken: |bench| nobody(bench, 1),
        finds: "no-subject/loans",
        // A route where nobody is named as a rule names nobody.
        kept: |bench| nobody(bench, 30),
    },
    Fault {
        rule: Rule::Field,
        broken: |bench| {
            let mut draft = bench.draft();
            drop_role(&mut draft.steps[0], Role::ParamsRequested);
            bench.write(draft);
        },
        finds: "field/inference.payloads.params.requested",
        kept: |bench| {
            let mut draft = bench.draft();
            drop_role(&mut draft.steps[0], Role::ParamsRequested);
            let why = bench.not_captured(Role::ParamsRequested, Why::NotVisible);
            draft.steps[0].payloads.push(why);
            bench.write(draft);
        },
    },
    Fault {
        rule: Rule::BytesDropped,
        broken: |bench| {
            let mut draft = bench.draft();
            let capture = draft.steps[0].capture.as_mut().unwrap();
            (capture.bytes_dropped, capture.completeness) = (Count(70_000), Completeness::Partial);
            bench.write(draft);
        },
        finds: "bytes-dropped/openai_chat",
        kept: |_| {},
    },
    Fault {
        rule: Rule::UncleanEnd,
        broken: |bench| started(bench, LastEnd::Unclean),
        finds: "unclean-end/DAY",
        kept: |bench| started(bench, LastEnd::Clean),
    },
    Fault {
        rule: Rule::RecorderFailed,
        broken: |bench| {
            stopped(bench, StopReason::Failed);
            started(bench, LastEnd::Clean);
        },
        finds: "recorder-failed/DAY",
        kept: |bench| {
            stopped(bench, StopReason::Requested);
            started(bench, LastEnd::Clean);
        },
    },
    Fault {
        rule: Rule::ClockUnsynchronised,
        broken: |bench| clock(bench, false),
        finds: "clock-unsynchronised/chrony",
        kept: |bench| clock(bench, true),
    },
    Fault {
        rule: Rule::SilentHours,
        broken: |bench| bench.hours(5 * 24, |hour| if hour == 77 { 0 } else { 20 }),
        finds: "silent-hours/2026-11-24T05",
        kept: |bench| bench.hours(5 * 24, |_| 20),
    },
    Fault {
        rule: Rule::NoIntervention,
        broken: |bench| {
            reviewing(bench);
            reviewed(bench, false);
        },
        finds: "no-intervention/reviewed",
        kept: |bench| {
            reviewing(bench);
            reviewed(bench, true);
        },
    },
    Fault {
        rule: Rule::NoSession,
        broken: |bench| {
            reviewing(bench);
            let mut draft = bench.draft_on("reviewed");
            let approved = approve(bench);
            draft.steps.push(approved);
            for event in [&mut draft.opened].into_iter().chain(&mut draft.steps).chain(&mut draft.closed) {
                event.session = None;
            }
            bench.write(draft);
        },
        finds: "no-session/reviewed",
        kept: |bench| {
            reviewing(bench);
            reviewed(bench, true);
        },
    },
    Fault {
        rule: Rule::SessionStart,
        broken: |bench| session(bench, false, true),
        finds: "session-start",
        kept: |bench| session(bench, true, true),
    },
    Fault {
        rule: Rule::SessionEnd,
        broken: |bench| session(bench, true, false),
        finds: "session-end",
        kept: |bench| session(bench, true, true),
    },
    Fault {
        rule: Rule::BiometricDatabase,
        broken: |bench| matched(bench, |body| body.database_digest = None),
        finds: "biometric-database/watchlist",
        kept: |bench| matched(bench, |_| {}),
    },
    Fault {
        rule: Rule::BiometricInput,
        broken: |bench| match_with(bench, false, |_| {}),
        finds: "biometric-input/watchlist",
        kept: |bench| match_with(bench, false, |body| body.result = MatchResult::NoMatch),
    },
    Fault {
        rule: Rule::BiometricVerifiers,
        broken: |bench| matched(bench, |body| body.verifiers = Vec::new().into()),
        finds: "biometric-verifiers/watchlist",
        kept: |bench| {
            matched(bench, |body| {
                (body.verifiers, body.result) = (Vec::new().into(), MatchResult::Inconclusive);
            });
        },
    },
    Fault {
        rule: Rule::BiometricTwo,
        // The same person twice is one.
        broken: |bench| {
            matched(bench, |body| {
                body.verifiers = vec![Pseudonym::new([5; 16]), Pseudonym::new([5; 16])].into()
            });
        },
        finds: "biometric-two-verifiers/watchlist",
        kept: |bench| {
            matched(bench, |body| {
                body.verifiers = vec![Pseudonym::new([5; 16])].into();
                body.exemption = Some(Exemption::BorderControl);
            });
        },
    },
    Fault {
        rule: Rule::UsageMore,
        broken: |bench| usage(bench, 12),
        finds: "usage-more/requests/DAY/gpt-4o-2024-08-06",
        kept: |bench| usage(bench, 10),
    },
    Fault {
        rule: Rule::UsageLess,
        broken: |bench| usage(bench, 9),
        finds: "usage-less/requests/DAY/gpt-4o-2024-08-06",
        kept: |bench| usage(bench, 10),
    },
];

fn gap(bench: &mut Bench, count: Tally) {
    let (from, to) = (Timestamp(bench.world.now_ns), Timestamp(bench.world.now_ns + 1_000));
    bench.life(Gap { count, from, route: Some(name("score")), to, why: GapReason::Overloaded });
}

fn ends(closed: &mut Option<Event>, outcome: Outcome) {
    if let Some(Body::DecisionClosed(body)) = closed.as_mut().map(|event| &mut event.body) {
        body.outcome = outcome;
    }
}

fn drop_role(event: &mut Event, role: Role) {
    event.payloads.retain(|reference| reference.role != role);
}

fn prompt(bench: &mut Bench, role: PromptRole) {
    let mut draft = bench.draft();
    let reference = bench.sealed(Role::Prompt);
    if let Body::Inference(body) = &mut draft.steps[0].body {
        let payload = Some(reference.payload);
        body.prompts = vec![Prompt { name: None, payload, role, sha256: None, version: None }].into();
    }
    draft.steps[0].payloads.push(reference);
    bench.write(draft);
}

type Give = fn(&mut Bench) -> inferlog_record::Reference;

fn tool_call(bench: &mut Bench, result: Give) -> Event {
    let body = ToolCall {
        attempt: Some(1),
        error: None,
        latency_ns: None,
        name: name("bureau"),
        outcome: StepOutcome::Ok,
        version: None,
    };
    let mut call = bench.step(body, &[], &[Role::ToolArguments]);
    let result = result(bench);
    call.payloads.push(result);
    call
}

fn tool(bench: &mut Bench, result: Give) {
    let mut draft = bench.draft();
    let call = tool_call(bench, result);
    draft.steps.push(call);
    bench.write(draft);
}

fn output(bench: &mut Bench, raw_processed: Tri) {
    let mut draft = bench.draft();
    let body = Output { identical: Identical { raw_processed, processed_final: Tri::True } };
    let shown = bench.step(body, &[draft.steps[0].id], &[Role::OutputProcessed, Role::OutputFinal]);
    draft.steps.push(shown);
    bench.write(draft);
}

/// Decisions of a route about somebody, and so many about nobody.
fn nobody(bench: &mut Bench, without: usize) {
    for number in 0..12 + without {
        let mut draft = bench.draft_on("loans");
        if number >= 12 {
            for event in [&mut draft.opened].into_iter().chain(&mut draft.steps).chain(&mut draft.closed) {
                event.subjects = Vec::new().into();
            }
        }
        bench.write(draft);
    }
}

pub fn started(bench: &mut Bench, last_end: LastEnd) {
    let body = RecorderStarted {
        build: name("inferlog-0.1.0"),
        configuration: Digest([1; 32]),
        last_end,
        node: NodeId([1; 16]),
        shard: name("0"),
    };
    let mut event = bench.world.event(crate::bench::SYSTEM, body);
    event.role = Some(inferlog_record::Role::Provider);
    event.purposes = vec![Purpose::A].into();
    bench.life_event(event);
}

pub fn stopped(bench: &mut Bench, reason: StopReason) {
    bench.life(RecorderStopped { node: NodeId([1; 16]), reason, shard: name("0") });
}

fn clock(bench: &mut Bench, synchronised: bool) {
    bench.life(Clock {
        max_error_ns: Some(Count(1_000)),
        offset_ns: None,
        source: name("chrony"),
        synchronised,
    });
}

/// Biometric identification, whose decisions on one route a person looks at.
fn reviewing(bench: &mut Bench) {
    bench.profile = Profile {
        profile: Preset::Biometric,
        interventions: Some(1.0),
        routes: vec!["reviewed".into()],
        ..Profile::default()
    };
}

fn approve(bench: &mut Bench) -> Event {
    let reviewer = Some(Pseudonym::new([8; 16]));
    bench.step(Human { about: None, action: HumanAction::Approve, reviewer }, &[], &[Role::HumanReason])
}

fn reviewed(bench: &mut Bench, is_reviewed: bool) {
    bench.begin_session(true);
    let draft = bench.draft_on("reviewed");
    let decision = bench.write(draft);
    bench.minutes(5);
    if is_reviewed {
        let approved = approve(bench);
        bench.events(decision, vec![approved]);
    }
    bench.end_session(true);
}

fn session(bench: &mut Bench, begins: bool, ends: bool) {
    reviewing(bench);
    bench.begin_session(begins);
    bench.clean();
    bench.end_session(ends);
}

fn matched(bench: &mut Bench, change: impl FnOnce(&mut BiometricMatch)) {
    match_with(bench, true, change);
}

fn match_with(bench: &mut Bench, has_input: bool, change: impl FnOnce(&mut BiometricMatch)) {
    let mut body = BiometricMatch {
        database: name("watchlist"),
        database_digest: Some(Digest([4; 32])),
        database_version: Some(name("2026-11")),
        exemption: None,
        result: MatchResult::Match,
        score_millionths: None,
        verifiers: vec![Pseudonym::new([5; 16]), Pseudonym::new([6; 16])].into(),
    };
    change(&mut body);
    let mut draft = bench.draft();
    let step = bench.step(body, &[], if has_input { &[Role::BiometricInput] } else { &[] });
    draft.steps.push(step);
    bench.write(draft);
}

/// Ten calls today, and what the provider counted.
fn usage(bench: &mut Bench, requests: u64) {
    for _ in 0..10 {
        bench.calling(|call| call.model.returned = Some(name("gpt-4o-2024-08-06")));
    }
    let counts = UsageCounts { requests: Some(requests), ..UsageCounts::default() };
    let usage = bench.options.usage.get_or_insert(Usage { rows: BTreeMap::new(), tolerance: 0.0 });
    usage.rows.insert((bench.world.now_ns / DAY_NS, "gpt-4o-2024-08-06".into()), counts);
}
