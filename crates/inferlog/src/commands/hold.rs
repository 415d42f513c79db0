//! `inferlog hold`: freeze records: place, release and list holds.

use clap::Args;

use crate::output::{Failure, Verdict};

/// Freeze records: place, release and list holds.
#[derive(Args)]
pub(crate) struct HoldArgs {}

pub(crate) fn run(_args: &HoldArgs) -> Result<Verdict, Failure> {
    Err(Failure::new("this command is being built"))
}
