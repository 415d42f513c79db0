//! The writer's thread: takes what is queued, commits it as one batch, acknowledges.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use super::{Message, Shared, Submission};
use crate::error::{AppendError, LogError, Result};
use crate::wal::{Commit, Failure, LiveSegment, Writer};

/// Bytes after which a batch takes no more submissions.
const BATCH_BYTES_MAX: usize = 8 << 20;

pub(super) fn spawn(shared: Arc<Shared>, writer: Writer, queue: Receiver<Message>) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("inferlog-wal".into());
    let spawned = thread.spawn(move || {
        let _over = Over(&shared);
        run(&shared, writer, &queue);
    });
    spawned.map_err(|error| LogError::hook("cannot start the WAL's thread", error.into()))
}

/// Poisons the node if the thread panics: nothing is appended any more, and whoever asks is told.
struct Over<'a>(&'a Shared);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison("the WAL's thread panicked");
        }
    }
}

fn run(shared: &Shared, mut writer: Writer, queue: &Receiver<Message>) {
    let bytes_max = BATCH_BYTES_MAX.min(writer.frame_bytes_max() as usize);
    let mut carried = None;
    let mut is_closing = false;
    // A batch never waits: whatever is queued when the last commit returns makes the next one.
    while let Some(first) = carried.take().or_else(|| next(queue, &mut is_closing)) {
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        while let Ok(message) = queue.try_recv() {
            match message {
                Message::Append(next) if bytes + next.bytes() > bytes_max => {
                    carried = Some(next);
                    break;
                }
                Message::Append(next) => {
                    bytes += next.bytes();
                    batch.push(next);
                }
                Message::Close => is_closing = true,
            }
        }
        commit(shared, &mut writer, batch);
    }
}

/// The next submission, waited for unless the node is closing.
fn next(queue: &Receiver<Message>, is_closing: &mut bool) -> Option<Submission> {
    loop {
        let message = if *is_closing { queue.try_recv().ok()? } else { queue.recv().ok()? };
        match message {
            Message::Append(submission) => return Some(submission),
            Message::Close => *is_closing = true,
        }
    }
}

/// Commits a batch, or, where the disk is full, as much of it as may use the reserve.
fn commit(shared: &Shared, writer: &mut Writer, batch: Vec<Submission>) {
    if let Err(error) = shared.check() {
        return refuse(batch, &error);
    }
    let Some((batch, error)) = try_commit(shared, writer, batch) else { return };
    let mut left = writer.reserved_bytes_left();
    let (reserved, others): (Vec<_>, Vec<_>) = batch.into_iter().partition(|submission| {
        let bytes = submission.bytes() as u64;
        let fits = submission.may_use_reserve() && bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    });
    refuse(others, &error);
    if !reserved.is_empty()
        && let Some((batch, error)) = try_commit(shared, writer, reserved)
    {
        refuse(batch, &error);
    }
}

/// Commits a batch whole. Gives it back if the disk is full: nothing of it was written.
fn try_commit(
    shared: &Shared,
    writer: &mut Writer,
    batch: Vec<Submission>,
) -> Option<(Vec<Submission>, AppendError)> {
    let mut firsts = Vec::with_capacity(batch.len());
    let mut commits = Vec::with_capacity(batch.len());
    for submission in &batch {
        // Taken now and given back on failure: only this thread assigns indices.
        let first = submission.log.next.fetch_add(submission.appends.len() as u64, Ordering::AcqRel);
        firsts.push(first);
        for (append, index) in submission.appends.iter().zip(first..) {
            commits.push(Commit { log: submission.log.id, index, append });
        }
    }
    match writer.commit(&commits) {
        Ok(()) => {
            publish(shared, writer.position());
            for (submission, first) in batch.into_iter().zip(firsts) {
                // Whoever submitted may have gone away; the entries are durable all the same.
                let _ = submission.ack.send(Ok(first));
            }
        }
        Err(Failure::NothingWritten(error)) => {
            for (submission, first) in batch.iter().zip(firsts).rev() {
                submission.log.next.store(first, Ordering::Release);
            }
            return Some((batch, AppendError::Full(error.to_string())));
        }
        Err(Failure::Unknown(error)) => {
            shared.poison(&error.to_string());
            refuse(batch, &AppendError::Poisoned(error.to_string()));
        }
    }
    None
}

/// Tells the integrator how far the WAL is durable.
fn publish(shared: &Shared, position: LiveSegment) {
    let now = shared.env.clock.boot_ns();
    let mut work = shared.state.lock();
    match work.live.last_mut() {
        Some(last) if last.incarnation == position.incarnation => last.end = position.end,
        _ => work.live.push(position),
    }
    work.oldest_ns.get_or_insert(now);
}

fn refuse(batch: Vec<Submission>, error: &AppendError) {
    for submission in batch {
        let _ = submission.ack.send(Err(error.clone()));
    }
}

impl Submission {
    fn may_use_reserve(&self) -> bool {
        self.appends.iter().all(crate::Append::may_use_reserve)
    }

    fn bytes(&self) -> usize {
        self.appends.iter().map(crate::wal::format::frame_bytes).sum()
    }
}
