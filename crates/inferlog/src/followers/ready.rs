//! An index, brought up to date for a command that reads it, or built anew.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use inferlog::{open_to_read, real_env};
use inferlog_disk::Fs;
use inferlog_index::postgres::Interrupt;
use inferlog_index::{FollowOptions, Follower, IndexError, Progress, Reader, rewind_cursors, skipped};
use inferlog_vault::Vault;

use super::{FollowerReport, SkippedReport, Store};
use crate::admin::{self, Act, Door};
use crate::cli::OpenArgs;
use crate::output::{self, DIM, Failure, styled};

/// Entries from which on catching up is worth a progress bar.
const WATCHED_MIN: u64 = 20_000;

/// How long the serving process is waited for: longer than it waits itself.
const SERVED_TIME_MAX: Duration = Duration::from_secs(15);

/// An index to ask.
pub(crate) struct Ready {
    /// Reads it.
    pub(crate) reader: Reader,
    /// What its answers may lack, in sentences.
    lacks: Vec<String>,
}

/// Brings an index up to what is acknowledged, and opens it. Blocks; not to be called from a runtime's own thread.
pub(crate) fn ready(data: &Path, store: &Store) -> Result<Ready, Failure> {
    opened(data, store, freshen(data, store)?)
}

/// The same for a question after an id that others have, which comes back as the index knows it. That takes the root key, of the
/// process that serves or of this one.
pub(crate) fn ready_for_id(args: &OpenArgs, store: &Store, id: &str) -> Result<(Ready, [u8; 16]), Failure> {
    let data = &args.dir.data;
    if let Some(report) = served(data, store, true)? {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let digest = runtime.block_on(async {
            let server = Door::to_server(data).await?;
            let mut server =
                server.ok_or_else(|| Failure::new("the serving process has ended: try again"))?;
            server.ask(Act::IndexDigest { id: id.to_owned() }).await
        });
        return Ok((opened(data, store, behind(&report).into_iter().collect())?, digest?));
    }
    let (_lock, vault) = open_to_read(&real_env(), &args.settings())?;
    catch_up(data, store, Some(vault.clone()))?;
    Ok((opened(data, store, Vec::new())?, vault.index_digest(None, id.as_bytes())))
}

fn opened(data: &Path, store: &Store, mut lacks: Vec<String>) -> Result<Ready, Failure> {
    let mut reader = store.reader(data)?;
    let left_out = |skipped| format!("{} was left out of the index", SkippedReport::from(skipped).to_text());
    lacks.extend(skipped(&mut reader)?.into_iter().map(left_out));
    Ok(Ready { reader, lacks })
}

/// Brings an index up to what is acknowledged: the serving process's follower does, else this process does it itself. What answers
/// may lack nevertheless. Blocks; not to be called from a runtime's own thread.
pub(crate) fn freshen(data: &Path, store: &Store) -> Result<Vec<String>, Failure> {
    admin::require_data(data)?;
    match served(data, store, false)? {
        Some(report) => Ok(behind(&report).into_iter().collect()),
        // Nobody serves, or not with this index.
        None => match catch_up(data, store, None) {
            Ok(()) => Ok(Vec::new()),
            Err(error) => Ok(vec![excused(error)?]),
        },
    }
}

impl Ready {
    /// Says on standard error what the answers may lack.
    pub(crate) fn warn(&self) -> Result<(), Failure> {
        for lack in &self.lacks {
            writeln!(output::stderr(), "{} {lack}", styled(DIM, "note:"))?;
        }
        Ok(())
    }
}

/// What the serving process's follower into this store says once it is up to date; `None` if there is none to ask.
fn served(data: &Path, store: &Store, identified: bool) -> Result<Option<FollowerReport>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let place = store.place(data);
    let asked = async {
        match Door::to_server(data).await {
            Ok(Some(mut server)) => server.ask(Act::Fresh { store: place, identified }).await,
            // Another user's process: what it publishes can be read nevertheless.
            Ok(None) | Err(_) => Ok(None),
        }
    };
    // A process that does not answer, on a disk that hangs say, is as good as none.
    runtime.block_on(async { tokio::time::timeout(SERVED_TIME_MAX, asked).await.unwrap_or(Ok(None)) })
}

fn behind(report: &FollowerReport) -> Option<String> {
    let entries = report.lag_entries();
    match &report.why {
        Some(why) => Some(format!("the index is {entries} entries behind and fails: {why}")),
        None if entries > 0 => Some(format!("the index is {entries} entries behind and catches up")),
        None => None,
    }
}

/// Why an index that could not be brought up to date can be asked all the same; the error itself, if it cannot.
fn excused(error: IndexError) -> Result<String, IndexError> {
    match error {
        IndexError::Unwritable { .. } => Ok(format!("the index was not brought up to date: {error}")),
        error => Err(error),
    }
}

/// Follows the logs into the store, here.
fn catch_up(data: &Path, store: &Store, vault: Option<Vault>) -> Result<(), IndexError> {
    let engine = store.engine(data, &Interrupt::default())?;
    let mut follower = Follower::new(fs(), data, engine, FollowOptions { vault, ..options(store) });
    let bar = bar("bringing the index up to date");
    let done = follower.catch_up(&mut |progress| show(&bar, &progress, WATCHED_MIN));
    bar.finish_and_clear();
    done.map(drop)
}

/// Deletes what a store derived, and derives it again. How many entries were read.
pub(crate) fn rebuild(data: &Path, store: &Store) -> Result<u64, Failure> {
    rewind_cursors(&fs(), data, store.kind())?;
    let engine = store.anew(data, &Interrupt::default())?;
    let mut follower = Follower::new(fs(), data, engine, options(store));
    let bar = bar("building the index");
    let done = follower.catch_up(&mut |progress| show(&bar, &progress, 0));
    bar.finish_and_clear();
    Ok(done?.entries)
}

/// What a follower would say that does not run now.
pub(crate) fn local_report(data: &Path, store: &Store) -> Result<FollowerReport, Failure> {
    let engine = store.engine(data, &Interrupt::default())?;
    let mut follower = Follower::new(fs(), data, engine, options(store));
    follower.look()?;
    let status = follower.status().get();
    let mut report = FollowerReport::new(store.kind(), store.place(data), status, 0);
    "stopped".clone_into(&mut report.state);
    report.skipped = skipped(&mut store.reader(data)?)?.into_iter().map(SkippedReport::from).collect();
    Ok(report)
}

pub(super) fn fs() -> Arc<dyn Fs> {
    real_env().fs
}

pub(super) fn options(store: &Store) -> FollowOptions {
    FollowOptions { name: store.kind().to_owned(), ..FollowOptions::default() }
}

fn bar(what: &str) -> ProgressBar {
    let bar = output::progress(what.to_owned());
    let style =
        ProgressStyle::with_template("{msg} {bar:40} {percent} %  {pos} of {len} entries  {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.disable_steady_tick();
    bar
}

fn show(bar: &ProgressBar, progress: &Progress, least: u64) -> ControlFlow<()> {
    if progress.of >= least {
        bar.set_length(progress.of);
        bar.set_position(progress.entries);
    }
    ControlFlow::Continue(())
}
