//! Minting ids.

use crate::recorder::RecordError;
use inferlog_disk::{Clock, Rng};
use inferlog_record::{Id, Timestamp};
use parking_lot::Mutex;
use std::sync::Arc;

/// Random bytes drawn at once: a decision mints a dozen ids, and each draw is a system call.
const DRAW_BYTES: usize = 2000;
/// Random bytes in one id.
const ID_BYTES: usize = 10;

/// Stamps times and mints ids.
#[derive(Debug)]
pub(crate) struct Minter {
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    drawn: Mutex<Vec<u8>>,
}

impl Minter {
    pub(crate) fn new(clock: Arc<dyn Clock>, rng: Arc<dyn Rng>) -> Self {
        Self { clock, rng, drawn: Mutex::new(Vec::new()) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ns())
    }

    /// A new id (RFC 9562, section 5.7), of the present millisecond.
    pub(crate) fn id(&self) -> Result<Id, RecordError> {
        let mut drawn = self.drawn.lock();
        if drawn.len() < ID_BYTES {
            drawn.resize(DRAW_BYTES, 0);
            if let Err(error) = self.rng.fill(&mut drawn) {
                drawn.clear();
                return Err(error.into());
            }
        }
        let at = drawn.len() - ID_BYTES;
        let mut random = [0; ID_BYTES];
        random.copy_from_slice(&drawn[at..]);
        drawn.truncate(at);
        Ok(Id::new(self.now().millis(), &random))
    }
}
