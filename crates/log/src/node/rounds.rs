//! What is done on the integrator's thread between two rounds: packs are closed and empty directories removed there, so that nothing
//! is appended to the one or created in the other meanwhile.

use super::{LogHandle, Node, Shared};
use crate::LogDir;
use crate::error::{AppendError, LogError, Result};
use crate::prune::{BetweenRounds, Job, Pruner};

impl Node {
    /// The right to prune a log of this node, an older epoch too.
    pub fn pruner(&self, dir: LogDir) -> Pruner {
        Pruner::new(self.env.fs.clone(), dir, self.shared.clone())
    }
}

impl LogHandle {
    /// The right to prune the log.
    pub fn pruner(&self) -> Pruner {
        Pruner::new(self.shared.env.fs.clone(), self.dir.clone(), self.shared.clone())
    }
}

impl BetweenRounds for Shared {
    fn run(&self, job: Job) -> Result<()> {
        let refused = |error: AppendError| LogError::hook("cannot reach the integrator", error.into());
        let (done, result) = std::sync::mpsc::channel();
        {
            let mut work = self.state.lock();
            if let Some(why) = &work.poison {
                return Err(refused(AppendError::Poisoned(why.clone())));
            }
            if work.is_over {
                return Err(refused(AppendError::Closed));
            }
            work.jobs.push((job, done));
            work.requested = true;
        }
        self.wake.notify_all();
        // Dropped with what the thread leaves when it ends.
        result.recv().unwrap_or_else(|_| Err(refused(AppendError::Closed)))
    }
}
