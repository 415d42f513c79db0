//! Purges against plain lists of what was appended and what must be left of it: random appends over classes and days, random
//! ranges, random things to keep, crashes and starts between them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure fails the test")]

mod world;

use std::sync::Arc;

use inferlog_disk::sim::Keep;
use inferlog_log::prune::{plan_entries, plan_packs, prune_entries, purge_packs};
use inferlog_log::{Append, LogReader, Payloads};
use proptest::prelude::*;
use world::{
    DAY_NS, Life, START_NS, World, check_indices, check_log, gone_of_entries, gone_of_packs, places,
    with_pruner,
};

const CLASSES: [&str; 3] = ["default", "long", "permanent"];

/// What a purge keeps.
#[derive(Clone, Copy, Debug)]
enum Kept {
    All,
    None,
    /// What belongs to an entry whose index leaves this rest, divided by seven.
    Rest(u64),
}

impl Kept {
    fn has(self, index: u64) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Rest(rest) => index % 7 == rest,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many entries, of days from this one on.
    Append {
        count: usize,
        day: u64,
        seed: u64,
    },
    Integrate,
    /// Of a class, up to a place in the log, in thousandths.
    Packs {
        class: usize,
        last: u64,
        kept: Kept,
    },
    Entries {
        upto: u64,
        kept: Kept,
    },
    /// The process ends, and another begins.
    Start(Option<Keep>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kept = || {
        prop_oneof![
            1 => Just(Kept::All),
            2 => Just(Kept::None),
            3 => (0_u64..7).prop_map(Kept::Rest),
        ]
    };
    let append = (1_usize..400, 0_u64..4, any::<u64>()).prop_map(|(count, day, seed)| Step::Append {
        count,
        day,
        seed,
    });
    let packs = (0..CLASSES.len(), 0_u64..1100, kept()).prop_map(|(class, last, kept)| Step::Packs {
        class,
        last,
        kept,
    });
    let entries = (0_u64..1100, kept()).prop_map(|(upto, kept)| Step::Entries { upto, kept });
    let start = prop_oneof![
        Just(Step::Start(None)),
        Just(Step::Start(Some(Keep::Nothing))),
        Just(Step::Start(Some(Keep::Any)))
    ];
    let step = prop_oneof![5 => append, 2 => Just(Step::Integrate), 3 => packs, 2 => entries, 1 => start];
    prop::collection::vec(step, 1..30)
}

fn reader(world: &World, life: &Life) -> LogReader {
    LogReader::new(Arc::new(world.fs.clone()), life.logs["alpha"].1.clone())
}

fn append(world: &mut World, life: &mut Life, count: usize, day: u64, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let first = world.models["alpha"].acked.len() as u64;
    let appends = (first..first + count as u64).map(|index| {
        let mut payloads = Payloads::default();
        if rng.u8(..) < 24 {
            for number in 0..rng.u64(1..4) {
                let sealed = format!("payload {number} of {index}").repeat(rng.usize(1..9));
                payloads
                    .push((u128::from(index) << 64 | u128::from(number)).to_be_bytes(), sealed.as_bytes());
            }
        }
        let day = day + u64::from(rng.u8(..) < 20);
        let append = Append {
            entry: format!("entry {index}").into_bytes(),
            class: CLASSES[rng.usize(..CLASSES.len())].into(),
            logged_at_ns: START_NS + day * DAY_NS,
            payloads,
            ..Append::default()
        };
        ("alpha".to_owned(), append)
    });
    let appends = appends.collect();
    assert!(world.commit(life, appends));
}

fn purge(world: &mut World, life: Life, class: &str, last: u64, kept: Kept) -> Life {
    let reader = reader(world, &life);
    let integrated = reader.size().unwrap();
    let (before, count) = places(&world.fs, &reader, class);
    assert_eq!(before.len(), count, "a payload lies in one place");
    let last = integrated * last / 1000;
    let end = last.min(integrated.saturating_sub(1));
    let keep = |index: u64, _: [u8; 16]| kept.has(index);
    let planned = plan_packs(&reader, class, last, &keep).unwrap();
    let (life, purged) = with_pruner(world, life, "alpha", |pruner| {
        let purged = purge_packs(pruner, class, last, &keep).unwrap();
        let again = purge_packs(pruner, class, last, &keep).unwrap();
        assert_eq!((again.payloads, again.bytes, again.packs.len()), (0, 0, 0), "nothing is left to do");
        assert_eq!(again.kept, purged.kept);
        purged
    });
    assert_eq!(planned, purged, "what was planned is what was done");
    assert_eq!(purged.damaged, [""; 0]);
    let due = before.values().filter(|place| integrated > 0 && place.is_due(end)).count();
    let gone = gone_of_packs(&before, end, &|index| integrated == 0 || kept.has(index));
    assert_eq!((purged.payloads, purged.kept), (gone.len() as u64, (due - gone.len()) as u64));
    // What is left lies where it lay, or is kept.
    let (after, count) = places(&world.fs, &reader, class);
    assert_eq!(after.len(), count, "a payload lies in one place");
    for (payload, place) in &before {
        let expected = (!gone.contains(payload)).then_some(place.is_kept || place.is_due(end));
        assert_eq!(
            after.get(payload).map(|place| place.is_kept),
            expected,
            "a payload of entry {}",
            place.index
        );
    }
    check_indices(&world.fs, &reader);
    world.models.get_mut("alpha").unwrap().gone_payloads.extend(gone);
    life
}

fn prune(world: &mut World, life: Life, upto: u64, kept: Kept) -> Life {
    let reader = reader(world, &life);
    let upto = reader.size().unwrap() * upto / 1000;
    let keep = |index: u64, entry: &[u8]| {
        assert_eq!(entry, format!("entry {index}").as_bytes());
        kept.has(index)
    };
    let (first, gone) = gone_of_entries(&reader, upto, &|index| kept.has(index));
    let planned = plan_entries(&reader, upto, &keep).unwrap();
    let (life, pruned) = with_pruner(world, life, "alpha", |pruner| {
        let pruned = prune_entries(pruner, upto, &keep).unwrap();
        let again = prune_entries(pruner, upto, &keep).unwrap();
        assert_eq!((again.entries, again.bytes, again.kept), (0, 0, pruned.kept), "nothing is left to do");
        pruned
    });
    assert_eq!(planned, pruned, "what was planned is what was done");
    assert_eq!((reader.first().unwrap(), pruned.first), (first, first));
    let model = world.models.get_mut("alpha").unwrap();
    let had = model.gone.len() as u64;
    model.gone.extend(gone);
    assert_eq!(pruned.entries, model.gone.len() as u64 - had);
    assert_eq!(pruned.kept, first - model.gone.len() as u64);
    // No byte of a bundle that was pruned is left under any name.
    let dir = reader.dir().path().join("tile/entries");
    let bundles = world.fs.files().into_keys().filter(|path| path.starts_with(&dir));
    for path in bundles {
        let name = path.strip_prefix(reader.dir().path()).unwrap().to_str().unwrap().to_owned();
        let tile: inferlog_merkle::TilePath = name.parse().unwrap();
        assert!(tile.index() * 256 >= first, "{name} is there");
    }
    life
}

fn run(steps: Vec<Step>) {
    let mut world = World::new(1);
    world.config.segment_bytes = 1 << 20;
    let mut life = world.start().unwrap();
    world.create(&mut life, "alpha").unwrap();
    for step in steps {
        match step {
            Step::Append { count, day, seed } => append(&mut world, &mut life, count, day, seed),
            Step::Integrate => world.integrate(&mut life).unwrap(),
            Step::Packs { class, last, kept } => {
                life = purge(&mut world, life, CLASSES[class], last, kept);
            }
            Step::Entries { upto, kept } => life = prune(&mut world, life, upto, kept),
            Step::Start(how) => {
                drop(life);
                world.fs = how.map_or_else(|| world.fs.kill(), |keep| world.fs.crash_keeping(keep));
                // Holds all that is left against the model.
                life = world.start().unwrap();
            }
        }
    }
    world.integrate(&mut life).unwrap();
    check_log(&world.fs, &life.logs["alpha"].1, &world.models["alpha"]);
    drop(life);
    world.fs = world.fs.crash_keeping(Keep::Nothing);
    world.start().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_not_to_go_is_left_and_nothing_else(steps in steps()) {
        run(steps);
    }
}
