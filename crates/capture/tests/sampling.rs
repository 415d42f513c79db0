//! Sampling: what is selected is recorded, what failed or was acted on is recorded in any case, the rest is counted, and the counts
//! add up to what there was.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "sampling/full_disk.rs"]
mod full_disk;
#[path = "support/simulated.rs"]
mod simulated;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use inferlog_capture::recorder::{
    InForce, NewContent, NewDecision, NewEvent, RecordError, Recorder, RecorderConfig, System, bare, closed,
};
use inferlog_disk::sim::SimFs;
use inferlog_log::{AppendError, LogError, NodeConfig, NodeLock};
use inferlog_record::body::{
    Body, DecisionOpened, Delivery, ErrorCode, ExchangeEnd, Human, HumanAction, Label, LabelOrigin, Outcome,
    Sampling, SamplingMethod, StepOutcome, ToolCall,
};
use inferlog_record::{ClearName, Digest, Entry, Id, Kind, MediaType, PayloadRole, State, Tally};
use simulated::{DATA, system_name};

const BERNOULLI: &str = "method = \"bernoulli\"\nprobability = 0.25";
const SELDOM: &str = "method = \"bernoulli\"\nprobability = 0.000001";
const SYSTEMATIC: &str = "method = \"systematic\"\nevery = 5";
const STRATIFIED: &str = "method = \"stratified\"\nstrata = [{ route = \"quote\", probability = 0.1 }, { route = \"loan\", probability = 0.5 }]";

fn policy(method: &str) -> InForce {
    let text = format!(
        "system = \"credit\"\nversion = \"1\"\n[sampling]\n{method}\nrationale = \"millions of quotes a day\"\n\
         acceptance = \"no kind of error above 1 %\"\napprover = \"ada@example.com\"\n\
         [[class]]\nname = \"short\"\nfloor = \"184 days\"\ntarget = \"1 year\"\nlegal_basis = \"x\"\n"
    );
    InForce::read(&text).unwrap()
}

async fn open(fs: &SimFs, method: &str) -> (Recorder, System) {
    open_telling(fs, method, Duration::from_secs(3_600)).await
}

