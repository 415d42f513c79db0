//! A follower that nobody runs any more, through the binary: it holds erasures and purges back until it is forgotten by its name. Then
//! they go on, and the logs say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use std::sync::Arc;

use inferlog::capture::recorder::{NewContent, NewDecision, NewEvent, closed};
use inferlog::record::body::{Alert, Body, DecisionOpened, ErasurePhase, ExchangeEnd, Outcome};
use inferlog::record::{Content, Entry, Event, MediaType, PayloadRole, SystemName};
use inferlog::{Instance, Settings, real_env};
use inferlog_disk::ManualClock;
use inferlog_log::{Cursor, Env, LogIdentity, LogReader, cursors, list_logs};
use inferlog_vault::{RootSource, SealContext, open_payload};
use serde_json::{Value, json};
use support::{Run, World};

const ALICE: &str = "alice-4711";
const BOB: &str = "bob-4712";
/// What the dead follower had read when it died, of a log of more entries.
const READ: u64 = 3;
/// When that was.
const AGO_NS: u64 = 400 * 86_400_000_000_000;
const POLICY: &str = "system = \"credit\"\nversion = \"1\"\nprofile = \"other\"\n\
    [[class]]\nname = \"short\"\nfloor = \"1 days\"\ntarget = \"10 days\"\nlegal_basis = \"a test\"\n";

fn settings(world: &World) -> Settings {
    let mut settings = Settings::new(world.data());
    settings.root_key = Some(RootSource::File(world.path("root.key")));
    settings
}

/// Runs a command on the data directory.
fn run(world: &World, args: &[&str]) -> Run {
    let root = format!("file:{}", world.path("root.key").display());
    let data = world.data();
    world.run(&[args, &["--root-key", &root, "--data", data.to_str().unwrap()]].concat())
}

fn ok(world: &World, args: &[&str]) -> Run {
    let run = run(world, args);
    run.expect(0);
    run
}

