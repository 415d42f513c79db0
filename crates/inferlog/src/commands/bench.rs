//! `inferlog bench`: what recording costs on this machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::bench::memory::{self, Reading};
use crate::bench::{self, Part};
use crate::output::{self, Failure, Verdict, progress};

/// Measure what recording costs on this machine.
///
/// Compares the Recorder with the bare disk (the same bytes in the same batches, no product code) and with the bare work (the
/// same records, no disk), the gateway with the same proxy that does not record, and measures verification; the index, where it is
/// named. Phases alternate, and medians are printed. Run it on the disk that will hold the data, on an idle machine.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog bench --data /var/lib                # in a new directory there, removed at the end
  inferlog bench --seconds 15 --json
  inferlog bench --only index --events 10000000 # the index, at ten million events
  inferlog bench --memory                       # memory use over a million decisions")]
pub(crate) struct BenchArgs {
    /// Measure on the disk that holds this directory [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Time for the Recorder's phases together; the others take as long again.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) seconds: u64,
    /// Only these parts.
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',', default_values_t = Part::USUAL)]
    pub(crate) only: Vec<Part>,
    /// Events of the log that `--only index` measures with.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    pub(crate) events: u64,
    /// Keep that log and its index here, or use those that are here already.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Record a million decisions and print the memory in use along the way, instead of all else.
    #[arg(long)]
    pub(crate) memory: bool,
}

/// Runs the measurements in a directory that is removed at the end.
pub(crate) fn run(args: BenchArgs) -> Result<Verdict, Failure> {
    let place = args.data.clone().unwrap_or_else(std::env::temp_dir);
    std::fs::create_dir_all(&place)?;
    let scratch = tempfile::Builder::new().prefix("inferlog-bench-").tempdir_in(&place)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(measure(&args, scratch.path()));
    drop(runtime);
    scratch.close()?;
    done
}

async fn measure(args: &BenchArgs, dir: &Path) -> Result<Verdict, Failure> {
    if args.memory {
        return memory(args, dir).await;
    }
    let bar = progress(format!("about {} s", 3 * args.seconds));
    let results = parts(args, dir, |what| bar.set_message(what)).await;
    bar.finish_and_clear();
    let (results, mut out) = (results?, output::stdout());
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&results)?)?;
    } else {
        results.print(&mut out)?;
    }
    Ok(Verdict::Well)
}

async fn parts(args: &BenchArgs, dir: &Path, tell: impl Fn(String)) -> Result<bench::Results, Failure> {
    let time = Duration::from_secs(args.seconds.max(1));
    let mut results = match args.only[..] {
        [Part::Index] => bench::Results::of_this_machine(),
        _ => bench::run(dir, time, &args.only, &tell).await?,
    };
    if args.only.contains(&Part::Index) {
        let plan = bench::index::Plan { events: args.events, alone: time / 3, keep: args.keep.clone() };
        results.index = Some(bench::index::run(&dir.join("index"), &plan, tell).await?);
    }
    Ok(results)
}

async fn memory(args: &BenchArgs, dir: &Path) -> Result<Verdict, Failure> {
    memory::run(dir, |reading| {
        let mut out = output::stdout();
        if args.json {
            writeln!(out, "{}", serde_json::to_string(&reading)?)?;
        } else {
            let resident = reading.resident_bytes.map_or("unknown".into(), |bytes| format!("{} MiB", bytes >> 20));
            let descriptors = reading.descriptors.map_or("unknown".into(), |count| count.to_string());
            let Reading { decisions, seconds, .. } = reading;
            writeln!(out, "{decisions:>9} decisions  {seconds:>6.0} s  {resident:>9} resident  {descriptors:>4} descriptors")?;
        }
        Ok(())
    })
    .await?;
    Ok(Verdict::Well)
}
