//! Accounts of decisions that something happened to: late events, erasures, purges, damage, names that lead nowhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod sealed;
mod world;

use std::path::Path;

use inferlog_audit::account::{Account, Completeness, MissingItem, reconstruct};
use inferlog_audit::{Openings, StoryOptions};
use inferlog_disk::Fs;
use inferlog_record::body::{
    Access, AccessAction, AccessPurpose, AccessRole, Aspect, Clock, Document, Erasure, ErasurePhase,
    FinishReason, Human, HumanAction, OrderKind, Outcome, Output, Prompt, PromptRole, Retrieval, Stage,
    StepOutcome, SystemChanged, Transform,
};
use inferlog_record::{
    Count, Digest, Event, Id, MediaType, PayloadRole as Role, Reference, Signed, Tally, Timestamp, Why,
};
use inferlog_registry::{REGISTRY_DIR, Registration, Registry, What};
use sealed::{Draft, Sealer};
use world::look::overwrite;
use world::{DAY_NS, DIR, closed, inference, name, opened};

/// A decision that is opened; what happens to it is each test's own.
struct Case {
    sealer: Sealer,
    draft: Draft,
    opened: Id,
    asked: Id,
}

fn begun(sealer: Sealer) -> Case {
    let mut sealer = sealer;
    let mut draft = sealer.begin("Ada");
    let mut begun = sealer.world.event("credit", opened("score"));
    sealer.add(&mut draft, &mut begun, Role::InputRaw, MediaType::Text, b"may I?");
    let opened = begun.id;
    sealer.write(&mut draft, vec![begun]);
    Case { sealer, draft, opened, asked: opened }
}

impl Case {
    fn new() -> Self {
        begun(Sealer::new())
    }

    fn event(&mut self, body: impl Into<inferlog_record::body::Body>, after: &[Id]) -> Event {
        self.sealer.world.tick(1_000_000);
        let mut event = self.sealer.world.event("credit", body);
        event.ended_at = Some(Timestamp(self.sealer.world.now_ns));
        event.after = after.to_vec().into();
        event
    }

    fn add(&mut self, event: &mut Event, role: Role, text: &str) {
        self.sealer.add(&mut self.draft, event, role, MediaType::Text, text.as_bytes());
    }

    fn ask(&mut self, change: impl FnOnce(&mut inferlog_record::body::Inference)) {
        let mut body = inference();
        change(&mut body);
        let mut asked = self.event(body, &[self.opened]);
        self.add(&mut asked, Role::InputAssembled, "may I?");
        self.add(&mut asked, Role::OutputRaw, "no");
        self.asked = asked.id;
        self.sealer.write(&mut self.draft, vec![asked]);
    }

    fn close(&mut self) {
        let end = self.event(closed(Outcome::Answered), &[self.asked]);
        self.sealer.write(&mut self.draft, vec![end]);
    }

    fn account(&mut self) -> Account {
        self.sealer.world.integrate();
        let openings = Some(&self.sealer.vault as &dyn Openings);
        let options = StoryOptions { openings, ..StoryOptions::default() };
        reconstruct(&self.sealer.world.fs, Path::new(DIR), self.draft.decision, &options, None).unwrap()
    }

    /// Why a field is missing, whether that is explained, and its level.
    fn missing(&mut self, field: &str) -> Option<(String, bool, &'static str)> {
        let account = self.account();
        let item = account.verdict.missing.iter().find(|item| item.field == field)?;
        Some((item.why.clone(), item.explained, item.level))
    }
}

#[test]
fn an_override_three_weeks_later_counts_and_the_system_that_changed_meanwhile_is_told() {
    let mut case = Case::new();
    case.ask(|_| {});
    case.close();
    case.sealer.world.tick(7 * DAY_NS);
    let change = SystemChanged {
        aspect: Aspect::Version,
        decision: None,
        name: Some(name("credit")),
        new: Some(name("4")),
        new_digest: None,
        old: Some(name("3")),
        old_digest: None,
    };
    let change = case.sealer.world.life("credit", change);
    case.sealer.world.commit("credit", &[change]);
    case.sealer.world.tick(14 * DAY_NS);
    let about = Some(case.asked);
    let mut human = case.event(Human { about, action: HumanAction::Override, reviewer: None }, &[case.asked]);
    case.add(&mut human, Role::HumanBefore, "no");
    case.add(&mut human, Role::HumanAfter, "yes");
    case.sealer.write(&mut case.draft, vec![human]);
    let account = case.account();
    let human = &account.humans[0];
    assert_eq!((human.step, human.about, human.action.as_str()), (4, Some(2), "override"));
    assert_eq!(human.after_end_ns.unwrap() / DAY_NS, 21);
    assert!(account.steps[3].late && !account.steps[2].late);
    assert!(human.diff.as_ref().is_some_and(|diff| !diff.same));
    let changes: Vec<_> =
        account.changes.iter().map(|change| (change.old.as_deref(), change.new.as_deref())).collect();
    assert_eq!(changes, [(Some("3"), Some("4"))]);
    // Nobody said why, nor who.
    let fields: Vec<_> = account.verdict.missing.iter().filter(|item| item.step == Some(4)).collect();
    assert!(fields.iter().any(|item| item.field == "human.payloads[human.reason]" && !item.explained));
    assert!(fields.iter().any(|item| item.field == "human.reviewer" && item.serves == "14(5), 26(2)"));
    assert_eq!(account.verdict.completeness, Completeness::Incomplete);
}

