//! The door of the policy in force.

use super::Door;
use crate::recorder::draft::NewEvent;
use crate::recorder::{RecordError, System};
use inferlog_record::Digest;
use parking_lot::Mutex;
use std::sync::Arc;

/// The door that was made last, and of which policy.
#[derive(Default)]
pub(crate) struct DoorInForce(Mutex<Option<(Digest, Arc<Door>)>>);

impl System {
    /// What the policy in force takes out of content; `None` if that is nothing. The caller holds the gate, so that the policy stays.
    ///
    /// # Errors
    /// Rules that cannot be applied: nothing is recorded without them. [`inferlog_policy::Policy::check`] refuses such a policy.
    pub(crate) fn door(&self) -> Result<Option<Arc<Door>>, RecordError> {
        let Some(policy) = self.policy() else { return Ok(None) };
        let mut known = self.state.door.0.lock();
        let door = match &*known {
            Some((of, door)) if *of == policy.sha256 => door.clone(),
            _ => {
                let made = Door::new(&policy.policy);
                let door = Arc::new(
                    made.map_err(|error| RecordError::Invalid(format!("policy {}: {error}", policy.id)))?,
                );
                *known = Some((policy.sha256, door.clone()));
                door
            }
        };
        Ok(Some(door).filter(|door| !door.is_open()))
    }

    /// Takes names that hold something personal out of clear fields.
    pub(crate) fn hide_names(&self, events: &mut [NewEvent]) -> Result<(), RecordError> {
        if let Some(door) = self.door()? {
            events.iter_mut().for_each(|event| door.names(event));
        }
        Ok(())
    }
}
