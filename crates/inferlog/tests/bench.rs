//! The measurements that stand on a generated log, in small: that they run, and that what they count is what is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use support::World;

const EVENTS: u64 = 20_000;

#[test]
fn the_index_is_measured_and_what_was_kept_is_used_again() {
    let world = World::new();
    let (scratch, kept) = (world.path("scratch"), world.path("kept"));
    let [scratch, keep] = [&scratch, &kept].map(|path| path.to_str().unwrap());
    let events = EVENTS.to_string();
    let args =
        ["bench", "--only", "index", "--events", &events, "--seconds", "3", "--json", "--data", scratch];
    let args: Vec<&str> = args.into_iter().chain(["--keep", keep]).collect();

    let first = world.run(&args);
    assert_eq!(first.status(), 0, "{}", first.stderr());
    let index = first.json()["index"].clone();
    assert!(index["followed"]["events"].as_u64().unwrap() >= EVENTS, "{index}");
    assert!(index["followed"]["events_per_second"].as_f64().unwrap() > 0.0, "{index}");
    assert!(index["beside"]["requests_per_second"].as_f64().unwrap() > 0.0, "{index}");
    let built = &index["built"];
    assert!(built["events"].as_u64().unwrap() >= EVENTS && built["seconds"].as_f64().is_some(), "{built}");
    assert!(built["tables"].as_array().unwrap().iter().any(|table| table["name"] == "event"), "{built}");
    let (nothing, something): (Vec<_>, Vec<_>) =
        index["asked"]["finds"].as_array().unwrap().iter().partition(|find| find["decisions"] == 0);
    assert!(something.len() > 15, "{something:?}");
    assert!(nothing.iter().any(|find| find["what"] == "model: nothing"), "{nothing:?}");

    let again = world.run(&args);
    assert_eq!(again.status(), 0, "{}", again.stderr());
    let again = again.json()["index"]["built"].clone();
    assert_eq!((&again["events"], again["seconds"].as_f64()), (&built["events"], None), "{again}");
    assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "what was not to be kept is still there");
}
