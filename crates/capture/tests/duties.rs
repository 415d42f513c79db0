//! Duties of law that withhold content from an erasure, and clocks that are wrong while they do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/keeping.rs"]
mod keeping;
#[path = "support/simulated.rs"]
mod simulated;

use inferlog_capture::recorder::{EraseRequest, ErasureOutcome as Outcome, InForce, Target};
use inferlog_disk::{Clock, ClockState};
use inferlog_record::Timestamp;
use inferlog_record::body::{OrderKind, Refusal, Scope};
use keeping::{DAY, World, erase, hold, record, release, withheld};
use std::collections::BTreeSet;

/// Whether a time service vouches for the clock from now on.
fn vouch(world: &World, synchronised: bool) {
    let (offset_ns, max_error_ns) = (Some(0), Some(1_000_000));
    let source = "kernel".to_owned();
    world.clock.set_sync_state(Some(ClockState { synchronised, offset_ns, max_error_ns, source }));
}

/// Sets the wall clock by whole days, while no process runs that would see it.
fn set(world: &World, days: i64) {
    let by = days * DAY.as_nanos() as i64;
    world.clock.set_now_ns(world.clock.now_ns().checked_add_signed(by).unwrap());
}

const POLICY: &str = r#"
system = "credit"
version = "1"
profile = "high-risk"

[[class]]
name = "default"
floor = "10 days"
target = "20 days"
legal_basis = "a law"
erasure = "after-floor"
below_legal_floor = "Kim answers for it: a test"
"#;

#[tokio::test]
async fn a_duty_of_law_withholds_until_its_floor_is_over_by_a_clock_that_is_trusted() {
    let mut world = World::new(5);
    vouch(&world, true);
    let (recorder, system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    let old = record(&system, &["ada"]).await;
    world.clock.advance(6 * DAY);
    let new = record(&system, &["ada"]).await;
    let floor = Timestamp(world.clock.now_ns() + 10 * DAY.as_nanos() as u64);
    let refused = erase(&recorder, "ada").await;
    assert_eq!((refused.outcome, refused.withheld.len()), (Outcome::Refused, 2));
    assert!(refused.withheld.iter().any(|one| one.decision == new && one.until == Some(floor)));
    // A day later than the floor ends, as purges do.
    world.clock.advance(4 * DAY + DAY / 2);
    assert_eq!(erase(&recorder, "ada").await.outcome, Outcome::Refused);
    world.clock.advance(DAY);
    let erased = erase(&recorder, "ada").await;
    assert_eq!((withheld(&erased), erased.decisions), (BTreeSet::from([new]), 1));
    assert_eq!(erased.withheld[0].why, [Refusal::LegalDuty]);
    assert_eq!((world.opens(&recorder, old).await, world.opens(&recorder, new).await), ((0, 1), (1, 0)));
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 0);
    world.clock.advance(6 * DAY);
    // A start does not take the clock's word for it, though it knows no policy, nor does the release of a hold.
    let (recorder, system) = world.reopen(recorder, system).await;
    assert_eq!(world.opens(&recorder, new).await, (1, 0));
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    let hold = hold(&system, Scope::default()).await;
    release(&system, hold).await;
    assert_eq!(world.opens(&recorder, new).await, (1, 0));
    let resumed = recorder.resume_withheld().await.unwrap();
    assert_eq!((resumed.len(), resumed[0].outcome.clone(), resumed[0].decisions), (1, Outcome::Completed, 1));
    assert_eq!(world.opens(&recorder, new).await, (0, 1));
    // An order is not a request: the exception is one from a person's right.
    let ordered = record(&system, &["eve", "ada"]).await;
    assert_eq!(erase(&recorder, "eve").await.outcome, Outcome::Refused);
    let eve = Target::Subject(b"eve".to_vec());
    let plans = recorder.plan_erasure(&eve, None, OrderKind::Court).await.unwrap();
    assert_eq!((plans[0].decisions, plans[0].shared, plans[0].withheld.len()), (1, 1, 0));
    let order = EraseRequest::new(Target::Subject(b"eve".to_vec()), OrderKind::Court);
    assert_eq!(recorder.erase(order).await.unwrap()[0].outcome, Outcome::Completed);
    assert_eq!(world.opens(&recorder, ordered).await, (0, 1));
}

#[tokio::test]
async fn a_clock_that_was_set_ends_no_duty_of_law() {
    let mut world = World::new(9);
    vouch(&world, true);
    let (recorder, system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    let old = record(&system, &["ada"]).await;
    world.clock.advance(6 * DAY);
    let new = record(&system, &["ada"]).await;
    world.clock.advance(6 * DAY);
    assert_eq!(withheld(&erase(&recorder, "ada").await), BTreeSet::from([new]));
    let eve = record(&system, &["eve"]).await;
    let true_ns = world.clock.now_ns();
    world.clock.set_now_ns(true_ns + 400 * DAY.as_nanos() as u64);
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 0);
    let plans =
        recorder.plan_erasure(&Target::Subject(b"eve".to_vec()), None, OrderKind::Request).await.unwrap();
    assert!(plans[0].is_refused(), "{plans:?}");
    assert_eq!(erase(&recorder, "eve").await.outcome, Outcome::Refused);
    assert_eq!((world.opens(&recorder, new).await, world.opens(&recorder, eve).await), ((1, 0), (1, 0)));
    // Set right again it is still in doubt, until somebody says that it is right.
    world.clock.set_now_ns(true_ns);
    world.clock.advance(6 * DAY);
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 0);
    recorder.settle_clock(None, None, Some("kim")).await.unwrap();
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 1);
    assert_eq!((world.opens(&recorder, old).await, world.opens(&recorder, new).await), ((0, 1), (0, 1)));
}

