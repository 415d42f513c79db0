//! Databricks' inference tables: a row for each model call
//! (docs.databricks.com, "Inference tables for monitoring and debugging models", the table's schema).

use std::collections::HashMap;
use std::io::Write;

use inferlog_record::body::{Body, Inference};
use inferlog_record::{ClearName, Id, PayloadRole};
use serde_json::Value as Json;

use crate::Report;
use crate::content::Opener;
use crate::error::Result;
use crate::happening::{Happening, Held, Visitor};
use crate::rows::{integer, timestamp};
use crate::selection::Selection;
use crate::table::{Column, ColumnType, TableWriter, Value};

pub(crate) fn columns() -> Vec<Column> {
    vec![
        Column::new("databricks_request_id", ColumnType::Text),
        Column::new("client_request_id", ColumnType::Text),
        Column::new("request_date", ColumnType::Date),
        Column::new("request_time", ColumnType::Timestamp),
        Column::new("status_code", ColumnType::Integer),
        Column::new("sampling_fraction", ColumnType::Real),
        Column::new("execution_duration_ms", ColumnType::Integer),
        Column::new("request", ColumnType::Text),
        Column::new("response", ColumnType::Text),
        Column::new("served_entity_id", ColumnType::Text),
        Column::new("logging_error_codes", ColumnType::TextList),
        Column::new("requester", ColumnType::Text),
    ]
}

/// Members of `external_ids` that say how the client named its request, the best first.
const CLIENT_IDS: [&str; 3] = ["id", "x-request-id", "request-id"];

const MILLISECOND_NS: u64 = 1_000_000;

pub(crate) struct Databricks<'a, W: Write + Send> {
    pub(crate) table: TableWriter<W>,
    opener: &'a Opener<'a>,
    selection: &'a Selection,
    report: &'a mut Report,
    /// The ids of others that a decision's request bore, while it is open.
    external_ids: HashMap<Id, Held>,
    /// The fraction that a sampling policy selects, as its latest event says.
    fractions: HashMap<ClearName, f64>,
}

impl<'a, W: Write + Send> Databricks<'a, W> {
    pub(crate) fn new(
        table: TableWriter<W>,
        opener: &'a Opener<'a>,
        selection: &'a Selection,
        report: &'a mut Report,
    ) -> Self {
        Self { table, opener, selection, report, external_ids: HashMap::new(), fractions: HashMap::new() }
    }

    fn row(&mut self, happening: &Happening, inference: &Inference) -> Result<()> {
        let event = &happening.event;
        let began = event.started_at.unwrap_or(event.logged_at);
        let took = event.ended_at.map(|ended| ended.nanos().saturating_sub(began.nanos()) / MILLISECOND_NS);
        let mut codes = Vec::new();
        let request = self.text(happening.held(PayloadRole::InputAssembled), "REQUEST", &mut codes);
        let response = self.text(happening.held(PayloadRole::OutputRaw), "RESPONSE", &mut codes);
        let name = |name: Option<&ClearName>| name.map_or(Value::Null, |name| Value::Text(name.to_string()));
        let row = [
            Value::Text(event.id.to_string()),
            self.client_id(happening),
            i32::try_from(began.day()).map_or(Value::Null, Value::Date),
            timestamp(began),
            inference.status.map_or(Value::Null, |status| integer(status.into())),
            self.fraction(event.sampling.as_ref()),
            took.map_or(Value::Null, integer),
            request,
            response,
            name(inference.model.deployment.as_ref()),
            Value::TextList(codes),
            // Whose permissions were used is not recorded; whom a decision is about is not who asked.
            Value::Null,
        ];
        Ok(self.table.row(&row)?)
    }

    /// A body as text, or null and a code that says why.
    fn text(&mut self, held: Option<&Held>, what: &str, codes: &mut Vec<String>) -> Value {
        let Some(held) = held else {
            codes.push(format!("{what}_NOT_RECORDED"));
            return Value::Null;
        };
        match held.open(self.opener).map(crate::content::Opened::text) {
            Ok(("text", text)) => Value::Text(text),
            Ok((_, base64)) => {
                codes.push(format!("{what}_IN_BASE64"));
                Value::Text(base64)
            }
            Err(why) => {
                self.report.not_opened(why.state);
                codes.push(match why.why.as_str() {
                    "over_limit" => format!("MAX_{what}_SIZE_EXCEEDED"),
                    reason if why.state == "not_captured" => format!("{what}_{}", reason.to_uppercase()),
                    _ => format!("{what}_{}", why.state.to_uppercase()),
                });
                Value::Null
            }
        }
    }

    fn client_id(&self, happening: &Happening) -> Value {
        let asked = happening.decision.and_then(|decision| self.external_ids.get(&decision));
        let ids = [asked, happening.held(PayloadRole::ExternalIds)].into_iter().flatten();
        let ids =
            ids.filter_map(|held| serde_json::from_slice::<Json>(&held.open(self.opener).ok()?.bytes).ok());
        let find = |ids: Json| CLIENT_IDS.iter().find_map(|name| Some(ids.get(name)?.as_str()?.to_owned()));
        ids.filter_map(find).next().map_or(Value::Null, Value::Text)
    }

    /// All, where no policy selects; null, where what the policy selects was not read.
    fn fraction(&self, policy: Option<&ClearName>) -> Value {
        match policy {
            None => Value::Real(1.0),
            Some(policy) => self.fractions.get(policy).map_or(Value::Null, |fraction| Value::Real(*fraction)),
        }
    }
}

impl<W: Write + Send> Visitor for Databricks<'_, W> {
    fn event(&mut self, happening: &Happening) -> Result<()> {
        match (&happening.event.body, happening.decision) {
            (Body::Sampling(sampling), _) => {
                if let Some(probability) = sampling.probability_millionths {
                    self.fractions.insert(sampling.policy.clone(), probability.to_f64());
                }
            }
            (Body::DecisionOpened(_), Some(decision)) => {
                if let Some(ids) = happening.held(PayloadRole::ExternalIds) {
                    self.external_ids.insert(decision, ids.clone());
                }
            }
            (Body::DecisionClosed(_), Some(decision)) => {
                self.external_ids.remove(&decision);
            }
            (Body::Inference(inference), decision)
                if self.selection.has_event(decision, &happening.event) =>
            {
                return self.row(happening, inference);
            }
            _ => {}
        }
        Ok(())
    }
}
