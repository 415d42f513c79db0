//! One follower on a thread of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use inferlog_disk::Fs;
use inferlog_index::postgres::Interrupt;
use inferlog_index::{Engine, FollowOptions, Follower, IndexError, State, Status, StatusHandle};
use parking_lot::Mutex;

use super::report::FollowerReport;
use super::store::Store;

/// Wait before a store that could not be opened is tried again.
const OPEN_RETRY: Duration = Duration::from_secs(2);
/// How long the end of a follower is waited for: a transaction, at most.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
/// Time between two looks at whether something is to end.
const LOOK_PERIOD: Duration = Duration::from_millis(20);

/// A follower that runs.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) store: Store,
    data: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    interrupt: Interrupt,
    /// Why the store could not be opened.
    closed: Mutex<Option<String>>,
    closings: AtomicU64,
    status: Mutex<Option<StatusHandle>>,
}

impl Running {
    /// Starts it.
    pub(super) fn start(
        fs: Arc<dyn Fs>,
        data: PathBuf,
        store: Store,
        options: FollowOptions,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let name = options.name.clone();
        let work = {
            let (shared, store, data) = (shared.clone(), store.clone(), data.clone());
            move || follow(&shared, &fs, &data, &store, &options)
        };
        let thread = std::thread::Builder::new().name(format!("follow-{name}")).spawn(work)?;
        Ok(Self { name, store, data, shared, thread: Some(thread) })
    }

    pub(super) fn report(&self) -> FollowerReport {
        let status = self.shared.status.lock().as_ref().map(StatusHandle::get).unwrap_or_default();
        let failures = status.failures + self.shared.closings.load(Ordering::Relaxed);
        let status = match self.shared.closed.lock().clone() {
            Some(why) => Status { state: State::Failing { why, since_ns: 0 }, ..status },
            None => status,
        };
        FollowerReport::new(&self.name, self.store.place(&self.data), status, failures)
    }

    /// Asks it to end.
    pub(super) fn ask_to_stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
    }

    /// Waits until it has ended; one that hangs is left behind, with what it had not committed.
    pub(super) fn join(&mut self) {
        self.ask_to_stop();
        let Some(thread) = self.thread.take() else { return };
        let began = Instant::now();
        while !thread.is_finished() {
            if began.elapsed() > STOP_TIME_MAX / 2 {
                self.shared.interrupt.interrupt();
            }
            if began.elapsed() > STOP_TIME_MAX {
                tracing::warn!(follower = self.name, "a follower does not end; it goes on at the next start");
                return;
            }
            std::thread::sleep(LOOK_PERIOD);
        }
        drop(thread.join());
    }
}

fn follow(shared: &Shared, fs: &Arc<dyn Fs>, data: &std::path::Path, store: &Store, options: &FollowOptions) {
    if !options.clear_content.is_empty()
        && let Err(error) = store.keep_private(data)
    {
        tracing::warn!(follower = options.name, %error, "others may read the index, which holds content in clear");
    }
    while !shared.stop.load(Ordering::Acquire) {
        match store.engine(data, &shared.interrupt) {
            Ok(engine) => {
                *shared.closed.lock() = None;
                run(shared, Follower::new(fs.clone(), data, engine, options.clone()));
            }
            Err(error) => wait_closed(shared, &options.name, &error),
        }
    }
}

fn run(shared: &Shared, follower: Follower<Box<dyn Engine>>) {
    *shared.status.lock() = Some(follower.status());
    follower.run(&shared.stop);
}

fn wait_closed(shared: &Shared, name: &str, error: &IndexError) {
    let before = shared.closed.lock().replace(error.to_string());
    shared.closings.fetch_add(1, Ordering::Relaxed);
    if before.is_none_or(|before| before != error.to_string()) {
        tracing::error!(follower = name, %error, "the index cannot be opened; it is tried again");
    }
    let began = Instant::now();
    while began.elapsed() < OPEN_RETRY && !shared.stop.load(Ordering::Acquire) {
        std::thread::sleep(LOOK_PERIOD);
    }
}
