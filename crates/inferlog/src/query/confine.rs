//! Limits of the system on this process: what exceeds them ends it.

use std::io;
use std::time::Duration;

use inferlog_index::query::Limits;
use rustix::process::{Resource, Rlimit, setrlimit};

/// What the program itself takes besides the statement, bytes: threads' stacks, the allocator's reserves.
const OWN_BYTES: u64 = 64 << 20;
/// Processor time beyond the statement's own: writing the answer takes some, and is not counted as the statement's.
const OWN_SECONDS: u64 = 30;
/// How much processor time the writing of an answer may take for each second of the statement's.
const SHARE: u64 = 4;

/// Bounds this process, for good.
pub(super) fn confine(limits: &Limits) -> io::Result<()> {
    let bound = |resource, limit: u64| {
        setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) }).map_err(io::Error::from)
    };
    bound(Resource::Core, 0)?;
    bound(Resource::Cpu, whole_seconds(limits.time_max) * SHARE + OWN_SECONDS)?;
    bound(Resource::Fsize, limits.temp_bytes_max)?;
    // What is mapped already, reserves of the allocator among it, is not the statement's.
    bound(Resource::As, mapped_bytes()? + OWN_BYTES + limits.memory_bytes_max)?;
    end_with_parent()
}

/// Has the system end this process when its parent ends, however that does.
pub(super) fn end_with_parent() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Address space in use, bytes: the first number of `/proc/self/statm`, in pages (proc(5)). 0 where there is no such file.
fn mapped_bytes() -> io::Result<u64> {
    let text = match std::fs::read_to_string("/proc/self/statm") {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let pages: u64 = text.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or_default();
    Ok(pages * rustix::param::page_size() as u64)
}
