//! Erasure: keys destroyed so that nothing sealed under them is ever read again, while the log's bytes stay as they are.
//!
//! The order:
//!
//! 1. the gate is taken, so that nothing is on its way;
//! 2. what is *withheld* is told by grounds: a hold that stands, a duty of law. Where that is all, the erasure is *refused*: an
//!    event says so, and nothing else happens;
//! 3. the events of what is withheld and the *intent* become durable together. From here on the erasure happens, whatever fails;
//! 4. everything up to them is integrated, so that every birth is in the keystore's pages;
//! 5. the vault destroys the keys, and takes the person's wrapping off those that are withheld;
//! 6. the gate opens;
//! 7. every follower that has a cursor in a log of the system passes the intent;
//! 8. the *completion* becomes durable, with the certificate.
//!
//! A crash after 3 leaves an erasure that the next start carries out ([`Recorder::open`]), a failure one that this process
//! carries out before it begins another. A crash after 5 leaves one that waits for followers, as it did before. When the last
//! ground that withheld something falls, a new intent of those keys alone goes the same way ([`Recorder::resume_withheld`]).
//!
//! `keys` are those of `subjects`, in the same order, where persons are erased; else those of decisions.

mod announce;
mod carry;
mod certificate;
mod complete;
mod plan;
mod resume;
mod status;
mod types;

pub use complete::FOLLOWERS_TIME_MAX;
pub use types::{
    Certificate, EraseRequest, Erased, ErasurePlan, ErasureStatus, Outcome, Phase, StorePlan, Target,
    Withheld,
};

pub(crate) use carry::Intended;
pub(crate) use complete::{Waiting, tend};

use crate::recorder::purge::Ages;
use crate::recorder::{RecordError, Recorder, System};
use announce::Announcement;
use inferlog_record::SystemName;
use inferlog_record::body::OrderKind;
use plan::Wanted;

impl Recorder {
    /// What an erasure on this order would do, in every system of this recorder or in the one named. Nothing is changed.
    pub async fn plan_erasure(
        &self,
        target: &Target,
        only: Option<&SystemName>,
        order: OrderKind,
    ) -> Result<Vec<ErasurePlan>, RecordError> {
        self.integrate().await?;
        let mut plans = Vec::new();
        for system in self.systems_of(only).await {
            plans.extend(system.plan_erasure(target, order).await?);
        }
        Ok(plans)
    }

    /// Destroys the keys of a person or a decision, but for those that are withheld. What the log says of them in clear stays.
    /// Empty if nobody and nothing of the kind is known, or is left. May be called again after any error. What was begun goes on if
    /// the future is dropped. Followers are waited for [`FOLLOWERS_TIME_MAX`] at most; where one is late the recorder completes the
    /// erasure by itself.
    pub async fn erase(&self, request: EraseRequest) -> Result<Vec<Erased>, RecordError> {
        // In a task of its own: were the gate opened while the vault rewrites pages, keys born meanwhile would be sealed for
        // pages that are gone, and lost.
        let recorder = self.clone();
        self.inner.runtime.spawn(async move { recorder.erase_to_the_end(request).await }).await?
    }

    async fn erase_to_the_end(&self, request: EraseRequest) -> Result<Vec<Erased>, RecordError> {
        let mut done = Vec::new();
        for system in self.systems_of(request.only.as_ref()).await {
            done.extend(system.erase(&request).await?);
        }
        self.await_followers(&mut done).await?;
        Ok(done)
    }

    /// The systems, or the one named, by name.
    pub(crate) async fn systems_of(&self, only: Option<&SystemName>) -> Vec<System> {
        let mut systems = self.systems().await;
        systems.retain(|system| only.is_none_or(|name| name == system.name()));
        systems.sort_by(|one, other| one.name().as_str().cmp(other.name().as_str()));
        systems
    }
}

impl System {
    async fn erase(&self, request: &EraseRequest) -> Result<Vec<Erased>, RecordError> {
        // What the published log says is looked through before the gate closes, the rest after.
        let before = self.wanted(&request.target)?;
        let mut scanned = None;
        if let Some(wanted) = before {
            scanned = Some(self.look(wanted, None).await?);
        }
        let ages = self.grounds(request.order, true, false, Ages::default()).await?.into_ages();
        let _gate = self.inner.gate.write().await;
        // What is queued already has its place before this, and is durable with it: no birth comes from now on.
        self.tell_clock().await?;
        self.inner.finish_intended().await?;
        let wanted = self.wanted(&request.target)?;
        let Some(wanted) = wanted else { return Ok(Vec::new()) };
        self.inner.node.integrate().await?;
        // Of somebody who became another meanwhile nothing was looked for.
        let scanned = scanned.filter(|_| before == Some(wanted));
        let found = self.look(wanted, scanned).await?;
        let grounds = self.grounds(request.order, true, false, ages).await?;
        let planned = self.divide(found, grounds, None).await?;
        let mut announcement = Announcement::new(wanted, request, planned);
        if announcement.is_refused() {
            return Ok(vec![self.refuse(announcement).await?]);
        }
        if announcement.is_empty() {
            return Ok(Vec::new());
        }
        let intended = self.announce_erasure(&mut announcement).await?;
        let report = self.inner.carry_out(&intended).await?;
        Ok(announcement.erased(self, &intended, &report))
    }

    /// An intent for what was withheld and is free now. The caller holds the gate alone, and something was made durable since.
    async fn erase_withheld(&self, mut announcement: Announcement) -> Result<Vec<Erased>, RecordError> {
        let intended = self.announce_erasure(&mut announcement).await?;
        let report = self.inner.carry_out(&intended).await?;
        Ok(announcement.erased(self, &intended, &report))
    }
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}
