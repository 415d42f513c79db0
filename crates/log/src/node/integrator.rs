//! The integrator's thread: a round whenever something is durable and not integrated, at a steady pace.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Shared, Work};
use crate::error::{LogError, Result};
use crate::integrate::{Hooks, Integrator, Place};
use crate::wal::{LiveSegment, Spares};
use crate::{LogDir, LogId};

/// How long integration waits before it tries again on a full disk.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// What a new integrator needs when the last one failed for want of space.
pub(super) struct Restart {
    pub(super) hooks: Hooks,
    pub(super) node: [u8; 16],
    pub(super) spares: Spares,
    pub(super) integrator: Option<Integrator>,
    pub(super) logs: Vec<(LogId, LogDir)>,
}

impl Restart {
    /// The integrator, or a new one that begins at what every `state` says.
    fn take(&mut self, shared: &Shared) -> Integrator {
        self.integrator.take().unwrap_or_else(|| {
            let (fs, wal) = (shared.env.fs.clone(), shared.wal.clone());
            let mut new = Integrator::new(fs, wal, self.node, self.hooks.clone());
            self.logs.iter().for_each(|(id, dir)| new.add_log(*id, dir.clone()));
            new
        })
    }
}

pub(super) fn spawn(shared: Arc<Shared>, restart: Restart) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("inferlog-integrate".into());
    let spawned = thread.spawn(move || {
        let _over = Over(&shared);
        run(&shared, restart);
    });
    spawned.map_err(|error| LogError::hook("cannot start the integrator's thread", error.into()))
}

/// Tells those who wait for integration, however the thread ends, that there is none any more.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("the integrator's thread panicked");
        }
        let jobs = {
            let mut work = self.0.state.lock();
            work.is_over = true;
            std::mem::take(&mut work.jobs)
        };
        drop(jobs);
        self.0.integrated.send_modify(|_| {});
    }
}

fn run(shared: &Shared, mut restart: Restart) {
    loop {
        let (live, is_last) = wait(shared, &mut restart);
        if shared.check().is_err() {
            return;
        }
        let result = round(shared, &mut restart, &live);
        if result.as_ref().err().is_none_or(LogError::is_full) {
            jobs(shared, &mut restart);
        }
        match result {
            Ok(is_done) if is_last && is_done => return,
            Ok(_) => {}
            Err(error) if error.is_full() => {
                tracing::warn!(%error, "integration waits for space");
                shared.state.lock().stalled = Some(error.to_string());
                if is_last {
                    return;
                }
                std::thread::sleep(FULL_RETRY);
            }
            Err(error) => return shared.poison(&error.to_string()),
        }
    }
}

/// Waits until a round is due. Returns what is durable, and whether the node is closing.
fn wait(shared: &Shared, restart: &mut Restart) -> (Vec<LiveSegment>, bool) {
    let mut work = shared.state.lock();
    let pace = Duration::from_millis(shared.integrate_ms);
    if !work.closing && !work.requested && work.poison.is_none() {
        shared.wake.wait_for(&mut work, pace);
    }
    work.requested = false;
    for log in std::mem::take(&mut work.new_logs) {
        if let Some(integrator) = &mut restart.integrator {
            integrator.add_log(log.0, log.1.clone());
        }
        restart.logs.push(log);
    }
    (work.live.clone(), work.closing)
}

/// Integrates up to the end of `live`. True when nothing durable is left over.
fn round(shared: &Shared, restart: &mut Restart, live: &[LiveSegment]) -> Result<bool> {
    let target = live.last().map(|last| Place { incarnation: last.incarnation, offset: last.end });
    loop {
        let began_ns = shared.env.clock.boot_ns();
        let place = integrate(shared, restart, live)?;
        let is_done = finish(&mut shared.state.lock(), place, began_ns);
        retire(shared, &restart.spares, place)?;
        shared.integrated.send_replace(place);
        if place >= target {
            return Ok(is_done);
        }
    }
}

/// Does what is to be done between two rounds, and tells who waits for it.
fn jobs(shared: &Shared, restart: &mut Restart) {
    let jobs = std::mem::take(&mut shared.state.lock().jobs);
    for (job, done) in jobs {
        let mut integrator = restart.take(shared);
        // Whoever asked may have gone away.
        let _ = done.send(job(&mut integrator));
        restart.integrator = Some(integrator);
    }
}

/// One round, by a new integrator if the last one failed. One whose round is done stays, though segments cannot be given
/// back: those that it has settled cannot be read again.
fn integrate(shared: &Shared, restart: &mut Restart, live: &[LiveSegment]) -> Result<Option<Place>> {
    let mut integrator = restart.take(shared);
    let place = integrator.round(live)?;
    restart.integrator = Some(integrator);
    Ok(place)
}

/// Notes how far integration has come. True when it has caught up.
fn finish(work: &mut Work, place: Option<Place>, began_ns: u64) -> bool {
    work.stalled = None;
    let durable = work.live.last().map(|last| Place { incarnation: last.incarnation, offset: last.end });
    let is_done = place >= durable;
    // What became durable during the round is at least as young as the round's beginning.
    work.oldest_ns = if is_done { None } else { work.oldest_ns.map(|oldest| oldest.max(began_ns)) };
    is_done
}

/// Gives settled segments back, the oldest first.
fn retire(shared: &Shared, spares: &Spares, place: Option<Place>) -> Result<()> {
    let Some(place) = place else { return Ok(()) };
    loop {
        let oldest = shared.state.lock().live.first().copied();
        match oldest {
            Some(segment) if segment.incarnation < place.incarnation => {
                spares.retire(&*shared.env.fs, &shared.wal, segment.incarnation)?;
                shared.state.lock().live.remove(0);
            }
            _ => return Ok(()),
        }
    }
}