#[tokio::test]
async fn a_start_with_the_clock_days_ahead_ends_no_duty_of_law() {
    let mut world = World::new(11);
    let (recorder, system) = world.open().await;
    let ada = record(&system, &["ada"]).await;
    recorder.close().await.unwrap();
    drop((recorder, system));
    set(&world, 5);
    let (recorder, _system) = world.open().await;
    let policy = POLICY.replace("10 days", "4 days");
    recorder.put_in_force(InForce::read(&policy).unwrap()).await.unwrap();
    assert_eq!(recorder.clock_frozen(), None, "a machine may have been off for so long");
    let plans =
        recorder.plan_erasure(&Target::Subject(b"ada".to_vec()), None, OrderKind::Request).await.unwrap();
    assert!(plans[0].is_refused(), "{plans:?}");
    let refused = erase(&recorder, "ada").await;
    assert_eq!(
        (refused.outcome, refused.withheld[0].why.clone()),
        (Outcome::Refused, vec![Refusal::LegalDuty])
    );
    assert!(refused.withheld[0].until.unwrap().nanos() < world.clock.now_ns(), "by this clock it is over");
    assert_eq!(world.opens(&recorder, ada).await, (1, 0));
    vouch(&world, true);
    assert_eq!(erase(&recorder, "ada").await.outcome, Outcome::Completed);
    assert_eq!(world.opens(&recorder, ada).await, (0, 1));
}

#[tokio::test]
async fn a_leap_that_an_earlier_process_stamped_ends_no_duty_of_law() {
    let mut world = World::new(12);
    vouch(&world, true);
    let (recorder, system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    record(&system, &["ada"]).await;
    world.clock.advance(6 * DAY);
    let (ada, eve) = (record(&system, &["ada"]).await, record(&system, &["eve"]).await);
    world.clock.advance(6 * DAY);
    // An erasure that goes on by itself.
    assert_eq!(withheld(&erase(&recorder, "ada").await), BTreeSet::from([ada]));
    recorder.close().await.unwrap();
    drop((recorder, system));
    vouch(&world, false);
    set(&world, 30);
    let (recorder, system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    assert!(recorder.clock_frozen().is_some());
    assert_eq!(erase(&recorder, "eve").await.outcome, Outcome::Refused);
    // This start finds the log as new as its clock.
    let (recorder, _system) = world.reopen(recorder, system).await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    assert_eq!(recorder.clock_frozen(), None);
    assert_eq!(erase(&recorder, "eve").await.outcome, Outcome::Refused);
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 0);
    assert_eq!((world.opens(&recorder, ada).await, world.opens(&recorder, eve).await), ((1, 0), (1, 0)));
    recorder.settle_clock(None, None, Some("kim")).await.unwrap();
    assert_eq!(recorder.resume_withheld().await.unwrap().len(), 1);
    assert_eq!(erase(&recorder, "eve").await.outcome, Outcome::Completed);
    assert_eq!((world.opens(&recorder, ada).await, world.opens(&recorder, eve).await), ((0, 1), (0, 1)));
}

#[tokio::test]
async fn what_was_stamped_too_early_is_kept_from_when_it_was_recorded() {
    let mut world = World::new(13);
    vouch(&world, true);
    let (recorder, system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    recorder.close().await.unwrap();
    drop((recorder, system));
    set(&world, -20);
    let (recorder, system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    let ada = record(&system, &["ada"]).await;
    recorder.close().await.unwrap();
    drop((recorder, system));
    set(&world, 20);
    let (recorder, _system) = world.open().await;
    recorder.put_in_force(InForce::read(POLICY).unwrap()).await.unwrap();
    let right = world.clock.now_ns();
    assert_eq!(recorder.clock_frozen(), None);
    let until = erase(&recorder, "ada").await.withheld[0].until.unwrap();
    assert!(until >= Timestamp(right + 10 * DAY.as_nanos() as u64), "{until}");
    world.clock.advance(6 * DAY);
    assert_eq!(erase(&recorder, "ada").await.outcome, Outcome::Refused);
    assert_eq!(world.opens(&recorder, ada).await, (1, 0));
    world.clock.advance(6 * DAY);
    assert_eq!(erase(&recorder, "ada").await.outcome, Outcome::Completed);
    assert_eq!(world.opens(&recorder, ada).await, (0, 1));
}
