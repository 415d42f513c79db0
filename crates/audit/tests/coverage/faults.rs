//! Every fault that coverage looks for, and what is like it and no fault.

use inferlog_audit::coverage::Rule;
use inferlog_record::body::{
    AbsentReason, Aspect, Basis, Body, ErrorCode, Exemption, FinishReason, HoldReleased, LastEnd,
    MatchResult, ModelIdentity, Outcome, PromptRole, StepOutcome, StopReason, Tri,
};
use inferlog_record::{Completeness, Count, PayloadRole as Role, Pseudonym, Tally, Timestamp, Why};

use crate::bench::Bench;
use crate::plant::*;
use crate::world::name;

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
        // A gap from before what is judged.
        kept: |bench| {
            gap(bench, Tally::Known(3));
            bench.options.since = Some(Timestamp(bench.world.now_ns));
            bench.clean();
        },
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
        kept: |bench| {
            // No model answered.
            let mut draft = bench.draft();
            if let Body::Inference(call) = &mut draft.steps[0].body {
                (call.outcome, call.error) = (StepOutcome::Failed, Some(ErrorCode::BadRequest));
                call.model.identity = ModelIdentity::Unknown;
            }
            draft.steps[0].payloads.push(bench.sealed(Role::Error));
            bench.write(draft);
        },
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
        kept: |bench| {
            let mut draft = bench.draft();
            draft.steps[0].capture.as_mut().unwrap().completeness = Completeness::Partial;
            bench.write(draft);
        },
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
        rule: Rule::ErasureOpen,
        broken: |bench| {
            erasure(bench, 8);
        },
        finds: "erasure-open/request",
        kept: |bench| {
            erasure(bench, 2);
            let intent = erasure(bench, 8);
            completed(bench, intent);
        },
    },
    Fault {
        rule: Rule::PastCeiling,
        broken: |bench| {
            packed(bench, 1);
        },
        finds: "past-ceiling/default",
        kept: frozen,
    },
    Fault {
        rule: Rule::HoldLong,
        broken: |bench| {
            hold(bench, 200);
        },
        finds: "hold-long/authority_order",
        kept: |bench| {
            hold(bench, 150);
            let hold = hold(bench, 200);
            bench.life(HoldReleased { basis: Basis::Internal, by: None, hold });
        },
    },
    Fault {
        rule: Rule::IncidentOverdue,
        broken: |bench| {
            incident(bench, 16, None);
        },
        finds: "incident-overdue/health_harm",
        kept: |bench| {
            incident(bench, 5, None);
            let told = incident(bench, 16, None);
            incident(bench, 16, Some(told));
        },
    },
    Fault {
        rule: Rule::PolicyChanged,
        broken: |bench| changed(bench, Aspect::Policy),
        finds: "policy-changed/credit/2",
        kept: |bench| changed(bench, Aspect::Build),
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
