//! Faults: which calls fail, and how.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::call::{Call, Op};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The call reports an error and changes nothing, but for syncs, which fail as on Linux: what they should have made
    /// durable stays readable, counts as clean, and no later sync makes it durable unless it is written again.
    NoEffect,
    /// The call takes full effect and reports an error.
    Applied,
    /// A write puts a prefix of its bytes in place, an allocation reserves a part, and reports an error. Other calls: as
    /// [`How::NoEffect`].
    Partial,
    /// The machine loses power during the call: it and every later one fail until [`super::SimFs::crash`], which finds the
    /// call's effect among all else that was not durable.
    PowerLoss,
}

type Predicate = Arc<dyn Fn(&Call) -> bool + Send + Sync>;

/// A plan to fail calls. The first plan that wants a call has it.
#[derive(Clone)]
pub struct Fault {
    matches: Predicate,
    skip: u64,
    times: u64,
    chance: f64,
    how: How,
    kind: ErrorKind,
}

impl Fault {
    /// Fails every call that `matches`. The predicate must not use the file system: it is called while that is locked.
    pub fn on(matches: impl Fn(&Call) -> bool + Send + Sync + 'static) -> Self {
        Self {
            matches: Arc::new(matches),
            skip: 0,
            times: u64::MAX,
            chance: 1.0,
            how: How::NoEffect,
            kind: ErrorKind::Other,
        }
    }

    /// Fails the call with this [`Call::index`].
    pub fn at(index: u64) -> Self {
        Self::on(move |call| call.index == index)
    }

    /// Fails the `n`th call of `op`, from 0, counted from when the fault is injected.
    pub fn nth(op: Op, n: u64) -> Self {
        Self::on(move |call| call.op == op).after(n).times(1)
    }

    /// Lets the first `calls` that match pass.
    #[must_use]
    pub fn after(self, calls: u64) -> Self {
        Self { skip: calls, ..self }
    }

    /// Fails no more than so many calls.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Fails each matching call with this probability only, 0 to 1, as the simulation's seed decides.
    #[must_use]
    pub fn chance(self, chance: f64) -> Self {
        Self { chance, ..self }
    }

    /// How the calls fail; [`How::NoEffect`] unless said.
    #[must_use]
    pub fn how(self, how: How) -> Self {
        Self { how, ..self }
    }

    /// What error they report; [`ErrorKind::Other`] unless said.
    #[must_use]
    pub fn kind(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// Whether this call fails, and how; counts it.
    pub(super) fn strike(&mut self, call: &Call, rng: &mut fastrand::Rng) -> Option<(How, io::Error)> {
        if self.times == 0 || !(self.matches)(call) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if self.chance < 1.0 && rng.f64() >= self.chance {
            return None;
        }
        self.times -= 1;
        Some((self.how, io::Error::new(self.kind, "injected fault")))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { skip, times, chance, how, kind, .. } = self;
        write!(f, "Fault({how:?}, {kind:?}, after {skip}, times {times}, chance {chance})")
    }
}
