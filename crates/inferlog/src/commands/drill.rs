//! `inferlog drill`: reconstructing a sample, to know that it can be done.

use clap::Args;

use crate::output::{Failure, Verdict};

/// Reconstruct a random sample of decisions from storage alone.
#[derive(Args)]
pub(crate) struct DrillArgs {}

pub(crate) fn run(_: &DrillArgs) -> Result<Verdict, Failure> {
    Err(Failure::new("this build has no drill"))
}
