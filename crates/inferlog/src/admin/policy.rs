//! Policies: put in force by the process that holds the directory, so that what it records is under them at once.

use inferlog::{Instance, PolicySet};
use inferlog_policy::Policy;
use serde::{Deserialize, Serialize};

use crate::followers::Followers;
use crate::output::Failure;

/// A policy that is in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PolicyDone {
    /// `<system>/<version>`.
    pub(crate) policy: String,
    /// SHA-256 of its text.
    pub(crate) sha256: String,
    /// What was in force before: `<system>/<version>`.
    pub(crate) before: Option<String>,
    /// Whether it is new.
    pub(crate) is_new: bool,
}

/// Puts a policy in force. Indices that follow begin anew where what may stand in them in clear is another.
pub(super) async fn set(
    instance: &Instance,
    followers: &Followers,
    text: &str,
) -> Result<PolicyDone, Failure> {
    let system = Policy::parse(text)?.system;
    let before = instance.recorder.systems().await.into_iter().find(|known| *known.name() == system);
    let cleared = before.and_then(|system| system.policy()).map(|known| known.policy.clear_content.clone());
    let set = instance.set_policy(text).await?;
    instance.recorder.integrate().await?;
    if set.is_new && cleared.unwrap_or_default() != set.policy.policy.clear_content {
        let (followers, instance) = (followers.clone(), instance.clone());
        tokio::task::spawn_blocking(move || followers.start(&instance)).await?;
    }
    tracing::info!(policy = %set.policy.id, sha256 = %set.policy.sha256, is_new = set.is_new, "a policy is in force");
    Ok(done(&set))
}

fn done(set: &PolicySet) -> PolicyDone {
    PolicyDone {
        policy: set.policy.id.to_string(),
        sha256: set.policy.sha256.to_string(),
        before: set.before.as_ref().map(|(id, _)| id.to_string()),
        is_new: set.is_new,
    }
}
