//! A log with what exports trip over: pairs on several wires, content that is hostile, huge, erased or absent, what came late.
//! Ids, keys and times are the same in every run.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "a test may fail by panicking")]

use std::path::Path;

use inferlog_audit::Openings;
use inferlog_export::{Format, Options, Output, Report, Selection, export};
use inferlog_log::{Flags, Payloads};
use inferlog_record::body::{
    Erasure, ErasurePhase, Human, HumanAction, Inference, Label, LabelOrigin, OrderKind, Outcome, Usage, Wire,
};
use inferlog_record::{
    Count, Event, Id, MediaType, PayloadRole as Role, Pseudonym, Reference, Timestamp, Why,
};

use crate::sealed::{Draft, Sealer};
use crate::world::{DAY_NS, DIR, closed, inference, name, opened};

pub const REQUEST: &str = r#"{"inputs":[{"name":"income","shape":[1],"datatype":"FP64","data":[32000.5]}]}"#;
/// On several lines, with what JSON allows and readers of lines do not.
pub const RESPONSE: &str =
    "{\r\n  \"outputs\": [{\"name\": \"score\", \"data\": [0.42]}],\n  \"text\": \"\\u0000\u{2028}\"\n}";
/// What a spreadsheet would run, what ends lines and fields, and what is no text.
pub const HOSTILE: &str = "=cmd|' /C calc'!A0\",\r\n\u{0}\u{1b}[31m\u{feff}\u{202e}";

pub struct Loans {
    pub sealer: Sealer,
    /// By what is special about them.
    pub named: Vec<(&'static str, Id)>,
}

/// What a decision is made of.
struct Plan {
    what: &'static str,
    wire: Wire,
    request: (MediaType, Vec<u8>),
    response: Result<(MediaType, Vec<u8>), Why>,
    outcome: Option<Outcome>,
}

impl Plan {
    fn pair(what: &'static str) -> Self {
        Self {
            what,
            wire: Wire::OipRest,
            request: (MediaType::Json, REQUEST.into()),
            response: Ok((MediaType::Json, RESPONSE.into())),
            outcome: Some(Outcome::Answered),
        }
    }
}

/// The log after it all.
pub fn loans() -> Loans {
    let mut loans = Loans { sealer: Sealer::new(), named: Vec::new() };
    let plain = loans.decide("Ada", Plan::pair("plain"));
    loans.decide(
        "Mallory",
        Plan {
            request: (MediaType::Text, HOSTILE.into()),
            response: Ok((MediaType::Bytes, vec![0, 255, 13, 10])),
            wire: Wire::OipGrpc,
            ..Plan::pair("hostile")
        },
    );
    let chat = Plan { wire: Wire::OpenaiChat, ..Plan::pair("chat") };
    loans.decide("Ada", chat);
    let absent =
        Plan { response: Err(Why::UpstreamAborted), outcome: Some(Outcome::Failed), ..Plan::pair("absent") };
    loans.decide("Ada", absent);
    let erased = loans.decide("Grace", Plan::pair("erased"));
    loans.decide("Ada", Plan { outcome: None, ..Plan::pair("open") });
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    loans.decide("Ada", Plan { request: (MediaType::Json, deep.into()), ..Plan::pair("deep") });
    let huge = format!("{{\"data\":\"{}\"}}", "x".repeat(3 << 20));
    loans.decide("Ada", Plan { request: (MediaType::Json, huge.into()), ..Plan::pair("huge") });
    loans.sealer.world.tick(21 * DAY_NS);
    loans.judge(plain);
    loans.erase(erased);
    loans.sealer.world.integrate();
    loans
}

impl Loans {
    fn decide(&mut self, person: &str, plan: Plan) -> Draft {
        let sealer = &mut self.sealer;
        let mut draft = sealer.begin(person);
        let mut begun = sealer.world.event("credit", opened("score"));
        let (media_type, bytes) = &plan.request;
        sealer.add(&mut draft, &mut begun, Role::InputRaw, *media_type, bytes);
        let ids = br#"{"traceparent":"00-a-b-01","id":"loan-7"}"#;
        sealer.add(&mut draft, &mut begun, Role::ExternalIds, MediaType::Json, ids);
        let (input, begun_id) = (begun.payloads[0], begun.id);
        sealer.write(&mut draft, vec![begun]);
        sealer.world.tick(1_234_567);
        let usage = Usage { input: Some(Count(12)), output: Some(Count(3)), ..Usage::default() };
        let body = Inference { wire: Some(plan.wire), usage: Some(usage), ..inference() };
        let mut answer = sealer.world.event("credit", body);
        answer.ended_at = Some(Timestamp(sealer.world.now_ns + 42_500_000));
        answer.payloads.push(input.again(Role::InputAssembled, begun_id));
        match &plan.response {
            Ok((media_type, bytes)) => {
                sealer.add(&mut draft, &mut answer, Role::OutputRaw, *media_type, bytes)
            }
            Err(why) => answer.payloads.push(Reference::not_captured(
                sealer.world.id(),
                Role::OutputRaw,
                (*why).into(),
            )),
        }
        // An array index, a number beyond 2^53 and a key that JavaScript loses.
        let params = br#"{"10":1,"9":12345678901234567890,"__proto__":{},"t":0.5}"#;
        sealer.add(&mut draft, &mut answer, Role::ParamsRequested, MediaType::Json, params);
        let mut events = vec![answer];
        if let Some(outcome) = plan.outcome {
            let mut end = sealer.world.event("credit", closed(outcome));
            end.ended_at = Some(Timestamp(sealer.world.now_ns));
            events.push(end);
        }
        sealer.write(&mut draft, events);
        sealer.world.tick(60_000_000_000);
        self.named.push((plan.what, draft.decision));
        draft
    }

