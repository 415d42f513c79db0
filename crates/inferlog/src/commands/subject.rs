//! `inferlog subject`: answer a person who asks for their own data.

use clap::Args;

use crate::output::{Failure, Verdict};

/// Answer a person who asks for their own data.
#[derive(Args)]
pub(crate) struct SubjectArgs {}

pub(crate) fn run(_args: &SubjectArgs) -> Result<Verdict, Failure> {
    Err(Failure::new("this command is being built"))
}