/// The same, which tells its counts as often as this.
async fn open_telling(fs: &SimFs, method: &str, clock_period: Duration) -> (Recorder, System) {
    let env = simulated::env(fs);
    // A decision that was given up holds the recorder before for a moment.
    let lock = loop {
        match NodeLock::take(&*env.fs, Path::new(DATA)) {
            Err(LogError::Locked(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            taken => break taken.unwrap(),
        }
    };
    let vault = simulated::vault(&env, &lock).unwrap();
    let mut node = NodeConfig::new(DATA);
    (node.segment_bytes, node.integrate_ms) = (256 << 10, 3);
    let config = RecorderConfig {
        policies: vec![Arc::new(policy(method))],
        clock_period,
        ..RecorderConfig::new(ClearName::new("inferlog-test").unwrap(), Digest([7; 32]))
    };
    let recorder = Recorder::open(lock, env, node, vault, config).await.unwrap();
    let system = recorder.system(&system_name()).await.unwrap();
    (recorder, system)
}

fn opening(route: Option<&str>) -> NewDecision {
    let route = route.map(|route| ClearName::new(route).unwrap());
    let input = NewContent::personal(MediaType::Text, "the applicant's words");
    let opened = NewEvent::new(DecisionOpened { route, ..DecisionOpened::default() });
    NewDecision::new(opened.with(PayloadRole::InputRaw, input))
}

fn end(outcome: Outcome) -> Vec<NewEvent> {
    vec![NewEvent::new(closed(outcome, ExchangeEnd::Complete))]
}

async fn decide(system: &System, route: Option<&str>, outcome: Outcome) -> Id {
    let mut decision = system.begin(opening(route)).await.unwrap();
    decision.opened().await.unwrap();
    decision.finish(end(outcome)).await.unwrap().id()
}

async fn entries(fs: &SimFs, recorder: &Recorder) -> Vec<Entry> {
    recorder.integrate().await.unwrap();
    simulated::read(fs).0
}

fn recorded(entries: &[Entry]) -> HashSet<Id> {
    entries.iter().filter_map(|entry| entry.decision).collect()
}

fn told(entries: &[Entry]) -> Vec<Sampling> {
    let events = entries.iter().flat_map(|entry| &entry.events);
    let told = events.filter_map(|event| match &event.body {
        Body::Sampling(body) => Some((**body).clone()),
        _ => None,
    });
    told.collect()
}

/// By stratum: population, selected, always.
fn sums(told: &[Sampling]) -> BTreeMap<Option<String>, (u64, u64, u64)> {
    let mut sums = BTreeMap::new();
    for one in told {
        let Tally::Known(population) = one.population else { panic!("unknown") };
        let sum: &mut (u64, u64, u64) =
            sums.entry(one.stratum.as_ref().map(ToString::to_string)).or_default();
        *sum = (sum.0 + population, sum.1 + one.selected.0, sum.2 + one.always.0);
    }
    sums
}

fn kinds(entries: &[Entry], decision: Id) -> Vec<Kind> {
    let of = entries.iter().filter(|entry| entry.decision == Some(decision));
    of.flat_map(|entry| &entry.events).filter_map(|event| event.kind()).collect()
}

/// The first decision that is answered and not selected.
async fn passed_over(system: &System) -> Id {
    loop {
        let mut decision = system.begin(opening(None)).await.unwrap();
        decision.opened().await.unwrap();
        let recorded = decision.finish(end(Outcome::Answered)).await.unwrap();
        if recorded.index().is_none() {
            return recorded.id();
        }
    }
}

fn human() -> Vec<NewEvent> {
    vec![NewEvent::new(Body::from(Human { about: None, action: HumanAction::Reject, reviewer: None }))]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_and_what_is_counted_is_all_there_was() {
    let (fs, every) = (SimFs::new(1), 400);
    let (recorder, system) = open(&fs, BERNOULLI).await;
    let mut failed = HashSet::new();
    for number in 0..every {
        let outcome = if number % 10 == 0 { Outcome::Failed } else { Outcome::Answered };
        let id = decide(&system, None, outcome).await;
        if outcome == Outcome::Failed {
            failed.insert(id);
        }
    }
    recorder.close().await.unwrap();
    let entries = simulated::read(&fs).0;
    let (recorded, told) = (recorded(&entries), told(&entries));
    assert!(failed.is_subset(&recorded), "a failure is always recorded");
    let (population, selected, always) = sums(&told)[&None];
    assert_eq!((population, selected + always), (every, recorded.len() as u64));
    assert!((50..150).contains(&selected), "{selected} of 400 at a quarter");
    let first = &told[0];
    assert_eq!((first.method, first.probability_millionths.unwrap().0), (SamplingMethod::Bernoulli, 250_000));
    for id in recorded {
        assert_eq!(kinds(&entries, id), [Kind::DecisionOpened, Kind::DecisionClosed]);
    }
    let opened = entries.iter().flat_map(|entry| &entry.events);
    let mut opened = opened.filter(|event| event.kind() == Some(Kind::DecisionOpened));
    assert!(opened.all(|event| event.sampling.as_ref().is_some_and(|id| id.as_str() == "credit/1")));
}

#[tokio::test(flavor = "multi_thread")]
async fn systematic_and_stratified_selection() {
    let fs = SimFs::new(2);
    let (recorder, system) = open(&fs, SYSTEMATIC).await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(decide(&system, None, Outcome::Answered).await);
    }
    let recorded_ids = recorded(&entries(&fs, &recorder).await);
    let places: Vec<usize> = (0..50).filter(|at| recorded_ids.contains(&ids[*at])).collect();
    assert_eq!(places.len(), 10);
    assert!(places.windows(2).all(|two| two[1] - two[0] == 5), "{places:?}");
    recorder.close().await.unwrap();

    let fs = SimFs::new(3);
    let (recorder, system) = open(&fs, STRATIFIED).await;
    for _ in 0..300 {
        decide(&system, Some("quote"), Outcome::Answered).await;
        decide(&system, Some("loan"), Outcome::Answered).await;
        decide(&system, Some("other"), Outcome::Answered).await;
    }
    recorder.close().await.unwrap();
    let sums = sums(&told(&simulated::read(&fs).0));
    let [other, loan, quote] = [None, Some("loan"), Some("quote")].map(|name| sums[&name.map(str::to_owned)]);
    assert_eq!((other, loan.0, quote.0), ((300, 300, 0), 300, 300), "of no stratum: always");
    assert!((110..190).contains(&loan.1) && (10..60).contains(&quote.1), "{loan:?} {quote:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_did_is_recorded_with_all_that_is_still_known() {
    let fs = SimFs::new(4);
    let (recorder, system) = open(&fs, BERNOULLI).await;
    let (late, other) = (passed_over(&system).await, passed_over(&system).await);
    let label =
        Label { about: None, name: ClearName::new("repaid").unwrap(), origin: LabelOrigin::GroundTruth };
    let refused =
        recorder.ongoing(late, None).await.unwrap().add(vec![NewEvent::new(Body::from(label))]).await;
    assert!(matches!(refused, Err(RecordError::NotSelected(id)) if id == late), "{refused:?}");
    assert!(!recorded(&entries(&fs, &recorder).await).contains(&late));
    let ongoing = recorder.ongoing(late, None).await.unwrap();
    ongoing.add(human()).await.unwrap();
    ongoing.add(human()).await.unwrap();
    let told = entries(&fs, &recorder).await;
    let all = [Kind::DecisionOpened, Kind::DecisionClosed, Kind::Human, Kind::Human];
    assert_eq!(kinds(&told, late), all);
    let input = told.iter().flat_map(|entry| &entry.events).flat_map(|event| &event.payloads);
    assert!(
        input
            .clone()
            .any(|payload| payload.role == PayloadRole::InputRaw && payload.state() == State::Present)
    );
    recorder.close().await.unwrap();
    drop((recorder, system, ongoing));
    // After a restart nothing is known of the other but what the person did.
    let (recorder, _) = open(&fs, BERNOULLI).await;
    recorder.ongoing(other, None).await.unwrap().add(human()).await.unwrap();
    assert_eq!(kinds(&entries(&fs, &recorder).await, other), [Kind::Human]);
    let selected = *recorded(&told).iter().find(|id| **id != late).unwrap_or(&late);
    assert!(recorder.ongoing(selected, None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_and_what_is_not_delivered_is_recorded() {
    let fs = SimFs::new(5);
    let (recorder, system) = open(&fs, SELDOM).await;
    let dropped = system.begin(opening(None)).await.unwrap();
    let dropped_id = dropped.id();
    drop(dropped);
    let mut decision = system.begin(opening(None)).await.unwrap();
    let answered = decision.finish(end(Outcome::Answered)).await.unwrap();
    assert_eq!(answered.index(), None);
    let lost = Delivery { end: Some(ExchangeEnd::ClientAbort), of: None, part: None };
    answered.end(vec![NewEvent::new(lost)]).await.unwrap();
    let mut joined = NewDecision { may_be_joined: true, ..opening(None) };
    joined.subjects = vec!["4711".into()];
    let mut joined = system.begin(joined).await.unwrap();
    let shared = joined.share();
    assert!(joined.finish(end(Outcome::Answered)).await.unwrap().index().is_some());
    tokio::time::timeout(std::time::Duration::from_secs(20), async {
        while !recorded(&entries(&fs, &recorder).await).contains(&dropped_id) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let told = entries(&fs, &recorder).await;
    assert_eq!(kinds(&told, dropped_id), [Kind::DecisionOpened, Kind::DecisionClosed]);
    assert_eq!(kinds(&told, answered.id()), [Kind::DecisionOpened, Kind::DecisionClosed, Kind::Delivery]);
    assert_eq!(kinds(&told, shared.id()).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_takes_counts_and_the_next_start_says_so() {
    let fs = SimFs::new(6);
    let (recorder, system) = open(&fs, BERNOULLI).await;
    for _ in 0..20 {
        decide(&system, None, Outcome::Answered).await;
    }
    recorder.integrate().await.unwrap();
    let fs = fs.crash();
    // The process of before is dead, and its lock with it.
    drop(recorder.close().await);
    drop((recorder, system));
    let (recorder, _) = open(&fs, BERNOULLI).await;
    let told = told(&entries(&fs, &recorder).await);
    assert_eq!(told.iter().filter(|one| one.population == Tally::Unknown).count(), 1);
    recorder.close().await.unwrap();
    drop(recorder);
    let (recorder, _) = open(&fs, BERNOULLI).await;
    let unknown = entries(&fs, &recorder).await;
    let unknown = self::told(&unknown).iter().filter(|one| one.population == Tally::Unknown).count();
    assert_eq!(unknown, 1, "a clean end leaves nothing unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_are_being_told_when_recording_ends_are_told_once() {
    for round in 0..60 {
        let fs = SimFs::new(round);
        let (recorder, system) = open_telling(&fs, SELDOM, Duration::from_micros(50)).await;
        for _ in 0..=round % 7 {
            decide(&system, None, Outcome::Answered).await;
            tokio::task::yield_now().await;
        }
        recorder.close().await.unwrap();
        let told = told(&simulated::read(&fs).0);
        assert_eq!(sums(&told)[&None].0, 1 + round % 7, "round {round}");
    }
}