    /// Weeks later: what really happened, and a person who decides otherwise. One of the two stands in the log twice.
    fn judge(&mut self, draft: Draft) {
        let mut draft = self.sealer.resume(draft.decision, "Ada");
        let body = Label { about: None, name: name("repaid"), origin: LabelOrigin::GroundTruth };
        let mut label = self.sealer.world.event("credit", body);
        self.sealer.add(&mut draft, &mut label, Role::LabelValue, MediaType::Json, b"true");
        let body =
            Human { about: None, action: HumanAction::Reverse, reviewer: Some(Pseudonym::new([9; 16])) };
        let mut human = self.sealer.world.event("credit", body);
        self.sealer.add(&mut draft, &mut human, Role::HumanAfter, MediaType::Text, HOSTILE.as_bytes());
        self.sealer.write(&mut draft, vec![label.clone()]);
        self.sealer.write(&mut draft, vec![label, human]);
    }

    fn erase(&mut self, draft: Draft) {
        self.sealer.erase(&draft.subject);
        let erasure = Erasure {
            backup_horizon: None,
            by: None,
            certificate: None,
            decisions: Count(1),
            holds: Vec::new().into(),
            intent: None,
            keys: Vec::new().into(),
            order: OrderKind::Request,
            phase: ErasurePhase::Intent,
            refusals: Vec::new().into(),
            resumes: None,
            root_epoch: None,
            stores: Vec::new().into(),
            subjects: vec![draft.subject.pseudonym()].into(),
            until: None,
            withheld: Count(0),
        };
        let event: Event = self.sealer.world.event("credit", erasure);
        let nobody = Pseudonym::new([0; 16]);
        let append =
            self.sealer.world.append(None, vec![event], "default", nobody, Payloads::default(), Flags::NONE);
        self.sealer.world.commit("credit", &[append]);
    }

    pub fn id(&self, what: &str) -> Id {
        self.named.iter().find(|(name, _)| *name == what).unwrap().1
    }

    /// Exports to a path below a temporary directory; gives the report.
    pub fn export(&self, format: Format, selection: Selection, content: bool, to: &Path) -> Report {
        let openings = content.then_some(&self.sealer.vault as &dyn Openings);
        let options = Options { selection, openings, ..Options::new(format) };
        export(&self.sealer.world.fs, Path::new(DIR), &options, Output::Path(to.to_owned())).unwrap()
    }

    /// Every event of the log as it stands, with index and place.
    pub fn log(&self) -> Vec<(u64, usize, serde_json::Value)> {
        let world = &self.sealer.world;
        let reader = inferlog_log::LogReader::new(world.fs.clone(), world.dir("credit").clone());
        let mut all = Vec::new();
        reader
            .scan(0, reader.size().unwrap(), |index, entry| {
                let entry: serde_json::Value = serde_json::from_slice(entry).unwrap();
                let events = entry["events"].as_array().unwrap().iter().cloned().enumerate();
                all.extend(events.map(|(place, event)| (index, place, event)));
                true
            })
            .unwrap();
        all
    }
}

/// The lines of a file of JSON lines.
pub fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect()
}
