//! Forgetting a follower: said in every log that waits for it, then nobody waits any more.

use inferlog::Instance;
use inferlog_log::{Cursor, list_logs};
use serde::{Deserialize, Serialize};

use super::Followers;
use super::required::required;
use crate::output::Failure;

/// Who is to be forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ForgetAsked {
    pub(crate) name: String,
    pub(crate) reason: String,
    /// Who has it done.
    pub(crate) actor: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ForgetDone {
    /// The events that say so, one for each system whose log can be written.
    pub(crate) events: Vec<String>,
    /// Erasures and purges that the follower had not applied, over all logs.
    pub(crate) erasures: u64,
    pub(crate) purges: u64,
}

/// Says on the record that nobody waits for a follower any more, then takes its cursors away. A crash in between leaves cursors of one
/// that is said to be forgotten: the command is given again.
pub(crate) async fn forget(
    instance: &Instance,
    followers: &Followers,
    asked: ForgetAsked,
) -> Result<ForgetDone, Failure> {
    let ForgetAsked { name, reason, actor } = asked;
    if followers.reports().iter().any(|report| report.name == name) {
        return Err(Failure::new(format!(
            "the process that serves follows as {name}: take it out of the configuration first"
        )));
    }
    let fs = instance.env.fs.clone();
    let waits = required(&fs, &instance.data)?.remove(&name);
    let Some(waits) = waits else {
        return Err(Failure::new(format!(
            "no log has a cursor of {name}; `inferlog followers` lists those that have one"
        )));
    };
    let by = actor.map_or(String::new(), |actor| format!(" by {actor}"));
    let reason = format!("the follower {name} is forgotten{by}: {reason}");
    let mut events = Vec::new();
    for system in instance.recorder.systems().await {
        let lag = waits.iter().filter(|waits| waits.system == system.name().as_str());
        let left: u64 = lag.map(|waits| waits.size.saturating_sub(waits.cursor)).sum();
        events.push(system.tell_follower_skip(left, &reason).await?.to_string());
    }
    for dir in list_logs(&*fs, &instance.data)? {
        Cursor::open(fs.clone(), &dir, &name)?.forget()?;
    }
    let erasures = waits.iter().map(|waits| waits.erasures).sum();
    let purges = waits.iter().map(|waits| waits.purges).sum();
    Ok(ForgetDone { events, erasures, purges })
}
