//! Which decisions go into a bundle, and under which checkpoint.

use std::io::Write as _;
use std::process::Stdio;

use inferlog::log::{Append, Flags};
use inferlog::record::body::{Basis, Body, HoldPlaced, Incident, IncidentCategory, IncidentPhase, Scope};
use inferlog::record::{Entry, Event, Id, SystemName, Timestamp};
use inferlog::vault::RootSource;
use inferlog::{Instance, Settings, real_env};
use serde_json::json;

use super::Bundle;
use crate::support::{REQUEST, World, model};

#[test]
fn decisions_are_named_listed_and_found_by_time() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let mut ids: Vec<String> = (0..5).map(|person| serve.infer(&person.to_string(), REQUEST).1).collect();
    // Those of one millisecond are in no order of time.
    ids.sort_unstable();
    let chosen = |args: &[&str]| {
        world.ok(&[&["export", "bundle", "--output", "b.zip"], args].concat());
        let bundle = Bundle::open(&world, "b.zip");
        bundle.verify(&world);
        bundle.decisions()
    };
    assert_eq!(
        chosen(&["--decision", &ids[3], "--decision", &ids[1], "--decision", &ids[3]]),
        [&*ids[1], &ids[3]]
    );
    std::fs::write(world.path("ids"), format!("{}\n\n {} \n", ids[4], ids[0])).unwrap();
    assert_eq!(chosen(&["--decisions", "ids", "--decision", &ids[2]]), [&*ids[0], &ids[2], &ids[4]]);
    assert_eq!(chosen(&["--system", "credit"]), ids);
    // A bundle's own words say when each began.
    let summaries = Bundle::open(&world, "b.zip").json("decisions.json");
    let mut began: Vec<(String, String)> = serde_json::from_value(json!(
        summaries["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| [&one["logged_at"], &one["id"]])
            .collect::<Vec<_>>()
    ))
    .unwrap();
    began.sort_unstable();
    let of = |range: std::ops::Range<usize>| {
        let mut ids: Vec<String> = began[range].iter().map(|(_, id)| id.clone()).collect();
        ids.sort_unstable();
        ids
    };
    let at = |number: usize| &*began[number].0;
    assert_eq!(chosen(&["--since", at(1), "--until", at(3)]), of(1..3));
    assert_eq!(chosen(&["--since", at(3)]), of(3..5));
    let named = &began[4].1;
    let mut both = [of(0..1), of(4..5)].concat();
    both.sort_unstable();
    assert_eq!(chosen(&["--until", at(1), "--decision", named]), both);

    let data = world.data();
    let args =
        ["export", "bundle", "--decisions", "-", "--output", "stdin.zip", "--data", data.to_str().unwrap()];
    let mut child = world.command(&args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(ids[2].as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(Bundle::open(&world, "stdin.zip").decisions(), [&*ids[2]]);
}

/// Writes events into the life of the system, as whoever keeps holds will.
fn tell(world: &World, bodies: Vec<Body>) {
    let root = super::newest(&world.path("home/.config/inferlog"));
    let settings = Settings { root_key: Some(RootSource::File(root)), ..Settings::new(world.data()) };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let instance = Instance::open(real_env(), &settings).await.unwrap();
        let system = instance.recorder.system(&SystemName::new("credit").unwrap()).await.unwrap();
        let log = instance.recorder.node().log("credit").unwrap();
        for body in bodies {
            let now = Timestamp(instance.env.clock.now_ns());
            let event = Event::new(system.mint().unwrap(), SystemName::new("credit").unwrap(), now, body);
            let append = Append {
                entry: Entry::new(None, vec![event]).to_bytes().unwrap(),
                logged_at_ns: now.nanos(),
                flags: Flags::NONE,
                class: "default".to_owned(),
                ..Append::default()
            };
            log.append(vec![append]).await.unwrap();
        }
        instance.recorder.close().await.unwrap();
    });
}

