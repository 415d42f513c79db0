//! The worker: a process that answers one statement.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use inferlog_index::Reader;
use inferlog_index::postgres::{Interrupt, Place};
use inferlog_index::query::{Clock, Limits, QueryError, QueryFault, query_postgres, query_sqlite};

use super::confine::{confine, end_with_parent};
use super::job::{Ending, IndexAt, Job, Task};
use super::output::Output;
use crate::cli;

/// The command that makes this program a worker. It stands in no help.
pub(crate) const WORKER: &str = "query-worker";

/// Bytes of the answer that wait before they are written: a small answer is whole, or an error, when its first byte comes.
const BUFFER_BYTES: usize = 64 << 10;
/// How often the clock is looked at from outside the engine.
const LOOK_PERIOD: Duration = Duration::from_millis(200);
/// By how much an engine may overstep the time that it looks at itself, before it is ended from outside.
const GRACE: Duration = Duration::from_secs(2);

/// Reads a [`Task`] from standard input and does it. Of a statement the answer goes to standard output, and how it went to standard
/// error; a command does as it does on a command line.
pub(crate) fn work() -> ExitCode {
    let ending = match task() {
        Ok(Task::Command(words)) => return cli::run_words(words),
        Ok(Task::Query(job)) => answer(&job).map_or_else(Ending::Failed, Ending::Done),
        Err(error) => Ending::Failed(QueryError::new(
            QueryFault::IndexFailed,
            format!("the query's process could not begin: {error}"),
        )),
    };
    say(&ending);
    if matches!(ending, Ending::Done(_)) { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

fn task() -> io::Result<Task> {
    let task: Task = serde_json::from_reader(io::stdin().lock())?;
    match &task {
        Task::Query(job) => confine(&job.limits)?,
        // It costs what the command costs, and ends with the server.
        Task::Command(_) => end_with_parent()?,
    }
    Ok(task)
}

fn say(ending: &Ending) {
    let line = serde_json::to_string(ending).unwrap_or_default();
    // A parent that is gone does not want to know.
    let _ = writeln!(io::stderr(), "{line}");
}

fn answer(job: &Job) -> Result<u64, QueryError> {
    let clock = Arc::new(Clock::start(job.limits.time_max));
    watch(&clock, job.limits);
    let out = io::BufWriter::with_capacity(BUFFER_BYTES, io::stdout());
    match &job.index {
        IndexAt::Sqlite(path) => {
            let mut output = Output::new(out, job, || Reader::sqlite(path))?;
            let rows = query_sqlite(path, &job.sql, &job.limits, &clock, &mut output)?;
            clock.untimed(|| output.finish()).map_err(QueryError::output)?;
            Ok(rows)
        }
        IndexAt::Postgres(text) => {
            let place = Place::parse(text)
                .map_err(|error| QueryError::new(QueryFault::IndexFailed, error.to_string()))?;
            let mut output = Output::new(out, job, || Reader::postgres(&place, &Interrupt::default()))?;
            let rows = query_postgres(&place, &job.sql, &job.limits, &clock, &mut output)?;
            clock.untimed(|| output.finish()).map_err(QueryError::output)?;
            Ok(rows)
        }
    }
}

/// Ends this process when the time is up and the engine does not see it: within one long instruction, say.
fn watch(clock: &Arc<Clock>, limits: Limits) {
    let clock = clock.clone();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK_PERIOD);
            if clock.overdue().is_some_and(|over| over > GRACE) {
                say(&Ending::Failed(limits.time_is_up()));
                std::process::exit(2);
            }
        }
    });
}
