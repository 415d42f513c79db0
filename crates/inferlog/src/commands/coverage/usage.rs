//! A provider's usage export, in the forms that providers give and in any CSV whose columns are named.

use std::collections::BTreeMap;
use std::path::Path;

use inferlog_audit::coverage::{Usage, UsageCounts, UsageKey};
use inferlog_record::Timestamp;
use serde_json::{Map, Value};

use crate::output::Failure;
use crate::when;

const SECONDS_PER_DAY: u64 = 86_400;

pub(super) type Rows = BTreeMap<UsageKey, UsageCounts>;

/// How the columns of an export are called. Several names are tried; what several columns of tokens hold is added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns {
    time: Vec<String>,
    model: Vec<String>,
    requests: Vec<String>,
    input: Vec<String>,
    output: Vec<String>,
}

impl Default for Columns {
    /// The plain form; OpenAI's organisation usage (`/v1/organization/usage/completions`); Anthropic's usage report
    /// (`/v1/organizations/usage_report/messages`) and the CSV of its console.
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            time: names(&["time", "date", "start_time_iso", "start_time", "starting_at", "usage_date_utc"]),
            model: names(&["model", "model_version"]),
            requests: names(&["requests", "num_model_requests"]),
            // OpenAI's `input_tokens` has the cached ones in it; Anthropic counts them apart.
            input: names(&[
                "input_tokens",
                "uncached_input_tokens",
                "cache_read_input_tokens",
                "cache_creation.ephemeral_5m_input_tokens",
                "cache_creation.ephemeral_1h_input_tokens",
                "usage_input_tokens_no_cache",
                "usage_input_tokens_cache_write_5m",
                "usage_input_tokens_cache_write_1h",
                "usage_input_tokens_cache_read",
            ]),
            output: names(&["output_tokens", "usage_output_tokens"]),
        }
    }
}

impl Columns {
    /// Reads `time=date,model=name`: what is not named keeps its names.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for pair in text.split(',') {
            let (what, name) =
                pair.split_once('=').ok_or_else(|| format!("`{pair}`: write it as time=date"))?;
            let place = match what.trim() {
                "time" => &mut columns.time,
                "model" => &mut columns.model,
                "requests" => &mut columns.requests,
                "input_tokens" => &mut columns.input,
                "output_tokens" => &mut columns.output,
                _ => {
                    return Err(format!(
                        "`{what}` is none of time, model, requests, input_tokens, output_tokens"
                    ));
                }
            };
            *place = vec![name.trim().to_owned()];
        }
        Ok(columns)
    }
}

/// What is compared with a tolerance.
pub(super) fn within(rows: Rows, tolerance: f64) -> Usage {
    Usage { rows, tolerance }
}

/// Reads an export: JSON if it begins like it, else CSV.
pub(super) fn read(file: &Path, columns: Option<&Columns>) -> Result<Rows, Failure> {
    let wrong = |what: String| Failure::new(format!("{}: {what}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let own = Columns::default();
    let columns = columns.unwrap_or(&own);
    let begins = bytes.trim_ascii_start().first().copied();
    let read = if matches!(begins, Some(b'{' | b'[')) { json(&bytes, columns) } else { csv(&bytes, columns) };
    let rows = read.map_err(wrong)?;
    if rows.is_empty() {
        return Err(wrong(
            "it has no row with a day and a model; --usage-columns names its columns".to_owned(),
        ));
    }
    Ok(rows)
}

fn csv(bytes: &[u8], columns: &Columns) -> Result<Rows, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_reader(bytes);
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut rows = Rows::new();
    for (number, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| error.to_string())?;
        let row: Map<String, Value> =
            head.iter().zip(&record).map(|(name, cell)| (name.to_owned(), Value::from(cell))).collect();
        add(&mut rows, columns, &row, &Map::new()).map_err(|what| format!("line {number}: {what}"))?;
    }
    Ok(rows)
}

/// A list of rows; or pages of buckets with `results`, as OpenAI and Anthropic answer, one page or several in a list.
fn json(bytes: &[u8], columns: &Columns) -> Result<Rows, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut rows = Rows::new();
    walk(&mut rows, columns, &value, &Map::new())?;
    Ok(rows)
}

fn walk(
    rows: &mut Rows,
    columns: &Columns,
    value: &Value,
    bucket: &Map<String, Value>,
) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| walk(rows, columns, item, bucket)),
        Value::Object(object) => {
            match ["data", "results", "result"].iter().find_map(|name| object.get(*name)) {
                Some(inner @ Value::Array(_)) => {
                    if object.get("has_more").and_then(Value::as_bool) == Some(true) {
                        return Err(
                            "it is one page of several (`has_more`): put all pages into one JSON list"
                                .to_owned(),
                        );
                    }
                    walk(rows, columns, inner, object)
                }
                _ => add(rows, columns, object, bucket),
            }
        }
        _ => Err("expected rows or buckets as JSON objects".to_owned()),
    }
}

