//! The follower: reads what checkpoints cover, and writes it with its cursor in one transaction after another.
//!
//! First every log is followed to its checkpoint, erasures included; only then are payloads opened for identifiers and content. So
//! nothing is opened that an entry already read has erased, in whatever order a data directory's logs are read.

mod ahead;
mod identify;
mod prune;
mod source;
mod status;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use inferlog_disk::{Clock, Fs, SystemClock};
use inferlog_log::{Cursor, cursors, list_logs};
use inferlog_record::{PayloadRole, SystemName};
use inferlog_vault::Vault;

use crate::engine::{Engine, Position};
use crate::error::{IndexError, Result};
use crate::fold::fold;
use crate::removal::PurgeDue;
use source::Source;
pub use status::{LogStatus, State, Status, StatusHandle};

/// How often checkpoints are looked at, milliseconds.
pub const POLL_MS: u64 = 100;
/// The longest wait after an error, milliseconds.
pub const BACKOFF_MS_MAX: u64 = 5_000;
/// The follower's cursor files are written at most this often while it runs, milliseconds.
const CURSOR_MS: u64 = 1_000;

/// How a follower works.
#[derive(Clone)]
pub struct FollowOptions {
    /// The name of its cursor in every log, `[a-z0-9][a-z0-9-]{0,30}`.
    pub name: String,
    /// The most entries of one transaction; whole bundles are read, so that it may be 255 more.
    pub batch_entries_max: u64,
    /// The most bytes of entries in one transaction, one bundle more.
    pub batch_bytes_max: usize,
    /// The roles whose content may stand in the index in clear, of each system that has some.
    pub clear_content: BTreeMap<SystemName, Vec<PayloadRole>>,
    /// Opens payloads for identifiers and content; without it these wait.
    pub vault: Option<Vault>,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            name: "index".to_owned(),
            batch_entries_max: 8_192,
            batch_bytes_max: 8 << 20,
            clear_content: BTreeMap::new(),
            vault: None,
        }
    }
}

/// How far catching up has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries followed by this call, of all logs.
    pub entries: u64,
    /// Entries that were to be followed when they were last counted.
    pub of: u64,
}

/// What catching up did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// Entries followed by this call.
    pub entries: u64,
    /// Whether it came to the checkpoints, and was not broken off.
    pub is_complete: bool,
}

/// Follows every log of a data directory into one store.
pub struct Follower<E> {
    fs: Arc<dyn Fs>,
    data: PathBuf,
    engine: E,
    options: FollowOptions,
    status: StatusHandle,
    sources: Vec<Source>,
    /// Purges of entries that the store has not carried out, as of the last look.
    due: Vec<PurgeDue>,
    cursors_stored: Option<Instant>,
    /// Whether an erasure or a purge was applied since: somebody waits for the cursors.
    is_awaited: bool,
}

impl<E: Engine> Follower<E> {
    /// A follower of the logs below `data`. Nothing is read yet.
    pub fn new(fs: Arc<dyn Fs>, data: &Path, engine: E, options: FollowOptions) -> Self {
        let status = StatusHandle::default();
        let (data, sources, due) = (data.to_owned(), Vec::new(), Vec::new());
        Self { fs, data, engine, options, status, sources, due, cursors_stored: None, is_awaited: false }
    }

    /// A view on its status, to keep while it runs.
    pub fn status(&self) -> StatusHandle {
        self.status.clone()
    }

    /// The store.
    pub fn engine(&mut self) -> &mut E {
        &mut self.engine
    }

