//! Tables that lead to decisions from elsewhere.

use crate::error::Result;
use crate::facets::{holds_text, list, terms};
use crate::find::Query;
use crate::read::{Reader, Value};

/// Decisions that a driver names at most for a search to start from it: each costs a look-up.
const RARE_MAX: usize = 4_000;

/// A condition that another table answers.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    table: &'static str,
    /// Which of the table's rows, `t`; its parameter stands as `?`.
    condition: String,
    parameter: Option<Value>,
}

/// What of a question stands in other tables.
#[derive(Debug)]
pub(super) struct Drivers {
    /// All of them must hold.
    pub(super) all: Vec<Driver>,
    /// Decisions that have a term with the text that was asked for; `None` if no text was.
    pub(super) text: Option<Driver>,
}

impl Drivers {
    /// Resolves names to numbers.
    pub(super) fn of(reader: &mut Reader, query: &Query) -> Result<Self> {
        let mut all = Vec::new();
        if let Some(subject) = query.subject {
            all.push(Driver::keyed("decision_subject", "t.subject = ?", subject.into()));
        }
        if let Some(digest) = query.identifier {
            all.push(Driver::keyed("identifier", "t.digest = ?", Value::Blob(digest.to_vec())));
        }
        for (aspect, wanted) in [("label", &query.label), ("tool", &query.tool)] {
            if let Some(wanted) = wanted {
                all.push(Driver::terms(&terms(reader, |of, name| of == aspect && name == wanted)?));
            }
        }
        let text = match &query.text {
            Some(text) => Some(Driver::terms(&terms(reader, |_, name| holds_text(name, text))?)),
            None => None,
        };
        Ok(Self { all, text })
    }
}

impl Driver {
    fn keyed(table: &'static str, condition: &str, parameter: Value) -> Self {
        Self { table, condition: condition.to_owned(), parameter: Some(parameter) }
    }

    fn terms(terms: &[i64]) -> Self {
        Self { table: "decision_term", condition: format!("t.term IN {}", list(terms)), parameter: None }
    }

    /// SQL that asks it of the decision `d`; its parameter joins the others.
    pub(super) fn probe(&self, parameters: &mut Vec<Value>) -> String {
        let condition = self.condition(parameters);
        format!("EXISTS (SELECT 1 FROM {} t WHERE {condition} AND t.decision = d.no)", self.table)
    }

    /// The decisions it names, each once, if they are few.
    pub(super) fn few(&self, reader: &mut Reader) -> Result<Option<Vec<i64>>> {
        let mut parameters = Vec::new();
        let condition = self.condition(&mut parameters);
        let sql = format!("SELECT t.decision FROM {} t WHERE {condition} LIMIT {}", self.table, RARE_MAX + 1);
        let mut named = Vec::new();
        reader.rows(&sql, &parameters, |row| {
            named.extend(row.first().and_then(Value::integer));
            Ok(())
        })?;
        if named.len() > RARE_MAX {
            return Ok(None);
        }
        named.sort_unstable();
        named.dedup();
        Ok(Some(named))
    }

    fn condition(&self, parameters: &mut Vec<Value>) -> String {
        let Some(parameter) = &self.parameter else { return self.condition.clone() };
        parameters.push(parameter.clone());
        self.condition.replace('?', &format!("${}", parameters.len()))
    }
}
