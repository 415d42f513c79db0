//! Conditions on decisions that `find` and `stats` share.

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use inferlog::real_env;
use inferlog_index::FacetFilter;
use inferlog_log::list_logs;
use inferlog_record::SystemName;
use inferlog_record::body::{ErrorCode, ModelIdentity, Outcome};

use crate::cli::DataArg;
use crate::output::Failure;

/// Which decisions, by what the record says of them in clear.
#[derive(Args, Clone, Debug)]
pub(crate) struct FacetArgs {
    /// Only decisions of this system.
    #[arg(long, value_name = "NAME")]
    pub(crate) system: Option<SystemName>,
    /// Only decisions of models whose name holds this text.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Only decisions of models of this version.
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Only decisions that ended so, or that are still open.
    #[arg(long, value_name = "OUTCOME", value_parser = outcomes())]
    pub(crate) outcome: Option<String>,
    /// Only decisions that failed so, by the error's code.
    #[arg(long, value_name = "CODE", value_parser = errors(), hide_possible_values = true)]
    pub(crate) error: Option<String>,
    /// Only decisions of models whose names pin one model, or do not.
    #[arg(long, value_name = "IDENTITY", value_parser = identities())]
    pub(crate) identity: Option<String>,
    /// Only decisions that this configured route admitted.
    #[arg(long, value_name = "NAME")]
    pub(crate) route: Option<String>,
    /// Only decisions of this environment.
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Only decisions that a person overrode, or did not.
    #[arg(long, value_name = "YES|NO")]
    pub(crate) overridden: Option<YesNo>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    Yes,
    No,
}

fn outcomes() -> PossibleValuesParser {
    PossibleValuesParser::new(
        Outcome::ALL.iter().map(|outcome| outcome.as_str()).chain([inferlog_index::OPEN]),
    )
}

fn errors() -> PossibleValuesParser {
    PossibleValuesParser::new(ErrorCode::ALL.iter().map(|code| code.as_str()))
}

fn identities() -> PossibleValuesParser {
    PossibleValuesParser::new(ModelIdentity::ALL.iter().map(|identity| identity.as_str()))
}

impl FacetArgs {
    /// The conditions. Refuses a system that has no log here: a name that was mistyped.
    pub(crate) fn filter(&self, dir: &DataArg) -> Result<FacetFilter, Failure> {
        if let Some(system) = &self.system {
            require_system(dir, system)?;
        }
        Ok(FacetFilter {
            system: self.system.as_ref().map(ToString::to_string),
            model: self.model.clone(),
            version: self.version.clone(),
            outcome: self.outcome.clone(),
            identity: self.identity.clone(),
            route: self.route.clone(),
            error: self.error.clone(),
            environment: self.environment.clone(),
            overridden: self.overridden.map(|overridden| overridden == YesNo::Yes),
        })
    }

    /// Whether a plain scan of the log can answer it.
    pub(crate) fn is_simple(&self) -> bool {
        let Self {
            system: _,
            model: _,
            version,
            outcome: _,
            error,
            identity,
            route,
            environment,
            overridden,
        } = self;
        [version, error, identity, route, environment].iter().all(|name| name.is_none())
            && overridden.is_none()
    }
}

fn require_system(dir: &DataArg, system: &SystemName) -> Result<(), Failure> {
    let logs = list_logs(&*real_env().fs, &dir.data)?;
    let mut systems: Vec<&str> = logs.iter().map(|log| log.system()).collect();
    systems.dedup();
    if systems.contains(&system.as_str()) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "there is no log of {system} in this data directory; it has: {}",
        systems.join(", ")
    )))
}