/// Adds a row; what it does not say its bucket does.
fn add(
    rows: &mut Rows,
    columns: &Columns,
    row: &Map<String, Value>,
    bucket: &Map<String, Value>,
) -> Result<(), String> {
    let text = |names: &[String]| {
        names
            .iter()
            .find_map(|name| row.get(name).or_else(|| bucket.get(name)).filter(|value| !is_empty(value)))
    };
    let Some(time) = text(&columns.time) else {
        return Err(format!("there is no time: none of the columns {}", columns.time.join(", ")));
    };
    let Some(model) = text(&columns.model).and_then(Value::as_str) else {
        return Err(
            "there is no model's name: ask the provider for usage grouped by model, or say --usage-columns"
                .to_owned(),
        );
    };
    let counts = UsageCounts {
        input_tokens: sum(row, &columns.input)?,
        output_tokens: sum(row, &columns.output)?,
        requests: sum(row, &columns.requests)?,
    };
    rows.entry((day(time)?, model.to_owned())).or_default().add(counts);
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// The sum of the columns that are there; `a.b` is the member `b` of `a`.
fn sum(row: &Map<String, Value>, names: &[String]) -> Result<Option<u64>, String> {
    let mut sum: Option<u64> = None;
    for name in names {
        let (first, second) =
            name.split_once('.').map_or((name.as_str(), None), |(one, two)| (one, Some(two)));
        let value = row.get(name).or_else(|| match second {
            Some(second) => row.get(first)?.get(second),
            None => None,
        });
        let Some(value) = value.filter(|value| !is_empty(value)) else { continue };
        let number = match value {
            Value::String(text) => text.replace(',', "").parse::<u64>().ok(),
            value => value.as_u64(),
        };
        let number = number.ok_or_else(|| format!("`{name}` is {value}, which is no whole number"))?;
        sum = Some(sum.unwrap_or(0).saturating_add(number));
    }
    Ok(sum)
}

/// The UTC day: a date, a time, or seconds since 1970.
fn day(time: &Value) -> Result<u64, String> {
    let seconds = time.as_u64().or_else(|| time.as_str()?.parse::<u64>().ok());
    if let Some(seconds) = seconds {
        return Ok(seconds / SECONDS_PER_DAY);
    }
    let text = time.as_str().unwrap_or_default();
    let text = text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |text| format!("{text}Z"));
    let time: Timestamp = when::point(&text).ok_or_else(|| format!("`{text}` is no UTC day or time"))?;
    Ok(time.nanos() / 1_000_000_000 / SECONDS_PER_DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, columns: &str) -> Result<Vec<String>, String> {
        let columns = match columns {
            "" => Columns::default(),
            columns => Columns::parse(columns)?,
        };
        let read = if text.starts_with(['{', '[']) { json } else { csv };
        let told = |((day, model), counts): (UsageKey, UsageCounts)| {
            let UsageCounts { requests, input_tokens, output_tokens } = counts;
            let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
            format!("{day} {model} {} {} {}", number(requests), number(input_tokens), number(output_tokens))
        };
        Ok(read(text.as_bytes(), &columns)?.into_iter().map(told).collect())
    }

    #[test]
    fn the_forms_of_providers_are_read() {
        for (text, columns, expected) in [
            (
                "time,model,requests,input_tokens,output_tokens\n2026-11-20,a,3,10,4\n2026-11-20T07:00:00Z,a,2,,1\n",
                "",
                "20777 a 5 10 5",
            ),
            (
                "day,what,calls\n2026-11-20,a,\"1,204\"\n",
                "time=day,model=what,requests=calls",
                "20777 a 1204 - -",
            ),
            (
                "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,\
                 usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n\
                 2026-11-20,claude-x-20260101,k,Default,standard,≤ 200k,100,10,1,5,50\n",
                "",
                "20777 claude-x-20260101 - 116 50",
            ),
            (
                r#"{"object":"page","data":[{"object":"bucket","start_time":1795132800,"end_time":1795219200,"results":[
                    {"object":"organization.usage.completions.result","input_tokens":5000,"output_tokens":1000,
                     "input_cached_tokens":800,"num_model_requests":5,"model":"gpt-4o-2024-08-06"}]}],"has_more":false}"#,
                "",
                "20777 gpt-4o-2024-08-06 5 5000 1000",
            ),
            (
                r#"{"data":[{"starting_at":"2026-11-20T00:00:00Z","ending_at":"2026-11-21T00:00:00Z","results":[
                    {"uncached_input_tokens":1500,"cache_creation":{"ephemeral_1h_input_tokens":1000,"ephemeral_5m_input_tokens":500},
                     "cache_read_input_tokens":200,"output_tokens":500,"model":"claude-x-20260101"}]}],"has_more":false}"#,
                "",
                "20777 claude-x-20260101 - 3200 500",
            ),
        ] {
            assert_eq!(rows(text, columns).unwrap(), [expected], "{text}");
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for (text, why) in [
            ("time,requests\n2026-11-20,3\n", "model's name"),
            ("when,model,requests\n2026-11-20,a,3\n", "there is no time"),
            ("time,model,requests\n2026-11-20,a,many\n", "no whole number"),
            ("time,model,requests\nyesterday,a,3\n", "no UTC day"),
            (r#"{"data":[],"has_more":true}"#, "one page of several"),
            (
                r#"{"data":[{"start_time":1,"results":[{"model":null,"num_model_requests":1}]}]}"#,
                "grouped by model",
            ),
        ] {
            let error = rows(text, "").unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(Columns::parse("day=x").is_err() && Columns::parse("time").is_err());
    }
}
