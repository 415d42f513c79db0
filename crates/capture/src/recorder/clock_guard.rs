//! Whether the wall clock can be trusted to say what is old enough to be removed.
//!
//! Nobody can move the boot clock. Wall time that departs from it, since both were last known to agree, was set: forward, it would make
//! everything old at once. Then purging is **frozen**, with the reason, until the clock is **settled**: by a time service that vouches for it for
//! as long as [`SETTLING`] while both clocks agree, or by a person, which stands in the log (`clock`, source `operator`). What
//! is recorded meanwhile is recorded as ever.
//!
//! Three grounds freeze:
//! - in this process wall time departed from the boot clock. Set forward by more than [`FORWARD_NS_MAX`], only a person settles it: the stamps
//!   before may be the wrong ones, and no time service knows that;
//! - at its start the wall clock was behind the newest entry of a log;
//! - at its start it was ahead of the newest entry by more than the time allowed, and nobody vouched for it.
//!
//! What a process does not live to see stands in the log as a step of its stamps (`purge/calendar.rs`).
//!
//! A clock that no time service vouches for does not freeze purging for that alone: a machine without one would keep everything for ever.
//! It is given the time allowed as a margin instead.

use inferlog_disk::Clock;
use inferlog_record::Timestamp;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Wall time may depart from the boot clock by so much without being set, nanoseconds: a minute.
pub(crate) const TOLERANCE_NS: u64 = 60_000_000_000;
/// And by so much of the time that passed, parts in a million: the fastest at which a clock is slewed.
pub(crate) const DRIFT_MILLIONTHS: u64 = 500;
/// Set forward by more than this, stamps from before are in doubt: half a day, nanoseconds, of the day's margin that purges keep.
pub(crate) const FORWARD_NS_MAX: u64 = 43_200_000_000_000;
/// The machine may have been off for so long before a clock that nobody vouches for is doubted, unless configured otherwise.
pub const AHEAD_MAX: Duration = Duration::from_secs(7 * 86_400);
/// How long a time service must vouch for the clock before it is settled.
pub(crate) const SETTLING: Duration = Duration::from_secs(3_600);
/// The largest error that a time service may admit, nanoseconds, to settle a clock: ten seconds.
pub(crate) const ERROR_NS_MAX: u64 = 10_000_000_000;

/// Why purging is frozen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frozen {
    /// Wall time was set while this process ran.
    Departed {
        /// By how much, nanoseconds; negative: back.
        by_ns: i128,
    },
    /// At the start the wall clock stood behind what was logged before.
    Behind {
        /// By how much, nanoseconds.
        by_ns: u64,
    },
    /// At the start the wall clock stood far ahead of what was logged last, and nobody vouched for it.
    Ahead {
        /// By how much, nanoseconds.
        by_ns: u64,
    },
    /// The stamps in the log leap ahead.
    Step {
        /// The first entry behind the leap.
        index: u64,
        /// By how much, nanoseconds.
        by_ns: u64,
    },
}

impl Frozen {
    /// A fixed name, for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Departed { .. } => "clock_set",
            Self::Behind { .. } => "clock_behind",
            Self::Ahead { .. } => "clock_ahead",
            Self::Step { .. } => "clock_step",
        }
    }

    /// Whether a time service that vouches for the clock settles it.
    pub fn settles_itself(&self) -> bool {
        match self {
            Self::Departed { by_ns } => *by_ns <= i128::from(FORWARD_NS_MAX),
            Self::Behind { .. } | Self::Ahead { .. } => true,
            Self::Step { .. } => false,
        }
    }
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Departed { by_ns } => {
                let way = if *by_ns < 0 { "back" } else { "forward" };
                let by = Span(u64::try_from(by_ns.unsigned_abs()).unwrap_or(u64::MAX));
                write!(f, "the wall clock was set {way} by {by} while this process ran")
            }
            Self::Behind { by_ns } => {
                write!(
                    f,
                    "the wall clock was {} behind the newest entry when this process began",
                    Span(*by_ns)
                )
            }
            Self::Ahead { by_ns } => {
                let by = Span(*by_ns);
                write!(
                    f,
                    "the wall clock was {by} ahead of the newest entry when this process began, and no time service vouched for it"
                )
            }
            Self::Step { index, by_ns } => {
                write!(f, "the stamps in the log leap ahead by {} at entry {index}", Span(*by_ns))
            }
        }
    }
}

