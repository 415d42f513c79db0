//! `inferlog subject`: answer a person who asks for their own data.

mod export;
mod package;
mod whom;

use clap::{Args, Subcommand};

use crate::output::{Failure, Verdict};

pub(crate) use whom::Whom;

/// Answer a person who asks for their own data.
#[derive(Args)]
pub(crate) struct SubjectArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Export(export::ExportArgs),
}

pub(crate) fn run(args: &SubjectArgs) -> Result<Verdict, Failure> {
    match &args.command {
        Command::Export(args) => export::run(args),
    }
}
