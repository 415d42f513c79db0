//! The index in the data directory, followed by a command while nobody serves: an erasure waits for it.

use inferlog_index::sqlite_path;

use crate::admin::Door;
use crate::followers::{Followers, Store};

/// Follows while it is there, where this process holds the directory and an index stands in it.
pub(crate) struct FollowHere(Option<Followers>);

impl FollowHere {
    /// Begins, if there is anything to follow into.
    pub(crate) async fn start(door: &Door) -> Self {
        let Door::Own(instance) = door else { return Self(None) };
        if !sqlite_path(&instance.data).exists() {
            return Self(None);
        }
        let (followers, instance) = (Followers::new(vec![Store::Sqlite]), instance.clone());
        let started = followers.clone();
        drop(tokio::task::spawn_blocking(move || started.start(&instance)).await);
        Self(Some(followers))
    }

    /// Ends in order.
    pub(crate) async fn stop(self) {
        if let Some(followers) = self.0 {
            drop(tokio::task::spawn_blocking(move || followers.stop()).await);
        }
    }
}
