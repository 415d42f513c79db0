//! What a witness knows, told.

use std::io::Write;

use inferlog_disk::RealFs;
use inferlog_record::Timestamp;
use inferlog_witness::{Fork, KnownLog, forks as read_forks, known_logs, newest};
use serde_json::json;

use super::state::public_key;
use super::{ForksArgs, LogsArgs};
use crate::output::{self, BAD, BOLD, DIM, Failure, GOOD, Verdict, styled};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// A time in seconds since 1970, to be read.
pub(super) fn time(seconds: u64) -> String {
    Timestamp(seconds.saturating_mul(NS_PER_SECOND)).to_string()
}

pub(super) fn logs(args: &LogsArgs) -> Result<Verdict, Failure> {
    let state = &args.state.state;
    let key = public_key(state)?;
    let mut out = output::stdout();
    if !args.json {
        writeln!(out, "{}  {}", styled(BOLD, "witness"), key)?;
    }
    for log in known_logs(&RealFs, state)? {
        let newest = newest(&RealFs, state, &log.origin, &key)?;
        let forks = read_forks(&RealFs, state, &log.origin)?;
        let proved = forks.iter().filter(|fork| fork.is_proof() && fork.verify(&log.keys).is_ok()).count();
        if args.json {
            let keys: Vec<String> = log.keys.iter().map(ToString::to_string).collect();
            let newest = newest.map(|newest| {
                let checkpoint = &newest.checkpoint;
                json!({"root": checkpoint.root().to_base64(), "size": checkpoint.size(), "time": time(newest.time)})
            });
            let line = json!({"forks": proved, "keys": keys, "newest": newest, "origin": log.origin, "witness": key.to_string()});
            writeln!(out, "{line}")?;
            continue;
        }
        writeln!(out, "{}", styled(BOLD, &log.origin))?;
        match newest {
            Some(newest) => writeln!(
                out,
                "  cosigned size {} at {}  {}",
                newest.checkpoint.size(),
                time(newest.time),
                styled(DIM, newest.checkpoint.root().to_base64())
            )?,
            None => writeln!(out, "  {}", styled(DIM, "nothing cosigned yet"))?,
        }
        if proved > 0 {
            writeln!(
                out,
                "  {}",
                styled(BAD, format!("forks proved: {proved}; see `inferlog witness forks`"))
            )?;
        }
    }
    Ok(Verdict::Well)
}

pub(super) fn forks(args: &ForksArgs) -> Result<Verdict, Failure> {
    let state = &args.state.state;
    public_key(state)?;
    let mut out = output::stdout();
    let (mut is_proved, mut is_any) = (false, false);
    for log in known_logs(&RealFs, state)? {
        for fork in read_forks(&RealFs, state, &log.origin)? {
            is_any = true;
            let checked = fork.verify(&log.keys).map_err(|fault| fault.to_string());
            is_proved |= fork.is_proof() && checked.is_ok();
            if args.json {
                let (verified, fault) = (checked.is_ok(), checked.err());
                writeln!(
                    out,
                    "{}",
                    json!({"fault": fault, "fork": fork, "origin": log.origin, "verified": verified})
                )?;
            } else {
                write_fork(&mut out, &log, &fork, checked.err())?;
            }
        }
    }
    if !is_any && !args.json {
        writeln!(out, "{}", styled(GOOD, "no log contradicted what this witness had cosigned"))?;
    }
    Ok(if is_proved { Verdict::No } else { Verdict::Well })
}

fn write_fork(
    out: &mut impl Write,
    log: &KnownLog,
    fork: &Fork,
    fault: Option<String>,
) -> Result<(), Failure> {
    writeln!(out, "{}  refused at {}", styled(BOLD, &log.origin), time(fork.seen))?;
    if let Some(fault) = fault {
        writeln!(out, "{}", styled(BAD, format!("what is kept does not check: {fault}")))?;
    }
    writeln!(out, "{fork}")?;
    Ok(())
}
