//! `inferlog query`: SQL over the index.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use inferlog_index::query::{
    Limits, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, QueryError, RowSink, TEMP_BYTES_MAX, TIME_MAX,
};
use rustix::termios::tcgetwinsize;

use crate::admin::{Act, Door, Reader};
use crate::amount::{parse_bytes, parse_time};
use crate::cli::OpenArgs;
use crate::followers::{Store, freshen};
use crate::output::{self, DIM, Failure, Verdict, styled};
use crate::query::{Format, IndexAt, Job, Output, answer_to, explain, open};

/// Answer a question in SQL.
///
/// One SELECT over the index, which is brought up to date first. The views are the same in SQLite and PostgreSQL; `--schema` lists
/// them with their columns. The statement can read and nothing else, and is bounded in time, memory and temporary files: it
/// runs in a process of its own. A dash reads it from standard input. `--open` puts content in the place of references to
/// it, which is recorded as an access before anything is shown.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog query --data /var/lib/inferlog \"SELECT model, count(*), avg(latency_ns) / 1e6 AS ms FROM decisions GROUP BY model\"
  inferlog query --data /var/lib/inferlog --json \"SELECT id FROM decisions WHERE outcome = 'failed'\" | jq -r .id
  inferlog query --data /var/lib/inferlog --format parquet --output refs.parquet \"SELECT * FROM payload_refs\"
  inferlog query --data /var/lib/inferlog --open payload --purpose audit \\
      \"SELECT decision, payload FROM payload_refs WHERE role = 'output.final' LIMIT 10\"
  inferlog query --data /var/lib/inferlog --schema")]
pub(crate) struct QueryArgs {
    /// The statement; `-` reads it from standard input.
    #[arg(value_name = "SQL", required_unless_present = "schema", conflicts_with = "schema")]
    sql: Option<String>,
    #[command(flatten)]
    open_args: OpenArgs,
    /// Ask this index: sqlite (in the data directory), or postgres://…, env:NAME or file:PATH.
    #[arg(long, value_name = "PLACE", default_value = "sqlite", value_parser = Store::parse)]
    index: Store,
    /// List views and columns.
    #[arg(long)]
    schema: bool,
    /// Print one JSON object a line: --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    format: FormatArg,
    /// Write the answer to this file; it is not there before the answer is whole.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Open the payloads that this column of the answer refers to; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    open: Vec<String>,
    #[command(flatten)]
    reader: Reader,
    /// The longest that the statement may take [default: 30s].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    time_max: Option<Duration>,
    /// The most memory that it may take [default: 512MiB].
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    memory_max: Option<u64>,
    /// The largest temporary file that it may write [default: 1GiB].
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    temp_max: Option<u64>,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// Aligned columns, for people.
    Table,
    /// One JSON object a line.
    Json,
    /// Comma-separated values.
    Csv,
    /// Apache Parquet.
    Parquet,
}

pub(crate) fn run(args: QueryArgs) -> Result<Verdict, Failure> {
    for lack in freshen(&args.open_args.dir.data, &args.index)? {
        writeln!(output::stderr(), "{} {lack}", styled(DIM, "note:"))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(answer(args))
}

async fn answer(args: QueryArgs) -> Result<Verdict, Failure> {
    let data = &args.open_args.dir.data;
    let index = IndexAt::of(data, &args.index);
    let sql = match args.sql.as_deref() {
        Some("-") => io::read_to_string(io::stdin().lock())?,
        Some(sql) => sql.to_owned(),
        None => return schema(&index, args.json).await,
    };
    let limits = Limits {
        time_max: args.time_max.unwrap_or(TIME_MAX),
        memory_bytes_max: args.memory_max.unwrap_or(MEMORY_BYTES_MAX).max(MEMORY_BYTES_MIN),
        temp_bytes_max: args.temp_max.unwrap_or(TEMP_BYTES_MAX),
    };
    let job = Job { index, sql, limits, format: format(&args), open: args.open.clone() };
    let done = match args.output.as_deref() {
        Some(path) => to_file(&args, &job, path).await,
        None => to_stdout(&args, &job).await,
    };
    done.map(|()| Verdict::Well)
}

fn format(args: &QueryArgs) -> Format {
    match args.format {
        _ if args.json => Format::Json,
        FormatArg::Json => Format::Json,
        FormatArg::Csv => Format::Csv,
        FormatArg::Parquet => Format::Parquet,
        FormatArg::Table => {
            let terminal = io::stdout().is_terminal() && args.output.is_none();
            let width = tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
            Format::Table {
                color: args.output.is_none(),
                width: width.filter(|width| terminal && *width > 0),
            }
        }
    }
}

async fn to_stdout(args: &QueryArgs, job: &Job) -> Result<(), Failure> {
    match job.format {
        // Standard output drops colours where nobody sees them.
        Format::Table { .. } => write(args, job, &mut anstream::AutoStream::auto(io::stdout())).await,
        Format::Parquet if io::stdout().is_terminal() => {
            Err(Failure::new("a terminal shows no Parquet: give --output FILE, or redirect the output"))
        }
        _ => write(args, job, &mut io::stdout()).await,
    }
}

/// Writes a file beside its place, and moves it there when it is whole.
async fn to_file(args: &QueryArgs, job: &Job, path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    write(args, job, &mut file).await?;
    // A crash before this leaves a file whose name begins with `.tmp`.
    file.persist(path)?;
    Ok(())
}

async fn write(args: &QueryArgs, job: &Job, out: &mut (impl Write + Send)) -> Result<(), Failure> {
    if job.open.is_empty() {
        return match answer_to(job, out).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(&error, &job.sql)),
        };
    }
    let rows = opened(args, job).await?;
    let mut output = Output::of(io::BufWriter::new(out), job.format);
    output.begin(&rows.columns)?;
    rows.rows.into_iter().try_for_each(|row| output.row(row))?;
    Ok(output.finish()?)
}

/// The answer with content in the place of references to it.
async fn opened(args: &QueryArgs, job: &Job) -> Result<open::Rows, Failure> {
    let mut rows = open::Rows::ask(job).await.map_err(|error| failure(&error, &job.sql))?;
    let act = Act::Open { wanted: rows.wanted(), reader: args.reader.clone(), query: job.sql.clone() };
    let mut door = Door::open(&args.open_args).await?;
    let opened = door.ask(act).await;
    door.close().await?;
    rows.put(opened?).map_err(|error| failure(&error, &job.sql))?;
    Ok(rows)
}

fn failure(error: &QueryError, sql: &str) -> Failure {
    Failure::new(explain(error, sql))
}

/// Lists views and columns, as the index has them.
async fn schema(index: &IndexAt, json: bool) -> Result<Verdict, Failure> {
    let index = index.clone();
    let views = tokio::task::spawn_blocking(move || index.views()).await??;
    let mut out = output::stdout();
    for view in views {
        if json {
            writeln!(out, "{}", serde_json::to_string(&view)?)?;
        } else {
            write!(out, "{}", view.to_text())?;
        }
    }
    Ok(Verdict::Well)
}