#[test]
fn what_should_stand_beside_what_is_missed() {
    let mut case = Case::new();
    let (why, explained, level) = case.missing("decision.closed").unwrap();
    assert!(why.contains("still open") && !explained && level == "R", "{why}");
    case.close();
    assert!(case.missing("decision.closed").is_none());
    assert!(case.missing("inference").unwrap().0.contains("no model call is recorded"));

    let mut case = Case::new();
    case.ask(|body| body.finish_reason = Some(FinishReason::ToolCalls));
    assert_eq!(case.missing("tool_call").unwrap().2, "r");
    let filter = Transform {
        error: None,
        name: name("filter"),
        outcome: StepOutcome::Ok,
        stage: Some(Stage::Post),
        version: Some(name("1")),
    };
    let mut filter = case.event(filter, &[case.asked]);
    case.add(&mut filter, Role::TransformIn, "no");
    case.add(&mut filter, Role::TransformOut, "n");
    case.sealer.write(&mut case.draft, vec![filter]);
    let (why, explained, _) = case.missing("output.payloads[output.final]").unwrap();
    assert!(why.contains("the step filter came after the model") && !explained, "{why}");
    let mut output = case.event(Output::default(), &[case.asked]);
    case.add(&mut output, Role::OutputFinal, "n");
    case.sealer.write(&mut case.draft, vec![output]);
    assert!(case.missing("output.payloads[output.final]").is_none());
    // What nobody attached and said so is explained.
    let payload = case.sealer.world.id();
    let mut context = case.event(inferlog_record::body::ContextAdded::default(), &[]);
    context.payloads.push(Reference::not_captured(payload, Role::InputEnriched, Why::NotProvided.into()));
    case.sealer.write(&mut case.draft, vec![context]);
    let (why, explained, level) = case.missing("context.payloads[input.enriched]").unwrap();
    assert!(why.starts_with("not_provided: ") && explained && level == "r", "{why}");
}

#[test]
fn a_query_that_names_no_document_is_missed_and_an_empty_index_is_not() {
    let retrieval = |total: Option<u64>, documents: Vec<Document>| Retrieval {
        documents: documents.into(),
        error: None,
        index: Some(name("policies")),
        index_digest: None,
        index_version: Some(name("1")),
        outcome: StepOutcome::Ok,
        source: Some(name("files")),
        total: total.map(Count),
    };
    for (total, is_missing) in [(None, true), (Some(3), true), (Some(0), false)] {
        let mut case = Case::new();
        let mut found = case.event(retrieval(total, Vec::new()), &[case.opened]);
        case.add(&mut found, Role::RetrievalQuery, "loans");
        case.sealer.write(&mut case.draft, vec![found]);
        assert_eq!(case.missing("retrieval.documents").is_some(), is_missing, "{total:?}");
    }
}

#[test]
fn prompts_lead_to_the_registry_or_nowhere() {
    let mut case = Case::new();
    let fs = case.sealer.world.fs.clone();
    let registry = Registry::open(fs, &Path::new(DIR).join(REGISTRY_DIR)).unwrap();
    let what = What::Prompt { text: "Be fair.".into(), role: None, literal: false };
    let asked = Registration { name: name("officer"), version: Some(name("7")), what };
    let added = registry.add(&asked, Timestamp(1)).unwrap();
    let prompt = |version: &str, sha256| Prompt {
        name: Some(name("officer")),
        payload: None,
        role: PromptRole::System,
        sha256: Some(sha256),
        version: Some(name(version)),
    };
    case.ask(|body| {
        body.prompts = vec![prompt("7", added.sha256.unwrap()), prompt("8", Digest([8; 32]))].into()
    });
    case.ask(|body| body.prompts = vec![prompt("7", added.sha256.unwrap())].into());
    let account = case.account();
    let told: Vec<_> = account
        .prompts
        .iter()
        .map(|prompt| (prompt.steps.len(), prompt.text.as_deref(), prompt.found_in))
        .collect();
    assert_eq!(told, [(2, Some("Be fair."), "registry"), (1, None, "nowhere")]);
    let item = account.verdict.missing.iter().find(|item| item.field == "inference.prompts").unwrap();
    assert!(item.why.contains("the prompt officer version 8") && !item.explained && item.step == Some(2));
    // A registry that rots does not take the account with it.
    let index = Path::new(DIR).join(REGISTRY_DIR).join("index");
    overwrite(&case.sealer.sim, &index, b"rot");
    let account = case.account();
    assert!(account.notices[0].starts_with("the registry cannot be read"), "{:?}", account.notices);
    assert_eq!(account.prompts[0].found_in, "nowhere");
}

