//! Coverage: each rule finds its fault and nothing else; a log with every fault planted gives each of them and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test may fail by panicking")]

#[path = "coverage/bench.rs"]
mod bench;
#[path = "coverage/faults.rs"]
mod faults;
#[path = "coverage/plant.rs"]
mod plant;
mod world;

use bench::Bench;
use bench::HOUR_NS;
use faults::{FAULTS, Fault};
use inferlog_audit::coverage::{Rule, Severity};
use inferlog_record::body::{
    AbsentReason, Basis, HoldReleased, LastEnd, ModelIdentity, RiskAccepted, StopReason,
};
use inferlog_record::{PayloadRole as Role, Pseudonym, Timestamp};
use world::{DAY_NS, START_NS, name};

/// Plants a fault: the finding's id.
fn plant(bench: &mut Bench, fault: &Fault) -> String {
    let day = Timestamp(bench.world.now_ns).to_string();
    (fault.broken)(bench);
    fault.finds.replace("DAY", &day[..10])
}

/// Only whole days are compared with a provider's.
fn end_the_day(bench: &mut Bench, rule: Rule) {
    match rule {
        Rule::UsageMore | Rule::UsageLess => bench.world.now_ns = START_NS + DAY_NS,
        _ => bench.minutes(2),
    }
}

#[test]
fn each_rule_finds_its_fault_and_nothing_else() {
    for fault in FAULTS {
        let mut bench = Bench::new();
        bench.clean();
        let expected = plant(&mut bench, fault);
        end_the_day(&mut bench, fault.rule);
        assert_eq!(bench.findings(), [expected], "{}", fault.rule.name());
    }
}

#[test]
fn what_keeps_to_a_rule_is_no_finding() {
    for fault in FAULTS {
        let mut bench = Bench::new();
        bench.clean();
        (fault.kept)(&mut bench);
        end_the_day(&mut bench, fault.rule);
        assert_eq!(bench.findings(), [""; 0], "{}", fault.rule.name());
    }
}