#[test]
fn an_incident_chooses_what_its_holds_freeze() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let ids: Vec<String> = (0..4).map(|person| serve.infer(&person.to_string(), REQUEST).1).collect();
    assert_eq!(serve.stop(), 0);
    let (incident, other) = (Id::new(1_700_000_000_000, &[1; 10]), Id::new(1_700_000_000_000, &[2; 10]));
    let hold = |number: u8, incident, scope| {
        let hold = Id::new(1_700_000_000_000, &[number; 10]);
        Body::from(HoldPlaced { by: None, basis: Basis::Incident, hold, incident, scope })
    };
    let of = |decisions: &[&String]| Scope {
        decisions: decisions.iter().map(|id| id.parse().unwrap()).collect(),
        ..Scope::default()
    };
    let told = Incident {
        by: None,
        aware_at: Timestamp(1_700_000_000_000_000_000),
        category: IncidentCategory::ALL[0],
        days: 15,
        hold: Some(Id::new(1_700_000_000_000, &[12; 10])),
        incident,
        phase: IncidentPhase::ALL[0],
    };
    tell(
        &world,
        vec![
            hold(11, Some(incident), of(&[&ids[2]])),
            hold(12, None, of(&[&ids[0]])),
            hold(13, Some(other), of(&[&ids[1]])),
            told.into(),
        ],
    );
    let text = incident.to_string();
    world.ok(&["export", "bundle", "--incident", &text, "--output", "incident.zip"]);
    let bundle = Bundle::open(&world, "incident.zip");
    assert_eq!(bundle.decisions(), [&*ids[0], &ids[2]]);
    bundle.verify(&world);
    let kinds = bundle.kinds("logs/0/system.json");
    let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!((count("hold.placed"), count("incident")), (2, 1), "{kinds:?}");
    world.ok(&["export", "bundle", "--decision", &ids[3], "--output", "free.zip"]);
    let free = Bundle::open(&world, "free.zip").kinds("logs/0/system.json");
    assert!(!free.iter().any(|kind| kind.starts_with("hold.")), "{free:?}");
}

#[test]
fn the_checkpoint_is_the_newest_that_others_vouch_for_and_that_covers_all() {
    let world = World::new();
    let serve = world.serve(model(), &[]);
    let (_, first, _) = serve.infer("4711", REQUEST);
    world.ok(&["export", "bundle", "--decision", &first, "--output", "plain.zip"]);
    let plain = Bundle::open(&world, "plain.zip");
    let mut note = plain.read("logs/0/checkpoint");
    let size = plain.json("bundle.json")["logs"][0]["size"].as_u64().unwrap();
    // A cosignature of a witness that nobody here knows, and what may be a timestamp: a bundle carries both.
    note.extend("\u{2014} witness.example ".as_bytes());
    note.extend(format!("{}==\n", "A".repeat(102)).as_bytes());
    let vouched = world.log_dir().join("vouched");
    std::fs::create_dir(&vouched).unwrap();
    std::fs::write(vouched.join(format!("{size:020}.note")), &note).unwrap();
    std::fs::write(vouched.join(format!("{size:020}-0.tsr")), b"tsr").unwrap();
    let (_, second, _) = serve.infer("4712", REQUEST);
    assert_eq!(serve.stop(), 0);

    let said =
        world.ok(&["export", "bundle", "--decision", &first, "--output", "vouched.zip", "--json"]).json();
    let log = &said["logs"][0];
    assert_eq!(
        (&log["size"], &log["cosignatures"], &log["timestamps"]),
        (&json!(size), &json!(1), &json!(1))
    );
    let bundle = Bundle::open(&world, "vouched.zip");
    assert_eq!(bundle.read("logs/0/checkpoint"), note);
    assert_eq!(bundle.read("logs/0/timestamps/0.tsr"), b"tsr");
    let both =
        ["export", "bundle", "--decision", &first, "--decision", &second, "--output", "both.zip", "--json"];
    let said = world.ok(&both).json();
    assert_eq!(said["logs"][0]["cosignatures"], 0, "what others vouch for does not cover the second");
    Bundle::open(&world, "both.zip").verify(&world);

    // One that is not what the log's keys signed is not passed over in silence.
    let text =
        String::from_utf8(note).unwrap().replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1);
    std::fs::write(vouched.join(format!("{size:020}.note")), text).unwrap();
    let data = world.data();
    let args =
        ["export", "bundle", "--decision", &first, "--output", "bad.zip", "--data", data.to_str().unwrap()];
    let run = world.run(&args);
    assert_eq!(run.status(), 2);
    assert!(run.stderr().contains(&format!("checkpoint of {size} entries")), "{}", run.stderr());
}
