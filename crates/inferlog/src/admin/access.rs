//! That content was read is recorded before it is given out.

use std::collections::BTreeMap;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use inferlog::Instance;
use inferlog_record::body::{Access, AccessAction, AccessPurpose, AccessRole};
use inferlog_record::{Id, SystemName, Tally};
use serde::{Deserialize, Serialize};

use crate::output::Failure;

/// The most decisions that the record of an access names one by one.
pub(crate) const DECISIONS_NAMED_MAX: usize = 100;

/// Who reads, and what for.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reader {
    /// In which role you read; stands in the record, as do the next two.
    #[arg(long, default_value = "operator", value_parser = words::<AccessRole>(AccessRole::TEXTS))]
    pub(crate) role: AccessRole,
    /// For what purpose.
    #[arg(long, default_value = "operation", value_parser = words::<AccessPurpose>(AccessPurpose::TEXTS))]
    pub(crate) purpose: AccessPurpose,
    /// Who you are, as your organisation knows you; the record has a pseudonym of it [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    pub(crate) actor: Option<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { role: AccessRole::Operator, purpose: AccessPurpose::Operation, actor: None }
    }
}

/// The words of one of the record's enumerations, for the command line.
pub(crate) fn words<T: std::str::FromStr + Clone + Send + Sync + 'static>(
    texts: &'static [&'static str],
) -> impl TypedValueParser<Value = T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(texts).try_map(|text| text.parse::<T>())
}

/// Content that is about to be given out, or was refused.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// What is done.
    pub(crate) action: AccessAction,
    /// Who does it.
    pub(crate) reader: Reader,
    /// The decisions that it touches, by system.
    pub(crate) decisions: BTreeMap<SystemName, Vec<Id>>,
    /// Whether it is allowed.
    pub(crate) granted: bool,
    /// What was asked: sealed, for it may name persons.
    pub(crate) query: Option<String>,
}

/// Records an access, in the log of each system that it touches, and waits until that is durable. Nothing may be given out
/// before, nor after an error. A system whose log is not written here any more is an error.
pub(crate) async fn record_access(instance: &Instance, reading: Reading) -> Result<(), Failure> {
    let systems = instance.recorder.systems().await;
    for (name, mut decisions) in reading.decisions {
        let system = systems.iter().find(|system| *system.name() == name).ok_or_else(|| {
            Failure::new(format!("there is no log of {name} here that the access could be recorded in"))
        })?;
        decisions.sort_unstable();
        decisions.dedup();
        let count = decisions.len();
        if count > DECISIONS_NAMED_MAX {
            decisions.clear();
        }
        let access = Access {
            action: reading.action,
            actor: None,
            count: Tally::Known(count as u64),
            decisions: decisions.into(),
            granted: reading.granted,
            purpose: reading.reader.purpose,
            role: reading.reader.role,
        };
        let told =
            system.tell_access(access, reading.reader.actor.as_deref(), reading.query.as_deref()).await;
        told.map_err(|error| {
            Failure::new(format!("nothing is given out, for the access cannot be recorded: {error}"))
        })?;
    }
    Ok(())
}
