//! The systems of a directory that this process holds, by name: a name that was mistyped makes none.

use inferlog::Instance;
use inferlog_capture::recorder::System;
use inferlog_record::SystemName;

use crate::output::Failure;

/// The system of this name.
pub(super) async fn system_of(instance: &Instance, name: &SystemName) -> Result<System, Failure> {
    let systems = instance.recorder.systems().await;
    systems.iter().find(|system| system.name() == name).cloned().ok_or_else(|| {
        let known: Vec<_> = systems.iter().map(|system| system.name().as_str()).collect();
        Failure::new(format!("there is no log of {name} here; there are: {}", known.join(", ")))
    })
}

/// All systems, or the one of this name.
pub(super) async fn systems_of(
    instance: &Instance,
    only: Option<&SystemName>,
) -> Result<Vec<System>, Failure> {
    Ok(match only {
        Some(name) => vec![system_of(instance, name).await?],
        None => instance.recorder.systems().await,
    })
}
