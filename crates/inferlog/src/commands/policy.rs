//! `inferlog policy`: say what a system keeps, for how long, and what of it is personal.

use clap::Args;

use crate::output::{Failure, Verdict};

/// Say what a system keeps, for how long, and what of it is personal.
#[derive(Args)]
pub(crate) struct PolicyArgs {}

pub(crate) fn run(_args: &PolicyArgs) -> Result<Verdict, Failure> {
    Err(Failure::new("this command is being built"))
}
