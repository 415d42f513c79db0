//! What a crash keeps of all that was not durable.

use super::tree::NameOp;

/// How much of what was not durable a crash keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: exactly what was synced is there.
    Nothing,
    /// Everything that the disk has not refused: all but what a failed sync lost.
    Everything,
    /// Any state that a disk could hold, as the seed decides: all, nothing, a prefix or any subset of each file's sectors;
    /// any of its lengths; names in the order of a journal, or any subset in which operations on one name keep their order.
    Any,
}

/// What is in a sector that was being written when power failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Torn {
    /// Its old or its new content: what disks promise.
    #[default]
    OldOrNew,
    /// Now and then garbage, in the whole sector, bytes that were durable before included: what cheap disks do.
    Garbage,
}

/// One sector in so many that were being written turns to garbage.
const GARBAGE_ONE_IN: u8 = 8;

/// What a sector holds after the crash.
pub(super) enum Choice<'a> {
    Durable,
    State(usize),
    Garbage(&'a mut fastrand::Rng),
}

/// How a file's sectors survive.
#[derive(Clone, Copy)]
enum Pattern {
    /// What was synced.
    Nothing,
    /// The newest state of each sector that was not lost.
    Everything,
    /// The newest state of the first sectors, in the file's order; the fraction says how many.
    Prefix(f64),
    /// Each sector by itself, with this probability.
    Scatter(f64),
}

/// Decides the fate of one file.
pub(super) struct FileFate<'a> {
    pattern: Pattern,
    /// Whether even what a failed sync lost may turn out to be there.
    lost_too: bool,
    torn: Torn,
    rng: &'a mut fastrand::Rng,
}

impl<'a> FileFate<'a> {
    pub(super) fn new(keep: Keep, torn: Torn, rng: &'a mut fastrand::Rng) -> Self {
        let (pattern, lost_too) = match keep {
            Keep::Nothing => (Pattern::Nothing, false),
            Keep::Everything => (Pattern::Everything, false),
            Keep::Any => {
                let pattern = match rng.u8(0..4) {
                    0 => Pattern::Nothing,
                    1 => Pattern::Everything,
                    2 => Pattern::Prefix(rng.f64()),
                    _ => Pattern::Scatter(rng.f64()),
                };
                (pattern, rng.bool())
            }
        };
        // Only a disk that tears at all may leave garbage.
        let torn = if keep == Keep::Any { torn } else { Torn::OldOrNew };
        Self { pattern, lost_too, torn, rng }
    }

    /// Which of `count` lengths since the durable one the file has; `None`: the durable one.
    pub(super) fn length(&mut self, count: usize, dirty: bool) -> Option<usize> {
        if count == 0 || !(dirty || self.lost_too) {
            return None;
        }
        match self.pattern {
            Pattern::Nothing => None,
            Pattern::Everything => Some(count - 1),
            Pattern::Prefix(_) | Pattern::Scatter(_) => self.rng.usize(0..=count).checked_sub(1),
        }
    }

    /// What the `index`th of `count` sectors that were written since the last sync holds, having been in `states` states.
    pub(super) fn sector(&mut self, index: usize, count: usize, states: usize, dirty: bool) -> Choice<'_> {
        if states == 0 || !(dirty || self.lost_too) {
            return Choice::Durable;
        }
        if self.torn == Torn::Garbage && self.rng.u8(0..GARBAGE_ONE_IN) == 0 {
            return Choice::Garbage(self.rng);
        }
        match self.pattern {
            Pattern::Nothing => Choice::Durable,
            Pattern::Everything => Choice::State(states - 1),
            Pattern::Prefix(part) if (index as f64) < part * count as f64 => Choice::State(states - 1),
            Pattern::Prefix(_) => Choice::Durable,
            Pattern::Scatter(chance) if self.rng.f64() < chance => Choice::State(self.rng.usize(0..states)),
            Pattern::Scatter(_) => Choice::Durable,
        }
    }
}

/// Which of the pending operations on names survive: as long as `ops`.
pub(super) fn surviving_names(ops: &[NameOp], keep: Keep, rng: &mut fastrand::Rng) -> Vec<bool> {
    let mut survives: Vec<bool> = match keep {
        Keep::Nothing => vec![false; ops.len()],
        Keep::Everything => return with_needed(ops, ops.iter().map(|op| !op.lost).collect()),
        // A journal: what came first is there.
        Keep::Any if rng.bool() => {
            let count = rng.usize(0..=ops.len());
            (0..ops.len()).map(|index| index < count).collect()
        }
        Keep::Any => {
            let chance = rng.f64();
            ops.iter().map(|_| rng.f64() < chance).collect()
        }
    };
    // Nothing survives without what it builds on.
    for index in 0..ops.len() {
        survives[index] &= (0..index).all(|before| survives[before] || !ops[index].needs(&ops[before]));
    }
    survives
}

/// The chosen operations and all that they build on.
pub(super) fn with_needed(ops: &[NameOp], mut chosen: Vec<bool>) -> Vec<bool> {
    // Backwards: what an operation needs comes before it, and may need more in turn.
    for index in (0..ops.len()).rev() {
        if chosen[index] {
            for before in 0..index {
                chosen[before] |= ops[index].needs(&ops[before]);
            }
        }
    }
    chosen
}
