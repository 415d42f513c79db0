//! What requests for erasures, holds and incidents bring: JSON, of which every member is known.

use inferlog_record::body::{Basis, IncidentCategory, OrderKind};
use inferlog_record::{Id, RetentionClass, SystemName, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::admin::{Freeze, Words};
use crate::output::Failure;
use crate::when;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EraseBody {
    pub(super) subject: Option<String>,
    pub(super) decision: Option<Id>,
    pub(super) system: Option<SystemName>,
    pub(super) order: Option<OrderKind>,
    pub(super) order_text: Option<String>,
    pub(super) actor: Option<String>,
    #[serde(default)]
    pub(super) plan: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldBody {
    pub(super) system: SystemName,
    pub(super) basis: Basis,
    pub(super) order_text: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) freeze: FreezeBody,
}

/// What is frozen: one member at least; `all` stands alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FreezeBody {
    #[serde(default)]
    pub(super) all: bool,
    pub(super) decisions: Option<Vec<Id>>,
    pub(super) subject: Option<String>,
    #[serde(default)]
    pub(super) classes: Vec<RetentionClass>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseBody {
    pub(super) basis: Basis,
    pub(super) order_text: Option<String>,
    pub(super) actor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IncidentBody {
    pub(super) system: SystemName,
    pub(super) category: IncidentCategory,
    pub(super) aware_at: String,
    pub(super) freeze: FreezeBody,
    pub(super) report_text: Option<String>,
    pub(super) actor: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AdvanceBody {
    pub(super) report_text: Option<String>,
    pub(super) actor: Option<String>,
    /// With the end of an incident: whether its hold is released.
    pub(super) release_hold: bool,
}

/// Why something is not done.
pub(super) enum No {
    Malformed(String),
    Failed(Failure),
}

impl<E: std::error::Error + 'static> From<E> for No {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl FreezeBody {
    pub(super) fn read(self) -> Result<Freeze, No> {
        let Self { all, decisions, subject, classes, from, to } = self;
        let from = from.map(|from| time("from", &from)).transpose()?;
        let to = to.map(|to| time("to", &to)).transpose()?;
        let is_narrow =
            decisions.is_some() || subject.is_some() || !classes.is_empty() || from.is_some() || to.is_some();
        if all == is_narrow {
            let what = "`freeze` has `decisions`, `subject`, `classes`, `from` or `to`; or `all`, alone";
            return Err(No::Malformed(what.to_owned()));
        }
        Ok(Freeze { decisions, subject, classes, from, to })
    }
}

pub(super) fn time(name: &str, text: &str) -> Result<Timestamp, No> {
    when::point(text).ok_or_else(|| {
        No::Malformed(format!("`{name}` is no time: write 2026-01-31 or 2026-01-31T09:30:00Z"))
    })
}

pub(super) fn words(text: Option<String>) -> Result<Option<Words>, No> {
    text.map(|text| Words::new(text.into_bytes())).transpose().map_err(No::Malformed)
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, No> {
    serde_json::from_slice(body)
        .map_err(|error| No::Malformed(format!("the body is not as docs/reader.md says: {error}")))
}
