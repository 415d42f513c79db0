//! The second pass: payloads opened for identifiers and content.

use super::Follower;
use crate::engine::Engine;
use crate::error::Result;

impl<E: Engine> Follower<E> {
    /// Looks at payloads of one log by one transaction. True if nothing is left to look at.
    pub(super) fn identify(&mut self, _at: usize) -> Result<bool> {
        Ok(true)
    }
}