/// Decisions of two systems of long ago, and in the log of one of them the cursor of a follower that died then.
async fn record(world: &World) {
    let real = real_env();
    let clock = Arc::new(ManualClock::new(real.clock.now_ns() - AGO_NS));
    let env = Env { clock, ..real };
    let instance =
        Instance::open(env, &Settings { policies: vec![POLICY.into()], ..settings(world) }).await.unwrap();
    for (name, person) in [("credit", ALICE), ("credit", BOB), ("credit", ALICE), ("loans", BOB)] {
        let system = instance.recorder.system(&SystemName::new(name).unwrap()).await.unwrap();
        let input = NewContent::personal(MediaType::Json, r#"{"income": 48}"#);
        let opened = NewEvent::new(DecisionOpened::default()).with(PayloadRole::InputRaw, input);
        let new = NewDecision { subjects: vec![person.into()], ..NewDecision::new(opened) };
        let mut decision = system.begin(new).await.unwrap();
        let ended = closed(Outcome::Answered, ExchangeEnd::Complete);
        decision.finish(vec![NewEvent::new(ended)]).await.unwrap();
    }
    for dir in list_logs(&*instance.env.fs, &world.data()).unwrap() {
        if dir.system() == "credit" {
            Cursor::open(instance.env.fs.clone(), &dir, "postgres").unwrap().store(READ).unwrap();
        }
    }
    instance.recorder.close().await.unwrap();
}

/// What `inferlog followers` says of the one that died.
fn told(world: &World) -> Option<Value> {
    let data = world.data();
    let run = world.run(&["followers", "--json", "--data", data.to_str().unwrap()]);
    run.expect(0);
    run.lines().into_iter().find(|line| line["name"] == "postgres")
}

/// What a log says of forgotten followers: the index, the event, and what is sealed in it; and where it says that an erasure is complete
/// and payloads are purged.
#[derive(Default)]
struct Said {
    forgotten: Vec<(u64, Alert, String)>,
    removed: Vec<u64>,
}

/// What the log of each system says.
async fn said(world: &World) -> Vec<(String, Said)> {
    let instance = Instance::open(real_env(), &settings(world)).await.unwrap();
    let mut all = Vec::new();
    for dir in list_logs(&*instance.env.fs, &world.data()).unwrap() {
        let (system, mut said) = (dir.system().to_owned(), Said::default());
        let origin = LogIdentity::load(&*instance.env.fs, &dir).unwrap().origin;
        let reader = LogReader::new(instance.env.fs.clone(), dir);
        let visit = |index, bytes: &[u8]| {
            for event in Entry::from_bytes(bytes).unwrap().events {
                match &event.body {
                    Body::Alert(alert) if alert.monitor.as_str() == "follower-skip" => {
                        for clear in ["postgres", "dana", "OPS-31"] {
                            assert!(
                                !String::from_utf8_lossy(bytes).contains(clear),
                                "{clear} stands in clear"
                            );
                        }
                        let report = report(&instance, &reader, &origin, index, &event);
                        said.forgotten.push((index, (**alert).clone(), report));
                    }
                    Body::Erasure(erasure) if erasure.phase == ErasurePhase::Completed => {
                        said.removed.push(index);
                    }
                    Body::Purge(_) => said.removed.push(index),
                    _ => {}
                }
            }
            true
        };
        reader.scan(0, reader.size().unwrap(), visit).unwrap();
        all.push((system, said));
    }
    instance.recorder.close().await.unwrap();
    all
}

/// The report sealed in an event.
fn report(instance: &Instance, reader: &LogReader, origin: &str, index: u64, event: &Event) -> String {
    let reference = event.payloads.iter().find(|reference| reference.role == PayloadRole::Report).unwrap();
    let Content::Sealed(sealed) = reference.content else { panic!("{reference:?}") };
    let payload = reference.payload.into_bytes();
    let bytes = reader.payload(event.retention.as_str(), event.logged_at.nanos(), index, payload);
    let key = instance.vault.data_key(sealed.key_id, reference.payload).unwrap();
    let role = reference.role.as_str();
    let context = SealContext { origin, event: event.id, role, payload: reference.payload };
    let bytes = bytes.unwrap().unwrap();
    let content = open_payload(&key, &context, &bytes, sealed.encoding, &sealed.commitment, 4_096).unwrap();
    String::from_utf8(content).unwrap()
}

#[test]
fn who_is_dead_holds_back_until_it_is_forgotten() {
    let world = World::new();
    tokio::runtime::Runtime::new().unwrap().block_on(record(&world));
    // After so long a person has to say that the clock is right.
    ok(&world, &["retention", "settle", "--yes", "--actor", "dana"]);

    // It holds back an erasure, whose keys are gone, and purges.
    let erased = run(&world, &["erase", "--subject", ALICE, "--yes", "--wait", "0", "--json"]).json();
    assert_eq!(erased["erased"][0]["outcome"], "waiting", "{erased}");
    assert_eq!(erased["erased"][0]["waits_for"], json!(["postgres"]));
    let plan = ok(&world, &["retention", "plan", "--json"]).json();
    let credit = plan.as_array().unwrap().iter().find(|plan| plan["system"] == "credit").unwrap();
    let class = credit["classes"].as_array().unwrap().iter().find(|class| class["class"] == "short").unwrap();
    assert_eq!(class["waits"], json!(["postgres"]), "{plan}");
    let done = ok(&world, &["retention", "apply", "--yes", "--json"]).json();
    assert!(purged(&done) == 0, "nothing goes before it was read: {done}");
    let dead = told(&world).unwrap();
    assert_eq!((&dead["state"], &dead["logs"][0]["cursor"]), (&"not run".into(), &READ.into()), "{dead}");
    assert_eq!(dead["logs"][0]["erasures_waiting"], 1, "{dead}");

    // Forgotten is who is named, and nobody else.
    let unknown = run(&world, &["followers", "forget", "postgras", "--reason", "a slip"]);
    unknown.expect(2);
    assert!(unknown.stderr().contains("no log has a cursor of postgras"), "{}", unknown.stderr());
    assert!(told(&world).is_some());
    let reason = "the database was given up, see OPS-31";
    let done =
        ok(&world, &["followers", "forget", "postgres", "--reason", reason, "--actor", "dana"]).stdout();
    assert!(done.contains("postgres is forgotten; 2 events"), "{done}");
    assert!(done.contains("missed 1 erasure and 0 purges: delete it"), "{done}");
    assert_eq!(told(&world), None);
    let fs = real_env().fs;
    for dir in list_logs(&*fs, &world.data()).unwrap() {
        assert!(cursors(&fs, &dir).unwrap().iter().all(|(name, _)| name != "postgres"));
    }
    run(&world, &["followers", "forget", "postgres", "--reason", reason]).expect(2);

    // What waited goes on.
    let status = ok(&world, &["erase", "--status", "--json"]).json();
    assert_eq!(status["erasures"][0]["outcome"], "completed", "{status}");
    let done = ok(&world, &["retention", "apply", "--yes", "--json"]).json();
    assert!(purged(&done) > 0, "{done}");
    let verified = world.run(&["verify", "--data", world.data().to_str().unwrap()]);
    verified.expect(0);

    // Every log says who was forgotten, by whom and why, before anything went on.
    let told = tokio::runtime::Runtime::new().unwrap().block_on(said(&world));
    assert_eq!(told.iter().map(|(system, _)| system.as_str()).collect::<Vec<_>>(), ["credit", "loans"]);
    for (system, said) in told {
        let [(index, alert, report)] = &said.forgotten[..] else { panic!("{system} says it once") };
        assert_eq!(*report, format!("the follower postgres is forgotten by dana: {reason}"));
        let samples = alert.samples.unwrap().0;
        match &*system {
            "credit" => assert!(samples > 0 && said.removed.len() == 2, "{samples} {:?}", said.removed),
            _ => assert!(samples == 0 && said.removed.is_empty()),
        }
        assert!(said.removed.iter().all(|removed| removed > index));
    }
}

/// Entries whose payloads went.
fn purged(done: &Value) -> u64 {
    done.as_array().unwrap().iter().map(|done| done["purged"].as_u64().unwrap()).sum()
}