#[test]
fn every_rule_has_its_case() {
    let mut missing: Vec<&str> = Vec::new();
    for rule in Rule::ALL {
        // It has a log without decisions: `nothing_in_the_window_is_told`.
        if *rule != Rule::NothingRecorded && !FAULTS.iter().any(|fault| fault.rule == *rule) {
            missing.push(rule.name());
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_log_with_every_fault_gives_each_and_nothing_else() {
    let mut bench = Bench::new();
    bench.clean();
    // The provider's first, whose day has to be whole; then days with a rhythm; then the others, within its last hour.
    let order = |fault: &&Fault| match fault.rule {
        Rule::UsageMore => Some(0),
        Rule::SilentHours => Some(1),
        // The provider counted either more or less.
        Rule::UsageLess => None,
        _ => Some(2),
    };
    let mut faults: Vec<&Fault> = FAULTS.iter().filter(|fault| order(fault).is_some()).collect();
    faults.sort_by_key(order);
    let mut expected: Vec<String> = faults.into_iter().map(|fault| plant(&mut bench, fault)).collect();
    expected.sort();
    assert!(bench.hour() < 121, "the faults took more than the hour they have");
    assert_eq!(bench.findings(), expected);
}

/// Payloads past the ceiling that are found, and the decisions that they are of.
fn past_ceiling(bench: &mut Bench) -> (u64, Vec<String>) {
    let report = bench.report();
    let found = report.systems[0].findings.iter().find(|finding| finding.rule == "past-ceiling");
    found.map_or((0, Vec::new()), |found| (found.count, found.examples.clone()))
}

#[test]
fn what_is_past_the_ceiling_is_counted_unless_a_hold_or_an_erasure_has_it() {
    let mut bench = Bench::new();
    let decisions = plant::packed(&mut bench, 2);
    assert_eq!(past_ceiling(&mut bench), (8, decisions.iter().map(ToString::to_string).collect()));
    let placed = plant::hold_on(&mut bench, decisions[0]);
    assert_eq!(past_ceiling(&mut bench), (4, vec![decisions[1].to_string()]));
    bench.life(HoldReleased { basis: Basis::Internal, by: None, hold: placed });
    assert_eq!(past_ceiling(&mut bench).0, 8, "the hold is gone, and the payloads are not");
    // The purge says that it took them, and the packs are still there.
    plant::purged(&mut bench);
    assert_eq!(past_ceiling(&mut bench).0, 8);
    // Their one key was destroyed.
    plant::erased(&mut bench);
    assert_eq!(past_ceiling(&mut bench).0, 0);
}

#[test]
fn age_is_what_the_order_of_the_log_says() {
    // Stamped two days early by a clock that was off: as old as what follows.
    let mut bench = Bench::new();
    plant::ceiling(&mut bench);
    bench.world.tick(4 * DAY_NS);
    bench.clean();
    let now = bench.world.now_ns;
    bench.world.now_ns -= 3 * DAY_NS;
    bench.packs = true;
    bench.clean();
    bench.packs = false;
    bench.world.now_ns = now;
    bench.clean();
    bench.options.since = Some(Timestamp(now));
    // Reports are made two days after the time that is set here.
    bench.world.now_ns -= DAY_NS;
    assert_eq!(past_ceiling(&mut bench).0, 0);
    bench.world.now_ns += 2 * DAY_NS;
    assert_eq!(past_ceiling(&mut bench).0, 4);
    // A stamp from the future before them makes them younger, until somebody says that it was wrong.
    let mut bench = Bench::new();
    bench.world.now_ns += 300 * DAY_NS;
    bench.clean();
    bench.world.now_ns -= 300 * DAY_NS;
    plant::packed(&mut bench, 1);
    assert_eq!(past_ceiling(&mut bench).0, 0);
    plant::disregard(&mut bench, 0, 1);
    assert_eq!(past_ceiling(&mut bench).0, 4);
}

#[test]
fn a_policy_that_cannot_be_read_is_told() {
    let mut bench = Bench::new();
    plant::packed(&mut bench, 1);
    let registry = std::path::Path::new(world::DIR).join("registry/index");
    world::look::overwrite(&bench.sim, &registry, b"nonsense\n");
    let report = bench.report();
    assert_eq!(report.systems[0].findings, []);
    let told = |notice: &String| notice.starts_with("whether payloads are past the policy's ceilings");
    assert!(report.systems[0].notices.iter().any(told), "{:?}", report.systems[0].notices);
}

#[test]
fn nothing_in_the_window_is_told() {
    let mut bench = Bench::new();
    bench.hours(3, |_| 4);
    bench.options.since = Some(Timestamp(bench.world.now_ns + HOUR_NS));
    bench.world.now_ns += 6 * HOUR_NS;
    assert_eq!(bench.findings(), ["nothing-recorded"]);
}

#[test]
fn silence_is_judged_by_the_hour_of_the_week() {
    // Office hours, Monday to Friday: START is a Saturday.
    let office = |hour: u64| {
        let (day, hour) = ((hour / 24 + 5) % 7, hour % 24);
        if day < 5 && (9..17).contains(&hour) { 24 } else { 0 }
    };
    let mut bench = Bench::new();
    bench.hours(28 * 24, office);
    bench.options.since = Some(Timestamp(START_NS));
    assert_eq!(bench.findings(), [""; 0], "nights and weekends are silent each week");
    // The fourth Wednesday's late morning; a day on which nobody knows yet what to expect is judged in none.
    let silent = |hour: u64| if (25 * 24 + 10..25 * 24 + 12).contains(&hour) { 0 } else { office(hour) };
    let mut bench = Bench::new();
    bench.hours(28 * 24, silent);
    let report = bench.report();
    let found = &report.systems[0].findings;
    assert_eq!(
        found.iter().map(|finding| finding.id.as_str()).collect::<Vec<_>>(),
        ["silent-hours/2026-12-16T10"]
    );
    assert_eq!((found[0].count, found[0].severity), (2, Severity::Warning));
    assert!(found[0].says.contains("about 48"), "{}", found[0].says);
}

#[test]
fn a_recorder_that_was_stopped_explains_silence_and_one_that_died_does_not() {
    for (last_end, severity) in [(LastEnd::Clean, Severity::Info), (LastEnd::Unclean, Severity::Critical)] {
        let mut bench = Bench::new();
        plant::started(&mut bench, LastEnd::First);
        bench.hours(50, |_| 30);
        if last_end == LastEnd::Clean {
            plant::stopped(&mut bench, StopReason::Requested);
        }
        bench.world.tick(3 * HOUR_NS);
        plant::started(&mut bench, last_end);
        bench.hours(70, |_| 30);
        let report = bench.report();
        let silent =
            report.systems[0].findings.iter().find(|finding| finding.rule == "silent-hours").unwrap();
        assert_eq!((silent.severity, silent.count), (severity, 3), "{silent:?}");
    }
}

#[test]
fn an_accepted_finding_counts_again_when_its_time_is_over() {
    let mut bench = Bench::new();
    bench.calling(|call| call.model.identity = ModelIdentity::Alias);
    let accept = |bench: &mut Bench, hours: u64| {
        let until = Timestamp(bench.world.now_ns + hours * HOUR_NS);
        let (finding, rule) = (name("model-alias/credit"), name("model-alias"));
        let mut event = bench
            .world
            .event(bench::SYSTEM, RiskAccepted { by: Some(Pseudonym::new([4; 16])), finding, rule, until });
        let reason = bench.sealed(Role::RiskReason);
        event.payloads.push(reason);
        bench.life_event(event)
    };
    let failing = |bench: &mut Bench| {
        let report = bench.report();
        let finding = &report.systems[0].findings[0];
        let failing = report.failing(Severity::Warning).count();
        (
            failing,
            finding.acceptance.as_ref().map(|acceptance| acceptance.in_force),
            report.to_text(false, false),
        )
    };
    let (count, acceptance, _) = failing(&mut bench);
    assert_eq!((count, acceptance), (1, None));
    // The report is made two days later.
    accept(&mut bench, 72);
    let (count, acceptance, text) = failing(&mut bench);
    assert_eq!((count, acceptance), (0, Some(true)));
    assert!(text.contains("accepted  model-alias/credit  until 2026-11-24"), "{text}");
    accept(&mut bench, 24);
    let (count, acceptance, text) = failing(&mut bench);
    assert_eq!((count, acceptance), (1, Some(false)));
    assert!(text.contains("! accepted until 2026-11-22: that is over, it counts again"), "{text}");
}

#[test]
fn an_acceptance_from_long_before_the_window_holds() {
    let mut bench = Bench::new();
    let until = Timestamp(START_NS + 400 * DAY_NS);
    let (finding, rule) = (name("model-alias/credit"), name("model-alias"));
    bench.life(RiskAccepted { by: Some(Pseudonym::new([4; 16])), finding, rule, until });
    bench.world.tick(200 * DAY_NS);
    bench.options.since = Some(Timestamp(bench.world.now_ns));
    bench.calling(|call| call.model.identity = ModelIdentity::Alias);
    bench.minutes(1);
    let report = bench.report();
    assert_eq!(report.systems[0].findings.len(), 1);
    assert!(report.systems[0].findings[0].is_accepted());
}

#[test]
fn the_window_decides_what_is_judged_and_what_comes_later_still_counts() {
    let mut bench = Bench::new();
    // Before the window: an alias; in it: a decision that ends after it; after it: another alias.
    bench.calling(|call| call.model.identity = ModelIdentity::Alias);
    bench.minutes(10);
    bench.options.since = Some(Timestamp(bench.world.now_ns));
    let mut draft = bench.draft();
    let end = draft.closed.take().unwrap();
    let decision = bench.write(draft);
    bench.minutes(10);
    bench.options.until = Some(Timestamp(bench.world.now_ns));
    bench.minutes(10);
    bench.events(decision, vec![end]);
    bench.calling(|call| call.model.identity = ModelIdentity::Alias);
    let report = bench.report();
    let system = &report.systems[0];
    assert_eq!(system.findings, []);
    assert_eq!((system.counts.decisions, system.counts.closed, system.counts.model_calls), (1, 1, 1));
}

#[test]
fn shares_tell_what_is_there_explained_and_missing() {
    let mut bench = Bench::new();
    bench.clean();
    bench.calling(|call| {
        call.model.digest = None;
        call.model.absent.get_or_insert_default().digest = Some(AbsentReason::NotRegistered);
    });
    bench.calling(|call| call.model.digest = None);
    let report = bench.report();
    let system = &report.systems[0];
    let share = |name: &str| {
        let field = system.fields.iter().find(|field| field.field == name).unwrap();
        (field.of, field.there, field.explained, field.missing, field.level)
    };
    assert_eq!(share("inference.model.digest"), (3, 1, 1, 1, "R"));
    assert_eq!(share("inference.payloads[output.raw]"), (3, 3, 0, 0, "R"));
    assert_eq!(share("decision.opened.context.environment"), (3, 3, 0, 0, "R"));
    assert_eq!(share("decision.opened.context.region"), (3, 0, 0, 3, "r"));
    assert_eq!(system.kinds["inference"], 3);
    assert_eq!((system.routes[0].decisions, system.routes[0].with_subject), (3, 3));
    assert_eq!((system.captures[0].events, system.captures[0].share), (9, 1.0));
    let of: Vec<_> =
        system.findings.iter().map(|finding| (finding.id.as_str(), finding.of, finding.of_what)).collect();
    assert_eq!(of, [("field/inference.model.digest", Some(9), Some("events"))]);
}

#[test]
fn a_write_over_several_entries_is_judged_as_one() {
    let mut bench = Bench::new();
    let mut draft = bench.draft();
    // The answer's reference comes after so many others that it stands in a later entry.
    let mut payloads: Vec<_> = (0..200).map(|_| bench.sealed(Role::Prompt)).collect();
    payloads.append(&mut draft.steps[0].payloads);
    draft.steps[0].payloads = payloads;
    bench.write(draft);
    assert!(bench.world.size(bench::SYSTEM) > 2, "it fits one entry");
    let report = bench.report();
    assert_eq!(report.systems[0].findings, []);
    assert_eq!(report.systems[0].counts.events, 3);
}

#[test]
fn the_same_log_gives_the_same_report() {
    let mut bench = Bench::new();
    for fault in FAULTS.iter().filter(|fault| fault.rule != Rule::SilentHours) {
        (fault.broken)(&mut bench);
    }
    let one = serde_json::to_string(&bench.report()).unwrap();
    assert_eq!(one, serde_json::to_string(&bench.report()).unwrap());
    let sorted: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(one, serde_json::to_string(&sorted).unwrap(), "members are sorted");
    let text = bench.report().to_text(false, true);
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    assert_eq!(wide, [""; 0]);
}
