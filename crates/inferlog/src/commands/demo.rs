//! `inferlog demo`: the whole life of a record in one minute.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use inferlog_vault::RootSource;

use crate::commands::serve::Signals;
use crate::demo::{Demo, tour};
use crate::logging;
use crate::output::{Failure, Verdict};

/// Show all of it in a minute, with a real model and a real log.
///
/// Serves a small credit-scoring model, puts the gateway in front of it, sends a few hundred decisions through over HTTP
/// (good ones, errors, timeouts, clients that leave), then shows one decision in full, and one of several steps: an application
/// with a chat model (rules that stand in for a language model), tools, retrieval, moderation and a person's override. It
/// verifies the log, finds a flipped byte in a copy, makes a receipt, and erases one applicant. Then it goes on serving, for
/// you to try, until Ctrl-C.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog demo                      # in a temporary directory, removed at the end
  inferlog demo --data demo-data     # kept, to look at with show, find and verify
  inferlog demo --once               # ends after the tour")]
pub(crate) struct DemoArgs {
    /// End after the tour instead of serving on.
    #[arg(long)]
    pub(crate) once: bool,
    /// Keep the log in this directory, which must be new or empty [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where the root key is kept, with --data: file:PATH, env:NAME or command:CMD
    /// [default: ~/.config/inferlog/<keystore id>.root]
    #[arg(long, value_name = "PLACE", requires = "data", value_parser = RootSource::parse)]
    pub(crate) root_key: Option<RootSource>,
    /// Where the gateway listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
}

pub(crate) fn run(args: DemoArgs) -> Result<Verdict, Failure> {
    logging::init_quiet();
    let scratch = tempfile::Builder::new().prefix("inferlog-demo-").tempdir()?;
    let (data, root_key) = match &args.data {
        Some(data) => (std::path::absolute(data)?, args.root_key.clone()),
        // Beside the data, for it goes with them.
        None => (scratch.path().join("data"), Some(RootSource::File(scratch.path().join("root")))),
    };
    if data.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(format!("{} is not empty: give a new directory", data.display())));
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let done = runtime.block_on(async {
        let demo = Demo::start(&data, root_key, args.listen).await?;
        let told = show_and_serve(&args, &demo, scratch.path()).await;
        demo.stop().await?;
        told
    });
    drop(runtime);
    scratch.close()?;
    done.map(|()| Verdict::Well)
}

async fn show_and_serve(args: &DemoArgs, demo: &Demo, scratch: &Path) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    tokio::select! {
        told = tour(demo, scratch) => told?,
        () = signals.next() => return Err(Failure::new("stopped")),
    }
    if args.once {
        return demo.farewell(args.data.is_some());
    }
    demo.invite()?;
    signals.next().await;
    demo.farewell(args.data.is_some())
}
