//! The model's side of the Open Inference Protocol v2 over REST.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dataset::{Applicant, FEATURES};

/// Most applicants in one request.
pub(crate) const ROWS_MAX: usize = 1_000;
/// Longest pause that a request may ask for, milliseconds.
pub(crate) const DELAY_MS_MAX: u64 = 60_000;
/// Name of the one input tensor.
pub(crate) const INPUT: &str = "applicant";

/// An inference request.
#[derive(Deserialize)]
pub(crate) struct InferRequest {
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) parameters: Parameters,
    #[serde(default)]
    inputs: Vec<InputTensor>,
}

/// What a caller may ask for besides. The last two are there so that slow and failing answers can be shown.
#[derive(Default, Deserialize)]
pub(crate) struct Parameters {
    /// Probability from which on a loan is approved; 0.5 if absent.
    pub(crate) threshold: Option<f64>,
    /// Answer only after this many milliseconds.
    #[serde(default)]
    pub(crate) delay_ms: u64,
    /// Fail as a broken server does: status 500 and plain text.
    #[serde(default)]
    pub(crate) fail: bool,
}

#[derive(Deserialize)]
struct InputTensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    data: Value,
}

/// A tensor of the answer.
#[derive(Serialize)]
pub(crate) struct OutputTensor {
    pub(crate) name: &'static str,
    pub(crate) datatype: &'static str,
    pub(crate) shape: [usize; 2],
    pub(crate) data: Value,
}

/// The answer to an inference request.
#[derive(Serialize)]
pub(crate) struct InferResponse {
    pub(crate) model_name: &'static str,
    pub(crate) model_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) outputs: Vec<OutputTensor>,
}

impl InferRequest {
    /// Reads a request. The error says what is wrong, for the answer's `error`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let request: Self =
            serde_json::from_slice(body).map_err(|error| format!("malformed request: {error}"))?;
        if request.parameters.delay_ms > DELAY_MS_MAX {
            return Err(format!("parameter delay_ms is at most {DELAY_MS_MAX}"));
        }
        if request.parameters.threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            return Err("parameter threshold is a probability, 0 to 1".into());
        }
        Ok(request)
    }

    /// The applicants asked about.
    pub(crate) fn applicants(&self) -> Result<Vec<Applicant>, String> {
        let [tensor] = self.inputs.as_slice() else {
            return Err(format!("expected one input named {INPUT}, got {}", self.inputs.len()));
        };
        if tensor.name != INPUT {
            return Err(format!("expected an input named {INPUT}"));
        }
        if !["FP64", "FP32", "INT64", "INT32"].contains(&tensor.datatype.as_str()) {
            return Err(format!("input {INPUT}: expected datatype FP64"));
        }
        let &[rows, FEATURE_COUNT] = tensor.shape.as_slice() else {
            return Err(format!(
                "input {INPUT}: expected shape [n, {FEATURE_COUNT}] for {}, got {:?}",
                FEATURES.join(", "),
                tensor.shape
            ));
        };
        if !(1..=ROWS_MAX).contains(&rows) {
            return Err(format!("input {INPUT}: 1 to {ROWS_MAX} rows, got {rows}"));
        }
        let mut numbers = Vec::with_capacity(rows * FEATURE_COUNT);
        flatten(&tensor.data, 0, &mut numbers)
            .ok_or_else(|| format!("input {INPUT}: data is not all numbers"))?;
        if numbers.len() != rows * FEATURE_COUNT {
            return Err(format!(
                "input {INPUT}: the shape says {} numbers, got {}",
                rows * FEATURE_COUNT,
                numbers.len()
            ));
        }
        let row = |row: &[f64]| std::array::from_fn(|i| row[i]);
        Ok(numbers.chunks_exact(FEATURE_COUNT).map(row).collect())
    }
}

const FEATURE_COUNT: usize = FEATURES.len();

/// Data may be nested as the shape is, or flat.
fn flatten(data: &Value, depth: usize, numbers: &mut Vec<f64>) -> Option<()> {
    match data {
        Value::Array(items) if depth < 2 => {
            items.iter().try_for_each(|item| flatten(item, depth + 1, numbers))
        }
        _ => {
            numbers.push(data.as_f64()?);
            Some(())
        }
    }
}