    /// Follows all logs to their checkpoints as they are now. `progress` is told after every transaction, and may break off.
    pub fn catch_up(&mut self, progress: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> Result<Caught> {
        let mut caught = Caught::default();
        let result = self.catch_up_all(&mut caught, progress);
        if caught.entries > 0 || caught.is_complete {
            self.store_cursors();
        }
        result.map(|()| caught)
    }

    fn catch_up_all(
        &mut self,
        caught: &mut Caught,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        loop {
            let waiting = self.look()?;
            let of = caught.entries + waiting;
            if waiting > self.options.batch_entries_max {
                self.status.state(State::CatchingUp);
            }
            // What comes back after a long time first erases what it should not have any more.
            for at in 0..self.sources.len() {
                self.look_ahead(at)?;
            }
            let before = caught.entries;
            let (mut is_identified, mut stuck) = (true, None);
            for at in 0..self.sources.len() {
                let done = self.follow(at).and_then(|followed| {
                    caught.entries += followed;
                    if waiting > 0 { Ok(true) } else { self.prune(at).and_then(|()| self.identify(at)) }
                });
                match done {
                    Ok(is_done) => is_identified &= is_done,
                    // The other logs go on.
                    Err(error @ (IndexError::Entry { .. } | IndexError::Read { .. })) => {
                        stuck = stuck.or(Some(error))
                    }
                    Err(error) => return Err(error),
                }
                if progress(Progress { entries: caught.entries, of }).is_break() {
                    return Ok(());
                }
            }
            match stuck {
                Some(error) if caught.entries == before => return Err(error),
                _ if waiting == 0 && is_identified => {
                    caught.is_complete = true;
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Looks for new logs, at checkpoints and at the store's cursors, and follows nothing. Returns how many entries wait.
    pub fn look(&mut self) -> Result<u64> {
        Source::find(&self.fs, &self.data, &self.options.name, &mut self.sources)?;
        let positions = self.engine.logs()?;
        self.due = self.engine.due()?;
        let mut waiting = 0;
        for source in &mut self.sources {
            source.size = source.reader.size()?;
            let there = positions.iter().find(|(name, _)| name.origin == source.name.origin);
            source.position = there.map_or(Position::default(), |(_, position)| *position);
            source.lower_cursor(&self.due);
            let (position, size) = (source.position, source.size);
            waiting += size.saturating_sub(position.next);
            let waiting_since = source.waiting_since_ns();
            self.status.log(&source.name, |log| {
                log.size = size;
                log.at(position);
                log.oldest_waiting_ns = waiting_since;
            });
        }
        Ok(waiting)
    }

    /// Follows one log by one transaction. Returns how many entries it had.
    fn follow(&mut self, at: usize) -> Result<u64> {
        let (before, rest) = self.sources.split_at_mut(at);
        let Some(source) = rest.first_mut() else { return Ok(0) };
        // Epochs follow each other here as they did when they were written: a rebuild gives what following them gave.
        let is_early =
            before.iter().any(|before| source.is_epoch_of(before) && before.position.next < before.size);
        let from = source.position.next;
        if from >= source.size || is_early {
            return Ok(0);
        }
        let limits = (self.options.batch_entries_max, self.options.batch_bytes_max);
        let read = source.read(from, source.size, limits)?;
        let entries = read.entries(&source.name.origin)?;
        let written = write(&mut self.engine, source, read.range.end, &entries);
        let (position, is_awaited) = match written {
            // What stands before an entry that is none is written first; then it stands in the way alone.
            Err(IndexError::Entry { index, .. }) if index > from => {
                let before = entries.partition_point(|(at, _)| *at < index);
                write(&mut self.engine, source, index, &entries[..before])?
            }
            written => written?,
        };
        self.is_awaited |= is_awaited;
        let followed = position.next.saturating_sub(from);
        source.position = position;
        let is_done = position.next >= source.size;
        self.status.log(&source.name, |log| {
            log.at(position);
            if is_done {
                log.oldest_waiting_ns = None;
            }
        });
        Ok(followed)
    }

    /// Leaves out entries that cannot be followed: the next `entries` of this log, for the reason given. What they say is missing
    /// from the index, and the index says so (`skip`).
    pub fn skip(&mut self, origin: &str, entries: u64, reason: &str) -> Result<()> {
        self.look()?;
        let Some(source) = self.sources.iter().find(|source| source.name.origin == origin) else {
            return Ok(());
        };
        let position = self.engine.begin(&source.name)?;
        let last = position.next.saturating_add(entries).min(source.size);
        if last > position.next {
            let now = i64::try_from(SystemClock.now_ns()).unwrap_or(i64::MAX);
            self.engine.skip(position.log, position.next, last - 1, reason, now)?;
        }
        self.engine.commit(Position { next: last.max(position.next), ..position })
    }

    /// Deletes what was derived; the next [`Follower::catch_up`] derives it again.
    pub fn clear(&mut self) -> Result<()> {
        rewind_cursors(&self.fs, &self.data, &self.options.name)?;
        self.sources.clear();
        self.engine.clear()?;
        self.look()?;
        self.store_cursors();
        Ok(())
    }

    fn store_cursors(&mut self) {
        let now = Instant::now();
        let is_due = |stored: Instant| now.duration_since(stored) >= Duration::from_millis(CURSOR_MS);
        if self.is_awaited || self.cursors_stored.is_none_or(is_due) {
            self.settle_cursors();
            self.cursors_stored = Some(now);
        }
    }

    /// Writes the cursors that have moved, behind what they stand for: the store settles first. A crash in between leaves older
    /// cursors, which only hold purges and erasures back. An error: at the next look again.
    fn settle_cursors(&mut self) {
        let is_due = self.sources.iter().any(|source| source.is_cursor_due(&self.due));
        if is_due && !self.settle().unwrap_or(false) {
            return;
        }
        self.is_awaited = false;
    }

    /// False if a reader still sees what was deleted.
    fn settle(&mut self) -> Result<bool> {
        if !self.engine.settle()? {
            return Ok(false);
        }
        // A server that was started again may have lost its last commits; and purges that came since the last look are due.
        let there = self.engine.logs()?;
        self.due = self.engine.due()?;
        for source in &mut self.sources {
            source.fall_back(&there);
            source.store_cursor(&self.due);
        }
        Ok(true)
    }

    /// Follows until `stop` says so: looks at the checkpoints every [`POLL_MS`]; after an error it waits longer each time, up to
    /// [`BACKOFF_MS_MAX`], and tries again. Returns the store.
    pub fn run(mut self, stop: &AtomicBool) -> E {
        let mut wait = Duration::ZERO;
        while !stop.load(Ordering::Acquire) {
            let go_on = |_: Progress| match stop.load(Ordering::Acquire) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
            match self.catch_up(&mut { go_on }) {
                Ok(caught) => {
                    wait = Duration::from_millis(POLL_MS);
                    if caught.is_complete {
                        self.status.state(State::Following);
                    }
                }
                Err(error) => {
                    let poll = Duration::from_millis(POLL_MS);
                    wait = (wait * 2).clamp(poll, Duration::from_millis(BACKOFF_MS_MAX));
                    self.fail(&error);
                }
            }
            sleep(wait, stop);
        }
        self.settle_cursors();
        self.status.state(State::Stopped);
        self.engine
    }

    /// Says why it does not go on, and how much waits meanwhile.
    fn fail(&mut self, error: &IndexError) {
        let since_ns = SystemClock.now_ns();
        self.status.state(State::Failing { why: error.to_string(), since_ns });
        self.status.lock().failures += 1;
        for source in &mut self.sources {
            source.size = source.reader.size().unwrap_or(source.size);
            let (size, oldest) = (source.size, source.waiting_since_ns());
            self.status.log(&source.name, |log| (log.size, log.oldest_waiting_ns) = (size, oldest));
        }
    }
}

/// Takes a follower's cursors back to the logs' beginning: before what they stand for is deleted. A crash after it costs nothing, for
/// a follower goes on where its store is.
pub fn rewind_cursors(fs: &Arc<dyn Fs>, data: &Path, name: &str) -> Result<()> {
    for dir in list_logs(&**fs, data)? {
        if cursors(fs, &dir)?.iter().any(|(known, at)| known == name && *at > 0) {
            Cursor::open(fs.clone(), &dir, name)?.store(0)?;
        }
    }
    Ok(())
}

/// One transaction: what these entries say, and the cursor after them, at `next`. Whether they ask for something to be removed.
fn write<E: Engine>(
    engine: &mut E,
    source: &Source,
    next: u64,
    entries: &[(u64, &[u8])],
) -> Result<(Position, bool)> {
    let position = engine.begin(&source.name)?;
    if position.next != source.position.next {
        // Another follower was faster: what it wrote is not written again.
        engine.rollback()?;
        return Ok((position, false));
    }
    let written = write_begun(engine, source, Position { next, ..position }, entries);
    if written.is_err() {
        engine.rollback()?;
    }
    written
}

fn write_begun<E: Engine>(
    engine: &mut E,
    source: &Source,
    position: Position,
    entries: &[(u64, &[u8])],
) -> Result<(Position, bool)> {
    let folded = fold(engine, (position.log, &source.name.origin), entries)?;
    engine.write(&folded.rows)?;
    ahead::remove(engine, position.keystore, position.log, &folded.asked)?;
    engine.announce(&folded.asked.entries)?;
    let position = Position { newest_ns: position.newest_ns.max(folded.newest_ns), ..position };
    engine.commit(position)?;
    Ok((position, !folded.asked.is_empty()))
}

fn sleep(time: Duration, stop: &AtomicBool) {
    let until = Instant::now() + time;
    while !stop.load(Ordering::Acquire) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(POLL_MS)));
    }
}
