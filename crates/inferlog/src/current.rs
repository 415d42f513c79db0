//! The data directory that `serve` holds: opened again by the process itself when its log or its keystore failed.
//!
//! A failed commit leaves a log that nobody may append to until it was recovered (`inferlog_log`). Recovery is what every start
//! does; here it is done without one. Meanwhile the gateway answers as each route's failure policy says.

use std::sync::Arc;
use std::time::Duration;

use inferlog::{Instance, OpenError, Settings};
use inferlog_capture::gateway::Gateway;
use inferlog_capture::recorder::RecordError;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::followers::Followers;

/// Time between two looks at how the directory is doing.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// Time between two attempts to open it again: it doubles from the first to the second.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// How long decisions that have their key may go on after the keystore failed.
const FINISH_TIME: Duration = Duration::from_secs(2);
/// How long what works with the directory, a command or a backup, is waited for.
const WORK_TIME_MAX: Duration = Duration::from_secs(60);

/// The directory in use, and what follows its log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Current {
    instance: Arc<RwLock<Instance>>,
    followers: Followers,
}

/// Keeps a directory open until it is stopped.
pub(crate) struct Keeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Why a directory could not be opened again.
#[derive(Debug, thiserror::Error)]
enum ReopenError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("a command or a backup still works with the directory")]
    InUse,
}

impl From<Instance> for Current {
    fn from(instance: Instance) -> Self {
        Self { instance: Arc::new(RwLock::new(instance)), followers: Followers::default() }
    }
}

impl Current {
    /// The directory, to work with: it is not opened again as long as the guard is held.
    pub(crate) async fn get(&self) -> OwnedRwLockReadGuard<Instance> {
        self.instance.clone().read_owned().await
    }

    /// The same with followers, which are started.
    pub(crate) async fn followed(self, followers: Followers) -> Self {
        let current = Self { followers, ..self };
        current.follow(&*current.get().await).await;
        current
    }

    /// What follows the log.
    pub(crate) fn followers(&self) -> &Followers {
        &self.followers
    }

    /// Starts the followers, or starts them again with what came of opening the directory anew.
    async fn follow(&self, instance: &Instance) {
        let (followers, instance) = (self.followers.clone(), instance.clone());
        drop(tokio::task::spawn_blocking(move || followers.start(&instance)).await);
    }

    async fn has_failed(&self) -> bool {
        let health = self.get().await.recorder.health();
        health.log.poisoned.is_some() || health.keystore_failed.is_some()
    }

    /// Closes what failed, and records with what a new start makes of it.
    async fn reopen(&self, gateway: &Gateway, settings: &Settings) -> Result<(), ReopenError> {
        let instance = timeout(WORK_TIME_MAX, self.instance.write()).await;
        let mut instance = instance.map_err(|_| ReopenError::InUse)?;
        if instance.recorder.health().log.poisoned.is_none() {
            sleep(FINISH_TIME).await;
        }
        if let Err(error) = instance.recorder.close().await {
            tracing::debug!(%error, "a log that failed was closed");
        }
        let again = instance.reopen(settings).await?;
        if let Err(error) = gateway.attach(again.recorder.clone()).await {
            drop(again.recorder.close().await);
            return Err(error.into());
        }
        *instance = again.clone();
        drop(instance);
        // Recording goes on meanwhile: a follower that hangs is waited for.
        self.follow(&again).await;
        Ok(())
    }
}

impl Keeper {
    /// Begins to look after a directory that this gateway records in.
    pub(crate) fn start(current: Current, gateway: Gateway, settings: Settings) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            while !is_stopped(&mut stopped, LOOK_PERIOD).await {
                if current.has_failed().await {
                    keep_reopening(&current, &gateway, &settings, &mut stopped).await;
                }
            }
        });
        Self { stop, task }
    }

    /// Ends, but lets an attempt to open the directory come to its end.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn keep_reopening(
    current: &Current,
    gateway: &Gateway,
    settings: &Settings,
    stopped: &mut watch::Receiver<bool>,
) {
    let mut wait = WAIT.0;
    tracing::warn!("the log or the keystore failed: the directory is closed, recovered and opened again");
    while let Err(error) = current.reopen(gateway, settings).await {
        tracing::error!(%error, again_in = ?wait, "the directory cannot be opened again yet");
        if is_stopped(stopped, wait).await {
            return;
        }
        wait = (wait * 2).min(WAIT.1);
    }
    tracing::info!("the directory was opened again: everything is recorded from now on");
}

/// Waits for so long, or until it is to end.
async fn is_stopped(stopped: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    timeout(wait, stopped.wait_for(|stop| *stop)).await.is_ok()
}
