//! `inferlog retention`: remove what has been kept long enough, and report what is kept.

use clap::Args;

use crate::output::{Failure, Verdict};

/// Remove what has been kept long enough, and report what is kept.
#[derive(Args)]
pub(crate) struct RetentionArgs {}

pub(crate) fn run(_args: &RetentionArgs) -> Result<Verdict, Failure> {
    Err(Failure::new("this command is being built"))
}
