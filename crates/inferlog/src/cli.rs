//! The command line: what there is to say, and how it ends.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use inferlog::Settings;
use inferlog_vault::RootSource;

use crate::commands::{
    attach, bench, coverage, demo, drill, erase, explain, export, find, followers, hold, incident, keys,
    models, policy, prompts, query, receipt, reconstruct, retention, sampling, serve, show, stats, subject,
    tail, timestamp, tools, verify, witness,
};
use crate::output::{self, BAD, Failure, Verdict, styled};
use crate::query::{WORKER, work};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The inference log of an AI system: every decision recorded, kept and provable.
#[derive(Parser)]
#[command(name = "inferlog", version, styles = STYLES, max_term_width = 110, after_help = GUIDE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const GUIDE: &str = "\
Start with `inferlog demo`: it needs nothing but this program.
`inferlog help COMMAND` explains a command with an example.

Exit status:
  0  done, and all is well
  1  the answer is no: a fault was found, a proof does not hold, there is no such decision
  2  it could not be done: wrong command line, damaged or locked directory, failing disk";

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Show(show::ShowArgs),
    Reconstruct(reconstruct::ReconstructArgs),
    Explain(explain::ExplainArgs),
    Find(Box<find::FindArgs>),
    Stats(Box<stats::StatsArgs>),
    Tail(tail::TailArgs),
    Followers(followers::FollowersArgs),
    Query(Box<query::QueryArgs>),
    Export(Box<export::ExportArgs>),
    Verify(verify::VerifyArgs),
    Receipt(receipt::ReceiptArgs),
    Witness(witness::WitnessArgs),
    Timestamp(timestamp::TimestampArgs),
    Coverage(Box<coverage::CoverageArgs>),
    Drill(drill::DrillArgs),
    Human(attach::HumanArgs),
    Label(attach::LabelArgs),
    Output(attach::OutputArgs),
    Context(attach::ContextArgs),
    Retrieval(attach::RetrievalArgs),
    ToolCall(attach::ToolCallArgs),
    Transform(attach::TransformArgs),
    Events(attach::EventsArgs),
    Policy(policy::PolicyArgs),
    Retention(retention::RetentionArgs),
    Sampling(sampling::SamplingArgs),
    Hold(hold::HoldArgs),
    Incident(incident::IncidentArgs),
    Erase(erase::EraseArgs),
    Subject(subject::SubjectArgs),
    Keys(keys::KeysArgs),
    Prompts(prompts::PromptsArgs),
    Tools(tools::ToolsArgs),
    Models(models::ModelsArgs),
    Bench(bench::BenchArgs),
}

/// Which data directory.
#[derive(Args, Clone, Debug)]
pub(crate) struct DataArg {
    /// The data directory.
    #[arg(long, value_name = "DIR", env = "INFERLOG_DATA")]
    pub(crate) data: PathBuf,
}

/// Which data directory, and the key that opens its content.
#[derive(Args, Clone, Debug)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) dir: DataArg,
    /// Where the root key is: file:PATH, env:NAME or command:CMD [default: ~/.config/inferlog/<keystore id>.root]
    #[arg(long, value_name = "PLACE", env = "INFERLOG_ROOT_KEY", hide_env_values = true, value_parser = RootSource::parse)]
    pub(crate) root_key: Option<RootSource>,
}

impl OpenArgs {
    /// How to open it, the rest by default.
    pub(crate) fn settings(&self) -> Settings {
        Settings { root_key: self.root_key.clone(), ..Settings::new(&self.dir.data) }
    }
}

/// Reads the command line, does what it says, and answers the exit status.
pub(crate) fn run() -> ExitCode {
    // Not a command for people: it reads no command line.
    if std::env::args_os().nth(1).is_some_and(|word| word == WORKER) {
        return work();
    }
    do_as(Cli::parse().command)
}

/// The same with a command line that came another way.
pub(crate) fn run_words(words: Vec<String>) -> ExitCode {
    match Cli::try_parse_from(std::iter::once("inferlog".to_owned()).chain(words)) {
        Ok(cli) => do_as(cli.command),
        Err(error) => {
            let _ = error.print();
            ExitCode::from(2)
        }
    }
}

fn do_as(command: Command) -> ExitCode {
    let done = match command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Show(args) => show::run(args),
        Command::Reconstruct(args) => reconstruct::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Find(args) => find::run(*args),
        Command::Stats(args) => stats::run(*args),
        Command::Tail(args) => tail::run(args),
        Command::Followers(args) => followers::run(args),
        Command::Query(args) => query::run(*args),
        Command::Export(args) => export::run(*args),
        Command::Verify(args) => verify::run(args),
        Command::Receipt(args) => receipt::run(args),
        Command::Witness(args) => witness::run(&args),
        Command::Timestamp(args) => timestamp::run(&args),
        Command::Coverage(args) => coverage::run(*args),
        Command::Drill(args) => drill::run(&args),
        Command::Human(args) => attach::human(&args),
        Command::Label(args) => attach::label(&args),
        Command::Output(args) => attach::output(&args),
        Command::Context(args) => attach::context(&args),
        Command::Retrieval(args) => attach::retrieval(&args),
        Command::ToolCall(args) => attach::tool_call(&args),
        Command::Transform(args) => attach::transform(&args),
        Command::Events(args) => attach::events(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Retention(args) => retention::run(&args),
        Command::Sampling(args) => sampling::run(&args),
        Command::Hold(args) => hold::run(&args),
        Command::Incident(args) => incident::run(&args),
        Command::Erase(args) => erase::run(args),
        Command::Subject(args) => subject::run(&args),
        Command::Keys(args) => keys::run(args),
        Command::Prompts(args) => prompts::run(args),
        Command::Tools(args) => tools::run(args),
        Command::Models(args) => models::run(args),
        Command::Bench(args) => bench::run(args),
    };
    match done {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    if failure.is_broken_pipe() {
        // Whoever read the output has seen enough, as `head` does.
        return ExitCode::SUCCESS;
    }
    // Where standard error is closed too, the exit status must do.
    let _ = writeln!(output::stderr(), "{} {}", styled(BAD, "error:"), failure);
    ExitCode::from(2)
}
