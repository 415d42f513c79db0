//! What an export of a person's data needs of whoever holds the keystore: who they are, and that it is recorded before.

use std::collections::BTreeMap;

use inferlog::Instance;
use inferlog_record::body::AccessAction;
use inferlog_record::{Id, Pseudonym, SystemName};
use serde::{Deserialize, Serialize};

use super::access::{Reader, Reading, record_access};
use super::systems::systems_of;
use crate::output::Failure;

/// What is asked about a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum SubjectAct {
    /// As whom the systems know them.
    Find {
        /// The value that came in requests.
        value: String,
        /// Only this system.
        system: Option<SystemName>,
    },
    /// Record that their data is given out, before any of it is opened.
    BeginExport {
        /// Who gives it out.
        reader: Reader,
        /// The decisions whose contents are opened.
        decisions: BTreeMap<SystemName, Vec<Id>>,
        /// What is asked for: sealed.
        selection: String,
    },
}

/// A person, as a system knows them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) system: SystemName,
    pub(crate) pseudonym: Pseudonym,
}

impl SubjectAct {
    /// Its name, for logs.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Find { .. } => "subject_find",
            Self::BeginExport { .. } => "subject_begin_export",
        }
    }
}

pub(super) async fn act(instance: &Instance, asked: SubjectAct) -> Result<serde_json::Value, Failure> {
    match asked {
        SubjectAct::Find { value, system } => {
            Ok(serde_json::to_value(find(instance, value, system.as_ref()).await?)?)
        }
        SubjectAct::BeginExport { reader, decisions, selection } => {
            let action = AccessAction::Export;
            let reading = Reading { action, reader, decisions, granted: true, query: Some(selection) };
            record_access(instance, reading).await?;
            Ok(serde_json::Value::Null)
        }
    }
}

/// As whom the systems know a person; empty if none does.
pub(crate) async fn find(
    instance: &Instance,
    value: String,
    only: Option<&SystemName>,
) -> Result<Vec<Known>, Failure> {
    let systems = systems_of(instance, only).await?;
    let vault = instance.vault.clone();
    let finding = move || {
        let mut known = Vec::new();
        for system in systems.iter().map(|system| system.name().clone()) {
            if let Some(subject) = vault.find_subject(&system, value.as_bytes())? {
                known.push(Known { system, pseudonym: subject.pseudonym() });
            }
        }
        Ok::<_, Failure>(known)
    };
    tokio::task::spawn_blocking(finding).await?
}