/// A length of time for people.
struct Span(u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000_000;
        let (count, unit) = match seconds {
            172_800.. => (seconds / 86_400, "day"),
            7_200.. => (seconds / 3_600, "hour"),
            120.. => (seconds / 60, "minute"),
            _ => (seconds, "second"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// Watches the clock of one process.
#[derive(Debug)]
pub(crate) struct ClockGuard {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When both clocks were last taken to agree: wall, boot.
    base: (u64, u64),
    frozen: Option<Frozen>,
    /// Since when, by both clocks, a time service has vouched for the clock.
    vouched: Option<(u64, u64)>,
    ahead_ns: u64,
}

impl ClockGuard {
    /// Begins to watch: what the clocks show now is taken to agree.
    pub(crate) fn new(clock: Arc<dyn Clock>, ahead_max: Duration) -> Self {
        let ahead_ns = u64::try_from(ahead_max.as_nanos()).unwrap_or(u64::MAX);
        let state = State { base: hands(&*clock), frozen: None, vouched: None, ahead_ns };
        Self { clock, state: Mutex::new(state) }
    }

    /// Holds the clock against the newest entry of a log that was there before this process began.
    pub(crate) fn begin(&self, newest: Timestamp) {
        let mut state = self.state.lock();
        let (wall, newest) = (state.base.0, newest.nanos());
        let (behind, ahead) = (newest.saturating_sub(wall), wall.saturating_sub(newest));
        if behind > TOLERANCE_NS {
            state.frozen.get_or_insert(Frozen::Behind { by_ns: behind });
        } else if newest > 0 && ahead > state.ahead_ns && !is_vouched(&*self.clock) {
            state.frozen.get_or_insert(Frozen::Ahead { by_ns: ahead });
        }
    }

    /// Looks at the clocks. Why purging is frozen, if it is.
    pub(crate) fn look(&self) -> Option<Frozen> {
        let now = hands(&*self.clock);
        let mut state = self.state.lock();
        if let Some(by_ns) = departure(state.base, now) {
            tracing::error!(why = %Frozen::Departed { by_ns }, "purging is frozen");
            // The worst of several counts: what only a person settles stays so.
            if state.frozen.as_ref().is_none_or(Frozen::settles_itself) {
                state.frozen = Some(Frozen::Departed { by_ns });
            }
            (state.base, state.vouched) = (now, None);
        }
        if !is_vouched(&*self.clock) {
            state.vouched = None;
            return state.frozen.clone();
        }
        let since = *state.vouched.get_or_insert(now);
        let settling = u64::try_from(SETTLING.as_nanos()).unwrap_or(u64::MAX);
        if now.1.saturating_sub(since.1) >= settling {
            // Both clocks agreed all the while: the allowance for drift begins anew.
            (state.base, state.vouched) = (now, Some(now));
            if state.frozen.as_ref().is_some_and(Frozen::settles_itself) {
                tracing::info!("a time service vouches for the clock: purging goes on");
                state.frozen = None;
            }
        }
        state.frozen.clone()
    }

    /// A person says that the clock is right.
    pub(crate) fn settle(&self) {
        let mut state = self.state.lock();
        (state.base, state.frozen) = (hands(&*self.clock), None);
    }

    /// How much later than its target everything is removed.
    pub(crate) fn margin_ns(&self) -> u64 {
        let ahead_ns = self.state.lock().ahead_ns;
        let least = super::purge::MARGIN_NS;
        if is_vouched(&*self.clock) { least } else { ahead_ns.max(least) }
    }
}

fn hands(clock: &dyn Clock) -> (u64, u64) {
    (clock.now_ns(), clock.boot_ns())
}

/// By how much wall time departed from the boot clock, if by more than it may.
fn departure(base: (u64, u64), now: (u64, u64)) -> Option<i128> {
    let wall = i128::from(now.0) - i128::from(base.0);
    let boot = i128::from(now.1) - i128::from(base.1);
    let allowed =
        i128::from(TOLERANCE_NS) + boot.max(0).saturating_mul(i128::from(DRIFT_MILLIONTHS)) / 1_000_000;
    ((wall - boot).abs() > allowed).then_some(wall - boot)
}

/// Whether a time service vouches for the clock now.
fn is_vouched(clock: &dyn Clock) -> bool {
    let is_close = |error: Option<u64>| error.is_none_or(|error| error <= ERROR_NS_MAX);
    clock.sync_state().is_some_and(|state| state.synchronised && is_close(state.max_error_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inferlog_disk::{ClockState, ManualClock};

    const DAY: Duration = Duration::from_secs(86_400);
    const START: u64 = 1_795_219_200_000_000_000;

    fn guard() -> (Arc<ManualClock>, ClockGuard) {
        let clock = Arc::new(ManualClock::new(START));
        (clock.clone(), ClockGuard::new(clock, AHEAD_MAX))
    }

    fn vouch(clock: &ManualClock, synchronised: bool) {
        let (offset_ns, max_error_ns) = (Some(0), Some(1_000_000));
        let source = "kernel".to_owned();
        clock.set_sync_state(Some(ClockState { synchronised, offset_ns, max_error_ns, source }));
    }

    /// An hour and a bit, looked at every five minutes.
    fn pass_settling(clock: &ManualClock, guard: &ClockGuard) {
        for _ in 0..14 {
            clock.advance(Duration::from_secs(300));
            guard.look();
        }
    }

    #[test]
    fn clocks_that_agree_freeze_nothing() {
        let (clock, guard) = guard();
        guard.begin(Timestamp(START - 5));
        for _ in 0..800 {
            clock.advance(DAY);
            assert_eq!(guard.look(), None);
        }
        // Slewed by half a minute a day, which is within what slewing may do.
        for _ in 0..10 {
            clock.advance(DAY);
            clock.set_now_ns(clock.now_ns() + 30_000_000_000);
            assert_eq!(guard.look(), None);
        }
    }

    #[test]
    fn a_clock_that_is_set_freezes_until_it_is_settled() {
        for (by, itself) in
            [(-86_400_000_000_000_i64, true), (3_600_000_000_000, true), (172_800_000_000_000, false)]
        {
            let (clock, guard) = guard();
            clock.advance(DAY);
            clock.set_now_ns(clock.now_ns().checked_add_signed(by).unwrap());
            assert_eq!(guard.look(), Some(Frozen::Departed { by_ns: by.into() }));
            pass_settling(&clock, &guard);
            assert!(guard.look().is_some(), "nobody vouched");
            vouch(&clock, true);
            guard.look();
            assert!(guard.look().is_some(), "not long enough");
            pass_settling(&clock, &guard);
            assert_eq!(guard.look().is_none(), itself, "{by}");
            guard.settle();
            assert_eq!(guard.look(), None);
        }
    }

    #[test]
    fn a_leap_there_and_back_stays_in_doubt() {
        let (clock, guard) = guard();
        clock.set_now_ns(START + 40 * 86_400_000_000_000);
        guard.look();
        clock.set_now_ns(START);
        vouch(&clock, true);
        guard.look();
        pass_settling(&clock, &guard);
        assert!(matches!(guard.look(), Some(Frozen::Departed { by_ns }) if by_ns > 0));
    }

    #[test]
    fn a_start_holds_the_clock_against_the_log() {
        let day = 86_400_000_000_000;
        for (newest, vouched, expected) in [
            (START + day, true, Some(Frozen::Behind { by_ns: day })),
            (START + 30_000_000_000, false, None),
            (START - 6 * day, false, None),
            (START - 8 * day, false, Some(Frozen::Ahead { by_ns: 8 * day })),
            (START - 8 * day, true, None),
        ] {
            let (clock, guard) = guard();
            vouch(&clock, vouched);
            guard.begin(Timestamp(newest));
            assert_eq!(guard.look(), expected);
            vouch(&clock, true);
            guard.look();
            pass_settling(&clock, &guard);
            assert_eq!(guard.look(), None);
        }
    }

    #[test]
    fn who_has_no_time_service_keeps_everything_longer() {
        let (clock, guard) = guard();
        assert_eq!(guard.margin_ns(), 7 * 86_400_000_000_000);
        vouch(&clock, true);
        assert_eq!(guard.margin_ns(), 86_400_000_000_000);
    }
}
