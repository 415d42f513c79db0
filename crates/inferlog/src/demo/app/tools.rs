//! The tools that the model may ask for, and running them.

use serde_json::{Map, Value, json};

use super::gateway::{Asking, Call, Gateway};
use super::moderation::iban;
use crate::model::chat::{LOOKUP, SCORE};
use crate::model::dataset::{Applicant, FEATURES};
use crate::model::{self, ALIAS};

/// Probability from which on a loan is approved.
const THRESHOLD: f64 = 0.5;

/// The tools, as the model is offered them.
pub(super) fn definitions() -> Vec<Value> {
    let tool = |name: &str, description: &str| {
        let applicant = json!({ "type": "string", "description": "as in applicant-07" });
        let parameters =
            json!({ "type": "object", "properties": { "applicant": applicant }, "required": ["applicant"] });
        json!({ "type": "function", "function": { "name": name, "description": description, "parameters": parameters } })
    };
    vec![
        tool(LOOKUP, "What is on record of an applicant: account, income, debt and how they paid."),
        tool(
            SCORE,
            "Scores an applicant with the bank's model: probability of repayment, decision, what weighed.",
        ),
    ]
}

/// A tool that ran, and what it gave.
pub(super) struct Ran {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) result: Value,
}

impl Ran {
    /// The result as the model is told it.
    pub(super) fn message(&self) -> Value {
        json!({ "role": "tool", "tool_call_id": self.id, "content": self.result.to_string() })
    }
}

/// Runs the calls in the order in which the model asked for them. What fails gives an error as its result.
pub(super) async fn run(
    calls: &[Call],
    gateway: &Gateway,
    asking: &Asking,
    customers: &[Applicant],
) -> Vec<Ran> {
    let mut ran = Vec::with_capacity(calls.len());
    for call in calls {
        let result = match named(call, asking, customers) {
            Ok((name, applicant)) if call.name == LOOKUP => Ok(record(&name, applicant)),
            Ok((_, applicant)) if call.name == SCORE => score(gateway, asking, applicant).await,
            Ok(_) => Err(format!("there is no tool {}", call.name)),
            Err(error) => Err(error),
        };
        let result = result.unwrap_or_else(|error| json!({ "error": error }));
        ran.push(Ran { id: call.id.clone(), name: call.name.clone(), result });
    }
    ran
}

/// The applicant that a call names: the customer who asks, and nobody else.
fn named<'c>(
    call: &Call,
    asking: &Asking,
    customers: &'c [Applicant],
) -> Result<(String, &'c Applicant), String> {
    let arguments: Value = serde_json::from_str(&call.arguments).map_err(|_| "the arguments are no JSON")?;
    let name = arguments["applicant"].as_str().ok_or("no applicant is named")?;
    if name != asking.customer {
        return Err("this is not the customer who asks".into());
    }
    let number = name.strip_prefix("applicant-").and_then(|number| number.parse::<usize>().ok());
    let applicant = number.and_then(|number| customers.get(number.checked_sub(1)?));
    Ok((name.to_owned(), applicant.ok_or("nothing is on record of this applicant")?))
}

fn features(values: impl IntoIterator<Item = f64>) -> Map<String, Value> {
    FEATURES.iter().map(|name| (*name).to_owned()).zip(values.into_iter().map(Value::from)).collect()
}

fn record(name: &str, applicant: &Applicant) -> Value {
    let number = name.bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>();
    let mut record = features(*applicant);
    record.insert("applicant".into(), name.into());
    // No bank's code begins with a zero: nobody has this account.
    record.insert("account".into(), iban("DE", &format!("{number:0>18}")).into());
    Value::Object(record)
}

/// Asks the credit-scoring model, through the gateway: its answer is a part of the same decision.
async fn score(gateway: &Gateway, asking: &Asking, applicant: &Applicant) -> Result<Value, String> {
    let request = json!({
        "parameters": { "threshold": THRESHOLD },
        "inputs": [{
            "name": model::INPUT, "shape": [1, applicant.len()], "datatype": "FP64", "data": applicant,
        }],
    });
    let answer = gateway.infer(asking, ALIAS, &request).await.map_err(|error| error.to_string())?;
    let output = |name: &str| {
        let outputs = answer["outputs"].as_array().into_iter().flatten();
        outputs.filter(|output| output["name"] == name).find_map(|output| output["data"].as_array()).cloned()
    };
    let first = |name: &str| output(name).and_then(|data| data.into_iter().next()).unwrap_or_default();
    let weights = output("contributions").unwrap_or_default();
    Ok(json!({
        "model": answer["model_name"], "version": answer["model_version"], "decision": first("decision"),
        "probability": first("probability"), "threshold": THRESHOLD,
        "contributions": features(weights.iter().filter_map(Value::as_f64)),
    }))
}
