//! `inferlog incident`: open a serious incident, freeze its records, watch its deadlines.

use clap::Args;

use crate::output::{Failure, Verdict};

/// Open a serious incident, freeze its records, watch its deadlines.
#[derive(Args)]
pub(crate) struct IncidentArgs {}

pub(crate) fn run(_args: &IncidentArgs) -> Result<Verdict, Failure> {
    Err(Failure::new("this command is being built"))
}