#[test]
fn the_clock_and_the_readers_are_told() {
    let mut sealer = Sealer::new();
    let clock = Clock {
        by: None,
        disregard_first: None,
        disregard_last: None,
        max_error_ns: Some(Count(1_300_000)),
        offset_ns: Some(Signed(-41_000)),
        source: name("chrony"),
        synchronised: true,
    };
    let mut told = sealer.world.event("credit", clock);
    let clock = told.id;
    told.started_at = None;
    let flags = inferlog_log::Flags::NONE;
    let nobody = inferlog_record::Pseudonym::new([0; 16]);
    let append = sealer.world.append(None, vec![told], "default", nobody, Default::default(), flags);
    sealer.world.commit("credit", &[append]);
    let mut case = begun(sealer);
    let mut asked = case.event(inference(), &[case.opened]);
    asked.clock = Some(clock);
    let mut end = case.event(closed(Outcome::Answered), &[asked.id]);
    let gone = case.sealer.world.id();
    end.clock = Some(gone);
    case.sealer.write(&mut case.draft, vec![asked, end]);
    let read = Access {
        action: AccessAction::Read,
        actor: None,
        count: Tally::Known(1),
        decisions: vec![case.draft.decision].into(),
        granted: true,
        purpose: AccessPurpose::Audit,
        role: AccessRole::Auditor,
    };
    let read = case.sealer.world.life("credit", read);
    case.sealer.world.commit("credit", &[read]);
    let account = case.account();
    let clocks: Vec<_> =
        account.time.clocks.iter().map(|clock| (clock.event, clock.source.as_deref(), clock.entry)).collect();
    assert_eq!(clocks, [(clock, Some("chrony"), Some(0)), (gone, None, None)]);
    let item = account.verdict.missing.iter().find(|item| item.field == "decision.closed.clock").unwrap();
    assert!(item.serves == "profile" && !item.explained, "{item:?}");
    let labels: Vec<_> = account.mentions.iter().map(|mention| mention.label.as_str()).collect();
    assert_eq!(labels, ["read as auditor for audit"]);
}

#[test]
fn erased_purged_and_lost_contents_are_told_apart() {
    // Erased under an order that the log holds: explained.
    let mut case = Case::new();
    case.ask(|_| {});
    case.close();
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
        subjects: vec![case.draft.subject.pseudonym()].into(),
        until: None,
        withheld: Count(0),
    };
    let append = case.sealer.world.life("credit", erasure);
    case.sealer.world.commit("credit", &[append]);
    let subject = case.draft.subject.clone();
    case.sealer.world.integrate();
    case.sealer.erase(&subject);
    let account = case.account();
    assert!(account.contents.values().all(|content| content.state == "erased" && content.content.is_none()));
    let erased: Vec<_> =
        account.verdict.missing.iter().filter(|item| item.why.starts_with("erased under")).collect();
    assert!(erased.len() == 3 && erased.iter().all(|item| item.explained), "{erased:?}");
    assert!(account.proof.proved, "the proofs stand");

    // Its key is gone and no event says so, or its pack is damaged: nothing explains that.
    for is_damaged in [false, true] {
        let mut case = Case::new();
        case.ask(|_| {});
        case.close();
        case.sealer.world.integrate();
        if is_damaged {
            let sim = &case.sealer.sim;
            let class = case.sealer.world.dir("credit").packs().join("default");
            let day = class.join(&sim.read_dir(&class).unwrap()[0].name);
            let files = sim.read_dir(&day).unwrap();
            let pack = files.iter().find(|file| file.name.ends_with(".pack")).unwrap();
            let bytes = sim.read(&day.join(&pack.name)).unwrap();
            overwrite(sim, &day.join(&pack.name), &vec![0x55; bytes.len()]);
        } else {
            let subject = case.draft.subject.clone();
            case.sealer.erase(&subject);
        }
        let account = case.account();
        assert_eq!(account.verdict.completeness, Completeness::Incomplete);
        let is_lost =
            |item: &&MissingItem| !item.why.starts_with("not recorded") && item.field.contains("payloads[");
        let lost: Vec<_> = account.verdict.missing.iter().filter(is_lost).collect();
        assert!(lost.len() == 3 && lost.iter().all(|item| !item.explained), "{lost:#?}");
        assert!(
            account.contents.values().all(|content| content.problem.is_some() && content.content.is_none())
        );
    }
}
