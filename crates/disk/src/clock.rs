//! Time: the wall clock, which people and other machines can move, and the boot clock, which nobody can.

use std::fmt::Debug;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// A source of time.
pub trait Clock: Send + Sync + Debug + 'static {
    /// Wall time, nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted. May jump either way. Zero if the clock
    /// stands before 1970.
    fn now_ns(&self) -> u64;

    /// Nanoseconds since the machine started, suspension included. Never goes back until the next start.
    fn boot_ns(&self) -> u64;

    /// What the machine says of its wall clock; `None` if it cannot be asked.
    fn sync_state(&self) -> Option<ClockState>;
}

/// What is known of the wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Whether the wall clock follows a reference.
    pub synchronised: bool,
    /// How far the wall clock is believed to be ahead of the reference, nanoseconds; `None` if that is not known.
    pub offset_ns: Option<i64>,
    /// The largest error that is admitted, nanoseconds; `None` if that is not known.
    pub max_error_ns: Option<u64>,
    /// Who says so.
    pub source: String,
}

/// This machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT_CLOCK: ClockId = ClockId::Boottime;
// Elsewhere the monotonic clock is the nearest; on macOS it counts suspension too.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT_CLOCK: ClockId = ClockId::Monotonic;

impl Clock for SystemClock {
    fn now_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ns)
    }

    fn boot_ns(&self) -> u64 {
        let time = clock_gettime(BOOT_CLOCK);
        ns(Duration::try_from(time).unwrap_or_default())
    }

    fn sync_state(&self) -> Option<ClockState> {
        #[cfg(target_os = "linux")]
        return crate::kernel_clock::kernel_state();
        #[cfg(not(target_os = "linux"))]
        None
    }
}

/// Nanoseconds of a duration; 584 years fit.
fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Clocks that stand still until they are told to move, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Hands>);

#[derive(Debug)]
struct Hands {
    now_ns: u64,
    boot_ns: u64,
    state: Option<ClockState>,
}

impl ManualClock {
    /// A wall clock at `now_ns` (nanoseconds since 1970) and a boot clock at zero, of which no time service tells.
    pub fn new(now_ns: u64) -> Self {
        Self(Mutex::new(Hands { now_ns, boot_ns: 0, state: None }))
    }

    /// Lets time pass: both clocks move.
    pub fn advance(&self, by: Duration) {
        let mut hands = self.0.lock();
        hands.now_ns = hands.now_ns.saturating_add(ns(by));
        hands.boot_ns = hands.boot_ns.saturating_add(ns(by));
    }

    /// Sets the wall clock alone, as an administrator or a time service does.
    pub fn set_now_ns(&self, now_ns: u64) {
        self.0.lock().now_ns = now_ns;
    }

    /// Restarts the machine: the boot clock begins at zero again.
    pub fn reboot(&self) {
        self.0.lock().boot_ns = 0;
    }

    /// Sets what the time service says.
    pub fn set_sync_state(&self, state: Option<ClockState>) {
        self.0.lock().state = state;
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.0.lock().now_ns
    }

    fn boot_ns(&self) -> u64 {
        self.0.lock().boot_ns
    }

    fn sync_state(&self) -> Option<ClockState> {
        self.0.lock().state.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_counts_while_the_wall_clock_tells_the_year() {
        let (wall, boot) = (SystemClock.now_ns(), SystemClock.boot_ns());
        std::thread::sleep(Duration::from_millis(5));
        assert!(SystemClock.boot_ns() - boot >= 5_000_000);
        assert!(wall > 1_750_000_000_000_000_000, "before 2025: {wall}");
    }

    #[test]
    fn setting_the_wall_clock_leaves_the_boot_clock() {
        let clock = ManualClock::new(1_000);
        clock.advance(Duration::from_nanos(30));
        clock.set_now_ns(5);
        assert_eq!((clock.now_ns(), clock.boot_ns()), (5, 30));
        clock.reboot();
        assert_eq!((clock.now_ns(), clock.boot_ns()), (5, 0));
    }
}
