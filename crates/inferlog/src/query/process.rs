//! The parent of a worker.

use std::io::{self, Write};
use std::process::{ExitStatus, Stdio};

use inferlog_index::query::{Limits, QueryError, QueryFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::job::{Ending, Job, Task};
use super::worker::WORKER;

/// What a worker gets of this process's environment: where temporary files go, and whom TLS trusts. No keys.
const ENVIRONMENT: [&str; 5] = ["TMPDIR", "SQLITE_TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME"];
/// The most of a worker's standard error that is read, bytes.
const SAID_BYTES_MAX: u64 = 64 << 10;

/// A process that does one task; it ends when this is dropped.
pub(crate) struct Worker {
    child: Child,
    out: ChildStdout,
    said: JoinHandle<String>,
    /// What a statement may cost.
    limits: Limits,
}

impl Worker {
    /// Starts a process for a statement.
    pub(crate) async fn start(job: &Job) -> Result<Self, QueryError> {
        let started = Self::task(&Task::Query(job.clone()), job.index.variable(), job.limits).await;
        started.map_err(no_process)
    }

    /// Starts a process for a command of this program; `variable` is one that it needs of the environment.
    pub(crate) async fn command(words: Vec<String>, variable: Option<&str>) -> Result<Self, QueryError> {
        Self::task(&Task::Command(words), variable, Limits::default()).await.map_err(no_process)
    }

    async fn task(task: &Task, variable: Option<&str>, limits: Limits) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(WORKER).env_clear().kill_on_drop(true);
        for name in ENVIRONMENT.into_iter().chain(variable) {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let (mut input, out) =
            (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        let mut errors = child.stderr.take().ok_or_else(missing)?.take(SAID_BYTES_MAX);
        let said = tokio::spawn(async move {
            let mut said = Vec::new();
            // What was read before an error is what there is.
            let _ = errors.read_to_end(&mut said).await;
            String::from_utf8_lossy(&said).into_owned()
        });
        // A worker that ends before it has read all says why.
        let _ = input.write_all(&serde_json::to_vec(task)?).await;
        drop(input);
        Ok(Self { child, out, said, limits })
    }

    /// The next bytes of the answer; none at its end.
    pub(crate) async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, QueryError> {
        self.out
            .read(buffer)
            .await
            .map_err(|error| QueryError::new(QueryFault::IndexFailed, error.to_string()))
    }

    /// Everything up to a bound, for an answer that is worked on.
    pub(crate) async fn read_all(&mut self, bytes_max: usize) -> Result<Vec<u8>, QueryError> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match self.read(&mut buffer).await? {
                0 => return Ok(all),
                read => all.extend_from_slice(&buffer[..read]),
            }
            if all.len() > bytes_max {
                let what = format!(
                    "the answer is longer than the {} MiB that can be opened at once",
                    bytes_max >> 20
                );
                return Err(QueryError::new(QueryFault::Output, what).hint("ask for fewer rows or columns"));
            }
        }
    }

    /// Waits for its end, once its output was read: its exit status and what it said on standard error.
    pub(crate) async fn status(mut self) -> io::Result<(ExitStatus, String)> {
        // Nobody reads the rest, if there is one.
        drop(self.out);
        Ok((self.child.wait().await?, self.said.await.unwrap_or_default()))
    }

    /// Waits for its end, once the answer was read: how many rows it has.
    pub(crate) async fn end(self) -> Result<u64, QueryError> {
        let limits = self.limits;
        let (status, said) = self.status().await.map_err(no_process)?;
        let ending = said.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        match ending {
            Some(Ending::Done(rows)) if status.success() => Ok(rows),
            Some(Ending::Failed(error)) => Err(error),
            _ => Err(ended(status, &said, &limits)),
        }
    }
}

fn no_process(error: io::Error) -> QueryError {
    QueryError::new(QueryFault::IndexFailed, format!("no process for the query: {error}"))
}

/// Why a worker ended that did not say so.
fn ended(status: ExitStatus, said: &str, limits: &Limits) -> QueryError {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt;
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    if is(Signal::XCPU) {
        return limits.time_is_up();
    }
    if is(Signal::XFSZ) {
        return limits.disk_is_full();
    }
    // An allocation that fails aborts; so does a stack that cannot grow. SIGKILL is the system's, when memory is short.
    if [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::KILL].into_iter().any(is) {
        return limits.memory_is_full();
    }
    let last = said.lines().last().unwrap_or("it said nothing");
    QueryError::new(QueryFault::IndexFailed, format!("the query's process ended ({status}): {last}"))
}

/// Gives an answer to whoever takes it, piece by piece, and says how many rows that were.
///
/// # Errors
/// What taking it gives; within, why there is no answer or no more of it.
pub(crate) async fn answer_to(
    job: &Job,
    out: &mut (impl Write + Send),
) -> io::Result<Result<u64, QueryError>> {
    let mut worker = match Worker::start(job).await {
        Ok(worker) => worker,
        Err(error) => return Ok(Err(error)),
    };
    let mut buffer = vec![0; 64 << 10];
    loop {
        match worker.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => out.write_all(&buffer[..read])?,
            Err(error) => return Ok(Err(error)),
        }
    }
    out.flush()?;
    Ok(worker.end().await)
}

/// An error for people: where in the statement it is, and what to do.
pub(crate) fn explain(error: &QueryError, sql: &str) -> String {
    let mut told = error.message.clone();
    if let Some((line, column)) = error.position.and_then(|position| line_at(sql, position)) {
        told.push_str(&format!("\n  {line}\n  {}^", " ".repeat(column)));
    }
    if let Some(hint) = &error.hint {
        told.push_str(&format!("\nhint: {hint}"));
    }
    told
}

/// The line of a text that a character stands in, and its place there.
fn line_at(text: &str, position: usize) -> Option<(String, usize)> {
    let mut first = 0;
    for line in text.split('\n') {
        let length = line.chars().count();
        if position <= first + length {
            let column = position - first;
            return Some((line.replace('\t', " "), column));
        }
        first += length + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_place_in_the_statement() {
        let error =
            QueryError { position: Some(15), ..QueryError::new(QueryFault::BadSql, "no such column: b") };
        let told = explain(&error.hint("write a"), "SELECT a,\n\tcä, b\nFROM c");
        assert_eq!(told, "no such column: b\n   cä, b\n       ^\nhint: write a");
    }
}
