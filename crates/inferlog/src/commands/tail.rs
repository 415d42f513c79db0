//! `inferlog tail`: the newest events, and what comes.

use std::io::Write;
use std::os::fd::AsFd;

use clap::Args;
use clap::builder::PossibleValuesParser;
use inferlog::real_env;
use inferlog_record::{Id, Kind, SystemName};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::admin;
use crate::cli::DataArg;
use crate::output::{self, Failure, Verdict};
use crate::tail::{Line, Logs, Wanted};

/// Show the newest events, and with -f those that come.
///
/// Reads the logs themselves, up to their checkpoints, and needs neither an index nor a key. Logs of systems that begin later are
/// followed too, and so are those of a `serve` that is started again. It ends with Ctrl-C, or when nobody reads its output.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog tail --data /var/lib/inferlog -f
  inferlog tail --data /var/lib/inferlog -f --kind human --kind label
  inferlog tail --data /var/lib/inferlog -f --json | jq -c 'select(.event.body.outcome == \"failed\")'

With --json every line is an object with log, index, decision and event: the event as it stands in the log.")]
pub(crate) struct TailArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Go on: show events as they come.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with so many of the newest events.
    #[arg(short, value_name = "COUNT", default_value_t = 10)]
    pub(crate) n: usize,
    /// Only events of this kind; may be given several times.
    #[arg(long, value_name = "KIND", value_parser = kinds(), hide_possible_values = true)]
    pub(crate) kind: Vec<String>,
    /// Only events of this system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Only events of this decision.
    #[arg(long, value_name = "ID")]
    pub(crate) decision: Option<Id>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Time between two looks at the checkpoints, nanoseconds.
const LOOK_NS: i64 = 200_000_000;

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(Kind::ALL.iter().map(|kind| kind.as_str()))
}

pub(crate) fn run(args: TailArgs) -> Result<Verdict, Failure> {
    let data = &args.dir.data;
    admin::require_data(data)?;
    admin::refresh(data);
    let wanted = Wanted { kinds: args.kind, system: args.system, decision: args.decision };
    let mut logs = Logs::open(real_env().fs, data, wanted)?;
    let newest = logs.newest(args.n)?;
    write(&newest, args.json)?;
    while args.follow && is_read() {
        write(&logs.next()?, args.json)?;
    }
    Ok(Verdict::Well)
}

fn write(lines: &[Line], json: bool) -> Result<(), Failure> {
    let mut out = output::stdout();
    for line in lines {
        if json {
            writeln!(out, "{}", line.to_json()?)?;
        } else {
            writeln!(out, "{}", line.to_text())?;
        }
    }
    Ok(out.flush()?)
}

/// Waits a little while, and tells whether anybody still reads what is written.
fn is_read() -> bool {
    let stdout = std::io::stdout();
    let mut watched = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
    let look = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
    match poll(&mut watched, Some(&look)) {
        Ok(_) => !watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        // A signal that was handled; whether the output is read shows at the next write.
        Err(_) => true,
    }
}
