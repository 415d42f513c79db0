//! The time that a statement has.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time that a statement has left. It stands still while whoever takes its rows takes them.
#[derive(Debug)]
pub struct Clock(Mutex<State>);

#[derive(Debug)]
struct State {
    left: Duration,
    /// Since when it runs; not while it stands.
    since: Option<Instant>,
}

impl Clock {
    /// A clock that runs from now on.
    pub fn start(time_max: Duration) -> Self {
        Self(Mutex::new(State { left: time_max, since: Some(Instant::now()) }))
    }

    /// By how much the time is over; `None` while there is some left, or while the clock stands.
    pub fn overdue(&self) -> Option<Duration> {
        let state = self.0.lock();
        state.since?.elapsed().checked_sub(state.left)
    }

    /// The time left.
    pub fn left(&self) -> Duration {
        let state = self.0.lock();
        state.left.saturating_sub(state.since.map(|since| since.elapsed()).unwrap_or_default())
    }

    /// Does what is not the statement's doing.
    pub fn untimed<T>(&self, work: impl FnOnce() -> T) -> T {
        {
            let mut state = self.0.lock();
            state.left =
                state.left.saturating_sub(state.since.map(|since| since.elapsed()).unwrap_or_default());
            state.since = None;
        }
        let done = work();
        self.0.lock().since = Some(Instant::now());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_while_rows_are_taken() {
        let clock = Clock::start(Duration::from_millis(40));
        clock.untimed(|| std::thread::sleep(Duration::from_millis(60)));
        assert!(clock.overdue().is_none() && clock.left() > Duration::ZERO);
        std::thread::sleep(Duration::from_millis(50));
        assert!(clock.overdue().is_some() && clock.left() == Duration::ZERO);
    }
}
