//! Facets, resolved: which of them a question is about. They are few, however many decisions there are.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::read::{Reader, Value};
use crate::rows::Facet;

/// All facets of an index, by number.
#[derive(Debug, Default)]
pub(crate) struct Facets(BTreeMap<i64, Facet>);

/// Conditions on a decision's facet; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FacetFilter {
    /// The system.
    pub system: Option<String>,
    /// The model's name holds this text.
    pub model: Option<String>,
    /// The model's version.
    pub version: Option<String>,
    /// `answered`, `refused`, `failed`, `aborted`, `interrupted`; `open` for decisions that have not ended.
    pub outcome: Option<String>,
    /// Whether the model's names pin one model: `exact`, `alias`, `unknown`.
    pub identity: Option<String>,
    /// The configured route.
    pub route: Option<String>,
    /// What failed, by its code.
    pub error: Option<String>,
    /// Production, staging and the like.
    pub environment: Option<String>,
    /// Whether a person overrode the decision.
    pub overridden: Option<bool>,
}

/// What `outcome` says of decisions that have not ended.
pub const OPEN: &str = "open";

impl Facets {
    /// Reads them.
    pub(crate) fn read(reader: &mut Reader) -> Result<Self> {
        let mut facets = BTreeMap::new();
        let sql = "SELECT facet, system, route, wire, model, version, identity, environment, outcome, error, \
                   overridden FROM facet";
        reader.rows(sql, &[], |row| {
            let [
                number,
                system,
                route,
                wire,
                model,
                version,
                identity,
                environment,
                outcome,
                error,
                overridden,
            ] = row
            else {
                return Ok(());
            };
            let facet = Facet {
                system: system.owned().unwrap_or_default(),
                route: route.owned(),
                wire: wire.owned(),
                model: model.owned(),
                version: version.owned(),
                identity: identity.owned(),
                environment: environment.owned(),
                outcome: outcome.owned(),
                error: error.owned(),
                overridden: overridden.integer().is_some_and(|flag| flag != 0),
            };
            facets.insert(number.integer().unwrap_or_default(), facet);
            Ok(())
        })?;
        Ok(Self(facets))
    }

    /// One of them.
    pub(crate) fn get(&self, number: i64) -> Facet {
        self.0.get(&number).cloned().unwrap_or_default()
    }

    /// Numbers of those that fit.
    pub(crate) fn matching(&self, fits: impl Fn(&Facet) -> bool) -> Vec<i64> {
        self.0.iter().filter(|(_, facet)| fits(facet)).map(|(number, _)| *number).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl FacetFilter {
    /// Whether a facet fits.
    pub fn fits(&self, facet: &Facet) -> bool {
        let is = |wanted: &Option<String>, value: &Option<String>| wanted.is_none() || wanted == value;
        self.system.as_ref().is_none_or(|system| *system == facet.system)
            && holds(self.model.as_deref(), facet.model.as_deref())
            && is(&self.version, &facet.version)
            && self.outcome.as_deref().is_none_or(|wanted| wanted == facet.outcome())
            && is(&self.identity, &facet.identity)
            && is(&self.route, &facet.route)
            && is(&self.error, &facet.error)
            && is(&self.environment, &facet.environment)
            && self.overridden.is_none_or(|wanted| wanted == facet.overridden)
    }
}

impl Facet {
    /// How the decision ended, or [`OPEN`].
    pub fn outcome(&self) -> &str {
        self.outcome.as_deref().unwrap_or(OPEN)
    }

    /// Whether any of its names holds this text, upper and lower case alike.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        let names = [
            Some(self.system.as_str()),
            self.route.as_deref(),
            self.wire.as_deref(),
            self.model.as_deref(),
            self.version.as_deref(),
            self.identity.as_deref(),
            self.environment.as_deref(),
            Some(self.outcome()),
            self.error.as_deref(),
        ];
        names.into_iter().flatten().any(|name| holds_text(name, text))
    }
}

/// Numbers in brackets, as SQL's `IN` wants them: numbers of ours alone, so that no parameter is needed.
pub(crate) fn list(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("({})", if numbers.is_empty() { "NULL".to_owned() } else { numbers.join(",") })
}

/// Whether a name holds a text, upper and lower case alike.
pub(crate) fn holds_text(name: &str, text: &str) -> bool {
    name.to_lowercase().contains(&text.to_lowercase())
}

/// Numbers of the terms of an aspect that fit.
pub(crate) fn terms(reader: &mut Reader, fits: impl Fn(&str, &str) -> bool) -> Result<Vec<i64>> {
    let mut terms = Vec::new();
    reader.rows("SELECT term, aspect, name FROM term", &[], |row| {
        if let [Value::Integer(term), Value::Text(aspect), Value::Text(name)] = row
            && fits(aspect, name)
        {
            terms.push(*term);
        }
        Ok(())
    })?;
    Ok(terms)
}

fn holds(wanted: Option<&str>, value: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| value.is_some_and(|value| value.contains(wanted)))
}
